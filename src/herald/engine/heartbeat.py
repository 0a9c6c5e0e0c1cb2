"""Heartbeat: which speakers are alive, by files in a directory that all of them see.

It serves the directory store: a handful of nodes (ten, say) of one machine, as in the lab, or a host by itself. Real
clusters get gossip behind the same `herald.engine.membership.Membership`.

Every node writes `<directory>/<node>` each `WRITE_EVERY` seconds, replacing the file in one step:

    7f3a9c21 1042        an instance of this node's speaker, and a counter
    left                 it said farewell

A node is alive once its file is seen to *change*: a file that a dead speaker left behind is not trusted. It is gone
at once when the file says `left` or disappears, and otherwise when the file did not change for `DEAD_AFTER` seconds
*and* for `DEAD_SAMPLES` looks at it. The second condition keeps a reader that was itself held up (a stopped process, a
machine without time to run it) from declaring everybody else dead when it wakes.

A thread does the reading and writing, because a slow disk must not hold up the loop that answers ARP. But it beats for
the loop, not for itself: it writes a new count only after the loop has answered the last one. A speaker whose loop is
stuck is dead to the others, as it should be.
"""

import asyncio
import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

WRITE_EVERY: Final = 0.15
SAMPLE_EVERY: Final = 0.05
DEAD_AFTER: Final = 0.6
DEAD_SAMPLES: Final = 9
"""Looks without a change before a node counts as dead; at one each 50 ms there are twelve in `DEAD_AFTER` seconds."""
LEFT: Final = "left"
_LARGEST_BEAT: Final = 64

_log: Final = logging.getLogger("herald.engine.heartbeat")


@dataclass(slots=True)
class _Seen:
    """The last content of a node's file, when it first stood there, and the looks that have found it unchanged."""

    content: str
    since: float
    unchanged: int
    alive: bool


class Liveness:
    """Who is alive, from successive looks at the directory. No clock and no files: both are given in."""

    def __init__(self, node: str) -> None:
        self._node = node
        self._seen: dict[str, _Seen] = {}

    def look(self, contents: Mapping[str, str], now: float) -> frozenset[str]:
        """The members, given what every node's file contains at `now`."""
        for gone in self._seen.keys() - contents.keys():
            del self._seen[gone]
        for node, content in contents.items():
            self._look_at(node, content, now)
        return frozenset(node for node, seen in self._seen.items() if seen.alive) | {self._node}

    def _look_at(self, node: str, content: str, now: float) -> None:
        seen = self._seen.get(node)
        if seen is None:
            self._seen[node] = _Seen(content, now, 0, alive=False)
        elif content != seen.content:
            self._seen[node] = _Seen(content, now, 0, alive=content != LEFT)
        else:
            seen.unchanged += 1
            if now - seen.since >= DEAD_AFTER and seen.unchanged >= DEAD_SAMPLES:
                seen.alive = False


class Heartbeat:
    """A `Membership` over a directory. Made and used in the loop's thread."""

    def __init__(self, directory: Path, node: str, on_change: Callable[[], None]) -> None:
        """Starts at once. Raises ValueError for a node that cannot name a file, OSError without a directory."""
        if not node or node.startswith(".") or "/" in node:
            raise ValueError(f'node name "{node}": it cannot name a heartbeat file')
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._node = node
        self._on_change = on_change
        self._loop = asyncio.get_running_loop()
        self._members = frozenset({node})
        self._instance = os.urandom(4).hex()
        self._asked = 0
        self._answered = 0
        self._stop = threading.Event()
        self._write_failed = False
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        self._thread.start()

    def members(self) -> frozenset[str]:
        """See `Membership.members`."""
        return self._members

    async def leave(self) -> None:
        """See `Membership.leave`: returns when the file says `left`."""
        self._stop.set()
        await asyncio.to_thread(self._thread.join)

    # In the loop's thread.

    def _pulse(self, number: int) -> None:
        self._answered = number

    def _changed(self, members: frozenset[str]) -> None:
        came, went = members - self._members, self._members - members
        self._members = members
        _log.info(
            "live speakers are now %s",
            ", ".join(sorted(members)),
            extra={"event": "membersChanged", "joined": sorted(came), "left": sorted(went)},
        )
        self._on_change()

    # In the heartbeat's thread.

    def _run(self) -> None:
        liveness = Liveness(self._node)
        told = frozenset({self._node})
        write_at = time.monotonic()
        while not self._stop.wait(SAMPLE_EVERY):
            now = time.monotonic()
            if now >= write_at:
                self._beat()
                write_at = now + WRITE_EVERY - SAMPLE_EVERY / 2
            members = liveness.look(read_beats(self._directory), now)
            if members != told:
                told = members
                self._call(self._changed, members)
        self._write(LEFT)

    def _beat(self) -> None:
        if self._answered == self._asked:
            self._asked += 1
            self._write(f"{self._instance} {self._asked}")
            self._call(self._pulse, self._asked)

    def _call(self, callback: Callable[..., None], argument: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop was closed under us: the process is ending
            self._loop.call_soon_threadsafe(callback, argument)

    def _write(self, beat: str) -> None:
        new = self._directory / f".{self._node}.new"
        try:
            new.write_text(beat)
            new.replace(self._directory / self._node)
        except OSError as error:
            if not self._write_failed:  # once; the others will take this node for dead
                _log.error("cannot write the heartbeat: %s", error, extra={"event": "heartbeatFailed"})
            self._write_failed = True
        else:
            self._write_failed = False


def read_beats(directory: Path) -> dict[str, str]:
    """What every node's file contains now. A directory that cannot be read is as if nobody were there."""
    beats = {}
    with contextlib.suppress(OSError):
        for entry in os.scandir(directory):
            if not entry.name.startswith("."):
                with contextlib.suppress(OSError), Path(entry.path).open("rb") as file:
                    beats[entry.name] = file.read(_LARGEST_BEAT).decode("ascii", "replace").strip()
    return beats
