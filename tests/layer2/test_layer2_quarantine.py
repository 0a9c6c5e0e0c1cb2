"""Looking before announcing, in virtual time: who is asked, what is an answer, when an address is admitted."""

from ipaddress import IPv4Address, IPv6Address
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herald.layer2 import arp, ethernet, ndp
from herald.layer2.announcer import ROUNDS, Announcer
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
    SendFailed,
    SendFrame,
    Succeeded,
)
from herald.layer2.handover import LONGEST
from herald.layer2.holding import Address, Holding
from herald.layer2.link import Link, NdpLink
from herald.layer2.quarantine import (
    AGAIN,
    HASTE,
    MACS,
    PROBES,
    RETRY,
    SPACING,
    TELL_EVERY,
    Quarantine,
    in_use_words,
    probe,
)
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


def asked_for(data: bytes) -> Address:
    """What a probe is about."""
    address: Address
    if ethernet.ethertype(data) == ethernet.ETHERTYPE_ARP:
        address = arp.decode(data).packet.target_ip
    else:
        address = ndp.decode(data).message.target
    assert data == probe(address, MAC)
    return address


class Segment:
    """Plays a machine; `users` answer probes for their address at once; those for what is `refused` do not leave."""

    def __init__(self, *links: LinksChanged) -> None:
        self.machine = Quarantine()
        self.refused: set[Address] = set()
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
                address = asked_for(effect.data)
                if address in self.refused:
                    assert self.machine.handle(SendFailed(effect.index, effect.data), at) == []
                    continue
                self.probes.append(round(at, 6))
                if address in self.users:
                    answer = reply(address, self.users[address])
                    self._note(self.machine.handle(answer, at + 0.001), at + 0.001)
            else:
                self.told.append((round(at, 2), effect))

    def admitted(self) -> dict[Address, float]:
        return {one.address: at for at, what in self.told if isinstance(what, Admit) for one in what.change.held}


@pytest.mark.parametrize("address", [VIP, VIP6], ids=["ARP", "NDP"])
def test_an_address_that_nobody_uses_is_admitted_after_three_silent_probes(address: Address) -> None:
    segment = Segment(ETH0)
    segment.say(hold(address), 0.0)
    segment.run(60.0)
    assert segment.probes == [pytest.approx(at) for at in (0.0, 0.2, 0.4)]
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
    assert len([at for at in segment.probes if at > HASTE + RETRY]) <= 85 / RETRY + 1
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


INVENTED = [Mac(b"\x02" + number.to_bytes(5, "big")) for number in range(3000)]


def test_a_station_that_invents_macs_is_told_of_once_a_minute_and_a_few_times_in_all() -> None:
    segment = Segment(ETH0)
    segment.say(hold(VIP), 0.0)
    for number, mac in enumerate(INVENTED):
        segment.say(reply(VIP, mac), number * 0.3)
    told = [at for at, what in segment.told if isinstance(what, ReportInUse)]
    assert len(told) == MACS
    assert all(later - earlier >= TELL_EVERY - 0.01 for earlier, later in pairwise(told))
    (claim,) = segment.machine.snapshot()
    assert segment.told[-1][1] == ReportInUse(claim), "what is shown is what was told, and changes only with it"
    segment.say(HoldingsChanged(released=(VIP,)), 1000.0)
    assert segment.told[-1][1] == ClearInUse(claim)


def busiest(times: list[float], seconds: float) -> int:
    return max(sum(1 for later in times[n:] if later < start + seconds - 1e-6) for n, start in enumerate(times))


def test_probes_for_a_thousand_addresses_keep_to_the_pace_and_take_over_is_over_in_a_second() -> None:
    segment = Segment(ETH0)
    many = [IPv4Address(0x0A000000 + number) for number in range(1000)]
    segment.say(hold(*many), 0.0)
    segment.run(60.0)
    assert len(segment.probes) == 3000
    assert busiest(segment.probes, 0.005) <= 40
    admitted = segment.admitted()
    assert set(admitted) == set(many)
    assert max(admitted.values()) <= 0.9
    for number in (0, 500, 999):
        assert admitted[many[number]] - number / 8000 >= PROBES * SPACING - 0.02


