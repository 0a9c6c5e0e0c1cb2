"""Graceful restart: what is said in an OPEN, when the End-of-RIB leaves, and how a session ends."""

import random
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

import pytest

from herald.bgp import message
from herald.bgp.capability import FourOctetAs, GracefulRestart, Multiprotocol, RestartFamily
from herald.bgp.family import Family
from herald.bgp.graceful_restart import Agreement, Past, Standing, agree, offered, said
from herald.bgp.message import Framer, Keepalive, Open, Update
from herald.bgp.negotiation import offer
from herald.bgp.notification import Notification, cause_of
from herald.bgp.path_attribute import WireContext
from herald.bgp.route import Route
from herald.bgp.session import (
    BfdDown,
    Close,
    Closed,
    Connect,
    Connected,
    Down,
    Leaving,
    ParametersChanged,
    PeerParameters,
    Received,
    RoutesChanged,
    RoutesComplete,
    Send,
    Session,
    Start,
    State,
    Stop,
)

FOUR, SIX = Family.IPV4_UNICAST, Family.IPV6_UNICAST
PLAIN = PeerParameters(name="r1", peer_address=ip_address("10.0.0.1"), local_asn=64500, peer_asn=64501)
PEER = replace(PLAIN, restart_time=120)
LOCAL = Connected(ip_address("10.0.0.2"), IPv6Address("2001:db8::2"), IPv4Address("10.0.0.2"), IPv4Address("10.0.0.2"))
ROUTER_ID = IPv4Address("10.0.0.2")
SILENT = Open(64501, 90, IPv4Address("10.0.0.1"), (Multiprotocol(FOUR), Multiprotocol(SIX), FourOctetAs(64501)))
AWARE = replace(SILENT, capabilities=(*SILENT.capabilities, GracefulRestart(120)))
HEEDING = replace(SILENT, capabilities=(*SILENT.capabilities, GracefulRestart(120, notification=True)))
ROUTE, ROUTE6 = Route(IPv4Network("192.168.1.200/32")), Route(IPv6Network("2001:db8:1::1/128"))


class Walk:
    """A session and what it does at one instant after the other."""

    def __init__(self, parameters=PEER):
        self.session = Session(parameters, random.Random(1))
        self.now = 100.0

    def give(self, *events):
        return [effect for event in events for effect in self.session.handle(event, self.now)]

    def hear(self, *values):
        return self.give(*(Received(message.encode(value, WireContext())) for value in values))

    def flush(self):
        """The messages that leave now."""
        effects = []
        while self.session.deadline() is not None and self.session.deadline() <= self.now:
            effects += self.session.wake(self.now)
        return sent(effects)

    def reconnect(self):
        """What is sent in the next connection until the peer's OPEN."""
        self.now = self.session.deadline()
        assert [type(effect) for effect in self.session.wake(self.now)] == [Connect]
        return sent(self.give(LOCAL))


def sent(effects):
    stream = b"".join(effect.data for effect in effects if isinstance(effect, Send))
    return [message.decode(kind, body, WireContext()) for kind, body in Framer().feed(stream)]


def established(theirs=AWARE, parameters=PEER, start=None, routes=(ROUTE, ROUTE6)):
    walk = Walk(parameters)
    walk.give(RoutesChanged(tuple(routes)), start or Start(), LOCAL)
    walk.hear(theirs, Keepalive())
    return walk


def ends_of_rib(messages):
    return [one.end_of_rib for one in messages if isinstance(one, Update) and one.end_of_rib is not None]


@pytest.mark.parametrize(
    ("parameters", "standing", "expected"),
    [
        (PLAIN, Standing(), GracefulRestart(0)),
        (PLAIN, Standing(restarting=True), GracefulRestart(0, restarting=True)),
        (
            PEER,
            Standing(),
            GracefulRestart(120, (RestartFamily(FOUR, True), RestartFamily(SIX, True)), notification=True),
        ),
        (
            PEER,
            Standing(restarting=True, forwarding=False),
            GracefulRestart(120, (RestartFamily(FOUR, False), RestartFamily(SIX, False)), True, True),
        ),
        (
            replace(PEER, restart_time=5, families=frozenset({SIX})),
            Standing(restarting=True),
            GracefulRestart(5, (RestartFamily(SIX, True),), True, True),
        ),
    ],
    ids=["not-wanted", "not-wanted-after-a-restart", "wanted", "after-a-reboot", "one-family"],
)
def test_what_is_offered(parameters, standing, expected):
    assert offered(parameters, standing) == expected
    assert said(offer(parameters, ROUTER_ID, standing)) == expected


