"""A store in memory, for tests: objects are put in and deleted by hand, writes are listed."""

import asyncio
from collections.abc import AsyncGenerator, Collection, Iterable, Mapping

from herald.cluster.meta import NamespacedName
from herald.config.findings import ObjectKey
from herald.config.problem import Problem
from herald.store.status_file import Overlay, laid_over
from herald.store.store import Changed, Changes, Claim, ClusterObject, Event, StatusPatch, StoreError, Synced


class MemoryStore:
    """Statuses written are laid over the objects, as the directory store does."""

    def __init__(self, objects: Iterable[ClusterObject] = ()) -> None:
        self._objects: dict[ObjectKey, ClusterObject] = {}
        self._overlays: dict[ObjectKey, Overlay] = {}
        self._problems: tuple[Problem, ...] = ()
        self._is_complete = True
        self._touched: set[ObjectKey] = set()
        self._stirred = asyncio.Event()
        self.claims: dict[NamespacedName, Claim] = {}
        self.events: list[Event] = []
        self.patches: list[StatusPatch] = []
        self.writes_allowed: float = float("inf")
        self.put(*objects)

    def put(self, *objects: ClusterObject) -> None:
        """Create or replace objects."""
        for item in objects:
            key = ObjectKey.of(item)
            self._objects[key] = item
            self._touched.add(key)
        self._stirred.set()

    def delete(self, *keys: ObjectKey) -> None:
        """Objects are gone, their statuses with them."""
        for key in keys:
            self._objects.pop(key, None)
            self._overlays.pop(key, None)
            self._touched.add(key)
        self._stirred.set()

    def wipe_status(self, *keys: ObjectKey) -> None:
        """Somebody else has emptied the status of objects."""
        for key in keys:
            self._overlays[key] = Overlay()
            self._touched.add(key)
        self._stirred.set()

    def report(self, *problems: Problem, is_complete: bool = True) -> None:
        """What is wrong from now on."""
        self._problems, self._is_complete = problems, is_complete
        self._stirred.set()

    def get(self, key: ObjectKey) -> ClusterObject | None:
        """The object with its status laid over."""
        item, overlay = self._objects.get(key), self._overlays.get(key)
        return laid_over(item, overlay) if item is not None and overlay is not None else item

    async def watch(self, kinds: Collection[str]) -> AsyncGenerator[Changes, None]:
        """See `Store.watch`."""
        self._touched.clear()
        self._stirred.clear()
        objects = (self.get(key) for key in sorted(self._objects) if key.kind in kinds)
        yield Synced(tuple(item for item in objects if item is not None), self._problems, self._is_complete)
        while True:
            await self._stirred.wait()
            self._stirred.clear()
            touched, self._touched = self._touched, set()
            found = {key: self.get(key) for key in sorted(touched) if key.kind in kinds}
            yield Changed(
                tuple(item for item in found.values() if item is not None),
                tuple(key for key, item in found.items() if item is None),
                self._problems,
                self._is_complete,
            )

    async def patch_status(self, patch: StatusPatch) -> str:
        """See `Store.patch_status`."""
        self._write()
        self.patches.append(patch)
        self._overlays[patch.about] = self._overlays.get(patch.about, Overlay()).patched(patch)
        self._touched.add(patch.about)
        self._stirred.set()
        return ""

    async def read_claims(self) -> Mapping[NamespacedName, Claim]:
        """See `Store.read_claims`."""
        return dict(self.claims)

    async def write_claim(self, service: NamespacedName, claim: Claim) -> None:
        """See `Store.write_claim`."""
        self._write()
        if claim:
            self.claims[service] = claim
        else:
            self.claims.pop(service, None)

    async def record_event(self, event: Event) -> None:
        """See `Store.record_event`."""
        self.events.append(event)

    def _write(self) -> None:
        """After `writes_allowed` more writes the store refuses all of them."""
        if self.writes_allowed <= 0:
            raise StoreError("the store refuses to be written")
        self.writes_allowed -= 1
