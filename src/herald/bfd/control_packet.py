"""The BFD control packet, RFC 5880 §4.1.

     0                   1                   2                   3
    +-----+---------+---+-+-+-+-+-+-+---------------+---------------+
    |Vers |  Diag   |Sta|P|F|C|A|D|M|  Detect Mult  |    Length     |
    +-----+---------+---+-+-+-+-+-+-+---------------+---------------+
    |                       My Discriminator                        |
    +---------------------------------------------------------------+
    |                      Your Discriminator                       |
    +---------------------------------------------------------------+
    |                    Desired Min TX Interval, µs                |
    +---------------------------------------------------------------+
    |                   Required Min RX Interval, µs                |
    +---------------------------------------------------------------+
    |                 Required Min Echo RX Interval, µs             |
    +---------------------------------------------------------------+
    |  with A: Auth Type | Auth Len | …        (§4.2, not spoken)   |
    +---------------------------------------------------------------+

What §6.8.6 says about a packet alone is checked here, in its order; what needs a session is for `reception` and
`session`. A packet with P and F both set breaks §6.5, yet says nothing doubtful about its sender: it is taken as both.
"""

import struct
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Final

VERSION: Final = 1
OCTETS: Final = 24
LARGEST_OCTETS: Final = 255
"""The length field can say no more."""

_PACKET: Final = struct.Struct("!BBBBIIIII")
_POLL, _FINAL, _CONTROL_PLANE_INDEPENDENT, _AUTHENTICATED, _DEMAND, _MULTIPOINT = 0x20, 0x10, 0x08, 0x04, 0x02, 0x01


class State(IntEnum):
    """The state of a session as its packets say it."""

    ADMIN_DOWN = 0
    DOWN = 1
    INIT = 2
    UP = 3

    @property
    def text(self) -> str:
        """As the RFC writes it: `AdminDown`, `Down`, `Init`, `Up`."""
        return _STATE_TEXTS[self]


_STATE_TEXTS: Final = {State.ADMIN_DOWN: "AdminDown", State.DOWN: "Down", State.INIT: "Init", State.UP: "Up"}


class Diagnostic(IntEnum):
    """Why a session changed its state last."""

    NONE = 0
    DETECTION_TIME_EXPIRED = 1
    ECHO_FAILED = 2
    NEIGHBOR_SIGNALED_DOWN = 3
    FORWARDING_PLANE_RESET = 4
    PATH_DOWN = 5
    CONCATENATED_PATH_DOWN = 6
    ADMINISTRATIVELY_DOWN = 7
    REVERSE_CONCATENATED_PATH_DOWN = 8


_DIAGNOSTIC_TEXTS: Final = {
    Diagnostic.NONE: "no diagnostic",
    Diagnostic.DETECTION_TIME_EXPIRED: "control detection time expired",
    Diagnostic.ECHO_FAILED: "echo function failed",
    Diagnostic.NEIGHBOR_SIGNALED_DOWN: "neighbor signaled session down",
    Diagnostic.FORWARDING_PLANE_RESET: "forwarding plane reset",
    Diagnostic.PATH_DOWN: "path down",
    Diagnostic.CONCATENATED_PATH_DOWN: "concatenated path down",
    Diagnostic.ADMINISTRATIVELY_DOWN: "administratively down",
    Diagnostic.REVERSE_CONCATENATED_PATH_DOWN: "reverse concatenated path down",
}


def diagnostic_text(diagnostic: int) -> str:
    """The words of RFC 5880 §4.1; a number that it does not know stays a number."""
    known = next((one for one in Diagnostic if one == diagnostic), None)
    return f"diagnostic {diagnostic}" if known is None else _DIAGNOSTIC_TEXTS[known]


class Refusal(Enum):
    """Why octets are no packet for us."""

    TOO_SHORT = "too short"
    VERSION = "unknown version"
    LENGTH = "wrong length"
    MULTIPLIER = "detect multiplier 0"
    MULTIPOINT = "multipoint"
    MY_DISCRIMINATOR = "my discriminator 0"
    YOUR_DISCRIMINATOR = "your discriminator 0"
    AUTHENTICATED = "authentication not configured"


class PacketError(ValueError):
    """Octets that must be discarded; `refusal` says why."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.value)
        self.refusal = refusal


@dataclass(frozen=True, slots=True)
class ControlPacket:
    """A packet without authentication. Intervals in microseconds, each 32 bits; 0 has a meaning of its own:
    `required_min_rx_us` "send me none", `required_min_echo_rx_us` "I loop no echoes".
    """

    state: State
    detect_multiplier: int
    my_discriminator: int
    your_discriminator: int
    desired_min_tx_us: int
    required_min_rx_us: int
    required_min_echo_rx_us: int = 0
    diagnostic: int = Diagnostic.NONE
    poll: bool = False
    final: bool = False
    control_plane_independent: bool = False
    demand: bool = False


def encode(packet: ControlPacket) -> bytes:
    """The 24 octets."""
    flags = (
        packet.state << 6
        | (_POLL if packet.poll else 0)
        | (_FINAL if packet.final else 0)
        | (_CONTROL_PLANE_INDEPENDENT if packet.control_plane_independent else 0)
        | (_DEMAND if packet.demand else 0)
    )
    return _PACKET.pack(
        VERSION << 5 | packet.diagnostic,
        flags,
        packet.detect_multiplier,
        OCTETS,
        packet.my_discriminator,
        packet.your_discriminator,
        packet.desired_min_tx_us,
        packet.required_min_rx_us,
        packet.required_min_echo_rx_us,
    )


def decode(data: bytes) -> ControlPacket:
    """The packet at the beginning of a datagram. Raises `PacketError`.

    Octets after the length that the packet states are allowed (Ethernet pads short frames) and ignored.
    """
    if len(data) < OCTETS:
        raise PacketError(Refusal.TOO_SHORT)
    first, flags, multiplier, length, mine, yours, desired_tx, required_rx, required_echo = _PACKET.unpack_from(data)
    state = State(flags >> 6)
    if first >> 5 != VERSION:
        raise PacketError(Refusal.VERSION)
    # With A set a packet has 26 octets at least; whatever its length, it is refused below.
    if length < OCTETS or length > len(data):
        raise PacketError(Refusal.LENGTH)
    if multiplier == 0:
        raise PacketError(Refusal.MULTIPLIER)
    if flags & _MULTIPOINT:
        raise PacketError(Refusal.MULTIPOINT)
    if mine == 0:
        raise PacketError(Refusal.MY_DISCRIMINATOR)
    if yours == 0 and state not in (State.DOWN, State.ADMIN_DOWN):
        raise PacketError(Refusal.YOUR_DISCRIMINATOR)
    if flags & _AUTHENTICATED:
        raise PacketError(Refusal.AUTHENTICATED)
    return ControlPacket(
        state,
        multiplier,
        mine,
        yours,
        desired_tx,
        required_rx,
        required_echo,
        first & 0x1F,
        bool(flags & _POLL),
        bool(flags & _FINAL),
        bool(flags & _CONTROL_PLANE_INDEPENDENT),
        bool(flags & _DEMAND),
    )