def test_probes_and_announcements_share_one_pace_and_a_thousand_addresses_are_announced_within_a_second() -> None:
    announcer = Announcer()
    quarantine = Quarantine(announcer.pace)
    many = [IPv4Address(0x0A000000 + number) for number in range(1000)]
    sent: list[float] = []
    first: dict[IPv4Address, float] = {}
    for machine in (announcer, quarantine):
        machine.handle(ETH0, 0.0)
    quarantine.handle(hold(*many), 0.0)
    for _ in range(10_000):
        now = min((at for one in (quarantine, announcer) if (at := one.deadline()) is not None), default=9.0)
        if now > 1.0:
            break
        for effect in [*quarantine.wake(now), *announcer.wake(now)]:
            told = announcer.handle(effect.change, now) if isinstance(effect, Admit) else [effect]
            for frame in [one for one in told if isinstance(one, SendFrame)]:
                sent.append(now)
                packet = arp.decode(frame.data).packet
                if packet.sender_ip == packet.target_ip:
                    first.setdefault(packet.sender_ip, now)
    assert set(first) == set(many)
    assert max(first.values()) <= 0.9
    assert max(sum(1 for later in sent[n : n + 99] if later < at + 0.005 - 1e-6) for n, at in enumerate(sent)) <= 40


@pytest.mark.parametrize("count", [80, 400])
def test_probes_for_what_others_use_do_not_hold_up_the_repeats_of_an_address_that_was_taken(count: int) -> None:
    announcer = Announcer()
    quarantine = Quarantine(announcer.pace)
    for machine in (announcer, quarantine):
        machine.handle(ETH0, 0.0)
    quarantine.handle(hold(*(IPv4Address(0x0A000000 + number) for number in range(count))), 0.0)
    sent: list[float] = []
    taken_at, now = 6.0, 0.0
    while now <= taken_at + ROUNDS[-1]:
        for effect in quarantine.wake(now):
            assert isinstance(effect, SendFrame | ReportInUse)
            if isinstance(effect, SendFrame):
                quarantine.handle(reply(asked_for(effect.data), SQUATTER), now + 0.0001)
        effects = announcer.handle(hold(VIP), now) if now == taken_at else announcer.wake(now)
        sent += [now for effect in effects if isinstance(effect, SendFrame)]
        due = min(at for one in (quarantine, announcer) if (at := one.deadline()) is not None)
        now = taken_at if now < taken_at < due else max(due, now)
    assert sent == [pytest.approx(taken_at + later, abs=0.02) for later in ROUNDS for _ in range(2)]


def test_probes_of_more_than_can_be_asked_for_in_time_starve_nobody() -> None:
    segment = Segment(ETH0)
    many = [IPv4Address(0x0A000000 + number) for number in range(2000)]
    segment.users = dict.fromkeys(many[:1000], SQUATTER)
    segment.say(hold(*many), 0.0)
    segment.run(3.0)
    assert set(segment.admitted()) == set(many[1000:])
    assert max(segment.admitted().values()) <= 1.5


@pytest.mark.parametrize("address", [VIP, VIP6], ids=["ARP", "NDP"])
def test_probes_that_never_left_are_no_silence(address: Address) -> None:
    segment = Segment(ETH0)
    segment.refused = {address}
    segment.say(hold(VIP, VIP6), 0.0)
    segment.run(3.0)
    assert set(segment.admitted()) == {VIP, VIP6} - {address}
    segment.refused.clear()
    segment.run(60.0)
    assert segment.admitted()[address] == pytest.approx(3.0 + PROBES * SPACING, abs=0.21)


def test_a_probe_that_is_refused_makes_the_count_begin_anew_unless_it_left_on_another_link() -> None:
    two = LinksChanged((Link(2, "eth0", MAC), Link(3, "eth1", OWN)), frozenset({MAC, OWN}))
    for refused, admitted_at in (([2], 0.6), ([3], 0.6), ([2, 3], 1.2)):
        machine = Quarantine()
        machine.handle(two, 0.0)
        machine.handle(hold(VIP), 0.0)
        now = 0.0
        for turn in range(20):
            effects = machine.wake(now)
            if any(isinstance(one, Admit) for one in effects):
                break
            for one in effects:
                if turn == 2 and isinstance(one, SendFrame) and one.index in refused:
                    machine.handle(SendFailed(one.index, one.data), now)
            now = machine.deadline() or 0.0
        assert now == pytest.approx(admitted_at)


