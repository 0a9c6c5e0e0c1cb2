"""What a folder says as a whole: manifests, with statuses laid over them and creation times filled in. No I/O.

Every change is put in as it is found; `batch` then says what became different since the batch before.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

from herald.config.findings import ObjectKey, problem
from herald.config.problem import Problem
from herald.store.catalogue import Catalogue, Reading
from herald.store.first_seen import dated
from herald.store.status_file import Overlay, StatusFileError, laid_over
from herald.store.store import Changed, ClusterObject, Synced


class Picture:
    """The objects of `kinds` as they were last told, and what has been touched since."""

    def __init__(self, kinds: Collection[str]) -> None:
        self._kinds = frozenset(kinds)
        self._catalogue = Catalogue()
        self._overlays: dict[ObjectKey, Overlay] = {}
        self._overlay_problems: dict[ObjectKey, Problem] = {}
        self._since: dict[ObjectKey, str] = {}
        self._trouble: Problem | None = None
        self._touched: set[ObjectKey] = set()
        self._forgotten: set[ObjectKey] = set()
        self._undated: set[ObjectKey] = set()
        self._unseen: set[ObjectKey] = set()
        self._told: dict[ObjectKey, ClusterObject] = {}
        self._told_state: tuple[tuple[Problem, ...], bool] = ((), True)

    def put_file(self, path: Path, reading: Reading) -> None:
        """The file says this now."""
        self._touch(self._catalogue.put(path, reading))

    def remove_file(self, path: Path) -> None:
        """The file is really gone."""
        self._touch(self._catalogue.remove(path))

    def would_lose(self, path: Path, reading: Reading) -> bool:
        """See `Catalogue.would_lose`."""
        return self._catalogue.would_lose(path, reading)

    def overlay(self, key: ObjectKey) -> Overlay:
        """The status file of the object as last read or written; an empty one if there is none."""
        return self._overlays.get(key, Overlay())

    def put_overlay(self, key: ObjectKey, overlay: Overlay | None) -> None:
        """The status file of the object says this; None: there is no such file."""
        self._overlay_problems.pop(key, None)
        if overlay is None:
            self._overlays.pop(key, None)
        else:
            self._overlays[key] = overlay
        self._touch((key,))

    def doubt_overlay(self, key: ObjectKey, path: Path, error: str) -> None:
        """The status file cannot be read: what it said last stays in force."""
        self._overlay_problems[key] = unreadable(f"status file {path}: {error}; what it said last stays in force", key)

    def put_since(self, notes: Mapping[ObjectKey, str | None]) -> None:
        """When objects were first seen; None: they were found gone."""
        for key, since in notes.items():
            if since is None:
                self._since.pop(key, None)
            else:
                self._since[key] = since
        self._touch(notes)

    def put_trouble(self, trouble: Problem | None) -> None:
        """The folder as a whole cannot be read, or can again (None)."""
        self._trouble = trouble

    def forget(self, keys: Iterable[ObjectKey]) -> None:
        """Objects that something was remembered of are known to be gone: tell so, and remember nothing."""
        for key in keys:
            self._forgotten.add(key)
            self.put_overlay(key, None)
            self.put_since({key: None})

    @property
    def since(self) -> Mapping[ObjectKey, str]:
        """When objects were first seen."""
        return self._since

    @property
    def unseen(self) -> frozenset[ObjectKey]:
        """Objects that something is remembered of and no manifest holds."""
        return frozenset(self._unseen)

    @property
    def undated(self) -> frozenset[ObjectKey]:
        """Objects that nobody has noted the first sight of."""
        return frozenset(self._undated)

    @property
    def is_complete(self) -> bool:
        """Whether every file could be read, so that what is absent is absent."""
        return self._catalogue.is_complete and self._trouble is None

    def holds(self, key: ObjectKey) -> bool:
        """Whether a manifest holds the object."""
        return key in self._catalogue

    def prepare(self) -> Iterator[None]:
        """Work out what `synced` is to tell, one object at a time: all at once would take long."""
        for key in sorted((key for key in self._touched if key.kind in self._kinds), key=_order):
            self._touched.discard(key)
            present = self._present(key)
            if present is not None:
                self._told[key] = present
            yield

    def synced(self) -> Synced:
        """Everything there is."""
        self.batch()
        return Synced(tuple(self._told.values()), *self._told_state)

    def batch(self) -> Changed | None:
        """What became different since the last call, or None if nothing did."""
        touched, self._touched = self._touched, set()
        objects: list[ClusterObject] = []
        deleted: list[ObjectKey] = []
        for key in sorted((key for key in touched if key.kind in self._kinds), key=_order):
            present = self._present(key)
            if present is None:
                if self._told.pop(key, None) is not None or key in self._forgotten:
                    deleted.append(key)
            elif present != self._told.get(key):
                self._told[key] = present
                objects.append(present)
        self._forgotten.clear()
        state = (self._problems(), self.is_complete)
        if not objects and not deleted and state == self._told_state:
            return None
        self._told_state = state
        return Changed(tuple(objects), tuple(deleted), *state)

    def _touch(self, keys: Iterable[ObjectKey]) -> None:
        for key in keys:
            self._touched.add(key)
            is_held = key in self._catalogue
            (self._undated.add if is_held and key not in self._since else self._undated.discard)(key)
            is_remembered = key in self._since or key in self._overlays
            (self._unseen.add if is_remembered and not is_held else self._unseen.discard)(key)

    def _present(self, key: ObjectKey) -> ClusterObject | None:
        item = self._catalogue.get(key)
        if item is None:
            return None
        overlay = self._overlays.get(key)
        if overlay is not None:
            try:
                item = laid_over(item, overlay)
            except StatusFileError as error:
                self._overlay_problems[key] = unreadable(
                    f"its status file is not a status of a {key.kind} ({error}); the manifest's own counts", key
                )
        return dated(item, self._since.get(key))

    def _problems(self) -> tuple[Problem, ...]:
        extra = (*self._overlay_problems.values(), *((self._trouble,) if self._trouble else ()))
        return (*self._catalogue.problems(), *sorted(extra, key=lambda problem: problem.order))


def _order(key: ObjectKey) -> tuple[str, str, str]:
    """The order of keys; sorting by it takes a tenth of the time that comparing them does."""
    return (key.kind, key.namespace, key.name)


def unreadable(message: str, key: ObjectKey) -> Problem:
    """HL200 about an object, or about a file (kind `File`)."""
    return problem("HL200", key, "", message)
