"""The timers of a session, of which the earliest is the machine's deadline, and the wait between two attempts."""

import random
from enum import Enum, auto


class Timer(Enum):
    """In the order in which timers that are due together are served: what ends the session comes first."""

    HOLD = auto()  # silence of the peer; before the peer's OPEN, the deadline for that
    ATTEMPT = auto()  # the deadline for TCP to come up
    CONTENDER = auto()  # the deadline for the peer's OPEN on a second connection
    SEND_HOLD = auto()  # the peer does not take our bytes (RFC 9687)
    RETRY = auto()  # the next attempt
    KEEPALIVE = auto()
    FLUSH = auto()  # routes are waiting to be sent


class Timers:
    """Instants in monotonic seconds, one per timer that runs."""

    def __init__(self, rng: random.Random) -> None:
        self._due: dict[Timer, float] = {}
        self._rng = rng

    def set(self, timer: Timer, instant: float) -> None:
        self._due[timer] = instant

    def set_jittered(self, timer: Timer, now: float, seconds: float) -> None:
        """Run for `seconds` shortened by up to a quarter (RFC 4271 §10), so that many sessions do not fall in step."""
        self._due[timer] = now + seconds * self._rng.uniform(0.75, 1.0)

    def get(self, timer: Timer) -> float | None:
        return self._due.get(timer)

    def clear(self, timer: Timer) -> None:
        self._due.pop(timer, None)

    def clear_all(self) -> None:
        self._due.clear()

    def deadline(self) -> float | None:
        return min(self._due.values(), default=None)

    def pop_due(self, now: float) -> Timer | None:
        """A timer whose instant has come, which then runs no more; None when there is none."""
        for timer in Timer:
            if self._due.get(timer, float("inf")) <= now:
                del self._due[timer]
                return timer
        return None


class Backoff:
    """The wait before the next attempt: `first` seconds, then twice as long each time."""

    def __init__(self, first: float) -> None:
        self._first = first
        self._failures = 0

    def next_wait(self, longest: float) -> float:
        """Seconds to wait after one more failure, `longest` at most."""
        wait = self._first * 2.0 ** min(self._failures, 16)
        self._failures += 1
        return min(longest, wait)

    def reset(self) -> None:
        """It worked: the next wait is the first one again."""
        self._failures = 0
