"""ARP and Neighbor Discovery of Linux as recorded: each frame is understood, and answered as the kernel would."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given

from herald.layer2 import arp, ndp
from herald.layer2.arp import ArpError, Operation
from herald.layer2.ndp import NdpError, NeighborAdvertisement, NeighborSolicitation
from herald.net.interface import BROADCAST_MAC
from recorded import damaged, recorded

FRAMES = recorded("linux-neighbours")
ARP = {name: frame for name, frame in FRAMES.items() if name.startswith("arp")}
NDP = {name: frame for name, frame in FRAMES.items() if name.startswith("neighbor")}
HERE, THERE = IPv4Address("192.0.2.1"), IPv4Address("192.0.2.2")
HERE6, THERE6 = IPv6Address("2001:db8::1"), IPv6Address("2001:db8::2")

ARPS = {
    "arp-request-group": (Operation.REQUEST, THERE, HERE, True),
    "arp-request-unicast": (Operation.REQUEST, THERE, HERE, False),
    "arp-reply-unicast": (Operation.REPLY, THERE, HERE, False),
    "arp-gratuitous-request-group": (Operation.REQUEST, THERE, THERE, True),
    "arp-gratuitous-reply-group": (Operation.REPLY, THERE, THERE, True),
    "arp-probe-request-group": (Operation.REQUEST, IPv4Address("0.0.0.0"), IPv4Address("192.0.2.77"), True),
}


def test_every_kind_of_arp_was_recorded() -> None:
    assert set(ARP) == set(ARPS)


@pytest.mark.parametrize("name", ARPS)
def test_an_arp_packet_is_read(name: str) -> None:
    operation, sender, target, broadcast = ARPS[name]
    frame = arp.decode(ARP[name])
    assert (frame.packet.operation, frame.packet.sender_ip, frame.packet.target_ip) == (operation, sender, target)
    assert (frame.destination == BROADCAST_MAC) is broadcast
    assert frame.packet.sender_mac == frame.source


@pytest.mark.parametrize("name", ARPS)
def test_an_arp_packet_is_written_again_octet_by_octet_and_padded(name: str) -> None:
    assert arp.encode(arp.decode(ARP[name])) == ARP[name].ljust(60, b"\0")


def test_our_answer_has_the_form_of_the_answer_of_linux() -> None:
    linux = arp.decode(ARP["arp-reply-unicast"])
    question = arp.decode(ARP["arp-request-group"]).packet
    ours = arp.reply(question, linux.source)
    assert (ours.destination, ours.packet.target_mac, ours.packet.target_ip) == (
        question.sender_mac,
        question.sender_mac,
        question.sender_ip,
    )
    assert ours.packet.operation == linux.packet.operation


SOLICITATIONS = {
    "neighbor-solicitation-group": (THERE6, HERE6, True),
    "neighbor-solicitation-unicast": (None, HERE6, True),
    "neighbor-solicitation-dad-group": (ndp.UNSPECIFIED, None, False),
}
ADVERTISEMENTS = {
    "neighbor-advertisement-s-unicast": (False, True, False),
    "neighbor-advertisement-so-unicast": (False, True, True),
    "neighbor-advertisement-o-group": (False, False, True),
}


def test_every_kind_of_neighbour_message_was_recorded() -> None:
    assert set(NDP) == {*SOLICITATIONS, *ADVERTISEMENTS}


@pytest.mark.parametrize("name", SOLICITATIONS)
def test_a_solicitation_is_read(name: str) -> None:
    sender, target, names_itself = SOLICITATIONS[name]
    frame = ndp.decode(NDP[name])
    assert isinstance(frame.message, NeighborSolicitation)
    assert frame.sender == sender or (sender is None and frame.sender.is_link_local)
    assert frame.message.target == target or target is None
    assert (frame.message.source_mac == frame.source) is names_itself


@pytest.mark.parametrize("name", ADVERTISEMENTS)
def test_an_advertisement_is_read(name: str) -> None:
    frame = ndp.decode(NDP[name])
    assert isinstance(frame.message, NeighborAdvertisement)
    assert (frame.message.router, frame.message.solicited, frame.message.override) == ADVERTISEMENTS[name]
    assert frame.message.target in (THERE6, frame.sender)
    assert frame.message.target_mac in (None, frame.source)


@pytest.mark.parametrize("name", [name for name in NDP if "dad" not in name])
def test_a_neighbour_message_is_written_again_octet_by_octet(name: str) -> None:
    assert ndp.encode(ndp.decode(NDP[name])) == NDP[name]


def test_the_nonce_of_a_search_for_duplicates_is_stepped_over() -> None:
    again = ndp.encode(ndp.decode(NDP["neighbor-solicitation-dad-group"]))
    assert len(again) == len(NDP["neighbor-solicitation-dad-group"]) - 8
    assert ndp.decode(again) == ndp.decode(NDP["neighbor-solicitation-dad-group"])


@given(damaged(list(ARP.values())))
def test_fuzz_a_damaged_arp_recording_is_a_frame_or_an_error(data: bytes) -> None:
    try:
        frame = arp.decode(data)
    except ArpError:
        return
    assert arp.decode(arp.encode(frame)) == frame


@given(damaged(list(NDP.values())))
def test_fuzz_a_damaged_neighbour_recording_is_a_frame_or_an_error(data: bytes) -> None:
    try:
        frame = ndp.decode(data)
    except NdpError:
        return
    assert ndp.decode(ndp.encode(frame)) == frame
