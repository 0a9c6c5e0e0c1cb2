"""When to speak up for a held address that somebody else speaks for too.

    the first claim                 `DEFEND_AFTER` s later: at a planned move the successor speaks before we let go
    more claims                     every `EARLY` s for the first `EARLY_FOR` s, then every `DEFEND_INTERVAL` s
    no more of them for `QUIET` s   once more, when the distance allows: whoever believed them learns better

The first seconds are for a sibling whose control is late: what it said last must not be what clients believe. One that
goes on after that is a machine of its own mind. Two that defend an address against each other at every packet would
flood the segment, so RFC 5227 §2.4 has a host do it once in `DEFEND_INTERVAL`, and so it is here, whether the claims
come as one stream or as many short ones: what was is forgotten after `FORGET` seconds of silence.
"""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from herald.layer2.holding import Address

DEFEND_AFTER: Final = 0.5
EARLY: Final = 2.0
EARLY_FOR: Final = 10.0
DEFEND_INTERVAL: Final = 10.0
QUIET: Final = 2.0
FORGET: Final = 60.0


@dataclass(slots=True)
class _Contest:
    """`at`: when there is something to do; `spoken`: when we last spoke up, `None` before the first time.

    `is_owed`: claims came since we did.
    """

    began: float
    claimed: float
    at: float
    spoken: float | None = None
    is_owed: bool = True


class Defence:
    """The addresses that are contested. As many as are held at most: claims to others are not told here."""

    def __init__(self) -> None:
        self._contests: dict[Address, _Contest] = {}
        self._queue: list[tuple[float, int, bytes, Address]] = []  # what stands there with another instant is void

    def hear(self, address: Address, now: float) -> None:
        """Somebody else spoke for it."""
        one = self._contests.get(address)
        if one is None:
            one = self._contests[address] = _Contest(now, now, now + DEFEND_AFTER)
            self._put(address, one)
            return
        one.claimed = now
        if not one.is_owed:
            one.is_owed = True
            one.at = max(now + DEFEND_AFTER, self._earliest(one, now))
            self._put(address, one)

    def release(self, addresses: Iterable[Address]) -> None:
        """They are held no longer."""
        for address in addresses:
            self._contests.pop(address, None)

    def due(self, now: float) -> list[Address]:
        """For which to speak up now."""
        defended: list[Address] = []
        while self._queue and (self._is_void() or self._queue[0][0] <= now):
            at, *_, address = heapq.heappop(self._queue)
            one = self._contests.get(address)
            if one is None or one.at != at:
                continue
            if one.is_owed:
                defended.append(address)
                self._speak(one, now)
                self._put(address, one)
            else:
                del self._contests[address]
        return defended

    def deadline(self) -> float | None:
        """When there is something to do."""
        while self._is_void():
            heapq.heappop(self._queue)
        return self._queue[0][0] if self._queue else None

    def _speak(self, one: _Contest, now: float) -> None:
        """What was said just before us may still be believed: only what follows silence is the last word."""
        one.spoken = now
        one.is_owed = now - one.claimed < QUIET
        one.at = max(one.claimed + QUIET, self._earliest(one, now)) if one.is_owed else one.claimed + FORGET

    def _earliest(self, one: _Contest, now: float) -> float:
        if one.spoken is None:
            return now
        return one.spoken + (EARLY if now - one.began < EARLY_FOR else DEFEND_INTERVAL)

    def _put(self, address: Address, one: _Contest) -> None:
        heapq.heappush(self._queue, (one.at, address.version, address.packed, address))

    def _is_void(self) -> bool:
        if not self._queue:
            return False
        at, *_, address = self._queue[0]
        one = self._contests.get(address)
        return one is None or one.at != at
