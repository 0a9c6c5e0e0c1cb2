from dataclasses import replace
from ipaddress import IPv4Address, ip_address

import pytest

from herald.bgp.capability import (
    EnhancedRouteRefresh,
    ExtendedMessage,
    ExtendedNextHop,
    FourOctetAs,
    GracefulRestart,
    HostName,
    Multiprotocol,
    RouteRefresh,
    UnknownCapability,
)
from herald.bgp.family import Family
from herald.bgp.message import Open
from herald.bgp.negotiation import negotiate, offer
from herald.bgp.notification import WireError
from herald.bgp.parameters import PeerParameters

FOUR, SIX = Family.IPV4_UNICAST, Family.IPV6_UNICAST
PEER = PeerParameters(name="r1", peer_address=ip_address("10.0.0.1"), local_asn=64500, peer_asn=64501)
OURS = offer(PEER, IPv4Address("10.0.0.2"))
BOTH = (Multiprotocol(FOUR), Multiprotocol(SIX), FourOctetAs(64501))
THEIRS = Open(64501, 180, IPv4Address("10.0.0.1"), BOTH)


def test_we_offer_each_family_both_kinds_of_refresh_long_messages_help_at_a_restart_and_wide_asns():
    assert OURS.capabilities == (
        Multiprotocol(FOUR),
        Multiprotocol(SIX),
        RouteRefresh(),
        EnhancedRouteRefresh(),
        ExtendedMessage(),
        GracefulRestart(0),
        FourOctetAs(64500),
    )
    assert offer(PEER, OURS.router_id, host_name="n1").capabilities == (*OURS.capabilities, HostName("n1"))
    only_six = replace(PEER, families=frozenset({SIX}))
    assert offer(only_six, IPv4Address("10.0.0.2")).capabilities[0] == Multiprotocol(SIX)


@pytest.mark.parametrize(
    ("changes", "offered"),
    [
        ({}, False),
        ({"peer_address": ip_address("2001:db8::1")}, True),
        ({"peer_address": ip_address("2001:db8::1"), "families": frozenset({SIX})}, False),
        ({"peer_address": None, "interface": "eth0"}, True),
        ({"peer_address": ip_address("fe80::1"), "interface": "eth0"}, True),
    ],
    ids=["over IPv4", "over IPv6", "no IPv4 routes", "unnumbered", "unnumbered, found"],
)
def test_an_extended_next_hop_is_offered_over_ipv6_for_ipv4_routes(changes, offered):
    ours = offer(replace(PEER, **changes), IPv4Address("10.0.0.2"))
    assert (ExtendedNextHop((FOUR,)) in ours.capabilities) is offered


@pytest.mark.parametrize(
    ("theirs", "agreed"),
    [
        (BOTH, frozenset()),
        ((*BOTH, ExtendedNextHop((FOUR,))), {FOUR}),
        ((*BOTH, ExtendedNextHop((SIX,))), frozenset()),
        ((*BOTH, ExtendedNextHop(()), ExtendedNextHop((SIX, FOUR))), {FOUR}),
    ],
    ids=["not offered", "offered", "for another family", "in two capabilities"],
)
def test_an_extended_next_hop_is_used_if_both_offer_it(theirs, agreed):
    over_six = replace(PEER, peer_address=ip_address("2001:db8::1"))
    ours = offer(over_six, IPv4Address("10.0.0.2"))
    assert negotiate(over_six, ours, replace(THEIRS, capabilities=theirs)).extended_next_hop == agreed


@pytest.mark.parametrize(
    ("ours", "keepalive", "theirs", "agreed"),
    [
        (90, None, 180, (90, 30)),
        (90, None, 9, (9, 3)),
        (90, 10, 180, (90, 10)),
        (90, 10, 9, (9, 3)),
        (0, None, 90, (0, 0)),
        (90, None, 0, (0, 0)),
        (3, None, 3, (3, 1)),
        (10, None, 10, (10, 10 / 3)),
    ],
)
def test_the_smaller_hold_time_counts_and_keepalives_are_a_third_at_most(ours, keepalive, theirs, agreed):
    peer = replace(PEER, hold_time=ours, keepalive_time=keepalive)
    found = negotiate(peer, offer(peer, OURS.router_id), replace(THEIRS, hold_time=theirs))
    assert (found.hold_time, found.keepalive_time) == agreed


@pytest.mark.parametrize(
    ("capabilities", "families"),
    [
        (BOTH, {FOUR, SIX}),
        ((Multiprotocol(SIX),), {SIX}),
        ((), {FOUR}),
        ((FourOctetAs(64501),), {FOUR}),
    ],
    ids=["both", "only-ipv6", "none-means-ipv4", "no-multiprotocol-means-ipv4"],
)
def test_common_families_are_exchanged(capabilities, families):
    assert negotiate(PEER, OURS, replace(THEIRS, capabilities=capabilities)).families == families


@pytest.mark.parametrize(
    ("theirs", "code", "words"),
    [
        ({"asn": 64999}, (2, 2), "the peer says it is AS 64999, configured is AS 64501"),
        ({"capabilities": (UnknownCapability(1, b"\0\x19\0\x41"),)}, (2, 7), "does not offer ipv4-unicast and ipv6"),
    ],
    ids=["another-as", "only-a-foreign-family"],
)
def test_a_peer_that_does_not_fit_is_refused(theirs, code, words):
    with pytest.raises(WireError, match=words) as raised:
        negotiate(PEER, OURS, replace(THEIRS, **theirs))
    assert (raised.value.notification.code, raised.value.notification.subcode) == code


def test_an_internal_peer_must_have_a_router_id_of_its_own():
    internal = replace(PEER, peer_asn=64500)
    same = replace(THEIRS, asn=64500, router_id=OURS.router_id)
    with pytest.raises(WireError, match="our router ID"):
        negotiate(internal, OURS, same)
    assert negotiate(PEER, OURS, replace(THEIRS, router_id=OURS.router_id)).remote_router_id == OURS.router_id


@pytest.mark.parametrize("entry", [EnhancedRouteRefresh(), ExtendedMessage()], ids=lambda entry: entry.text)
def test_what_only_one_side_offers_is_not_in_use(entry):
    both = negotiate(PEER, OURS, replace(THEIRS, capabilities=(*BOTH, entry)))
    assert (both.enhanced_refresh, both.extended_messages) == (
        entry == EnhancedRouteRefresh(),
        entry == ExtendedMessage(),
    )
    assert not negotiate(PEER, OURS, THEIRS).enhanced_refresh
    assert not negotiate(PEER, OURS, THEIRS).extended_messages


def test_the_wire_follows_what_the_peer_can_do():
    assert negotiate(PEER, OURS, THEIRS).wire.four_octet_as
    assert not negotiate(PEER, OURS, replace(THEIRS, capabilities=())).wire.four_octet_as
    internal = replace(PEER, peer_asn=64500)
    assert negotiate(internal, OURS, replace(THEIRS, asn=64500)).wire.internal
