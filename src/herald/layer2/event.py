"""What the machines of Layer 2 are told (events, past tense) and what they ask of the shell (effects, imperative)."""

from dataclasses import dataclass
from ipaddress import IPv6Address

from herald.layer2.conflict import Conflict
from herald.layer2.holding import Address, Holding
from herald.layer2.link import Link, NdpLink
from herald.net.interface import Mac


@dataclass(frozen=True, slots=True)
class HoldingsChanged:
    """The wish changed: `released` are no longer wanted, then `held` are, new or different.

    `handed_over` are no longer wanted either, but another node has them from now on: they are announced no more, and
    answered for until it is heard, see `herald.layer2.handover`. Repeating it changes nothing.

    With `until_taken` nobody knows whether another node takes what is handed over, and it is answered for until one is
    heard to, however long that takes.
    """

    held: tuple[Holding, ...] = ()
    released: tuple[Address, ...] = ()
    handed_over: tuple[Address, ...] = ()
    until_taken: bool = False


@dataclass(frozen=True, slots=True)
class Succeeded:
    """An address that is handed over is answered for on the links of `still` only, None: nowhere any more.

    `mac` is who was heard to speak for it; None: nobody, and it is time.
    """

    address: Address
    still: Holding | None
    mac: Mac | None


@dataclass(frozen=True, slots=True)
class LinksChanged:
    """These links, and no others, can be read and written now: `links` by ARP, `ndp_links` by NDP.

    `own_macs` are the hardware addresses of all interfaces of this machine, eligible or not: what comes from them is
    never a foreign claim (two cards of one machine on one segment hear each other).
    """

    links: tuple[Link, ...]
    own_macs: frozenset[Mac]
    ndp_links: tuple[NdpLink, ...] = ()


@dataclass(frozen=True, slots=True)
class FrameReceived:
    """`data` arrived on the link of that index; an Ethernet frame, possibly cut short, possibly malicious."""

    index: int
    data: bytes


@dataclass(frozen=True, slots=True)
class SendFailed:
    """The kernel did not take a frame that `SendFrame` asked for."""

    index: int
    data: bytes


@dataclass(frozen=True, slots=True)
class AnnounceAgain:
    """Others may believe somebody else: announce all that is held again, from `delay` s on.

    `is_urgent`: somebody may have answered for it, so that whoever believed that one is lost until then.
    """

    delay: float = 0.0
    is_urgent: bool = True


@dataclass(frozen=True, slots=True)
class Contested:
    """Somebody else spoke for an address that is held here, and it is time to speak for it once."""

    address: Address


@dataclass(frozen=True, slots=True)
class ProbeLeft:
    """The kernel was seen to hand a frame that `ProbeLink` asked for to the driver of the link."""

    index: int
    data: bytes


@dataclass(frozen=True, slots=True)
class ProbeNotWatched:
    """Nobody could watch for that frame, or the link has no carrier: it was not sent."""

    index: int
    data: bytes


Event = (
    HoldingsChanged
    | LinksChanged
    | FrameReceived
    | SendFailed
    | AnnounceAgain
    | Contested
    | ProbeLeft
    | ProbeNotWatched
    | Succeeded
)


@dataclass(frozen=True, slots=True)
class SendFrame:
    """Put these octets on the link of that index."""

    index: int
    data: bytes


@dataclass(frozen=True, slots=True)
class ReportConflict:
    """Tell people that a foreign station claims an address that is held here. Asked once until it is cleared."""

    conflict: Conflict


@dataclass(frozen=True, slots=True)
class ClearConflict:
    """The foreign claim is over: the address was released here, or the station was silent for long enough."""

    conflict: Conflict


@dataclass(frozen=True, slots=True)
class Defend:
    """Tell the announcer so: somebody else spoke for what is held here."""

    change: Contested


@dataclass(frozen=True, slots=True)
class JoinGroup:
    """Be a member of the solicited-node group on the link of that index."""

    index: int
    group: IPv6Address


@dataclass(frozen=True, slots=True)
class LeaveGroup:
    """Be no longer a member of it."""

    index: int
    group: IPv6Address


@dataclass(frozen=True, slots=True)
class ProbeLink:
    """Send this frame to the link itself, and watch whether it leaves: `ProbeLeft` if it does, see `EndProbe`."""

    index: int
    data: bytes


@dataclass(frozen=True, slots=True)
class EndProbe:
    """Watch for that frame no longer."""

    index: int
    data: bytes


@dataclass(frozen=True, slots=True)
class ReportMute:
    """What is sent on the link does not leave this node; `why` in words."""

    index: int
    interface: str
    why: str


@dataclass(frozen=True, slots=True)
class ClearMute:
    """What is sent on the link leaves again."""

    index: int
    interface: str


@dataclass(frozen=True, slots=True)
class Admit:
    """Tell the other machines so: what was looked at may be answered for."""

    change: HoldingsChanged


@dataclass(frozen=True, slots=True)
class LetGo:
    """Tell the other machines so: what was handed over is another node's."""

    change: Succeeded


@dataclass(frozen=True, slots=True)
class ReportInUse:
    """Somebody else uses an address that this node is to answer for; it is kept back."""

    conflict: Conflict


@dataclass(frozen=True, slots=True)
class ClearInUse:
    """It is kept back no longer: nobody uses it any more, or it is no longer wanted."""

    conflict: Conflict


Effect = (
    SendFrame
    | ReportConflict
    | ClearConflict
    | Defend
    | JoinGroup
    | LeaveGroup
    | ProbeLink
    | EndProbe
    | ReportMute
    | ClearMute
    | Admit
    | LetGo
    | ReportInUse
    | ClearInUse
)
