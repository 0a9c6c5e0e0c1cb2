"""What the shell tells a session, and what a session asks of its shell."""

from dataclasses import dataclass
from enum import Enum, auto
from ipaddress import IPv4Address, IPv6Address
from typing import TypeAlias

from herald.bgp.diagnosis import Finding
from herald.bgp.family import Address, Prefix
from herald.bgp.graceful_restart import Past
from herald.bgp.parameters import PeerParameters
from herald.bgp.route import Route


class Initiator(Enum):
    """Who has dialled a connection (RFC 4271 §6.8). There is one of each at most, which is also its name."""

    US = auto()
    PEER = auto()


@dataclass(frozen=True, slots=True)
class Start:
    """Connect, and connect again for ever. The first attempt is made at once.

    `past` is what the peer may still have of us. Unless `complete`, more routes are going to be wished for, which the
    peer may have from before, and no End-of-RIB must tell it that they are gone; `RoutesComplete` ends that.
    """

    past: Past = Past.NOTHING
    complete: bool = True


class Leaving(Enum):
    """What we know of the time after `Stop`."""

    FOR_GOOD = auto()  # the peer is to forget our routes now
    TO_RETURN = auto()  # it may keep them, if that was agreed


@dataclass(frozen=True, slots=True)
class Stop:
    """End by our own will; a peer that is to forget our routes is told `reason` (RFC 9003)."""

    reason: str
    leaving: Leaving = Leaving.FOR_GOOD


@dataclass(frozen=True, slots=True)
class RoutesComplete:
    """All that is wished for at present has been told."""


@dataclass(frozen=True, slots=True)
class Connected:
    """TCP is up, as `Connect` has asked. `local_address` is our end; `local_ipv6` and `local_ipv4` are that, or of
    the other family the best address of the same interface.

    `link_local` is an address of that interface too, and `on_link` says whether the peer is in one of its subnets.
    """

    local_address: Address
    local_ipv6: IPv6Address | None
    local_ipv4: IPv4Address | None
    router_id: IPv4Address
    link_local: IPv6Address | None = None
    on_link: bool = False


@dataclass(frozen=True, slots=True)
class Incoming:
    """The peer has dialled us, and TCP is up. The first effect is `Take` or `TurnAway`, or closes one that is there."""

    local: Connected


@dataclass(frozen=True, slots=True)
class ConnectFailed:
    """The attempt that `Connect` asked for came to nothing; `reason` in words, `finding` is what is behind it."""

    reason: str
    finding: Finding | None = None


@dataclass(frozen=True, slots=True)
class Received:
    """Bytes came. A piece may hold a part of a message or many of them; the machine works through it in one go."""

    data: bytes
    on: Initiator = Initiator.US


@dataclass(frozen=True, slots=True)
class Closed:
    """The connection is gone without our doing; `unacknowledged`: the peer takes in nothing that we send."""

    reason: str
    on: Initiator = Initiator.US
    unacknowledged: bool = False


@dataclass(frozen=True, slots=True)
class WritingPaused:
    """The peer takes the bytes slower than they come; only what cannot wait should be sent until `WritingResumed`."""

    on: Initiator = Initiator.US


@dataclass(frozen=True, slots=True)
class WritingResumed:
    """The bytes flow again."""

    on: Initiator = Initiator.US


@dataclass(frozen=True, slots=True)
class RoutesChanged:
    """Some routes of the wish are new or different, some are gone."""

    upserts: tuple[Route, ...] = ()
    withdrawn: tuple[Prefix, ...] = ()


@dataclass(frozen=True, slots=True)
class ParametersChanged:
    """The peer is configured differently now."""

    parameters: PeerParameters


@dataclass(frozen=True, slots=True)
class WayLost:
    """The peer can certainly not be reached any more: a device or a neighbour is gone; `reason` in words."""

    reason: str


@dataclass(frozen=True, slots=True)
class WayBack:
    """What kept attempts from succeeding is over, or is another thing now: the next one need not wait."""


@dataclass(frozen=True, slots=True)
class BfdDown:
    """BFD, which watches over the session, has lost the peer (RFC 5882 §4.2); `reason` in words."""

    reason: str


@dataclass(frozen=True, slots=True)
class BfdUp:
    """BFD sees the peer, now or again."""


@dataclass(frozen=True, slots=True)
class BfdPaused:
    """BFD sees the peer no longer, and nothing has failed: its operator has shut BFD down, or it begins anew."""


Event: TypeAlias = (
    Start
    | Stop
    | Connected
    | Incoming
    | ConnectFailed
    | Received
    | Closed
    | WritingPaused
    | WritingResumed
    | RoutesChanged
    | RoutesComplete
    | ParametersChanged
    | WayLost
    | WayBack
    | BfdDown
    | BfdUp
    | BfdPaused
)


@dataclass(frozen=True, slots=True)
class Connect:
    """Dial the peer; answer with `Connected` or `ConnectFailed`."""

    parameters: PeerParameters


@dataclass(frozen=True, slots=True)
class Send:
    """Write these bytes."""

    data: bytes
    on: Initiator = Initiator.US


@dataclass(frozen=True, slots=True)
class Take:
    """Keep the connection of `Incoming`: from now on it is the one that the peer has initiated."""


@dataclass(frozen=True, slots=True)
class TurnAway:
    """Close the connection of `Incoming`, once these bytes have left."""

    data: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class Close:
    """Give up the connection, or the attempt at one, once everything sent before has left. No `Closed` must follow."""

    reason: str
    on: Initiator = Initiator.US


@dataclass(frozen=True, slots=True)
class Up:
    """The session is Established, over this connection."""

    on: Initiator = Initiator.US


@dataclass(frozen=True, slots=True)
class Down:
    """The session was Established and is no more."""

    reason: str


Effect: TypeAlias = Connect | Take | TurnAway | Send | Close | Up | Down
