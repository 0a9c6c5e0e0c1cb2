"""Control against the engine's end of the real link: what it tells, when, and above all when it tells nothing."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from fake_engine import FakeEngine

from herald.announcement.reason import Reason
from herald.api.bgp_advertisement import BGPAdvertisement, BGPAdvertisementSpec
from herald.api.bgp_peer import BGPPeer, BGPPeerSpec
from herald.api.ip_address_pool import IPAddressPool, IPAddressPoolSpec
from herald.api.l2_advertisement import L2Advertisement, L2AdvertisementSpec
from herald.bgp.event import Leaving
from herald.cluster.endpoints import Endpoint, EndpointSlice
from herald.cluster.meta import NamespacedName, NodeName, ObjectMeta
from herald.cluster.node import DRAIN_ANNOTATION, EXCLUDE_LABEL, Node
from herald.cluster.service import (
    LoadBalancerIngress,
    LoadBalancerStatus,
    Service,
    ServicePort,
    ServiceSpec,
    ServiceStatus,
)
from herald.config.findings import ObjectKey
from herald.engine.link import PULSE_S, Departing, Facts, InterfaceFact, Join, Member, PeerRoutes, UnansweredHolding
from herald.layer2.conflict import Conflict
from herald.net.interface import Mac
from herald.net.ip_family import parse_address
from herald.speaker.control import Addresses, Control, Deletion
from herald.speaker.decider import Decider, Options
from herald.speaker.publisher import Nobody, Publisher
from herald.store.memory import MemoryStore
from herald.store.store import ClusterObject, Event, Synced

NAMESPACE = "metallb-system"
QUIET_S = 0.1
PATIENCE_S = 20.0


def meta(name: str, namespace: str = NAMESPACE, **labels: str) -> ObjectMeta:
    return ObjectMeta(name=name, namespace=namespace, labels=labels, creation_timestamp="2026-01-01T00:00:00Z")


def service(name: str, *ips: str) -> Service:
    return Service(
        metadata=meta(name, "default"),
        spec=ServiceSpec(type="LoadBalancer", cluster_ips=("10.96.0.1",), ports=(ServicePort(port=80),)),
        status=ServiceStatus(load_balancer=LoadBalancerStatus(ingress=tuple(LoadBalancerIngress(ip=ip) for ip in ips))),
    )


def endpoints(name: str, *nodes: str) -> EndpointSlice:
    return EndpointSlice(
        metadata=meta(f"{name}-1", "default", **{"kubernetes.io/service-name": name}),
        endpoints=tuple(Endpoint(addresses=("10.1.0.1",), node_name=node) for node in nodes),
    )


POOL = IPAddressPool(metadata=meta("prod"), spec=IPAddressPoolSpec(addresses=("192.0.2.0/24", "10.0.0.0/16")))
L2 = L2Advertisement(metadata=meta("l2"), spec=L2AdvertisementSpec())
BGP = BGPAdvertisement(metadata=meta("bgp"), spec=BGPAdvertisementSpec())
PEER = BGPPeer(metadata=meta("tor"), spec=BGPPeerSpec(my_asn=64500, peer_asn=64501, peer_address="192.168.1.1"))
NODES = tuple(Node(metadata=meta(name, "")) for name in ("node-1", "node-2"))
BASE: tuple[ClusterObject, ...] = (POOL, L2, *NODES)
ETH0 = InterfaceFact("eth0", True, True, False, True, "answers ARP", False, "has no IPv6 address")


def facts(*members: str) -> Facts:
    return Facts(members=tuple(Member(name, frozenset({"eth0"})) for name in members), interfaces=(ETH0,))


def assigned(count: int) -> list[ClusterObject]:
    names = [(f"s{n}", f"10.0.{n // 250}.{n % 250}") for n in range(count)]
    return [item for name, ip in names for item in (service(name, ip), endpoints(name, "node-1"))]


@asynccontextmanager
async def control(
    store: MemoryStore,
    folder: Path,
    known: Facts,
    publisher: Publisher | None = None,
    addresses: Addresses | None = None,
    deletion: Deletion | None = None,
) -> AsyncIterator[FakeEngine]:
    engine = FakeEngine(folder / "engine.sock", known)
    await engine.start()
    told = publisher or Nobody()
    made = Control(store, folder / "engine.sock", Options(NodeName("node-1")), lambda _: told, addresses, deletion)
    running = asyncio.ensure_future(made.run())
    try:
        yield engine
    finally:
        running.cancel()
        await asyncio.wait({running})
        await engine.stop()
        if not running.cancelled():
            running.result()


def held(apply: object) -> list[str]:
    return [str(holding.address) for holding in apply.holdings]  # type: ignore[attr-defined]  # an Apply


async def test_the_whole_wish_comes_first_and_is_a_reset(tmp_path: Path) -> None:
    store = MemoryStore([*BASE, PEER, BGP, service("web", "192.0.2.7"), endpoints("web", "node-1")])
    async with control(store, tmp_path, facts("node-1")) as engine:
        whole = await engine.applied()
        assert whole.reset
        assert held(whole) == ["192.0.2.7"]
        assert [peer.name for peer in whole.peers] == ["tor"]
        assert [str(route.prefix) for routes in whole.routes for route in routes.upserts] == ["192.0.2.7/32"]
        assert await engine.hears_nothing_for(QUIET_S)


async def test_one_change_among_a_thousand_services_is_one_small_apply(tmp_path: Path) -> None:
    store = MemoryStore([*BASE, *assigned(1000)])
    async with control(store, tmp_path, facts("node-1")) as engine:
        assert len(held(await engine.applied())) == 1000
        store.put(service("s7", "192.0.2.7"))
        change = await engine.applied()
        assert not change.reset
        assert held(change) == ["192.0.2.7"]
        assert change.holdings_dropped == (parse_address("10.0.0.7"),)
        assert await engine.hears_nothing_for(QUIET_S)


async def test_an_endpoint_that_goes_withdraws_and_one_that_comes_announces(tmp_path: Path) -> None:
    store = MemoryStore([*BASE, service("web", "192.0.2.7"), endpoints("web", "node-1")])
    async with control(store, tmp_path, facts("node-1")) as engine:
        await engine.applied()
        store.put(endpoints("web"))
        assert (await engine.applied()).holdings_dropped == (parse_address("192.0.2.7"),)
        store.put(endpoints("web", "node-2"))
        assert held(await engine.applied()) == ["192.0.2.7"]
        store.delete(ObjectKey("EndpointSlice", "default", "web-1"))
        assert (await engine.applied()).holdings_dropped == (parse_address("192.0.2.7"),)


async def test_a_change_that_changes_nothing_is_not_told(tmp_path: Path) -> None:
    store = MemoryStore([*BASE, service("web", "192.0.2.7"), endpoints("web", "node-1")])
    async with control(store, tmp_path, facts("node-1")) as engine:
        await engine.applied()
        store.put(endpoints("web", "node-1", "node-2"), POOL, service("web", "192.0.2.7"))
        await engine.say(facts("node-1"))
        assert await engine.hears_nothing_for(QUIET_S)


async def test_a_reconnection_is_one_reset(tmp_path: Path) -> None:
    store = MemoryStore([*BASE, *assigned(600)])
    async with control(store, tmp_path, facts("node-1")) as engine:
        first = await engine.applied()
        await engine.stop()
        store.delete(ObjectKey("Service", "default", "s3"))
        await engine.start()
        again = await engine.applied()
        assert again.reset
        assert set(held(first)) - set(held(again)) == {"10.0.0.3"}
        assert await engine.hears_nothing_for(QUIET_S)


async def test_nothing_is_told_before_the_store_has_told_everything(tmp_path: Path) -> None:
    class Mute(MemoryStore):
        async def watch(self, kinds: object):  # type: ignore[no-untyped-def, override]  # a store that never syncs
            await asyncio.Event().wait()
            yield

    async with control(Mute(), tmp_path, facts("node-1")) as engine:
        assert await engine.hears_nothing_for(1.0)


async def test_while_the_store_is_incomplete_everything_is_added_and_nothing_withdrawn(tmp_path: Path) -> None:
    store = MemoryStore([*BASE, service("web", "192.0.2.7"), endpoints("web", "node-1")])
    store.report(is_complete=False)
    async with control(store, tmp_path, facts("node-1")) as engine:
        partial = await engine.applied()
        assert not partial.reset
        assert held(partial) == ["192.0.2.7"]
        assert not any(routes.replace for routes in partial.routes)
        store.put(service("late", "192.0.2.8"), endpoints("late", "node-1"))
        store.report()
        seen = [await engine.applied()]
        while not seen[-1].reset:
            seen.append(await engine.applied())
        assert held(seen[-1]) == ["192.0.2.7", "192.0.2.8"]
        assert not any(apply.holdings_dropped for apply in seen)


async def test_a_new_engine_that_sees_nobody_yet_is_not_taken_at_its_word(tmp_path: Path) -> None:
    store = MemoryStore([*BASE, *assigned(40)])
    async with control(store, tmp_path, facts("node-1")) as engine:
        await engine.say(facts("node-1", "node-2"))
        share = held(await engine.applied())
        assert 0 < len(share) < 40
        await engine.stop()
        await engine.say(facts("node-1"))
        await engine.start()
        assert held(await engine.applied()) == share
        await engine.say(facts("node-1", "node-2"))
        assert await engine.hears_nothing_for(1.0)


async def test_a_dead_node_is_taken_over_and_the_log_says_from_whom(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "herald.speaker")
    store = MemoryStore([*BASE, *assigned(40)])
    async with control(store, tmp_path, facts("node-1", "node-2")) as engine:
        share = held(await engine.applied())
        await engine.say(facts("node-1"))
        taken = held(await engine.applied())
        while len(share) + len(taken) < 40:
            taken += held(await engine.applied())
        await asyncio.sleep(QUIET_S)
    moved = [record.getMessage() for record in caplog.records if getattr(record, "event", "") == "leaderChanged"]
    expected = {f"failover: leader of {ip} moved from node-2 to node-1 (node-2 is gone)" for ip in taken}
    assert expected <= set(moved)
    assert len(moved) == 40


async def test_a_node_that_was_stopped_is_not_said_to_be_gone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "herald.speaker")
    store = MemoryStore([*BASE, *assigned(40)])
    async with control(store, tmp_path, facts("node-1", "node-2")) as engine:
        await engine.applied()
        await engine.say(replace(facts("node-1"), left=frozenset({"node-2"})))
        await engine.applied()
        await asyncio.sleep(QUIET_S)
    moved = [record.getMessage() for record in caplog.records if getattr(record, "event", "") == "leaderChanged"]
    taken_over = [text for text in moved if text.startswith("failover")]
    assert taken_over
    assert all(text.endswith("moved from node-2 to node-1 (node-2 left in good order)") for text in taken_over)


async def test_who_comes_back_and_gets_its_addresses_again_is_logged_with_the_cause(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "herald.speaker")
    store = MemoryStore([*BASE, *assigned(40)])
    async with control(store, tmp_path, facts("node-1")) as engine:
        assert len(held(await engine.applied())) == 40
        await engine.say(facts("node-1", "node-2"))
        await engine.applied()
        await asyncio.sleep(QUIET_S)
    moved = [record.getMessage() for record in caplog.records if getattr(record, "event", "") == "leaderChanged"]
    returned = [text for text in moved if text.startswith("failover")]
    assert returned
    assert all(text.endswith("moved from node-1 to node-2 (node-2 comes before node-1)") for text in returned), returned


async def test_control_gives_signs_that_it_lives_also_while_nothing_happens(tmp_path: Path) -> None:
    async with control(MemoryStore([*BASE, *assigned(3)]), tmp_path, facts("node-1")) as engine:
        await engine.applied()
        before = engine.pulses
        assert before >= 1
        async with asyncio.timeout(4 * PULSE_S):
            while engine.pulses < before + 2:  # noqa: ASYNC110  # the fake counts them only
                await asyncio.sleep(0.05)


async def test_what_is_announced_and_withdrawn_is_logged_with_pool_and_reason(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "herald.speaker")
    store = MemoryStore([*BASE, service("web", "192.0.2.7"), endpoints("web", "node-1")])
    async with control(store, tmp_path, facts("node-1")) as engine:
        await engine.applied()
        store.put(endpoints("web"))
        await engine.applied()
        await asyncio.sleep(QUIET_S)
    lines = {record.event: vars(record) for record in caplog.records if hasattr(record, "event")}
    wanted = {"service": "default/web", "ips": ["192.0.2.7"], "pool": "prod", "protocol": "layer2"}
    assert lines["serviceAnnounced"].items() >= wanted.items()
    assert lines["serviceWithdrawn"].items() >= {**wanted, "reason": "notOwner"}.items()
    assert lines["serviceNotAnnounced"]["why"].startswith("NoReadyEndpoint")


async def test_a_silent_service_is_told_once_with_its_reason(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "herald.speaker")
    store = MemoryStore([POOL, *NODES, service("web", "192.0.2.7"), endpoints("web", "node-1")])
    async with control(store, tmp_path, facts("node-1")) as engine:
        await engine.applied()
        await asyncio.sleep(QUIET_S)
        store.put(service("web", "192.0.2.7"), NODES[0], endpoints("web", "node-2"))
        await engine.say(facts("node-1", "node-2"))
        await asyncio.sleep(QUIET_S)
    silent = [r for r in caplog.records if getattr(r, "event", "") == "serviceNotAnnounced"]
    words = "default/web is announced by nobody: no L2Advertisement or BGPAdvertisement covers pool prod; "
    (line,) = silent
    assert line.getMessage().startswith(words)


async def test_a_problem_is_told_when_it_comes_and_when_it_goes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "herald.speaker")
    bad = IPAddressPool(metadata=meta("bad"), spec=IPAddressPoolSpec(addresses=("10.0.0.9-10.0.0.1",)))
    store = MemoryStore([*BASE, bad])
    async with control(store, tmp_path, facts("node-1")) as engine:
        await engine.applied()
        store.put(service("web", "192.0.2.7"), endpoints("web", "node-1"), NODES[0])
        await engine.applied()
        store.delete(ObjectKey.of(bad))
        await asyncio.sleep(QUIET_S)
    told = [(r.event, r.object) for r in caplog.records if getattr(r, "event", "").startswith("problem")]  # type: ignore[attr-defined]  # extras
    assert told == [("problem", "bad"), ("problemGone", "bad")]


async def test_an_address_that_no_interface_answers_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = MemoryStore([*BASE, service("web", "192.0.2.7"), endpoints("web", "node-1")])
    dumb = Facts((Member("node-1"),), (ETH0,), holdings=(UnansweredHolding(parse_address("192.0.2.7"), "no link"),))
    async with control(store, tmp_path, dumb) as engine:
        await engine.applied()
        await engine.say(dumb)
        await asyncio.sleep(QUIET_S)
    assert [getattr(r, "ip", None) for r in caplog.records if getattr(r, "event", "") == "announceFailed"] == [
        "192.0.2.7"
    ]


ON_ETH1 = L2Advertisement(metadata=meta("l2"), spec=L2AdvertisementSpec(interfaces=("eth1",)))
MINE = "192.0.2.1"
"""An address for which the hash prefers node-1 to node-2."""


def seen(**interfaces: str | None) -> Facts:
    """node_1="eth0 eth1": the usable interfaces of node-1; None: not known."""
    usable = {node: None if names is None else frozenset(names.split()) for node, names in interfaces.items()}
    return Facts(members=tuple(Member(node.replace("_", "-"), names) for node, names in usable.items()))


async def test_the_interfaces_of_every_member_count_in_the_election(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "herald.speaker")
    store = MemoryStore([POOL, ON_ETH1, *NODES, service("web", MINE), endpoints("web", "node-2")])
    async with control(store, tmp_path, seen(node_1="eth0", node_2="eth0 eth1")) as engine:
        assert held(await engine.applied()) == [], "node-2 has the interface"
        await engine.say(seen(node_1="eth0 eth1", node_2="eth0 eth1"))
        assert held(await engine.applied()) == [MINE]
        await engine.say(seen(node_1="eth0", node_2="eth0 eth1"))
        assert (await engine.applied()).holdings_dropped == (parse_address(MINE),)
        await engine.say(seen(node_1="eth0 eth1", node_2=None))
        assert held(await engine.applied()) == [MINE]
        await engine.say(seen(node_1="", node_2=None))
        assert (await engine.applied()).holdings_dropped == (parse_address(MINE),)
        await asyncio.sleep(QUIET_S)
    withdrawn = [r for r in caplog.records if getattr(r, "event", "") == "serviceWithdrawn"]
    missing = "node-1: none of the interfaces that L2Advertisements allow (eth1) is there, up and with carrier"
    assert [r.why for r in withdrawn] == [f"InterfaceMissing: {missing}"] * 2  # type: ignore[attr-defined]  # extras
    assert any(f"moved from node-1 to node-2 ({missing})" in text for text in caplog.messages)


async def test_where_no_interface_is_named_the_last_usable_one_decides(tmp_path: Path) -> None:
    store = MemoryStore([*BASE, service("web", MINE), endpoints("web", "node-2")])
    async with control(store, tmp_path, seen(node_1="eth0", node_2="eth0")) as engine:
        assert held(await engine.applied()) == [MINE]
        await engine.say(seen(node_1="wlan0", node_2="eth0 eth1"))
        assert await engine.hears_nothing_for(QUIET_S)
        await engine.say(seen(node_1="", node_2="eth0"))
        assert (await engine.applied()).holdings_dropped == (parse_address(MINE),)
        await engine.say(seen(node_1="", node_2=""))
        assert await engine.hears_nothing_for(QUIET_S)


def test_interfaces_that_no_advertisement_names_start_no_round_of_elections() -> None:
    decider = Decider(Options(NodeName("node-1")))
    decider.take(Synced((POOL, ON_ETH1, *NODES, service("web", MINE), endpoints("web", "node-2"))))
    node_1, node_2 = NodeName("node-1"), NodeName("node-2")
    decider.see({node_1: frozenset({"eth0", "eth1"}), node_2: frozenset({"eth0"})})
    while decider.has_work:
        decider.step()
    decider.see({node_1: frozenset({"eth1", "tap7"}), node_2: frozenset({"tap8", "tap9"})})
    assert not decider.has_work
    decider.see({node_1: frozenset({"eth1", "tap7"}), node_2: frozenset()})
    assert decider.has_work, "node-2 could serve no advertisement any more, not even one that names none"


class Told(Nobody):
    """Remembers the events, and which services nobody announces."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.silences: dict[str, str | None] = {}
        self._stirred = asyncio.Event()

    def tell(self, event: Event) -> None:
        self.events.append(event)
        self._stirred.set()

    def silent(self, service: NamespacedName, reason: Reason | None) -> None:
        self.silences[str(service)] = reason.code.name if reason else None
        self._stirred.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                self._stirred.clear()
                await self._stirred.wait()


