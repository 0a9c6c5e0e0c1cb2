"""The responder: its decision table, foreign claims, and hostile frames in any state."""

from collections import Counter
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herald.layer2 import arp
from herald.layer2.conflict import PER_ADDRESS, Claim, Conflict, ConflictLedger
from herald.layer2.drop import Drop
from herald.layer2.event import (
    ClearConflict,
    FrameReceived,
    HoldingsChanged,
    LinksChanged,
    ReportConflict,
    SendFailed,
    SendFrame,
    Succeeded,
)
from herald.layer2.holding import Holding
from herald.layer2.link import Link
from herald.layer2.responder import FORMER_OWNER, Responder, Unanswered
from herald.net.interface import BROADCAST_MAC, Mac

CLIENT = Mac(bytes.fromhex("02000000000a"))
ETH0 = Link(2, "eth0", Mac(bytes.fromhex("0200000000b1")))
ETH1 = Link(3, "eth1", Mac(bytes.fromhex("0200000000b2")))
STRANGER = Mac(bytes.fromhex("0200000000cc"))
BRIDGE_PORT = Mac(bytes.fromhex("0200000000b9"))
VIP = IPv4Address("192.168.1.200")
ONLY_ETH1 = IPv4Address("192.168.1.201")
FOREIGN = IPv4Address("192.168.1.7")
VIP6 = IPv6Address("2001:db8::200")
ASK = arp.Frame(BROADCAST_MAC, CLIENT, arp.Packet(1, CLIENT, IPv4Address("192.168.1.9"), Mac(bytes(6)), VIP))


def a_responder(ledger: ConflictLedger | None = None) -> Responder:
    responder = Responder(ledger)
    own = frozenset({ETH0.mac, ETH1.mac, BRIDGE_PORT})
    assert responder.handle(LinksChanged((ETH0, ETH1), own), 0.0) == []
    held = (Holding(VIP), Holding(ONLY_ETH1, frozenset({"eth1"})), Holding(VIP6))
    assert responder.handle(HoldingsChanged(held), -FORMER_OWNER) == []
    return responder


def asking(**changes: object) -> arp.Frame:
    return replace(ASK, packet=replace(ASK.packet, **changes))


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(ASK, id="a broadcast request"),
        pytest.param(replace(ASK, destination=ETH0.mac), id="a unicast request to this link"),
        pytest.param(asking(sender_ip=IPv4Address("0.0.0.0")), id="a probe"),
        pytest.param(replace(ASK, source=STRANGER), id="a frame relayed by another station"),
        pytest.param(asking(target_mac=BROADCAST_MAC), id="any target MAC"),
    ],
)
def test_a_request_for_a_held_address_is_answered_with_the_mac_of_the_link(frame: arp.Frame) -> None:
    effects = a_responder().handle(FrameReceived(2, arp.encode(frame)), 1.0)
    assert effects == [SendFrame(2, arp.encode(arp.reply(frame.packet, ETH0.mac)))]


@pytest.mark.parametrize(
    ("data", "drop"),
    [
        pytest.param(b"\x01" * 41, Drop.MALFORMED, id="cut short"),
        pytest.param(arp.encode(asking(operation=2)), Drop.NOT_A_REQUEST, id="a reply"),
        pytest.param(arp.encode(asking(operation=8)), Drop.NOT_A_REQUEST, id="inverse ARP"),
        pytest.param(arp.encode(replace(ASK, destination=STRANGER)), Drop.NOT_FOR_US, id="to another station"),
        pytest.param(arp.encode(replace(ASK, destination=ETH1.mac)), Drop.NOT_FOR_US, id="to another link of ours"),
        pytest.param(arp.encode(asking(target_ip=FOREIGN)), Drop.NOT_HELD, id="an address of somebody else"),
        pytest.param(arp.encode(asking(target_ip=ONLY_ETH1)), Drop.OTHER_INTERFACE, id="held on eth1 only"),
    ],
)
def test_everything_else_is_dropped_and_counted_with_its_reason(data: bytes, drop: Drop) -> None:
    responder = a_responder()
    assert responder.handle(FrameReceived(2, data), 1.0) == []
    assert responder.snapshot().dropped == {drop: 1}


