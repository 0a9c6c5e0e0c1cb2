"""Peers that meet on a node: two names for one session (HL074), and nodes with two identities (HL076)."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import combinations

from herald.cluster.meta import NodeName
from herald.cluster.node import Node
from herald.config.findings import ObjectKey, problem
from herald.config.peer import Peer
from herald.config.problem import Problem

# What does not describe the session itself, or what the endpoint says already.
_NOT_COMPARED = frozenset({"name", "created", "node_selectors", "peer_address", "interface", "peer_port", "vrf"})
_SPELLINGS = {
    "my_asn": "myASN",
    "peer_asn": "peerASN",
    "dynamic_asn": "dynamicASN",
    "local_asn": "localASN",
    "router_id": "routerID",
    "hold_time_s": "holdTime",
    "keepalive_time_s": "keepaliveTime",
    "connect_time_s": "connectTime",
    "source_address": "sourceAddress",
    "ebgp_multi_hop": "ebgpMultiHop",
    "bfd_profile": "bfdProfile",
    "graceful_restart": "gracefulRestart",
    "dual_stack_address_family": "dualStackAddressFamily",
    "disable_mp": "disableMP",
    "password": "password",
}


@dataclass(frozen=True, slots=True)
class _Placed:
    """A peer and the nodes that keep a session with it; with no node known, `nodes` is None: possibly any."""

    peer: Peer
    nodes: frozenset[NodeName] | None


def shared_sessions(peers: Iterable[Peer], nodes: Mapping[NodeName, Node], namespace: str) -> tuple[Problem, ...]:
    """HL074 and HL076 about peers that share a node. Each peer is reported once per rule, against the oldest other."""
    placed = [_Placed(peer, _nodes(peer, nodes)) for peer in sorted(peers, key=lambda peer: peer.age_order)]
    return (*_duplicates(placed, namespace), *_identities(placed, namespace))


def _nodes(peer: Peer, nodes: Mapping[NodeName, Node]) -> frozenset[NodeName] | None:
    return frozenset(name for name, node in nodes.items() if peer.selects(node.labels)) if nodes else None


def _meet(one: _Placed, other: _Placed) -> bool:
    return one.nodes is None or other.nodes is None or not one.nodes.isdisjoint(other.nodes)


def _duplicates(placed: Sequence[_Placed], namespace: str) -> Iterable[Problem]:
    by_endpoint: dict[tuple[str, int, str], list[_Placed]] = defaultdict(list)
    for entry in placed:
        by_endpoint[entry.peer.endpoint].append(entry)
    for same in by_endpoint.values():
        for number, younger in enumerate(same):
            older = next((entry for entry in same[:number] if _meet(entry, younger)), None)
            if older is not None:
                yield _duplicate(older.peer, younger.peer, namespace)


def _duplicate(older: Peer, younger: Peer, namespace: str) -> Problem:
    address, port, _ = older.endpoint
    differing = _differing(older, younger)
    if differing:
        consequence = f'They disagree on {", ".join(differing)}: the values of the older "{older.name}" count.'
    else:
        consequence = "They agree on everything else."
    return problem(
        "HL074",
        ObjectKey("BGPPeer", namespace, younger.name),
        "spec.interface" if older.interface else "spec.peerAddress",
        f'BGPPeer "{older.name}" means the same session with {address} port {port} on a common node: there is one '
        f"session, which goes by both names. {consequence}",
    )


def _differing(older: Peer, younger: Peer) -> list[str]:
    return [
        _SPELLINGS[field.name]
        for field in fields(Peer)
        if field.name not in _NOT_COMPARED and getattr(older, field.name) != getattr(younger, field.name)
    ]


def _identities(placed: Sequence[_Placed], namespace: str) -> Iterable[Problem]:
    """Compares each peer with the first of those that share its value, so that 1,000 peers are no million of pairs."""
    kinds: dict[tuple[object, ...], list[_Placed]] = defaultdict(list)
    for entry in placed:
        kinds[(entry.peer.vrf, entry.peer.my_asn, entry.peer.router_id)].append(entry)
    for older_kind, younger_kind in combinations(kinds.values(), 2):
        pair = next(((o, y) for y in younger_kind for o in older_kind if _meet(o, y)), None)
        if pair is not None:
            yield from _disagreement(pair[0].peer, pair[1].peer, namespace)


def _disagreement(older: Peer, younger: Peer, namespace: str) -> Iterable[Problem]:
    subject = ObjectKey("BGPPeer", namespace, younger.name)
    if older.router_id != younger.router_id:
        yield problem(
            "HL076",
            subject,
            "spec.routerID",
            f"routerID is {younger.router_id or 'not set'}, and {older.router_id or 'not set'} in BGPPeer "
            f'"{older.name}" on a common node: Herald sends each as configured, an FRR backend would refuse the pair',
        )
    if older.my_asn != younger.my_asn and older.vrf == younger.vrf:
        yield problem(
            "HL076",
            subject,
            "spec.myASN",
            f'myASN is {younger.my_asn}, and {older.my_asn} in BGPPeer "{older.name}" on a common node: Herald uses '
            "each as configured, an FRR backend would refuse the pair; if one AS is meant, correct it",
        )
