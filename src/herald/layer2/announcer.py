"""The machine that tells the segment when an address begins to be answered here.

Every (address, link) that becomes covered is announced in rounds, at `ROUNDS`: at once and, as by MetalLB, every 1.1 s
until 4.4 s; and after 0.1 and 0.4 s, for where a network loses packets a client that missed the first round would
otherwise send to the former owner for a second. A round of gratuitous ARP is two broadcast frames, the request form and
the reply form; one of NDP is an unsolicited Neighbor Advertisement to all nodes. Only what is *new* begins rounds: an
address taken, an interface added to it, a link that appeared or changed its MAC. Wishing the same again sends nothing,
and releasing an address ends its rounds; neither protocol knows a farewell.

Where a `refresh` interval is given, every target gets one more round at least that often for as long as it is held.
Switches forget a MAC that sends nothing, commonly after 300 s, and routers believe an ARP entry for longer: an address
that only answers would then be flooded, or dropped. Each wait is 90 to 100 % of the interval and the first one any part
of it, so that a thousand addresses taken together do not stay together.

When a partition heals, or this node comes back to a group that took it for dead, clients may believe somebody else for
any address: `AnnounceAgain` gives each one round as if it had just been taken, and two more at low priority. However
often it is said, there is no more than one such round of an address in `AGAIN_SPACING` seconds. Where nobody can have
stood in for this node (`is_urgent` is false), and for an address that somebody else speaks for (`Contested`), the low
priority of a refresh will do.

A thousand addresses moving at once must not drown a switch, and must not wait for each other either: until its first
round an address is lost to whoever remembers its former owner. So there are two limits. First rounds go at up to
`FIRST_FACTOR` times `rate` frames per second, evenly, in portions of a few milliseconds: a thousand IPv4 addresses
take a quarter of a second. Everything else keeps to `rate` frames in any one second, first rounds counted, so that
repetitions wait until those are over and spread out behind. Refreshes go last and have half the rate at most, so that
a node with many addresses has room for the repetitions of one that moves to it.
"""

import enum
import heapq
import itertools
import random
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Final, assert_never

from herald.layer2 import arp, ndp
from herald.layer2.event import (
    AnnounceAgain,
    Contested,
    Effect,
    Event,
    FrameReceived,
    HoldingsChanged,
    LinksChanged,
    ProbeLeft,
    ProbeNotWatched,
    SendFailed,
    SendFrame,
    Succeeded,
)
from herald.layer2.holding import Address, Holding
from herald.layer2.link import Link, NdpLink
from herald.layer2.pace import DEFAULT_RATE, FRAMES_PER_ROUND, Pace
from herald.net.interface import Mac

ROUNDS: Final = (0.0, 0.1, 0.4, 1.1, 2.2, 3.3, 4.4)
"""Seconds since an address began to be covered."""
AGAIN_ROUNDS: Final = 3
"""At the distances of as many of the last `ROUNDS`."""
AGAIN_SPACING: Final = 1.0
"""Seconds between two times that everything is announced again in haste."""
LATE: Final = 0.5
"""Seconds by which a round may be late without putting off those that follow."""
REFRESH_SHARE: Final = 0.5
"""Of the rate, for rounds that can wait."""
SHORTEST_REFRESH: Final = 1.0
LONGEST_REFRESH: Final = 86400.0
_JITTER: Final = 0.1
_NEVER: Final = float("inf")

Target = tuple[Address, int]
"""An address on the link of that index."""


class _Queue(enum.Enum):
    """Where a round waits; the first that has one which is due goes before the others."""

    FIRST = enum.auto()
    REPEATS = enum.auto()
    REFRESHES = enum.auto()


@dataclass(slots=True)
class _Progress:
    """Rounds still to come before the refreshes, and the turn that stands in a queue.

    A queued turn with another number is void. `is_first` stands in the first queue; what follows goes to the `REPEATS`
    if it `is_urgent`.
    """

    left: int
    turn: int
    is_urgent: bool = True
    is_first: bool = False