async def test_the_engine_is_told_where_speakers_are_on_every_connection_and_when_that_changes(tmp_path: Path) -> None:
    news: asyncio.Queue[frozenset[str]] = asyncio.Queue()

    async def addresses() -> AsyncGenerator[frozenset[str], None]:
        while True:
            yield await news.get()

    news.put_nowait(frozenset({"10.0.0.2", "10.0.0.1"}))
    async with control(MemoryStore(BASE), tmp_path, facts("node-1"), addresses=addresses) as engine:
        assert await engine.joins() == Join(("10.0.0.1", "10.0.0.2"))
        news.put_nowait(frozenset({"10.0.0.1"}))
        assert await engine.joins() == Join(("10.0.0.1",))
        await engine.stop()
        await engine.start()
        assert await engine.joins() == Join(("10.0.0.1",))


async def test_a_takeover_is_an_event_of_the_node_that_takes_over(tmp_path: Path) -> None:
    told = Told()
    store = MemoryStore([*BASE, *assigned(20)])
    async with control(store, tmp_path, facts("node-1", "node-2"), told) as engine:
        await engine.applied()
        assert told.events == []
        await engine.say(facts("node-1"))
        await told.until(lambda: bool(told.events))
        event = told.events[0]
        assert (event.about.kind, event.about.namespace, event.reason) == (
            "ServiceL2Status",
            NAMESPACE,
            "LeaderChanged",
        )
        assert "from node-2 to node-1 (node-2 is gone)" in event.message
        while (moved := await engine.moved()).previous != "node-2":
            assert (moved.previous, moved.cause) == (None, "no earlier leader is known here")
        assert (moved.owner, moved.cause, moved.previous_gone) == ("node-1", "node-2 is gone", True)


