"""The machine of one link: who is the neighbour, and what is sent to find out."""

import random
from ipaddress import IPv6Address
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herald.net.interface import Mac
from herald.router_discovery import message
from herald.router_discovery.discovery import (
    ADVERTISE_SECONDS,
    DOUBT_SECONDS,
    FORGET_SECONDS,
    LEAST_SPACING_SECONDS,
    MOST_NEIGHBOURS,
    UNHEARD,
    Discovery,
)
from herald.router_discovery.event import Crowded, Found, InUse, Link, LinkLost, LinkReady, Lost, Received, Send
from herald.router_discovery.message import ALL_NODES, ALL_ROUTERS, RouterAdvertisement, RouterSolicitation

LINK = Link(2, IPv6Address("fe80::2"), Mac(bytes(6)))
ONE, TWO, THREE = (IPv6Address(f"fe80::{number}") for number in ("1", "b", "c"))
READY = LinkReady(LINK)


def advertised(source: IPv6Address) -> Received:
    return Received(source, 255, message.encode(RouterAdvertisement(0)))


class Walk:
    """A machine, a clock, the routers that answer, and everything that the machine has asked for."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.machine = Discovery(random.Random(7))
        self.routers: set[IPv6Address] = set()
        self.told: list[object] = []
        self.sent: list[tuple[float, Send]] = []

    def handle(self, event: object) -> "Walk":
        self._keep(self.machine.handle(event, self.now))
        return self

    def wait(self, seconds: float) -> "Walk":
        end = self.now + seconds
        while (due := self.machine.deadline()) is not None and due <= end:
            self.now = max(self.now, due)
            self._keep(self.machine.wake(self.now))
        self.now = end
        return self

    def _keep(self, effects: list[object]) -> None:
        for effect in effects:
            if not isinstance(effect, Send):
                self.told.append(effect)
                continue
            self.sent.append((self.now, effect))
            if effect.destination == ALL_ROUTERS:
                for router in sorted(self.routers):
                    self.handle(advertised(router))

    def instants(self, destination: IPv6Address) -> list[float]:
        return [at - 1000.0 for at, send in self.sent if send.destination == destination]

    @property
    def shown(self) -> tuple[IPv6Address | None, tuple[IPv6Address, ...], str | None]:
        shown = self.machine.snapshot()
        return shown.neighbour, shown.others, shown.reason


def ready(*routers: IPv6Address) -> Walk:
    walk = Walk()
    walk.routers = set(routers)
    return walk.handle(READY)


def test_a_link_that_was_never_there_asks_for_nothing():
    walk = Walk()
    assert walk.machine.deadline() is None
    walk.handle(LinkLost("eth7: this node has no interface of that name"))
    assert walk.shown == (None, (), "eth7: this node has no interface of that name")
    assert walk.wait(100).sent == []


def test_it_advertises_itself_as_nobodys_default_router_and_solicits_at_once():
    walk = ready().wait(0)
    assert [(send.destination, message.decode(send.data, LINK.address, 255)) for _, send in walk.sent] == [
        (ALL_NODES, RouterAdvertisement(0, LINK.mac)),
        (ALL_ROUTERS, RouterSolicitation(LINK.mac)),
    ]


def test_three_advertisements_come_quickly_then_one_each_ten_seconds_at_most():
    instants = ready().wait(60).instants(ALL_NODES)
    assert instants[:3] == [0, 1, 2]
    waits = [later - earlier for earlier, later in pairwise(instants[2:])]
    assert all(0.75 * ADVERTISE_SECONDS <= wait <= ADVERTISE_SECONDS for wait in waits)
    assert len(set(waits)) > 1


def test_solicitations_come_less_and_less_often_while_nobody_answers():
    assert ready().wait(46).instants(ALL_ROUTERS) == [0, 1, 3, 7, 15, 25, 35, 45]


def test_the_first_router_that_is_heard_is_the_neighbour():
    walk = ready(ONE).wait(0)
    assert walk.told == [Found(ONE)]
    assert walk.shown == (ONE, (), None)
    assert walk.wait(300).told == [Found(ONE)], "who answers is not forgotten"


def test_nobody_there_is_said_so():
    assert ready().wait(5).shown == (None, (), UNHEARD)


def test_a_newly_heard_router_soon_learns_of_us():
    walk = ready().wait(15)
    before = len(walk.instants(ALL_NODES))
    walk.handle(advertised(ONE)).wait(0.5)
    assert len(walk.instants(ALL_NODES)) == before + 1


def test_who_solicits_gets_an_advertisement_soon_but_not_more_often_than_each_three_seconds():
    walk = ready().wait(5)
    for _ in range(100):
        walk.handle(Received(ONE, 255, message.encode(RouterSolicitation()))).wait(0.1)
    instants = [at for at in walk.instants(ALL_NODES) if at >= 5]
    assert instants[0] <= 5.5
    assert all(later - earlier >= LEAST_SPACING_SECONDS for earlier, later in pairwise(instants))
    assert len(instants) >= 3


def test_a_neighbour_that_stops_to_answer_is_lost_and_may_come_back():
    walk = ready(ONE).wait(12)
    walk.routers.clear()
    walk.wait(FORGET_SECONDS)
    assert walk.told == [Found(ONE), Lost(f"the neighbour {ONE} has stopped to advertise itself")]
    assert walk.shown == (None, (), f"the neighbour {ONE} has stopped to advertise itself")
    walk.routers.add(ONE)
    assert walk.wait(10).told[2:] == [Found(ONE)]


def test_a_neighbour_in_use_is_not_lost_for_silence_and_nobody_is_solicited():
    walk = ready(ONE).wait(0).handle(InUse(True))
    walk.routers.clear()
    before = len(walk.instants(ALL_ROUTERS))
    walk.wait(1000)
    assert (walk.shown, len(walk.instants(ALL_ROUTERS))) == ((ONE, (), None), before)
    assert walk.handle(InUse(False)).wait(FORGET_SECONDS).told[1:] == [
        Lost(f"the neighbour {ONE} has stopped to advertise itself")
    ]


def test_two_routers_are_said_and_the_first_stays():
    walk = ready(TWO).wait(1)
    walk.routers.add(ONE)
    walk.wait(60)
    assert walk.told == [Found(TWO), Crowded(TWO, (ONE,))]
    assert walk.shown == (TWO, (ONE,), None)


def test_a_router_in_the_old_ones_place_takes_over_when_that_is_silent():
    walk = ready(ONE).wait(12)
    walk.routers = {TWO}
    walk.handle(advertised(TWO)).wait(DOUBT_SECONDS)
    assert walk.told == [
        Found(ONE),
        Crowded(ONE, (TWO,)),
        Lost(f"the neighbour {ONE} has stopped to advertise itself"),
        Found(TWO),
    ]


def test_of_several_that_follow_the_lowest_is_taken():
    walk = ready(ONE).wait(12)
    walk.routers = {THREE, TWO}
    walk.handle(advertised(THREE)).handle(advertised(TWO)).wait(DOUBT_SECONDS)
    assert walk.shown == (TWO, (THREE,), None)


def test_a_router_that_appears_beside_one_in_use_waits_for_the_end_of_that():
    walk = ready(ONE).wait(0).handle(InUse(True)).wait(100)
    walk.routers = {TWO}
    walk.handle(advertised(TWO)).wait(100)
    assert walk.shown == (ONE, (TWO,), None)
    walk.handle(InUse(False)).wait(DOUBT_SECONDS)
    assert walk.shown == (TWO, (), None)


def test_a_session_that_ends_while_both_are_there_keeps_the_neighbour():
    walk = ready(ONE, TWO).wait(0).handle(InUse(True)).wait(100).handle(InUse(False)).wait(100)
    assert walk.shown == (ONE, (TWO,), None)


def test_a_lost_link_loses_the_neighbour_at_once_and_a_new_one_starts_over():
    walk = ready(ONE).wait(0).handle(InUse(True))
    walk.handle(LinkLost("eth0 has no carrier"))
    assert walk.told == [Found(ONE), Lost("eth0 has no carrier")]
    assert walk.machine.deadline() is None
    assert walk.handle(LinkReady(Link(9, IPv6Address("fe80::9")))).wait(0).told[2:] == [Found(ONE)]


def test_another_address_of_ours_is_another_link():
    walk = ready(ONE).wait(0).handle(LinkReady(Link(2, IPv6Address("fe80::22"), LINK.mac))).wait(0)
    assert walk.told == [Found(ONE), Lost("our end of the link is another one now"), Found(ONE)]
    assert walk.handle(LinkReady(Link(2, IPv6Address("fe80::22"), LINK.mac))).told[3:] == []


@pytest.mark.parametrize(
    "event",
    [
        Received(LINK.address, 255, message.encode(RouterAdvertisement())),
        Received(ONE, 64, message.encode(RouterAdvertisement())),
        Received(IPv6Address("2001:db8::1"), 255, message.encode(RouterAdvertisement())),
        Received(ONE, 255, b"\x86"),
    ],
    ids=["our own", "passed on", "global source", "cut off"],
)
def test_what_must_not_be_believed_changes_nothing(event):
    assert ready().wait(0).handle(event).shown == (None, (), UNHEARD)


def test_a_host_that_makes_up_routers_does_not_fill_the_memory():
    walk = ready(ONE).wait(0)
    for number in range(10_000):
        walk.handle(advertised(IPv6Address(0xFE80 << 112 | number + 99)))
    assert len(walk.machine.snapshot().others) == MOST_NEIGHBOURS - 1
    assert walk.machine.neighbour == ONE


addresses = st.sampled_from([ONE, TWO, THREE, LINK.address])
events = st.one_of(
    st.just(READY),
    st.just(LinkReady(Link(3, IPv6Address("fe80::33")))),
    st.just(LinkLost("eth0 is down")),
    st.builds(InUse, st.booleans()),
    addresses.map(advertised),
    addresses.map(lambda source: Received(source, 255, message.encode(RouterSolicitation()))),
    st.builds(Received, addresses, st.sampled_from([255, 1]), st.binary(max_size=40)),
)


@given(st.lists(st.tuples(events, st.floats(0, 50)), max_size=40))
def test_fuzz_whatever_happens_found_and_lost_alternate_and_nothing_is_sent_without_a_link(steps):
    walk = Walk()
    up = False
    for event, pause in steps:
        sent = len(walk.sent)
        walk.handle(event).wait(pause)
        up = isinstance(event, LinkReady) or (up and not isinstance(event, LinkLost))
        assert up or len(walk.sent) == sent
    changes = [type(effect) for effect in walk.told if not isinstance(effect, Crowded)]
    assert changes == [Found if number % 2 == 0 else Lost for number in range(len(changes))]
    assert (walk.machine.neighbour is not None) == (len(changes) % 2 == 1)
    neighbour, others, reason = walk.shown
    assert (neighbour is None) == (reason is not None)
    assert neighbour not in others
    assert LINK.address not in others
