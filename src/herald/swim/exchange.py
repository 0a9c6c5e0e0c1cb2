"""Whole states over TCP: joining, exchanging now and then, and finding those again that were lost.

Push/pull: both ends tell everything they know and merge it, but not of whom they have only heard. What the other says
of a member is taken as if it were news, with one exception: whom it holds for dead is only suspected here, and may
contradict.

Joining: the places where members may be found are tried where nobody is who counts; at once those that are new, then
all again after 1 s, 2 s, 4 s, … and once a minute in the end, a few at a time.

Coming back is Herald's own, since memberlist leaves it to others. Members that died are pinged now and then, and told
in the same packet that they count as dead, so that they contradict. It goes on for `LOST_FOR` after they would have
been forgotten. Who answers is joined. Likewise is joined who pings us and is not known: an engine that was started
again is found that way before anybody tells it where to look.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from herald.swim import stream
from herald.swim.event import Answer, Kind
from herald.swim.keyring import Key
from herald.swim.local import ForJoin, ForSync, JoinDue, Local, ReconnectDue, SyncDue
from herald.swim.member import Address, Endpoint, Member, State, Versions
from herald.swim.message import Ack, Alive, Dead, Entry, ErrorReply, Message, Ping, PushPull, Suspect, encode
from herald.swim.packet import Drop
from herald.swim.paths import Paths
from herald.swim.standing import Standing

JOIN_FIRST: Final = 1.0
JOIN_EVERY: Final = 60.0
JOINS_AT_A_TIME: Final = 8
LOST_FOR: Final = 3600.0
MOST_LOST: Final = 1024
CALLS_AT_A_TIME: Final = 4
GREET_EVERY: Final = 1.0
_NOT_JOINED: Final = "gossip cannot join there"
_TRIED_AGAIN: Final = "it is tried again. Does a speaker gossip at that address and port, with the same secret?"
"""Seconds between two joins of somebody who pinged us."""


@dataclass(frozen=True, slots=True)
class _Lost:
    endpoint: Endpoint
    until: float


class Exchange:
    """Everything that goes over streams, and the search for those that are missing."""

    def __init__(self, local: Local, standing: Standing, paths: Paths) -> None:
        self._local = local
        self._standing = standing
        self._paths = paths
        self._places: tuple[Endpoint, ...] = ()
        self._waiting: deque[Endpoint] = deque()
        self._joining: set[Endpoint] = set()
        self._silent: set[Endpoint] = set()
        self._join_wait = JOIN_FIRST
        self._lost: dict[str, _Lost] = {}
        self._calls: dict[int, Endpoint] = {}
        self._greet_at = local.now

    # What the others hear of us.

    def state(self, *, join: bool) -> PushPull:
        """Everything we know. Not who was only heard of: whoever asks us takes everybody in the answer for proven."""
        entries = [
            Entry(one.name, one.endpoint, one.meta, one.incarnation, one.state, one.versions)
            for one in self._local.roster
            if one.is_proven or not one.state.present
        ]
        return PushPull(join, tuple(entries))

    def asked(self, number: int, message: Message, key: Key | None, caller: Address | None) -> None:
        """Somebody connected from there and said this, sealed with that key."""
        match message:
            case Ping(sequence, node, source) if node in ("", self._local.name):
                self._answer(number, Ack(sequence, self._paths.word_for(source)), key)
            case PushPull(join):
                self._answer(number, self.state(join=join), key)
                self._merge_all(message, lambda entry: entry.endpoint.address == caller)
            case _:
                self._local.dropped[Drop.UNEXPECTED] += 1
                self._local.effects.append(Answer(number, None))

    def _answer(self, number: int, message: Message, key: Key | None) -> None:
        local = self._local
        local.effects.append(Answer(number, stream.seal(encode(message), local.keys.sealed_with(key), local.rng)))

    # Exchanging.

    def sync(self) -> None:
        """Exchange states with one member at random."""
        local = self._local
        local.timers.set(SyncDue(), local.now + local.profile.push_pull_every(len(local.roster)))
        for member in local.roster.pick(1, lambda one: one.state is State.ALIVE):
            local.ask(ForSync(), member.endpoint, self.state(join=False), local.profile.tcp_timeout)

    def merge(self, theirs: PushPull, place: Endpoint) -> None:
        """Take what was answered there. Where a member is or should be, that proves everybody; elsewhere itself."""
        asked = self._local.roster.at(place)
        is_trusted = place in self._places or (asked is not None and asked.is_proven)
        self._merge_all(theirs, lambda entry: is_trusted or entry.endpoint == place)

    def _merge_all(self, theirs: PushPull, is_proof: Callable[[Entry], bool]) -> None:
        """Take what another one knows. Nothing of it, if one that is alive speaks no version in common with all."""
        local = self._local
        alive = [one.versions for one in theirs.entries if one.state is State.ALIVE]
        if not _compatible([*alive, *[one.versions for one in local.roster.alive()]]):
            local.dropped[Drop.VERSIONS] += 1
            return
        if theirs.unreadable:
            local.dropped[Drop.MALFORMED] += theirs.unreadable
        for entry in theirs.entries:
            self._merge(entry, is_proof=is_proof(entry))

    def _merge(self, entry: Entry, *, is_proof: bool) -> None:
        match entry.state:
            case State.ALIVE:
                assert entry.versions is not None  # else it would not be compatible
                said = Alive(entry.incarnation, entry.node, entry.endpoint, entry.meta, entry.versions)
                self._standing.alive(said, is_proof=is_proof)
            case State.LEFT:
                self._standing.dead(Dead(entry.incarnation, entry.node, entry.node))
            case State.SUSPECT | State.DEAD:
                self._standing.suspect(Suspect(entry.incarnation, entry.node, self._local.name))
                if entry.state is State.DEAD and entry.node == self._local.name:
                    self._local.thought_dead()

    # Joining.

    @property
    def places(self) -> tuple[Endpoint, ...]:
        """Where members may be found."""
        return self._places

    def set_places(self, endpoints: tuple[Endpoint, ...]) -> None:
        """Members may be found there."""
        self._paths.set_places(endpoints)
        new = [one for one in dict.fromkeys(endpoints) if one not in self._places]
        self._places = tuple(dict.fromkeys(endpoints))
        self._silent &= set(self._places)
        self._waiting = deque(one for one in self._waiting if one in self._places)
        if new:
            self._join_wait = JOIN_FIRST
            self._waiting += new
            self._join_waiting()
            self._local.timers.set(JoinDue(), self._local.now + self._join_wait)

    def join_missing(self) -> None:
        """Try all places again where nobody is."""
        self._join_wait = min(2 * self._join_wait, JOIN_EVERY)
        self._local.timers.set(JoinDue(), self._local.now + self._join_wait)
        self._waiting = deque(self._places)
        self._join_waiting()

    def _join_waiting(self) -> None:
        present = {one.endpoint for one in self._local.roster if one.counts}
        while self._waiting and len(self._joining) < JOINS_AT_A_TIME:
            place = self._waiting.popleft()
            if place not in present and place not in self._joining:
                self._join(place)

    def _join(self, place: Endpoint) -> None:
        local = self._local
        self._joining.add(place)
        local.ask(ForJoin(place), place, self.state(join=True), local.profile.tcp_timeout)

    def joined(self, place: Endpoint, answer: Message) -> None:
        """What was heard there."""
        self._joining.discard(place)
        self._silent.discard(place)
        match answer:
            case PushPull():
                self.merge(answer, place)
            case ErrorReply(text):
                self._local.note(Kind.JOIN_FAILED, str(place), f"it answers: {text}")
            case _:
                self._local.dropped[Drop.UNEXPECTED] += 1
        self._join_waiting()

    def not_joined(self, place: Endpoint, reason: str) -> None:
        """Nobody answered there. It is said once, until somebody does."""
        self._joining.discard(place)
        if place in self._places and place not in self._silent:
            self._silent.add(place)
            self._local.note(Kind.JOIN_FAILED, str(place), f"{_NOT_JOINED}: {reason}; {_TRIED_AGAIN}")
        self._join_waiting()

    def greet(self, place: Endpoint) -> None:
        """Somebody who is not known pinged us from there."""
        if self._local.now >= self._greet_at and len(self._joining) < JOINS_AT_A_TIME and place not in self._joining:
            self._greet_at = self._local.now + GREET_EVERY
            self._join(place)

    # Coming back.

    def remember(self, forgotten: list[Member]) -> None:
        """These are no longer on the roster. Who left is gone; who died may come back."""
        for one in forgotten:
            if one.state is State.DEAD and len(self._lost) < MOST_LOST:
                self._lost[one.name] = _Lost(one.endpoint, self._local.now + LOST_FOR)

    def look_for_lost(self) -> None:
        """Ping a few of those that died."""
        local = self._local
        interval = local.profile.reconnect_interval
        self._lost = {
            name: one for name, one in self._lost.items() if one.until > local.now and local.roster.get(name) is None
        }
        dead = [one for one in local.roster if one.state is State.DEAD]
        if interval is None or not (dead or self._lost):
            return
        local.timers.set(ReconnectDue(), local.now + interval)
        self._calls.clear()
        for member in local.rng.sample(dead, min(CALLS_AT_A_TIME, len(dead))):
            self._call(member.name, member.endpoint, Dead(member.incarnation, member.name, local.name))
        names = sorted(self._lost)
        for name in local.rng.sample(names, min(CALLS_AT_A_TIME, len(names))):
            self._call(name, self._lost[name].endpoint)

    def _call(self, name: str, endpoint: Endpoint, *news: Message) -> None:
        local, sequence = self._local, self._local.next_sequence()
        self._calls[sequence] = endpoint
        local.send(endpoint, Ping(sequence, name, local.me.endpoint, local.name), *news, is_heard=False)

    def acked(self, sequence: int) -> None:
        """Perhaps one that was lost has answered."""
        place = self._calls.pop(sequence, None)
        if place is not None and place not in self._joining and len(self._joining) < JOINS_AT_A_TIME:
            self._join(place)


def _compatible(alive: list[Versions | None]) -> bool:
    """Whether everybody speaks what everybody understands. Who says nothing speaks nothing."""
    known = [one for one in alive if one is not None]
    if len(known) < len(alive):
        return False
    if not known:  # this node has left, and the other tells of the dead only
        return True
    low, high = max(one.pmin for one in known), min(one.pmax for one in known)
    dlow, dhigh = max(one.dmin for one in known), min(one.dmax for one in known)
    return all(low <= one.pcur <= high and dlow <= one.dcur <= dhigh for one in known)
