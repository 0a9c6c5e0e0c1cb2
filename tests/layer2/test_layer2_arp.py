"""The ARP codec: one table drives both directions, properties and hostile bytes follow."""

from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herald.layer2 import arp
from herald.net.interface import BROADCAST_MAC, Mac, mac_text

CLIENT = Mac(bytes.fromhex("02000000000a"))
NODE = Mac(bytes.fromhex("0200000000b1"))
VIP = IPv4Address("192.168.1.200")
CLIENT_IP = IPv4Address("192.168.1.9")
ZERO_MAC = Mac(bytes(6))

REQUEST = arp.Packet(1, CLIENT, CLIENT_IP, ZERO_MAC, VIP)

WIRES = [
    pytest.param(
        arp.Frame(BROADCAST_MAC, CLIENT, REQUEST),
        "ffffffffffff 02000000000a 0806 0001 0800 06 04 0001 02000000000a c0a80109 000000000000 c0a801c8",
        id="a request to everybody",
    ),
    pytest.param(
        arp.reply(REQUEST, NODE),
        "02000000000a 0200000000b1 0806 0001 0800 06 04 0002 0200000000b1 c0a801c8 02000000000a c0a80109",
        id="the answer to it",
    ),
    pytest.param(
        arp.gratuitous(VIP, NODE)[0],
        "ffffffffffff 0200000000b1 0806 0001 0800 06 04 0001 0200000000b1 c0a801c8 ffffffffffff c0a801c8",
        id="gratuitous, request form",
    ),
    pytest.param(
        arp.gratuitous(VIP, NODE)[1],
        "ffffffffffff 0200000000b1 0806 0001 0800 06 04 0002 0200000000b1 c0a801c8 ffffffffffff c0a801c8",
        id="gratuitous, reply form",
    ),
]

macs = st.binary(min_size=6, max_size=6).map(Mac)
packets = st.builds(arp.Packet, st.integers(0, 0xFFFF), macs, st.ip_addresses(v=4), macs, st.ip_addresses(v=4))
frames = st.builds(arp.Frame, macs, macs, packets)


@pytest.mark.parametrize(("frame", "wire"), WIRES)
def test_a_frame_is_these_60_octets_in_both_directions(frame: arp.Frame, wire: str) -> None:
    octets = bytes.fromhex(wire).ljust(60, b"\0")
    assert arp.encode(frame) == octets
    assert arp.decode(octets) == frame


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param(lambda data: data[:41], "41 octets", id="one octet short"),
        pytest.param(lambda _: b"", "0 octets", id="empty"),
        pytest.param(lambda data: data[:12] + b"\x08\x00" + data[14:], "EtherType 0x0800", id="not ARP"),
        pytest.param(lambda data: data[:16] + b"\x86\xdd" + data[18:], "protocol 0x86dd", id="not IPv4"),
        pytest.param(lambda data: data[:18] + b"\x08" + data[19:], "8 and 4 octets", id="MAC of 8 octets"),
        pytest.param(lambda data: data[:19] + b"\x10" + data[20:], "6 and 16 octets", id="IP of 16 octets"),
    ],
)
def test_what_is_not_ipv4_over_ethernet_is_refused_with_a_reason(change, says: str) -> None:
    with pytest.raises(arp.ArpError, match=says):
        arp.decode(change(arp.encode(arp.Frame(BROADCAST_MAC, CLIENT, REQUEST))))


def test_the_hardware_type_and_the_padding_are_not_looked_at() -> None:
    octets = bytearray(arp.encode(arp.Frame(BROADCAST_MAC, CLIENT, REQUEST)))
    octets[14:16] = b"\x00\x06"
    octets[42:] = b"\xaa" * 200
    assert arp.decode(bytes(octets)).packet == REQUEST


def test_the_answer_goes_to_the_sender_named_in_the_packet_not_to_the_ethernet_source() -> None:
    assert arp.reply(REQUEST, NODE).destination == REQUEST.sender_mac


def test_a_mac_is_written_with_colons() -> None:
    assert mac_text(NODE) == "02:00:00:00:00:b1"


@given(frames)
def test_decoding_what_was_encoded_gives_the_same_frame(frame: arp.Frame) -> None:
    assert arp.decode(arp.encode(frame)) == frame


@given(
    st.binary(max_size=128) | frames.map(arp.encode).flatmap(lambda data: st.integers(0, 60).map(lambda n: data[:n]))
)
def test_fuzz_any_octets_give_a_frame_or_an_arp_error(data: bytes) -> None:
    try:
        frame = arp.decode(data)
    except arp.ArpError:
        return
    assert arp.decode(arp.encode(frame)) == frame