def test_requests_and_the_answers_that_left_are_counted_by_address() -> None:
    responder = a_responder()
    for _ in range(3):
        (answer,) = responder.handle(FrameReceived(2, arp.encode(ASK)), 1.0)
    assert isinstance(answer, SendFrame)
    assert responder.handle(SendFailed(2, answer.data), 1.0) == []
    gratuitous = arp.encode(arp.gratuitous(VIP, ETH0.mac)[0])
    assert responder.handle(SendFailed(2, gratuitous), 1.0) == [], "that was no answer"
    counts = {one.holding.address: (one.requests, one.answers) for one in responder.snapshot().holdings}
    assert counts[VIP] == (3, 2)
    assert counts[ONLY_ETH1] == (0, 0)


def test_a_holding_with_interfaces_is_answered_on_those_only() -> None:
    data = arp.encode(asking(target_ip=ONLY_ETH1))
    responder = a_responder()
    assert responder.handle(FrameReceived(2, data), 1.0) == []
    assert [type(effect) for effect in responder.handle(FrameReceived(3, data), 1.0)] == [SendFrame]


def test_a_released_address_is_no_longer_answered() -> None:
    responder = a_responder()
    responder.handle(HoldingsChanged(released=(VIP,)), 1.0)
    assert responder.handle(FrameReceived(2, arp.encode(ASK)), 2.0) == []


def test_a_frame_of_a_link_that_just_went_away_is_ignored() -> None:
    responder = a_responder()
    responder.handle(LinksChanged((ETH1,), frozenset({ETH1.mac})), 1.0)
    assert responder.handle(FrameReceived(2, arp.encode(ASK)), 1.0) == []


def test_a_new_mac_of_the_link_is_used_at_once() -> None:
    responder = a_responder()
    moved = replace(ETH0, mac=STRANGER)
    responder.handle(LinksChanged((moved,), frozenset({STRANGER})), 1.0)
    assert responder.handle(FrameReceived(2, arp.encode(ASK)), 1.0) == [
        SendFrame(2, arp.encode(arp.reply(ASK.packet, STRANGER)))
    ]


CLAIM = arp.gratuitous(VIP, STRANGER)
CONFLICT = Conflict(VIP, "eth0", STRANGER)


@pytest.mark.parametrize("form", [pytest.param(0, id="request form"), pytest.param(1, id="reply form")])
def test_a_foreign_claim_to_a_held_address_is_reported_once(form: int) -> None:
    responder = a_responder()
    first = responder.handle(FrameReceived(2, arp.encode(CLAIM[form])), 1.0)
    assert ReportConflict(CONFLICT) in first
    again = responder.handle(FrameReceived(2, arp.encode(CLAIM[form])), 2.0)
    assert not any(isinstance(effect, ReportConflict) for effect in again)
    assert responder.conflicts() == (CONFLICT,)
    assert responder.snapshot().claims == (Claim(CONFLICT, first=1.0, last=2.0),)


@pytest.mark.parametrize(
    ("index", "frame"),
    [
        pytest.param(2, arp.gratuitous(VIP, ETH1.mac)[1], id="another link of this machine"),
        pytest.param(2, arp.gratuitous(VIP, BRIDGE_PORT)[1], id="an interface of this machine that is no link"),
        pytest.param(2, arp.gratuitous(FOREIGN, STRANGER)[1], id="an address that is not held"),
        pytest.param(2, arp.gratuitous(ONLY_ETH1, STRANGER)[1], id="a link that the holding does not cover"),
        pytest.param(2, ASK, id="an ordinary request"),
    ],
)
def test_what_is_no_foreign_claim_is_not_reported(index: int, frame: arp.Frame) -> None:
    responder = a_responder()
    effects = responder.handle(FrameReceived(index, arp.encode(frame)), 1.0)
    assert not any(isinstance(effect, ReportConflict) for effect in effects)


