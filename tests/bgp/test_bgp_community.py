import pytest
from bgp_wires import communities, large_communities, outcome
from hypothesis import given
from hypothesis import strategies as st

from herald.bgp.community import (
    GRACEFUL_SHUTDOWN,
    NO_EXPORT,
    Community,
    CommunityFormatError,
    CommunityValueError,
    ExtendedCommunity,
    LargeCommunity,
    link_bandwidth,
    parse_community,
)

GOOD = [
    ("0:0", Community(0)),
    ("65535:65535", Community(0xFFFFFFFF)),
    ("64500:10", Community(64500 << 16 | 10)),
    ("007:1", Community(7 << 16 | 1)),
    ("65535:65281", NO_EXPORT),
    ("65535:0", GRACEFUL_SHUTDOWN),
    ("large:1:2:3", LargeCommunity(1, 2, 3)),
    ("large:4294967295:0:4294967295", LargeCommunity(0xFFFFFFFF, 0, 0xFFFFFFFF)),
    ("extended:rt:65000:100", ExtendedCommunity(0x0002_FDE8_0000_0064)),
    ("extended:rt:65535:4294967295", ExtendedCommunity(0x0002_FFFF_FFFF_FFFF)),
    ("extended:rt:65536:65535", ExtendedCommunity(0x0202_0001_0000_FFFF)),
    ("extended:rt:4200000000:7", ExtendedCommunity(0x0202_FA56_EA00_0007)),
    ("extended:rt:192.0.2.1:9", ExtendedCommunity(0x0102_C000_0201_0009)),
    ("extended:soo:65000:7", ExtendedCommunity(0x0003_FDE8_0000_0007)),
    ("extended:soo:4200000000:65535", ExtendedCommunity(0x0203_FA56_EA00_FFFF)),
    ("extended:soo:192.0.2.1:0", ExtendedCommunity(0x0103_C000_0201_0000)),
    ("extended:generic:0x430cfde8:0x1", ExtendedCommunity(0x430C_FDE8_0000_0001)),
    ("extended:generic:0x0002FDE8:0x00000064", ExtendedCommunity(0x0002_FDE8_0000_0064)),
]
BAD = [
    ("65536:1", CommunityValueError, "65536 is not within 0 to 65535: an AS above takes four octets, for which large:"),
    ("1:65536", CommunityValueError, "65536 is not within 0 to 65535"),
    ("a:1", CommunityValueError, '"a" is not a decimal number'),
    (":1", CommunityValueError, '"" is not a decimal number'),
    ("1:-1", CommunityValueError, '"-1" is not a decimal number'),
    ("1:+1", CommunityValueError, '"+1" is not a decimal number'),
    ("1: 1", CommunityValueError, '" 1" is not a decimal number'),
    ("1:٣", CommunityValueError, "is not a decimal number"),
    ("larg:1:2:3", CommunityValueError, 'four parts begin with "large"'),
    ("1:2:3:4", CommunityValueError, 'four parts begin with "large"'),
    ("large:1:2:4294967296", CommunityValueError, "4294967296 is not within 0 to 4294967295"),
    ("1:" + "9" * 10_000, CommunityValueError, "is not within 0 to 65535"),
    ("1234", CommunityFormatError, "invalid community format: 1234"),
    ("1:2:3", CommunityFormatError, "invalid community format: 1:2:3"),
    ("large:1:2", CommunityFormatError, "invalid community format: large:1:2"),
    ("no-export", CommunityFormatError, "invalid community format: no-export"),
    ("", CommunityFormatError, "invalid community format: "),
    ("large:1:2:3:4", CommunityFormatError, "invalid community format"),
    ("extended:rt:65000", CommunityValueError, "extended:rt:A:B (route target)"),
    ("extended:rt:65000:1:2", CommunityValueError, "extended:rt:A:B (route target)"),
    ("extended:ro:65000:1", CommunityValueError, "extended:soo:A:B (site of origin)"),
    ("extended:", CommunityValueError, "an extended community is extended:rt:A:B"),
    ("extended:rt:4294967296:1", CommunityValueError, "4294967296 is not within 0 to 4294967295"),
    ("extended:rt:65000:4294967296", CommunityValueError, "4294967296 is not within 0 to 4294967295"),
    ("extended:rt:65536:65536", CommunityValueError, "65536 is not within 0 to 65535: AS 65536 takes four octets"),
    ("extended:rt:192.0.2.1:65536", CommunityValueError, "65536 is not within 0 to 65535: an address takes four"),
    ("large:65000:1", CommunityFormatError, "none of A:B, large:A:B:C, extended:rt:A:B"),
    ("rt:65000:100", CommunityFormatError, 'did you mean "extended:rt:65000:100"?'),
    ("65000:100:5", CommunityFormatError, 'did you mean "large:65000:100:5"?'),
    ("soo:4200000000:70000", CommunityFormatError, "extended:generic:0xA:0xB"),
    ("extended:rt:192.0.2:1", CommunityValueError, '"192.0.2" is no IPv4 address'),
    ("extended:rt:as1:1", CommunityValueError, '"as1" is not a decimal number'),
    ("extended:generic:1:2", CommunityValueError, "two numbers of 32 bit in hexadecimal"),
    ("extended:generic:0x1", CommunityValueError, "two numbers of 32 bit in hexadecimal"),
    ("extended:generic:0x100000000:0x1", CommunityValueError, "two numbers of 32 bit in hexadecimal"),
    ("extended:generic:0x1:0x1_0", CommunityValueError, "two numbers of 32 bit in hexadecimal"),
]


