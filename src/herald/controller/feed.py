"""One watch for all who need it in the controller's process: webhooks in every replica, allocation in the leader.

store ──watch──▶ Feed ──▶ cache, for webhooks, metrics and peers' statuses
                   └────▶ whoever watches the Feed: all there is, then what changes

A watch may lag behind without knowing: its connection is dead and nobody has said so yet, or what it tells is history.
To a webhook that does not matter. Whoever is about to give addresses asks to have everything listed anew before.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from contextlib import aclosing

from herald.cluster.meta import NamespacedName
from herald.store.cache import Cache
from herald.store.store import Changes, Claim, Event, StatusPatch, Store, Synced


class Feed:
    """A store on `inner`, which reads `kinds` once however often it is watched, and writes through to it.

    `heard` is called with every batch that was taken over.
    """

    def __init__(self, inner: Store, kinds: Collection[str], heard: Callable[[Changes], None] = lambda _: None) -> None:
        self.cache = Cache()
        self._inner = inner
        self._kinds = kinds
        self._heard = heard
        self._synced = asyncio.Event()
        self._readers: list[asyncio.Queue[Changes]] = []
        self._is_stale = asyncio.Event()
        self._waiting: list[asyncio.Future[None]] = []

    @property
    def is_synced(self) -> bool:
        """Whether everything that there is was read once."""
        return self._synced.is_set()

    async def run(self) -> None:
        """For ever."""
        while True:
            self._is_stale.clear()
            asked, self._waiting = self._waiting, []
            async with asyncio.TaskGroup() as tasks:
                reading = tasks.create_task(self._read(asked))
                await self._is_stale.wait()
                reading.cancel()
            self._waiting += [each for each in asked if not each.done()]

    async def read_anew(self) -> None:
        """Returns when all that there is at this moment has been listed; until then the cache stays as it was."""
        told: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(told)
        self._is_stale.set()
        await told

    async def _read(self, asked: list[asyncio.Future[None]]) -> None:
        async with aclosing(self._inner.watch(self._kinds)) as watch:
            async for batch in watch:
                self.cache.take(batch)
                self._heard(batch)
                self._synced.set()
                for reader in self._readers:
                    reader.put_nowait(batch)
                while asked:
                    told = asked.pop()
                    if not told.done():  # whoever asked may have been cancelled
                        told.set_result(None)

    async def watch(self, kinds: Collection[str]) -> AsyncGenerator[Changes, None]:
        """See `Store.watch`; of the kinds of the feed."""
        await self._synced.wait()
        reader: asyncio.Queue[Changes] = asyncio.Queue()
        self._readers.append(reader)
        try:
            yield self._everything()
            while True:
                yield await reader.get()
        finally:
            self._readers.remove(reader)

    async def patch_status(self, patch: StatusPatch) -> str:
        """See `Store.patch_status`."""
        return await self._inner.patch_status(patch)

    async def read_claims(self) -> Mapping[NamespacedName, Claim]:
        """See `Store.read_claims`."""
        return await self._inner.read_claims()

    async def write_claim(self, service: NamespacedName, claim: Claim) -> None:
        """See `Store.write_claim`."""
        await self._inner.write_claim(service, claim)

    async def record_event(self, event: Event) -> None:
        """See `Store.record_event`."""
        await self._inner.record_event(event)

    def _everything(self) -> Synced:
        cache = self.cache
        objects = (*cache.services.values(), *cache.slices.values(), *cache.others.values())
        return Synced(objects, cache.problems, cache.is_complete)
