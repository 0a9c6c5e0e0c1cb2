"""When to try again what failed, and when to try nothing at all. No I/O, no clock.

Each key waits by itself, longer after every failure. Where many different keys fail in a row it is not they who are
at fault but the store: then nothing is tried for a while, then one thing, and when that works everything at once.
"""

from collections.abc import Hashable
from typing import Final, Generic, TypeVar

K = TypeVar("K", bound=Hashable)

FIRST_RETRY_S: Final = 0.05
LONGEST_RETRY_S: Final = 30.0
FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 5.0
FAILING: Final = 8
"""Different keys that have failed in a row before the store as a whole is taken to be failing."""


class Patience(Generic[K]):
    """`now` is monotonic seconds. `slots`: how many things may be tried at once in good times."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._attempts: dict[K, int] = {}
        self._due: dict[K, float] = {}
        self._failing: set[K] = set()
        self._paused_until: float | None = None
        self._pause_s = FIRST_PAUSE_S

    def failed(self, key: K, now: float) -> None:
        """Trying `key` failed: it is due again later."""
        attempts = self._attempts[key] = self._attempts.get(key, 0) + 1
        self._due[key] = now + min(FIRST_RETRY_S * 2.0 ** min(attempts - 1, 20), LONGEST_RETRY_S)
        self._failing.add(key)
        if self._paused_until is not None and now < self._paused_until:
            return
        if self._paused_until is not None or len(self._failing) >= FAILING:
            self._paused_until = now + self._pause_s
            self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)

    def succeeded(self, key: K, now: float) -> None:
        """Trying `key` worked. If nothing did before, everything that waits is due."""
        self._attempts.pop(key, None)
        self._due.pop(key, None)
        self._failing.clear()
        if self._paused_until is not None:
            self._paused_until, self._pause_s = None, FIRST_PAUSE_S
            self._attempts.clear()
            self._due = {other: min(instant, now) for other, instant in self._due.items()}

    def put_off(self, key: K, until: float) -> None:
        """`key` is due at `until`, for a reason that is no failure."""
        self._due[key] = until

    def take_due(self, now: float) -> tuple[K, ...]:
        """What is to be tried again now; it is told once."""
        found = tuple(key for key, instant in self._due.items() if instant <= now)
        for key in found:
            del self._due[key]
        return found

    def slots(self, now: float) -> int:
        """How many things may be in the trying now: none while the store fails, then one."""
        if self._paused_until is None:
            return self._slots
        return 1 if now >= self._paused_until else 0

    def deadline(self, now: float) -> float | None:
        """The next instant at which `take_due` or `slots` will say something else."""
        pause = self._paused_until if self._paused_until is not None and self._paused_until > now else None
        waiting = min(self._due.values(), default=None)
        return min((instant for instant in (pause, waiting) if instant is not None), default=None)
