import pytest
from bgp_wires import capabilities
from hypothesis import given
from hypothesis import strategies as st

from herald.bgp import capability
from herald.bgp.capability import (
    CapabilityError,
    EnhancedRouteRefresh,
    ExtendedMessage,
    FourOctetAs,
    GracefulRestart,
    Multiprotocol,
    RestartFamily,
    RouteRefresh,
    UnknownCapability,
)
from herald.bgp.family import Family

TABLE = [
    (Multiprotocol(Family.IPV4_UNICAST), "010400010001", "multiprotocol ipv4-unicast"),
    (Multiprotocol(Family.IPV6_UNICAST), "010400020001", "multiprotocol ipv6-unicast"),
    (RouteRefresh(), "0200", "route-refresh"),
    (ExtendedMessage(), "0600", "extended-message"),
    (EnhancedRouteRefresh(), "4600", "enhanced-route-refresh"),
    (FourOctetAs(4200000001), "4104fa56ea01", "four-octet-as 4200000001"),
    (GracefulRestart(120), "40020078", "graceful-restart 120s"),
    (
        GracefulRestart(
            90, (RestartFamily(Family.IPV4_UNICAST, True), RestartFamily(Family.IPV6_UNICAST, False)), True
        ),
        "400a805a" + "00010180" + "00020100",
        "graceful-restart 90s",
    ),
    (UnknownCapability(69, b"\0\1\1\3"), "450400010103", "add-path"),
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


def test_families_not_spoken_are_left_out_of_graceful_restart():
    assert capability.decode_all(bytes.fromhex("40060078" + "00190180")) == (GracefulRestart(120),)


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
