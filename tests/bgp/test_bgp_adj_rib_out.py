from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herald.bgp import message, nlri
from herald.bgp.adj_rib_out import AdjRibOut, Egress
from herald.bgp.community import Community, ExtendedCommunity, LargeCommunity, link_bandwidth, parse_community
from herald.bgp.family import Family
from herald.bgp.message import Framer, MessageType, RefreshSubtype, RouteRefresh, Update
from herald.bgp.nlri import PrefixList
from herald.bgp.path_attribute import WireContext
from herald.bgp.route import Route

FOUR, SIX = Family.IPV4_UNICAST, Family.IPV6_UNICAST
NEXT_HOPS = {FOUR: (IPv4Address("10.0.0.2"),), SIX: (IPv6Address("2001:db8::2"),)}
EXTERNAL = Egress(64500, WireContext(internal=False), NEXT_HOPS)
INTERNAL = Egress(64500, WireContext(internal=True), NEXT_HOPS)
NARROW = Egress(4200000001, WireContext(four_octet_as=False), NEXT_HOPS)


def host(number: int, **attributes) -> Route:
    return Route(IPv4Network((0x0A000000 + number, 32)), **attributes)


def started(*routes: Route, egress: Egress = EXTERNAL) -> AdjRibOut:
    rib = AdjRibOut()
    rib.change(routes, ())
    rib.begin(egress)
    return rib


def wish_for(rib: AdjRibOut, routes) -> None:
    """Exactly these routes: the change that leads there."""
    wanted = {route.prefix for route in routes}
    held = [PrefixList(one.family, b"".join(one.wanted), len(one.wanted)) for one in rib.families.values()]
    rib.change(routes, [prefix for prefixes in held for prefix in prefixes if prefix not in wanted])


def drain(rib: AdjRibOut, egress: Egress = EXTERNAL, octets: int = 10_000):
    """All UPDATEs that are left, decoded by the peer's codec."""
    wires = []
    while rib.pending:
        wires.extend(rib.take(octets))
    assert all(len(wire) <= message.MAX_OCTETS for wire in wires)
    pairs = [pair for wire in wires for pair in Framer().feed(wire)]
    return [message.decode(MessageType.UPDATE, body, egress.wire) for _, body in pairs]


class Router:
    """The peer's table, as the UPDATEs make it."""

    def __init__(self):
        self.table = {}
        self.ends_of_rib = []

    def learn(self, updates):
        for update in updates:
            assert update.problems == ()
            if update.end_of_rib is not None:
                self.ends_of_rib.append(update.end_of_rib)
            attributes = update.attributes
            gone = [update.withdrawn] + ([attributes.mp_unreach.nlri] if attributes.mp_unreach else [])
            come = [update.nlri] + ([attributes.mp_reach.nlri] if attributes.mp_reach else [])
            for prefix in (prefix for prefixes in gone for prefix in prefixes):
                del self.table[prefix]
            for prefix in (prefix for prefixes in come for prefix in prefixes):
                self.table[prefix] = (attributes.communities or (), attributes.large_communities or ())


def test_routes_of_equal_attributes_share_an_update_up_to_4096_octets():
    updates = drain(started(*(host(number) for number in range(2000))))
    assert [len(update.nlri) for update in updates] == [810, 810, 380, 0, 0]
    assert len({prefix for update in updates for prefix in update.nlri}) == 2000


def test_routes_of_different_attributes_do_not():
    updates = drain(started(host(1), host(2, communities=(Community(7),)), host(3)))
    assert [len(update.nlri) for update in updates] == [2, 1, 0, 0]


def test_the_first_table_ends_with_an_end_of_rib_of_each_family():
    assert [update.end_of_rib for update in drain(started())] == [FOUR, SIX]
    rib = started(host(1))
    assert [update.end_of_rib for update in drain(rib)] == [None, FOUR, SIX]
    rib.change((host(2),), ())
    assert [update.end_of_rib for update in drain(rib)] == [None]


def test_an_external_peer_gets_our_asn_after_the_prepended_ones_and_no_local_pref():
    (update, *_) = drain(started(host(1, prepend=(64500, 64999), local_pref=300)))
    assert update.attributes.as_path.asns == (64500, 64999, 64500)
    assert update.attributes.local_pref is None
    assert update.attributes.next_hop == IPv4Address("10.0.0.2")


