"""Long work in short slices, so that an event loop is never held for long."""

import asyncio
from time import monotonic

SLICE_S = 0.002


class Pace:
    """Ask `breathe` between two pieces of work: it lets others run once this work has held the loop for a slice."""

    def __init__(self, slice_s: float = SLICE_S) -> None:
        self._slice_s = slice_s
        self._since = monotonic()

    @property
    def is_due(self) -> bool:
        """Whether the slice is used up."""
        return monotonic() - self._since >= self._slice_s

    async def breathe(self) -> None:
        if self.is_due:
            await asyncio.sleep(0)
            self._since = monotonic()
