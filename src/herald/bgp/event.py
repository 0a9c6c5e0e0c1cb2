"""What the shell tells a session, and what a session asks of its shell."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import TypeAlias

from herald.bgp.family import Address, Prefix
from herald.bgp.parameters import PeerParameters
from herald.bgp.route import Route


@dataclass(frozen=True, slots=True)
class Start:
    """Connect, and connect again for ever. The first attempt is made at once."""


@dataclass(frozen=True, slots=True)
class Stop:
    """End for good; the peer is told `reason` (RFC 9003)."""

    reason: str


@dataclass(frozen=True, slots=True)
class Connected:
    """TCP is up. `local_address` is our end of it; the others are what routes of each family can have as next hop."""

    local_address: Address
    local_ipv6: IPv6Address | None
    local_ipv4: IPv4Address | None
    router_id: IPv4Address


@dataclass(frozen=True, slots=True)
class ConnectFailed:
    """The attempt that `Connect` asked for came to nothing; `reason` in words."""

    reason: str


@dataclass(frozen=True, slots=True)
class Received:
    """Bytes came. A piece may hold a part of a message or many of them; the machine works through it in one go."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Closed:
    """The connection is gone without our doing."""

    reason: str


@dataclass(frozen=True, slots=True)
class WritingPaused:
    """The peer takes the bytes slower than they come; only what cannot wait should be sent until `WritingResumed`."""


@dataclass(frozen=True, slots=True)
class WritingResumed:
    """The bytes flow again."""


@dataclass(frozen=True, slots=True)
class RoutesChanged:
    """Some routes of the wish are new or different, some are gone."""

    upserts: tuple[Route, ...] = ()
    withdrawn: tuple[Prefix, ...] = ()


@dataclass(frozen=True, slots=True)
class ParametersChanged:
    """The peer is configured differently now."""

    parameters: PeerParameters


Event: TypeAlias = (
    Start
    | Stop
    | Connected
    | ConnectFailed
    | Received
    | Closed
    | WritingPaused
    | WritingResumed
    | RoutesChanged
    | ParametersChanged
)


@dataclass(frozen=True, slots=True)
class Connect:
    """Dial the peer; answer with `Connected` or `ConnectFailed`."""

    parameters: PeerParameters


@dataclass(frozen=True, slots=True)
class Send:
    """Write these bytes."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Close:
    """Give up the connection, or the attempt at one, once everything sent before has left. No `Closed` must follow."""

    reason: str


@dataclass(frozen=True, slots=True)
class Up:
    """The session is Established."""


@dataclass(frozen=True, slots=True)
class Down:
    """The session was Established and is no more."""

    reason: str


Effect: TypeAlias = Connect | Send | Close | Up | Down