@pytest.mark.parametrize(("wanted", "sent"), [(None, 100), (0, 0), (300, 300)])
def test_an_internal_peer_always_gets_local_pref(wanted, sent):
    (update, *_) = drain(started(host(1, local_pref=wanted), egress=INTERNAL), INTERNAL)
    assert update.attributes.local_pref == sent
    assert update.attributes.as_path.asns == ()


def test_an_internal_peer_gets_the_prepended_asns_only():
    (update, *_) = drain(started(host(1, prepend=(64500,)), egress=INTERNAL), INTERNAL)
    assert update.attributes.as_path.asns == (64500,)


def test_a_narrow_peer_gets_the_true_path_beside():
    (update, *_) = drain(started(host(1), egress=NARROW), NARROW)
    assert update.attributes.as_path.asns == (23456,)
    assert update.attributes.as4_path.asns == (4200000001,)


def test_ipv6_routes_travel_in_mp_reach_with_their_own_next_hop():
    route = Route(
        IPv6Network("2001:db8:1::/64"), communities=(Community(7),), large_communities=(LargeCommunity(1, 2, 3),)
    )
    update = drain(started(route))[1]
    assert update.attributes.mp_reach.next_hops == (IPv6Address("2001:db8::2"),)
    assert list(update.attributes.mp_reach.nlri) == [route.prefix]
    assert (update.attributes.next_hop, len(update.nlri)) == (None, 0)
    assert update.attributes.large_communities == route.large_communities


def test_ipv6_updates_are_packed_and_withdrawn_in_full_messages():
    routes = [Route(IPv6Network((0x20010DB8 << 96 | number, 128))) for number in range(600)]
    rib = started(*routes)
    assert [len(update.attributes.mp_reach.nlri) for update in drain(rib)[1:-1]] == [237, 237, 126]
    wish_for(rib, ())
    assert [len(update.attributes.mp_unreach.nlri) for update in drain(rib)] == [239, 239, 122]


def test_a_changed_route_is_sent_once_and_an_unchanged_one_not_at_all():
    rib = started(host(1), host(2))
    drain(rib)
    rib.change((host(1), host(2, communities=(Community(7),))), ())
    assert [list(update.nlri) for update in drain(rib)] == [[host(2).prefix]]
    wish_for(rib, (host(2, communities=(Community(7),)), host(1)))
    assert not rib.pending


def test_new_routes_leave_before_withdrawals():
    rib = started(*(host(number) for number in range(1000)))
    drain(rib)
    wish_for(rib, tuple(host(number) for number in range(500, 1500)))
    updates = drain(rib)
    assert [len(update.nlri) for update in updates] == [500, 0]
    assert [len(update.withdrawn) for update in updates] == [0, 500]


def test_withdrawals_are_split_into_full_messages():
    rib = started(*(host(number) for number in range(2000)))
    drain(rib)
    wish_for(rib, ())
    assert [len(update.withdrawn) for update in drain(rib)] == [814, 814, 372]


def test_what_comes_and_goes_before_it_is_sent_is_never_sent():
    rib = started()
    drain(rib)
    rib.change((host(1),), ())
    rib.change((), (host(1).prefix,))
    assert not rib.pending
    rib.change((), (ip_network("192.0.2.0/24"),))
    assert not rib.pending


def test_a_family_without_next_hop_waits_in_silence():
    only_four = Egress(64500, WireContext(), {FOUR: (IPv4Address("10.0.0.2"),)})
    rib = started(host(1), Route(IPv6Network("2001:db8::1/128")), egress=only_four)
    assert [update.end_of_rib for update in drain(rib)] == [None, FOUR]
    six = rib.families[SIX]
    assert (len(six.wanted), len(six.sent), six.queued) == (1, 0, 0)


def test_ipv4_routes_with_an_ipv6_next_hop_travel_in_multiprotocol_attributes():
    link_local = IPv6Address("fe80::2")
    egress = Egress(64500, WireContext(), {FOUR: (link_local,)})
    rib = started(*(host(number) for number in range(2000)), egress=egress)
    *updates, last = drain(rib)
    assert last.end_of_rib is FOUR
    assert {update.attributes.mp_reach.next_hops for update in updates} == {(link_local,)}
    assert {(len(update.nlri), update.attributes.next_hop) for update in updates} == {(0, None)}
    assert sum(len(update.attributes.mp_reach.nlri) for update in updates) == 2000
    rib.change((), [host(7).prefix])
    (gone,) = drain(rib)
    assert list(gone.attributes.mp_unreach.nlri) == [host(7).prefix]


