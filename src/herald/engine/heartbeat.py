"""Heartbeat: which speakers are alive, by files in a directory that all of them see.

It serves the directory store: a handful of nodes (ten, say) of one machine, as in the lab, or a host by itself. Real
clusters get gossip behind the same `herald.engine.membership.Membership`.

Every node writes `<directory>/<node>` each `WRITE_EVERY` seconds, replacing the file in one step: an instance and a
counter that advances, the usable interfaces of the node, or its farewell (`herald.engine.beat`). Changed interfaces go
out with the next beat, `SAMPLE_EVERY` seconds later at most; however often they change, no beat follows sooner.

A node is alive once its file is seen to *change*: a file that a dead speaker left behind is not trusted. It is gone
at once when the file says `left`, and otherwise when the file did not change, or was not there, for `DEAD_AFTER`
seconds *and* for `DEAD_SAMPLES` looks at it. The second condition keeps a reader that was itself held up (a stopped
process, a machine without time to run it) from declaring everybody else dead when it wakes. A file whose interfaces
cannot be believed is a beat all the same; the node then counts as one whose interfaces are not known.

Where the folder cannot be read or written, the silence of the others says nothing about them: most likely none of them
can either. So nobody is gone as long as that lasts, except by its own word, and after it everybody has as long as a
beat may take before it is judged. A folder that was removed is made again (`herald.engine.beat_folder`).

The file of a node that has not been alive for `FORGET_AFTER` seconds is removed by whoever looks. Should that node only
have been held up, its next beat makes the file anew, and it is alive again with the one after.

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
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from herald.engine import beat, show
from herald.engine.beat_folder import BeatFolder
from herald.engine.membership import Members, Notes, UsableNames

WRITE_EVERY: Final = 0.15
SAMPLE_EVERY: Final = 0.05
DEAD_AFTER: Final = 0.6
DEAD_SAMPLES: Final = 9
"""Looks without a change before a node counts as dead; at one each 50 ms there are twelve in `DEAD_AFTER` seconds."""
FORGET_AFTER: Final = 60.0
_COMPLAIN_EVERY: Final = 60.0
CALM: Final = 1.0
"""Seconds without trouble after which a folder counts as in order."""

_log: Final = logging.getLogger("herald.engine.heartbeat")


_Told: TypeAlias = tuple[Members, Mapping[str, bytes], frozenset[str]]
"""Who is alive, the notes of those, and who said farewell."""


@dataclass(slots=True)
class _Seen:
    """The last content of a node's file, when it first stood there, and the looks that have found it unchanged.

    `complaint` is what is wrong with its interfaces, if something is.
    """

    content: str
    since: float
    alive: bool
    interfaces: UsableNames
    complaint: str | None
    unchanged: int = 0


class Liveness:
    """Who is alive, from successive looks at the directory. No clock and no files: both are given in."""

    def __init__(self, node: str) -> None:
        self._node = node
        self._seen: dict[str, _Seen] = {}

    def look(self, contents: Mapping[str, str], now: float) -> dict[str, UsableNames]:
        """The members and what they say of their interfaces, given what every node's file contains at `now`."""
        for node in self._seen.keys() - contents.keys():
            self._miss(node, now)
        for node, content in contents.items():
            self._look_at(node, content, now)
        return self.members()

    def members(self) -> dict[str, UsableNames]:
        """The members as of the last look."""
        return {self._node: None} | {node: seen.interfaces for node, seen in self._seen.items() if seen.alive}

    def excuse(self, now: float) -> None:
        """Whoever is alive is not judged by its silence until `now`: nobody could have been heard."""
        for seen in self._seen.values():
            if seen.alive:
                seen.since, seen.unchanged = now, 0

    def notes(self) -> dict[str, bytes]:
        """What the members told by their notes at the last look."""
        return {node: beat.note_of(seen.content) for node, seen in self._seen.items() if seen.alive}

    def farewells(self) -> frozenset[str]:
        """The nodes that said farewell, and nothing since."""
        return frozenset(node for node, seen in self._seen.items() if beat.is_farewell(seen.content))

    def complaints(self) -> dict[str, str]:
        """The nodes whose interfaces cannot be believed, and why."""
        return {node: seen.complaint for node, seen in self._seen.items() if seen.complaint is not None}

    def forgotten(self, now: float) -> list[str]:
        """The other nodes whose file has stood unchanged for so long that it can go."""
        return [
            node
            for node, seen in self._seen.items()
            if node != self._node and not seen.alive and now - seen.since >= FORGET_AFTER
        ]

    def _look_at(self, node: str, content: str, now: float) -> None:
        seen = self._seen.get(node)
        if seen is None or content != seen.content:
            alive = seen is not None and not beat.is_farewell(content)
            self._seen[node] = _Seen(content, now, alive, *_read_interfaces(content))
        else:
            _count_silence(seen, now)

    def _miss(self, node: str, now: float) -> None:
        """Its file is not there: whoever lives writes it again."""
        if self._seen[node].alive:
            _count_silence(self._seen[node], now)
        else:
            del self._seen[node]


