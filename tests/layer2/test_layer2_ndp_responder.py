"""The responder asked by Neighbor Discovery: its decision table, foreign claims, hostile frames in any state."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herald.layer2 import ndp, solicited_node
from herald.layer2.conflict import Conflict
from herald.layer2.drop import Drop
from herald.layer2.event import (
    ClearConflict,
    FrameReceived,
    HoldingsChanged,
    LinksChanged,
    ReportConflict,
    SendFailed,
    SendFrame,
)
from herald.layer2.holding import Holding
from herald.layer2.link import Link, NdpLink
from herald.layer2.responder import FORMER_OWNER, Responder, Unanswered
from herald.net.interface import Mac

CLIENT = Mac(bytes.fromhex("02000000000a"))
STRANGER = Mac(bytes.fromhex("0200000000cc"))
CLIENT_IP = IPv6Address("fe80::a")
ETH0 = NdpLink(2, "eth0", Mac(bytes.fromhex("0200000000b1")), IPv6Address("fe80::b1"))
ETH1 = NdpLink(3, "eth1", Mac(bytes.fromhex("0200000000b2")), None)
VIP = IPv6Address("2001:db8::200")
ONLY_ETH1 = IPv6Address("2001:db8::201")
FOREIGN = IPv6Address("2001:db8::7")
OWN_MACS = frozenset({ETH0.mac, ETH1.mac})


def asking(target: IPv6Address = VIP, source_mac: Mac | None = CLIENT) -> ndp.Frame:
    group = solicited_node.group(target)
    message = ndp.NeighborSolicitation(target, source_mac)
    return ndp.Frame(solicited_node.multicast_mac(group), CLIENT, CLIENT_IP, group, message)


def probing(target: IPv6Address = VIP, source: Mac = STRANGER) -> ndp.Frame:
    return replace(asking(target, None), sender=ndp.UNSPECIFIED, source=source)


def a_responder() -> Responder:
    responder = Responder()
    assert responder.handle(LinksChanged((), OWN_MACS, (ETH0, ETH1)), 0.0) == []
    held = (Holding(VIP), Holding(ONLY_ETH1, frozenset({"eth1"})))
    assert responder.handle(HoldingsChanged(held), -FORMER_OWNER) == []
    return responder


def ask(responder: Responder, frame: ndp.Frame, index: int = 2) -> list[object]:
    return list(responder.handle(FrameReceived(index, ndp.encode(frame)), 1.0))


@pytest.mark.parametrize(
    ("frame", "to"),
    [
        pytest.param(asking(), CLIENT, id="to the group"),
        pytest.param(replace(asking(), destination=ETH0.mac, receiver=VIP), CLIENT, id="to the address: NUD"),
        pytest.param(asking(source_mac=None), CLIENT, id="without a source MAC: to the Ethernet source"),
        pytest.param(asking(source_mac=STRANGER), STRANGER, id="to the MAC that is named, not the Ethernet source"),
        pytest.param(replace(asking(), receiver=IPv6Address("fe80::b1")), CLIENT, id="to the node"),
    ],
)
def test_a_solicitation_for_a_held_address_is_answered_with_the_mac_of_the_link(frame: ndp.Frame, to: Mac) -> None:
    (effect,) = ask(a_responder(), frame)
    assert isinstance(effect, SendFrame)
    answer = ndp.NeighborAdvertisement(VIP, ETH0.mac, router=False, solicited=True, override=False)
    assert ndp.decode(effect.data) == ndp.Frame(to, ETH0.mac, VIP, CLIENT_IP, answer)


@pytest.mark.parametrize(
    ("index", "link", "source"),
    [
        pytest.param(2, ETH0, IPv6Address("fe80::b1"), id="from the link-local address"),
        pytest.param(3, ETH1, VIP, id="from the held address where that cannot be used"),
    ],
)
def test_a_probe_for_duplicates_is_defended_before_all_nodes_and_told_as_a_conflict(
    index: int, link: NdpLink, source: IPv6Address
) -> None:
    report, effect = ask(a_responder(), probing(), index)
    assert report == ReportConflict(Conflict(VIP, link.name, STRANGER))
    assert isinstance(effect, SendFrame)
    defence = ndp.NeighborAdvertisement(VIP, link.mac, router=False, solicited=False, override=True)
    all_nodes = Mac(bytes.fromhex("333300000001"))
    assert ndp.decode(effect.data) == ndp.Frame(all_nodes, link.mac, source, solicited_node.ALL_NODES, defence)


def tampered(at: int, octet: int) -> bytes:
    data = bytearray(ndp.encode(asking()))
    data[at] = octet
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "drop"),
    [
        pytest.param(ndp.encode(asking())[:77], Drop.MALFORMED, id="cut short"),
        pytest.param(tampered(21, 254), Drop.MALFORMED, id="hop limit 254"),
        pytest.param(tampered(56, 0x12), Drop.MALFORMED, id="wrong checksum"),
        pytest.param(ndp.encode(asking(FOREIGN)), Drop.NOT_HELD, id="an address of somebody else"),
        pytest.param(ndp.encode(asking(ONLY_ETH1)), Drop.OTHER_INTERFACE, id="held on eth1 only"),
        pytest.param(ndp.encode(replace(asking(), destination=STRANGER)), Drop.NOT_FOR_US, id="to another station"),
        pytest.param(
            ndp.encode(ndp.unsolicited(VIP, ETH1.mac, None)), Drop.NOT_A_REQUEST, id="our own other link advertises"
        ),
        pytest.param(ndp.encode(probing(source=ETH1.mac)), Drop.OWN_PROBE, id="this machine looks for duplicates"),
    ],
)
def test_everything_else_is_dropped_and_counted_with_its_reason(data: bytes, drop: Drop) -> None:
    responder = a_responder()
    assert responder.handle(FrameReceived(2, data), 1.0) == []
    assert responder.snapshot().dropped == {drop: 1}


@pytest.mark.parametrize(
    ("frame", "mac"),
    [
        pytest.param(ndp.unsolicited(VIP, STRANGER, None), STRANGER, id="it is advertised"),
        pytest.param(ndp.unsolicited(FOREIGN, STRANGER, VIP), STRANGER, id="another is advertised from it"),
        pytest.param(replace(asking(FOREIGN), sender=VIP), CLIENT, id="another is asked for from it"),
        pytest.param(
            replace(ndp.unsolicited(VIP, STRANGER, None), source=CLIENT), STRANGER, id="the MAC named is the one told"
        ),
        pytest.param(probing(), STRANGER, id="duplicates of it are looked for"),
    ],
)
def test_a_foreign_claim_to_a_held_address_is_reported_once_and_ends_with_the_holding(
    frame: ndp.Frame, mac: Mac
) -> None:
    responder = a_responder()
    conflict = Conflict(VIP, "eth0", mac)
    assert [one for one in ask(responder, frame) if isinstance(one, ReportConflict)] == [ReportConflict(conflict)]
    assert not [one for one in ask(responder, frame) if isinstance(one, ReportConflict)]
    assert responder.conflicts() == (conflict,)
    assert responder.handle(HoldingsChanged(released=(VIP,)), 2.0) == [ClearConflict(conflict)]


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(ndp.unsolicited(VIP, ETH1.mac, None), id="another link of this machine"),
        pytest.param(ndp.unsolicited(FOREIGN, STRANGER, None), id="an address that is not held"),
        pytest.param(ndp.unsolicited(ONLY_ETH1, STRANGER, None), id="a link that the holding does not cover"),
        pytest.param(asking(), id="an ordinary question"),
    ],
)
def test_what_is_no_foreign_claim_is_not_reported(frame: ndp.Frame) -> None:
    responder = a_responder()
    ask(responder, frame)
    assert responder.conflicts() == ()


def test_conflicts_of_both_families_stand_in_one_order() -> None:
    responder = a_responder()
    responder.handle(LinksChanged((Link(2, "eth0", ETH0.mac),), OWN_MACS, (ETH0, ETH1)), 0.0)
    responder.handle(HoldingsChanged((Holding(IPv4Address("10.0.0.1")),)), -FORMER_OWNER)
    ask(responder, ndp.unsolicited(VIP, STRANGER, None))
    from_arp = "ffffffffffff0200000000cc08060001080006040002 0200000000cc0a000001 ffffffffffff0a000001"
    responder.handle(FrameReceived(2, bytes.fromhex(from_arp)), 1.0)
    assert [str(one.address) for one in responder.conflicts()] == ["10.0.0.1", "2001:db8::200"]


def test_questions_and_the_answers_that_left_are_counted_by_address() -> None:
    responder = a_responder()
    for _ in range(3):
        (answer,) = ask(responder, asking())
    assert isinstance(answer, SendFrame)
    responder.handle(SendFailed(2, answer.data), 1.0)
    responder.handle(SendFailed(2, ndp.encode(ndp.unsolicited(VIP, ETH0.mac, None))), 1.0)  # that was no answer
    assert [(one.requests, one.answers) for one in responder.snapshot().holdings] == [(3, 2), (0, 0)]


@pytest.mark.parametrize(
    ("links", "why"),
    [
        pytest.param(LinksChanged((), OWN_MACS, (ETH0,)), None, id="NDP is spoken"),
        pytest.param(LinksChanged((Link(2, "eth0", ETH0.mac),), OWN_MACS), Unanswered.NO_IPV6, id="only ARP is"),
        pytest.param(LinksChanged((), OWN_MACS), Unanswered.NO_INTERFACE, id="nothing is"),
    ],
)
def test_a_holding_that_is_answered_nowhere_is_told_with_the_reason(links: LinksChanged, why: Unanswered) -> None:
    responder = a_responder()
    responder.handle(links, 1.0)
    assert dict(responder.unanswered()).get(VIP) is why


@given(st.lists(st.tuples(st.integers(0, 4), st.binary(max_size=120)), max_size=10), st.booleans())
def test_fuzz_no_frame_makes_the_responder_raise_or_send_more_than_it_got(
    frames: list[tuple[int, bytes]], real: bool
) -> None:
    responder = a_responder()
    for index, data in frames:
        whole = ndp.encode(asking())[: 14 + len(data)] + data if real else b"\0" * 12 + b"\x86\xdd" + data
        effects = responder.handle(FrameReceived(index, whole), 1.0)
        assert sum(isinstance(effect, SendFrame) for effect in effects) <= 1
