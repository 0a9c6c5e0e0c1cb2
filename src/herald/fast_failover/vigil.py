"""From the silence of a watched node to its death, or its return.

                  silent by BFD        answers by gossip      `ASK_FOR` is over      gossip: not there
    watched       → asked, ask         –                      –                      –
    asked         –                    → watched, spared      → dead, accuse         → watched
    dead          –                    → watched, returned    –                      → watched

BFD says within 150 ms that nothing comes any more, but it is not signed, and a network that loses every third packet
silences it every few seconds. So its word is not enough: the node is asked by gossip, directly and through others, and
that has to be answered with the key of the group. Only who does not answer that either, for `ASK_FOR` seconds, is
taken for dead, here and at once; the group is told of the accusation and comes to its own verdict, which then counts.

Meanwhile it is asked on. An answer undoes the death at once: it lives, and two owners are worse than a late one. About
whoever came back like that only gossip decides for `CALM` seconds, doubled each time up to `LONGEST_CALM`. So a node
that stalls again and again moves its addresses a few times, and then at gossip's pace.

A node that is no longer to be watched is kept while it is asked or dead, and `LINGER` seconds beyond: whoever takes
over no longer counts it among those in line, but has yet to learn of its return.
"""

import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias, assert_never

ASK_FOR: Final = 0.04
ASK_EVERY: Final = 0.012
ASK_DEAD_EVERY: Final = 0.1
LINGER: Final = 2.0
CALM: Final = 10.0
LONGEST_CALM: Final = 120.0
FORGIVEN: Final = 600.0
"""Seconds without a false death after which the next one counts as the first."""


class Phase(enum.Enum):
    """How a watched node is."""

    WATCHED = "watched"
    ASKED = "asked"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class WatchChanged:
    """These nodes, and no others, are to be watched."""

    nodes: frozenset[str]


@dataclass(frozen=True, slots=True)
class MembersChanged:
    """These nodes are there by gossip."""

    present: frozenset[str]


@dataclass(frozen=True, slots=True)
class WentSilent:
    """BFD has heard nothing of the node for `silent_for` seconds; before, its session was up."""

    node: str
    silent_for: float


@dataclass(frozen=True, slots=True)
class CameUp:
    """The BFD session with the node is up."""

    node: str


@dataclass(frozen=True, slots=True)
class Answered:
    """The node has answered a question that was asked here."""

    node: str


Event: TypeAlias = WatchChanged | MembersChanged | WentSilent | CameUp | Answered


@dataclass(frozen=True, slots=True)
class Question:
    """Ask the node by gossip, directly and through others, whether it is there."""

    node: str


@dataclass(frozen=True, slots=True)
class TakeForDead:
    """The node is dead as far as this one is concerned; accuse it. It was silent for `silent_for` seconds by now."""

    node: str
    silent_for: float


@dataclass(frozen=True, slots=True)
class TakeForAlive:
    """It was not, or is back; BFD alone is not believed about it for `calm` seconds."""

    node: str
    calm: float


@dataclass(frozen=True, slots=True)
class Spare:
    """It was silent and has answered: a false alarm, of which nobody noticed anything."""

    node: str


@dataclass(frozen=True, slots=True)
class LeaveToGossip:
    """It is silent, and was taken for dead wrongly not long ago."""

    node: str


@dataclass(frozen=True, slots=True)
class WatchedNodesChanged:
    """`nodes()` gives others now."""


Effect: TypeAlias = Question | TakeForDead | TakeForAlive | Spare | LeaveToGossip | WatchedNodesChanged


@dataclass(frozen=True, slots=True)
class PostSnapshot:
    """A watched node. `spared`: false alarms; `deaths`: times it was taken for dead; `calm`: seconds that remain."""

    node: str
    phase: Phase
    spared: int
    deaths: int
    calm: float


@dataclass(slots=True)
class _Post:
    """`silent_since`, `decide_at` and `ask_at` count while it is asked or dead; `unwanted_at` else."""

    phase: Phase = Phase.WATCHED
    silent_since: float = 0.0
    decide_at: float = 0.0
    ask_at: float = 0.0
    unwanted_at: float | None = None


@dataclass(slots=True)
class _Record:
    """What is remembered of a node beyond its post."""

    spared: int = 0
    deaths: int = 0
    returns: int = 0
    returned_at: float = float("-inf")
    calm_until: float = float("-inf")


