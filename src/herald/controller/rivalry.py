"""Somebody else keeps overwriting the status of a service: when to restore it, and when to leave it. No I/O, no clock.

Two controllers that both insist would flip an address every second, and with it ARP entries and routes. So a status is
restored a few times; then it is left alone, for longer each time that a single attempt is overwritten again.
"""

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

K = TypeVar("K", bound=Hashable)

WINDOW_S: Final = 60.0
RESTORED: Final = 3
"""How often within the window a status is restored before it is left alone."""
FIRST_TRUCE_S: Final = 60.0
LONGEST_TRUCE_S: Final = 1800.0
_MANY: Final = 256


@dataclass(frozen=True, slots=True)
class Truce:
    """The status is left alone until then. `is_new`: it was not so before, and people ought to hear of it."""

    until: float
    is_new: bool


@dataclass(slots=True)
class _Contest:
    restored: list[float] = field(default_factory=list)
    truces: int = 0
    until: float = 0.0

    def calm_since(self) -> float:
        return max(self.until, *self.restored, 0.0) if self.restored else self.until


class Rivalry(Generic[K]):
    """`now` is monotonic seconds."""

    def __init__(self) -> None:
        self._contests: dict[K, _Contest] = {}

    def overwritten(self, key: K, now: float) -> Truce | None:
        """Somebody else has changed what we wrote for `key`. None: restore it, which is counted as done."""
        contest = self._contests.setdefault(key, _Contest())
        if now < contest.until:
            return Truce(contest.until, is_new=False)
        contest.restored = [instant for instant in contest.restored if now - instant < WINDOW_S]
        if not contest.restored and now - contest.until > WINDOW_S + _length(contest.truces):
            contest.truces = 0
        if len(contest.restored) < (1 if contest.truces else RESTORED):
            contest.restored.append(now)
            self._forget_old(now)
            return None
        contest.truces += 1
        contest.until = now + _length(contest.truces)
        contest.restored.clear()
        return Truce(contest.until, is_new=True)

    def _forget_old(self, now: float) -> None:
        if len(self._contests) > _MANY:
            kept = {key: one for key, one in self._contests.items() if now - one.calm_since() < 2 * LONGEST_TRUCE_S}
            self._contests = kept


def _length(truces: int) -> float:
    return min(FIRST_TRUCE_S * 2.0 ** (truces - 1), LONGEST_TRUCE_S) if truces else 0.0
