from ipaddress import IPv4Address, ip_network

import pytest
from bgp_wires import FRR, INTERNAL, messages, opens, outcome, updates
from hypothesis import given
from hypothesis import strategies as st

from herald.bgp import as_path, message, nlri
from herald.bgp.capability import FourOctetAs, GracefulRestart, Multiprotocol
from herald.bgp.community import Community, LargeCommunity
from herald.bgp.family import Family
from herald.bgp.message import Framer, Keepalive, MessageType, Open, RouteRefresh, Update
from herald.bgp.notification import Notification, WireError
from herald.bgp.path_attribute import MpUnreach, Origin, PathAttributes, WireContext

EXTERNAL = WireContext()
MARK = "ff" * 16
FOUR = Family.IPV4_UNICAST


def decode(wire: bytes, context: WireContext = EXTERNAL):
    ((kind, body),) = Framer().feed(wire)
    return message.decode(kind, body, context)


GOOD = [
    ("keepalive", Keepalive(), MARK + "001304"),
    ("refresh", RouteRefresh(2, 1), MARK + "001705" + "00020001"),
    ("notification", Notification(6, 2, b"\x02hi"), MARK + "001803" + "0602026869"),
    ("end-of-rib-ipv4", Update(), MARK + "001702" + "00000000"),
    (
        "open-without-capabilities",
        Open(65002, 90, IPv4Address("185.236.240.39")),
        MARK + "001d01" + "04fdea005ab9ecf02700",
    ),
    (
        "open-as-metallb-sends-it",
        Open(
            65002,
            90,
            IPv4Address("185.236.240.39"),
            (Multiprotocol(FOUR), Multiprotocol(Family.IPV6_UNICAST), FourOctetAs(65002)),
        ),
        MARK + "003101" + "04fdea005ab9ecf027" + "14" + "0212" + "010400010001" + "010400020001" + "41040000fdea",
    ),
    (
        "open-of-a-wide-asn",
        Open(4200000001, 0, IPv4Address("10.0.0.1"), (FourOctetAs(4200000001),)),
        MARK + "002501" + "045ba000000a000001" + "08" + "0206" + "4104fa56ea01",
    ),
    (
        "withdrawal",
        Update(withdrawn=nlri.of(FOUR, [ip_network("198.51.100.7/32")])),
        FRR["withdraw-ipv4"].hex(),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("value", "wire"), [row[1:] for row in GOOD], ids=[row[0] for row in GOOD])
def test_a_message_and_its_octets(value, wire):
    assert message.encode(value, EXTERNAL).hex() == wire
    assert decode(bytes.fromhex(wire)) == value


def test_the_open_of_frr_is_read():
    received = decode(FRR["open"])
    assert (received.asn, received.hold_time, str(received.router_id)) == (4200000001, 9, "10.50.0.1")
    assert received.four_octet_as
    assert Multiprotocol(Family.IPV6_UNICAST) in received.capabilities
    assert GracefulRestart(120, (), restarting=True, notification=True) in received.capabilities


def test_an_update_of_frr_with_all_its_attributes_is_read():
    received = decode(FRR["update-ipv4-all-attributes"])
    assert received.attributes == PathAttributes(
        origin=Origin.IGP,
        as_path=as_path.sequence((4200000001, 64999, 64998)),
        next_hop=IPv4Address("10.50.0.1"),
        multi_exit_disc=50,
        communities=(Community(64501 << 16 | 7), Community(0xFFFFFF01)),
        large_communities=(LargeCommunity(4200000001, 1, 2),),
        extended_communities=(bytes.fromhex("0002fbf500000063"),),
    )
    assert list(received.nlri) == [ip_network("10.0.0.0/8"), ip_network("203.0.113.0/24")]
    assert received.problems == ()


def test_ipv6_routes_of_frr_come_and_go_in_multiprotocol_attributes():
    assert list(decode(FRR["update-ipv6"]).attributes.mp_reach.nlri) == [ip_network("2001:db8:1::/48")]
    assert list(decode(FRR["withdraw-ipv6"]).attributes.mp_unreach.nlri) == [ip_network("2001:db8::1/128")]


@pytest.mark.parametrize("name", [name for name in FRR if name != "open"])
def test_what_frr_sends_is_written_the_same_way_again(name):
    again = message.encode(decode(FRR[name]), EXTERNAL)
    assert decode(again) == decode(FRR[name])


def test_an_open_with_extended_parameters_is_read():
    capability = "410400010000"
    body = "045ba0005a0a000001" + "ff" + "ff0009" + "020006" + capability
    assert decode(bytes.fromhex(MARK + f"{19 + len(body) // 2:04x}01" + body)).asn == 65536


@pytest.mark.parametrize(
    ("wire", "code", "data"),
    [
        ("00" * 16 + "001304", (1, 1), ""),
        (MARK[:-2] + "fe" + "001304", (1, 1), ""),
        ("474554202f", (1, 1), ""),
        (MARK + "001204", (1, 2), "0012"),
        (MARK + "100102", (1, 2), "1001"),
        (MARK + "001404", (1, 2), "0014"),
        (MARK + "001c01", (1, 2), "001c"),
        (MARK + "001602", (1, 2), "0016"),
        (MARK + "001403", (1, 2), "0014"),
        (MARK + "001605", (1, 2), "0016"),
        (MARK + "001306", (1, 3), "06"),
        (MARK + "001300", (1, 3), "00"),
    ],
    ids=[
        "marker-zero", "marker-last-octet", "http", "shorter-than-a-header", "longer-than-4096", "long-keepalive",
        "short-open", "short-update", "short-notification", "short-refresh", "type-6", "type-0",
    ],
)  # fmt: skip
def test_a_wrong_header_is_refused(wire, code, data):
    with pytest.raises(WireError) as raised:
        list(Framer().feed(bytes.fromhex(wire)))
    note = raised.value.notification
    assert ((note.code, note.subcode), note.data.hex()) == (code, data)


@pytest.mark.parametrize(
    ("body", "code", "data"),
    [
        ("03fdea005a0a00000100", (2, 1), "0004"),
        ("04fdea00010a00000100", (2, 6), "0001"),
        ("04fdea00020a00000100", (2, 6), "0002"),
        ("04fdea005a0000000000", (2, 3), ""),
        ("040000005a0a00000100", (2, 2), ""),
        ("045ba0005a0a00000108" + "0206410400000000", (2, 2), ""),
        ("04fdea005a0a00000103" + "010161", (2, 4), ""),
        ("04fdea005a0a00000104" + "0205", (2, 0), ""),
        ("04fdea005a0a00000104" + "02054104", (2, 0), ""),
        ("04fdea005a0a00000104" + "02024104", (2, 0), ""),
    ],
    ids=[
        "version",
        "hold-1",
        "hold-2",
        "router-id",
        "as-0",
        "wide-as-0",
        "parameter",
        "short",
        "cut-off",
        "capability",
    ],
)
def test_a_wrong_open_is_refused(body, code, data):
    with pytest.raises(WireError) as raised:
        message.decode(MessageType.OPEN, bytes.fromhex(body), EXTERNAL)
    note = raised.value.notification
    assert ((note.code, note.subcode), note.data.hex()) == (code, data)


ATTRIBUTES = "40010100" + "40020602010000fbf4" + "4003040a000001"


def update(attributes: str, reachable: str = "20c0a80101", withdrawn: str = "") -> bytes:
    octets = bytes.fromhex
    return message.update_body(octets(withdrawn), octets(attributes), octets(reachable))


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (bytes.fromhex("00050000"), (3, 1)),
        (bytes.fromhex("00000005"), (3, 1)),
        (update(ATTRIBUTES, "21c0a8010100"), (3, 10)),
        (update(ATTRIBUTES, "20c0a801"), (3, 10)),
        (update("", "", "ff"), (3, 10)),
        (update("400101ff", ""), (3, 6)),
        (update("4001", ""), (3, 1)),
    ],
    ids=["withdrawn-length", "attributes-length", "prefix-33", "prefix-cut", "withdrawn", "no-routes", "no-routes-cut"],
)
def test_an_update_that_hides_its_routes_is_refused(body, code):
    with pytest.raises(WireError) as raised:
        message.decode(MessageType.UPDATE, body, EXTERNAL)
    assert (raised.value.notification.code, raised.value.notification.subcode) == code


