"""Many writes in flight on a store with versions, whose answers and news come late, and whose writes fail."""

import asyncio
import random
from collections.abc import AsyncGenerator, Collection, Iterable
from itertools import combinations

import msgspec
import pytest

from herald.api.ip_address_pool import IPAddressPool, IPAddressPoolSpec
from herald.cluster.meta import NamespacedName, ObjectMeta
from herald.cluster.service import Service, ServicePort, ServiceSpec
from herald.config.findings import ObjectKey
from herald.controller.assigner import Options
from herald.controller.loop import Performance, run
from herald.store.status_file import Overlay, laid_over
from herald.store.store import (
    Changed,
    Changes,
    Claim,
    ClusterObject,
    Event,
    StaleError,
    StatusPatch,
    StoreError,
    Synced,
)

NAMESPACE = "metallb-system"
SIDE_BY_SIDE = Performance(side_by_side=16)


class VersionedStore:
    """Behaves as an API server does: versions count up, a patch for another version is refused, news come late.

    `trouble` is how often a write fails; half of these were done all the same.
    """

    def __init__(self, chance: random.Random, trouble: float = 0.0) -> None:
        self._chance = chance
        self.trouble = trouble
        self._version = 0
        self.objects: dict[ObjectKey, ClusterObject] = {}
        self._history: list[tuple[ObjectKey, ClusterObject | None]] = []
        self._stirred = asyncio.Event()
        self.events: list[Event] = []
        self.writes = 0
        self.clashes: list[str] = []

    def put(self, *items: Service | IPAddressPool) -> None:
        """A user applies: specs are replaced, statuses stay."""
        for item in items:
            old = self.objects.get(ObjectKey.of(item))
            if isinstance(item, Service) and isinstance(old, Service):
                annotations = {**old.metadata.annotations, **item.metadata.annotations}
                metadata = msgspec.structs.replace(item.metadata, annotations=annotations)
                item = msgspec.structs.replace(item, metadata=metadata, status=old.status)
            self._store(item)

    def delete(self, key: ObjectKey) -> None:
        del self.objects[key]
        self._history.append((key, None))
        self._stirred.set()

    def _store(self, item: ClusterObject) -> str:
        self._version += 1
        version = str(self._version)
        metadata = msgspec.structs.replace(item.metadata, resource_version=version)
        self.objects[ObjectKey.of(item)] = msgspec.structs.replace(item, metadata=metadata)
        self._history.append((ObjectKey.of(item), self.objects[ObjectKey.of(item)]))
        self._stirred.set()
        return version

    async def watch(self, kinds: Collection[str]) -> AsyncGenerator[Changes, None]:
        told = len(self._history)
        yield Synced(tuple(item for key, item in self.objects.items() if key.kind in kinds))
        while True:
            while told == len(self._history):
                self._stirred.clear()
                await self._stirred.wait()
            await self._dawdle()
            until = self._chance.randint(told + 1, len(self._history))
            last = dict(self._history[told:until])
            told = until
            yield Changed(
                tuple(item for item in last.values() if item is not None),
                tuple(key for key, item in last.items() if item is None),
            )

    async def patch_status(self, patch: StatusPatch) -> str:
        await self._dawdle()
        trouble = self._chance.random() < self.trouble
        if trouble and self._chance.random() < 0.5:
            raise StoreError("no answer")
        item = self.objects.get(patch.about)
        if item is None:
            raise StoreError("not found")
        if patch.resource_version != item.metadata.resource_version:
            raise StaleError("conflict")
        self.writes += 1
        version = self._store(laid_over(item, Overlay().patched(patch)))
        self._look_for_clashes(patch)
        await self._dawdle()
        if trouble:
            raise StoreError("no answer")
        return version

    def _look_for_clashes(self, patch: StatusPatch) -> None:
        mine = self.objects[patch.about]
        if isinstance(mine, Service):
            for key, other in self.objects.items():
                if key != patch.about and isinstance(other, Service) and set(mine.ingress_ips) & set(other.ingress_ips):
                    self.clashes.append(f"{key.name} and {patch.about.name} show {mine.ingress_ips}")

    async def read_claims(self) -> dict[NamespacedName, Claim]:
        return {}

    async def write_claim(self, service: NamespacedName, claim: Claim) -> None:
        pass

    async def record_event(self, event: Event) -> None:
        self.events.append(event)

    async def _dawdle(self) -> None:
        for _ in range(self._chance.randrange(6)):
            await asyncio.sleep(0)


def pool(addresses: str, name: str = "prod") -> IPAddressPool:
    return IPAddressPool(
        metadata=ObjectMeta(name=name, namespace=NAMESPACE), spec=IPAddressPoolSpec(addresses=(addresses,))
    )


