from ipaddress import ip_network

import pytest
from bgp_wires import ipv4_networks, ipv6_networks
from hypothesis import given
from hypothesis import strategies as st

from herald.bgp import nlri
from herald.bgp.family import Family

FOUR, SIX = Family.IPV4_UNICAST, Family.IPV6_UNICAST
TABLE = [
    (FOUR, "00", "0.0.0.0/0"),
    (FOUR, "080a", "10.0.0.0/8"),
    (FOUR, "090a80", "10.128.0.0/9"),
    (FOUR, "17c0a800", "192.168.0.0/23"),
    (FOUR, "18c0a801", "192.168.1.0/24"),
    (FOUR, "20c0a801c8", "192.168.1.200/32"),
    (SIX, "00", "::/0"),
    (SIX, "3020010db80001", "2001:db8:1::/48"),
    (SIX, "8020010db8000000000000000000000001", "2001:db8::1/128"),
]
IDS = [prefix for _, _, prefix in TABLE]


@pytest.mark.parametrize(("family", "wire", "prefix"), TABLE, ids=IDS)
def test_a_prefix_and_its_octets(family, wire, prefix):
    assert nlri.encode(ip_network(prefix)) == bytes.fromhex(wire)
    assert list(nlri.parse(family, bytes.fromhex(wire))) == [ip_network(prefix)]


@pytest.mark.parametrize(
    ("family", "wire", "words"),
    [
        (FOUR, "21c0a801c800", "a prefix length of 33 in ipv4-unicast NLRI; at most 32 is possible"),
        (SIX, "81" + "00" * 17, "a prefix length of 129"),
        (FOUR, "20c0a801", "the last ipv4-unicast prefix is cut off by 1 octets"),
        (FOUR, "080a18c0", "cut off by 2 octets"),
    ],
    ids=["longer-than-ipv4", "longer-than-ipv6", "cut-off", "second-cut-off"],
)
def test_a_malformed_field_is_refused(family, wire, words):
    with pytest.raises(nlri.NlriError, match=words):
        nlri.parse(family, bytes.fromhex(wire))


def test_bits_beyond_the_length_mean_nothing():
    assert list(nlri.parse(FOUR, bytes.fromhex("09ffff"))) == [ip_network("255.128.0.0/9")]


@given(st.lists(ipv4_networks))
def test_ipv4_prefixes_come_back_as_they_went(prefixes):
    listed = nlri.of(FOUR, prefixes)
    assert nlri.parse(FOUR, listed.wire) == listed
    assert (list(listed), len(listed)) == (prefixes, len(prefixes))


@given(st.lists(ipv6_networks))
def test_ipv6_prefixes_come_back_as_they_went(prefixes):
    assert list(nlri.parse(SIX, nlri.of(SIX, prefixes).wire)) == prefixes


@given(st.sampled_from(Family), st.binary(max_size=200))
def test_fuzz_any_octets_are_prefixes_or_an_nlri_error(family, wire):
    try:
        listed = nlri.parse(family, wire)
    except nlri.NlriError:
        return
    assert len(list(listed)) == len(listed)
