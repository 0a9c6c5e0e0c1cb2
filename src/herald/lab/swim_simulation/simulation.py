"""A group of gossip machines on a virtual clock.

The machines are the ones that run in the engine; only the network is made up. A packet takes 0.1 to 1 ms and is lost
with the given chance; a stream takes three of these, and a lost segment costs what it costs a kernel (1 s for the
first, 0.2 s for others). A crashed node says nothing at all any more; a stopped one finds everything waiting when it
goes on. Every way can be closed, by protocol and direction. The same seed gives the same run.
"""

import heapq
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from itertools import count
from typing import TypeAlias

from herald.swim.event import (
    Answer,
    Answered,
    Ask,
    Changed,
    Departed,
    Effect,
    Event,
    JoinAt,
    Kind,
    Note,
    PacketReceived,
    SendPacket,
    SetWrapping,
    StreamAsked,
    StreamRefused,
    Unanswered,
)
from herald.swim.gossip import Gossip
from herald.swim.keyring import UnauthenticatedError
from herald.swim.local import Identity
from herald.swim.member import METALLB_VERSIONS, Endpoint, Member, State
from herald.swim.packet import Drop, Wrapping
from herald.swim.paths import Transport
from herald.swim.profile import Profile
from herald.swim.stream import Reading

FASTEST, SLOWEST = 0.0001, 0.001
SYN_AGAIN, SEGMENT_AGAIN = 1.0, 0.2
_PORT = 7946
_BASE = int(IPv4Address("10.0.0.1"))


@dataclass(frozen=True, slots=True)
class Verdict:
    """At `at`, `observer` took `member` for dead; `true` if it was."""

    at: float
    observer: int
    member: int
    true: bool


Way: TypeAlias = tuple[int, int, Transport]
"""From the first member to the second. By TCP: no connection of the first to the second comes about."""


@dataclass(slots=True)
class _Node:
    machine: Gossip
    endpoint: Endpoint
    wrapping: Wrapping = field(default_factory=Wrapping)
    crashed_at: float | None = None
    stopped_until: float = 0.0
    waiting: list[Callable[[], None]] = field(default_factory=list)
    wake_at: float | None = None
    seen: frozenset[str] = frozenset()