def service(name: str, kind: str = "LoadBalancer", wish: str | None = None) -> Service:
    annotations = {} if wish is None else {"metallb.io/loadBalancerIPs": wish}
    return Service(
        metadata=ObjectMeta(name=name, namespace="default", annotations=annotations, creation_timestamp=name),
        spec=ServiceSpec(type=kind, cluster_ips=("10.96.0.1",), ports=(ServicePort(port=80),)),
    )


def key(name: str) -> ObjectKey:
    return ObjectKey("Service", "default", name)


def shown(store: VersionedStore) -> dict[str, tuple[str, ...]]:
    return {item.metadata.name: item.ingress_ips for item in store.objects.values() if isinstance(item, Service)}


def given(found: Iterable[tuple[str, ...]]) -> list[str]:
    return [ip for ips in found for ip in ips]


async def until_quiet(store: VersionedStore) -> None:
    """Nothing was written for a while, in which everything that failed would have been tried again."""
    async with asyncio.timeout(60):
        before = -1
        while before != store.writes:
            before = store.writes
            await asyncio.sleep(0.3)


async def test_many_services_at_once_get_different_addresses_each_by_one_write() -> None:
    store = VersionedStore(random.Random(1))
    store.put(pool("10.0.0.0/22"), *(service(f"s{n:04}") for n in range(500)))
    running = asyncio.ensure_future(run(store, Options(), SIDE_BY_SIDE))
    await until_quiet(store)
    running.cancel()
    assert len(set(given(shown(store).values()))) == 500
    assert store.writes <= 500 + 3
    assert store.clashes == []


@pytest.mark.parametrize("seed", range(20))
async def test_no_two_services_ever_show_one_address_whatever_fails_and_whoever_changes_his_mind(seed: int) -> None:
    chance = random.Random(seed)
    store = VersionedStore(chance, trouble=0.3)
    names = [f"s{n}" for n in range(12)]
    store.put(pool("192.0.2.0/29"), *(service(name) for name in names))
    running = asyncio.ensure_future(run(store, Options(), SIDE_BY_SIDE))
    for _ in range(120):
        name = chance.choice(names)
        match chance.randrange(6):
            case 0 if key(name) in store.objects:
                store.delete(key(name))
            case 1:
                store.put(service(name, "ClusterIP"))
            case 2:
                store.put(service(name, wish=f"192.0.2.{chance.randrange(8)}"))
            case 3 if chance.random() < 0.3:
                store.put(pool(chance.choice(["192.0.2.0/29", "192.0.2.0/30", "192.0.2.4/30"])))
            case _:
                store.put(service(name))
        for _ in range(chance.randrange(40)):
            await asyncio.sleep(0)
    store.trouble = 0.0
    store.put(pool("192.0.2.0/29"))
    await until_quiet(store)
    running.cancel()
    assert store.clashes == []
    wanting = [item for item in store.objects.values() if isinstance(item, Service) and item.is_load_balancer]
    assert len(given(shown(store).values())) <= min(len(wanting), 8)
    assert all(
        not item.ingress_ips for item in store.objects.values() if isinstance(item, Service) and item not in wanting
    )
    assert all(not {*one} & {*other} for one, other in combinations(shown(store).values(), 2))


@pytest.mark.parametrize("seed", range(6))
async def test_one_who_overwrites_statuses_gets_few_answers_and_is_named(seed: int) -> None:
    store = VersionedStore(random.Random(seed))
    store.put(pool("192.0.2.0/29"), service("web"), service("other"))

    async def rivals(name: NamespacedName) -> tuple[str, ...]:
        return ("svclb",)

    running = asyncio.ensure_future(run(store, Options(), Performance(16, rivals)))
    await until_quiet(store)
    before = shown(store)
    store.writes = 0
    for number in range(30):
        item = store.objects[key("web")]
        content = {} if number % 2 else {"loadBalancer": {"ingress": [{"ip": f"198.51.100.{number}"}]}}
        store._store(laid_over(item, Overlay(content)))
        for _ in range(60):
            await asyncio.sleep(0)
    running.cancel()
    assert store.writes == 3
    contested = [event for event in store.events if event.reason == "StatusContested"]
    assert len(contested) == 1
    assert '"svclb"' in contested[0].message
    assert shown(store)["other"] == before["other"]


async def test_a_status_that_somebody_changed_once_is_restored_to_the_same_address() -> None:
    store = VersionedStore(random.Random(0))
    store.put(pool("192.0.2.0/29"), *(service(f"s{n}") for n in range(4)))
    running = asyncio.ensure_future(run(store, Options(), SIDE_BY_SIDE))
    await until_quiet(store)
    before = shown(store)
    store.delete(key("s0"))
    await until_quiet(store)
    for content in (
        {},
        {"loadBalancer": {"ingress": [{"ip": "203.0.113.1"}]}},
        {"loadBalancer": {"ingress": [{"ip": "192.0.2.7"}]}},
    ):
        store._store(laid_over(store.objects[key("s3")], Overlay(content)))
        await until_quiet(store)
        assert shown(store)["s3"] == before["s3"]
    running.cancel()