async def test_an_address_that_is_answered_nowhere_is_an_event_of_its_service(tmp_path: Path) -> None:
    told = Told()
    async with control(MemoryStore([*BASE, *assigned(1)]), tmp_path, facts("node-1"), told) as engine:
        await engine.applied()
        unanswered = UnansweredHolding(parse_address("10.0.0.0"), "eth9 is not there")
        await engine.say(replace(facts("node-1"), holdings=(unanswered,)))
        await told.until(lambda: bool(told.events))
        (event,) = told.events
        assert (event.about.kind, event.about.name, event.reason) == ("Service", "s0", "announceFailed")
        assert event.message.startswith(
            'the interfaces specified by LB IP "10.0.0.0" doesn\'t exist in assigned node "node-1" '
            'with protocol "layer2"'
        )


async def test_a_foreign_claim_that_stands_is_one_event_of_the_service_and_names_the_mac(tmp_path: Path) -> None:
    told = Told()
    async with control(MemoryStore([*BASE, *assigned(2)]), tmp_path, facts("node-1"), told) as engine:
        await engine.applied()
        claim = Conflict(parse_address("10.0.0.0"), "eth0", Mac(bytes.fromhex("02000000c0de")))
        unknown = Conflict(parse_address("192.0.2.77"), "eth0", Mac(bytes.fromhex("02000000c0de")))
        for _ in range(3):
            await engine.say(replace(facts("node-1"), conflicts=(claim, unknown)))
        await told.until(lambda: bool(told.events))
        other = replace(claim, mac=Mac(bytes.fromhex("02000000c0df")))
        await engine.say(replace(facts("node-1"), conflicts=(claim, other)))
        await engine.say(facts("node-1"))
        await engine.say(replace(facts("node-1"), conflicts=(claim,)))
        await told.until(lambda: len(told.events) >= 2)
        assert [(event.about.kind, event.about.name, event.reason) for event in told.events] == [
            ("Service", "s0", "addressConflict")
        ] * 2, "the other one was there for a moment only, as at a planned move"
        assert {event.message for event in told.events} == {told.events[0].message}
        first = told.events[0].message
        assert first.startswith('02:00:00:00:c0:de also claims 10.0.0.0, which node "node-1" answers for')