def test_a_conflict_ends_when_the_address_is_released() -> None:
    responder = a_responder()
    responder.handle(FrameReceived(2, arp.encode(CLAIM[1])), 1.0)
    assert responder.handle(HoldingsChanged(released=(VIP,)), 2.0) == [ClearConflict(CONFLICT)]
    assert responder.deadline() is None


def test_a_conflict_ends_when_nothing_was_heard_of_it_for_long_and_may_then_be_reported_again() -> None:
    responder = a_responder(ConflictLedger(silence=10.0))
    responder.handle(FrameReceived(2, arp.encode(CLAIM[1])), 1.0)
    responder.handle(FrameReceived(2, arp.encode(CLAIM[1])), 5.0)
    defences = [responder.wake(at) for at in (1.5, 3.0, 5.5, 14.9)]
    assert [type(effect) for effects in defences for effect in effects].count(ClearConflict) == 0
    assert responder.deadline() == 15.0
    assert responder.wake(15.0) == [ClearConflict(CONFLICT)]
    assert responder.handle(FrameReceived(2, arp.encode(CLAIM[1])), 16.0) == [ReportConflict(CONFLICT)]


def test_a_station_that_invents_macs_fills_the_ledger_no_further_than_its_capacity() -> None:
    responder = a_responder(ConflictLedger(capacity=4))
    for number in range(100):
        mac = Mac(number.to_bytes(6, "big"))
        responder.handle(FrameReceived(2, arp.encode(arp.gratuitous(VIP, mac)[1])), 1.0)
    snapshot = responder.snapshot()
    assert len(snapshot.claims) == 4
    assert snapshot.conflicts_turned_away == 96


def test_invented_macs_for_one_address_do_not_hide_a_second_owner_of_another() -> None:
    responder = a_responder()
    for number in range(1000):
        responder.handle(FrameReceived(2, arp.encode(arp.gratuitous(VIP, Mac(number.to_bytes(6, "big")))[1])), 10.0)
    assert len(responder.conflicts()) == PER_ADDRESS
    responder.handle(HoldingsChanged((Holding(FOREIGN),)), 1.0)
    effects = responder.handle(FrameReceived(2, arp.encode(arp.gratuitous(FOREIGN, CONFLICT.mac)[1])), 11.0)
    assert ReportConflict(Conflict(FOREIGN, "eth0", CONFLICT.mac)) in effects


ledger_steps = st.one_of(
    st.tuples(st.just("hear"), st.integers(0, 5), st.integers(0, 20)),
    st.tuples(st.just("release"), st.integers(0, 5), st.just(0)),
    st.tuples(st.just("expire"), st.just(0), st.just(0)),
)


@given(st.lists(st.tuples(st.floats(0, 4), ledger_steps), max_size=120))
def test_the_ledger_always_has_room_for_an_address_without_a_claim_and_few_of_each(script) -> None:
    ledger, now = ConflictLedger(silence=10.0, capacity=12), 0.0
    for wait, (what, host, station) in script:
        now += wait
        address = IPv4Address(0x0A000000 + host)
        before = [one.address for one in ledger.open()]
        match what:
            case "hear":
                is_news = ledger.hear(Conflict(address, "eth0", Mac(station.to_bytes(6, "big"))), now)
                assert is_news or before, "there is always room for the first"
                assert is_news or address in before
            case "release":
                assert len(ledger.release([address])) == before.count(address)
            case _:
                ledger.expire(now)
        counts = Counter(one.address for one in ledger.open())
        assert max(counts.values(), default=0) <= PER_ADDRESS
        assert sum(counts.values()) <= 12 + 6
    ledger.expire(now + 10.0)
    assert ledger.open() == ()


