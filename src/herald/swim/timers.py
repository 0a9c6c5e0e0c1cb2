"""What is to be done when. The machine keeps one of these; no clock, instants are given in."""

import heapq
from itertools import count
from typing import Final, Generic, TypeVar

T = TypeVar("T")

SPARE: Final = 1024
"""Instants that do not count any more, kept before they are swept out."""


class Timers(Generic[T]):
    """At most one instant for each thing to do."""

    def __init__(self) -> None:
        self._at: dict[T, float] = {}
        self._heap: list[tuple[float, int, T]] = []
        self._number = count()

    def set(self, what: T, at: float) -> None:
        """`what` is due at `at`, and no longer when it was due before."""
        self._at[what] = at
        heapq.heappush(self._heap, (at, next(self._number), what))
        if len(self._heap) > 2 * len(self._at) + SPARE:
            self._order()

    def cancel(self, what: T) -> None:
        """`what` is not due any more, if it was."""
        self._at.pop(what, None)

    def is_set(self, what: T) -> bool:
        """Whether `what` is due some time."""
        return what in self._at

    def deadline(self) -> float | None:
        """The next instant at which something is due."""
        while self._heap and self._at.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def due(self, now: float) -> T | None:
        """What is due first at `now`, taken out, or None."""
        deadline = self.deadline()
        if deadline is None or deadline > now:
            return None
        what = heapq.heappop(self._heap)[2]
        del self._at[what]
        return what

    def postpone(self, by: float) -> None:
        """Everything is due that much later."""
        self._at = {what: at + by for what, at in self._at.items()}
        self._order()

    def _order(self) -> None:
        self._heap = [(at, next(self._number), what) for what, at in self._at.items()]
        heapq.heapify(self._heap)