@pytest.mark.parametrize(
    ("attributes", "context", "reason"),
    [
        (ATTRIBUTES.replace("40010100", ""), EXTERNAL, "ORIGIN is missing"),
        ("40010100" + "4003040a000001", EXTERNAL, "AS_PATH is missing"),
        ("40010100" + "400200", EXTERNAL, "NEXT_HOP is missing"),
        (ATTRIBUTES, INTERNAL, "LOCAL_PREF is missing"),
        (ATTRIBUTES + "c00803000000", EXTERNAL, "COMMUNITIES: 3 octets, which is no multiple of 4"),
    ],
)
def test_routes_with_unusable_attributes_count_as_withdrawn(attributes, context, reason):
    received = message.decode(MessageType.UPDATE, update(attributes), context)
    assert received.treat_as_withdraw
    assert [problem.reason for problem in received.problems] == [reason]


def test_a_wrong_attribute_is_not_reported_as_missing_too():
    received = message.decode(MessageType.UPDATE, update(ATTRIBUTES.replace("40010100", "40010109")), EXTERNAL)
    assert len(received.problems) == 1


def test_both_forms_of_end_of_rib_are_known():
    six = Update(attributes=PathAttributes(mp_unreach=MpUnreach(nlri.of(Family.IPV6_UNICAST, []))))
    assert Update().end_of_rib is FOUR
    assert six.end_of_rib is Family.IPV6_UNICAST
    assert decode(FRR["withdraw-ipv6"]).end_of_rib is None
    assert decode(FRR["update-ipv4"]).end_of_rib is None


