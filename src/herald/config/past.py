"""What is remembered from one compilation to the next, so that no edit and no deletion takes away what works."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from herald.api.bfd_profile import BFDProfile
from herald.api.bgp_advertisement import BGPAdvertisement as BGPAdvertisementResource
from herald.api.bgp_peer import BGPPeer
from herald.api.community import Community
from herald.api.ip_address_pool import IPAddressPool
from herald.api.l2_advertisement import L2Advertisement
from herald.cluster.meta import NamespacedName
from herald.cluster.secret import Secret
from herald.config.advertisement import BGPAdvertisement
from herald.config.compile_bfd import compile_bfd_profile
from herald.config.compile_communities import Alias, community_compiler
from herald.config.findings import ObjectKey, Resource
from herald.config.peer import Peer
from herald.config.peer_secrets import secret_names
from herald.config.resources import Resources
from herald.config.settle import InForce, settle
from herald.config.surroundings import Surroundings

T = TypeVar("T", bound=Resource)


def united(tables: Iterable[Mapping[str, Alias]]) -> dict[str, Alias]:
    """One table of aliases; names are unique over all of them."""
    return {name: alias for table in tables for name, alias in table.items()}


def with_revived(resources: Resources, revived: Sequence[Resource]) -> Resources:
    """`resources` with those custom resources of `revived` added that they lack."""
    return replace(
        resources,
        ip_address_pools=_joined(resources.ip_address_pools, revived, IPAddressPool),
        l2_advertisements=_joined(resources.l2_advertisements, revived, L2Advertisement),
        bgp_advertisements=_joined(resources.bgp_advertisements, revived, BGPAdvertisementResource),
        bgp_peers=_joined(resources.bgp_peers, revived, BGPPeer),
        bfd_profiles=_joined(resources.bfd_profiles, revived, BFDProfile),
        communities=_joined(resources.communities, revived, Community),
    )


def _joined(present: tuple[T, ...], revived: Sequence[Resource], kind: type[T]) -> tuple[T, ...]:
    keys = {ObjectKey.of(each) for each in present}
    return (*present, *(each for each in revived if isinstance(each, kind) and ObjectKey.of(each) not in keys))


def as_it_was(around: Surroundings, last_good: Mapping[ObjectKey, Resource]) -> Surroundings:
    """`around` with what `last_good` remembers put over it, for last valid versions that need it."""
    kept = [resource for _, resource in sorted(last_good.items(), key=lambda item: item[0])]
    profiles = settle([each for each in kept if isinstance(each, BFDProfile)], {}, (compile_bfd_profile,))
    communities = settle([each for each in kept if isinstance(each, Community)], {}, (community_compiler(),))
    return replace(
        around,
        secrets={**around.secrets, **{each.key: each for each in kept if isinstance(each, Secret)}},
        bfd_profiles={**around.bfd_profiles, **{profile.name: profile for profile in profiles.values}},
        aliases={**around.aliases, **united(communities.values)},
    )


def needed_by_peers(
    peers: Iterable[InForce[BGPPeer, Peer]],
    around: Surroundings,
    past: Surroundings,
    last_good: Mapping[ObjectKey, Resource],
) -> dict[ObjectKey, Resource]:
    """The Secrets that peers in force use, and profiles that only the past knows."""
    needed: dict[ObjectKey, Resource] = {}
    for entry in peers:
        for secret in _secrets_of(entry.resource, past if entry.attempt else around):
            needed[ObjectKey.of(secret)] = secret
        profile = last_good.get(ObjectKey("BFDProfile", around.namespace, entry.resource.spec.bfd_profile))
        if entry.attempt and profile is not None:
            needed[ObjectKey.of(profile)] = profile
    return needed


def _secrets_of(peer: BGPPeer, around: Surroundings) -> list[Secret]:
    keys = [NamespacedName(around.namespace, name) for name in secret_names(peer.spec)]
    return [around.secrets[key] for key in keys if key in around.secrets]


def needed_by_advertisements(
    advertisements: Iterable[InForce[BGPAdvertisementResource, BGPAdvertisement]], past: Surroundings
) -> dict[ObjectKey, Resource]:
    """The Communities that only the past knows and that advertisements in force take aliases from."""
    owners = (
        past.aliases[text].owner
        for entry in advertisements
        if entry.attempt
        for text in entry.resource.spec.communities
        if text in past.aliases
    )
    return {ObjectKey.of(owner): owner for owner in owners}
