"""A folder and its records read from the disk into a `Picture`: what changed is looked at, settled, and taken over.

DIR/**/*.yaml, *.yml, *.json           manifests; names that begin with a dot are passed over
DIR/.herald/status/*.yaml              statuses             (status_file.py)
DIR/.herald/claims/*.json              addresses given      (claim_file.py)
DIR/.herald/first-seen.jsonl           creation times       (first_seen.py)
DIR/.herald/events.jsonl               events               (event_log.py)
DIR/.herald/*.lock                     who runs on it       (folder_lock.py)
"""

import asyncio
import os
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from herald.config.findings import ObjectKey
from herald.store import first_seen, folder_lock, status_file
from herald.store.catalogue import Reading
from herald.store.manifest_file import is_manifest, read_manifest
from herald.store.pace import Pace
from herald.store.picture import Picture, unreadable
from herald.store.settling import Settling, Signature

RECORDS = ".herald"
INLINE_OCTETS = 1 << 14


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything is in a folder."""

    directory: Path

    @property
    def records(self) -> Path:
        return self.directory / RECORDS

    @property
    def statuses(self) -> Path:
        return self.records / "status"

    @property
    def claims(self) -> Path:
        return self.records / "claims"

    @property
    def first_seen(self) -> Path:
        return self.records / "first-seen.jsonl"

    @property
    def events(self) -> Path:
        return self.records / "events.jsonl"

    def folders(self) -> list[Path]:
        """Every folder below in which something that concerns us may change, as far as they can be read."""
        visible = [Path(folder) for folder, _, _ in _walk(self.directory, onerror=None)]
        records = [folder for folder in (self.records, self.statuses) if folder.is_dir()]
        return [*visible[1:], *records]

    def is_manifest(self, path: Path) -> bool:
        parts = path.relative_to(self.directory).parts
        return is_manifest(path) and not any(part.startswith(".") for part in parts)

    def is_status(self, path: Path) -> bool:
        return path.parent == self.statuses and not path.name.startswith(".") and path.suffix == ".yaml"

    def concerns(self, path: Path) -> bool:
        """Whether a change of the path may matter. A ConfigMap's folder changes by renaming `..data`."""
        if not path.is_relative_to(self.directory):
            return False
        parts = path.relative_to(self.directory).parts
        if parts[:1] == (RECORDS,):
            return self.is_status(path) or path in (self.first_seen, self.statuses, self.records)
        return parts[-1:] == ("..data",) or not any(part.startswith(".") for part in parts)