@given(opens)
def test_an_open_comes_back_as_it_went(value):
    assert decode(message.encode(value, EXTERNAL)) == value


@given(updates)
def test_an_update_comes_back_as_it_went(value):
    body = message.encode(value, INTERNAL)[message.HEADER_OCTETS :]
    assert message.decode(MessageType.UPDATE, body, INTERNAL) == value


@given(st.lists(messages, max_size=6), st.lists(st.integers(1, 300), max_size=20))
def test_messages_come_out_of_the_stream_whole_however_it_is_cut(values, cuts):
    wires = [message.encode(value, INTERNAL) for value in values]
    wires = [wire for wire in wires if len(wire) <= message.MAX_OCTETS]
    stream, framer, found = b"".join(wires), Framer(), []
    for cut in cuts:
        found.extend(framer.feed(stream[:cut]))
        stream = stream[cut:]
    found.extend(framer.feed(stream))
    assert [message.frame(kind, body) for kind, body in found] == wires


@given(st.sampled_from(MessageType), st.binary(max_size=300), st.booleans(), st.booleans())
def test_fuzz_any_body_is_a_message_or_a_wire_error(kind, body, wide, internal):
    context = WireContext(wide, internal)
    framed = outcome(lambda: list(Framer().feed(message.frame(kind, body))))
    if isinstance(framed, WireError):
        assert framed.notification.code == 1
        return
    outcome(lambda: message.decode(kind, framed[0][1], context))


@given(messages, st.data())
def test_fuzz_a_message_with_one_octet_changed_is_a_message_or_a_wire_error(value, data):
    wire = bytearray(message.encode(value, INTERNAL))
    wire[data.draw(st.integers(0, len(wire) - 1))] = data.draw(st.integers(0, 255))
    framed = outcome(lambda: list(Framer().feed(bytes(wire))))
    for kind, body in [] if isinstance(framed, WireError) else framed:
        outcome(lambda: message.decode(kind, body, INTERNAL))  # noqa: B023


@given(st.lists(st.binary(max_size=100)))
def test_fuzz_a_stream_of_anything_never_holds_more_than_a_message(pieces):
    framer = Framer()
    for piece in pieces:
        if isinstance(outcome(lambda: list(framer.feed(piece))), WireError):  # noqa: B023
            return
        assert len(framer._rest) < message.MAX_OCTETS


def long_update(octets: int) -> bytes:
    """An UPDATE of so many octets: withdrawn IPv4 default-free prefixes of one octet each, which is /0."""
    withdrawn = bytes(octets - message.HEADER_OCTETS - 4)
    return message.frame(MessageType.UPDATE, message.update_body(withdrawn, b"", b""))


@pytest.mark.parametrize("octets", [4097, 65535])
def test_a_long_message_is_taken_only_where_that_is_agreed(octets):
    wire = long_update(octets)
    with pytest.raises(WireError, match=f"a message of {octets} octets") as raised:
        list(Framer().feed(wire))
    assert (raised.value.notification.code, raised.value.notification.subcode) == (1, 2)
    agreed = Framer()
    agreed.largest = message.MAX_EXTENDED_OCTETS
    assert [len(body) + message.HEADER_OCTETS for _, body in agreed.feed(wire)] == [octets]


def test_an_open_is_never_long():
    framer = Framer()
    framer.largest = message.MAX_EXTENDED_OCTETS
    with pytest.raises(WireError, match="OPEN of 4097 octets"):
        list(framer.feed(message.frame(MessageType.OPEN, bytes(4097 - message.HEADER_OCTETS))))


@pytest.mark.parametrize(
    ("subtype", "octets", "refused"), [(1, 5, True), (2, 300, True), (0, 9, False), (3, 9, False), (1, 4, False)]
)
def test_the_marks_of_a_refresh_have_a_length(subtype, octets, refused):
    body = bytes((0, 1, subtype, 1)) + bytes(octets - 4)
    if not refused:
        assert message.decode(MessageType.ROUTE_REFRESH, body, WireContext()) == RouteRefresh(1, 1, subtype)
        return
    with pytest.raises(WireError) as raised:
        message.decode(MessageType.ROUTE_REFRESH, body, WireContext())
    note = raised.value.notification
    assert (note.code, note.subcode) == (7, 1)
    assert note.data == message.frame(MessageType.ROUTE_REFRESH, body)
