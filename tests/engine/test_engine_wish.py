"""The wish: whatever way it is told, the differences add up to the same, and repeating it gives none."""

from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herald.bgp.family import Prefix
from herald.bgp.parameters import PeerParameters
from herald.bgp.route import Route
from herald.engine.link import PART, Apply, Handover, PeerRoutes, parts
from herald.engine.wish import STEP, Difference, RouteDifference, Wish
from herald.layer2.holding import Address, Holding

VIP, OTHER = ip_address("192.0.2.1"), ip_address("2001:db8::1")
A = PeerParameters("a", ip_address("10.0.0.1"), 64500, 64501)
B = PeerParameters("b", ip_address("10.0.0.2"), 64500, 64502)
R1, R2 = Route(ip_network("192.0.2.1/32")), Route(ip_network("192.0.2.2/32"))
START = Apply(reset=True, holdings=(Holding(VIP),), peers=(A,), routes=(PeerRoutes("a", (R1,)),))


def follow(wish: Wish, *parts: Apply) -> Difference:
    """All steps of a message as one."""
    held, released, peers, dropped = [], [], [], []
    handed_over: list[Handover] = []
    upserts: dict[str, list[Route]] = {}
    withdrawn: dict[str, list[Prefix]] = {}
    for step in wish.follow(parts):
        held += step.held
        released += step.released
        handed_over += step.handed_over
        peers += step.peers
        dropped += step.peers_dropped
        for name, change in step.routes.items():
            upserts.setdefault(name, []).extend(change.upserts)
            withdrawn.setdefault(name, []).extend(change.withdrawn)
    routes = {name: RouteDifference(tuple(upserts[name]), tuple(withdrawn[name])) for name in upserts}
    return Difference(tuple(held), tuple(released), tuple(peers), tuple(dropped), routes, tuple(handed_over))


def started() -> Wish:
    wish = Wish()
    follow(wish, START)
    return wish


@pytest.mark.parametrize(
    ("message", "difference"),
    [
        pytest.param(START, Difference(), id="the whole wish again"),
        pytest.param(Apply(), Difference(), id="nothing"),
        pytest.param(Apply(holdings=(Holding(OTHER),)), Difference(held=(Holding(OTHER),)), id="one more address"),
        pytest.param(
            Apply(holdings=(Holding(VIP, frozenset({"eth1"})),)),
            Difference(held=(Holding(VIP, frozenset({"eth1"})),)),
            id="other interfaces",
        ),
        pytest.param(Apply(holdings_dropped=(VIP, OTHER)), Difference(released=(VIP,)), id="an address dropped"),
        pytest.param(
            Apply(holdings_dropped=(VIP, OTHER), handovers=(Handover(VIP, "n2"), Handover(OTHER, "n2"))),
            Difference(handed_over=(Handover(VIP, "n2"),)),
            id="an address handed over",
        ),
        pytest.param(Apply(handovers=(Handover(VIP, "n2"),)), Difference(), id="handed over and not dropped"),
        pytest.param(
            Apply(reset=True, peers=(A,), routes=START.routes), Difference(released=(VIP,)), id="whole, without it"
        ),
        pytest.param(
            Apply(peers=(replace(A, hold_time=30),)), Difference(peers=(replace(A, hold_time=30),)), id="times"
        ),
        pytest.param(
            Apply(peers=(B,), routes=(PeerRoutes("b", (R1, R2)),)),
            Difference(peers=(B,), routes={"b": RouteDifference((R1, R2), ())}),
            id="a peer with routes",
        ),
        pytest.param(
            Apply(peers_dropped=("a", "nobody")),
            Difference(peers_dropped=("a",)),
            id="a peer dropped takes its routes along",
        ),
        pytest.param(
            Apply(routes=(PeerRoutes("a", (R2,), replace=True),)),
            Difference(routes={"a": RouteDifference((R2,), (R1.prefix,))}),
            id="routes replaced",
        ),
        pytest.param(
            Apply(routes=(PeerRoutes("a", replace=True), PeerRoutes("a", (R1,)), PeerRoutes("a", (R2,)))),
            Difference(routes={"a": RouteDifference((R2,), ())}),
            id="replaced in parts",
        ),
        pytest.param(
            Apply(routes=(PeerRoutes("a", (replace(R1, local_pref=200),)),)),
            Difference(routes={"a": RouteDifference((replace(R1, local_pref=200),), ())}),
            id="other attributes",
        ),
        pytest.param(
            Apply(routes=(PeerRoutes("a", (R2,), (R2.prefix,)),)), Difference(), id="a withdrawal beats an upsert"
        ),
        pytest.param(Apply(routes=(PeerRoutes("a", withdrawn=(R2.prefix,)),)), Difference(), id="never there"),
        pytest.param(
            Apply(reset=True),
            Difference(released=(VIP,), peers_dropped=("a",)),
            id="the whole wish is empty",
        ),
    ],
)
def test_a_message_changes_exactly_what_is_different(message: Apply, difference: Difference) -> None:
    wish = started()
    assert follow(wish, message) == difference
    assert follow(wish, message) == Difference(), "a second time it changes nothing"


