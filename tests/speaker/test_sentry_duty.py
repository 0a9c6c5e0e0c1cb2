"""What control tells the engine of fastFailover: the nodes that it and they are to watch, whenever that has changed."""

from pathlib import Path

from test_control import NODES, POOL, QUIET_S, control, endpoints, facts, meta, service

from herald.api.l2_advertisement import L2Advertisement, L2AdvertisementSpec
from herald.engine.link import Facts, Member, Watch
from herald.store.memory import MemoryStore

FAST = L2Advertisement(metadata=meta("l2"), spec=L2AdvertisementSpec(fast_failover=True))
SLOW = L2Advertisement(metadata=meta("l2"), spec=L2AdvertisementSpec())
WEB = (service("web", "192.0.2.7"), endpoints("web", "node-1"))


async def test_nodes_that_share_a_fast_address_watch_each_other_and_only_while_they_do(tmp_path: Path) -> None:
    store = MemoryStore([POOL, FAST, *NODES, *WEB])
    async with control(store, tmp_path, facts("node-1", "node-2")) as engine:
        assert (await engine.applied()).reset
        assert await engine.watches() == Watch(("node-2",))
        store.put(service("db", "192.0.2.8"))
        store.put(endpoints("db", "node-2"))
        await engine.say(facts("node-1"))
        assert await engine.watches() == Watch(), "node-2 is gone"
        await engine.say(facts("node-1", "node-2"))
        assert await engine.watches() == Watch(("node-2",))
        store.put(SLOW)
        assert await engine.watches() == Watch(), "nobody asks for it any more"


async def test_a_new_engine_is_told_anew(tmp_path: Path) -> None:
    store = MemoryStore([POOL, FAST, *NODES, *WEB])
    async with control(store, tmp_path, facts("node-1", "node-2")) as engine:
        assert await engine.watches() == Watch(("node-2",))
        await engine.stop()
        await engine.start()
        assert await engine.watches() == Watch(("node-2",))


async def test_a_speaker_of_metallb_has_no_session_for_it_and_is_not_among_those_that_are_watched(
    tmp_path: Path,
) -> None:
    store, beside = MemoryStore([POOL, FAST, *NODES, *WEB]), Facts((Member("node-1"), Member("node-2", note=None)))
    async with control(store, tmp_path, beside) as engine:
        assert await engine.watches() == Watch()
        await engine.say(facts("node-1", "node-2"))
        assert await engine.watches() == Watch(("node-2",)), "it is Herald's now"


async def test_without_fast_failover_nobody_is_watched(tmp_path: Path) -> None:
    store = MemoryStore([POOL, SLOW, *NODES, *WEB])
    async with control(store, tmp_path, facts("node-1", "node-2")) as engine:
        assert await engine.watches() == Watch()
        assert (await engine.applied()).reset
        assert await engine.hears_nothing_for(QUIET_S)
