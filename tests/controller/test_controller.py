"""The controller on a store in memory: what it writes, in which order, and that a crash moves nobody."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from itertools import combinations

import msgspec
import pytest

from herald.allocator.assign import assign_all
from herald.api.bgp_advertisement import BGPAdvertisement, BGPAdvertisementSpec
from herald.api.bgp_peer import BGPPeer, BGPPeerSpec, PasswordSecret
from herald.api.ip_address_pool import IPAddressPool, IPAddressPoolSpec
from herald.cluster.meta import NamespacedName, ObjectMeta
from herald.cluster.service import Service, ServicePort, ServiceSpec
from herald.config.compile import compile_config
from herald.config.findings import ObjectKey
from herald.config.resources import Resources
from herald.controller.assigner import Assigner, Options
from herald.controller.loop import WATCHED, Controller, Hearing, run
from herald.store.memory import MemoryStore
from herald.store.store import ClusterObject, Synced, service_key

NAMESPACE = "metallb-system"


def pool(name: str, *addresses: str, auto_assign: bool = True) -> IPAddressPool:
    return IPAddressPool(
        metadata=ObjectMeta(name=name, namespace=NAMESPACE, creation_timestamp="2026-01-01T00:00:00Z"),
        spec=IPAddressPoolSpec(addresses=addresses, auto_assign=auto_assign),
    )


def service(name: str, *, age: int = 0, port: int = 80, **annotations: str) -> Service:
    return Service(
        metadata=ObjectMeta(
            name=name,
            namespace="default",
            creation_timestamp=f"2026-01-01T00:{age:02}:00Z",
            annotations={f"metallb.io/{key.replace('_', '-')}": value for key, value in annotations.items()},
        ),
        spec=ServiceSpec(type="LoadBalancer", cluster_ips=("10.96.0.1",), ports=(ServicePort(port=port),)),
    )


def as_type(item: Service, kind: str) -> Service:
    return msgspec.structs.replace(item, spec=msgspec.structs.replace(item.spec, type=kind))


def wishing(name: str, ip: str, **more: int) -> Service:
    item = service(name, **more)
    annotations = {"metallb.io/loadBalancerIPs": ip}
    return msgspec.structs.replace(item, metadata=msgspec.structs.replace(item.metadata, annotations=annotations))


def named(name: str) -> ObjectKey:
    return ObjectKey("Service", "default", name)


def ips(store: MemoryStore, name: str) -> tuple[str, ...]:
    item = store.get(named(name))
    assert isinstance(item, Service)
    return item.ingress_ips


@asynccontextmanager
async def controller(store: MemoryStore) -> AsyncIterator[None]:
    running = asyncio.ensure_future(run(store, Options()))
    try:
        await quiet(store)
        yield
    finally:
        running.cancel()
        await asyncio.wait({running})
        if not running.cancelled():
            running.result()


async def quiet(store: MemoryStore) -> None:
    """Until nothing has been written for a while; a wait of the controller is one turn of the loop here."""
    still = 0
    while still < 50:
        before = (len(store.patches), len(store.events), dict(store.claims), store.writes_allowed)
        await asyncio.sleep(0)
        still = (
            still + 1 if before == (len(store.patches), len(store.events), store.claims, store.writes_allowed) else 0
        )


async def test_a_service_gets_an_address_its_pool_annotation_a_claim_and_one_event() -> None:
    store = MemoryStore([pool("prod", "192.0.2.0/29"), service("web")])
    async with controller(store):
        item = store.get(named("web"))
    assert isinstance(item, Service)
    assert item.ingress_ips == ("192.0.2.0",)
    assert item.metadata.annotations == {"metallb.io/ip-allocated-from-pool": "prod"}
    assert store.claims == {NamespacedName("default", "web"): ("192.0.2.0",)}
    assert [(e.type.value, e.reason, e.message) for e in store.events] == [
        ("Normal", "IPAllocated", 'Assigned IP ["192.0.2.0"]')
    ]


async def test_pool_status_shows_the_counters() -> None:
    store = MemoryStore([pool("prod", "192.0.2.0/29"), service("web")])
    async with controller(store):
        item = store.get(ObjectKey("IPAddressPool", NAMESPACE, "prod"))
    assert isinstance(item, IPAddressPool)
    assert item.status is not None
    assert (item.status.assigned_ipv4, item.status.available_ipv4) == (1, 7)


async def test_nothing_is_written_when_nothing_changes_also_after_a_restart() -> None:
    store = MemoryStore([pool("prod", "192.0.2.0/30"), *(service(f"s{n}", age=n) for n in range(6))])
    async with controller(store):
        writes, events = len(store.patches), len(store.events)
        store.put(service("s1", age=1), pool("prod", "192.0.2.0/30"))
        await quiet(store)
        assert (len(store.patches), len(store.events)) == (writes, events)
    async with controller(store):
        assert len(store.patches) == writes


async def test_an_event_is_recorded_once_per_change_and_not_per_pass() -> None:
    store = MemoryStore([pool("prod", "192.0.2.0/32"), service("a", age=1), service("b", age=2)])
    async with controller(store):
        for label in ("x", "y", "z"):
            item = pool("prod", "192.0.2.0/32")
            store.put(
                msgspec.structs.replace(item, metadata=msgspec.structs.replace(item.metadata, labels={label: ""}))
            )
            await quiet(store)
    assert sorted(event.reason for event in store.events) == ["AllocationFailed", "IPAllocated"]


async def test_whoever_waits_gets_the_address_that_is_freed_the_oldest_first() -> None:
    store = MemoryStore([pool("prod", "192.0.2.0/32"), *(service(f"s{n}", age=n) for n in range(3))])
    async with controller(store):
        assert ips(store, "s0") == ("192.0.2.0",)
        store.delete(named("s0"))
        await quiet(store)
        assert (ips(store, "s1"), ips(store, "s2")) == (("192.0.2.0",), ())
        store.put(as_type(service("s1", age=1), "ClusterIP"))
        await quiet(store)
        assert (ips(store, "s1"), ips(store, "s2")) == ((), ("192.0.2.0",))


async def test_a_wiped_status_is_restored_to_the_same_address() -> None:
    store = MemoryStore([pool("prod", "192.0.2.0/29"), *(service(f"s{n}", age=n) for n in range(4))])
    async with controller(store):
        store.delete(named("s0"))
        await quiet(store)
        before = {name: ips(store, name) for name in ("s1", "s2", "s3")}
        store.wipe_status(named("s2"))
        await quiet(store)
        assert {name: ips(store, name) for name in before} == before
    store.wipe_status(named("s1"), named("s3"))
    async with controller(store):
        assert {name: ips(store, name) for name in before} == before


async def test_the_claim_of_a_service_that_cannot_be_seen_keeps_its_address_for_it() -> None:
    store = MemoryStore([pool("prod", "192.0.2.0/32"), service("new")])
    store.claims[NamespacedName("default", "web")] = ("192.0.2.0",)
    store.report(is_complete=False)
    async with controller(store):
        assert ips(store, "new") == ()
        store.put(service("web", age=59))
        store.report()
        await quiet(store)
        assert (ips(store, "web"), ips(store, "new")) == (("192.0.2.0",), ())


async def test_the_claim_of_a_service_that_is_gone_is_given_up() -> None:
    store = MemoryStore([pool("prod", "192.0.2.0/32"), service("new")])
    store.claims[NamespacedName("default", "web")] = ("192.0.2.0",)
    async with controller(store):
        assert ips(store, "new") == ()
        store.delete(named("web"))
        await quiet(store)
        assert ips(store, "new") == ("192.0.2.0",)
        assert store.claims == {NamespacedName("default", "new"): ("192.0.2.0",)}


@pytest.mark.parametrize("with_other_pool", [True, False])
async def test_no_address_is_taken_away_while_its_pool_cannot_be_read(with_other_pool: bool) -> None:
    store = MemoryStore([pool("prod", "192.0.2.0/29"), service("web")])
    async with controller(store):
        pass
    store.delete(ObjectKey("IPAddressPool", NAMESPACE, "prod"))
    if with_other_pool:
        store.put(pool("other", "198.51.100.0/29"))
    store.report(is_complete=False)
    async with controller(store):
        assert ips(store, "web") == ("192.0.2.0",)
        store.report()
        await quiet(store)
        assert ips(store, "web") == (("198.51.100.0",) if with_other_pool else ())


async def test_an_edit_that_breaks_a_pool_leaves_its_services_alone() -> None:
    store = MemoryStore([pool("prod", "192.0.2.0/29"), service("web")])
    async with controller(store):
        store.put(pool("prod", "192.0.2.9-192.0.2.1"))
        await quiet(store)
        assert ips(store, "web") == ("192.0.2.0",)
    async with controller(store):
        assert ips(store, "web") == ("192.0.2.0",)


async def test_a_status_is_emptied_before_its_address_is_shown_for_another_service() -> None:
    store = MemoryStore([pool("prod", "192.0.2.0/31"), service("old", age=1)])
    async with controller(store):
        store.put(as_type(service("old", age=1), "ClusterIP"), wishing("new", "192.0.2.0"))
        await quiet(store)
    shown = [
        (patch.about.name, patch.status["loadBalancer"]) for patch in store.patches if patch.about.kind == "Service"
    ]
    given = {"ingress": [{"ip": "192.0.2.0"}]}
    assert shown == [("old", given), ("old", {}), ("new", given)]


async def test_a_write_that_fails_is_tried_again_and_nobody_gets_the_address_meanwhile() -> None:
    store = MemoryStore([pool("prod", "192.0.2.0/32"), service("a", age=1), service("b", age=2)])
    async with controller(store):
        store.writes_allowed = 0
        store.put(as_type(service("a", age=1), "ClusterIP"))
        await quiet(store)
        assert (ips(store, "a"), ips(store, "b")) == (("192.0.2.0",), ())
        store.writes_allowed = float("inf")
        async with asyncio.timeout(20):
            while ips(store, "b") != ("192.0.2.0",):  # noqa: ASYNC110  the store has no event for it
                await asyncio.sleep(0.005)
        assert ips(store, "a") == ()


async def test_refusals_that_operators_are_told_and_writes_that_fail_are_counted() -> None:
    store = MemoryStore([pool("prod", "192.0.2.0/32"), service("a"), service("b", age=1), wishing("c", "10.9.9.9")])
    refused: list[str] = []
    failures: list[None] = []
    hearing = Hearing(failed=lambda: failures.append(None), refused=refused.append)
    running = asyncio.ensure_future(Controller(store, Assigner(Options(), {}), hearing=hearing).run())
    try:
        await quiet(store)
        assert refused == ["AllocationFailed", "AllocationFailed"]
        assert failures == []
        store.writes_allowed = 0
        store.delete(named("a"))
        await quiet(store)
        assert failures
    finally:
        running.cancel()
        await asyncio.wait({running})


async def test_a_service_of_another_class_is_left_alone() -> None:
    item = service("web")
    foreign = msgspec.structs.replace(item, spec=msgspec.structs.replace(item.spec, load_balancer_class="other/class"))
    store = MemoryStore([pool("prod", "192.0.2.0/29"), foreign])
    async with controller(store):
        assert [patch.about.kind for patch in store.patches] == ["IPAddressPool"]


def world(chance: random.Random) -> list[ClusterObject]:
    services = []
    for number in range(chance.randrange(4, 10)):
        name, age = f"s{number}", chance.randrange(60)
        match chance.randrange(5):
            case 0:
                services.append(wishing(name, f"192.0.2.{chance.randrange(6)}", age=age))
            case 1:
                services.append(service(name, age=age, port=chance.choice([80, 443]), allow_shared_ip="key"))
            case 2:
                services.append(service(name, age=age, address_pool=chance.choice(["a", "b"])))
            case _:
                services.append(service(name, age=age))
    first = chance.choice(["192.0.2.0/30", "192.0.2.0-192.0.2.2", "192.0.2.1/32"])
    return [pool("a", first), pool("b", "192.0.2.4/31", auto_assign=chance.random() < 0.5), *services]


def replace_world(store: MemoryStore, objects: Iterable[ClusterObject]) -> None:
    keys = {ObjectKey.of(item) for item in objects}
    old = [named(f"s{number}") for number in range(10)]
    store.delete(*(key for key in old if key not in keys and store.get(key) is not None))
    store.put(*objects)


def shown(store: MemoryStore) -> dict[str, tuple[str, ...]]:
    found = (store.get(named(f"s{number}")) for number in range(10))
    return {item.metadata.name: item.ingress_ips for item in found if isinstance(item, Service)}


def clashes(store: MemoryStore) -> set[tuple[str, str, str]]:
    """Pairs of services whose statuses show one address that they are not willing to share."""
    services = [item for number in range(10) if isinstance(item := store.get(named(f"s{number}")), Service)]
    return {
        (ip, one.metadata.name, other.metadata.name)
        for one, other in combinations(services, 2)
        for ip in {*one.ingress_ips} & {*other.ingress_ips}
        if not one.sharing_key or one.sharing_key != other.sharing_key
    }


@pytest.mark.parametrize("seed", range(25))
async def test_a_crash_between_any_two_writes_moves_no_valid_address(seed: int) -> None:
    chance = random.Random(seed)
    before, after = world(chance), world(chance)

    async def run_through(limit: float) -> MemoryStore:
        store = MemoryStore(before)
        async with controller(store):
            pass
        replace_world(store, after)
        made_by_the_edit = clashes(store)
        store.writes_allowed = limit
        async with controller(store):
            assert clashes(store) <= made_by_the_edit
        store.writes_allowed = float("inf")
        return store

    whole = await run_through(float("inf"))
    kept = {name: ips for name, ips in shown(await run_through(0)).items() if ips and shown(whole).get(name) == ips}
    for limit in range(12):
        store = await run_through(limit)
        at_crash = shown(store)
        async with controller(store):
            pass
        assert clashes(store) == set()
        assert shown(store).items() >= kept.items()
        valid = {name: ips for name, ips in at_crash.items() if ips and shown(whole).get(name) == ips}
        assert shown(store).items() >= valid.items()


@pytest.mark.parametrize("seed", range(25))
async def test_the_first_pass_gives_what_plan_says(seed: int) -> None:
    objects = world(random.Random(seed))
    store = MemoryStore(objects)
    async with controller(store):
        pass
    pools = tuple(item for item in objects if isinstance(item, IPAddressPool))
    services = tuple(item for item in objects if isinstance(item, Service))
    compiled = compile_config(Resources(ip_address_pools=pools))
    planned = assign_all(compiled.config, services).services
    assert shown(store) == {key.name: tuple(map(str, outcome.addresses)) for key, outcome in planned.items()}


async def test_a_thousand_services_get_a_thousand_different_addresses() -> None:
    store = MemoryStore([pool("prod", "10.0.0.0/22"), *(service(f"s{n}") for n in range(1000))])
    async with controller(store):
        given = [item.ingress_ips for n in range(1000) if isinstance(item := store.get(named(f"s{n}")), Service)]
    assert len(set(given)) == 1000
    assert all(given)


def test_the_controller_does_not_watch_endpoints() -> None:
    assert "EndpointSlice" not in WATCHED
    assert "IPAddressPool" in WATCHED
    assert service_key(NamespacedName("a", "b")) == ObjectKey("Service", "a", "b")


@pytest.mark.parametrize(
    ("reads_secrets", "told"), [(True, {"HL004", "HL072"}), (False, set())], ids=["a folder", "a cluster"]
)
def test_a_peer_whose_secret_the_controller_cannot_see_is_no_problem(reads_secrets: bool, told: set[str]) -> None:
    metadata = {name: ObjectMeta(name=name, namespace="metallb-system") for name in ("tor", "routes")}
    spec = BGPPeerSpec(
        my_asn=64512, peer_asn=64513, peer_address="10.0.0.1", password_secret=PasswordSecret(name="tor")
    )
    peer = BGPPeer(metadata=metadata["tor"], spec=spec)
    routes = BGPAdvertisement(metadata=metadata["routes"], spec=BGPAdvertisementSpec())
    assigner = Assigner(Options(reads_secrets=reads_secrets), {})
    assigner.take(Synced((pool("prod", "192.0.2.0/24"), peer, routes)))
    assert {problem.rule for problem in assigner.problems} == told
