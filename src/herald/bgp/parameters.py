"""What is configured of one peer, and what a change of it costs a running session."""

from dataclasses import dataclass, fields
from enum import Enum, auto
from ipaddress import IPv4Address
from typing import Literal, assert_never

from herald.bfd.profile import BFDProfile
from herald.bgp.family import BOTH_FAMILIES, Address, Family
from herald.bgp.role import Role


@dataclass(frozen=True, slots=True, repr=False)
class Password:
    """A secret of TCP MD5 (RFC 2385) or TCP-AO (RFC 5925). Only `reveal` gives it away, no print and no log."""

    _secret: str

    def reveal(self) -> str:
        return self._secret

    def __repr__(self) -> str:
        return "Password(…)"


class Algorithm(Enum):
    """How TCP-AO signs (RFC 5926): both put 12 octets into each segment. The value is what users write."""

    HMAC_SHA_1_96 = "hmac-sha-1-96"
    AES_128_CMAC_96 = "aes-128-cmac-96"


@dataclass(frozen=True, slots=True)
class MasterKey:
    """A master key tuple of TCP-AO (RFC 5925 §3.1): the one that signs all our segments and all of the peer's.

    `send_id` and `receive_id`, 0 to 255, are SendID and RecvID: the number of the key in segments of ours and of the
    peer's. The secret has 1 to 80 octets.
    """

    send_id: int
    receive_id: int
    algorithm: Algorithm
    secret: Password

    def __post_init__(self) -> None:
        if not (0 <= self.send_id <= 255 and 0 <= self.receive_id <= 255):
            raise ValueError(f"TCP-AO: send ID {self.send_id} or receive ID {self.receive_id} is not 0 to 255")


@dataclass(frozen=True, slots=True)
class PeerParameters:
    """One BGP session as wished for.

    Exactly one of `peer_asn` and `dynamic_asn` says who the peer may be. With `interface` the peer is whoever is found
    behind it (unnumbered): `peer_address` is then its link-local address, None while nobody is found. Times are whole
    seconds; `hold_time` is 0 (no keepalives at all) or 3 to 65535, `keepalive_time` None means a third of the hold
    time, and `connect_time` is the longest wait between two attempts, None meaning 30. `multihop` matters to external
    peers only: without it the packets live for one hop. `ttl_security` takes packets of the peer only that no router
    has passed on (RFC 5082), and sends such. `restart_time` is how long the peer is to keep our routes without us (1 to
    4095), None for not at all. `vrf` and `interface` are names of devices of this host. `bfd` is how BFD watches over
    the session (RFC 5882), None for not at all. At most one of `password` and `tcp_ao` signs
    the connection. `role` is what we are to an external peer (RFC 9234), None for not stated; with `role_strict` the
    peer must state its own. Raises `ValueError` for what cannot be spoken.
    """

    name: str
    peer_address: Address | None
    local_asn: int
    peer_asn: int | None = None
    peer_port: int = 179
    dynamic_asn: Literal["internal", "external"] | None = None
    hold_time: int = 90
    keepalive_time: int | None = None
    connect_time: int | None = None
    router_id: IPv4Address | None = None
    source_address: Address | None = None
    password: Password | None = None
    multihop: bool = False
    families: frozenset[Family] = BOTH_FAMILIES
    vrf: str | None = None
    interface: str | None = None
    ttl_security: bool = False
    bfd: BFDProfile | None = None
    restart_time: int | None = None
    passive: bool = False
    bfd_strict: bool = False
    tcp_ao: MasterKey | None = None
    role: Role | None = None
    role_strict: bool = False

    def __post_init__(self) -> None:
        if (self.peer_asn is None) == (self.dynamic_asn is None):
            raise ValueError(f"peer {self.name}: exactly one of peer_asn and dynamic_asn is needed")
        if self.hold_time in {1, 2} or not 0 <= self.hold_time <= 0xFFFF:
            raise ValueError(f"peer {self.name}: hold_time {self.hold_time} s is not 0 or 3 to 65535")
        if self.restart_time is not None and not 1 <= self.restart_time <= 4095:
            raise ValueError(f"peer {self.name}: restart_time {self.restart_time} s is not 1 to 4095")
        if not self.families:
            raise ValueError(f"peer {self.name}: no address family")
        if self.peer_address is None and self.interface is None:
            raise ValueError(f"peer {self.name}: one of peer_address and interface is needed")
        if self.ttl_security and self.multihop:
            raise ValueError(f"peer {self.name}: ttl_security and multihop exclude each other")
        if self.password is not None and self.tcp_ao is not None:
            raise ValueError(f"peer {self.name}: password and tcp_ao exclude each other")
        if self.role is not None and self.internal:
            raise ValueError(f"peer {self.name}: role is for external peers (RFC 9234), and this one is of our own AS")
        if self.source_address is None or self.peer_address is None:
            return
        if self.source_address.version != self.peer_address.version:
            raise ValueError(
                f"peer {self.name}: source_address {self.source_address} and peer_address {self.peer_address} "
                "are of different IP families"
            )

    @property
    def endpoint(self) -> str:
        """`10.0.0.1:179`, `[2001:db8::1]:179`, or `eth0:179`, which stays when another neighbour is found there."""
        return f"{self.interface}:{self.peer_port}" if self.interface is not None else self.remote

    @property
    def remote(self) -> str:
        """Who is dialled: as `endpoint`, but `[fe80::1%eth0]:179` once somebody is found behind the interface."""
        if self.peer_address is None:
            return f"{self.interface}:{self.peer_port}"
        zone = f"%{self.interface}" if self.interface is not None else ""
        host = f"[{self.peer_address}{zone}]" if self.peer_address.version == 6 else str(self.peer_address)
        return f"{host}:{self.peer_port}"

    @property
    def internal(self) -> bool:
        """Whether the peer is (to be) of our own AS."""
        return self.dynamic_asn == "internal" or self.peer_asn == self.local_asn


