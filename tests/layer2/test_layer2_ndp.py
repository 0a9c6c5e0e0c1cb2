"""The Neighbor Discovery codec: tables for both directions, everything RFC 4861 forbids to believe, hostile bytes."""

import struct
from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herald.layer2 import ndp, solicited_node
from herald.net.interface import Mac

CLIENT = Mac(bytes.fromhex("02000000000a"))
NODE = Mac(bytes.fromhex("0200000000b1"))
VIP = IPv6Address("2001:db8::200")
GROUP = IPv6Address("ff02::1:ff00:200")
CLIENT_IP = IPv6Address("fe80::a")
NODE_IP = IPv6Address("fe80::b1")

ASK = ndp.Frame(Mac(bytes.fromhex("3333ff000200")), CLIENT, CLIENT_IP, GROUP, ndp.NeighborSolicitation(VIP, CLIENT))
PROBE = replace(ASK, sender=ndp.UNSPECIFIED, message=ndp.NeighborSolicitation(VIP))

# The checksum is worked out beside, in the plainest way; a real tshark checks it too (tests/interop).
WIRES = [
    pytest.param(
        ASK,
        "3333ff000200 02000000000a 86dd 60000000 0020 3a ff fe80000000000000000000000000000a"
        "ff0200000000000000000001ff000200 87 00 {} 00000000 20010db8000000000000000000000200 01 01 02000000000a",
        id="a solicitation to the group",
    ),
    pytest.param(
        PROBE,
        "3333ff000200 02000000000a 86dd 60000000 0018 3a ff 00000000000000000000000000000000"
        "ff0200000000000000000001ff000200 87 00 {} 00000000 20010db8000000000000000000000200",
        id="a probe for duplicates",
    ),
    pytest.param(
        ndp.reply(ASK, NODE, NODE_IP),
        "02000000000a 0200000000b1 86dd 60000000 0020 3a ff 20010db8000000000000000000000200"
        "fe80000000000000000000000000000a 88 00 {} 40000000 20010db8000000000000000000000200 02 01 0200000000b1",
        id="the answer: from the target, solicited, not overriding, no router",
    ),
    pytest.param(
        ndp.reply(PROBE, NODE, NODE_IP),
        "333300000001 0200000000b1 86dd 60000000 0020 3a ff fe8000000000000000000000000000b1"
        "ff020000000000000000000000000001 88 00 {} 20000000 20010db8000000000000000000000200 02 01 0200000000b1",
        id="the defence: to all nodes, not solicited, overriding",
    ),
    pytest.param(
        ndp.unsolicited(VIP, NODE, None),
        "333300000001 0200000000b1 86dd 60000000 0020 3a ff 20010db8000000000000000000000200"
        "ff020000000000000000000000000001 88 00 {} 20000000 20010db8000000000000000000000200 02 01 0200000000b1",
        id="unsolicited, without a source: from the target",
    ),
]


def plain_checksum(frame: bytes) -> int:
    """As RFC 1071 describes it, word by word, with the field itself as 0."""
    body = frame[54:56] + b"\0\0" + frame[58:]
    words = frame[22:54] + struct.pack("!II", len(body), 58) + body + b"\0" * (len(body) % 2)
    total = sum(struct.unpack(f"!{len(words) // 2}H", words))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def with_checksum(frame: bytes | bytearray) -> bytes:
    return bytes(frame[:56]) + struct.pack("!H", plain_checksum(bytes(frame))) + bytes(frame[58:])


@pytest.mark.parametrize(("frame", "wire"), WIRES)
def test_a_frame_is_these_octets_in_both_directions(frame: ndp.Frame, wire: str) -> None:
    octets = with_checksum(bytes.fromhex(wire.format("0000")))
    assert ndp.encode(frame) == octets
    assert ndp.decode(octets) == frame


def changed(at: int, octets: bytes) -> Callable[[bytes], bytes]:
    return lambda data: with_checksum(data[:at] + octets + data[at + len(octets) :])


def with_options(options: str) -> Callable[[bytes], bytes]:
    """The solicitation with other options; the length of the payload fits."""
    more = bytes.fromhex(options)
    return lambda data: with_checksum(data[:18] + struct.pack("!H", 24 + len(more)) + data[20:78] + more)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param(lambda _: b"", "0 octets", id="empty"),
        pytest.param(lambda data: data[:77], "77 octets", id="one octet short of the least"),
        pytest.param(changed(12, b"\x08\x00"), "EtherType 0x0800", id="not IPv6 by type"),
        pytest.param(changed(6, b"\x03"), "which is nobody", id="from an Ethernet group"),
        pytest.param(changed(14, b"\x40"), "IP version 4", id="not IPv6 by version"),
        pytest.param(changed(20, b"\x00"), "next header 0", id="hop-by-hop options first"),
        pytest.param(changed(20, b"\x2c"), "next header 44", id="a fragment (RFC 6980)"),
        pytest.param(changed(21, b"\xfe"), "hop limit 254", id="came through a router"),
        pytest.param(changed(18, b"\xff\xff"), "payload of 65535 octets", id="longer than what is there"),
        pytest.param(changed(18, b"\x00\x17"), "payload of 23 octets", id="no room for a target"),
        pytest.param(lambda data: data[:56] + b"\x12\x34" + data[58:], "the checksum is wrong", id="wrong checksum"),
        pytest.param(changed(55, b"\x01"), "code 1", id="code is not 0"),
        pytest.param(changed(54, b"\x86"), "ICMPv6 type 134", id="a router's advertisement"),
        pytest.param(changed(62, b"\xff\x02"), "is a group", id="the target is a group"),
        pytest.param(changed(22, b"\xff\x02"), "which is a group", id="from an IPv6 group"),
        pytest.param(with_options("0100 0200 0000 000a"), "option 1 of length 0", id="an option of length 0"),
        pytest.param(with_options("0102 0200 0000 000a"), "option 1 says 16 octets, 8", id="an option beyond the end"),
        pytest.param(with_options("0101 0200 0000 000a 0e"), "1 octets after the options", id="half an option"),
        pytest.param(with_options("0102" + "02" * 14), "option 1 of 16 octets", id="a MAC of another size"),
        pytest.param(with_options("0101 ffff ffff ffff"), "names the group ff:ff", id="answers are to go to everybody"),
        pytest.param(changed(22, bytes(16)), "a probe that names a source MAC", id="a probe with a source MAC"),
    ],
)
def test_what_must_not_be_believed_is_refused_with_a_reason(change: Callable[[bytes], bytes], says: str) -> None:
    with pytest.raises(ndp.NdpError, match=says):
        ndp.decode(change(ndp.encode(ASK)))


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        pytest.param(replace(PROBE, receiver=VIP), "a probe sent to 2001:db8::200", id="a probe to the address itself"),
        pytest.param(
            replace(ndp.reply(ASK, NODE, None), receiver=solicited_node.ALL_NODES),
            "called solicited",
            id="a solicited advertisement to all nodes",
        ),
    ],
)
def test_addresses_that_contradict_the_message_are_refused(frame: ndp.Frame, says: str) -> None:
    with pytest.raises(ndp.NdpError, match=says):
        ndp.decode(ndp.encode(frame))