def test_the_end_of_rib_of_ipv4_is_an_empty_update_however_its_routes_travel():
    rib = started(egress=Egress(64500, WireContext(), {FOUR: (IPv6Address("fe80::2"),)}))
    assert rib.take(100) == [bytes.fromhex("ff" * 16 + "001702" + "0000" + "0000")]


def test_a_global_next_hop_brings_its_link_local_twin():
    pair = (IPv6Address("2001:db8::2"), IPv6Address("fe80::2"))
    rib = started(Route(IPv6Network("2001:db8:9::1/128")), egress=Egress(64500, WireContext(), {SIX: pair}))
    assert drain(rib)[0].attributes.mp_reach.next_hops == pair


def test_a_new_session_gets_everything_and_a_lost_one_has_nothing():
    rib = started(host(1), host(2))
    drain(rib)
    rib.end()
    assert (len(rib.families[FOUR].sent), rib.pending) == (0, False)
    rib.change((host(3),), (host(1).prefix,))
    assert not rib.pending
    rib.begin(EXTERNAL)
    assert {prefix for update in drain(rib) for prefix in update.nlri} == {host(2).prefix, host(3).prefix}


def test_a_peer_that_asks_a_thousand_times_for_a_refresh_gets_one_and_another_after_it():
    rib = started(*(host(number) for number in range(3000)))
    for _ in range(1000):
        rib.families[FOUR].refresh()
    assert sum(len(update.nlri) for update in drain(rib)) == 6000, "the first table, and once again"
    rib.families[FOUR].refresh()
    while not rib.take(1000):
        pass
    for _ in range(1000):
        rib.families[FOUR].refresh()
    assert sum(len(update.nlri) for update in drain(rib)) > 3000, "the rest of this one, and another"
    assert not rib.pending


def test_a_refresh_sends_all_routes_again_and_no_end_of_rib():
    rib = started(host(1), host(2))
    drain(rib)
    rib.change((), (host(2).prefix,))
    rib.families[FOUR].refresh()
    first, second = drain(rib)
    assert (list(first.withdrawn), list(second.nlri)) == ([host(2).prefix], [host(1).prefix])


MARKING = replace(EXTERNAL, marks_refresh=True)


def everything(rib: AdjRibOut, egress: Egress = MARKING):
    """All messages that are left, of any kind."""
    wires = []
    while rib.pending:
        wires.extend(rib.take(10_000))
    framer = Framer()
    framer.largest = egress.largest
    return [message.decode(kind, body, egress.wire) for wire in wires for kind, body in framer.feed(wire)]


def test_a_refresh_is_marked_for_a_peer_that_wants_it():
    rib = started(host(1), host(2), egress=MARKING)
    everything(rib)
    rib.families[FOUR].refresh()
    begin, update, end = everything(rib)
    assert (begin, end) == (RouteRefresh(1, 1, RefreshSubtype.BEGIN), RouteRefresh(1, 1, RefreshSubtype.END))
    assert set(update.nlri) == {host(1).prefix, host(2).prefix}
    rib.families[SIX].refresh()
    assert everything(rib) == [RouteRefresh(2, 1, RefreshSubtype.BEGIN), RouteRefresh(2, 1, RefreshSubtype.END)]


def test_a_refresh_asked_for_before_the_end_of_rib_begins_after_it():
    rib = started(host(1), egress=MARKING)
    rib.families[FOUR].refresh()
    kinds = [one.end_of_rib or one if isinstance(one, Update) else one.subtype for one in everything(rib)]
    assert kinds[1:3] == [FOUR, RefreshSubtype.BEGIN]


@pytest.mark.parametrize("egress", [EXTERNAL, MARKING], ids=["unmarked", "marked"])
def test_a_route_that_goes_in_the_middle_of_a_refresh_is_withdrawn(egress):
    rib = started(*(host(number) for number in range(3000)), egress=egress)
    everything(rib)
    rib.families[FOUR].refresh()
    while not any(wire[18] == MessageType.UPDATE for wire in rib.take(1)):
        pass
    rib.change((), [host(number).prefix for number in range(3000)])
    router = Router()
    router.table = {host(number).prefix: ((), ()) for number in range(3000)}
    router.learn([one for one in everything(rib) if isinstance(one, Update)])
    assert router.table == {}
    assert not rib.families[FOUR].sent