async def test_one_speaker_says_for_all_that_nobody_announces_a_service_and_when_that_is_over(tmp_path: Path) -> None:
    told, store = Told(), MemoryStore([*BASE, service("web", "192.0.2.1")])
    async with control(store, tmp_path, facts("node-1", "node-2"), told):
        await told.until(lambda: told.silences.get("default/web") == "NO_READY_ENDPOINT")
        store.put(endpoints("web", "node-1"))
        await told.until(lambda: told.silences["default/web"] is None)


async def test_a_speaker_that_does_not_speak_for_all_says_nothing(tmp_path: Path) -> None:
    told, store = Told(), MemoryStore([*BASE, service("web", "192.0.2.1"), service("api", "192.0.2.2")])
    async with control(store, tmp_path, facts("node-0", "node-1"), told):
        await told.until(lambda: {"default/web", "default/api"} <= told.silences.keys())
        assert set(told.silences.values()) == {None}


async def test_when_the_speaker_that_spoke_for_all_is_gone_the_next_one_does(tmp_path: Path) -> None:
    told, store = Told(), MemoryStore([*BASE, service("web", "192.0.2.1")])
    async with control(store, tmp_path, facts("node-0", "node-1"), told) as engine:
        await told.until(lambda: "default/web" in told.silences)
        assert told.silences["default/web"] is None
        await engine.say(facts("node-1"))
        await told.until(lambda: told.silences["default/web"] == "NO_READY_ENDPOINT")
        await engine.say(facts("node-0", "node-1"))
        await told.until(lambda: told.silences["default/web"] is None)