@pytest.mark.parametrize(("text", "community"), GOOD, ids=[text for text, _ in GOOD])
def test_a_community_is_read(text, community):
    assert parse_community(text) == community


@pytest.mark.parametrize(("text", "error", "words"), BAD, ids=[text[:24] or "empty" for text, _, _ in BAD])
def test_what_is_no_community_says_why(text, error, words):
    with pytest.raises(error) as raised:
        parse_community(text)
    assert words in str(raised.value)


@given(communities)
def test_a_standard_community_is_printed_as_it_is_written(community):
    assert parse_community(community.text) == community


@given(large_communities)
def test_a_large_community_is_printed_without_the_word(large):
    assert parse_community(f"large:{large.text}") == large


@given(st.integers(0, 2**64 - 1).map(ExtendedCommunity))
def test_an_extended_community_is_printed_without_the_word(extended):
    assert parse_community(f"extended:{extended.text}") == extended


# A number drawn at random hardly ever has a name.
@given(
    st.sampled_from((0x0002, 0x0003, 0x0102, 0x0103, 0x0202, 0x0203)).flatmap(
        lambda kind: st.integers(kind << 48, (kind + 1 << 48) - 1).map(ExtendedCommunity)
    )
)
def test_a_route_target_or_site_of_origin_is_printed_by_its_name(extended):
    small_in_four = extended.value >> 56 == 2 and extended.value >> 32 & 0xFFFF == 0
    assert extended.text.startswith("generic:" if small_in_four else ("rt:", "soo:"))
    assert parse_community(f"extended:{extended.text}") == extended


@pytest.mark.parametrize(
    ("text", "printed", "transitive"),
    [
        ("extended:generic:0x0002fde8:0x64", "rt:65000:100", True),
        ("extended:generic:0x02020000:0x00640001", "generic:0x02020000:0x00640001", True),
        ("extended:generic:0x4004fbf4:0x4cee6b28", "generic:0x4004fbf4:0x4cee6b28", False),
        ("extended:generic:0x8002fde8:0x64", "generic:0x8002fde8:0x00000064", True),
        ("extended:generic:0xC0000000:0x0", "generic:0xc0000000:0x00000000", False),
    ],
    ids=["a name there is", "a small AS in four octets", "not transitive", "of the IANA's", "neither"],
)
def test_what_is_given_in_octets_has_its_name_and_its_reach(text, printed, transitive):
    found = parse_community(text)
    assert (found.text, found.is_transitive) == (printed, transitive)


def test_both_kinds_sort_together_by_their_first_32_bits():
    mixed = [LargeCommunity(1, 0, 0), Community(2), LargeCommunity(0xFFFF0000, 1, 0), GRACEFUL_SHUTDOWN, Community(0)]
    assert [entry.text for entry in sorted(mixed, key=lambda entry: entry.sort_key)] == [
        "0:0",
        "1:0:0",
        "0:2",
        "65535:0",
        "4294901760:1:0",
    ]


@given(st.text(max_size=40))
def test_fuzz_any_text_is_a_community_or_a_named_error(text):
    result = outcome(lambda: parse_community(text), CommunityFormatError, CommunityValueError)
    assert not isinstance(result, ValueError) or str(result).startswith("invalid community")


@pytest.mark.parametrize(
    ("asn", "mbps", "wire"),
    [
        pytest.param(64500, 1000, "4004 fbf4 4cee6b28", id="1 Gbit/s is 125 million octets per second"),
        pytest.param(64500, 1, "4004 fbf4 47f42400", id="1 Mbit/s"),
        pytest.param(4200000001, 1000, "4004 5ba0 4cee6b28", id="an AS of four octets"),
    ],
)
def test_a_bandwidth_is_an_extended_community(asn, mbps, wire):
    assert link_bandwidth(asn, mbps) == bytes.fromhex(wire)
