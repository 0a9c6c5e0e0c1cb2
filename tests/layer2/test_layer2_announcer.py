"""Gratuitous ARP in virtual time: when rounds come, what begins them, and the cap on their rate."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herald.layer2 import arp, ndp
from herald.layer2.announcer import Announcer
from herald.layer2.event import Effect, Event, FrameReceived, HoldingsChanged, LinksChanged, SendFrame
from herald.layer2.holding import Holding
from herald.layer2.link import Link, NdpLink
from herald.layer2.pace import FIRST_FACTOR
from herald.net.interface import Mac

ETH0 = Link(2, "eth0", Mac(bytes.fromhex("0200000000b1")))
ETH1 = Link(3, "eth1", Mac(bytes.fromhex("0200000000b2")))
VIP = IPv4Address("192.168.1.200")
ROUNDS = [0.0, 0.1, 0.4, 1.1, 2.2, 3.3, 4.4]


class Wire:
    """Plays events at their instants and wakes the machine at its deadlines; keeps what was sent and when."""

    def __init__(self, announcer: Announcer) -> None:
        self.announcer = announcer
        self.sent: list[tuple[float, int, bytes]] = []

    def play(self, events: Iterable[tuple[float, Event]], until: float = 1000.0) -> "Wire":
        for at, event in events:
            self._run(at)
            self._note(at, self.announcer.handle(event, at))
        self._run(until)
        return self

    def _run(self, until: float) -> None:
        for _ in range(100_000):
            due = self.announcer.deadline()
            if due is None or due > until:
                return
            self._note(due, self.announcer.wake(due))
        raise AssertionError("the machine asks to be woken for ever")

    def _note(self, at: float, effects: list[Effect]) -> None:
        for effect in effects:
            assert isinstance(effect, SendFrame)
            self.sent.append((round(at, 6), effect.index, effect.data))

    def rounds(self, link: Link = ETH0, address: IPv4Address = VIP) -> list[float]:
        """The instants at which both forms went out, in order, on that link."""
        forms = [arp.encode(frame) for frame in arp.gratuitous(address, link.mac)]
        times = [[at for at, index, data in self.sent if (index, data) == (link.index, form)] for form in forms]
        assert times[0] == times[1]
        return times[0]


def links(*present: Link) -> LinksChanged:
    return LinksChanged(present, frozenset(link.mac for link in present))


def test_a_new_address_is_announced_in_seven_rounds_of_both_forms() -> None:
    wire = Wire(Announcer()).play([(0.0, links(ETH0)), (0.0, HoldingsChanged((Holding(VIP),)))])
    assert wire.rounds() == ROUNDS
    assert len(wire.sent) == 14
    assert wire.announcer.deadline() is None
    assert [arp.decode(data).packet.operation for _, _, data in wire.sent] == [1, 2] * 7


@pytest.mark.parametrize(
    ("later", "eth0", "eth1"),
    [
        pytest.param([(2.0, HoldingsChanged((Holding(VIP, frozenset({"eth0"})),)))], ROUNDS, [], id="the same wish"),
        pytest.param([(2.0, links(ETH0, ETH1))], ROUNDS, [], id="the same links"),
        pytest.param(
            [(2.0, HoldingsChanged((Holding(VIP),)))], ROUNDS, [2.0 + at for at in ROUNDS], id="one interface more"
        ),
        pytest.param(
            [(2.0, HoldingsChanged((Holding(VIP, frozenset({"eth1"})),)))],
            ROUNDS[:4],
            [2.0 + at for at in ROUNDS],
            id="another interface",
        ),
        pytest.param([(2.0, HoldingsChanged(released=(VIP,)))], ROUNDS[:4], [], id="released"),
        pytest.param(
            [(2.0, HoldingsChanged(released=(VIP,))), (2.5, HoldingsChanged((Holding(VIP, frozenset({"eth0"})),)))],
            [*ROUNDS[:4], *[2.5 + at for at in ROUNDS]],
            [],
            id="released and taken again",
        ),
        pytest.param([(2.0, links(ETH1))], ROUNDS[:4], [], id="the link went away"),
        pytest.param(
            [(2.0, links(ETH1)), (20.0, links(ETH0, ETH1))],
            [*ROUNDS[:4], *[20.0 + at for at in ROUNDS]],
            [],
            id="the link came back",
        ),
        pytest.param([(2.0, FrameReceived(2, b"noise"))], ROUNDS, [], id="a frame"),
    ],
)
def test_only_what_is_new_begins_rounds(later, eth0: list[float], eth1: list[float]) -> None:
    start = [(0.0, links(ETH0, ETH1)), (0.0, HoldingsChanged((Holding(VIP, frozenset({"eth0"})),)))]
    wire = Wire(Announcer()).play([*start, *later])
    assert wire.rounds(ETH0) == [pytest.approx(at) for at in eth0]
    assert wire.rounds(ETH1) == [pytest.approx(at) for at in eth1]


def test_a_changed_mac_is_announced_anew() -> None:
    moved = replace(ETH0, mac=Mac(bytes.fromhex("0200000000ee")))
    events = [(0.0, links(ETH0)), (0.0, HoldingsChanged((Holding(VIP),))), (10.0, links(moved))]
    wire = Wire(Announcer()).play(events)
    assert wire.rounds(ETH0) == ROUNDS
    assert wire.rounds(moved) == [pytest.approx(10.0 + at) for at in ROUNDS]


def test_an_address_that_was_wished_before_any_link_is_announced_when_the_link_comes() -> None:
    wire = Wire(Announcer()).play([(0.0, HoldingsChanged((Holding(VIP),))), (3.0, links(ETH0))])
    assert wire.rounds() == [pytest.approx(3.0 + at) for at in ROUNDS]


VIP6 = IPv6Address("2001:db8::200")
ETH0_NDP = NdpLink(2, "eth0", ETH0.mac, IPv6Address("fe80::b1"))


def both(arp_link: Link, ndp_link: NdpLink) -> LinksChanged:
    return LinksChanged((arp_link,), frozenset({arp_link.mac}), (ndp_link,))


def advertised(wire: Wire, link: NdpLink = ETH0_NDP) -> list[float]:
    """The instants of the unsolicited advertisements of VIP6."""
    news = ndp.encode(ndp.unsolicited(VIP6, link.mac, link.source))
    return [at for at, index, data in wire.sent if (index, data) == (link.index, news)]


def test_an_ipv6_address_is_advertised_to_all_nodes_in_seven_rounds_of_one_frame() -> None:
    events = [(0.0, both(ETH0, ETH0_NDP)), (0.0, HoldingsChanged((Holding(VIP6), Holding(VIP))))]
    wire = Wire(Announcer()).play(events)
    assert advertised(wire) == ROUNDS
    assert wire.rounds() == ROUNDS
    assert len(wire.sent) == 21


def test_an_ipv6_address_is_not_announced_where_only_arp_is_spoken_and_is_when_ndp_comes() -> None:
    held = HoldingsChanged((Holding(VIP6), Holding(VIP)))
    wire = Wire(Announcer()).play([(0.0, links(ETH0)), (0.0, held), (20.0, both(ETH0, ETH0_NDP))])
    assert wire.rounds() == ROUNDS, "that NDP came is no news for ARP"
    assert advertised(wire) == [pytest.approx(20.0 + at) for at in ROUNDS]


def test_a_new_source_of_advertisements_is_used_and_is_no_reason_to_begin_anew() -> None:
    before = replace(ETH0_NDP, source=None)
    events = [(0.0, both(ETH0, before)), (0.0, HoldingsChanged((Holding(VIP6),))), (2.0, both(ETH0, ETH0_NDP))]
    wire = Wire(Announcer()).play(events)
    assert advertised(wire, before) == ROUNDS[:4]
    assert advertised(wire) == [pytest.approx(at) for at in ROUNDS[4:]]


def test_both_families_share_one_cap() -> None:
    many = tuple(Holding(IPv4Address(0x0A000000 + n)) for n in range(20))
    many += tuple(Holding(IPv6Address(n + 1)) for n in range(20))
    wire = Wire(Announcer(rate=10)).play([(0.0, both(ETH0, ETH0_NDP)), (0.0, HoldingsChanged(many))])
    assert len(wire.sent) == 20 * 7 * 2 + 20 * 7
    times = [at for at, _, _ in wire.sent]
    assert busiest(times[:60], 0.005) <= 2, "first rounds: 400 a second"
    assert busiest(times[60:], 1.0) <= 10
    assert times[60] == pytest.approx(1.125), "first rounds count: 8 of the 60 are younger than a second then"


def test_a_timer_that_fires_a_little_late_does_not_push_the_next_round_back() -> None:
    announcer = Announcer()
    announcer.handle(links(ETH0), 0.0)
    announcer.handle(HoldingsChanged((Holding(VIP),)), 0.0)
    for early, late, following in ((0.09, 0.13, 0.4), (0.39, 0.43, 1.1), (1.0, 1.13, 2.2)):
        assert announcer.wake(early) == []
        assert len(announcer.wake(late)) == 2
        assert announcer.deadline() == pytest.approx(following)


def busiest(times: list[float], seconds: float) -> int:
    """The most frames in any span of so many seconds."""
    return max(sum(1 for later in times[n:] if later < start + seconds - 1e-6) for n, start in enumerate(times))


@pytest.mark.parametrize(
    ("first", "last_at"), [pytest.param(0x0A000000, 0.25, id="IPv4"), pytest.param(1 << 100, 0.125, id="IPv6")]
)
def test_a_thousand_addresses_are_all_announced_within_half_a_second_and_repeated_slowly(
    first: int, last_at: float
) -> None:
    many = tuple(Holding(ip_address(first + number)) for number in range(1000))
    wire = Wire(Announcer()).play([(0.0, both(ETH0, ETH0_NDP)), (0.0, HoldingsChanged(many))])
    frames = len(wire.sent) // 7
    times = [at for at, _, _ in wire.sent]
    assert len({data for _, _, data in wire.sent[:frames]}) == frames, "nothing is repeated before all are announced"
    assert times[frames - 1] == pytest.approx(last_at, abs=0.006)
    assert busiest(times[:frames], 0.005) <= 40
    assert busiest(times[frames:], 1.0) <= 200
    assert set(Counter(data for _, _, data in wire.sent).values()) == {7}


@pytest.mark.parametrize(
    ("lost", "told_at"),
    [
        pytest.param(0, 0.0, id="nothing"),
        pytest.param(1, 0.1, id="the first round"),
        pytest.param(2, 0.4, id="and its repetition"),
        pytest.param(3, 1.1, id="and one more"),
    ],
)
@pytest.mark.parametrize("address", [VIP, VIP6], ids=["ARP", "NDP"])
def test_a_client_that_hears_nothing_at_first_is_told_soon_after(address, lost: int, told_at) -> None:
    wire = Wire(Announcer()).play([(0.0, both(ETH0, ETH0_NDP)), (0.0, HoldingsChanged((Holding(address),)))])
    frames = wire.sent[lost * (2 if address == VIP else 1) :]
    assert frames[0][0] == told_at


@given(st.integers(1, 12), st.integers(0, 12), st.integers(2, 100))
def test_nothing_is_repeated_before_all_are_announced_and_repetitions_keep_to_the_rate(
    ipv4: int, ipv6: int, rate: int
) -> None:
    many = tuple(Holding(IPv4Address(0x0A000000 + number)) for number in range(ipv4))
    many += tuple(Holding(IPv6Address(number + 1)) for number in range(ipv6))
    events = [(0.0, both(ETH0, ETH0_NDP)), (0.0, HoldingsChanged(many))]
    sent = Wire(Announcer(rate=rate)).play(events, until=20.0 + 400 / rate).sent
    frames = 2 * ipv4 + ipv6
    assert len({data for _, _, data in sent[:frames]}) == frames
    assert sent[frames - 1][0] <= frames / (rate * FIRST_FACTOR) + 0.1
    repeated = [at for at, _, _ in sent[frames:]]
    assert repeated[0] >= 0.1
    assert busiest(repeated, 1.0) <= rate
    assert set(Counter(data for _, _, data in sent).values()) == {len(ROUNDS)}


def test_an_address_that_is_taken_while_a_thousand_others_are_repeated_does_not_wait_for_them() -> None:
    many = tuple(Holding(IPv4Address(0x0A000000 + number)) for number in range(1000))
    late = HoldingsChanged((Holding(VIP),))
    wire = Wire(Announcer()).play([(0.0, links(ETH0)), (0.0, HoldingsChanged(many)), (5.0, late)])
    assert wire.rounds()[0] == 5.0


def test_a_rate_below_one_round_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 2 frames per second"):
        Announcer(rate=1)


addresses = st.integers(1, 12).map(lambda number: IPv4Address(0x0A000000 + number))
interfaces = st.sampled_from([None, frozenset({"eth0"}), frozenset({"eth1"}), frozenset[str]()])
events = st.one_of(
    st.builds(
        HoldingsChanged,
        st.lists(st.builds(Holding, addresses, interfaces), max_size=6, unique_by=lambda h: h.address).map(tuple),
        st.lists(addresses, max_size=3).map(tuple),
    ),
    st.sampled_from([links(), links(ETH0), links(ETH1), links(ETH0, ETH1)]),
)
scripts = st.lists(st.tuples(st.floats(0, 3), events), max_size=15)


@given(scripts, st.integers(2, 30))
def test_no_second_carries_more_than_the_rate_and_first_rounds_whatever_happens(script, rate: int) -> None:
    at, timed = 0.0, []
    for wait, event in script:
        at += wait
        timed.append((at, event))
    times = [sent for sent, _, _ in Wire(Announcer(rate=rate)).play(timed).sent]
    for position, start in enumerate(times):
        within = sum(1 for later in times[position:] if later < start + 1.0 - 1e-6)
        # Twelve addresses on two links, at forty times the rate, are announced well within a second.
        begun = sum(48 for at, _ in timed if start - 1.0 < at < start + 1.0)
        assert within <= rate + min(begun, rate * (FIRST_FACTOR + 1))
    assert times == sorted(times)


@given(scripts)
def test_what_is_covered_at_the_end_was_announced_since_it_became_so(script) -> None:
    wire, at, timed, held, present = Wire(Announcer(rate=2000)), 0.0, [], {}, ()
    for wait, event in script:
        at += wait
        timed.append((at, event))
        if isinstance(event, LinksChanged):
            present = event.links
        else:
            for address in event.released:
                held.pop(address, None)
            held.update((holding.address, holding) for holding in event.held)
    wire.play(timed)
    for holding in held.values():
        for link in present:
            if holding.covers(link.name):
                assert len(wire.rounds(link, holding.address)) >= 7


def test_what_is_handed_over_is_announced_no_more() -> None:
    wire = Wire(Announcer())
    handed_over = HoldingsChanged(handed_over=(VIP,))
    wire.play([(0.0, links(ETH0)), (0.0, HoldingsChanged((Holding(VIP),))), (1.5, handed_over)])
    assert wire.rounds() == ROUNDS[:4]
