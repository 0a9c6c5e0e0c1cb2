"""A group of gossip machines on a virtual clock: how fast it is, and whom it wrongly declares dead.

    python -m herald.lab.swim_simulation --members 3 10 100 --loss 0 0.05 --profile herald

The machines are the ones that run in the engine; only the network is made up. A packet takes 0.1 to 1 ms and is lost
with the given chance; a stream takes three of these, and a lost segment costs what it costs a kernel (1 s for the
first, 0.2 s for others). A crashed node says nothing at all any more; a stopped one finds everything waiting when it
goes on. The same seed gives the same run.
"""

import argparse
import heapq
import random
import statistics
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from itertools import count

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
    StreamAsked,
    Unanswered,
)
from herald.swim.gossip import Gossip
from herald.swim.local import Identity
from herald.swim.member import METALLB_VERSIONS, Endpoint, State
from herald.swim.message import Entry, PushPull
from herald.swim.packet import Wrapping
from herald.swim.profile import PROFILES, Profile
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


@dataclass(slots=True)
class _Node:
    machine: Gossip
    endpoint: Endpoint
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
        self._rng = random.Random(seed)  # noqa: S311  # a simulation
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._number = count()
        self._separated: frozenset[int] = frozenset()
        endpoints = [Endpoint(IPv4Address(_BASE + number), _PORT) for number in range(size)]
        self._by_endpoint = {endpoint: number for number, endpoint in enumerate(endpoints)}
        self._streams: dict[tuple[int, int], Callable[[bytes | None], None]] = {}
        self._nodes = [
            _Node(
                Gossip(
                    Identity(name(number), endpoint),
                    (profiles or {}).get(number, profile),
                    Wrapping(),
                    random.Random(self._rng.random()),  # noqa: S311  # a simulation
                    self.now,
                ),
                endpoint,
            )
            for number, endpoint in enumerate(endpoints)
        ]
        if joined:
            everybody = PushPull(
                join=True,
                entries=tuple(
                    Entry(name(number), endpoint, b"", 1, State.ALIVE, METALLB_VERSIONS)
                    for number, endpoint in enumerate(endpoints)
                ),
            )
            for number in range(size):
                self.tell(number, StreamAsked(next(self._number), everybody))
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

    def join(self, member: int, at: int) -> None:
        """The member is told where another may be found."""
        self.tell(member, JoinAt((self._nodes[at].endpoint,)))

    def tell(self, member: int, event: Event) -> None:
        """Something happens to a member."""
        node = self._nodes[member]
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
        if note.kind is Kind.DIED:
            about = int(note.member[1:])
            self.verdicts.append(Verdict(self.now, member, about, self._nodes[about].crashed_at is not None))

    def _send(self, sender: int, to: Endpoint, data: bytes) -> None:
        self.octets += len(data) + 28
        self.packets += 1
        receiver = self._by_endpoint.get(to)
        if receiver is None or not self._passes(sender, receiver) or self._rng.random() < self.loss:
            return
        event = PacketReceived(self._nodes[sender].endpoint, data)
        self._at(self.now + self._delay(), lambda: self.tell(receiver, event))

    def _converse(self, asker: int, ask: Ask) -> None:
        answerer = self._by_endpoint.get(ask.to)
        took = self._delay() + self._segment(SYN_AGAIN) + self._segment(SEGMENT_AGAIN) + self._segment(SEGMENT_AGAIN)
        reachable = answerer is not None and self._passes(asker, answerer)
        if answerer is None or not reachable or self._nodes[answerer].crashed_at is not None or took > ask.timeout:
            self._at(self.now + ask.timeout, lambda: self.tell(asker, Unanswered(ask.ask, "no answer in time")))
            return
        self.octets += len(ask.data) + 200
        number = next(self._number)

        def answered(data: bytes | None) -> None:
            message = None if data is None else Reading(Wrapping()).feed(data)
            self.octets += len(data or b"")
            event = Unanswered(ask.ask, "closed") if message is None else Answered(ask.ask, message)
            self._at(self.now + took / 2, lambda: self.tell(asker, event))

        said = Reading(Wrapping()).feed(ask.data)
        assert said is not None
        self._streams[answerer, number] = answered
        self._at(self.now + took / 2, lambda: self.tell(answerer, StreamAsked(number, said)))

    def _delay(self) -> float:
        return self._rng.uniform(FASTEST, SLOWEST)

    def _segment(self, again: float) -> float:
        took = self._delay()
        while self._rng.random() < self.loss:
            took, again = took + again, again * 2
        return took

    def _passes(self, a: int, b: int) -> bool:
        return (a in self._separated) == (b in self._separated)


def name(member: int) -> str:
    """The name of a member."""
    return f"n{member}"


@dataclass(frozen=True, slots=True)
class Detection:
    """Seconds from a crash until the first survivor, and until every survivor, took the member for dead."""

    first: float
    last: float


def detection(size: int, profile: Profile, *, seed: int, loss: float, limit: float = 120.0) -> Detection:
    """One crash in a group that has been together for a while. Raises RuntimeError if not all saw it in `limit`."""
    simulation = Simulation(size, profile, seed=seed, loss=loss)
    simulation.run((20 + seed % 97 / 97) * profile.probe_interval)
    simulation.crash(0)
    began, others = simulation.now, range(1, size)
    simulation.run(limit, lambda: _seen_by(simulation) == set(others))
    times = [one.at - began for one in simulation.verdicts if one.member == 0]
    if _seen_by(simulation) != set(others):
        raise RuntimeError(f"not everybody saw it within {limit} s")
    return Detection(min(times), max(times))


def _seen_by(simulation: Simulation) -> set[int]:
    return {one.observer for one in simulation.verdicts if one.member == 0}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table of detection times and false deaths."""
    parser = argparse.ArgumentParser(prog="python -m herald.lab.swim_simulation", description=__doc__)
    parser.add_argument("--members", type=int, nargs="+", default=[3, 5, 10, 100])
    parser.add_argument("--loss", type=float, nargs="+", default=[0.0, 0.05])
    parser.add_argument("--profile", choices=sorted(PROFILES), default="herald")
    parser.add_argument("--runs", type=int, default=50, help="crashes for each row")
    parser.add_argument("--quiet", type=float, default=600.0, help="member-seconds without a crash, for false deaths")
    given = parser.parse_args(arguments)
    profile = PROFILES[given.profile]
    head = "members  loss  first p50   all p50   all p99   all max   false deaths  B/s per member"
    sys.stdout.write(f"profile {given.profile}, {given.runs} crashes per row\n{head}\n")
    for size in given.members:
        for loss in given.loss:
            sys.stdout.write(_row(size, loss, profile, given.runs, given.quiet) + "\n")
            sys.stdout.flush()


def _row(size: int, loss: float, profile: Profile, runs: int, quiet: float) -> str:
    found = [detection(size, profile, seed=seed, loss=loss) for seed in range(runs)]
    last = sorted(one.last for one in found)
    calm = Simulation(size, profile, seed=1, loss=loss)
    calm.run(quiet / size)
    per_member = calm.octets / quiet
    first = statistics.median(one.first for one in found)
    tail = last[min(len(last) - 1, int(len(last) * 0.99))]
    deaths = len(calm.false_deaths())
    return (
        f"{size:7}  {loss:4.0%}  {first:7.2f} s {statistics.median(last):7.2f} s {tail:7.2f} s {last[-1]:7.2f} s"
        f"  {deaths:3} in {quiet:.0f} s  {per_member:10.0f}"
    )


if __name__ == "__main__":
    main()
