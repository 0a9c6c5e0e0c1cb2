"""A BGP peer: with whom a node that it selects keeps a session, and how."""

from collections.abc import Mapping
from dataclasses import dataclass

from herald.bfd.profile import BFDProfile
from herald.bgp.parameters import MasterKey, Password
from herald.bgp.role import Role
from herald.cluster.meta import PeerName
from herald.cluster.selector import LabelSelector, matches_any
from herald.net.ip_family import IPAddress


@dataclass(frozen=True, slots=True)
class GracefulRestart:
    """`gracefulRestart`, or `enableGracefulRestart` with the default time; 1 to 4095 seconds."""

    restart_time_s: int = 120


@dataclass(frozen=True, slots=True)
class Peer:
    """A BGPPeer that compiled. Times in seconds; None means not given.

    Exactly one of `peer_asn` and `dynamic_asn`, exactly one of `peer_address` and `interface` is set. `password` is
    resolved from the manifest or the Secret, the key in `tcp_ao` from its Secret, `bfd_profile` from the BFDProfile of
    that name or the built-in one. At most one of `password` and `tcp_ao` is set.
    """

    name: PeerName
    my_asn: int
    peer_asn: int | None
    dynamic_asn: str | None
    local_asn: int | None
    peer_address: IPAddress | None
    interface: str | None
    peer_port: int
    source_address: IPAddress | None
    router_id: IPAddress | None
    hold_time_s: float | None
    keepalive_time_s: float | None
    connect_time_s: int | None
    ebgp_multi_hop: bool
    vrf: str
    password: Password | None
    bfd_profile: BFDProfile | None
    graceful_restart: GracefulRestart | None
    dual_stack_address_family: bool
    disable_mp: bool
    node_selectors: tuple[LabelSelector, ...] = ()
    ttl_security: bool = False
    passive: bool = False
    bfd_strict: bool = False
    tcp_ao: MasterKey | None = None
    role: Role | None = None
    role_strict: bool = False
    created: str | None = None

    def selects(self, node_labels: Mapping[str, str]) -> bool:
        """Whether a node with these labels keeps a session with it."""
        return matches_any(self.node_selectors, node_labels, if_empty=True)

    @property
    def is_ibgp(self) -> bool:
        return self.dynamic_asn == "internal" or self.peer_asn == (self.local_asn or self.my_asn)

    @property
    def endpoint(self) -> tuple[str, int, str]:
        """Who is at the other end: (address or interface, port, VRF). Two peers with one endpoint are one session."""
        return (str(self.peer_address or self.interface), self.peer_port, self.vrf)

    @property
    def age_order(self) -> tuple[str, str]:
        """Sorts the older first; a peer without a creation time is last, ties go by name."""
        return (self.created or "~", self.name)
