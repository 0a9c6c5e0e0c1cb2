"""Looking before announcing, in virtual time: who is asked, what is an answer, when an address is admitted."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herald.layer2 import arp, ndp
from herald.layer2.conflict import Conflict
from herald.layer2.event import (
    Admit,
    ClearInUse,
    Effect,
    Event,
    FrameReceived,
    HoldingsChanged,
    LinksChanged,
    ReportInUse,
    SendFrame,
)
from herald.layer2.holding import Address, Holding
from herald.layer2.link import Link, NdpLink
from herald.layer2.quarantine import RETRY, Quarantine, in_use_words, probe
from herald.layer2.solicited_node import ALL_NODES, multicast_mac
from herald.net.interface import Mac

MAC, OWN, SQUATTER = (Mac(bytes.fromhex(text)) for text in ("0200000000b1", "0200000000b2", "02000000c0de"))
VIP, VIP6 = IPv4Address("192.168.1.200"), IPv6Address("2001:db8::200")
ETH0 = LinksChanged((Link(2, "eth0", MAC),), frozenset({MAC, OWN}), (NdpLink(2, "eth0", MAC),))


def hold(*addresses: Address) -> HoldingsChanged:
    return HoldingsChanged(tuple(map(Holding, addresses)))


def reply(address: Address, mac: Mac) -> FrameReceived:
    if isinstance(address, IPv4Address):
        packet = arp.Packet(2, mac, address, MAC, IPv4Address(0))
        return FrameReceived(2, arp.encode(arp.Frame(MAC, mac, packet)))
    news = ndp.NeighborAdvertisement(address, mac, router=False, solicited=False, override=True)
    return FrameReceived(2, ndp.encode(ndp.Frame(multicast_mac(ALL_NODES), mac, address, ALL_NODES, news)))


class Segment:
    """Plays a machine; `users` answer each probe for their address at once."""

    def __init__(self, *links: LinksChanged) -> None:
        self.machine = Quarantine()
        self.users: dict[Address, Mac] = {}
        self.told: list[tuple[float, Effect]] = []
        self.probes: list[float] = []
        for each in links:
            self.machine.handle(each, 0.0)

    def say(self, event: Event, at: float) -> None:
        self._note(self.machine.handle(event, at), at)

    def run(self, until: float) -> "Segment":
        for _ in range(10_000):
            due = self.machine.deadline()
            if due is None or due > until:
                return self
            self._note(self.machine.wake(due), due)
        raise AssertionError("the machine asks to be woken for ever")

    def _note(self, effects: list[Effect], at: float) -> None:
        for effect in effects:
            if isinstance(effect, SendFrame):
                self.probes.append(round(at, 3))
                for address, mac in self.users.items():
                    if effect.data == probe(address, MAC):
                        self._note(self.machine.handle(reply(address, mac), at + 0.001), at + 0.001)
            else:
                self.told.append((round(at, 2), effect))

    def admitted(self) -> dict[Address, float]:
        return {one.address: at for at, what in self.told if isinstance(what, Admit) for one in what.change.held}


@pytest.mark.parametrize("address", [VIP, VIP6], ids=["ARP", "NDP"])
def test_an_address_that_nobody_uses_is_admitted_after_three_silent_probes(address: Address) -> None:
    segment = Segment(ETH0)
    segment.say(hold(address), 0.0)
    segment.run(60.0)
    assert segment.probes == [0.0, 0.2, 0.4]
    assert segment.admitted() == {address: 0.6}
    assert segment.machine.deadline() is None


@pytest.mark.parametrize("address", [VIP, VIP6], ids=["ARP", "NDP"])
def test_an_address_in_use_is_kept_back_told_once_and_admitted_when_it_is_free(address: Address) -> None:
    segment = Segment(ETH0)
    segment.users[address] = SQUATTER
    segment.say(hold(address), 0.0)
    segment.run(100.0)
    claim = Conflict(address, "eth0", SQUATTER)
    assert segment.told == [(1.0, ReportInUse(claim))]
    assert segment.machine.snapshot() == (claim,)
    assert "02:00:00:00:c0:de on eth0" in in_use_words(claim)
    assert len([at for at in segment.probes if at > 10.0]) <= 90 / RETRY + 1
    del segment.users[address]
    segment.run(110.0)
    assert [what for _, what in segment.told[1:]] == [ClearInUse(claim), Admit(hold(address))]
    assert segment.machine.snapshot() == ()


def test_a_former_owner_that_lets_go_within_a_second_is_no_conflict() -> None:
    segment = Segment(ETH0)
    segment.users[VIP] = SQUATTER
    segment.say(hold(VIP), 0.0)
    segment.run(0.5)
    del segment.users[VIP]
    segment.run(60.0)
    assert [type(what) for _, what in segment.told] == [Admit]
    assert segment.admitted()[VIP] == pytest.approx(1.0, abs=0.21)


@pytest.mark.parametrize(
    "heard",
    [
        pytest.param(reply(VIP, OWN), id="another card of this machine"),
        pytest.param(reply(IPv4Address("192.168.1.7"), SQUATTER), id="another address"),
        pytest.param(FrameReceived(9, reply(VIP, SQUATTER).data), id="a link that is not there"),
        pytest.param(FrameReceived(2, b"noise"), id="noise"),
        pytest.param(FrameReceived(2, probe(VIP, SQUATTER)), id="another one that only asks"),
        pytest.param(FrameReceived(2, probe(VIP6, SQUATTER)), id="another one that only asks, IPv6"),
    ],
)
def test_what_is_no_claim_does_not_keep_an_address_back(heard: FrameReceived) -> None:
    segment = Segment(ETH0)
    segment.say(hold(VIP, VIP6), 0.0)
    for at in (0.1, 0.3, 0.5):
        segment.run(at)
        segment.say(heard, at)
    segment.run(60.0)
    assert segment.admitted() == {VIP: 0.6, VIP6: 0.6}


@pytest.mark.parametrize(
    ("links", "holding"),
    [
        pytest.param(LinksChanged((), frozenset()), Holding(VIP), id="no link"),
        pytest.param(ETH0, Holding(VIP, frozenset({"eth7"})), id="not on this link"),
    ],
)
def test_where_there_is_nobody_to_ask_an_address_is_admitted_at_once(links: LinksChanged, holding: Holding) -> None:
    segment = Segment(links)
    segment.say(HoldingsChanged((holding,)), 0.0)
    assert segment.admitted() == {VIP: 0.0}
    assert segment.probes == []


def test_a_change_of_an_admitted_address_is_not_probed_and_its_release_is_passed_on() -> None:
    segment = Segment(ETH0)
    segment.say(hold(VIP), 0.0)
    segment.run(5.0)
    other = HoldingsChanged((Holding(VIP, frozenset({"eth0"})),))
    segment.say(other, 5.0)
    segment.say(HoldingsChanged(released=(VIP,)), 6.0)
    assert [what for _, what in segment.told[1:]] == [Admit(other), Admit(HoldingsChanged(released=(VIP,)))]
    assert len(segment.probes) == 3


def test_an_address_released_while_it_is_kept_back_leaves_nothing() -> None:
    segment = Segment(ETH0)
    segment.users[VIP] = SQUATTER
    segment.say(hold(VIP), 0.0)
    segment.run(3.0)
    segment.say(HoldingsChanged(released=(VIP,)), 3.0)
    assert [type(what) for _, what in segment.told] == [ReportInUse, ClearInUse]
    assert segment.machine.deadline() is None
    assert not segment.machine.is_waiting


steps = st.sampled_from(
    [
        *(hold(VIP), hold(VIP6), HoldingsChanged(released=(VIP,)), HoldingsChanged(released=(VIP6,))),
        *(ETH0, LinksChanged((), frozenset()), reply(VIP, SQUATTER), reply(VIP6, SQUATTER)),
    ]
)


@given(st.lists(st.tuples(st.floats(0, 2), steps), max_size=25))
def test_in_the_end_exactly_what_is_wished_for_is_admitted(script) -> None:
    segment, now, wished, admitted = Segment(ETH0), 0.0, set(), set()
    for wait, event in script:
        now += wait
        segment.run(now)
        segment.say(event, now)
        if isinstance(event, HoldingsChanged):
            wished |= {one.address for one in event.held}
            wished -= set(event.released)
    segment.run(now + 60.0)
    for _, effect in segment.told:
        if isinstance(effect, Admit):
            admitted |= {one.address for one in effect.change.held}
            admitted -= set(effect.change.released)
    assert admitted == wished
    assert segment.machine.snapshot() == ()


def test_what_is_handed_over_is_passed_on_if_it_was_admitted_and_forgotten_if_not() -> None:
    segment = Segment(ETH0)
    segment.say(hold(VIP), 0.0)
    segment.run(5.0)
    segment.say(hold(VIP6), 5.0)
    handed_over = HoldingsChanged(handed_over=(VIP, VIP6))
    segment.say(handed_over, 5.1)
    segment.run(60.0)
    assert [what.change for _, what in segment.told if isinstance(what, Admit)] == [
        hold(VIP),
        HoldingsChanged(handed_over=(VIP,)),
    ]