class Simulation:
    """A group of `size` members. Times in seconds; members are numbers from 0."""

    def __init__(
        self,
        size: int,
        profile: Profile,
        *,
        seed: int,
        loss: float = 0.0,
        joined: bool = True,
        profiles: Mapping[int, Profile] | None = None,
    ) -> None:
        """`joined`: everybody knows everybody from the start. `profiles`: those of members that have another."""
        self.now = 0.0
        self.verdicts: list[Verdict] = []
        self.notes: list[tuple[float, int, Note]] = []
        self.octets = 0
        self.packets = 0
        self.loss = loss
        self.present = [size if joined else 1] * size
        """How many each member takes for present, itself among them."""
        self._rng = random.Random(seed)  # noqa: S311  # a simulation
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._number = count()
        self._separated: frozenset[int] = frozenset()
        self._dropped: frozenset[Way] = frozenset()
        endpoints = [Endpoint(IPv4Address(_BASE + number), _PORT) for number in range(size)]
        names = [name(number) for number in range(size)]
        self._by_endpoint = {endpoint: number for number, endpoint in enumerate(endpoints)}
        self._streams: dict[tuple[int, int], Callable[[bytes | None], None]] = {}
        self._nodes = [
            _Node(
                Gossip(
                    Identity(names[number], endpoint),
                    (profiles or {}).get(number, profile),
                    Wrapping(compression=profile.compression),
                    random.Random(self._rng.random()),  # noqa: S311  # a simulation
                    self.now,
                    _others(names, endpoints, number) if joined else (),
                ),
                endpoint,
            )
            for number, endpoint in enumerate(endpoints)
        ]
        for number in range(size):
            self._arm(number)

    # What happens to the group.

    def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        """Let time pass; no longer than until that is true."""
        end = self.now + seconds
        while self._agenda and self._agenda[0][0] <= end:
            self.now, _, action = heapq.heappop(self._agenda)
            action()
            if until():
                return
        self.now = end

    def crash(self, member: int) -> None:
        """The member is gone without a word."""
        self._nodes[member].crashed_at = self.now

    def stop(self, member: int, seconds: float) -> None:
        """The member does not run for so long (SIGSTOP); what arrives waits."""
        node = self._nodes[member]
        node.stopped_until = self.now + seconds
        self._at(node.stopped_until, lambda: self._go_on(member))

    def separate(self, members: Iterable[int]) -> None:
        """Nothing passes between these and the others; nobody: the network is whole."""
        self._separated = frozenset(members)

    def drop(self, ways: Iterable[Way]) -> None:
        """Nothing passes on these ways, and on no others it is held up."""
        self._dropped = frozenset(ways)

    def join(self, member: int, at: int) -> None:
        """The member is told where another may be found."""
        self.tell(member, JoinAt((self._nodes[at].endpoint,)))

    def tell(self, member: int, event: Event) -> None:
        """Something happens to a member."""
        node = self._nodes[member]
        if isinstance(event, SetWrapping):
            node.wrapping = event.wrapping
        if node.crashed_at is not None:
            return
        if self.now < node.stopped_until:
            node.waiting.append(lambda: self.tell(member, event))
            return
        self._perform(member, node.machine.handle(event, self.now))

    # What is to be seen.

    def sees(self, member: int) -> frozenset[int]:
        """Those whom a member takes for present."""
        return frozenset(int(one[1:]) for one in self._nodes[member].machine.present())

    def machine(self, member: int) -> Gossip:
        """The machine of a member."""
        return self._nodes[member].machine

    def false_deaths(self) -> list[Verdict]:
        """Live members that somebody declared dead."""
        return [one for one in self.verdicts if not one.true]

    # How it works.

    def _at(self, when: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, (when, next(self._number), action))

    def _arm(self, member: int) -> None:
        node = self._nodes[member]
        deadline = node.machine.deadline()
        if deadline is not None and (node.wake_at is None or deadline < node.wake_at or node.wake_at <= self.now):
            node.wake_at = max(deadline, self.now)
            self._at(node.wake_at, lambda: self._wake(member))

    def _wake(self, member: int) -> None:
        node = self._nodes[member]
        if node.crashed_at is None and self.now >= node.stopped_until and node.wake_at == self.now:
            node.wake_at = None
            self._perform(member, node.machine.wake(self.now))

    def _go_on(self, member: int) -> None:
        node = self._nodes[member]
        waiting, node.waiting = node.waiting, []
        for action in waiting:
            action()
        if node.crashed_at is None:
            self._perform(member, node.machine.wake(self.now))

    def _perform(self, member: int, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case SendPacket(to, data):
                    self._send(member, to, data)
                case Ask():
                    self._converse(member, effect)
                case Answer(stream, data):
                    answered = self._streams.pop((member, stream), None)
                    if answered is not None:  # none where it was made to know everybody from the start
                        answered(data)
                case Note():
                    self._note(member, effect)
                case Changed() | Departed():
                    pass
        self._arm(member)

    def _note(self, member: int, note: Note) -> None:
        self.notes.append((self.now, member, note))
        if note.kind is Kind.JOINED:
            self.present[member] += 1
        elif note.kind in (Kind.DIED, Kind.LEFT):
            self.present[member] -= 1
        if note.kind is Kind.DIED:
            about = int(note.member[1:])
            self.verdicts.append(Verdict(self.now, member, about, self._nodes[about].crashed_at is not None))

    def _send(self, sender: int, to: Endpoint, data: bytes) -> None:
        self.octets += len(data) + 28
        self.packets += 1
        receiver = self._by_endpoint.get(to)
        if receiver is None or not self._passes(sender, receiver, Transport.UDP) or self._rng.random() < self.loss:
            return
        event = PacketReceived(self._nodes[sender].endpoint, data)
        self._at(self.now + self._delay(), lambda: self.tell(receiver, event))

    def _converse(self, asker: int, ask: Ask) -> None:
        answerer = self._by_endpoint.get(ask.to)
        took = self._delay() + self._segment(SYN_AGAIN) + self._segment(SEGMENT_AGAIN) + self._segment(SEGMENT_AGAIN)
        reachable = answerer is not None and self._passes(asker, answerer, Transport.TCP)
        if answerer is None or not reachable or self._nodes[answerer].crashed_at is not None or took > ask.timeout:
            self._at(self.now + ask.timeout, lambda: self.tell(asker, Unanswered(ask.ask, "no answer in time")))
            return
        self.octets += len(ask.data) + 200
        number = next(self._number)

        def answered(data: bytes | None) -> None:
            answer = Reading(self._nodes[asker].wrapping)
            message = None if data is None else answer.feed(data)
            self.octets += len(data or b"")
            event = Unanswered(ask.ask, "closed") if message is None else Answered(ask.ask, message, answer.key)
            self._at(self.now + took / 2, lambda: self.tell(asker, event))

        question, source = Reading(self._nodes[answerer].wrapping), self._nodes[asker].endpoint.address
        try:
            said = question.feed(ask.data)
        except UnauthenticatedError:
            self._at(self.now + took / 2, lambda: self.tell(answerer, StreamRefused(Drop.UNAUTHENTICATED)))
            self._at(self.now + took, lambda: self.tell(asker, Unanswered(ask.ask, "closed")))
            return
        assert said is not None
        self._streams[answerer, number] = answered
        self._at(self.now + took / 2, lambda: self.tell(answerer, StreamAsked(number, said, question.key, source)))

    def _delay(self) -> float:
        return self._rng.uniform(FASTEST, SLOWEST)

    def _segment(self, again: float) -> float:
        took = self._delay()
        while self._rng.random() < self.loss:
            took, again = took + again, again * 2
        return took

    def _passes(self, a: int, b: int, transport: Transport) -> bool:
        return (a in self._separated) == (b in self._separated) and (a, b, transport) not in self._dropped


def _others(names: list[str], endpoints: list[Endpoint], own: int) -> Iterator[Member]:
    """Everybody else, as they are known after a while."""
    for number, one in enumerate(names):
        if number != own:
            yield Member(one, endpoints[number], METALLB_VERSIONS, b"", 1, State.ALIVE, 0.0)


def name(member: int) -> str:
    """The name of a member."""
    return f"n{member}"
