"""Which objects a folder of files holds: files in, differences of objects out. No I/O.

A file is a `Reading`. An object that is in two files counts from the last of them by path, and the other is reported.
Nothing is taken for gone because it cannot be read: a broken document keeps the last good version of its object, a file
that is broken as a whole keeps all of them.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from herald.config.findings import ObjectKey, problem, stays_in_force, with_consequence
from herald.config.problem import Problem, Severity
from herald.store.store import ClusterObject


@dataclass(frozen=True, slots=True)
class Reading:
    """What a file says. `broken` are the objects whose documents could not be understood but named them.

    `is_partial`: a part could not even be told to be this or that object, so that an object that is not in `objects`
    may well be in the file. `is_unreadable`: a part is no YAML at all, which also makes it partial.
    """

    objects: Mapping[ObjectKey, ClusterObject] = field(default_factory=dict)
    broken: frozenset[ObjectKey] = frozenset()
    problems: tuple[Problem, ...] = ()
    is_partial: bool = False
    is_unreadable: bool = False


GONE = Reading()
"""What a file says that is not there."""


class Catalogue:
    """The present objects of all files."""

    def __init__(self) -> None:
        self._files: dict[Path, Reading] = {}
        self._holders: dict[ObjectKey, tuple[Path, ...]] = {}
        self._never_whole: set[Path] = set()
        self._troubled: set[Path] = set()
        self._doubled: set[ObjectKey] = set()

    def __contains__(self, key: ObjectKey) -> bool:
        """Whether there is such an object."""
        return key in self._holders

    def get(self, key: ObjectKey) -> ClusterObject | None:
        """The object, its last good version if need be; None if there is none."""
        holders = self._holders.get(key)
        return self._files[holders[-1]].objects[key] if holders else None

    @property
    def is_complete(self) -> bool:
        """Whether every file could be read at least once, so that an absent object is absent."""
        return not self._never_whole

    def problems(self) -> tuple[Problem, ...]:
        """Everything that is wrong with the files now."""
        found = {problem for path in self._troubled for problem in self._files[path].problems}
        return tuple(
            sorted(
                found | {_doubled(key, self._holders[key]) for key in self._doubled}, key=lambda problem: problem.order
            )
        )

    def would_lose(self, path: Path, reading: Reading) -> bool:
        """Whether the file says less than it did: objects gone, or something in it not to be read."""
        if reading.is_partial or reading.broken:
            return True
        before = self._files.get(path, GONE)
        return bool(before.objects.keys() - reading.objects.keys())

    def put(self, path: Path, reading: Reading) -> set[ObjectKey]:
        """The file says this now. Returns the objects that are different, or gone."""
        before = self._files.get(path, GONE)
        after = _with_last_good(before, reading)
        self._note(path, before, after)
        touched = {
            key
            for key in before.objects.keys() | after.objects.keys()
            if before.objects.get(key) != after.objects.get(key)
        }
        shown = {key: self.get(key) for key in touched}
        self._files[path] = after
        for key in touched:
            self._hold(key, path, key in after.objects)
        return {key for key in touched if self.get(key) != shown[key]}

    def remove(self, path: Path) -> set[ObjectKey]:
        """The file is really gone. Returns the objects that are different, or gone with it."""
        changed = self.put(path, GONE)
        self._files.pop(path, None)
        return changed

    def _note(self, path: Path, before: Reading, after: Reading) -> None:
        if not after.is_unreadable:
            self._never_whole.discard(path)
        elif before is GONE:
            self._never_whole.add(path)
        (self._troubled.add if after.problems else self._troubled.discard)(path)

    def _hold(self, key: ObjectKey, path: Path, is_held: bool) -> None:
        holders = {*self._holders.get(key, ()), path} if is_held else {*self._holders.get(key, ())} - {path}
        if holders:
            self._holders[key] = tuple(sorted(holders))
        else:
            self._holders.pop(key, None)
        (self._doubled.add if len(holders) > 1 else self._doubled.discard)(key)


def _with_last_good(before: Reading, now: Reading) -> Reading:
    lost = before.objects.keys() - now.objects.keys()
    kept = lost if now.is_partial else lost & now.broken
    if not kept:
        return now
    objects = {**now.objects, **{key: before.objects[key] for key in kept}}
    return replace(now, objects=objects, problems=tuple(_with_past(each, kept) for each in now.problems))


def _with_past(found: Problem, kept: Collection[ObjectKey]) -> Problem:
    if found.kind == "File":
        return with_consequence(found, "What it held stays as it last was; a restart would leave that out.")
    is_kept = ObjectKey(found.kind, found.namespace, found.name) in kept
    return with_consequence(found, stays_in_force(found.kind)) if is_kept else found


def _doubled(key: ObjectKey, holders: tuple[Path, ...]) -> Problem:
    files = ", ".join(map(str, holders))
    message = f"is defined twice, in {files}; the one in {holders[-1]} counts, remove the other"
    return problem("HL204", key, "", message, Severity.WARNING)
