"""How often something may be done: a burst at once, then so many per second. Time is given in."""

from dataclasses import dataclass


@dataclass(slots=True)
class Ration:
    """A bucket of `burst` turns that fills with `per_second`."""

    per_second: float
    burst: int
    _turns: float | None = None
    _at: float = 0.0

    def take(self, now: float) -> float:
        """Take a turn; how many seconds to wait before using it."""
        turns = float(self.burst) if self._turns is None else self._turns
        turns = min(float(self.burst), turns + (now - self._at) * self.per_second)
        self._at, self._turns = now, turns - 1.0
        return max(0.0, -self._turns / self.per_second)
