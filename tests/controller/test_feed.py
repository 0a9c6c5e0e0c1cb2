"""One watch for several readers, and everything listed anew for whoever must not act on what was true before."""

import asyncio
from collections.abc import AsyncGenerator, Collection

from herald.cluster.meta import NamespacedName, ObjectMeta
from herald.cluster.service import Service
from herald.controller.feed import Feed
from herald.store.memory import MemoryStore
from herald.store.store import Changes, Synced


class DeafStore(MemoryStore):
    """Lists what there is, and then never tells anything: its connection is dead, and nobody knows."""

    async def watch(self, kinds: Collection[str]) -> AsyncGenerator[Changes, None]:
        """See `Store.watch`."""
        watch = super().watch(kinds)
        yield await anext(watch)
        await asyncio.Event().wait()


def service(name: str) -> Service:
    return Service(metadata=ObjectMeta(name=name, namespace="default"))


def names(found: Collection[NamespacedName]) -> list[str]:
    return sorted(key.name for key in found)


async def test_what_a_dead_watch_never_told_is_known_after_reading_anew_and_readers_are_told() -> None:
    store = DeafStore([service("a")])
    feed = Feed(store, {"Service"})
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(feed.run())
        watch = feed.watch({"Service"})
        assert isinstance(await anext(watch), Synced)
        store.put(service("b"))
        await asyncio.sleep(0)
        assert names(feed.cache.services) == ["a"]
        await feed.read_anew()
        assert names(feed.cache.services) == ["a", "b"]
        told = await anext(watch)
        assert sorted(item.metadata.name for item in told.objects) == ["a", "b"]
        await watch.aclose()
        running.cancel()


async def test_all_who_ask_at_once_are_answered_and_one_who_gives_up_hinders_nobody() -> None:
    feed = Feed(MemoryStore([service("a")]), {"Service"})
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(feed.run())
        gives_up = tasks.create_task(feed.read_anew())
        await asyncio.sleep(0)
        gives_up.cancel()
        await asyncio.gather(*(feed.read_anew() for _ in range(3)))
        running.cancel()
    assert names(feed.cache.services) == ["a"]
