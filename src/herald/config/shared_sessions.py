"""Peers that meet on a node: two names for one session (HL074), and nodes with two identities (HL076)."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from itertools import combinations

from herald.cluster.meta import NodeName, PeerName
from herald.cluster.node import Node
from herald.config.findings import ObjectKey, problem
from herald.config.peer import Peer
from herald.config.problem import Problem
from herald.config.selectors import selected_nodes

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
    "ttl_security": "ttlSecurity",
    "passive": "passive",
    "bfd_strict": "bfdStrict",
    "bfd_profile": "bfdProfile",
    "graceful_restart": "gracefulRestart",
    "dual_stack_address_family": "dualStackAddressFamily",
    "disable_mp": "disableMP",
    "password": "password",
    "tcp_ao": "tcpAO",
    "role": "role",
    "role_strict": "roleStrict",
}


class _Places:
    """Where peers keep their sessions; looked up only for peers that have something in common, and once."""

    def __init__(self, nodes: Mapping[NodeName, Node]) -> None:
        self._nodes = nodes
        self._of: dict[PeerName, frozenset[NodeName]] = {}

    def meet(self, one: Peer, other: Peer) -> bool:
        """Whether some node keeps a session with both; with no node known, it is possible."""
        return not self._nodes or not self._selected(one).isdisjoint(self._selected(other))

    def _selected(self, peer: Peer) -> frozenset[NodeName]:
        if peer.name not in self._of:
            self._of[peer.name] = selected_nodes(peer.node_selectors, self._nodes)
        return self._of[peer.name]


def shared_sessions(peers: Iterable[Peer], nodes: Mapping[NodeName, Node], namespace: str) -> tuple[Problem, ...]:
    """HL074 about peers that share a session, on the younger, and one HL076 for each pair of identities on a node."""
    oldest_first = sorted(peers, key=lambda peer: peer.age_order)
    places = _Places(nodes)
    return (*_duplicates(oldest_first, places, namespace), *_identities(oldest_first, places, namespace))


def _duplicates(peers: Sequence[Peer], places: _Places, namespace: str) -> Iterable[Problem]:
    by_endpoint: dict[tuple[str, int, str], list[Peer]] = defaultdict(list)
    for peer in peers:
        by_endpoint[peer.endpoint].append(peer)
    for same in by_endpoint.values():
        for number, younger in enumerate(same):
            older = next((earlier for earlier in same[:number] if places.meet(earlier, younger)), None)
            if older is not None:
                yield _duplicate(older, younger, namespace)


def _duplicate(older: Peer, younger: Peer, namespace: str) -> Problem:
    address, port, _ = older.endpoint
    differing = _differing(older, younger)
    if differing:
        first = "the older" if older.created is not None else "first by name"
        consequence = f'They disagree on {", ".join(differing)}: the values of "{older.name}", {first}, count.'
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


def _identities(peers: Sequence[Peer], places: _Places, namespace: str) -> Iterable[Problem]:
    """Compares identities, not peers: a thousand peers usually have one."""
    identities: dict[tuple[object, ...], list[Peer]] = defaultdict(list)
    for peer in peers:
        identities[peer.vrf, peer.my_asn, peer.router_id].append(peer)
    for one, other in combinations(identities.values(), 2):
        pair = next(((o, y) for y in other for o in one if places.meet(o, y)), None)
        if pair is not None:
            older, younger = sorted(pair, key=lambda peer: peer.age_order)
            yield from _disagreement(older, younger, namespace)


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
