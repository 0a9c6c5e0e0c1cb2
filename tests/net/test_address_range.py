"""Address ranges: what is accepted, what is refused and why, and that counting never lists."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herald.net.address_range import AddressRange, AddressRangeError, buggy_count, is_buggy, of_prefix, parse
from herald.net.ip_family import IPFamily

ACCEPTED = [
    ("10.0.0.0/24", "10.0.0.0", "10.0.0.255"),
    ("10.20.30.40/24", "10.20.30.0", "10.20.30.255"),
    ("10.0.0.7/32", "10.0.0.7", "10.0.0.7"),
    ("0.0.0.0/0", "0.0.0.0", "255.255.255.255"),
    ("2001:db8::/64", "2001:db8::", "2001:db8::ffff:ffff:ffff:ffff"),
    ("2001:DB8::1/128", "2001:db8::1", "2001:db8::1"),
    ("10.0.0.5-10.0.0.9", "10.0.0.5", "10.0.0.9"),
    (" 10.0.0.5 - 10.0.0.9 ", "10.0.0.5", "10.0.0.9"),
    ("10.0.0.5-10.0.0.5", "10.0.0.5", "10.0.0.5"),
    ("2001:db8::1-2001:db8::ff", "2001:db8::1", "2001:db8::ff"),
    ("::ffff:10.0.0.1-10.0.0.4", "10.0.0.1", "10.0.0.4"),
]


@pytest.mark.parametrize(("text", "first", "last"), ACCEPTED, ids=[case[0] for case in ACCEPTED])
def test_an_entry_is_read(text: str, first: str, last: str) -> None:
    entry = parse(text)
    assert (entry.first, entry.last, entry.text) == (ip_address(first), ip_address(last), text)


REFUSED = [
    ("10.0.0.1", "write 10.0.0.1/32"),
    ("2001:db8::1", "write 2001:db8::1/128"),
    ("", "a prefix length is missing"),
    ("lb", "a prefix length is missing"),
    ("10.0.0.0/33", "prefix length 33; at most 32"),
    ("fd00::/129", "prefix length 129; at most 128"),
    ("10.0.256.0/24", "256 is above 255"),
    ("192.168.1.300-192.168.1.310", "invalid start IP '192.168.1.300': 300 is above 255"),
    ("10.0.0.0/", "is not a prefix length"),
    ("10.0.0.0/255.255.255.0", "is not a prefix length"),
    ("10.0.0.0/0.0.0.255", "is not a prefix length"),
    ("10.0.0.0/+8", "is not a prefix length"),
    ("10.0.0.0/٢٤", "is not a prefix length"),
    (" 10.0.0.0/24", "invalid CIDR"),
    ("10.0.0.0/24 ", "is not a prefix length"),
    ("10.0.0/24", "invalid CIDR"),
    ("010.0.0.0/24", "invalid CIDR"),
    ("fe80::%eth0/64", "zone identifier"),
    ("::ffff:10.0.0.0/120", "write 10.0.0.0/24"),
    ("10.0.0.9-10.0.0.1", "swap the two"),
    ("10.0.0.1-2001:db8::1", "not of the same family"),
    ("2001:db8::1-10.0.0.1", "not of the same family"),
    ("10.0.0.1-", "invalid end IP ''"),
    ("-10.0.0.1", "invalid start IP ''"),
    ("10.0.0.1-10.0.0.2-10.0.0.3", "invalid end IP"),
    ("10.0.0.0/24-10.0.1.0/24", "invalid start IP"),
    ("10.0.0.1-20", "invalid end IP '20'"),
]


@pytest.mark.parametrize(("text", "why"), REFUSED, ids=[case[0] for case in REFUSED])
def test_an_entry_is_refused_with_what_would_be_right(text: str, why: str) -> None:
    with pytest.raises(AddressRangeError, match=r"invalid (CIDR|IP range)") as raised:
        parse(text)
    assert why in str(raised.value)


def test_a_range_is_covered_by_the_fewest_prefixes_ascending() -> None:
    lengths = [prefix.prefixlen for prefix in parse("3.3.3.2-3.3.3.254").prefixes()]
    assert lengths == [31, 30, 29, 28, 27, 26, 26, 27, 28, 29, 30, 31, 32]
    assert parse("3.3.3.2-3.3.3.254").shortest_prefix_length == 26
    assert parse("3.3.3.0/24").shortest_prefix_length == 24


def test_a_huge_range_is_counted_without_listing() -> None:
    entry = parse("::/0")
    assert entry.size == 2**128
    assert IPv6Address("2001:db8::1") in entry
    assert buggy_count(entry) == 0


def test_families_do_not_mix() -> None:
    assert IPv6Address("::a00:1") not in parse("10.0.0.0/24")
    assert not parse("0.0.0.0/0").overlaps(parse("::/0"))
    assert parse("::/0").family is IPFamily.IPV6


v4 = st.integers(0, 2**32 - 1).map(IPv4Address)


@st.composite
def small_ranges(draw: st.DrawFn) -> AddressRange:
    first = draw(st.integers(0, 2**32 - 2000))
    last = first + draw(st.integers(0, 1500))
    return AddressRange(IPv4Address(first), IPv4Address(last), "drawn")


@given(small_ranges())
def test_the_walk_and_the_count_agree(entry: AddressRange) -> None:
    walked = list(entry.walk())
    assert len(walked) == entry.size
    assert walked[0] == entry.first
    assert walked[-1] == entry.last
    assert walked == sorted(set(walked))
    assert all(address in entry for address in walked)
    assert sum(map(is_buggy, walked)) == buggy_count(entry)


@given(small_ranges(), small_ranges())
def test_ranges_overlap_when_they_share_an_address(one: AddressRange, other: AddressRange) -> None:
    shares = any(address in other for address in one.walk())
    assert one.overlaps(other) == shares
    assert other.overlaps(one) == shares


@given(small_ranges())
def test_the_prefixes_of_a_range_hold_exactly_its_addresses(entry: AddressRange) -> None:
    assert [address for prefix in entry.prefixes() for address in prefix] == list(entry.walk())


@given(v4, v4)
def test_a_range_reads_back_from_its_ends(one: IPv4Address, other: IPv4Address) -> None:
    first, last = min(one, other), max(one, other)
    entry = parse(f"{first}-{last}")
    assert (entry.first, entry.last) == (first, last)


@given(v4, st.integers(0, 32))
def test_a_prefix_reads_as_the_range_it_is(address: IPv4Address, length: int) -> None:
    prefix = ip_network((address, length), strict=False)
    assert parse(f"{address}/{length}").prefixes() == (prefix,)
    assert of_prefix(prefix).size == prefix.num_addresses


@given(st.text(alphabet="0123456789abcdef.:/-% ", max_size=40) | st.text(max_size=20))
def test_fuzz_any_text_is_a_range_or_a_documented_error(text: str) -> None:
    try:
        entry = parse(text)
    except AddressRangeError:
        return
    assert int(entry.first) <= int(entry.last)
    assert entry.first.version == entry.last.version
