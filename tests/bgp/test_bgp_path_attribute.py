from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from bgp_wires import INTERNAL, outcome, path_attributes
from hypothesis import given
from hypothesis import strategies as st

from herald.bgp import as_path, nlri, path_attribute
from herald.bgp.community import NO_EXPORT, Community, LargeCommunity
from herald.bgp.family import Family
from herald.bgp.notification import WireError
from herald.bgp.path_attribute import (
    TABLE,
    Aggregator,
    MpReach,
    MpUnreach,
    Origin,
    PathAttributes,
    RawAttribute,
    Severity,
    WireContext,
)

DOCUMENTATION = nlri.of(Family.IPV6_UNICAST, [ip_network("2001:db8::/32")])
V6_NEXT_HOP = "20010db8005000000000000000000002"
GOOD = [
    ("origin", PathAttributes(origin=Origin.IGP), "40010100"),
    ("as-path-empty", PathAttributes(as_path=as_path.AsPath()), "400200"),
    ("as-path", PathAttributes(as_path=as_path.sequence((64500,))), "40020602010000fbf4"),
    ("next-hop", PathAttributes(next_hop=IPv4Address("10.0.0.1")), "4003040a000001"),
    ("med", PathAttributes(multi_exit_disc=50), "80040400000032"),
    ("local-pref", PathAttributes(local_pref=100), "40050400000064"),
    ("atomic-aggregate", PathAttributes(atomic_aggregate=True), "400600"),
    ("aggregator", PathAttributes(aggregator=Aggregator(64500, IPv4Address("10.0.0.1"))), "c007080000fbf40a000001"),
    ("communities", PathAttributes(communities=(Community(0xFBF4000A), NO_EXPORT)), "c00808fbf4000affffff01"),
    ("originator", PathAttributes(originator_id=IPv4Address("10.0.0.1")), "8009040a000001"),
    ("cluster-list", PathAttributes(cluster_list=(IPv4Address("10.0.0.1"),)), "800a040a000001"),
    ("extended", PathAttributes(extended_communities=(bytes(8),)), "c01008" + "00" * 8),
    ("otc", PathAttributes(only_to_customer=4200000001), "c02304fa56ea01"),
    ("large", PathAttributes(large_communities=(LargeCommunity(1, 2, 3),)), "c0200c000000010000000200000003"),
    (
        "mp-reach",
        PathAttributes(mp_reach=MpReach((IPv6Address("2001:db8:50::2"),), DOCUMENTATION)),
        "800e1a" + "00020110" + V6_NEXT_HOP + "00" + "2020010db8",
    ),
    ("mp-unreach", PathAttributes(mp_unreach=MpUnreach(DOCUMENTATION)), "800f08" + "0002012020010db8"),
    ("unknown", PathAttributes(unknown=(RawAttribute(0xC0, 99, b"x"),)), "c0630178"),
    ("extended-length", PathAttributes(unknown=(RawAttribute(0xC0, 99, bytes(256)),)), "d0630100" + "00" * 256),
]  # fmt: skip


@pytest.mark.parametrize(("attributes", "wire"), [row[1:] for row in GOOD], ids=[row[0] for row in GOOD])
def test_an_attribute_and_its_octets(attributes, wire):
    assert path_attribute.encode_all(attributes, INTERNAL).hex() == wire
    assert path_attribute.decode_all(bytes.fromhex(wire), INTERNAL) == (attributes, ())


DISCARD, WITHDRAW = Severity.DISCARD, Severity.TREAT_AS_WITHDRAW
# RFC 7606 §7 and the RFCs of the attributes it does not name.
BAD = [
    ("origin-of-two-octets", "4001020000", WITHDRAW, "ORIGIN: 2 octets in place of 1"),
    ("origin-undefined", "40010103", WITHDRAW, "ORIGIN: 3 is not 0 (IGP), 1 (EGP) or 2 (incomplete)"),
    ("origin-optional", "c0010100", WITHDRAW, "ORIGIN with flags c0 in place of 40"),
    ("as-path-cut-off", "4002040201fbf4", WITHDRAW, "AS_PATH: a segment of 1 ASNs is cut off by 2 octets"),
    ("next-hop-of-five", "4003050a00000100", WITHDRAW, "NEXT_HOP: 5 octets in place of 4"),
    ("med-of-three", "800403000000", WITHDRAW, "MULTI_EXIT_DISC: 3 octets in place of 4"),
    ("local-pref-of-one", "40050164", WITHDRAW, "LOCAL_PREF: 1 octets in place of 4"),
    ("atomic-with-value", "40060100", DISCARD, "ATOMIC_AGGREGATE: 1 octets in place of 0"),
    ("aggregator-narrow", "c00706fbf40a000001", DISCARD, "AGGREGATOR: 6 octets in place of 8"),
    ("communities-of-five", "c00805fbf4000a00", WITHDRAW, "COMMUNITIES: 5 octets, which is no multiple of 4"),
    ("communities-empty", "c00800", WITHDRAW, "COMMUNITIES: 0 octets, which is no multiple of 4"),
    ("cluster-list-odd", "800a0300000a", WITHDRAW, "CLUSTER_LIST: 3 octets"),
    ("extended-odd", "c0100700000000000000", WITHDRAW, "EXTENDED COMMUNITIES: 7 octets"),
    ("otc-of-two", "c02302fbf4", WITHDRAW, "ONLY_TO_CUSTOMER: 2 octets in place of 4"),
    ("otc-not-transitive", "8023040000fbf4", WITHDRAW, "ONLY_TO_CUSTOMER with flags 80 in place of c0"),
    ("large-odd", "c0200b0000000100000002000000", WITHDRAW, "LARGE_COMMUNITY: 11 octets"),
    ("as4-path-malformed", "c0110205ff", DISCARD, "AS4_PATH: segment type 5 is unknown"),
    ("twice", "40010100" + "40010101", DISCARD, "ORIGIN stands twice"),
    ("cut-off", "400101", WITHDRAW, "ORIGIN is cut off by 1 octets"),
    ("left-over", "40010100" + "40", WITHDRAW, "1 octets are left over after the last attribute"),
]


