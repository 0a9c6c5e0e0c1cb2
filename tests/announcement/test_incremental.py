"""The wish kept up to date equals the wish worked out whole, whatever the path; and the changes add up to it."""

from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from typing import Any

import pytest
from announcement_facts import ABC, bgp, config, ips, l2, node, peer, pool, selectors, service, slice_of
from hypothesis import given
from hypothesis import strategies as st

from herald.announcement.decide import decide
from herald.announcement.desired import Desired, desired, sorted_holdings, sorted_routes
from herald.announcement.gate import class_reason, status_addresses
from herald.announcement.incremental import SLICE, Change, Upkeep, Verdict
from herald.announcement.on_node import place
from herald.announcement.readiness import Slices
from herald.announcement.reason import Code, Protocol, Reason
from herald.announcement.told import Told, compose, told_by
from herald.announcement.view import View
from herald.bgp.parameters import PeerParameters
from herald.bgp.route import Route
from herald.cluster.endpoints import EndpointSlice
from herald.cluster.meta import NamespacedName, NodeName, PoolName
from herald.cluster.service import Service
from herald.config.advertisement import Prepend
from herald.config.config import Config
from herald.layer2.holding import Holding
from herald.net.ip_family import IPAddress, IPPrefix

HERE = NodeName("node-a")
WEB = NamespacedName("default", "web")
X = selectors(("x", "1"))


@dataclass
class Consumer:
    """An engine that knows only the changes it was told of."""

    holdings: dict[IPAddress, Holding] = field(default_factory=dict)
    peers: dict[str, PeerParameters] = field(default_factory=dict)
    routes: dict[str, dict[IPPrefix, Route]] = field(default_factory=dict)
    verdicts: list[Verdict] = field(default_factory=list)

    def take(self, change: Change) -> None:
        for address in change.released:
            del self.holdings[address]
        self.holdings.update((holding.address, holding) for holding in change.held)
        self.peers.update((peer.name, peer) for peer in change.peers)
        for name, routes in change.routes.items():
            table = self.routes.setdefault(name, {})
            assert name in self.peers, "a route before its session"
            for prefix in routes.withdrawn:
                del table[prefix]
            table.update((route.prefix, route) for route in routes.upserts)
        for gone in change.peers_dropped:
            assert not self.routes.get(gone), "routes left at a session that goes"
            del self.peers[gone]
        self.verdicts += change.verdicts
        assert change.successors.keys() <= set(change.released)
        assert HERE not in change.successors.values()

    def desired(self, not_opened: Any) -> Desired:
        return Desired(
            sorted_holdings(self.holdings.values()),
            tuple(self.peers[name] for name in sorted(self.peers)),
            {name: sorted_routes(self.routes.get(name, {}).values()) for name in sorted(self.peers)},
            not_opened,
        )


def whole(services: dict[Any, Service], slices: dict[Any, EndpointSlice], view: View) -> Desired:
    index, view = Slices(slices.values()), with_told(view, view.landscape.told)
    addresses = {key: class_reason(s, None) or status_addresses(s) for key, s in services.items()}
    for key, s in sorted(services.items()):
        found = addresses[key]
        view.spreads.place(key, None if isinstance(found, Reason) else place(s, found, index.readiness(key), view))
    decisions = [decide(s, addresses[key], index.readiness(key), view) for key, s in services.items()]
    return desired(HERE, decisions, view)


def with_told(view: View, told: Told) -> View:
    """A view like `view`, but for what speakers tell, and without anything that is remembered."""
    return View(view.config, members=view.landscape.members, told=told)