@pytest.mark.parametrize(
    ("options", "mac"),
    [
        pytest.param("", None, id="none"),
        pytest.param("0e01 a1a2a3a4a5a6", None, id="a nonce alone"),
        pytest.param("0e01 a1a2a3a4a5a6 0101 02000000000a", CLIENT, id="after a nonce"),
        pytest.param("0101 02000000000a 0101 0200000000ff", CLIENT, id="twice: the first counts"),
        pytest.param("0201 0200000000ff", None, id="the option of advertisements"),
        pytest.param("fd02" + "00" * 14 + "0101 02000000000a", CLIENT, id="after one that nobody knows"),
    ],
)
def test_options_that_are_not_known_are_stepped_over(options: str, mac: Mac | None) -> None:
    frame = ndp.decode(with_options(options)(ndp.encode(ASK)))
    assert frame.message == ndp.NeighborSolicitation(VIP, mac)


def test_padding_behind_the_packet_is_not_looked_at() -> None:
    assert ndp.decode(ndp.encode(ASK) + b"\xaa" * 30) == ASK


@pytest.mark.parametrize(
    ("address", "group", "mac"),
    [
        pytest.param("2001:db8::200", "ff02::1:ff00:200", "3333ff000200", id="low bits"),
        pytest.param("2001:db8::1:2:3", "ff02::1:ff02:3", "3333ff020003", id="the last 24 of them"),
        pytest.param("fe80::dead:beef", "ff02::1:ffad:beef", "3333ffadbeef", id="and no more"),
    ],
)
def test_the_group_in_which_an_address_is_asked_for(address: str, group: str, mac: str) -> None:
    found = solicited_node.group(IPv6Address(address))
    assert str(found) == group
    assert solicited_node.is_solicited_node(found)
    assert solicited_node.multicast_mac(found) == bytes.fromhex(mac)


macs = st.binary(min_size=6, max_size=6).map(lambda octets: Mac(bytes([octets[0] & 0xFE]) + octets[1:]))
hosts = st.ip_addresses(v=6).filter(lambda address: not address.is_multicast)
solicitations = st.builds(ndp.NeighborSolicitation, hosts, st.none() | macs)
advertisements = st.builds(
    ndp.NeighborAdvertisement, hosts, st.none() | macs, st.booleans(), st.booleans(), st.booleans()
)
senders = hosts.filter(lambda address: address != ndp.UNSPECIFIED)
frames = st.builds(ndp.Frame, macs, macs, senders, hosts, solicitations | advertisements)


@given(frames)
def test_decoding_what_was_encoded_gives_the_same_frame(frame: ndp.Frame) -> None:
    data = ndp.encode(frame)
    assert ndp.decode(data) == frame
    assert with_checksum(data) == data


@given(frames, st.data())
def test_no_single_flipped_bit_of_the_packet_is_believed(frame: ndp.Frame, data: st.DataObject) -> None:
    """All that the checksum covers: addresses and message. What remains decides for itself, see the table."""
    octets = bytearray(ndp.encode(frame))
    bit = data.draw(st.integers(22 * 8, len(octets) * 8 - 1))
    octets[bit // 8] ^= 0x80 >> bit % 8
    with pytest.raises(ndp.NdpError):
        ndp.decode(bytes(octets))


@given(frames.map(ndp.encode), st.lists(st.tuples(st.integers(12, 140), st.integers(0, 255)), max_size=6), st.binary())
def test_fuzz_any_octets_give_a_frame_or_an_ndp_error(data: bytes, changes: list[tuple[int, int]], tail: bytes) -> None:
    octets = bytearray(data + tail)
    for at, value in changes:
        octets[at % len(octets)] = value
    if len(octets) >= ndp.SHORTEST_OCTETS:  # else everything ends at the checksum
        length = min(struct.unpack_from("!H", octets, 18)[0], len(octets) - 54)
        octets[:] = with_checksum(octets[: 54 + length]) if length >= 24 else octets
    for candidate in (bytes(octets), tail):
        try:
            frame = ndp.decode(candidate)
        except ndp.NdpError:
            continue
        assert ndp.decode(ndp.encode(frame)) == frame
