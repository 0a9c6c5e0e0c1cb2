"""Advertisements: what the user wrote about who announces which pools, resolved against pools and nodes."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from herald.bgp.community import Community, ExtendedCommunity, LargeCommunity
from herald.cluster.meta import NodeName, PeerName, PoolName
from herald.cluster.selector import LabelSelector, matches_any


@dataclass(frozen=True, slots=True)
class L2Advertisement:
    """`pools` and `nodes` are resolved sets. `interfaces` None means all of them.

    `scores` holds the summed weights of matching preferences, only for nodes in `nodes`, only above 0. With
    `fast_failover` the owner of an address is watched by those next in line, see `herald.announcement.sentries`.
    `failback_s` is how long a node must be back before it gets its addresses back, infinite for never; 0, as with
    `spread_evenly` and `flap_damping` False, is MetalLB's way.
    """

    name: str
    pools: frozenset[PoolName]
    nodes: frozenset[NodeName]
    interfaces: frozenset[str] | None = None
    service_selectors: tuple[LabelSelector, ...] = ()
    scores: Mapping[NodeName, int] = field(default_factory=dict)
    fast_failover: bool = False
    failback_s: float = 0.0
    spread_evenly: bool = False
    flap_damping: bool = False

    def matches_service(self, labels: Mapping[str, str]) -> bool:
        return matches_any(self.service_selectors, labels, if_empty=True)


@dataclass(frozen=True, slots=True)
class Prepend:
    """`asPrepend`: `count` (1–10) times `asn`, or the session's own ASN when None."""

    count: int
    asn: int | None = None


@dataclass(frozen=True, slots=True)
class BGPAdvertisement:
    """`peers` None means every peer. `local_pref` None means not set (the manifest's 0).

    `bandwidth_per_endpoint` is in Mbit/s; None: no bandwidth is announced. `med` None: no MULTI_EXIT_DISC is sent.
    """

    name: str
    pools: frozenset[PoolName]
    nodes: frozenset[NodeName]
    aggregation_length: int = 32
    aggregation_length_v6: int = 128
    local_pref: int | None = None
    communities: tuple[Community, ...] = ()
    large_communities: tuple[LargeCommunity, ...] = ()
    peers: frozenset[PeerName] | None = None
    service_selectors: tuple[LabelSelector, ...] = ()
    prepend: Prepend | None = None
    bandwidth_per_endpoint: int | None = None
    extended_communities: tuple[ExtendedCommunity, ...] = ()
    med: int | None = None

    def matches_service(self, labels: Mapping[str, str]) -> bool:
        return matches_any(self.service_selectors, labels, if_empty=True)

    def admits_peer(self, names: frozenset[PeerName]) -> bool:
        """Whether it is meant for a session that goes by any of `names`."""
        return self.peers is None or not self.peers.isdisjoint(names)