def test_routes_for_a_peer_that_is_not_known_are_kept_until_it_comes() -> None:
    wish = Wish()
    follow(wish, Apply(routes=(PeerRoutes("b", (R1,)),)))
    assert follow(wish, Apply(peers=(B,))) == Difference(peers=(B,), routes={"b": RouteDifference((R1,))})
    assert wish.routes == {"b": {R1.prefix: R1}}


addresses = st.integers(1, 5).map(lambda number: ip_address(0x0A000000 + number))
holdings = st.builds(Holding, addresses, st.sampled_from([None, frozenset({"eth0"})]))
peers = st.builds(lambda peer, hold: replace(peer, hold_time=hold), st.sampled_from([A, B]), st.sampled_from([30, 90]))
routes = st.builds(Route, addresses.map(ip_network), st.sampled_from([None, 200]))


def tuples(of: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(of, max_size=4).map(tuple)


names = st.sampled_from(["a", "b"])
changes = st.builds(PeerRoutes, names, tuples(routes), tuples(addresses.map(ip_network)), st.booleans())
messages = st.builds(
    Apply,
    st.booleans(),
    tuples(holdings),
    tuples(addresses),
    tuples(peers),
    tuples(names),
    tuples(changes),
    handovers=tuples(st.builds(Handover, addresses, names)),
)


class Follower:
    """What one would run who acts on the differences alone."""

    def __init__(self) -> None:
        self.holdings: dict[Address, Holding] = {}
        self.peers: dict[str, PeerParameters] = {}
        self.routes: dict[str, dict[Prefix, Route]] = {}

    def follow(self, difference: Difference) -> None:
        for address in (*difference.released, *(one.address for one in difference.handed_over)):
            del self.holdings[address]
        self.holdings.update((one.address, one) for one in difference.held)
        for name in difference.peers_dropped:
            del self.peers[name]
            self.routes.pop(name, None)
        self.peers.update((one.name, one) for one in difference.peers)
        for name, change in difference.routes.items():
            if name not in self.peers:  # kept by the wish until the peer comes
                continue
            table = self.routes.setdefault(name, {})
            for prefix in change.withdrawn:
                del table[prefix]
            table.update((one.prefix, one) for one in change.upserts)


def filled(routes: dict[str, dict[Prefix, Route]]) -> dict[str, dict[Prefix, Route]]:
    return {name: table for name, table in routes.items() if table}


@given(st.lists(messages, max_size=6))
def test_who_follows_the_differences_has_the_wish(script: list[Apply]) -> None:
    wish, follower = Wish(), Follower()
    for message in script:
        for step in wish.follow([message]):
            follower.follow(step)
    assert (follower.holdings, follower.peers) == (wish.holdings, wish.peers)
    assert filled(follower.routes) == {name: one for name, one in filled(wish.routes).items() if name in wish.peers}


@given(st.lists(messages, max_size=4), st.integers(1, 3))
def test_a_message_in_parts_makes_the_same_wish(script: list[Apply], size: int) -> None:
    whole, parted = Wish(), Wish()
    for message in script:
        follow(whole, message)
        follow(parted, *parts(message, size))
    assert (whole.holdings, whole.peers, filled(whole.routes)) == (parted.holdings, parted.peers, filled(parted.routes))


@given(st.lists(messages, max_size=4))
def test_telling_the_whole_of_what_is_wished_changes_nothing(script: list[Apply]) -> None:
    wish = Wish()
    for message in script:
        follow(wish, message)
    tables = tuple(PeerRoutes(name, tuple(table.values()), replace=True) for name, table in wish.routes.items())
    whole = Apply(True, tuple(wish.holdings.values()), (), tuple(wish.peers.values()), (), tables)
    assert follow(wish, whole) == Difference()
    assert follow(wish, *parts(whole, 2)) == Difference()


def test_no_step_of_a_large_message_is_larger_than_a_part_or_a_batch() -> None:
    many = tuple(Route(ip_network((0x0A000000 + number, 32))) for number in range(1000))
    held = tuple(Holding(ip_address(0x0A000000 + number)) for number in range(1000))
    wish = Wish()
    for message in (Apply(True, held, (), (A,), (), (PeerRoutes("a", many),)), Apply(reset=True, peers=(A,))):
        for step in wish.follow(list(parts(message))):
            moved = [len(change.upserts) + len(change.withdrawn) for change in step.routes.values()]
            assert len(step.held) + len(step.released) + sum(moved) <= max(PART, STEP)
    assert (wish.holdings, wish.routes) == ({}, {"a": {}})
