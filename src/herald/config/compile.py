"""Custom resources → Config and Problems. Fails per object, never as a whole.

    profiles ─┐
    Secrets ──┼─▶ peers ──┐
    aliases ──┼───────────┼─▶ BGPAdvertisements ─┐
    pools ────┴───────────┴─▶ L2Advertisements ──┴─▶ what objects mean to each other (conflicts, shared sessions)

The same resources and the same past give the same result, in whatever order they come. The past is `last_good`, the
`accepted` of the compilation before: an edit that makes an object invalid leaves its last valid version in force, and a
Secret, profile or alias that is deleted under somebody who needs it is remembered for as long as it is needed.

MetalLB refuses a whole configuration for one fault. Here a fault costs its object (`settle` says which of two that
exclude each other stays), and what can be given a meaning is announced with a warning: aggregates wider than a pool
(`aggregates`), different preferences for one prefix (`conflict`), two names for one session (`shared_sessions`).
`docs/differences.md` lists it all.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from types import MappingProxyType
from typing import Any, TypeVar

from herald.api.bgp_peer import BGPPeer
from herald.bfd.profile import BFDProfile
from herald.cluster.meta import PeerName
from herald.config.compile_advertisements import Targets, bgp_compiler, l2_compiler
from herald.config.compile_bfd import compile_bfd_profile
from herald.config.compile_communities import community_compiler
from herald.config.compile_peers import compile_peer
from herald.config.compile_pools import pool_compiler
from herald.config.config import Config
from herald.config.conflict import conflicts
from herald.config.findings import Findings, ObjectKey, Resource, is_left_out, problem, stays_in_force, with_consequence
from herald.config.past import as_it_was, needed_by_advertisements, needed_by_peers, united, with_revived
from herald.config.peer import Peer
from herald.config.problem import Problem
from herald.config.resources import Resources
from herald.config.settle import Custom, InForce, Settled, settle
from herald.config.shared_sessions import shared_sessions
from herald.config.surroundings import Surroundings

DEFAULT_NAMESPACE = "metallb-system"
R = TypeVar("R", bound=Custom)
_NO_PAST: Mapping[ObjectKey, Resource] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Compiled:
    """The outcome for all objects.

    `problems` has severity ERROR for exactly those that are left out, or whose last valid version stays in force.
    `accepted` holds the versions in force, and what of Secrets, profiles and aliases they use: the next `last_good`.
    `left_out` names the custom resources that exist and of which no version is in force.
    """

    config: Config
    problems: tuple[Problem, ...]
    accepted: Mapping[ObjectKey, Resource]
    namespace: str = DEFAULT_NAMESPACE
    left_out: frozenset[ObjectKey] = frozenset()

    def with_consequences(self, found: Iterable[Problem]) -> tuple[Problem, ...]:
        """`found` while the objects were read; with what follows for those of which no version is in force."""
        return tuple(
            with_consequence(each, is_left_out(each.kind))
            if ObjectKey(each.kind, each.namespace, each.name) in self.left_out
            else each
            for each in found
        )


def compile_config(
    resources: Resources,
    *,
    namespace: str = DEFAULT_NAMESPACE,
    last_good: Mapping[ObjectKey, Resource] = _NO_PAST,
    spoilt: Collection[ObjectKey] = (),
    knows_secrets: bool = True,
) -> Compiled:
    """The configuration that `resources` make, custom resources being read from `namespace` only.

    `spoilt` names objects that exist but could not even be decoded (HL202): they are not deleted, so their last valid
    versions stay in force; those that have none are left out. `knows_secrets` False: whoever asks may not read Secrets;
    peers with one are taken to be in order, and come without their password.
    """
    revived = tuple(last_good[key] for key in sorted(spoilt) if key in last_good)
    here, misplaced = _in_namespace(with_revived(resources, revived), namespace)
    unusable = frozenset(key for key in spoilt if key.namespace == namespace and key not in last_good)
    nodes = {node.name: node for node in sorted(resources.nodes, key=lambda node: node.name)}
    profiles = settle(here.bfd_profiles, last_good, (compile_bfd_profile,))
    communities = settle(here.communities, last_good, (community_compiler(),))
    pools = settle(here.ip_address_pools, last_good, (pool_compiler(resources.namespaces),))
    around = Surroundings(
        namespace=namespace,
        secrets={secret.key: secret for secret in resources.secrets},
        bfd_profiles={profile.name: profile for profile in profiles.values},
        aliases=united(communities.values),
        left_out=unusable | profiles.left_out | communities.left_out | pools.left_out,
        knows_secrets=knows_secrets,
    )
    past = as_it_was(around, last_good)
    peers = _settle_peers(here.bgp_peers, last_good, around, past)
    targets = Targets({pool.name: pool for pool in pools.values}, nodes, frozenset(peer.name for peer in peers.values))
    around, past = (replace(each, left_out=each.left_out | peers.left_out) for each in (around, past))
    l2 = settle(here.l2_advertisements, last_good, (l2_compiler(targets, around),))
    bgp = settle(here.bgp_advertisements, last_good, (bgp_compiler(targets, around), bgp_compiler(targets, past)))
    config = Config(
        pools=targets.pools,
        l2_advertisements=l2.values,
        bgp_advertisements=bgp.values,
        peers={peer.name: peer for peer in peers.values},
        bfd_profiles=_profiles(peers.in_force, around),
        nodes=nodes,
        left_out_peers=_left_out_peers(around, targets),
    )
    found = chain(
        misplaced,
        (_revived(each) for each in revived),
        *(settled.problems for settled in (profiles, communities, pools, peers, l2, bgp)),
        conflicts(bgp.values, targets.pools, namespace),
        shared_sessions(peers.values, nodes, namespace),
    )
    accepted = {
        **needed_by_peers(peers.in_force, around, past, last_good),
        **needed_by_advertisements(bgp.in_force, past),
        **_in_force(profiles, communities, pools, peers, l2, bgp),
    }
    left_out = (around.left_out | l2.left_out | bgp.left_out) - accepted.keys()
    return Compiled(config, tuple(sorted(found, key=lambda each: each.order)), accepted, namespace, left_out)


def _left_out_peers(around: Surroundings, targets: Targets) -> tuple[PeerName, ...]:
    return tuple(sorted({PeerName(name) for name in around.names_left_out("BGPPeer")} - targets.peers))


def _in_force(*kinds: Settled[Any, Any]) -> dict[ObjectKey, Resource]:
    return {ObjectKey.of(entry.resource): entry.resource for settled in kinds for entry in settled.in_force}


def _in_namespace(resources: Resources, namespace: str) -> tuple[Resources, list[Problem]]:
    misplaced: list[Problem] = []

    def here(objects: tuple[R, ...]) -> tuple[R, ...]:
        misplaced.extend(_misplaced(each, namespace) for each in objects if each.metadata.namespace != namespace)
        return tuple(each for each in objects if each.metadata.namespace == namespace)

    kept = replace(
        resources,
        ip_address_pools=here(resources.ip_address_pools),
        l2_advertisements=here(resources.l2_advertisements),
        bgp_advertisements=here(resources.bgp_advertisements),
        bgp_peers=here(resources.bgp_peers),
        bfd_profiles=here(resources.bfd_profiles),
        communities=here(resources.communities),
    )
    return kept, misplaced


def _revived(resource: Resource) -> Problem:
    key = ObjectKey.of(resource)
    message = f"the present version cannot be read. {stays_in_force(key.kind)}"
    return problem("HL211", key, "", message)


def _misplaced(resource: Custom, namespace: str) -> Problem:
    key = ObjectKey.of(resource)
    where = f'it is in "{key.namespace}"' if key.namespace else "it names none"
    instead = f", or have Herald read from there with --namespace {key.namespace}" if key.namespace else ""
    return problem(
        "HL030",
        key,
        "metadata.namespace",
        f"resource must be created in {namespace} namespace, but {where}: set metadata.namespace to {namespace}"
        f"{instead}. {is_left_out(key.kind)}",
    )


def _settle_peers(
    peers: tuple[BGPPeer, ...], last_good: Mapping[ObjectKey, Resource], around: Surroundings, past: Surroundings
) -> Settled[BGPPeer, Peer]:
    def at_present(resource: BGPPeer, found: Findings) -> Peer | None:
        return compile_peer(resource, found, around)

    def as_before(resource: BGPPeer, found: Findings) -> Peer | None:
        return compile_peer(resource, found, past)

    return settle(peers, last_good, (at_present, as_before))


def _profiles(peers: Iterable[InForce[BGPPeer, Peer]], around: Surroundings) -> dict[str, BFDProfile]:
    """Those that are there, and those that peers use besides: the built-in one, and what only the past knows."""
    used = (entry.value.bfd_profile for entry in peers)
    profiles = {profile.name: profile for profile in used if profile is not None} | dict(around.bfd_profiles)
    return dict(sorted(profiles.items()))