POOLS = (pool("p", "10.0.0.0/28", "fd00::/124"), pool("q", "10.0.1.0/28"))
names = st.sampled_from(ABC)
pools = st.sets(st.sampled_from(["p", "q"]), min_size=1)
only = st.sampled_from([(), X])
l2_advertisements = st.builds(
    lambda n, nodes, p, o, i, *terms: replace(
        l2(f"l{n}", nodes, pools=p, only=o, interfaces=i),
        **dict(zip(("failback_s", "spread_evenly", "flap_damping"), terms, strict=True)),
    ),
    st.integers(0, 9),
    st.sets(names),
    pools,
    only,
    st.none() | st.sets(st.sampled_from(["eth0", "eth1"]), min_size=1),
    st.sampled_from([0.0, 0.0, 300.0]),
    st.sampled_from([False, False, True]),
    st.booleans(),
)
bgp_advertisements = st.builds(
    lambda n, nodes, p, o, v4, pref, text, who, pre: bgp(
        f"b{n}", nodes, pools=p, only=o, v4=v4, local_pref=pref, communities=text, peers=who, prepend=pre
    ),
    st.integers(0, 9),
    st.sets(names),
    pools,
    only,
    st.sampled_from([32, 30, 24]),
    st.sampled_from([None, 100, 200]),
    st.sets(st.sampled_from(["1:1", "2:2", "large:3:3:3"])),
    st.none() | st.sets(st.sampled_from(["r1", "r2", "r3"])),
    st.none() | st.builds(Prepend, st.integers(1, 2)),
)
peers = st.builds(
    lambda n, address, vrf, created, dual: peer(n, address, vrf=vrf, created=created, dual_stack_address_family=dual),
    st.sampled_from(["r1", "r2", "r3"]),
    st.sampled_from(["10.9.0.1", "10.9.0.2", "fd99::1"]),
    st.sampled_from(["", "", "", "red"]),
    st.sampled_from([None, "2026-01-01T00:00:00Z"]),
    st.booleans(),
)
configs = st.builds(
    lambda ls, bs, ps, excluded: config(
        *POOLS, *ls, *bs, *ps, nodes=[node(name, excluded=name in excluded) for name in ABC]
    ),
    st.lists(l2_advertisements, max_size=2, unique_by=lambda ad: ad.name),
    st.lists(bgp_advertisements, max_size=3, unique_by=lambda ad: ad.name),
    st.lists(peers, max_size=3, unique_by=lambda p: p.name),
    st.sets(names, max_size=1),
)
tellings = st.dictionaries(
    names.map(NodeName),
    st.none()
    | st.builds(
        lambda held, damped: compose(map(ip_address, held), map(NodeName, damped), 80),
        st.sets(st.sampled_from(["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.1.1"])),
        st.sets(names, max_size=2),
    ),
).map(told_by)
views = st.builds(
    lambda conf, members, told: View(conf, members=members, told=told),
    configs,
    st.none() | st.frozensets(names).map(lambda found: found | {HERE}),
    st.just(Told()) | tellings,
)
services = st.builds(
    lambda n, ips, labels, local, shared, kind: service(
        f"s{n}",
        *ips,
        labels=labels,
        local=local,
        annotations={"metallb.io/allow-shared-ip": "k"} if shared else {},
        kind=kind,
    ),
    st.integers(0, 5),
    st.sampled_from(
        [(), ("10.0.0.1",), ("10.0.0.2",), ("10.0.0.1", "fd00::1"), ("10.0.1.1",), ("10.0.9.9",), ("bad",)]
    ),
    st.sampled_from([{}, {"x": "1"}]),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["LoadBalancer", "LoadBalancer", "LoadBalancer", "NodePort"]),
)
slices = st.builds(
    lambda n, suffix, ends: slice_of(f"s{n}", *((name, ready, None) for name, ready in ends), suffix=suffix),
    st.integers(0, 5),
    st.sampled_from("12"),
    st.lists(st.tuples(st.none() | names, st.booleans()), max_size=2),
)
steps = st.one_of(
    services,
    slices,
    st.tuples(st.just("gone"), services.map(lambda s: s.key)),
    st.tuples(st.just("slice gone"), slices.map(lambda s: s.key)),
    views,
    st.tuples(st.just("told"), tellings),
)


@given(views, st.lists(steps, max_size=30))
def test_every_path_leads_to_the_wish_worked_out_whole(view: View, path: list[Any]) -> None:
    upkeep, consumer = Upkeep(HERE), Consumer()
    known: dict[NamespacedName, Service] = {}
    pieces: dict[NamespacedName, EndpointSlice] = {}
    for step in [view, *path]:
        match step:
            case View():
                view = step
                for change in upkeep.look_again(step):
                    consumer.take(change)
            case ("told", told):
                view = with_told(view, told)
                for change in upkeep.look_again(view):
                    consumer.take(change)
            case Service():
                known[step.key] = step
                consumer.take(upkeep.put_service(step))
            case EndpointSlice():
                pieces[step.key] = step
                consumer.take(upkeep.put_slice(step))
            case ("gone", key):
                known.pop(key, None)
                consumer.take(upkeep.remove_service(key))
            case (_, key):
                pieces.pop(key, None)
                consumer.take(upkeep.remove_slice(key))
    expected = whole(known, pieces, view)
    assert upkeep.desired() == expected
    assert consumer.desired(expected.not_opened) == expected


