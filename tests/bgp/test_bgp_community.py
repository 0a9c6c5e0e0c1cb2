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
]
BAD = [
    ("65536:1", CommunityValueError, "65536 is not within 0 to 65535"),
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