class Change(Enum):
    """When a changed parameter takes effect."""

    AT_ONCE = auto()
    NEXT_SESSION = auto()
    RESET = auto()  # the session ends (Cease/Administrative Reset) and is set up anew at once


# MetalLB resets for every change. Herald resets where the peer would otherwise talk to somebody else than configured,
# and leaves times alone: losing every route in order to agree on a longer hold time is no good bargain. A snapshot
# names the fields that wait.
EFFECT_OF_CHANGE: dict[str, Change] = {
    "name": Change.AT_ONCE,
    "peer_address": Change.RESET,
    "local_asn": Change.RESET,
    "peer_asn": Change.RESET,
    "peer_port": Change.RESET,
    "dynamic_asn": Change.RESET,
    "hold_time": Change.NEXT_SESSION,
    "keepalive_time": Change.NEXT_SESSION,
    "connect_time": Change.AT_ONCE,
    "router_id": Change.RESET,
    "source_address": Change.RESET,
    "password": Change.RESET,
    "multihop": Change.RESET,
    "families": Change.RESET,
    "vrf": Change.RESET,
    "interface": Change.RESET,
    "ttl_security": Change.RESET,
    "bfd": Change.AT_ONCE,
    "restart_time": Change.NEXT_SESSION,
    "passive": Change.AT_ONCE,
    "bfd_strict": Change.AT_ONCE,
    "tcp_ao": Change.RESET,
    "role": Change.RESET,
    "role_strict": Change.RESET,
}


def changed_fields(before: PeerParameters, after: PeerParameters, effect: Change) -> tuple[str, ...]:
    """The names of the fields that differ and take effect that way."""
    return tuple(
        field.name
        for field in fields(PeerParameters)
        if EFFECT_OF_CHANGE[field.name] is effect and getattr(before, field.name) != getattr(after, field.name)
    )


def expected_peer(parameters: PeerParameters, asn: int) -> str | None:
    """None if a peer that says it is AS `asn` is the one configured; otherwise what was expected, in words."""
    match parameters.dynamic_asn:
        case None:
            return None if asn == parameters.peer_asn else f"AS {parameters.peer_asn}"
        case "internal":
            return None if asn == parameters.local_asn else f"our own AS {parameters.local_asn}"
        case "external":
            return None if asn != parameters.local_asn else f"any AS but our own {parameters.local_asn}"
        case _ as never:
            assert_never(never)