@given(
    views,
    views,
    st.lists(services, min_size=1, max_size=6),
    st.lists(slices, max_size=6),
    st.lists(services),
    st.data(),
)
def test_events_between_the_slices_of_a_round_are_not_lost(
    first: View,
    second: View,
    start: list[Service],
    pieces: list[EndpointSlice],
    late: list[Service],
    data: st.DataObject,
) -> None:
    many = [service(f"m{n}", "10.0.0.3") for n in range(3 * SLICE)]
    upkeep, consumer = Upkeep(HERE), Consumer()
    upkeep.fill([*many, *start], pieces)
    overtaken = upkeep.look_again(first)
    for _ in range(data.draw(st.integers(0, 3))):
        consumer.take(next(overtaken))
    rest = list(late)
    for change in upkeep.look_again(second):
        consumer.take(change)
        if rest:
            consumer.take(upkeep.put_service(rest.pop(0)))
    for s in rest:
        consumer.take(upkeep.put_service(s))
    for change in overtaken:  # an old round that is still driven does no harm
        consumer.take(change)
    known = {s.key: s for s in [*many, *start, *late]}
    expected = whole(known, {piece.key: piece for piece in pieces}, second)
    assert upkeep.desired() == expected
    assert consumer.desired(expected.not_opened) == expected


def ready_upkeep(conf: Config, **options: Any) -> Upkeep:
    upkeep = Upkeep(HERE, **options)
    list(upkeep.look_again(View(conf)))
    return upkeep


ONE_NODE = (node("node-a"),)
DUAL = config(pool("p", "10.0.0.0/24"), l2(nodes=["node-a"]), bgp(nodes=["node-a"]), peer("r1"), nodes=ONE_NODE)


def reasons(change: Change) -> list[tuple[str, str | None]]:
    return [(v.protocol.value, v.reason.code.value if v.reason else None) for v in change.verdicts]


def test_a_service_that_begins_and_ends_has_a_verdict_for_each_protocol() -> None:
    upkeep = ready_upkeep(DUAL)
    assert not upkeep.put_service(service("web", "10.0.0.1"))
    assert reasons(upkeep.put_slice(slice_of("web", ("node-a", True, None)))) == [("bgp", None), ("layer2", None)]
    assert reasons(upkeep.put_slice(slice_of("web", ("node-a", False, None)))) == [
        ("bgp", "NoReadyEndpoint"),
        ("layer2", "NoReadyEndpoint"),
    ]


def test_a_service_that_changes_its_address_is_withdrawn_and_announced_again() -> None:
    upkeep = ready_upkeep(DUAL, assume_ready=True)
    upkeep.put_service(service("web", "10.0.0.1"))
    change = upkeep.put_service(service("web", "10.0.0.2"))
    assert reasons(change) == [("bgp", "AddressChanged"), ("bgp", None), ("layer2", "AddressChanged"), ("layer2", None)]
    assert [str(a) for a in change.released] == ["10.0.0.1"]
    assert [str(r.prefix) for r in change.routes["r1"].upserts] == ["10.0.0.2/32"]
    assert [str(p) for p in change.routes["r1"].withdrawn] == ["10.0.0.1/32"]


def test_a_service_that_is_deleted_says_so() -> None:
    upkeep = ready_upkeep(DUAL, assume_ready=True)
    upkeep.put_service(service("web", "10.0.0.1"))
    assert reasons(upkeep.remove_service(WEB)) == [("bgp", "ServiceDeleted"), ("layer2", "ServiceDeleted")]
    assert upkeep.desired().holdings == ()


def test_repeating_an_event_changes_nothing() -> None:
    upkeep = ready_upkeep(DUAL, assume_ready=True)
    assert upkeep.put_service(service("web", "10.0.0.1"))
    assert not upkeep.put_service(service("web", "10.0.0.1"))


def test_an_address_that_two_services_share_is_held_until_the_last_lets_go() -> None:
    upkeep = ready_upkeep(DUAL, assume_ready=True)
    upkeep.put_service(service("web", "10.0.0.1"))
    second = upkeep.put_service(service("api", "10.0.0.1"))
    assert (second.held, second.routes) == ((), {})
    first_gone = upkeep.remove_service(WEB)
    assert (first_gone.released, first_gone.routes) == ((), {})
    last_gone = upkeep.remove_service(NamespacedName("default", "api"))
    assert [str(a) for a in last_gone.released] == ["10.0.0.1"]
    assert [str(p) for p in last_gone.routes["r1"].withdrawn] == ["10.0.0.1/32"]


