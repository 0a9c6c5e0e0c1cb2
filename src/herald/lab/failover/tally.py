"""What a watcher remembers: how long nobody answered, who did, and when two did at once. Pure."""

from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final

TALK_S: Final = 0.005
"""Seconds between two datagrams to an address."""
ASK_EVERY: Final = 2
"""Every so many datagrams there is a raw question."""
RECENT_S: Final = 0.3
"""What was answered within so many seconds tells who owns the address now."""
LATE_S: Final = 0.15
"""An answer is expected within this time; a question that is older is closed."""
IDENTITIES: Final = 30
"""Questions are numbered modulo this, by the address that they come from; the answer goes back there."""


@dataclass(slots=True)
class Silence:
    """The longest time between two answers since `since`, and when it began."""

    since: float
    last: float
    longest: float = 0.0
    began: float = 0.0
    ended: float = 0.0

    def broken(self, now: float) -> None:
        """Somebody answered."""
        self._consider(now)
        self.last = now

    def document(self, now: float) -> dict[str, float]:
        """`{longest, began, ended}` in seconds; a silence that still lasts counts up to now."""
        self._consider(now)
        return {"longest": self.longest, "began": self.began, "ended": self.ended}

    def _consider(self, now: float) -> None:
        if now - self.last > self.longest:
            self.longest, self.began, self.ended = now - self.last, self.last, now


@dataclass(slots=True)
class Talk:
    """A client that talks to one address: datagrams sent, answers and the nodes that they came from."""

    since: float
    silence: Silence = field(init=False)
    sent: int = 0
    answered: int = 0
    moves: int = 0
    node: str = ""
    _number: int = 0
    _newest: int = 0
    _open: dict[int, float] = field(default_factory=dict)
    _recent: deque[tuple[float, str]] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self.silence = Silence(self.since, self.since)

    def send(self, now: float) -> int:
        """The number of the datagram that is to be sent now."""
        self.sent += 1
        self._number += 1
        self._open[self._number] = now
        return self._number

    def heard(self, node: str, now: float, number: int | None = None) -> None:
        """An answer came from `node`, to the datagram of that number if it says so.

        Moves are counted in the order of the datagrams: an answer that is overtaken by the next one, of another node,
        tells where the datagram went before.
        """
        self.answered += 1
        if number is not None:
            self._open.pop(number, None)
        if number is None or number >= self._newest:
            self._newest = number or 0
            self.moves += bool(self.node) and node != self.node
            self.node = node
        self.silence.broken(now)
        self._recent.append((now, node))

    def begin(self, now: float) -> None:
        """From now on; who answered last is remembered."""
        self.sent = self.answered = self.moves = 0
        self._open.clear()
        self.silence = Silence(now, self.silence.last)

    def document(self, now: float) -> dict[str, Any]:
        """For whoever asks: `{sent, answered, lost, moves, nodes: [who answered lately], silence}`.

        `lost` are those that have waited for an answer for too long.
        """
        while self._recent and self._recent[0][0] < now - RECENT_S:
            self._recent.popleft()
        nodes = sorted({node for _, node in self._recent})
        lost = sum(now - sent > LATE_S for sent in self._open.values())
        counts = {"sent": self.sent, "answered": self.answered, "lost": lost, "moves": self.moves}
        return {**counts, "nodes": nodes, "silence": self.silence.document(now)}


@dataclass(slots=True)
class Question:
    """Who has the address? `macs` have answered so far."""

    asked: float
    macs: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Asking:
    """Somebody without a neighbour table: each question is to everybody, and whoever answers owns the address.

    A question that two MACs answer is one with two owners.
    """

    since: float
    silence: Silence = field(init=False)
    asked: int = 0
    answered: int = 0
    lost: int = 0
    doubles: int = 0
    last_double: float | None = None
    _open: dict[int, Question] = field(default_factory=dict)
    _recent: deque[tuple[float, str]] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self.silence = Silence(self.since, self.since)

    def ask(self, now: float) -> int:
        """The number of the question that is to be asked now."""
        number = self.asked % IDENTITIES
        self.asked += 1
        self.lost += number in self._open and not self._open[number].macs
        self._open[number] = Question(now)
        return number

    def heard(self, number: int, mac: str, now: float) -> None:
        """Somebody answered question `number`."""
        self._recent.append((now, mac))
        question = self._open.get(number)
        if question is None or now - question.asked > LATE_S:
            return
        if not question.macs:
            self.answered += 1
            self.silence.broken(now)
        elif mac not in question.macs and len(question.macs) == 1:
            self.doubles += 1
            self.last_double = now
        question.macs.add(mac)

    def begin(self, now: float) -> None:
        """From now on."""
        self.asked = self.answered = self.lost = self.doubles = 0
        self.last_double = None
        self._open.clear()
        self.silence = Silence(now, self.silence.last)

    def document(self, now: float) -> dict[str, Any]:
        """For whoever asks: `{asked, answered, lost, doubles, lastDouble, macs: [who did lately], silence}`.

        `lost` are questions that nobody had answered when their number was needed again.
        """
        while self._recent and self._recent[0][0] < now - RECENT_S:
            self._recent.popleft()
        macs = sorted({mac for _, mac in self._recent})
        counts = {"asked": self.asked, "answered": self.answered, "lost": self.lost, "doubles": self.doubles}
        return {**counts, "lastDouble": self.last_double, "macs": macs, "silence": self.silence.document(now)}