@pytest.mark.parametrize(
    ("parameters", "theirs", "expected"),
    [
        (PEER, SILENT, Agreement()),
        (PEER, AWARE, Agreement(frozenset({FOUR, SIX}))),
        (PEER, HEEDING, Agreement(frozenset({FOUR, SIX}), notification=True)),
        (PLAIN, HEEDING, Agreement()),
        (
            PEER,
            replace(HEEDING, capabilities=(*HEEDING.capabilities, GracefulRestart(9))),
            Agreement(frozenset({FOUR, SIX})),
        ),
    ],
    ids=["peer-knows-nothing-of-it", "peer-keeps", "peer-keeps-for-notifications-too", "not-wanted", "the-last-counts"],
)
def test_what_two_opens_mean_together(parameters, theirs, expected):
    assert agree(offer(parameters, ROUTER_ID), theirs) == expected


@pytest.mark.parametrize(
    ("past", "restarting", "forwarding"),
    [(Past.NOTHING, False, True), (Past.RESTARTED, True, True), (Past.REBOOTED, True, False)],
)
def test_the_first_open_tells_the_past_and_the_next_session_has_none(past, restarting, forwarding):
    walk = Walk()
    walk.give(Start(past))
    (opened,) = sent(walk.give(LOCAL))
    assert said(opened).restarting is restarting
    assert {entry.forwarding for entry in said(opened).families} == {forwarding}
    walk.hear(AWARE, Keepalive())
    assert ends_of_rib(walk.flush()) == [FOUR, SIX]
    walk.give(Closed("the peer closed the connection"))
    (again,) = walk.reconnect()
    assert not said(again).restarting
    assert all(entry.forwarding for entry in said(again).families)


def test_a_session_that_fell_before_the_end_of_rib_still_has_the_past():
    walk = established(start=Start(Past.REBOOTED, complete=False))
    walk.flush()
    walk.give(Closed("the peer closed the connection"))
    (again,) = walk.reconnect()
    assert said(again).restarting
    assert not any(entry.forwarding for entry in said(again).families)


def test_without_graceful_restart_an_end_of_rib_is_sent_all_the_same():
    assert ends_of_rib(established(SILENT, PLAIN).flush()) == [FOUR, SIX]


def test_no_end_of_rib_leaves_before_all_routes_are_known():
    walk = established(start=Start(Past.RESTARTED, complete=False))
    first = walk.flush()
    assert [list(one.nlri) for one in first if one.nlri] == [[ROUTE.prefix]]
    assert ends_of_rib(first) == []
    assert not any(one.end_of_rib_sent for one in walk.session.snapshot().families)
    late = Route(IPv4Network("192.168.1.201/32"))
    walk.give(RoutesChanged((late,)))
    assert [list(one.nlri) for one in walk.flush()] == [[late.prefix]]
    walk.give(RoutesComplete())
    assert ends_of_rib(walk.flush()) == [FOUR, SIX]
    assert all(one.end_of_rib_sent for one in walk.session.snapshot().families)


def test_a_refresh_that_comes_before_the_end_of_rib_is_answered_without_marks():
    aware = replace(AWARE, capabilities=(*AWARE.capabilities, *offer(PLAIN, ROUTER_ID).capabilities))
    walk = established(theirs=replace(aware, asn=64501), start=Start(complete=False))
    walk.flush()
    walk.hear(message.RouteRefresh(1, 1))
    assert [list(one.nlri) for one in walk.flush()] == [[ROUTE.prefix]]
    walk.give(RoutesComplete())
    assert ends_of_rib(walk.flush()) == [FOUR, SIX]


def farewell(effects):
    """None for silence, else the notification."""
    notes = [one for one in sent(effects) if isinstance(one, Notification)]
    return notes[0].text if notes else None


CEASE = 'Cease/Administrative Shutdown: "bye"'
RESET = 'Cease/Administrative Reset: "configuration changed: {}"'