def test_a_route_that_needs_a_long_message_gets_one_where_that_is_agreed():
    long = host(1, communities=tuple(Community(number) for number in range(2000)))
    rib = started(long, host(2), egress=replace(EXTERNAL, largest=message.MAX_EXTENDED_OCTETS))
    updates = everything(rib, replace(EXTERNAL, largest=message.MAX_EXTENDED_OCTETS))
    assert [list(one.nlri) for one in updates[:2]] == [[long.prefix], [host(2).prefix]]
    assert updates[0].attributes.communities == long.communities
    assert rib.families[FOUR].refused == set()


def test_long_messages_are_kept_for_routes_that_need_them():
    rib = started(*(host(number) for number in range(2000)), egress=replace(EXTERNAL, largest=65535))
    assert max(len(wire) for _ in range(9) for wire in rib.take(10_000)) <= 4096


def test_a_route_whose_attributes_fit_into_no_message_is_refused_and_its_old_form_withdrawn():
    too_many = tuple(Community(number) for number in range(1100))
    rib = started(host(1), host(2))
    drain(rib)
    rib.change((host(1, communities=too_many), host(3, communities=too_many)), ())
    (update,) = drain(rib)
    assert list(update.withdrawn) == [host(1).prefix]
    assert len(rib.families[FOUR].refused) == 2
    rib.change((host(1),), (host(3).prefix,))
    assert [list(update.nlri) for update in drain(rib)] == [[host(1).prefix]]
    assert not rib.families[FOUR].refused


def test_a_table_of_any_size_leaves_in_slices():
    rib = started(*(host(number, communities=(Community(number),)) for number in range(5000)))
    taken = []
    while rib.pending:
        taken.append(sum(map(len, rib.take(4096))))
    assert max(taken) < 4096 + message.MAX_OCTETS
    assert len(taken) > 60


def test_many_attribute_sets_are_sent_right_although_few_are_remembered():
    routes = [host(number, communities=(Community(number),)) for number in range(3000)]
    router = Router()
    router.learn(drain(started(*routes)))
    assert router.table == {route.prefix: (route.communities, ()) for route in routes}


prefixes = st.one_of(
    st.integers(0, 7).map(lambda number: IPv4Network((0x0A000000 + number, 32))),
    st.integers(0, 3).map(lambda number: IPv6Network((0x20010DB8 << 96 | number, 128))),
)
routes = st.builds(
    Route, prefixes, communities=st.sampled_from(((), (Community(1),), tuple(map(Community, range(1100)))))
)
steps = st.one_of(
    st.tuples(st.just("change"), st.lists(routes, max_size=4), st.lists(prefixes, max_size=3)),
    st.tuples(st.just("replace"), st.lists(routes, max_size=8)),
    st.tuples(st.just("take"), st.integers(1, 200)),
    st.tuples(st.just("refresh"), st.sampled_from(Family)),
    st.tuples(st.just("restart")),
)


@given(st.lists(steps, max_size=30))
def test_whatever_the_order_of_wishes_the_router_ends_with_the_last_one(walk):
    rib, router, wish = started(), Router(), {}
    for step in walk:
        match step:
            case ("change", upserts, withdrawn):
                rib.change(upserts, withdrawn)
                wish |= {route.prefix: route for route in upserts}
                wish = {prefix: route for prefix, route in wish.items() if prefix not in withdrawn}
            case ("replace", whole):
                wish_for(rib, whole)
                wish = {route.prefix: route for route in whole}
            case ("take", octets):
                for wire in rib.take(octets):
                    router.learn([message.decode(MessageType.UPDATE, wire[19:], EXTERNAL.wire)])
            case ("refresh", family):
                rib.families[family].refresh()
            case ("restart",):
                rib.begin(EXTERNAL)
                router = Router()
    router.learn(drain(rib))
    sendable = {prefix: route for prefix, route in wish.items() if len(route.communities) < 1000}
    assert router.table == {prefix: (route.communities, ()) for prefix, route in sendable.items()}
    assert sorted(router.ends_of_rib, key=lambda family: family.value) == [FOUR, SIX]
    assert len(rib.families[FOUR].sent) + len(rib.families[SIX].sent) == len(sendable)