@pytest.mark.parametrize(("wire", "severity", "reason"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_a_malformed_attribute_has_its_price(wire, severity, reason):
    _, problems = path_attribute.decode_all(bytes.fromhex(wire), INTERNAL)
    assert [problem.severity for problem in problems] == [severity]
    assert problems[0].reason.startswith(reason)


@pytest.mark.parametrize(
    ("wire", "code"),
    [
        ("800e0400020110", (3, 9)),
        ("800e08" + "0002010800000000", (3, 9)),
        ("800e1a" + "00020110" + V6_NEXT_HOP + "00" + "8120010db8", (3, 9)),
        ("800f020002", (3, 9)),
        ("c00f03000201", (3, 4)),
        ("800f03000201" * 2, (3, 1)),
        ("40630178", (3, 2)),
    ],
    ids=[
        "reach-short",
        "reach-next-hop",
        "reach-prefix",
        "unreach-short",
        "unreach-flags",
        "unreach-twice",
        "well-known",
    ],
)
def test_an_error_that_hides_routes_ends_the_session(wire, code):
    with pytest.raises(WireError) as raised:
        path_attribute.decode_all(bytes.fromhex(wire), INTERNAL)
    assert (raised.value.notification.code, raised.value.notification.subcode) == code


@pytest.mark.parametrize("wire", ["40050400000064", "8009040a000001", "800a040a000001"])
def test_internal_attributes_from_an_external_peer_are_discarded(wire):
    attributes, problems = path_attribute.decode_all(bytes.fromhex(wire), WireContext(internal=False))
    assert attributes == PathAttributes()
    assert [problem.severity for problem in problems] == [DISCARD]


def test_the_partial_bit_is_nobodys_error():
    assert path_attribute.decode_all(bytes.fromhex("e00804fbf4000a"), INTERNAL)[1] == ()


def test_a_family_not_spoken_is_kept_raw():
    attributes, problems = path_attribute.decode_all(bytes.fromhex("800f03001941"), INTERNAL)
    assert (attributes.unknown, problems) == ((RawAttribute(0x80, 15, b"\x00\x19\x41"),), ())


def test_narrow_peers_are_written_to_with_two_octets():
    attributes = PathAttributes(
        as_path=as_path.sequence((4200000001, 7)), aggregator=Aggregator(4200000001, IPv4Address("10.0.0.1"))
    )
    encoded = path_attribute.encode_all(attributes, WireContext(four_octet_as=False))
    assert encoded.hex() == "40020602025ba00007" + "c007065ba00a000001"


def test_every_row_has_its_own_number_and_field():
    assert len({row.code for row in TABLE}) == len({row.field for row in TABLE}) == len(TABLE)


def test_a_message_stuffed_with_attributes_is_not_read_to_its_end():
    stuffed = bytes.fromhex("40010100") + b"\xc0\x63\0" * 21_000
    _, problems = path_attribute.decode_all(stuffed, WireContext())
    assert len(problems) < 300
    assert problems[-1].severity is Severity.TREAT_AS_WITHDRAW


@given(path_attributes())
def test_attributes_come_back_as_they_went(attributes):
    assert path_attribute.decode_all(path_attribute.encode_all(attributes, INTERNAL), INTERNAL) == (attributes, ())


contexts = st.builds(WireContext, st.booleans(), st.booleans())


@given(st.binary(max_size=200), contexts)
def test_fuzz_any_octets_are_attributes_or_a_wire_error(data, context):
    decoded = outcome(lambda: path_attribute.decode_all(data, context))
    assert not isinstance(decoded, WireError) or decoded.notification.code == 3


framed = st.lists(
    st.builds(path_attribute.encode_one, st.integers(0, 255), st.integers(0, 40), st.binary(max_size=40)), max_size=5
).map(b"".join)


@given(framed, contexts)
def test_fuzz_any_values_in_whole_attributes_are_attributes_or_a_wire_error(data, context):
    decoded = outcome(lambda: path_attribute.decode_all(data, context))
    if isinstance(decoded, WireError):
        assert decoded.notification.code == 3
    else:
        path_attribute.encode_all(decoded[0], context)