def test_the_snapshot_tells_where_each_holding_is_answered_and_why_not() -> None:
    responder = a_responder()
    responder.handle(HoldingsChanged((Holding(FOREIGN, frozenset({"eth7"})),)), 1.0)
    responder.handle(FrameReceived(2, arp.encode(ASK)), 1.0)
    told = {str(h.holding.address): (h.links, h.unanswered, h.requests) for h in responder.snapshot().holdings}
    assert told == {
        "192.168.1.7": ((), Unanswered.NO_INTERFACE, 0),
        "192.168.1.200": (("eth0", "eth1"), None, 1),
        "192.168.1.201": (("eth1",), None, 0),
        "2001:db8::200": ((), Unanswered.NO_IPV6, 0),
    }
    assert responder.unanswered() == ((FOREIGN, Unanswered.NO_INTERFACE), (VIP6, Unanswered.NO_IPV6))


@given(st.lists(st.tuples(st.integers(0, 4), st.binary(max_size=70)), max_size=20))
def test_fuzz_no_frame_makes_the_responder_raise_or_send_more_than_it_got(frames: list[tuple[int, bytes]]) -> None:
    responder = a_responder()
    for index, data in frames:
        effects = responder.handle(FrameReceived(index, data), 1.0)
        assert sum(isinstance(effect, SendFrame) for effect in effects) <= 1


def test_what_is_handed_over_is_answered_until_another_has_it_and_its_claim_is_no_conflict() -> None:
    responder = a_responder()
    claim = FrameReceived(2, arp.encode(asking(sender_ip=VIP, sender_mac=STRANGER, target_ip=FOREIGN)))
    (told,) = responder.handle(claim, 1.0)
    assert isinstance(told, ReportConflict)
    assert responder.handle(HoldingsChanged(handed_over=(VIP,)), 2.0) == [ClearConflict(told.conflict)]
    asked = FrameReceived(2, arp.encode(ASK))
    assert [type(effect) for effect in responder.handle(asked, 2.1)] == [SendFrame]
    assert responder.handle(claim, 2.2) == []
    responder.handle(Succeeded(VIP, Holding(VIP, frozenset({"eth1"})), STRANGER), 2.3)
    assert responder.handle(asked, 2.4) == []
    assert [type(effect) for effect in responder.handle(replace(asked, index=3), 2.4)] == [SendFrame]
    responder.handle(Succeeded(VIP, None, STRANGER), 2.5)
    assert responder.handle(replace(asked, index=3), 2.6) == []
    assert all(one.holding.address != VIP for one in responder.snapshot().holdings)


def test_what_is_handed_over_and_wanted_again_counts_anew() -> None:
    responder = a_responder()
    asked = FrameReceived(2, arp.encode(ASK))
    responder.handle(asked, 1.0)
    responder.handle(HoldingsChanged(handed_over=(VIP,)), 2.0)
    responder.handle(HoldingsChanged((Holding(VIP),)), 3.0)
    responder.handle(asked, 3.1)
    counts = {address: (requests, answers) for address, requests, answers in responder.counts()}
    assert counts[VIP] == (1, 1)
    claim = FrameReceived(2, arp.encode(asking(sender_ip=VIP, sender_mac=STRANGER, target_ip=FOREIGN)))
    assert [type(effect) for effect in responder.handle(claim, 3.0 + FORMER_OWNER)] == [ReportConflict]


def test_the_former_owner_that_is_about_to_let_go_is_no_conflict() -> None:
    responder = a_responder()
    responder.handle(HoldingsChanged(released=(VIP,)), 1.0)
    responder.handle(HoldingsChanged((Holding(VIP),)), 3.0)
    claim = FrameReceived(2, arp.encode(asking(sender_ip=VIP, sender_mac=STRANGER, target_ip=FOREIGN)))
    assert responder.handle(claim, 3.1) == []
    assert responder.conflicts() == ()
    assert [type(effect) for effect in responder.handle(claim, 3.0 + FORMER_OWNER)] == [ReportConflict]