def drained(wish: str) -> Node:
    return Node(metadata=ObjectMeta(name="node-1", annotations={DRAIN_ANNOTATION: wish}))


ANNOUNCED: tuple[ClusterObject, ...] = (*BASE, PEER, BGP, service("web", "192.0.2.7"), endpoints("web", "node-1"))


async def test_a_drained_node_hands_over_marks_its_routes_and_withdraws_them_later(tmp_path: Path) -> None:
    store = MemoryStore(ANNOUNCED)
    async with control(store, tmp_path, facts("node-1")) as engine:
        assert held(await engine.applied()) == ["192.0.2.7"]
        store.put(drained("300ms"))
        marked = await engine.applied()
        assert marked.holdings_dropped == (parse_address("192.0.2.7"),)
        ((route,),) = [routes.upserts for routes in marked.routes]
        assert (route.local_pref, [one.text for one in route.communities]) == (0, ["65535:0"])
        gone = await engine.applied()
        assert gone.routes == (PeerRoutes("tor", withdrawn=(route.prefix,)),)
        assert gone.peers_dropped == ()
        store.put(NODES[0])
        back = await engine.applied()
        assert held(back) == ["192.0.2.7"]
        assert [one.communities for routes in back.routes for one in routes.upserts] == [()]


async def test_a_drain_that_is_taken_back_in_time_takes_the_mark_off(tmp_path: Path) -> None:
    store = MemoryStore(ANNOUNCED)
    async with control(store, tmp_path, facts("node-1")) as engine:
        await engine.applied()
        store.put(drained("1h"))
        assert [one.local_pref for routes in (await engine.applied()).routes for one in routes.upserts] == [0]
        store.put(NODES[0])
        back = await engine.applied()
        assert [one.local_pref for routes in back.routes for one in routes.upserts] == [None]
        assert held(back) == ["192.0.2.7"]


