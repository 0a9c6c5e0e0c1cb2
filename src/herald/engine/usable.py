"""The interfaces of this node that count as usable in every speaker's election.

An interface is usable for a family if Layer 2 reads its requests there, ARP or NDP (so it is eligible by the table in
`herald.layer2.link`, and its socket stands), and the kernel reports carrier. Without carrier, or for an IPv6 address
without IPv6, the node would still be elected and nobody would hear it. What is told are the words of
`herald.net.usable_names`.

Bad news counts at once, good news when it has stood for a while: who loses a link gives up immediately, but a link
that comes and goes must not throw addresses to and fro. Each loss within `CALM` seconds of the one before doubles the
time for which the interface must stand, from `FIRST_WAIT` up to `LONGEST_WAIT`; so a flapping link moves its addresses
a few times and then is left out until it has settled. What is there at the first look counts at once. Each family of
an interface is looked at by itself.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

from herald.layer2.snapshot import JudgedInterface
from herald.net.usable_names import UsableNames, words

Part: TypeAlias = tuple[str, int]
"""The name of an interface, and the family of it that is usable: 4 or 6."""
FIRST_WAIT: Final = 0.3
LONGEST_WAIT: Final = 20.0
CALM: Final = 60.0
SPACING: Final = 0.01
"""Seconds from a change to the look at it: what changes meanwhile is seen by the same look."""


@dataclass(frozen=True, slots=True)
class _Loss:
    """When a family of an interface was last lost, and how long it must stand after that."""

    at: float
    wait: float


class Steadiness:
    """Which parts of those that are there have stood long enough. No clock: `now` is given in, in seconds."""

    def __init__(self) -> None:
        self._counts_from: dict[Part, float] | None = None
        self._losses: dict[Part, _Loss] = {}

    def look(self, present: frozenset[Part], now: float) -> frozenset[Part]:
        """Those that count, given those that are there at `now`."""
        if self._counts_from is None:
            self._counts_from = dict.fromkeys(present, now)
        for part in self._counts_from.keys() - present:
            del self._counts_from[part]
            self._losses[part] = _Loss(now, self._wait_after_another_loss(part, now))
        self._losses = {part: loss for part, loss in self._losses.items() if now - loss.at < CALM}
        for part in present - self._counts_from.keys():
            loss = self._losses.get(part)
            self._counts_from[part] = now + (loss.wait if loss else FIRST_WAIT)
        return frozenset(part for part, since in self._counts_from.items() if since <= now)

    def deadline(self, now: float) -> float | None:
        """When one more will count if all stays as it is, or None."""
        return min((since for since in (self._counts_from or {}).values() if since > now), default=None)

    def _wait_after_another_loss(self, part: Part, now: float) -> float:
        before = self._losses.get(part)
        if before is None or now - before.at >= CALM:
            return FIRST_WAIT
        return min(2 * before.wait, LONGEST_WAIT)


class UsableInterfaces:
    """Looks when told that something changed, and when an interface has stood long enough; offers what counts."""

    def __init__(self, look: Callable[[], tuple[JudgedInterface, ...]], offer: Callable[[UsableNames], None]) -> None:
        """`look` gives the interfaces as they are; none at all means that they have not been read yet."""
        self._look = look
        self._offer = offer
        self._loop = asyncio.get_running_loop()
        self._steadiness = Steadiness()
        self._soon: asyncio.TimerHandle | None = None
        self._later: asyncio.TimerHandle | None = None

    def changed(self) -> None:
        """Something may be different."""
        if self._soon is None:
            self._soon = self._loop.call_later(SPACING, self._look_now)

    def close(self) -> None:
        """Offer nothing any more."""
        for handle in (self._soon, self._later):
            if handle is not None:
                handle.cancel()

    def _look_now(self) -> None:
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
        judged = self._look()
        if not judged:
            return
        now = self._loop.time()
        counted = self._steadiness.look(usable(judged), now)
        if self._later is not None:
            self._later.cancel()
        due = self._steadiness.deadline(now)
        self._later = None if due is None else self._loop.call_at(due, self._look_now)
        self._offer(told(counted))


def usable(judged: Iterable[JudgedInterface]) -> frozenset[Part]:
    """What Layer 2 reads from, with carrier."""
    return frozenset(
        (one.interface.name, family)
        for one in judged
        for family, reading in ((4, one.reading), (6, one.ndp_reading))
        if reading and one.interface.carrier
    )


def told(parts: Iterable[Part]) -> UsableNames:
    """The same in words."""
    families: dict[str, frozenset[int]] = {}
    for name, family in parts:
        families[name] = families.get(name, frozenset()) | {family}
    return words(families)
