import pytest
from bgp_wires import capabilities
from hypothesis import given
from hypothesis import strategies as st

from herald.bgp import capability
from herald.bgp.capability import (
    CapabilityError,
    EnhancedRouteRefresh,
    ExtendedMessage,
    ExtendedNextHop,
    FourOctetAs,
    GracefulRestart,
    HostName,
    Multiprotocol,
    RestartFamily,
    Role,
    RouteRefresh,
    UnknownCapability,
)
from herald.bgp.family import Family

TABLE = [
    (Multiprotocol(Family.IPV4_UNICAST), "010400010001", "multiprotocol ipv4-unicast"),
    (Multiprotocol(Family.IPV6_UNICAST), "010400020001", "multiprotocol ipv6-unicast"),
    (RouteRefresh(), "0200", "route-refresh"),
    (ExtendedMessage(), "0600", "extended-message"),
    (ExtendedNextHop((Family.IPV4_UNICAST,)), "0506000100010002", "extended-next-hop ipv4-unicast"),
    (UnknownCapability(5, b"\0\1\0\1\0"), "05050001000100", "capability-5"),
    (EnhancedRouteRefresh(), "4600", "enhanced-route-refresh"),
    (FourOctetAs(4200000001), "4104fa56ea01", "four-octet-as 4200000001"),
    (GracefulRestart(120), "40020078", "graceful-restart helper"),
    (
        GracefulRestart(
            90, (RestartFamily(Family.IPV4_UNICAST, True), RestartFamily(Family.IPV6_UNICAST, False)), True
        ),
        "400a805a" + "00010180" + "00020100",
        "graceful-restart 90s",
    ),
    (UnknownCapability(69, b"\0\1\1\3"), "450400010103", "add-path"),
    (Role(0), "090100", "bgp-role provider"),
    (Role(9), "090109", "bgp-role 9"),
    (HostName("node-1"), "4908066e6f64652d3100", "fqdn node-1"),
    (HostName("node-1", "lan"), "490b066e6f64652d31036c616e", "fqdn node-1.lan"),
    (UnknownCapability(73, b"\2a"), "49020261", "capability-73"),
    (UnknownCapability(73, b"\1\xff\0"), "490301ff00", "capability-73"),
    (UnknownCapability(9, b""), "0900", "capability-9"),
    (UnknownCapability(200, b"x"), "c80178", "capability-200"),
    (UnknownCapability(1, b"\0\x19\0\x41"), "010400190041", "capability-1"),
    (UnknownCapability(65, b"\1\2"), "41020102", "capability-65"),
    (UnknownCapability(2, b"\1"), "020101", "capability-2"),
]


@pytest.mark.parametrize(("entry", "wire", "text"), TABLE, ids=[f"{text}-{wire}" for _, wire, text in TABLE])
def test_a_capability_its_octets_and_its_words(entry, wire, text):
    assert capability.encode(entry).hex() == wire
    assert capability.decode_all(bytes.fromhex(wire)) == (entry,)
    assert entry.text == text


def test_a_host_name_is_cut_at_64_octets_and_a_whole_character():
    wire = capability.encode(HostName("ä" * 40, "b" * 70))
    assert capability.decode_all(wire) == (HostName("ä" * 32, "b" * 64),)


def test_a_host_name_cannot_write_over_a_terminal():
    assert HostName("a\x1b[2J", "b\n").text == "fqdn a�[2J.b�"


def test_families_not_spoken_are_left_out_of_graceful_restart():
    assert capability.decode_all(bytes.fromhex("40060078" + "00190180")) == (GracefulRestart(120),)


def test_entries_not_spoken_are_left_out_of_the_extended_next_hop():
    labelled, of_ipv4 = "000100040002", "000100010001"
    assert capability.decode_all(bytes.fromhex("050c" + labelled + of_ipv4)) == (ExtendedNextHop(()),)


@pytest.mark.parametrize("wire", ["01", "0104000100", "0200" + "41"])
def test_a_cut_off_list_is_refused(wire):
    with pytest.raises(CapabilityError, match="cut off"):
        capability.decode_all(bytes.fromhex(wire))


@given(st.lists(capabilities))
def test_capabilities_come_back_as_they_went(entries):
    assert capability.decode_all(b"".join(map(capability.encode, entries))) == tuple(entries)


@given(st.binary(max_size=255))
def test_fuzz_any_octets_are_capabilities_or_a_capability_error(data):
    try:
        entries = capability.decode_all(data)
    except CapabilityError:
        return
    assert all(entry.text for entry in entries)