@pytest.mark.parametrize(
    ("parameters", "theirs", "leaving", "words"),
    [
        (PEER, AWARE, Leaving.TO_RETURN, None),
        (PEER, HEEDING, Leaving.TO_RETURN, None),
        (PEER, SILENT, Leaving.TO_RETURN, CEASE),
        (PLAIN, HEEDING, Leaving.TO_RETURN, CEASE),
        (PEER, AWARE, Leaving.FOR_GOOD, CEASE),
        (PEER, HEEDING, Leaving.FOR_GOOD, f"Cease/Hard Reset ({CEASE})"),
        (PEER, SILENT, Leaving.FOR_GOOD, CEASE),
        (PLAIN, HEEDING, Leaving.FOR_GOOD, CEASE),
    ],
)
def test_how_a_session_ends_by_our_will(parameters, theirs, leaving, words):
    walk = established(theirs, parameters)
    walk.flush()
    effects = walk.give(Stop("bye", leaving))
    assert farewell(effects) == words
    assert [type(effect) for effect in effects][-2:] == [Close, Down]
    assert (walk.session.state, walk.session.deadline()) == (State.IDLE, None)


@pytest.mark.parametrize(
    ("theirs", "words"),
    [(HEEDING, "Cease/Hard Reset (Cease/BFD Down)"), (AWARE, "Cease/BFD Down"), (SILENT, "Cease/BFD Down")],
    ids=["heeding", "aware", "silent"],
)
def test_a_peer_that_bfd_lost_keeps_no_route_of_ours(theirs, words):
    walk = established(theirs)
    walk.flush()
    assert farewell(walk.give(BfdDown("control detection time expired"))) == words


@pytest.mark.parametrize(
    ("theirs", "changed", "words"),
    [
        (AWARE, {"multihop": True}, None),
        (HEEDING, {"multihop": True}, None),
        (SILENT, {"multihop": True}, RESET.format("multihop")),
        (HEEDING, {"peer_port": 1790}, f"Cease/Hard Reset ({RESET.format('peer_port')})"),
        (HEEDING, {"vrf": "red"}, f"Cease/Hard Reset ({RESET.format('vrf')})"),
    ],
    ids=["kept", "kept-also-for-notifications", "not-kept", "another-peer", "another-vrf"],
)
def test_a_changed_session_costs_no_route_where_the_peer_keeps_them_and_is_still_the_peer(theirs, changed, words):
    walk = established(theirs)
    effects = walk.give(ParametersChanged(replace(PEER, **changed)))
    assert farewell(effects) == words
    assert type(effects[-1]) is Connect


def test_a_changed_restart_time_waits_for_the_next_session():
    walk = established()
    assert walk.give(ParametersChanged(replace(PEER, restart_time=300))) == []
    assert walk.session.snapshot().pending_changes == ("restart_time",)


def test_a_hard_reset_of_the_peer_is_shown_with_its_cause():
    walk = established(HEEDING)
    walk.hear(Notification(6, 9, bytes((6, 2, 5)) + b"fibre"))
    assert walk.session.last_error.symptom == 'they sent Cease/Hard Reset (Cease/Administrative Shutdown: "fibre")'


@pytest.mark.parametrize(
    ("note", "cause"),
    [
        (Notification(6, 9, b"\6\2"), Notification(6, 2)),
        (Notification(6, 9, b"\4\0x"), Notification(4, 0, b"x")),
        (Notification(6, 9, b"\6"), None),
        (Notification(6, 9), None),
        (Notification(6, 4, b"\6\2"), None),
    ],
)
def test_the_cause_in_a_hard_reset(note, cause):
    assert cause_of(note) == cause


def test_a_hard_reset_inside_a_hard_reset_is_not_unwrapped_for_ever():
    assert Notification(6, 9, bytes((6, 9)) * 1000).text == "Cease/Hard Reset"


def test_a_snapshot_tells_what_was_said_and_what_is_kept():
    walk = established(HEEDING, start=Start(Past.RESTARTED))
    shown = walk.session.snapshot().graceful_restart
    assert shown.offered.restarting
    assert shown.received == GracefulRestart(120, notification=True)
    assert (shown.kept, shown.notification) == ((FOUR, SIX), True)
    walk.hear(Update())
    assert [one.end_of_rib_received for one in walk.session.snapshot().families] == [True, False]
    walk.give(Stop("bye"))
    assert walk.session.snapshot().graceful_restart is None


@pytest.mark.parametrize("seconds", [0, -1, 4096])
def test_a_restart_time_that_cannot_be_said_is_refused(seconds):
    with pytest.raises(ValueError, match="is not 1 to 4095"):
        replace(PLAIN, restart_time=seconds)
