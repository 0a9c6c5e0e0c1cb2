"""When a packet came, by the kernel's own time stamp, in the monotonic seconds of an event loop."""

import struct
import time
from collections.abc import Callable
from typing import Final

SO_TIMESTAMPNS: Final = 35
"""The socket option, and the type of the message that brings the stamp."""
_TIME: Final = struct.Struct("qq")


class Arrival:
    """Turns the kernel's time of day into monotonic seconds.

    The clock of the day may be set meanwhile. What is certain is that a packet came after the queue was last seen
    empty, and before now.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._emptied_at = clock()

    def emptied(self) -> None:
        """Nothing waits now."""
        self._emptied_at = self._clock()

    def at(self, stamp: bytes | None) -> float:
        """When a packet came; now, if the kernel did not say."""
        now = self._clock()
        if stamp is None:
            return now
        seconds, nanoseconds = _TIME.unpack(stamp)
        age: float = time.time() - (seconds + nanoseconds / 1e9)
        return min(now, max(self._emptied_at, now - age))