def test_a_shared_address_is_answered_for_on_the_interfaces_of_both() -> None:
    both = [
        l2("l", ["node-a"], interfaces=["eth0"], only=X),
        l2("m", ["node-a"], interfaces=["eth1"], only=selectors(("y", "1"))),
    ]
    upkeep = ready_upkeep(config(pool("p", "10.0.0.0/24"), *both, nodes=ONE_NODE), assume_ready=True)
    upkeep.put_service(service("web", "10.0.0.1", labels={"x": "1"}))
    change = upkeep.put_service(service("api", "10.0.0.1", labels={"y": "1"}))
    assert [holding.interfaces for holding in change.held] == [frozenset({"eth0", "eth1"})]


def test_an_aggregate_unites_what_its_services_bring_and_loses_it_with_them() -> None:
    both = [
        bgp("b", ["node-a"], v4=24, communities=["1:1"]),
        bgp("c", ["node-a"], v4=24, communities=["2:2"], local_pref=200, only=X),
    ]
    upkeep = ready_upkeep(config(pool("p", "10.0.0.0/24"), *both, peer("r1"), nodes=ONE_NODE), assume_ready=True)
    upkeep.put_service(service("web", "10.0.0.1"))
    change = upkeep.put_service(service("api", "10.0.0.2", labels={"x": "1"}))
    (route,) = change.routes["r1"].upserts
    assert (str(route.prefix), route.local_pref, [c.text for c in route.communities]) == (
        "10.0.0.0/24",
        200,
        ["1:1", "2:2"],
    )
    (route,) = upkeep.remove_service(NamespacedName("default", "api")).routes["r1"].upserts
    assert (route.local_pref, [c.text for c in route.communities]) == (None, ["1:1"])


def test_a_change_of_one_service_looks_at_no_other() -> None:
    class Counting(View):
        looked = 0

        def pool_of(self, addresses: Any) -> Any:
            Counting.looked += 1
            return super().pool_of(addresses)

    upkeep = Upkeep(HERE, assume_ready=True)
    upkeep.fill([service(f"s{n}", f"10.0.0.{n}") for n in range(200)], [])
    list(upkeep.look_again(Counting(DUAL)))
    assert Counting.looked == 200
    upkeep.put_slice(slice_of("s7", ("node-a", False, None)))
    upkeep.put_service(service("s8", "10.0.0.201"))
    # Once for the service with the slice, once for who has it now and twice for its two reasons; once for the other.
    assert Counting.looked == 205


def test_a_round_returns_to_its_caller_after_every_few_services() -> None:
    upkeep = Upkeep(HERE, assume_ready=True)
    upkeep.fill([service(f"s{n}", f"10.0.0.{n}") for n in range(200)], [])
    sizes = [len(change.held) for change in upkeep.look_again(View(DUAL))]
    assert sum(sizes) == 200
    assert max(sizes) <= SLICE


def test_why_not_answers_for_services_that_were_never_announced() -> None:
    upkeep = ready_upkeep(config(pool("p", "10.0.0.0/24"), l2(), nodes=map(node, ABC)), assume_ready=True)
    upkeep.put_service(service("web", "10.0.0.1"))
    upkeep.put_service(service("new"))
    lost, none = upkeep.why_not(WEB, Protocol.LAYER2), upkeep.why_not(NamespacedName("default", "new"), Protocol.BGP)
    assert lost is not None
    assert str(lost) == "NotElected: node-b is elected to answer"
    assert none is not None
    assert none.code is Code.NO_ADDRESS


def test_a_session_that_cannot_be_opened_has_a_reason_and_no_routes() -> None:
    conf = config(
        pool("p", "10.0.0.0/24"), bgp(nodes=["node-a"]), peer("r1", router_id=ip_address("fd00::1")), nodes=ONE_NODE
    )
    upkeep = ready_upkeep(conf, assume_ready=True)
    upkeep.put_service(service("web", "10.0.0.1"))
    found = upkeep.desired()
    assert (found.peers, found.routes) == ((), {})
    assert [(name, reason.code) for name, reason in found.not_opened] == [("r1", Code.SESSION_NOT_POSSIBLE)]


