"""Which BGP sessions a node keeps, and under which names.

Two BGPPeers that mean the same other end (address, port, VRF) on one node are *one* session that goes by both names:
an advertisement reaches it by either. Its parameters are those of the older object, whose name it bears; what the other
one wants differently is reported by lint.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Literal

from herald.announcement.reason import Code, Protocol, Reason, because
from herald.bgp.family import BOTH_FAMILIES, Family
from herald.bgp.parameters import PeerParameters
from herald.cluster.meta import PeerName
from herald.config.peer import Peer

DEFAULT_HOLD_TIME_S = 90


@dataclass(frozen=True, slots=True)
class Session:
    """One session of a node: the peer it is made from, all names it goes by, and the families it carries."""

    peer: Peer
    names: frozenset[PeerName]
    families: frozenset[Family]

    @property
    def name(self) -> PeerName:
        """The name of the oldest BGPPeer that means it."""
        return self.peer.name

    @property
    def own_asn(self) -> int:
        """The ASN this side speaks as: `localASN` if given, else `myASN`."""
        return self.peer.local_asn or self.peer.my_asn


def sessions_of(peers: Iterable[Peer], node_labels: Mapping[str, str]) -> tuple[Session, ...]:
    """The sessions of a node with these labels, by name."""
    by_endpoint: dict[tuple[str, int, str], list[Peer]] = {}
    for peer in sorted(peers, key=lambda peer: peer.age_order):
        if peer.selects(node_labels):
            by_endpoint.setdefault(peer.endpoint, []).append(peer)
    return tuple(sorted((_session(group) for group in by_endpoint.values()), key=lambda session: session.name))


def _session(oldest_first: list[Peer]) -> Session:
    peer = oldest_first[0]
    return Session(peer, frozenset(p.name for p in oldest_first), families_of(peer))


def families_of(peer: Peer) -> frozenset[Family]:
    """The family of the peer's address; both with `dualStackAddressFamily`, and on an unnumbered session."""
    if peer.peer_address is None or peer.dual_stack_address_family:
        return BOTH_FAMILIES
    return frozenset({Family.IPV4_UNICAST if peer.peer_address.version == 4 else Family.IPV6_UNICAST})


def parameters(session: Session) -> PeerParameters | Reason:
    """What the engine needs to open the session, or why it cannot be opened."""
    peer = session.peer
    if isinstance(peer.router_id, IPv6Address):
        return _impossible(f"spec.routerID {peer.router_id} is an IPv6 address; BGP identifiers are written as IPv4")
    try:
        return _parameters(session)
    except ValueError as error:
        return _impossible(str(error))


def _impossible(why: str) -> Reason:
    return because(Code.SESSION_NOT_POSSIBLE, Protocol.BGP, why=why)


def _parameters(session: Session) -> PeerParameters:
    peer = session.peer
    assert not isinstance(peer.router_id, IPv6Address)
    return PeerParameters(
        name=peer.name,
        peer_address=peer.peer_address,
        interface=peer.interface,
        vrf=peer.vrf or None,
        peer_port=peer.peer_port,
        local_asn=session.own_asn,
        peer_asn=peer.peer_asn,
        dynamic_asn=_dynamic_asn(peer),
        hold_time=DEFAULT_HOLD_TIME_S if peer.hold_time_s is None else int(peer.hold_time_s),
        keepalive_time=None if peer.keepalive_time_s is None else int(peer.keepalive_time_s),
        connect_time=peer.connect_time_s,
        router_id=peer.router_id,
        source_address=peer.source_address,
        password=peer.password,
        multihop=peer.ebgp_multi_hop and peer.interface is None,  # whoever is found behind it is on the link
        ttl_security=peer.ttl_security,
        passive=peer.passive,
        bfd_strict=peer.bfd_strict,
        tcp_ao=peer.tcp_ao,
        role=peer.role,
        role_strict=peer.role_strict,
        families=session.families,
        bfd=peer.bfd_profile,
        restart_time=None if peer.graceful_restart is None else peer.graceful_restart.restart_time_s,
    )


def _dynamic_asn(peer: Peer) -> Literal["internal", "external"] | None:
    match peer.dynamic_asn:
        case "internal":
            return "internal"
        case "external":
            return "external"
        case None:
            return None
    raise AssertionError(f"dynamicASN {peer.dynamic_asn!r} passed compile")
