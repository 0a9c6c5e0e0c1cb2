"""The machine that tells the segment when an address begins to be answered here.

Every (address, link) that becomes covered is announced in `ROUNDS` rounds, `INTERVAL` seconds apart: at 0, 1.1, 2.2,
3.3 and 4.4 s. A round of gratuitous ARP is two broadcast frames, the request form and the reply form; one of NDP is an
unsolicited Neighbor Advertisement to all nodes. Only what is *new* begins rounds: an address taken, an interface added
to it, a link that appeared or changed its MAC. Wishing the same again sends nothing, and releasing an address ends its
rounds; neither protocol knows a farewell.

A node never sends more than `rate` of these frames in any one second, so that a thousand addresses moving at once do
not drown a switch. When the rate binds, first rounds go before repetitions: every address is announced once as soon
as possible, the repetitions spread out behind.
"""

import heapq
import itertools
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Final, assert_never

from herald.layer2 import arp, ndp
from herald.layer2.event import Effect, Event, FrameReceived, HoldingsChanged, LinksChanged, SendFailed, SendFrame
from herald.layer2.holding import Address, Holding
from herald.layer2.link import Link, NdpLink
from herald.net.interface import Mac

ROUNDS: Final = 5
INTERVAL: Final = 1.1
DEFAULT_RATE: Final = 200
"""Gratuitous frames in any one second, for the whole node and both families."""
FRAMES_PER_ROUND: Final = 2
"""Of ARP; a round of NDP is one frame."""
_WINDOW: Final = 1.0

Target = tuple[Address, int]
"""An address on the link of that index."""


@dataclass(slots=True)
class _Progress:
    """Rounds sent so far and the turn that stands in a queue; a queued turn with another number is void."""

    sent: int
    turn: int


@dataclass(frozen=True, slots=True)
class AnnouncerSnapshot:
    """Targets that still have rounds to come, and frames sent since the start."""

    pending: int
    frames_sent: int


class Announcer:
    """A `herald.machine.Machine` of Layer 2 events and effects."""

    def __init__(self, rate: int = DEFAULT_RATE) -> None:
        """`rate` is in frames per second for the whole node, at least 2 (one round)."""
        if rate < FRAMES_PER_ROUND:
            raise ValueError(f"gratuitous ARP rate {rate}: at least {FRAMES_PER_ROUND} frames per second are needed")
        self._rate = rate
        self._links: dict[tuple[int, int], Link | NdpLink] = {}  # by IP version and index
        self._holdings: dict[Address, Holding] = {}
        self._progress: dict[Target, _Progress] = {}
        self._first: deque[tuple[int, Target]] = deque()
        self._repeats: list[tuple[float, int, Target]] = []
        self._turns = itertools.count()
        self._sent_at: deque[float] = deque()
        self._frames_sent = 0
        self._sent_for: Counter[Address] = Counter()

    def handle(self, event: Event, now: float) -> list[Effect]:
        """See `herald.machine.Machine.handle`."""
        match event:
            case HoldingsChanged(held, released):
                self._release(released)
                self._hold(held)
            case LinksChanged(links, _, ndp_links):
                by_arp = {(4, link.index): link for link in links}
                self._replace_links(by_arp | {(6, link.index): link for link in ndp_links})
            case FrameReceived() | SendFailed():  # a round that was lost is what the other rounds are for
                return []
            case _:
                assert_never(event)
        return self.wake(now)

    def wake(self, now: float) -> list[Effect]:
        """See `herald.machine.Machine.wake`: sends the rounds that are due, as far as the rate allows."""
        effects: list[Effect] = []
        while (target := self._next_due(now)) is not None and self._allowed(target, now):
            effects.extend(self._send_round(target, self._take(now), now))
        return effects

    def deadline(self) -> float | None:
        """See `herald.machine.Machine.deadline`."""
        self._discard_void()
        if self._first:
            due, target = float("-inf"), self._first[0][1]
        elif self._repeats:
            due, _, target = self._repeats[0]
        else:
            return None
        to_expire = len(self._sent_at) + _frames_of_a_round(target) - self._rate
        return max(due, self._sent_at[to_expire - 1] + _WINDOW) if to_expire > 0 else due

    def snapshot(self) -> AnnouncerSnapshot:
        """See `herald.machine.Machine.snapshot`."""
        return AnnouncerSnapshot(len(self._progress), self._frames_sent)

    def sent_for(self, address: Address) -> int:
        """Gratuitous frames for an address since it was taken."""
        return self._sent_for[address]

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

    # Rounds.

    def _begin(self, targets: Iterable[Target]) -> None:
        for target in targets:
            turn = next(self._turns)
            self._progress[target] = _Progress(0, turn)
            self._first.append((turn, target))

    def _end(self, targets: Iterable[Target]) -> None:
        for target in targets:
            self._progress.pop(target, None)

    def _next_due(self, now: float) -> Target | None:
        """The target whose turn it is."""
        self._discard_void()
        if self._first:
            return self._first[0][1]
        return self._repeats[0][2] if self._repeats and self._repeats[0][0] <= now else None

    def _take(self, now: float) -> float:
        """Takes that target from its queue; gives the instant at which its round was due."""
        if self._first:
            self._first.popleft()
            return now
        return heapq.heappop(self._repeats)[0]

    def _discard_void(self) -> None:
        while self._first and self._is_void(*self._first[0]):
            self._first.popleft()
        while self._repeats and self._is_void(*self._repeats[0][1:]):
            heapq.heappop(self._repeats)

    def _is_void(self, turn: int, target: Target) -> bool:
        progress = self._progress.get(target)
        return progress is None or progress.turn != turn

    def _send_round(self, target: Target, due: float, now: float) -> Iterator[Effect]:
        progress = self._progress[target]
        progress.sent += 1
        if progress.sent >= ROUNDS:
            del self._progress[target]
        else:
            # A timer that fires a little late must not push the later rounds back; waiting for the rate must.
            base = due if now - due < INTERVAL / 2 else now
            progress.turn = next(self._turns)
            heapq.heappush(self._repeats, (base + INTERVAL, progress.turn, target))
        count = _frames_of_a_round(target)
        self._frames_sent += count
        self._sent_for[target[0]] += count
        self._sent_at.extend([now] * count)
        for data in _round(target[0], self._links[_key(target)]):
            yield SendFrame(target[1], data)

    def _allowed(self, target: Target, now: float) -> bool:
        """Whether one more round fits into the second that ends now."""
        while self._sent_at and self._sent_at[0] + _WINDOW <= now:
            self._sent_at.popleft()
        return len(self._sent_at) + _frames_of_a_round(target) <= self._rate


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