@dataclass(frozen=True, slots=True)
class AnnouncerSnapshot:
    """Targets that still have rounds to come besides refreshes, and frames sent since the start."""

    pending: int
    frames_sent: int


class Announcer:
    """A `herald.machine.Machine` of Layer 2 events and effects."""

    def __init__(
        self, rate: int = DEFAULT_RATE, *, refresh: float | None = None, rng: random.Random | None = None
    ) -> None:
        """`rate` is in frames per second for the whole node, at least 2 (one round); first rounds are faster.

        `refresh` is in seconds, 1 to 86,400, or None for never; `rng` spreads the refreshes and is to be given with it.
        """
        if refresh is not None and not SHORTEST_REFRESH <= refresh <= LONGEST_REFRESH:
            raise ValueError(
                f"gratuitous ARP interval {refresh:g} s: 1 s to 86400 s (a day) is possible, or 0 for never"
            )
        self.pace: Final = Pace(rate)
        self._rate_of_refreshes = max(FRAMES_PER_ROUND, int(rate * REFRESH_SHARE))
        self._refresh = refresh
        self._rng = rng or random.Random(0)  # noqa: S311  # spreads packets, no secret
        self._links: dict[tuple[int, int], Link | NdpLink] = {}  # by IP version and index
        self._holdings: dict[Address, Holding] = {}
        self._progress: dict[Target, _Progress] = {}
        self._first: deque[tuple[int, Target]] = deque()
        self._repeats: list[tuple[float, int, Target]] = []
        self._refreshes: list[tuple[float, int, Target]] = []
        self._agains: deque[float] = deque()
        self._last_again = -_NEVER
        self._turns = itertools.count()
        self._frames_sent = 0
        self._sent_for: Counter[Address] = Counter()
        self._first_sent: dict[Address, float] = {}

    def handle(self, event: Event, now: float) -> list[Effect]:
        """See `herald.machine.Machine.handle`."""
        match event:
            case HoldingsChanged(held, released, handed_over):
                self._release((*released, *handed_over))
                self._hold(held)
            case LinksChanged(links, _, ndp_links):
                by_arp = {(4, link.index): link for link in links}
                self._replace_links(by_arp | {(6, link.index): link for link in ndp_links})
            case AnnounceAgain(delay, is_urgent) if is_urgent:
                self._plan_again(now + delay)
            case AnnounceAgain(delay):
                self._announce_slowly(self._holdings.values(), now + delay, AGAIN_ROUNDS)
            case Contested(address):
                self._announce_slowly([self._holdings[address]] if address in self._holdings else [], now, 1)
            case FrameReceived() | SendFailed() | ProbeLeft() | ProbeNotWatched() | Succeeded():
                return []  # a round that was lost is what the other rounds are for
            case _:
                assert_never(event)
        return self.wake(now)

    def wake(self, now: float) -> list[Effect]:
        """See `herald.machine.Machine.wake`: sends the rounds that are due, as far as the rate allows."""
        effects: list[Effect] = []
        while self._agains and self._agains[0] <= now:
            self._agains.popleft()
            self._announce_in_haste()
        self._discard_void()
        while (queue := self._next_queue(now)) is not None:
            due, target = self._take(queue, now)
            effects.extend(self._send_round(target, due, now))
            self._discard_void()
        return effects

    def deadline(self) -> float | None:
        """See `herald.machine.Machine.deadline`."""
        self._discard_void()
        if self._first:
            return self.pace.room_for_first(_frames_of_a_round(self._first[0][1]))
        repeat_due, repeat_at = self._instants(self._repeats, self.pace.second.capacity)
        _, refresh_at = self._instants(self._refreshes, self._rate_of_refreshes)
        if repeat_due <= refresh_at:  # it goes first, and may have to wait for longer
            refresh_at = max(refresh_at, repeat_at)
        at = min(repeat_at, refresh_at, *self._agains)
        return None if at == _NEVER else at

    def snapshot(self) -> AnnouncerSnapshot:
        """See `herald.machine.Machine.snapshot`."""
        return AnnouncerSnapshot(sum(one.left > 0 for one in self._progress.values()), self._frames_sent)

    def sent_for(self, address: Address) -> int:
        """Gratuitous frames for an address since it was taken."""
        return self._sent_for[address]

    def first_sent(self, address: Address) -> float | None:
        """When the first gratuitous frame for an address went out since it was taken; None before that."""
        return self._first_sent.get(address)

    # What is covered: the one place where targets begin and end.

    def _hold(self, held: Iterable[Holding]) -> None:
        for holding in held:
            before = set(self._covered(self._holdings.get(holding.address)))
            self._holdings[holding.address] = holding
            now_covered = list(self._covered(holding))
            self._begin(target for target in now_covered if target not in before)
            self._end(before.difference(now_covered))

    def _release(self, addresses: Iterable[Address]) -> None:
        for address in addresses:
            self._end(self._covered(self._holdings.pop(address, None)))
            self._sent_for.pop(address, None)
            self._first_sent.pop(address, None)

    def _replace_links(self, wanted: Mapping[tuple[int, int], Link | NdpLink]) -> None:
        before = self._links
        changed = {key for key, link in wanted.items() if key not in before or _station(before[key]) != _station(link)}
        touched = changed | (before.keys() - wanted.keys())
        if touched:
            for holding in self._holdings.values():
                self._end(target for target in self._covered(holding) if _key(target) in touched)
        self._links = dict(wanted)
        if changed:
            for holding in self._holdings.values():
                self._begin(target for target in self._covered(holding) if _key(target) in changed)

    def _covered(self, holding: Holding | None) -> Iterator[Target]:
        if holding is None:
            return
        for (version, index), link in self._links.items():
            if version == holding.address.version and holding.covers(link.name):
                yield holding.address, index

    def _all_covered(self, holdings: Iterable[Holding]) -> Iterator[Target]:
        return (target for holding in holdings for target in self._covered(holding))

    # Rounds.

    def _begin(self, targets: Iterable[Target]) -> None:
        for target in targets:
            turn = next(self._turns)
            self._progress[target] = _Progress(len(ROUNDS), turn, is_first=True)
            self._first.append((turn, target))

    def _plan_again(self, at: float) -> None:
        if at > self._last_again:  # what is to come after that will do as well
            self._last_again = max(at, self._last_again + AGAIN_SPACING)
            self._agains.append(self._last_again)

    def _announce_in_haste(self) -> None:
        for target in self._all_covered(self._holdings.values()):
            before = self._progress.get(target)
            if before is not None and before.is_first:  # it has not gone out yet
                continue
            left = AGAIN_ROUNDS if before is None else max(AGAIN_ROUNDS, before.left)
            is_urgent = before is not None and before.left > 0 and before.is_urgent
            turn = next(self._turns)
            self._progress[target] = _Progress(left, turn, is_urgent, is_first=True)
            self._first.append((turn, target))

    def _announce_slowly(self, holdings: Iterable[Holding], at: float, rounds: int) -> None:
        for target in self._all_covered(holdings):
            progress = self._progress.get(target)
            if progress is None or not progress.left:  # rounds that are under way do as well
                progress = self._progress[target] = _Progress(rounds, next(self._turns), is_urgent=False)
                heapq.heappush(self._refreshes, (at, progress.turn, target))

    def _end(self, targets: Iterable[Target]) -> None:
        for target in targets:
            self._progress.pop(target, None)

    def _next_queue(self, now: float) -> _Queue | None:
        """Where the round stands that may go out now."""
        self.pace.pass_to(now)
        if self._first:
            has_room = self.pace.room_for_first(_frames_of_a_round(self._first[0][1])) <= now
            return _Queue.FIRST if has_room else None
        if self._repeats and self._repeats[0][0] <= now:
            has_room = self._room_for(self._repeats[0][2], self.pace.second.capacity) <= now
            return _Queue.REPEATS if has_room else None
        if self._refreshes and self._refreshes[0][0] <= now:
            has_room = self._room_for(self._refreshes[0][2], self._rate_of_refreshes) <= now
            return _Queue.REFRESHES if has_room else None
        return None

    def _take(self, queue: _Queue, now: float) -> tuple[float, Target]:
        """Takes what stands first in that queue; gives the instant at which its round was due, and the target."""
        match queue:
            case _Queue.FIRST:
                return now, self._first.popleft()[1]
            case _Queue.REPEATS:
                due, _, target = heapq.heappop(self._repeats)
            case _Queue.REFRESHES:
                due, _, target = heapq.heappop(self._refreshes)
            case _:
                assert_never(queue)
        return due, target

    def _discard_void(self) -> None:
        while self._first and self._is_void(*self._first[0]):
            self._first.popleft()
        for queue in (self._repeats, self._refreshes):
            while queue and self._is_void(*queue[0][1:]):
                heapq.heappop(queue)

    def _is_void(self, turn: int, target: Target) -> bool:
        progress = self._progress.get(target)
        return progress is None or progress.turn != turn

    def _send_round(self, target: Target, due: float, now: float) -> Iterator[Effect]:
        progress = self._progress[target]
        was_refresh = not progress.left
        progress.left = max(0, progress.left - 1)
        was_first, progress.is_first = progress.is_first, False
        progress.turn = next(self._turns)
        if progress.left:
            # A timer that fires a little late must not push the later rounds back; waiting for the rate must.
            base = due if now - due < LATE else now
            wait = ROUNDS[-progress.left] - ROUNDS[-progress.left - 1]
            queue = self._repeats if progress.is_urgent else self._refreshes
            heapq.heappush(queue, (base + wait, progress.turn, target))
        elif self._refresh is not None:
            wait = self._refresh * self._rng.uniform(1 - _JITTER if was_refresh else 0.0, 1.0)
            heapq.heappush(self._refreshes, (now + wait, progress.turn, target))
        else:
            del self._progress[target]
        count = _frames_of_a_round(target)
        self._frames_sent += count
        self._sent_for[target[0]] += count
        self._first_sent.setdefault(target[0], now)
        self.pace.note(count, now, is_first=was_first)
        for data in _round(target[0], self._links[_key(target)]):
            yield SendFrame(target[1], data)

    def _instants(self, queue: list[tuple[float, int, Target]], rate: int) -> tuple[float, float]:
        """When the first of the queue is due, and when it can go out."""
        if not queue:
            return _NEVER, _NEVER
        due, _, target = queue[0]
        return due, max(due, self._room_for(target, rate))

    def _room_for(self, target: Target, rate: int) -> float:
        """When one more round that can wait fits in."""
        return self.pace.second.room_for(_frames_of_a_round(target), rate)


def _key(target: Target) -> tuple[int, int]:
    address, index = target
    return address.version, index


def _station(link: Link | NdpLink) -> tuple[str, Mac]:
    """What of a link is worth announcing anew; the source of advertisements is not."""
    return link.name, link.mac


def _frames_of_a_round(target: Target) -> int:
    return FRAMES_PER_ROUND if isinstance(target[0], IPv4Address) else 1


def _round(address: Address, link: Link | NdpLink) -> tuple[bytes, ...]:
    if isinstance(address, IPv4Address):
        return tuple(arp.encode(frame) for frame in arp.gratuitous(address, link.mac))
    assert isinstance(link, NdpLink)
    return (ndp.encode(ndp.unsolicited(address, link.mac, link.source)),)
