"""Aggregates: the prefix that stands for an address, and the foreign addresses in it."""

from ipaddress import IPv4Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herald.net.address_range import AddressRange, parse
from herald.net.prefix import aggregate, foreign_ranges


@pytest.mark.parametrize(
    ("address", "expected"),
    [("10.1.2.3", "10.1.2.0/24"), ("2001:db8::1:2", "2001:db8::1:0/112")],
    ids=["ipv4", "ipv6"],
)
def test_an_address_is_aggregated_by_the_length_of_its_family(address: str, expected: str) -> None:
    assert aggregate(ip_address(address), 24, 112) == ip_network(expected)


FOREIGN = [
    ("10.0.0.0/24", ["10.0.0.0/24"], []),
    ("10.0.0.0/24", [], ["10.0.0.0-10.0.0.255"]),
    ("10.0.0.0/24", ["10.0.0.240-10.0.0.250"], ["10.0.0.0-10.0.0.239", "10.0.0.251-10.0.0.255"]),
    ("10.0.0.0/24", ["10.0.0.128/25", "10.0.0.0-10.0.0.9"], ["10.0.0.10-10.0.0.127"]),
    ("10.0.0.0/24", ["10.0.0.0/25", "10.0.0.64/26"], ["10.0.0.128-10.0.0.255"]),
    ("10.0.0.0/24", ["9.0.0.0-11.0.0.0"], []),
    ("10.0.0.0/30", ["2001:db8::/64", "10.0.0.1/32"], ["10.0.0.0-10.0.0.0", "10.0.0.2-10.0.0.3"]),
    ("2001:db8::/126", ["2001:db8::1/128"], ["2001:db8::-2001:db8::", "2001:db8::2-2001:db8::3"]),
    ("255.255.255.0/24", ["255.255.255.0/25"], ["255.255.255.128-255.255.255.255"]),
]


@pytest.mark.parametrize(("prefix", "own", "expected"), FOREIGN, ids=[f"{p} less {o}" for p, o, _ in FOREIGN])
def test_what_a_prefix_attracts_beyond_our_own(prefix: str, own: list[str], expected: list[str]) -> None:
    found = foreign_ranges(ip_network(prefix), [parse(text) for text in own])
    assert [entry.text for entry in found] == expected


@given(st.lists(st.tuples(st.integers(-20, 300), st.integers(0, 90)), max_size=6))
def test_own_and_foreign_addresses_make_up_the_prefix(spans: list[tuple[int, int]]) -> None:
    base = int(IPv4Address("10.0.1.0"))
    own = [AddressRange(IPv4Address(base + a), IPv4Address(base + a + n), "own") for a, n in spans]
    prefix = ip_network("10.0.1.0/24")
    foreign = foreign_ranges(prefix, own)
    for address in prefix:
        assert any(address in entry for entry in own) != any(address in entry for entry in foreign)
