"""The codec of Router Solicitation and Advertisement."""

from ipaddress import IPv6Address

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from herald.net.interface import Mac
from herald.router_discovery.message import (
    HOP_LIMIT,
    RouterAdvertisement,
    RouterDiscoveryError,
    RouterSolicitation,
    decode,
    encode,
)

MAC = Mac(bytes.fromhex("020000000001"))
NEIGHBOUR = IPv6Address("fe80::1")
TABLE = [
    (RouterSolicitation(), "8500000000000000"),
    (RouterSolicitation(MAC), "8500000000000000" + "0101020000000001"),
    (RouterAdvertisement(), "86000000" + "00000000" + "00000000" * 2),
    (RouterAdvertisement(0, MAC), "86000000" + "00000000" + "00000000" * 2 + "0101020000000001"),
    (RouterAdvertisement(1800, MAC), "86000000" + "00000708" + "00000000" * 2 + "0101020000000001"),
]


@pytest.mark.parametrize(("message", "wire"), TABLE, ids=[repr(message) for message, _ in TABLE])
def test_a_message_and_its_octets(message, wire):
    assert encode(message).hex() == wire
    assert decode(bytes.fromhex(wire), NEIGHBOUR, HOP_LIMIT) == message


def test_an_advertisement_of_frr_is_read():
    """Recorded: FRR 8.4.4 with `neighbor eth0 interface`, to all nodes."""
    wire = bytes.fromhex("860086bf" + "4000001e" + "00000000" * 2 + "0101" + "3e5f78432502")
    mac = Mac(bytes.fromhex("3e5f78432502"))
    assert decode(wire, IPv6Address("fe80::3c5f:78ff:fe43:2502"), HOP_LIMIT) == RouterAdvertisement(30, mac)


def test_an_interval_option_as_other_routers_send_it_is_stepped_over():
    wire = bytes.fromhex("8600abcd" + "40000000" + "00000000" * 2 + "0701000000002710" + "0101" + MAC.hex())
    assert decode(wire, NEIGHBOUR, HOP_LIMIT) == RouterAdvertisement(0, MAC)


@pytest.mark.parametrize(
    ("wire", "source", "hop_limit", "words"),
    [
        (TABLE[2][1], "fe80::1", 254, "hop limit 254"),
        (TABLE[2][1], "2001:db8::1", 255, "not link-local"),
        (TABLE[1][1], "::", 255, "from no address that names a MAC"),
        (TABLE[2][1][:-2], "fe80::1", 255, "at least 16"),
        ("8500", "fe80::1", 255, "at least 8"),
        ("8501" + "00" * 6, "fe80::1", 255, "code 1"),
        ("8700" + "00" * 6, "fe80::1", 255, "ICMPv6 type 135"),
        (TABLE[2][1] + "0100" + "00" * 6, "fe80::1", 255, "option 1 of length 0"),
        (TABLE[2][1] + "0102" + "00" * 6, "fe80::1", 255, "option 1 says 16 octets, 8 are there"),
        (TABLE[2][1] + "01", "fe80::1", 255, "1 octets after the options"),
    ],
    ids=[
        "passed on by a router",
        "global source",
        "unspecified source with MAC",
        "advertisement cut off",
        "cut off",
        "code",
        "type",
        "option of no length",
        "option cut off",
        "rest",
    ],
)
def test_what_rfc_4861_forbids_is_refused(wire, source, hop_limit, words):
    with pytest.raises(RouterDiscoveryError, match=words):
        decode(bytes.fromhex(wire), IPv6Address(source), hop_limit)


def test_a_solicitation_from_no_address_is_good_without_a_mac():
    assert decode(bytes.fromhex(TABLE[0][1]), IPv6Address("::"), HOP_LIMIT) == RouterSolicitation()


def test_a_mac_of_another_kind_of_link_says_nothing_against_the_message():
    eui64 = "0102" + "11" * 14
    wire = bytes.fromhex(TABLE[2][1] + eui64)
    assert decode(wire, NEIGHBOUR, HOP_LIMIT) == RouterAdvertisement()


messages = st.one_of(
    st.builds(RouterSolicitation, st.none() | st.binary(min_size=6, max_size=6).map(Mac)),
    st.builds(RouterAdvertisement, st.integers(0, 0xFFFF), st.none() | st.binary(min_size=6, max_size=6).map(Mac)),
)


@given(messages)
def test_a_message_comes_back_as_it_went(message):
    assert decode(encode(message), NEIGHBOUR, HOP_LIMIT) == message


@given(st.binary(max_size=80), st.integers(0, 2**128 - 1).map(IPv6Address), st.sampled_from([HOP_LIMIT, 64]))
@example(bytes.fromhex("8600" + "00" * 14 + "0101"), NEIGHBOUR, HOP_LIMIT)
def test_fuzz_any_octets_are_a_message_or_an_error(data, source, hop_limit):
    try:
        decode(data, source, hop_limit)
    except RouterDiscoveryError:
        return


@given(messages, st.data())
def test_fuzz_a_damaged_message_is_a_message_or_an_error(message, data):
    wire = bytearray(encode(message))
    wire[data.draw(st.integers(0, len(wire) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(wire)))
    try:
        decode(bytes(wire[:cut]), NEIGHBOUR, HOP_LIMIT)
    except RouterDiscoveryError:
        return