class Folder:
    """What is on the disk, and how much of it is in `picture`."""

    def __init__(self, layout: Layout, picture: Picture) -> None:
        self._layout = layout
        self._picture = picture
        self._settling = Settling()
        self._signatures: dict[Path, Signature] = {}
        self._first_seen_read = (0, 0)

    def deadline(self) -> float | None:
        """When `take_over` has something to do, or None."""
        return self._settling.deadline()

    async def look(self, paths: Iterable[Path]) -> None:
        """These may have changed. Anything that is not a manifest or a record may be a folder that came or went."""
        others = False
        for path in sorted(paths):
            if path == self._layout.first_seen:
                self._read_first_seen()
            elif self._layout.is_status(path):
                self._read_status(path)
            elif path.is_relative_to(self._layout.records) or not self._layout.is_manifest(path):
                others = others or path.is_dir() or (not path.is_file() and self._held_below(path))
            else:
                self._note(path, signature(path))
        if others:
            await self.sweep()

    async def sweep(self) -> None:
        """Look at everything. A folder that cannot be read as a whole changes nothing."""
        try:
            found = await asyncio.to_thread(_scan, self._layout)
        except OSError as error:
            self._trouble(f"{error.strerror or error}: {error.filename or self._layout.directory}")
            return
        if self._is_blank(found):
            self._trouble("it is empty, without even the records in .herald: is it mounted?")
            return
        self._picture.put_trouble(None)
        pace = Pace()
        for path in found.keys() | self._signatures.keys():
            await pace.breathe()
            if self._signatures.get(path) != found.get(path):
                if self._layout.is_status(path):
                    self._read_status(path)
                else:
                    self._note(path, found.get(path))
        self._read_first_seen()

    async def take_all(self) -> None:
        """Take over everything at once: nothing is known yet that could be lost."""
        await self._take(self._settling.due(float("inf")), monotonic() + float("inf"))

    async def take_over(self) -> None:
        """Take over the files that have settled."""
        now = monotonic()
        due = self._settling.due(now)
        if any(seen is None for seen in due.values()) and self._is_blank({}):
            await self.sweep()
            return
        await self._take(due, now)

    async def _take(self, due: Mapping[Path, Signature | None], now: float) -> None:
        pace = Pace()
        for path, seen in sorted(due.items(), key=_text):  # Paths compare ten times as slowly as their texts
            present = signature(path)
            if present != seen:
                self._note(path, present)
            elif present is None:
                self._picture.remove_file(path)
                self._signatures.pop(path, None)
                self._settling.believe((path,))
            else:
                await self._take_file(path, present, now)
            await pace.breathe()

    async def _take_file(self, path: Path, seen: Signature, now: float) -> None:
        reading = _read(path) if seen[2] <= INLINE_OCTETS else await asyncio.to_thread(_read, path)
        if signature(path) != seen:
            self._note(path, signature(path))
        elif not (self._picture.would_lose(path, reading) and self._settling.doubt(path, now)):
            self._picture.put_file(path, reading)
            self._signatures[path] = seen
            self._settling.believe((path,))

    def _note(self, path: Path, present: Signature | None) -> None:
        if self._signatures.get(path) == present:
            self._settling.believe((path,))
        else:
            self._settling.seen(path, present, monotonic())

    def _read_status(self, path: Path) -> None:
        key = status_file.key_of(path)
        if key is None:
            return
        try:
            seen = signature(path)
            overlay = status_file.decode(path.read_bytes())
        except FileNotFoundError:
            self._signatures.pop(path, None)
            self._picture.put_overlay(key, None)
        except (OSError, status_file.StatusFileError) as error:
            self._picture.doubt_overlay(key, path, str(error))
        else:
            if seen is not None:
                self._signatures[path] = seen
            self._picture.put_overlay(key, overlay)

    def _read_first_seen(self) -> None:
        try:
            with self._layout.first_seen.open("rb") as file:
                inode, offset = self._first_seen_read
                status = os.fstat(file.fileno())
                file.seek(offset if status.st_ino == inode and status.st_size >= offset else 0)
                content = file.read()
                whole = content[: content.rfind(b"\n") + 1]
                self._first_seen_read = (status.st_ino, file.tell() - len(content) + len(whole))
        except OSError:
            return  # only the order of age is lost, and the next sweep reads it again
        self._picture.put_since(first_seen.decode(whole))

    def _is_blank(self, found: Collection[Path] | Mapping[Path, Signature]) -> bool:
        """Nothing is there, not even our records: such a folder was not emptied by an edit, it is not the folder.

        Locks are no records: whoever starts on a folder makes one, also where nothing is mounted yet.
        """
        records = self._layout.records
        return not found and not (
            records.is_dir() and any(path.suffix != folder_lock.SUFFIX for path in records.iterdir())
        )

    def _held_below(self, path: Path) -> bool:
        return any(known.is_relative_to(path) for known in self._signatures)

    def _trouble(self, text: str) -> None:
        key = file_key(self._layout.directory)
        self._picture.put_trouble(unreadable(f"the folder cannot be read: {text}; everything stays as it was", key))


def _text(item: tuple[Path, object]) -> str:
    return str(item[0])


def file_key(path: Path) -> ObjectKey:
    """Names a file in a Problem."""
    return ObjectKey("File", "", str(path))


def signature(path: Path) -> Signature | None:
    """What the file looks like, or None if there is none (or none that we may look at)."""
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_ino, status.st_mtime_ns, status.st_size)


def _read(path: Path) -> Reading:
    try:
        return read_manifest(path.read_bytes(), path)
    except OSError as error:
        problem = unreadable(error.strerror or str(error), file_key(path))
        return Reading(problems=(problem,), is_partial=True, is_unreadable=True)


def _scan(layout: Layout) -> dict[Path, Signature]:
    """Every manifest and status file. Raises OSError if any folder cannot be read."""
    found = {}
    for folder, _, names in _walk(layout.directory, onerror=_raise):
        for name in names:
            path = Path(folder, name)
            if layout.is_manifest(path) and (seen := signature(path)) is not None:
                found[path] = seen
    if layout.statuses.is_dir():
        for path in layout.statuses.iterdir():
            if layout.is_status(path) and (seen := signature(path)) is not None:
                found[path] = seen
    return found


def _walk(directory: Path, onerror: Callable[[OSError], None] | None) -> Iterable[tuple[str, list[str], list[str]]]:
    for folder, folders, names in os.walk(directory, onerror=onerror):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield folder, folders, names


def _raise(error: OSError) -> None:
    raise error