async def test_a_speaker_that_starts_on_a_drained_node_announces_nothing(tmp_path: Path) -> None:
    store = MemoryStore([*ANNOUNCED, drained("1h")])
    async with control(store, tmp_path, facts("node-1")) as engine:
        whole = await engine.applied()
        assert (whole.reset, held(whole)) == (True, [])
        assert [peer.name for peer in whole.peers] == ["tor"]
        assert all(routes.upserts == () for routes in whole.routes)


async def test_the_engine_is_told_what_its_end_would_mean(tmp_path: Path) -> None:
    news: asyncio.Queue[bool] = asyncio.Queue()

    async def deletion() -> AsyncGenerator[bool, None]:
        while True:
            yield await news.get()

    store = MemoryStore(ANNOUNCED)
    async with control(store, tmp_path, facts("node-1"), deletion=deletion) as engine:
        assert await engine.departing() == Departing(Leaving.TO_RETURN, "the speaker stops")
        news.put_nowait(False)
        assert (await engine.departing()).leaving is Leaving.FOR_GOOD
        news.put_nowait(True)
        assert await engine.departing() == Departing(Leaving.TO_RETURN, "the speaker is replaced")
        store.put(drained(""))
        assert await engine.departing() == Departing(Leaving.FOR_GOOD, "the node is drained")
        await engine.stop()
        await engine.start()
        assert await engine.departing() == Departing(Leaving.FOR_GOOD, "the node is drained")
        store.put(Node(metadata=meta("node-1", "", **{EXCLUDE_LABEL: ""})))
        assert await engine.departing() == Departing(Leaving.FOR_GOOD, "the node is out of service")
