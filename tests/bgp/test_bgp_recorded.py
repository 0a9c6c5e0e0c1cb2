"""Whole sessions of FRR, BIRD, GoBGP and ExaBGP, as recorded: what they say is understood, and can be said again."""

from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from bgp_wires import outcome
from hypothesis import given
from hypothesis import strategies as st

from herald.bgp import as_path, message
from herald.bgp.capability import (
    EnhancedRouteRefresh,
    ExtendedMessage,
    ExtendedNextHop,
    FourOctetAs,
    GracefulRestart,
    HostName,
    Multiprotocol,
    RestartFamily,
    RouteRefresh,
)
from herald.bgp.community import Community, LargeCommunity
from herald.bgp.family import Family
from herald.bgp.message import Framer, Keepalive, MessageType, Open, Update
from herald.bgp.notification import Notification, WireError, cause_of, shutdown_text
from herald.bgp.path_attribute import Aggregator, Origin, PathAttributes, WireContext
from recorded import damaged, recorded

DAEMONS = ("frr", "bird", "gobgp", "exabgp")
SESSIONS = {daemon: recorded(f"bgp-{daemon}") for daemon in DAEMONS}
V4, V6 = Family.IPV4_UNICAST, Family.IPV6_UNICAST
EXTERNAL = WireContext()
EVERY_MESSAGE = [
    pytest.param(wire, id=f"{daemon}-{name}") for daemon, packets in SESSIONS.items() for name, wire in packets.items()
]


def decode(wire: bytes) -> message.Message:
    framer = Framer()
    framer.largest = message.MAX_EXTENDED_OCTETS
    ((kind, body),) = framer.feed(wire)
    return message.decode(kind, body, EXTERNAL)


def heard(daemon: str, kind: type) -> list:
    return [value for wire in SESSIONS[daemon].values() if isinstance(value := decode(wire), kind)]


BOTH_KEPT = tuple(RestartFamily(family, True) for family in Family)
BOTH_LOST = tuple(RestartFamily(family, False) for family in Family)
REFRESH = (RouteRefresh(), EnhancedRouteRefresh())
OPENS = {
    "frr": (
        *REFRESH,
        ExtendedMessage(),
        HostName("router"),
        GracefulRestart(120, BOTH_LOST, restarting=True, notification=True),
    ),
    "bird": (*REFRESH, ExtendedMessage(), ExtendedNextHop((V4,)), GracefulRestart(120, BOTH_LOST)),
    "gobgp": (
        RouteRefresh(),
        ExtendedNextHop((V4,)),
        HostName("router"),
        GracefulRestart(60, BOTH_LOST, notification=True),
    ),
    "exabgp": (*REFRESH, ExtendedMessage(), GracefulRestart(60, BOTH_KEPT, restarting=True)),
}


@pytest.mark.parametrize("daemon", DAEMONS)
def test_an_open_says_who_it_is_and_what_it_can(daemon: str) -> None:
    (said,) = heard(daemon, Open)
    assert (said.asn, said.router_id) == (4200000001, IPv4Address("10.50.0.1"))
    everybody = (Multiprotocol(V4), Multiprotocol(V6), FourOctetAs(4200000001))
    assert set(everybody + OPENS[daemon]) <= set(said.capabilities)
    known = {type(one) for one in everybody + OPENS[daemon]}
    assert {type(one) for one in said.capabilities} - known <= {message.capability.UnknownCapability}


PREPENDED = as_path.sequence((4200000001, 64999, 64998))
COLOURED = {
    "origin": Origin.IGP,
    "next_hop": IPv4Address("10.50.0.1"),
    "multi_exit_disc": 50,
    "communities": (Community(64501 << 16 | 7), Community(0xFFFFFF01)),
    "large_communities": (LargeCommunity(4200000001, 1, 2),),
}
TARGET = {"extended_communities": (bytes.fromhex("0002fbf500000063"),)}
ROUTER = IPv4Address("10.50.0.1")
# What ExaBGP is told of a path it says as it stands, without its own AS in front.
ATTRIBUTES = {
    "frr": PathAttributes(**COLOURED, **TARGET, as_path=PREPENDED),
    "gobgp": PathAttributes(**COLOURED, as_path=PREPENDED),
    "exabgp": PathAttributes(
        **COLOURED,
        **TARGET,
        as_path=as_path.sequence((64999, 64998)),
        atomic_aggregate=True,
        aggregator=Aggregator(64501, ROUTER),
    ),
}


@pytest.mark.parametrize("daemon", ATTRIBUTES)
def test_a_route_with_all_its_attributes(daemon: str) -> None:
    (found,) = [one for one in heard(daemon, Update) if ip_network("10.0.0.0/8") in list(one.nlri)]
    assert found.attributes == ATTRIBUTES[daemon]


def test_an_aggregate_of_frr_says_who_made_it() -> None:
    (found,) = [one for one in heard("frr", Update) if ip_network("203.0.113.0/24") in list(one.nlri)]
    assert (found.attributes.atomic_aggregate, found.attributes.aggregator) == (True, Aggregator(4200000001, ROUTER))


def test_bird_puts_ipv4_routes_into_the_multiprotocol_attribute() -> None:
    (found,) = [one for one in heard("bird", Update) if one.attributes.multi_exit_disc == 50]
    assert found.attributes.mp_reach is not None
    assert found.attributes.mp_reach.next_hops == (ROUTER,)
    assert list(found.attributes.mp_reach.nlri) == [ip_network("198.51.100.7/32"), ip_network("10.0.0.0/8")]
    assert found.attributes.large_communities == (LargeCommunity(4200000001, 1, 2),)


