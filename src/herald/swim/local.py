"""What the parts of the machine share: who this node is, whom it knows, what it is about to do.

Each call into the machine sets `now`, collects `effects`, and hands them out at its end.
"""

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from herald.swim import packet, stream
from herald.swim.broadcast import BroadcastQueue
from herald.swim.event import Ask, Effect, Kind, Note, SendPacket, ThoughtDead
from herald.swim.keys_heard import KeysHeard
from herald.swim.member import METALLB_VERSIONS, Endpoint, Member, State, Versions
from herald.swim.message import Alive, Message, encode
from herald.swim.packet import MOST_IN_COMPOUND, Drop
from herald.swim.profile import Profile
from herald.swim.roster import Roster
from herald.swim.timers import Timers

CRC_FROM: Final = 5
"""The protocol version from which on a member understands packets with a CRC."""
_SEQUENCES: Final = 1 << 32


@dataclass(frozen=True, slots=True)
class Identity:
    """Who this node is to the others."""

    name: str
    endpoint: Endpoint
    versions: Versions = METALLB_VERSIONS


@dataclass(frozen=True, slots=True)
class ProbeDue:
    """The next member is to be probed."""


@dataclass(frozen=True, slots=True)
class GossipDue:
    """News is to be passed on."""


@dataclass(frozen=True, slots=True)
class SyncDue:
    """The whole state is to be exchanged with somebody."""


@dataclass(frozen=True, slots=True)
class JoinDue:
    """Who is missing where members may be found is to be joined."""


@dataclass(frozen=True, slots=True)
class ReconnectDue:
    """Somebody who was lost is to be looked for."""


@dataclass(frozen=True, slots=True)
class FarewellDue:
    """The others are to be told that we leave, once more; `left` times after this."""

    left: int


@dataclass(frozen=True, slots=True)
class PathsDue:
    """The ways to the others are to be looked at."""


@dataclass(frozen=True, slots=True)
class NewcomersDue:
    """Who was heard of and has not answered yet is to be asked again."""


@dataclass(frozen=True, slots=True)
class DirectOver:
    """No direct answer to this probe in time."""

    sequence: int


@dataclass(frozen=True, slots=True)
class ProbeOver:
    """No answer at all."""

    sequence: int


@dataclass(frozen=True, slots=True)
class RelayLate:
    """Whom we asked for another has not answered."""

    sequence: int


@dataclass(frozen=True, slots=True)
class RelayOver:
    """And will not be waited for any more."""

    sequence: int


@dataclass(frozen=True, slots=True)
class SecondLook:
    """A suspect is to be asked directly."""

    name: str


@dataclass(frozen=True, slots=True)
class SuspicionOver:
    """The time of a suspect is up."""

    name: str


Due: TypeAlias = (
    ProbeDue
    | GossipDue
    | SyncDue
    | JoinDue
    | ReconnectDue
    | FarewellDue
    | PathsDue
    | NewcomersDue
    | DirectOver
    | ProbeOver
    | RelayLate
    | RelayOver
    | SecondLook
    | SuspicionOver
)


@dataclass(frozen=True, slots=True)
class ForJoin:
    """An `Ask` that joins at that place."""

    at: Endpoint


@dataclass(frozen=True, slots=True)
class ForSync:
    """An `Ask` that exchanges states."""


@dataclass(frozen=True, slots=True)
class ForProbe:
    """An `Ask` that pings by TCP for that probe."""

    sequence: int


@dataclass(frozen=True, slots=True)
class ForCheck:
    """An `Ask` that pings by TCP to see whether the way is open."""


Purpose: TypeAlias = ForJoin | ForSync | ForProbe | ForCheck


@dataclass(frozen=True, slots=True)
class Asked:
    """An `Ask` under way: what for, and whom."""

    purpose: Purpose
    to: Endpoint


@dataclass(slots=True)
class Local:
    """See the head of the module. `health` is Lifeguard's: 0 is well, more makes this node slower to accuse."""

    me: Identity
    profile: Profile
    rng: random.Random
    keys: KeysHeard
    roster: Roster
    now: float
    meta: bytes = b""
    incarnation: int = 1
    health: int = 0
    leaving: bool = False
    timers: Timers[Due] = field(default_factory=Timers)
    queue: BroadcastQueue = field(default_factory=BroadcastQueue)
    effects: list[Effect] = field(default_factory=list)
    dropped: Counter[Drop] = field(default_factory=Counter)
    asked: dict[int, Asked] = field(default_factory=dict)
    is_changed: bool = False
    sequence: int = 0
    _ask: int = 0

    @property
    def name(self) -> str:
        """The name of this node."""
        return self.me.name

    def alive(self) -> Alive:
        """What this node says of itself."""
        return Alive(self.incarnation, self.name, self.me.endpoint, self.meta, self.me.versions)

    def next_sequence(self) -> int:
        """A number for a ping."""
        self.sequence = (self.sequence + 1) % _SEQUENCES
        return self.sequence

    def send(self, to: Endpoint, *messages: Message, member: Member | None = None, is_heard: bool = True) -> None:
        """A packet with these messages, and news as far as there is room. `member`: it is known who reads it.

        Not `is_heard`: perhaps nobody reads it, so that the news in it does not count as passed on.
        """
        octets = [encode(one) for one in messages]
        room = self.profile.packet_octets - self.keys.wrapping.overhead - sum(len(one) + 2 for one in octets)
        octets += self.queue.take(room, MOST_IN_COMPOUND - len(octets), self._limit(), counts=is_heard)
        if octets:
            checksum = member is not None and member.versions.pmax >= CRC_FROM
            for wrapping in self.keys.for_packet(to):
                self.effects.append(SendPacket(to, packet.seal(octets, wrapping, self.rng, checksum=checksum)))

    def broadcast(self, name: str, message: Message) -> None:
        """News about the member of that name, to be passed on."""
        self.queue.put(name, encode(message))
        if not self.timers.is_set(GossipDue()):
            self.timers.set(GossipDue(), self.now + self.rng.random() * self.profile.gossip_interval)

    def ask(self, purpose: Purpose, to: Endpoint, message: Message, timeout: float) -> None:
        """Say this over a stream, and get one message back."""
        self._ask += 1
        self.asked[self._ask] = Asked(purpose, to)
        data = stream.seal(encode(message), self.keys.for_stream(to), self.rng)
        self.effects.append(Ask(self._ask, to, data, timeout))

    def note(self, kind: Kind, member: str, text: str) -> None:
        """For the log."""
        self.effects.append(Note(kind, member, text))

    def answered(self, member: Member) -> None:
        """That member has answered us."""
        member.heard = self.now
        self.prove(member)

    def prove(self, member: Member) -> None:
        """It is more than something that was recorded."""
        if not member.is_proven:
            member.is_proven = True
            self.changed()

    def changed(self) -> None:
        """Who is present, or what they say of themselves, is different."""
        self.is_changed = True

    def thought_dead(self) -> None:
        """Others have declared this node dead."""
        if not self.leaving:
            self.effects.append(ThoughtDead())

    def worse(self, by: int) -> None:
        """A sign that this node itself is not well; negative: that it is."""
        self.health = min(max(self.health + by, 0), self.profile.awareness_max_multiplier - 1)

    def set_state(self, member: Member, state: State) -> None:
        """The member is in this state from now on."""
        if member.state is not state:
            member.state, member.since = state, self.now

    def _limit(self) -> int:
        return self.profile.retransmissions(len(self.roster))
