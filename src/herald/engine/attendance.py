"""Whether control is there, by what comes over the link: without it this node follows no election.

    here ──no connection for GONE_S──────────────────────┐
         ──connected, and no whole wish for UNWISHED_S───┼─▶ away ──the whole wish of a connection is in force──▶ here
         ──it gave signs, and none more for SILENT_S─────┘
             its connection is closed as well, so that it tells all anew if it only was held up;
             where it has not connected END_S after its last sign it hangs, and is to be ended
         ──none has connected END_S after the first look, as where this process was started again beside one that hangs:
             it is to be ended, once

A speaker that is away stands for no election, or what it is elected for would be nobody's as long as it takes. What it
answers for already it keeps until somebody else does, however long that takes (`herald.layer2.handover`).

All of this is slow on purpose. Control runs after everything else on a busy machine, so that it is late says little;
and a control that has been started again reads the whole cluster before it wishes anything. It connects before
it reads: that none has connected for long says that it hangs, however large the cluster. Signs are any message after
the first `Pulse`; who never sends one is not expected to. What this process itself misses while it is held up does not
count: where it looks later than `LATE_S`, all clocks are put forward by that.
"""

import enum
from typing import Final

LOOK_S: Final = 1.0
"""How often to look."""
LATE_S: Final = 3.0
GONE_S: Final = 5.0
SILENT_S: Final = 10.0
UNWISHED_S: Final = 30.0
END_S: Final = 30.0


class News(enum.Enum):
    """What a look finds; told once."""

    AWAY = enum.auto()
    CLOSE = enum.auto()
    """Close the connection of that silent control."""
    END = enum.auto()
    """It hangs: have it ended."""


class Attendance:
    """Of the newest connection. No clock: `now` is given in, in seconds."""

    def __init__(self) -> None:
        self._connected = False
        self._wished = False
        self._left: float | None = None
        """Since when no whole wish of a living control is in force; None: one is, or none ever was."""
        self._sign: float | None = None
        self._hangs: float | None = None
        self._looked: float | None = None
        self._away: str | None = None

    @property
    def away(self) -> str | None:
        """Why control counts as away, in words; None: it is here, or never was."""
        return self._away

    def connected(self) -> None:
        """There is another connection."""
        self._connected, self._wished = True, False
        self._sign = self._hangs = None

    def lost(self, now: float) -> None:
        """And now there is none."""
        if self._wished:
            self._left = now
        self._connected = self._wished = False
        self._sign = None

    def heard(self, now: float, *, is_pulse: bool = False) -> None:
        """Something came."""
        if is_pulse or self._sign is not None:
            self._sign = now

    def wished(self) -> None:
        """The whole wish of this connection is in force."""
        self._wished, self._left, self._away = True, None, None

    def look(self, now: float) -> list[News]:
        """To be called every `LOOK_S`."""
        if self._looked is None and not self._connected:
            self._hangs = now
        self._forgive(now)
        found = []
        if self._sign is not None and now >= self._sign + SILENT_S:
            found.append(News.CLOSE)
            self._hangs, self._sign = self._sign, None
            if self._wished:
                found += self._is_away(f"connected, and silent for {SILENT_S:.0f} s")
        elif self._left is not None and now >= self._left + (UNWISHED_S if self._connected else GONE_S):
            words = f"connected, and without a wish for {UNWISHED_S:.0f} s"
            found += self._is_away(words if self._connected else f"not connected for {GONE_S:.0f} s")
        if self._hangs is not None and now >= self._hangs + END_S:
            found.append(News.END)
            self._hangs = None
        return found

    def _is_away(self, why: str) -> list[News]:
        if self._away is not None:
            return []
        self._away = why
        return [News.AWAY]

    def _forgive(self, now: float) -> None:
        looked, self._looked = self._looked, now
        if looked is not None and now - looked > LATE_S:
            gap = now - looked
            self._left, self._sign, self._hangs = (
                None if at is None else at + gap for at in (self._left, self._sign, self._hangs)
            )