NEXT_HOPS = {
    "frr": ["2001:db8:50::1", "fe80::"],
    "bird": ["2001:db8:50::1", "fe80::"],
    "gobgp": ["::ffff:10.50.0.1"],
    "exabgp": ["2001:db8:50::1"],
}


@pytest.mark.parametrize("daemon", DAEMONS)
def test_ipv6_routes_and_their_next_hops(daemon: str) -> None:
    reached = [one.attributes.mp_reach for one in heard(daemon, Update) if one.attributes.mp_reach]
    (found,) = [one for one in reached if one.nlri.family is V6]
    assert ip_network("2001:db8:1::/48") in list(found.nlri)
    first, *twin = found.next_hops
    assert first == IPv6Address(NEXT_HOPS[daemon][0])
    assert [str(one)[:6] for one in twin] == NEXT_HOPS[daemon][1:]


@pytest.mark.parametrize("daemon", DAEMONS)
def test_the_first_table_ends_with_an_end_of_rib_of_each_family(daemon: str) -> None:
    assert {one.end_of_rib for one in heard(daemon, Update)} - {None} == {V4, V6}


@pytest.mark.parametrize("daemon", DAEMONS)
def test_nothing_in_an_update_is_found_wrong(daemon: str) -> None:
    assert [one.problems for one in heard(daemon, Update) if one.problems] == []


@pytest.mark.parametrize("daemon", ["frr", "bird"])
def test_a_refresh_is_asked_for_begun_and_ended(daemon: str) -> None:
    said = {(one.afi, one.safi, one.subtype) for one in heard(daemon, message.RouteRefresh)}
    assert said == {(*family.value, subtype) for family in Family for subtype in message.RefreshSubtype}


WITHDRAWN = {
    "frr": ({"198.51.100.7/32"}, {"2001:db8::1/128"}),
    "bird": ({"198.51.100.7/32", "10.0.0.0/8"}, set()),
    "gobgp": ({"198.51.100.7/32"}, {"2001:db8:1::/48"}),
}


@pytest.mark.parametrize("daemon", WITHDRAWN)
def test_withdrawn_routes_of_either_family(daemon: str) -> None:
    gone: dict[Family, set[str]] = {V4: set(), V6: set()}
    for update in heard(daemon, Update):
        gone[V4] |= {str(prefix) for prefix in update.withdrawn}
        if update.attributes.mp_unreach is not None:
            nlri = update.attributes.mp_unreach.nlri
            gone[nlri.family] |= {str(prefix) for prefix in nlri}
    assert (gone[V4], gone[V6]) == WITHDRAWN[daemon]


def test_the_reason_of_a_shutdown_is_told() -> None:
    (frr,), (bird,), (gobgp,) = (heard(daemon, Notification) for daemon in ("frr", "bird", "gobgp"))
    assert bird.text == 'Cease/Administrative Shutdown: "cable work"'
    assert frr.text == 'Cease/Hard Reset (Cease/Administrative Shutdown: "cable work")'
    cause = cause_of(frr)
    assert cause is not None
    assert shutdown_text(cause) == "cable work"
    assert gobgp.text == "Cease/Administrative Shutdown", "it keeps the words to itself"


@pytest.mark.parametrize("wire", EVERY_MESSAGE)
def test_what_is_heard_can_be_said_again(wire: bytes) -> None:
    once = decode(wire)
    assert decode(message.encode(once, EXTERNAL)) == once


# Attributes come in any order, flags may say "extended length" without need, an OPEN may have a parameter for each
# capability or name families that Herald does not speak; everything else is written in one way only.
IN_ONE_WAY_ONLY = [
    pytest.param(wire, id=f"{daemon}-{name}")
    for daemon, packets in SESSIONS.items()
    for name, wire in packets.items()
    if isinstance(value := decode(wire), Keepalive | Notification | message.RouteRefresh)
    or (isinstance(value, Update) and value.withdrawn)
    or (daemon, name) in {("bird", "01-open"), ("gobgp", "01-open"), ("exabgp", "03-update"), ("gobgp", "04-update")}
]


@pytest.mark.parametrize("wire", IN_ONE_WAY_ONLY)
def test_what_is_written_in_one_way_only_is_the_same_octets_again(wire: bytes) -> None:
    assert message.encode(decode(wire), EXTERNAL) == wire


@pytest.mark.parametrize("daemon", DAEMONS)
def test_a_session_in_one_stream_is_the_same_messages(daemon: str) -> None:
    framer, stream = Framer(), b"".join(SESSIONS[daemon].values())
    pairs = [pair for at in range(0, len(stream), 7) for pair in framer.feed(stream[at : at + 7])]
    assert [message.frame(kind, body) for kind, body in pairs] == list(SESSIONS[daemon].values())


@given(damaged([wire for packets in SESSIONS.values() for wire in packets.values()]), st.booleans(), st.booleans())
def test_fuzz_a_damaged_recording_is_messages_or_a_wire_error(data: bytes, wide: bool, internal: bool) -> None:
    framer, context = Framer(), WireContext(wide, internal)
    framer.largest = message.MAX_EXTENDED_OCTETS

    def read() -> None:
        for kind, body in framer.feed(data):
            assert isinstance(kind, MessageType)
            value = message.decode(kind, body, context)
            if isinstance(value, Notification):
                assert value.text
            if isinstance(value, Update):
                list(value.nlri)

    result = outcome(read)
    assert result is None or isinstance(result, WireError)
