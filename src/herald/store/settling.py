"""When a file that changed is believed: a machine without I/O.

Whoever writes a file in place leaves it cut for a moment, and an editor that renames makes it vanish for one. So a
file is read once it has been left alone for `SETTLE_S`; and if what it says then would *lose* something (objects gone,
the file gone, unreadable), it is read again and believed only after `LOSS_S`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

SETTLE_S = 0.010
LOSS_S = 0.250

Signature: TypeAlias = tuple[int, int, int]
"""Inode, modification time in nanoseconds, size: differs whenever a file was written or replaced."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    signature: Signature | None
    since: float
    until: float


class Settling:
    """The files that changed and are not believed yet. A signature of None means that there is no such file."""

    def __init__(self) -> None:
        self._waiting: dict[Path, _Waiting] = {}

    def seen(self, path: Path, signature: Signature | None, now: float) -> None:
        """The file looked like `signature` at `now`. Seen unchanged, it goes on settling."""
        known = self._waiting.get(path)
        if known is None or known.signature != signature:
            quiet = LOSS_S if signature is None else SETTLE_S
            self._waiting[path] = _Waiting(signature, now, now + quiet)

    def due(self, now: float) -> Mapping[Path, Signature | None]:
        """The files that have been quiet long enough to be read, with what they looked like."""
        return {path: entry.signature for path, entry in self._waiting.items() if entry.until <= now}

    def doubt(self, path: Path, now: float) -> bool:
        """What a due file says would lose something: whether to wait on. The caller believes it otherwise."""
        entry = self._waiting[path]
        if now >= entry.since + LOSS_S:
            return False
        self._waiting[path] = _Waiting(entry.signature, entry.since, entry.since + LOSS_S)
        return True

    def believe(self, paths: Iterable[Path]) -> None:
        """The files have been taken over; they wait no longer."""
        for path in paths:
            self._waiting.pop(path, None)

    def deadline(self) -> float | None:
        """When the next file is due, or None."""
        return min((entry.until for entry in self._waiting.values()), default=None)