def test_a_node_that_the_membership_lacks_counts_itself_in() -> None:
    upkeep = Upkeep(HERE, assume_ready=True)
    upkeep.fill([service("web", "10.0.0.1")], [])
    list(upkeep.look_again(View(DUAL, members=frozenset({NodeName("node-b")}))))
    found = upkeep.desired()
    assert [str(holding.address) for holding in found.holdings] == ["10.0.0.1"]
    assert [str(route.prefix) for route in found.routes["r1"]] == ["10.0.0.1/32"]


BOTH = config(pool("p", "10.0.0.0/24"), l2(), nodes=(node("node-a"), node("node-b")))


def owned_by_a(conf: Config) -> str:
    """An address that the election gives to node-a."""
    return _owned(conf, HERE)


def owned_by_b(conf: Config) -> str:
    return _owned(conf, NodeName("node-b"))


def _owned(conf: Config, by: NodeName) -> str:
    texts = (f"10.0.0.{n}" for n in range(1, 100))
    electorate = View(conf).l2_reach(PoolName("p"), {}).electorate(None, ips("10.0.0.1"))
    return next(text for text in texts if electorate.wins(by, ip_address(text)))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(
            BOTH, replace(BOTH, nodes={n.name: n for n in (node("node-a", drain=""), node("node-b"))}), id="drained"
        ),
        pytest.param(
            BOTH,
            replace(BOTH, nodes={n.name: n for n in (node("node-a", excluded=True), node("node-b"))}),
            id="excluded by label",
        ),
        pytest.param(BOTH, replace(BOTH, l2_advertisements=(l2(nodes=["node-b"]),)), id="no longer selected"),
        pytest.param(
            BOTH, replace(BOTH, l2_advertisements=(l2(scores={"node-b": 9}),)), id="the other one is preferred"
        ),
    ],
)
def test_who_is_to_give_an_address_up_names_who_has_it_next(before: Config, after: Config) -> None:
    upkeep, vip = ready_upkeep(before, assume_ready=True), owned_by_a(before)
    assert upkeep.put_service(service("web", vip)).held
    changes = list(upkeep.look_again(View(after)))
    (successors,) = [change.successors for change in changes if change.released]
    assert successors == {ip_address(vip): "node-b"}


def test_an_endpoint_that_moves_takes_the_address_of_a_local_service_along_and_the_last_one_to_nobody() -> None:
    upkeep, vip = ready_upkeep(BOTH), owned_by_a(BOTH)
    upkeep.put_service(service("web", vip, local=True))
    assert upkeep.put_slice(slice_of("web", ("node-a", True, None))).held
    moved = upkeep.put_slice(slice_of("web", ("node-b", True, None)))
    assert moved.successors == {ip_address(vip): "node-b"}
    upkeep.put_slice(slice_of("web", ("node-a", True, None)))
    gone = upkeep.put_slice(slice_of("web", ("node-a", False, None)))
    assert (gone.released, gone.successors) == ((ip_address(vip),), {})


def test_a_service_that_is_gone_or_has_another_address_leaves_its_address_to_nobody() -> None:
    upkeep, vip = ready_upkeep(BOTH, assume_ready=True), owned_by_a(BOTH)
    other = next(f"10.0.0.{n}" for n in range(100, 200) if f"10.0.0.{n}" != vip)
    upkeep.put_service(service("web", vip))
    changed = upkeep.put_service(service("web", other))
    assert (changed.released, changed.successors) == ((ip_address(vip),), {})
    upkeep.put_service(service("web", vip))
    deleted = upkeep.remove_service(WEB)
    assert (deleted.released, deleted.successors) == ((ip_address(vip),), {})


def test_who_has_only_just_appeared_has_answered_all_the_time_and_is_waited_for_by_nobody() -> None:
    upkeep, vip = ready_upkeep(BOTH, assume_ready=True), owned_by_b(BOTH)
    alone, together = (
        View(BOTH, members=frozenset(map(NodeName, names))) for names in (["node-a"], ["node-a", "node-b"])
    )
    list(upkeep.look_again(alone))
    assert upkeep.put_service(service("web", vip)).held
    (change,) = [one for one in upkeep.look_again(together) if one.released]
    assert change.successors == {}
    list(upkeep.look_again(alone))
    list(upkeep.look_again(together))
    assert upkeep.put_service(service("of-a", owned_by_a(BOTH))).held
    drained = replace(BOTH, nodes={n.name: n for n in (node("node-a", drain=""), node("node-b"))})
    (change,) = [one for one in upkeep.look_again(View(drained, members=together.landscape.members)) if one.released]
    assert set(change.successors.values()) == {"node-b"}, "that was long ago"
