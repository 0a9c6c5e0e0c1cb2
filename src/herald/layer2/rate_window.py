"""How many frames may go out in any span of time of a given length, wherever it begins."""

from collections import deque


class RateWindow:
    """At most `capacity` frames in any `seconds`. A caller that may use less of it says how much."""

    def __init__(self, seconds: float, capacity: int) -> None:
        self.capacity = capacity
        self._seconds = seconds
        self._sent_at: deque[float] = deque()

    def room_for(self, frames: int, capacity: int | None = None) -> float:
        """When so many more fit; the distant past if they do already. `frames` is `capacity` at most."""
        to_expire = len(self._sent_at) + frames - (self.capacity if capacity is None else capacity)
        return self._sent_at[to_expire - 1] + self._seconds if to_expire > 0 else float("-inf")

    def pass_to(self, now: float) -> None:
        """Forget what is older than the window."""
        while self._sent_at and self._sent_at[0] + self._seconds <= now:
            self._sent_at.popleft()

    def note(self, frames: int, now: float) -> None:
        """So many went out, whether or not there was room."""
        self._sent_at.extend([now] * frames)