def _count_silence(seen: _Seen, now: float) -> None:
    seen.unchanged += 1
    if now - seen.since >= DEAD_AFTER and seen.unchanged >= DEAD_SAMPLES:
        seen.alive = False


def _read_interfaces(content: str) -> tuple[UsableNames, str | None]:
    try:
        return beat.interfaces_of(content), None
    except beat.GarbledBeatError as error:
        return None, str(error)


@dataclass(frozen=True, slots=True)
class _Trouble:
    """Why the folder cannot be used, since when, and when that was last so."""

    why: str
    since: float
    last: float


class Heartbeat:
    """A `Membership` over a directory. Made and used in the loop's thread."""

    def __init__(self, directory: Path, node: str, on_change: Callable[[], None]) -> None:
        """Starts at once. Raises ValueError for a node that cannot name a file, OSError without a directory."""
        if not node or node.startswith(".") or "/" in node:
            raise ValueError(f'node name "{node}": it cannot name a heartbeat file')
        self._folder = BeatFolder(directory)
        self._node = node
        self._on_change = on_change
        self._loop = asyncio.get_running_loop()
        self._members: Members = {node: None}
        self._notes: Mapping[str, bytes] = {}
        self._farewells: frozenset[str] = frozenset()
        self._offered: UsableNames = None
        self._note = b""
        self._is_away = False
        self._instance = os.urandom(4).hex()
        self._asked = 0
        self._answered = 0
        self._stop = threading.Event()
        self._not_written: str | None = None
        self._trouble: _Trouble | None = None
        self._complained: dict[str, float] = {}
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        self._thread.start()

    def members(self) -> Members:
        """See `Membership.members`."""
        return {**self._members, self._node: self._offered}

    def document(self) -> list[dict[str, Any]]:
        """What `herald show members` tells; where the folder cannot be used, with `stale`: why, and since when."""
        rows: list[dict[str, Any]] = show.members(self.members(), self.notes())
        trouble = self._trouble
        if trouble is None:
            return rows
        stale = {"problem": trouble.why, "since": round(time.monotonic() - trouble.since, 3)}
        return [{**row, "stale": stale} for row in rows]

    def has_left(self, node: str) -> bool:
        """See `Membership.has_left`."""
        return node in self._farewells

    def offer(self, interfaces: frozenset[str]) -> None:
        """See `Membership.offer`."""
        if interfaces != self._offered:
            self._offered = interfaces
            _log_interfaces(self._node, interfaces)
            self._on_change()

    def ready(self) -> None:
        """See `Membership.ready`. Beats do not tell: the nodes of one machine are counted from the first one on."""
        self._is_away = False

    def away(self) -> None:
        """See `Membership.away`: the others read that this node has no usable interface."""
        self._is_away = True

    def _to_tell(self) -> tuple[UsableNames, bytes]:
        """What the next beat says."""
        return frozenset() if self._is_away else self._offered, self._note

    def notes(self) -> Notes:
        """See `Membership.notes`: who writes beats is Herald's."""
        return {**dict.fromkeys(self._members, b""), **self._notes, self._node: self._note}

    def tell(self, note: bytes) -> None:
        """See `Membership.tell`."""
        if note != self._note:
            self._note = note
            self._on_change()

    def join(self, addresses: tuple[str, ...]) -> None:
        """Does nothing: who is there is seen in the directory."""

    async def leave(self) -> None:
        """See `Membership.leave`: returns when the file says `left`."""
        self._stop.set()
        await asyncio.to_thread(self._thread.join)

    # In the loop's thread.

    def _pulse(self, number: int) -> None:
        self._answered = number

    def _changed(self, seen: _Told) -> None:
        members, self._notes, self._farewells = seen
        before, self._members = self._members, members
        came, went = members.keys() - before.keys(), before.keys() - members.keys()
        if came or went:
            _log.info(
                "live speakers are now %s",
                ", ".join(sorted(members)),
                extra={"event": "membersChanged", "joined": sorted(came), "left": sorted(went)},
            )
        for node in sorted(went):
            _log_end(node, said_farewell=node in self._farewells)
        for node in sorted(members.keys() - {self._node}):
            if members[node] != before.get(node):
                _log_interfaces(node, members[node])
        self._on_change()

    # In the heartbeat's thread.

    def _run(self) -> None:
        liveness = Liveness(self._node)
        told: _Told = {self._node: None}, {}, frozenset()
        write_at, written = time.monotonic(), self._to_tell()
        while not self._stop.wait(SAMPLE_EVERY):
            now = time.monotonic()
            offered = self._to_tell()
            if now >= write_at or offered != written:
                self._beat(*offered)
                write_at, written = now + WRITE_EVERY - SAMPLE_EVERY / 2, offered
            self._look(liveness, now)
            members = {**liveness.members(), self._node: None}
            self._complain(liveness.complaints(), now)
            for node in liveness.forgotten(now):
                self._folder.remove(node)
            notes = {node: note for node, note in liveness.notes().items() if node != self._node}
            if (seen := (members, notes, liveness.farewells())) != told:
                told = seen
                self._call(self._changed, told)
        self._write(beat.LEFT)
        if self._not_written is not None:
            self._note_trouble(self._not_written, liveness.members(), time.monotonic())

    def _look(self, liveness: Liveness, now: float) -> None:
        beats: Mapping[str, str] | None = None
        not_read = None
        try:
            beats = self._folder.read()
        except OSError as error:
            not_read = f"{self._folder.path} cannot be read: {error.strerror}"
        self._note_trouble(not_read or self._not_written, liveness.members(), now)
        if not_read or self._not_written:
            liveness.excuse(now)
        if beats is not None:
            liveness.look(beats, now)

    def _note_trouble(self, why: str | None, members: Iterable[str], now: float) -> None:
        """Say once that the folder cannot be used, and once that it can again, for `CALM` seconds by now.

        One that fails now and then, as over a bad network, is not said for each time.
        """
        before = self._trouble
        if why is not None and before is None:
            kept = ", ".join(sorted({*members, self._node}))
            text = "heartbeats: %s; until that works nobody is taken for gone: live speakers stay %s"
            _log.error(text, why, kept, extra={"event": "heartbeatFailed", "error": why})
        if why is None and before is not None and now - before.last >= CALM:
            text, lasted = "heartbeats: %s can be read and written again, after %.1f s", before.last - before.since
            _log.info(text, self._folder.path, lasted, extra={"event": "heartbeatRestored", "lasted": round(lasted, 3)})
            self._trouble = None
        elif why is not None:
            self._trouble = _Trouble(why, now if before is None else before.since, now)

    def _complain(self, complaints: Mapping[str, str], now: float) -> None:
        """Say whose interfaces cannot be believed, of each node once a minute at most."""
        self._complained = {node: at for node, at in self._complained.items() if now - at < _COMPLAIN_EVERY}
        for node in complaints.keys() - self._complained.keys():
            self._complained[node] = now
            _log.warning(
                "the interfaces in the heartbeat of %s are not believed, it counts as having all of them: %s",
                node,
                complaints[node],
                extra={"event": "heartbeatGarbled", "node": node, "error": complaints[node]},
            )

    def _beat(self, interfaces: UsableNames, note: bytes) -> None:
        if self._answered == self._asked:
            self._asked += 1
            self._write(beat.encode(self._instance, self._asked, interfaces, note))
            self._call(self._pulse, self._asked)

    def _call(self, callback: Callable[..., None], argument: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop was closed under us: the process is ending
            self._loop.call_soon_threadsafe(callback, argument)

    def _write(self, content: str) -> None:
        self._not_written = None
        try:
            self._folder.write(self._node, content)
        except OSError as error:
            self._not_written = f"{self._folder.path} cannot be written: {error.strerror}"


def _log_end(node: str, *, said_farewell: bool) -> None:
    """In the words of gossip."""
    if said_farewell:
        _log.info("%s: by its own word", node, extra={"event": "memberLeft", "member": node})
    else:
        _log.warning("%s: its heartbeat has ended", node, extra={"event": "memberDied", "member": node})


def _log_interfaces(node: str, interfaces: UsableNames) -> None:
    names = None if interfaces is None else sorted(interfaces)
    words = "not known" if names is None else ", ".join(names) or "none"
    extra = {"event": "usableInterfacesChanged", "node": node, "interfaces": names}
    _log.info("usable interfaces of %s are now: %s", node, words, extra=extra)
