"""What happens to the gossip machine, and what it wants done.

the shell tells     PacketReceived, StreamAsked (somebody connected and said this), Answered, Unanswered (what
                    became of our own `Ask`), SetMeta, JoinAt, SetWrapping, Leave; of a member that was found silent
                    by other means: AskNow, Accuse
the machine wants   SendPacket, Ask (connect, say this, wait for one message), Answer (on that stream, then close),
                    Changed (look at the members again), Departed (the others know that we left), Note (for the log),
                    Reached (who was asked by AskNow has answered)
"""

import enum
from dataclasses import dataclass
from typing import TypeAlias

from herald.swim.keyring import Key
from herald.swim.member import Address, Endpoint
from herald.swim.message import Message
from herald.swim.packet import Drop, Wrapping


@dataclass(frozen=True, slots=True)
class PacketReceived:
    """A UDP packet came from there."""

    source: Endpoint
    data: bytes


@dataclass(frozen=True, slots=True)
class StreamAsked:
    """A stream that somebody opened has brought this message; `stream` names it in `Answer`.

    `key`: with which it was sealed. `source`: the address of who opened it.
    """

    stream: int
    message: Message
    key: Key | None = None
    source: Address | None = None


@dataclass(frozen=True, slots=True)
class StreamRefused:
    """A stream has brought what could not be read."""

    why: Drop


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer to an `Ask`, and with which key it was sealed."""

    ask: int
    message: Message
    key: Key | None = None


@dataclass(frozen=True, slots=True)
class Unanswered:
    """An `Ask` came to nothing, with the reason in words."""

    ask: int
    reason: str


@dataclass(frozen=True, slots=True)
class SetMeta:
    """This node's metadata from now on, up to 512 octets."""

    meta: bytes


@dataclass(frozen=True, slots=True)
class JoinAt:
    """Where members may be found: all that is known of it."""

    endpoints: tuple[Endpoint, ...]


@dataclass(frozen=True, slots=True)
class SetWrapping:
    """Packets and streams are wrapped like this from now on."""

    wrapping: Wrapping


@dataclass(frozen=True, slots=True)
class Leave:
    """This node leaves the group."""


@dataclass(frozen=True, slots=True)
class AskNow:
    """Ask this member at once, directly and through others: `Reached` if it answers."""

    member: str


@dataclass(frozen=True, slots=True)
class Accuse:
    """This member does not answer: accuse it before the group."""

    member: str


Event: TypeAlias = (
    PacketReceived
    | StreamAsked
    | StreamRefused
    | Answered
    | Unanswered
    | SetMeta
    | JoinAt
    | SetWrapping
    | Leave
    | AskNow
    | Accuse
)


@dataclass(frozen=True, slots=True)
class SendPacket:
    """A packet to send."""

    to: Endpoint
    data: bytes


@dataclass(frozen=True, slots=True)
class Ask:
    """Connect to `to`, send `data`, wait for one message; all within `timeout` seconds."""

    ask: int
    to: Endpoint
    data: bytes
    timeout: float


@dataclass(frozen=True, slots=True)
class Answer:
    """Send `data` on the stream, then close it; None: only close it."""

    stream: int
    data: bytes | None


@dataclass(frozen=True, slots=True)
class Changed:
    """Who is present, or the metadata of one of them, is not what it was."""


@dataclass(frozen=True, slots=True)
class Departed:
    """The others have been told that this node left."""


class Kind(enum.Enum):
    """What a `Note` is about; the value is its name in the log."""

    JOINED = "memberJoined"
    SUSPECTED = "memberSuspected"
    DIED = "memberDied"
    LEFT = "memberLeft"
    REFUTED = "memberRefuted"
    ACCUSED = "accusedFalsely"
    CONFLICT = "memberConflict"
    ONLY_BY_TCP = "memberAnsweredByTcp"
    CLOSED = "memberUnreachable"
    OPENED = "memberReachable"
    JOIN_FAILED = "memberJoinFailed"
    OTHER_KEY = "memberKeyDiffers"
    HELD_UP = "gossipHeldUp"


@dataclass(frozen=True, slots=True)
class Note:
    """Something for the log: of whom, and in words what."""

    kind: Kind
    member: str
    text: str


@dataclass(frozen=True, slots=True)
class Reached:
    """A member that `AskNow` was about has answered a question asked since."""

    member: str


@dataclass(frozen=True, slots=True)
class ThoughtDead:
    """Others had declared this node dead and may have stood in for it meanwhile; they are being told that it lives."""


Effect: TypeAlias = SendPacket | Ask | Answer | Changed | Departed | Note | Reached | ThoughtDead
