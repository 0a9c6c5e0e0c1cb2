"""What is to stand in the cluster about this node, what does stand there, and the next write that brings them together.

    want · complete     ──▶ ┐
    found · gone · list ──▶ ┴ book ──▶ next(now) ──▶ Write or Remove, performed ──▶ done or failed

Where both agree there is nothing to write, however often either is told. A burst about one object is one write: the
latest. Nothing is written of a kind before it is known which objects there are, and nothing is removed before the wish
is known whole. Whoever undoes what is written here is answered ever more slowly. No I/O; `now` is monotonic seconds.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from herald.speaker.status_object import Essence, Found, StatusKind

SPACING_S: Final = 1.0
"""Least time between two writes of one object."""
UNHURRIED_S: Final = 10.0
"""The same where only a number or a text is different."""
ECHO_S: Final = 5.0
"""How long the watch may take to show what was written; until then it may still show what was there before."""
MEMORY_S: Final = 900.0
"""Whoever undoes a write later than this is answered as if it were the first time."""
LONGEST_REVERT_S: Final = 300.0
LONGEST_RETRY_S: Final = 60.0
_MOST_DOUBLINGS: Final = 12


@dataclass(frozen=True, slots=True)
class Slot:
    """The place of one object: there is to be one, or none."""

    kind: StatusKind
    subject: str


@dataclass(frozen=True, slots=True)
class Write:
    """Make the object called `name` so; `name` is None where a new one is to be made. `before` is what stood there."""

    slot: Slot
    essence: Essence
    name: str | None = None
    before: Essence | None = None


@dataclass(frozen=True, slots=True)
class Remove:
    """Remove the object called `name`."""

    slot: Slot
    name: str


Action: TypeAlias = Write | Remove


@dataclass(slots=True)
class _Recent:
    """What was lately done about a slot. `awaited`: the watch has not shown `essence` yet."""

    written_at: float = float("-inf")
    essence: Essence | None = None
    awaited: bool = False
    reverts: int = 0
    failures: int = 0
    retry_at: float = float("-inf")


class StatusBook:
    """The wish and the finding, slot by slot."""

    def __init__(self) -> None:
        self._wanted: dict[Slot, Essence] = {}
        self._found: dict[Slot, tuple[Found, ...]] = {}
        self._slot_of: dict[tuple[StatusKind, str], Slot] = {}
        self._listed: set[StatusKind] = set()
        self._complete: set[StatusKind] = set()
        self._due: dict[StatusKind, dict[Slot, None]] = {kind: {} for kind in StatusKind}
        self._unhurried: set[Slot] = set()
        self._recent: dict[Slot, _Recent] = {}
        self._later: dict[Slot, float] = {}
        self._earliest = float("inf")

    def want(self, slot: Slot, essence: Essence | None, *, hurried: bool = True) -> None:
        """There is to be this object; with None, none."""
        if self._wanted.get(slot) == essence:
            return
        had_nothing_to_write = self._action(slot) is None
        if essence is None:
            del self._wanted[slot]
        else:
            self._wanted[slot] = essence
        if hurried:
            self._unhurried.discard(slot)
        elif had_nothing_to_write:
            self._unhurried.add(slot)
        self._mark(slot)

    def wanted(self, slot: Slot) -> Essence | None:
        """What is to be there."""
        return self._wanted.get(slot)

    def subjects(self, kind: StatusKind) -> Iterator[str]:
        """The subjects of all that is wanted of a kind."""
        return (slot.subject for slot in self._wanted if slot.kind is kind)

    def complete(self, kind: StatusKind) -> None:
        """All that is wanted of the kind has been said: what is not wanted may be removed from now on."""
        if kind not in self._complete:
            self._complete.add(kind)
            self._mark_all(kind)

    def list(self, kind: StatusKind, objects: Iterable[tuple[str, Found]]) -> None:
        """These (subject, object) are all that this node has of the kind."""
        present = {item.name: (Slot(kind, subject), item) for subject, item in objects}
        for name in [name for known, name in self._slot_of if known is kind and name not in present]:
            self.gone(kind, name)
        for slot, item in present.values():
            self.found(slot, item)
        if kind not in self._listed:
            self._listed.add(kind)
            self._mark_all(kind)

    def found(self, slot: Slot, item: Found) -> None:
        """The object is there, and like this."""
        before = self._slot_of.get((slot.kind, item.name))
        if before is not None and before != slot:  # somebody has changed its labels
            self.gone(slot.kind, item.name)
        self._slot_of[slot.kind, item.name] = slot
        others = (one for one in self._found.get(slot, ()) if one.name != item.name)
        self._found[slot] = tuple(sorted((*others, item), key=lambda one: one.name))
        recent = self._recent.get(slot)
        if recent is not None and recent.essence == item.essence and item.is_exact:
            recent.awaited = False
        self._mark(slot)

    def gone(self, kind: StatusKind, name: str) -> None:
        """There is no such object any more."""
        slot = self._slot_of.pop((kind, name), None)
        if slot is None:
            return
        left = tuple(one for one in self._found[slot] if one.name != name)
        if left:
            self._found[slot] = left
        else:
            del self._found[slot]
        self._mark(slot)

    def has(self, slot: Slot) -> bool:
        """Whether an object of this slot is there."""
        return slot in self._found

    @property
    def has_due(self) -> bool:
        """Whether `next` has something to look at."""
        return any(self._due[kind] for kind in self._listed)

    def next(self, now: float) -> Action | None:
        """The next write, or None if there is none at this moment. Tell `done` or `failed` before asking again."""
        self._bring_forward(now)
        for kind in StatusKind:
            due = self._due[kind]
            while kind in self._listed and due:
                slot = next(iter(due))
                del due[slot]
                action = self._action(slot)
                if action is None:
                    self._unhurried.discard(slot)
                elif (not_before := self._not_before(slot)) > now:
                    self._defer(slot, not_before)
                else:
                    return action
        return None

    def deadline(self) -> float | None:
        """When `next` may have something to do that it has not now."""
        return self._earliest if self._later else None

    @property
    def put_off(self) -> int:
        """How many slots are to be looked at later."""
        return len(self._later)

    def is_complete(self, kind: StatusKind) -> bool:
        """Whether all that is wanted of the kind has been said."""
        return kind in self._complete

    def done(self, action: Action, now: float) -> None:
        """It is written. The watch will show it soon."""
        slot = action.slot
        recent = self._recent.setdefault(slot, _Recent())
        recent.failures = 0
        if isinstance(action, Remove):
            self.gone(slot.kind, action.name)
        if isinstance(action, Write) or slot not in self._wanted:  # otherwise one too many is gone, no more
            essence = action.essence if isinstance(action, Write) else None
            is_revert = recent.essence == essence and now - recent.written_at < MEMORY_S
            recent.reverts = recent.reverts + 1 if is_revert else 0
            recent.written_at, recent.essence, recent.awaited = now, essence, isinstance(action, Write)
            self._unhurried.discard(slot)
        self._defer(slot, now + ECHO_S)
        self._mark(slot)

    def failed(self, action: Action, now: float) -> None:
        """It could not be written; the same, or what is wanted by then, is tried again later."""
        recent = self._recent.setdefault(action.slot, _Recent())
        recent.failures += 1
        recent.retry_at = now + min(SPACING_S * 2 ** min(recent.failures - 1, _MOST_DOUBLINGS), LONGEST_RETRY_S)
        self._mark(action.slot)

    def _mark(self, slot: Slot) -> None:
        self._due[slot.kind].setdefault(slot)

    def _mark_all(self, kind: StatusKind) -> None:
        for slot in (*self._wanted, *self._found):
            if slot.kind is kind:
                self._mark(slot)

    def _defer(self, slot: Slot, until: float) -> None:
        if until < self._later.get(slot, float("inf")):
            self._later[slot] = until
            self._earliest = min(self._earliest, until)

    def _bring_forward(self, now: float) -> None:
        if now < self._earliest:
            return
        for slot in [slot for slot, until in self._later.items() if until <= now]:
            del self._later[slot]
            self._look_again(slot, now)
            self._mark(slot)
        self._earliest = min(self._later.values(), default=float("inf"))

    def _look_again(self, slot: Slot, now: float) -> None:
        """Believe the watch again, and forget what is long past; until then look again."""
        recent = self._recent.get(slot)
        if recent is None:
            return
        forget_at = max(recent.written_at + MEMORY_S, recent.retry_at)
        if now < recent.written_at + ECHO_S:
            self._defer(slot, recent.written_at + ECHO_S)
            return
        recent.awaited = False
        if now < forget_at:
            self._defer(slot, forget_at)
        elif recent.failures == 0 or self._action(slot) is None:
            del self._recent[slot]

    def _not_before(self, slot: Slot) -> float:
        recent = self._recent.get(slot)
        if recent is None:
            return float("-inf")
        spacing = UNHURRIED_S if slot in self._unhurried else SPACING_S
        if recent.reverts and self._wanted.get(slot) == recent.essence:
            spacing = min(SPACING_S * 2 ** min(recent.reverts, _MOST_DOUBLINGS), LONGEST_REVERT_S)
        return max(recent.written_at + spacing, recent.retry_at)

    def _action(self, slot: Slot) -> Action | None:
        wanted, found = self._wanted.get(slot), self._found.get(slot, ())
        if wanted is None:
            return Remove(slot, found[0].name) if found and slot.kind in self._complete else None
        keeper = next((one for one in found if one.essence == wanted and one.is_exact), found[0] if found else None)
        surplus = next((one for one in found if one is not keeper), None)
        if surplus is not None:
            return Remove(slot, surplus.name)
        recent = self._recent.get(slot)
        if recent is not None and recent.awaited:
            is_right = recent.essence == wanted
        else:
            is_right = keeper is not None and keeper.essence == wanted and keeper.is_exact
        if is_right:
            return None
        before = keeper.essence if keeper else None
        if recent is not None and recent.awaited:
            before = recent.essence
        return Write(slot, wanted, keeper.name if keeper else None, before)