class Vigil:
    """A `herald.machine.Machine` over all nodes that this one watches."""

    def __init__(self) -> None:
        self._posts: dict[str, _Post] = {}
        self._records: dict[str, _Record] = {}
        self._present: frozenset[str] = frozenset()

    def handle(self, event: Event, now: float) -> list[Effect]:
        """See `herald.machine.Machine.handle`."""
        match event:
            case WatchChanged(nodes):
                return self._follow(nodes, now)
            case MembersChanged(present):
                return self._see(present, now)
            case WentSilent(node, silent_for):
                return list(self._silent(node, silent_for, now))
            case CameUp(node):
                # Not signed: no proof of life, but a reason to ask for one.
                return self._ask(node, now) if self._phase(node) in (Phase.ASKED, Phase.DEAD) else []
            case Answered(node):
                return list(self._answered(node, now))
            case _:
                assert_never(event)

    def wake(self, now: float) -> list[Effect]:
        """See `herald.machine.Machine.wake`."""
        effects: list[Effect] = []
        for node, post in tuple(self._posts.items()):
            if post.phase is Phase.ASKED and now >= post.decide_at:
                post.phase = Phase.DEAD
                self._record(node).deaths += 1
                effects += [TakeForDead(node, now - post.silent_since), *self._ask(node, now)]
            elif post.phase is not Phase.WATCHED and now >= post.ask_at:
                effects += self._ask(node, now)
        return effects + self._dismiss(now)

    def deadline(self) -> float | None:
        """See `herald.machine.Machine.deadline`."""
        return min((at for post in self._posts.values() for at in _deadlines(post)), default=None)

    def snapshot(self, now: float) -> tuple[PostSnapshot, ...]:
        """Everybody who is watched, by name."""
        return tuple(self._shown(node, post, now) for node, post in sorted(self._posts.items()))

    def nodes(self) -> frozenset[str]:
        """With whom there is to be a BFD session."""
        return frozenset(self._posts)

    def dead(self) -> frozenset[str]:
        """Who is taken for dead, whatever gossip says so far."""
        return frozenset(node for node, post in self._posts.items() if post.phase is Phase.DEAD)

    def _phase(self, node: str) -> Phase | None:
        post = self._posts.get(node)
        return None if post is None else post.phase

    def _record(self, node: str) -> _Record:
        return self._records.setdefault(node, _Record())

    def _follow(self, nodes: frozenset[str], now: float) -> list[Effect]:
        before = self.nodes()
        for node in nodes:
            self._posts.setdefault(node, _Post()).unwanted_at = None
        for node in before - nodes:
            post = self._posts[node]
            post.unwanted_at = now if post.unwanted_at is None else post.unwanted_at
        return [WatchedNodesChanged()] if self.nodes() != before else []

    def _see(self, present: frozenset[str], now: float) -> list[Effect]:
        """What gossip says of who is gone is the last word, and who is gone need not be watched on."""
        gone, self._present = self._present - present, present
        for node in gone & self.nodes():
            post = self._posts[node]
            post.phase = Phase.WATCHED
            if post.unwanted_at is not None:
                post.unwanted_at = now - LINGER
        return self._dismiss(now)

    def _silent(self, node: str, silent_for: float, now: float) -> Iterator[Effect]:
        if self._phase(node) is not Phase.WATCHED or node not in self._present:
            return
        if now < self._record(node).calm_until:
            yield LeaveToGossip(node)
            return
        post = self._posts[node]
        post.phase, post.silent_since, post.decide_at = Phase.ASKED, now - silent_for, now + ASK_FOR
        yield from self._ask(node, now)

    def _ask(self, node: str, now: float) -> list[Effect]:
        post = self._posts[node]
        post.ask_at = now + (ASK_EVERY if post.phase is Phase.ASKED else ASK_DEAD_EVERY)
        return [Question(node)]

    def _answered(self, node: str, now: float) -> Iterator[Effect]:
        phase, record = self._phase(node), self._record(node)
        if phase in (None, Phase.WATCHED):
            return
        post = self._posts[node]
        post.phase = Phase.WATCHED
        if post.unwanted_at is not None:
            post.unwanted_at = now
        if phase is Phase.ASKED:
            record.spared += 1
            yield Spare(node)
            return
        record.returns = 1 if now - record.returned_at >= FORGIVEN else record.returns + 1
        record.returned_at = now
        calm = min(LONGEST_CALM, CALM * 2 ** (record.returns - 1))
        record.calm_until = now + calm
        yield TakeForAlive(node, calm)

    def _dismiss(self, now: float) -> list[Effect]:
        """End the posts that nobody needs any more."""
        over = [node for node, post in self._posts.items() if any(now >= at for at in _ends(post))]
        for node in over:
            del self._posts[node]
        self._records = {node: one for node, one in self._records.items() if self._is_remembered(node, one, now)}
        return [WatchedNodesChanged()] if over else []

    def _is_remembered(self, node: str, record: _Record, now: float) -> bool:
        return node in self._posts or now - record.returned_at < FORGIVEN

    def _shown(self, node: str, post: _Post, now: float) -> PostSnapshot:
        record = self._records.get(node, _Record())
        return PostSnapshot(node, post.phase, record.spared, record.deaths, max(0.0, record.calm_until - now))


def _deadlines(post: _Post) -> Iterable[float]:
    match post.phase:
        case Phase.WATCHED:
            return _ends(post)
        case Phase.ASKED:
            return (post.decide_at, post.ask_at)
        case Phase.DEAD:
            return (post.ask_at,)


def _ends(post: _Post) -> tuple[float, ...]:
    """When the post ends, if it does."""
    unwanted = post.phase is Phase.WATCHED and post.unwanted_at is not None
    return (post.unwanted_at + LINGER,) if unwanted and post.unwanted_at is not None else ()