@pytest.mark.parametrize("told_late", [0.1, 0.9, 1.05, 1.3, 3.0, 7.0, 9.5])
def test_a_former_owner_that_is_told_late_still_answers_when_its_successor_announces(told_late: float) -> None:
    """It answers others for `LONGEST` after the first probe that it leaves unanswered."""
    segment = Segment(ETH0)
    segment.users[VIP] = SQUATTER
    segment.say(hold(VIP), 0.0)
    segment.run(told_late)
    del segment.users[VIP]
    before = len(segment.probes)
    segment.run(60.0)
    first_unanswered = segment.probes[before]
    assert first_unanswered - told_late <= AGAIN + 0.01
    assert segment.admitted()[VIP] < first_unanswered + LONGEST


def test_what_another_node_has_taken_is_looked_at_before_it_is_answered_for_again() -> None:
    segment = Segment(ETH0)
    segment.say(hold(VIP, VIP6), 0.0)
    segment.run(5.0)
    segment.say(Succeeded(VIP, None, SQUATTER), 6.0)
    segment.say(Succeeded(VIP6, Holding(VIP6, frozenset({"eth0"})), SQUATTER), 6.0)
    segment.say(hold(VIP, VIP6), 10.0)
    assert segment.told[-1] == (10.0, Admit(hold(VIP6)))
    segment.run(60.0)
    assert segment.told[-1] == (10.6, Admit(hold(VIP)))


def test_what_is_looked_at_when_the_node_leaves_is_asked_for_no_more_and_never_admitted() -> None:
    segment = Segment(ETH0)
    segment.say(hold(VIP), 0.0)
    segment.run(5.0)
    segment.users[VIP6] = SQUATTER
    segment.say(hold(VIP6, IPv4Address("10.0.0.9")), 5.0)
    segment.run(5.1)
    assert segment.machine.stop() == []
    assert segment.machine.deadline() is None
    segment.run(60.0)
    assert set(segment.admitted()) == {VIP}


@given(
    st.lists(
        st.tuples(
            st.sampled_from([reply(VIP, SQUATTER).data, reply(VIP6, SQUATTER).data, probe(VIP, MAC), probe(VIP6, MAC)]),
            st.integers(0, 130),
            st.integers(0, 129),
            st.integers(0, 255),
            st.booleans(),
        ),
        max_size=30,
    )
)
def test_fuzz_no_frame_makes_it_raise_tell_too_often_or_admit_before_its_time(mangled) -> None:
    machine = Quarantine()
    machine.handle(ETH0, 0.0)
    machine.handle(hold(VIP, VIP6), 0.0)
    effects = machine.wake(0.0)
    for number, (data, length, position, octet, has_failed) in enumerate(mangled):
        octets = bytearray(data[:length])
        if position < len(octets):
            octets[position] = octet
        event = SendFailed(2, bytes(octets)) if has_failed else FrameReceived(2, bytes(octets))
        effects += machine.handle(event, number * 0.1)
    reports = [one.conflict.address for one in effects if isinstance(one, ReportInUse)]
    assert len(reports) == len(set(reports)), "one of an address in so few seconds"
    assert not any(isinstance(one, Admit) for one in effects)


steps = st.sampled_from(
    [
        *(hold(VIP), hold(VIP6), HoldingsChanged(released=(VIP,)), HoldingsChanged(released=(VIP6,))),
        *(ETH0, LinksChanged((), frozenset()), reply(VIP, SQUATTER), reply(VIP6, SQUATTER)),
        *(
            SendFailed(2, probe(VIP, MAC)),
            SendFailed(2, probe(VIP6, MAC)),
            SendFailed(2, b""),
            SendFailed(9, bytes(60)),
        ),
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