class Keeper:
    """A peer that has routes of ours from before, and drops what an End-of-RIB or the end of a refresh leaves stale."""

    def __init__(self, leftovers):
        self.table = dict.fromkeys(leftovers, ())
        self.stale = set(leftovers)
        self.unrefreshed = set()

    def learn(self, heard):
        match heard:
            case RouteRefresh(_, _, RefreshSubtype.BEGIN):
                assert not self.stale, "a refresh begins after the End-of-RIB"
                self.unrefreshed = set(self.table)
            case RouteRefresh(_, _, RefreshSubtype.END):
                self.drop(self.unrefreshed)
            case Update() if heard.end_of_rib is FOUR:
                self.drop(self.stale)
            case Update():
                for prefix in (*heard.withdrawn, *heard.nlri):
                    self.stale.discard(prefix)
                    self.unrefreshed.discard(prefix)
                for prefix in heard.withdrawn:
                    self.table.pop(prefix, None)
                for prefix in heard.nlri:
                    self.table[prefix] = heard.attributes.communities or ()

    def drop(self, prefixes):
        for prefix in prefixes:
            self.table.pop(prefix, None)
        prefixes.clear()


numbers = st.integers(0, 7)
steps = st.one_of(
    st.tuples(st.just("want"), numbers, st.integers(0, 2)),
    st.tuples(st.just("drop"), numbers),
    st.just(("refresh",)),
    st.just(("take",)),
    st.just(("complete",)),
)


@given(st.sets(numbers), st.lists(steps, max_size=40), st.booleans())
def test_whatever_a_peer_has_kept_and_asks_for_it_ends_with_what_is_wished_for(leftovers, walk, marks):
    egress = replace(EXTERNAL, marks_refresh=marks)
    rib, peer = AdjRibOut(), Keeper({host(number).prefix for number in leftovers})
    rib.complete(now=False)
    rib.begin(egress)
    completed, framer = False, Framer()
    for step in (*walk, ("complete",), *[("take",)] * 200):
        match step:
            case "want", number, colour:
                rib.change([host(number, communities=(Community(colour),))], ())
            case ("drop", number):
                rib.change((), [host(number).prefix])
            case ("refresh",):
                rib.families[FOUR].refresh()
            case ("complete",):
                rib.complete(now=True)
                completed = True
            case ("take",):
                before = set(peer.stale)
                for wire in rib.take(30):
                    for kind, body in framer.feed(wire):
                        peer.learn(message.decode(kind, body, egress.wire))
                assert completed or before <= peer.stale | set(peer.table), "nothing goes before all is known"
    wanted = {prefix: route.communities for prefix, route in rib.families[FOUR].wanted.items()}
    assert not rib.pending
    assert rib.converged
    assert {nlri.encode(prefix): communities for prefix, communities in peer.table.items()} == wanted


@pytest.mark.parametrize(
    ("egress", "bandwidth", "arrive"),
    [
        (EXTERNAL, None, ("rt", "soo")),
        (INTERNAL, None, ("rt", "soo", "kept")),
        (EXTERNAL, 1000, ("rt", "soo", "bandwidth")),
        (INTERNAL, 1000, ("rt", "soo", "kept", "bandwidth")),
    ],
    ids=["external", "internal", "external, bandwidth", "internal, bandwidth"],
)
def test_an_extended_community_that_is_not_transitive_stays_within_the_as(egress, bandwidth, arrive):
    texts = {"rt": "rt:65000:100", "soo": "soo:192.0.2.1:7", "kept": "generic:0x430cfde8:0x00000001"}
    given_ = {name: parse_community(f"extended:{text}") for name, text in texts.items()}
    wires = {name: each.wire for name, each in given_.items()} | {"bandwidth": link_bandwidth(64500, 1000)}
    only = host(1, extended_communities=tuple(given_.values()), link_bandwidth=bandwidth)
    first, *_ = drain(started(only, egress=egress), egress)
    assert first.attributes.extended_communities == tuple(wires[name] for name in arrive)


def test_nothing_is_said_of_extended_communities_if_none_is_transitive():
    only = host(1, extended_communities=(ExtendedCommunity(0x430C_FDE8_0000_0001),))
    first, *_ = drain(started(only))
    assert first.attributes.extended_communities is None
