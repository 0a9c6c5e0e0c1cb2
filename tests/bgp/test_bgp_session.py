"""The session machine against a scripted peer, by virtual time."""

import random
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

import pytest
from bgp_wires import FRR, messages
from hypothesis import given
from hypothesis import strategies as st

from herald.bfd.profile import BFDProfile
from herald.bgp import fsm, message
from herald.bgp.capability import EnhancedRouteRefresh, ExtendedMessage, FourOctetAs, GracefulRestart, Multiprotocol
from herald.bgp.community import Community
from herald.bgp.diagnosis import Cause, Finding
from herald.bgp.family import Family
from herald.bgp.message import Framer, Keepalive, MessageType, Open, RouteRefresh, Update
from herald.bgp.notification import Notification
from herald.bgp.path_attribute import WireContext
from herald.bgp.route import Route
from herald.bgp.session import (
    BfdDown,
    BfdPaused,
    BfdUp,
    Close,
    Closed,
    Connect,
    Connected,
    ConnectFailed,
    Down,
    Incoming,
    Leaving,
    ParametersChanged,
    Password,
    Past,
    PeerParameters,
    Received,
    RoutesChanged,
    RoutesComplete,
    Send,
    Session,
    Start,
    State,
    Stop,
    Take,
    Up,
    WayBack,
    WayLost,
    WritingPaused,
    WritingResumed,
)

FOUR, SIX = Family.IPV4_UNICAST, Family.IPV6_UNICAST
PEER = PeerParameters(name="r1", peer_address=ip_address("10.0.0.1"), local_asn=64500, peer_asn=64501)
LOCAL = Connected(ip_address("10.0.0.2"), IPv6Address("2001:db8::2"), IPv4Address("10.0.0.2"), IPv4Address("10.0.0.2"))
THEIR_OPEN = Open(64501, 90, IPv4Address("10.0.0.1"), (Multiprotocol(FOUR), Multiprotocol(SIX), FourOctetAs(64501)))
AWARE_OPEN = replace(
    THEIR_OPEN,
    capabilities=(
        *THEIR_OPEN.capabilities,
        EnhancedRouteRefresh(),
        ExtendedMessage(),
        GracefulRestart(60, notification=True),
    ),
)
ROUTE = Route(IPv4Network("192.168.1.200/32"))
ROUTE6 = Route(IPv6Network("2001:db8:1::1/128"))


class Walk:
    """A session, the time, and what it did so far."""

    def __init__(self, parameters=PEER, seed=1):
        self.session = Session(parameters, random.Random(seed))
        self.now = 1000.0
        self.done = []

    def give(self, *events):
        """The effects of these events."""
        effects = [effect for event in events for effect in self.session.handle(event, self.now)]
        self.done.extend(effects)
        return effects

    def hear(self, *values):
        return self.give(*(Received(message.encode(value, WireContext())) for value in values))

    def wait(self, seconds):
        """Let time pass, waking the session whenever it asks for it."""
        end, effects = self.now + seconds, []
        while (deadline := self.session.deadline()) is not None and deadline <= end:
            self.now = max(self.now, deadline)
            effects.extend(self.session.wake(self.now))
        self.now = end
        self.done.extend(effects)
        return effects

    @property
    def state(self):
        return self.session.state

    @property
    def snapshot(self):
        return self.session.snapshot()


def sent(effects):
    """The messages among the effects."""
    stream = b"".join(effect.data for effect in effects if isinstance(effect, Send))
    return [message.decode(kind, body, WireContext()) for kind, body in Framer().feed(stream)]


def kinds(effects):
    return [type(effect) for effect in effects]


def connecting(parameters=PEER, **kwargs):
    walk = Walk(parameters, **kwargs)
    walk.give(Start())
    return walk


def open_sent(parameters=PEER, local=LOCAL):
    walk = connecting(parameters)
    walk.give(local)
    return walk


def open_confirm(parameters=PEER, theirs=THEIR_OPEN, local=LOCAL):
    walk = open_sent(parameters, local)
    walk.hear(theirs)
    return walk


def established(parameters=PEER, theirs=THEIR_OPEN, local=LOCAL, routes=()):
    walk = open_confirm(parameters, theirs, local)
    walk.give(RoutesChanged(tuple(routes)))
    walk.hear(Keepalive())
    return walk


WALKS = {
    State.IDLE: Walk,
    State.CONNECT: connecting,
    State.OPEN_SENT: open_sent,
    State.OPEN_CONFIRM: open_confirm,
    State.ESTABLISHED: established,
}
CONNECTED_STATES = pytest.mark.parametrize("state", list(fsm.CONNECTED), ids=lambda state: state.value)


def test_the_way_to_established():
    walk = Walk()
    assert walk.give(Start()) == [Connect(PEER)]
    assert walk.state is State.CONNECT
    (ours,) = sent(walk.give(LOCAL))
    assert (ours.asn, ours.hold_time, ours.router_id) == (64500, 90, IPv4Address("10.0.0.2"))
    assert walk.state is State.OPEN_SENT
    assert sent(walk.hear(THEIR_OPEN)) == [Keepalive()]
    assert walk.state is State.OPEN_CONFIRM
    assert walk.hear(Keepalive()) == [Up()]
    assert walk.state is State.ESTABLISHED
    assert [update.end_of_rib for update in sent(walk.wait(0))] == [FOUR, SIX]


def test_the_packets_of_a_real_router_lead_to_established_in_pieces_of_any_size():
    stream = (
        FRR["open"] + FRR["keepalive"] + FRR["update-ipv4-all-attributes"] + FRR["update-ipv6"] + FRR["withdraw-ipv4"]
    )
    for size in (1, 2, 7, 19, 100, 1000):
        walk = open_sent(replace(PEER, peer_asn=4200000001))
        for at in range(0, len(stream), size):
            walk.give(Received(stream[at : at + size]))
        assert walk.state is State.ESTABLISHED
        assert [(entry.received, entry.received_withdrawn) for entry in walk.snapshot.families] == [(2, 1), (1, 0)]
        assert walk.snapshot.messages_in == {MessageType.OPEN: 1, MessageType.KEEPALIVE: 1, MessageType.UPDATE: 3}
        assert walk.snapshot.updates_with_errors == 0


def test_routes_leave_once_established_and_changes_follow():
    walk = established(routes=(ROUTE, ROUTE6))
    four, end_of_four, six, end_of_six = sent(walk.wait(0))
    assert list(four.nlri) == [ROUTE.prefix]
    assert list(six.attributes.mp_reach.nlri) == [ROUTE6.prefix]
    assert (end_of_four.end_of_rib, end_of_six.end_of_rib) == (FOUR, SIX)
    changed = replace(ROUTE, communities=(Community(7),))
    assert walk.give(RoutesChanged((changed,))) == []
    (update,) = sent(walk.wait(0))
    assert update.attributes.communities == (Community(7),)
    walk.give(RoutesChanged((), (ROUTE.prefix,)))
    assert list(sent(walk.wait(0))[0].withdrawn) == [ROUTE.prefix]


def test_changes_of_one_moment_are_packed_together():
    walk = established()
    walk.wait(0)
    for number in range(100):
        walk.give(RoutesChanged((Route(IPv4Network((0x0A000000 + number, 32))),)))
    (update,) = sent(walk.wait(0))
    assert len(update.nlri) == 100


def test_a_large_table_leaves_in_slices_and_stops_while_the_peer_is_slow():
    walk = established(
        routes=[Route(IPv4Network((0x0A000000 + n, 32)), communities=(Community(n),)) for n in range(5000)]
    )
    while not (first := walk.session.wake(walk.now)):
        pass
    assert len(first[0].data) < 32 * 1024
    walk.give(WritingPaused())
    assert walk.wait(0) == []
    assert walk.give(RoutesChanged((ROUTE,))) == []
    assert walk.wait(0) == []
    walk.give(WritingResumed())
    assert len(sent(walk.wait(0))) + len(sent(first)) == 5001 + 2


def test_keepalives_are_sent_by_the_agreed_time_with_jitter():
    walk = established(theirs=replace(THEIR_OPEN, hold_time=9))
    walk.wait(0)
    times = []
    for _ in range(50):
        before = walk.now
        walk.now = walk.session.deadline()
        assert sent(walk.session.wake(walk.now)) == [Keepalive()]
        times.append(walk.now - before)
        walk.hear(Keepalive())
    assert min(times) >= 2.25
    assert max(times) <= 3.0
    assert len(set(times)) > 40


def test_a_silent_peer_is_given_up_after_the_hold_time():
    walk = established(theirs=replace(THEIR_OPEN, hold_time=9), routes=(ROUTE,))
    effects = walk.wait(8.9)
    assert Down not in kinds(effects)
    effects = walk.wait(0.2)
    assert sent(effects) == [Notification(4, 0)]
    assert kinds(effects)[-2:] == [Close, Down]
    assert walk.snapshot.last_error.text == "we sent Hold Timer Expired: nothing received for 9 s"
    assert walk.snapshot.families[0].advertised == 0


@pytest.mark.parametrize("value", [Keepalive(), Update(), RouteRefresh(2, 1)], ids=["keepalive", "update", "refresh"])
def test_every_message_shows_that_the_peer_lives(value):
    walk = established(theirs=replace(THEIR_OPEN, hold_time=9))
    for _ in range(10):
        walk.wait(8)
        walk.hear(value)
    assert walk.state is State.ESTABLISHED


def test_with_a_hold_time_of_zero_nobody_has_to_speak():
    walk = established(theirs=replace(THEIR_OPEN, hold_time=0))
    walk.wait(0)
    assert walk.session.deadline() is None
    assert walk.wait(100_000) == []


def test_with_a_hold_time_of_zero_the_last_step_still_has_a_deadline():
    walk = open_confirm(theirs=replace(THEIR_OPEN, hold_time=0))
    assert sent(walk.wait(10)) == [Notification(4, 0)]
    assert walk.state is State.IDLE


def test_no_answer_within_ten_seconds_ends_the_attempt():
    walk = connecting(replace(PEER, password=Password("x")))
    (close,) = walk.wait(10)
    assert isinstance(close, Close)
    assert walk.state is State.ACTIVE
    assert close.reason == (
        "timed out: 10.0.0.1:179 did not answer within 10 s (it is silent on TCP port 179: its TCP MD5 password is "
        "another than this one, or a firewall drops that port, or it has GTSM, which needs ttlSecurity; compare the "
        "passwords (the router's log tells of a mismatch), then the firewall)"
    )


def test_no_open_within_ten_seconds_ends_the_attempt():
    walk = connecting()
    walk.wait(6)
    walk.give(LOCAL)
    effects = walk.wait(4)
    assert sent(effects) == [Notification(4, 0)]
    assert walk.snapshot.last_error.text == "we sent Hold Timer Expired: no OPEN from the peer within 10 s"


def retry_delays(walk, count, fail):
    """How long it waits after each of some failures."""
    delays = []
    for _ in range(count):
        fail(walk)
        delays.append(walk.session.deadline() - walk.now)
        assert walk.snapshot.next_retry == walk.session.deadline()
        assert kinds(walk.wait(delays[-1])) == [Connect]
    return delays


def refuse(walk):
    walk.give(ConnectFailed("connection refused by 10.0.0.1:179"))


@pytest.mark.parametrize(
    ("connect_time", "longest"),
    [(None, [1, 2, 4, 8, 16, 30, 30, 30]), (5, [1, 2, 4, 5, 5]), (1, [1, 1, 1]), (120, [1, 2, 4, 8, 16, 32, 64, 120])],
)
def test_attempts_back_off_with_jitter(connect_time, longest):
    delays = retry_delays(connecting(replace(PEER, connect_time=connect_time)), len(longest), refuse)
    for delay, most in zip(delays, longest, strict=True):
        assert 0.75 * most <= delay <= most


def test_a_thousand_failures_still_wait_thirty_seconds():
    delays = retry_delays(connecting(), 1100, refuse)
    assert 22.5 <= delays[-1] <= 30


def test_a_refused_attempt_waits_in_active_and_says_why():
    walk = connecting()
    assert walk.give(ConnectFailed("connection refused by 10.0.0.1:179")) == []
    assert walk.state is State.ACTIVE
    assert walk.snapshot.last_error.text == "connection refused by 10.0.0.1:179"


def come_up_and_drop(walk):
    walk.give(LOCAL)
    walk.hear(THEIR_OPEN, Keepalive())
    walk.hear(Notification(6, 5))


def test_a_peer_that_drops_every_session_at_once_is_not_hammered():
    delays = retry_delays(connecting(), 5, come_up_and_drop)
    assert [delay > 0.75 * 2**number - 0.01 for number, delay in enumerate(delays)] == [True] * 5


def test_a_flapping_peer_waits_up_to_two_minutes_and_a_silent_one_half_a_minute():
    flapping, silent = connecting(), connecting()
    delays = retry_delays(flapping, 12, come_up_and_drop)
    assert max(delays) > 89
    assert max(delays) <= 120
    assert max(retry_delays(silent, 12, refuse)) <= 30
    assert flapping.snapshot.short_sessions == 12
    assert (flapping.snapshot.flaps, silent.snapshot.short_sessions) == (12, 0)


def test_the_wait_of_a_flapping_peer_is_never_longer_than_its_connect_time():
    walk = connecting(replace(PEER, connect_time=5))
    assert max(retry_delays(walk, 12, come_up_and_drop)) <= 5


def test_a_session_that_stood_ends_the_damping():
    walk = connecting()
    retry_delays(walk, 12, come_up_and_drop)
    walk.give(LOCAL)
    walk.hear(THEIR_OPEN, Keepalive())
    walk.wait(31)
    walk.give(Closed("the peer closed the connection"))
    assert walk.snapshot.short_sessions == 0
    assert walk.session.deadline() - walk.now <= 1


def test_after_a_long_outage_the_peer_gets_the_table_of_now():
    walk = established(routes=(ROUTE, ROUTE6))
    walk.wait(0)
    walk.give(Closed("the peer reset the connection"))
    for number in range(3 * 24 * 60):
        walk.give(RoutesChanged((Route(IPv4Network((0x0A000000 + number, 32))),)))
        walk.give(RoutesChanged((), (IPv4Network((0x0A000000 + number, 32)),)))
        walk.wait(60)
        refuse(walk)
    walk.give(RoutesChanged((), (ROUTE.prefix,)))
    while walk.state is not State.CONNECT:
        walk.wait(1)
    walk.give(LOCAL)
    walk.hear(THEIR_OPEN, Keepalive())
    updates = [entry for entry in sent(walk.wait(0)) if isinstance(entry, Update)]
    assert [list(entry.attributes.mp_reach.nlri) for entry in updates if entry.attributes.mp_reach] == [[ROUTE6.prefix]]
    assert not any(entry.nlri or entry.withdrawn for entry in updates)
    assert walk.snapshot.pinned_error is None


def test_after_a_session_that_stood_the_first_wait_is_short_again():
    walk = connecting()
    retry_delays(walk, 5, refuse)
    walk.give(LOCAL)
    walk.hear(THEIR_OPEN, Keepalive())
    walk.wait(31)
    walk.give(Closed("the peer closed the connection"))
    assert walk.session.deadline() - walk.now <= 1


def test_the_first_error_stays_pinned_until_the_session_is_up():
    walk = connecting()
    walk.give(ConnectFailed("no route to host 10.0.0.1"))
    walk.wait(1)
    refuse(walk)
    assert walk.snapshot.pinned_error.text == "no route to host 10.0.0.1"
    assert walk.snapshot.last_error.text == "connection refused by 10.0.0.1:179"
    walk.wait(2)
    walk.give(LOCAL)
    walk.hear(THEIR_OPEN, Keepalive())
    assert walk.snapshot.pinned_error is None
    assert walk.snapshot.last_error.text == "connection refused by 10.0.0.1:179"
    walk.give(Closed("the peer reset the connection"))
    assert walk.snapshot.pinned_error.text == "the peer reset the connection"


BAD_AS = Notification(2, 2)


def test_a_cause_is_not_buried_by_connections_that_are_just_closed():
    walk = open_sent()
    walk.hear(BAD_AS)
    for _ in range(3):
        next_attempt(walk)
        walk.give(LOCAL)
        walk.give(Closed("the peer closed the connection"))
    assert walk.snapshot.last_error.finding.cause is Cause.NOT_CONFIGURED
    assert walk.snapshot.telling_error.finding.cause is Cause.LOCAL_ASN


def test_a_cause_makes_room_for_the_next_one_and_for_a_vague_one_after_a_minute():
    walk = open_sent()
    walk.hear(BAD_AS)
    next_attempt(walk)
    walk.give(ConnectFailed("refused", Finding(Cause.REFUSED, "why", "fix")))
    assert walk.snapshot.telling_error.text == "refused (why; fix)"
    walk.wait(61)
    while walk.state is not State.CONNECT:
        walk.wait(1)
    walk.give(LOCAL)
    walk.give(Closed("the peer closed the connection"))
    assert walk.snapshot.telling_error.finding.cause is Cause.NOT_CONFIGURED


def next_attempt(walk):
    walk.wait(walk.session.deadline() - walk.now)
    assert walk.state is State.CONNECT


@pytest.mark.parametrize(
    ("parameters", "cause", "words"),
    [
        (PEER, Cause.GTSM, "a peer with GTSM drops what we send without ttlSecurity; set ttlSecurity: true"),
        (
            replace(PEER, ttl_security=True),
            Cause.GTSM,
            "give the router GTSM too (ttl-security), or take ttlSecurity off",
        ),
        (replace(PEER, multihop=True), Cause.FILTERED, "look for what drops packets to TCP port 179 on the way"),
    ],
    ids=["TTL 1", "ttlSecurity", "multihop"],
)
@pytest.mark.parametrize(
    "heard",
    [(), (THEIR_OPEN,), (THEIR_OPEN, Keepalive())],
    ids=["nothing heard", "its OPEN was heard", "the session came up"],
)
def test_what_is_never_acknowledged_is_explained(parameters, cause, words, heard):
    walk = connecting(parameters)
    walk.give(LOCAL)
    walk.hear(*heard)
    walk.give(Closed("the peer acknowledges nothing that we send", unacknowledged=True))
    assert walk.snapshot.telling_error.finding.cause is cause
    assert words in walk.snapshot.telling_error.text


def test_a_session_that_stood_and_breaks_says_no_more_than_is_known():
    walk = established()
    walk.wait(31)
    walk.give(Closed("the peer acknowledges nothing that we send", unacknowledged=True))
    assert walk.snapshot.last_error.text == "the peer acknowledges nothing that we send"


def test_a_connection_closed_before_the_open_says_what_that_means():
    walk = open_sent()
    assert walk.give(Closed("the peer closed the connection")) == []
    assert walk.state is State.ACTIVE
    assert walk.snapshot.last_error.text == (
        "the peer closed the connection before its OPEN (it may have no session configured for 10.0.0.2, "
        "or has this one shut down; one that is beyond a router may lack its ebgp-multihop; "
        "configure 10.0.0.2 as a neighbour on the router, or bring it up there "
        "(in FRR `no neighbor 10.0.0.2 shutdown`), or set sourceAddress to the one it expects)"
    )


@pytest.mark.parametrize(
    ("theirs", "note", "words"),
    [
        (
            replace(THEIR_OPEN, asn=64999, capabilities=()),
            (2, 2),
            "the peer says it is AS 64999, configured is AS 64501",
        ),
        (replace(THEIR_OPEN, hold_time=2), (2, 6), "the peer's hold time is 2 s"),
        (replace(THEIR_OPEN, router_id=IPv4Address(0)), (2, 3), "router ID is 0.0.0.0"),
    ],
    ids=["asn", "hold-time", "router-id"],
)
def test_a_wrong_open_is_answered_by_the_right_notification(theirs, note, words):
    walk = open_sent()
    effects = walk.hear(theirs)
    (told,) = sent(effects)
    assert (told.code, told.subcode) == note
    assert kinds(effects) == [Send, Close]
    assert walk.state is State.IDLE
    assert words in walk.snapshot.last_error.text


@CONNECTED_STATES
def test_garbage_is_answered_and_ends_the_session(state):
    walk = WALKS[state]()
    effects = walk.give(Received(b"GET / HTTP/1.1\r\n\r\n"))
    assert sent(effects) == [Notification(1, 1)]
    assert walk.state is State.IDLE
    assert (Down in kinds(effects)) == (state is State.ESTABLISHED)


UNEXPECTED = [
    (State.OPEN_SENT, Keepalive(), 1),
    (State.OPEN_SENT, Update(), 1),
    (State.OPEN_SENT, RouteRefresh(1, 1), 1),
    (State.OPEN_CONFIRM, THEIR_OPEN, 2),
    (State.OPEN_CONFIRM, Update(), 2),
    (State.OPEN_CONFIRM, RouteRefresh(1, 1), 2),
    (State.ESTABLISHED, THEIR_OPEN, 3),
]


@pytest.mark.parametrize(
    ("state", "value", "subcode"), UNEXPECTED, ids=[f"{s.value}-{type(v).__name__}" for s, v, _ in UNEXPECTED]
)
def test_a_message_that_the_state_does_not_allow_is_an_fsm_error(state, value, subcode):
    walk = WALKS[state]()
    assert sent(walk.hear(value)) == [Notification(5, subcode)]
    assert walk.state is State.IDLE


@CONNECTED_STATES
def test_a_notification_of_the_peer_ends_the_session_unanswered(state):
    walk = WALKS[state]()
    effects = walk.hear(Notification(6, 2, b"\x05lunch"))
    assert sent(effects) == []
    assert Close in kinds(effects)
    assert walk.state is State.IDLE
    assert walk.snapshot.last_error.symptom == 'they sent Cease/Administrative Shutdown: "lunch"'
    assert walk.snapshot.last_error.finding.cause is Cause.SHUT_DOWN


def test_a_known_complaint_of_the_peer_comes_with_its_usual_meaning():
    walk = open_sent()
    walk.hear(Notification(2, 2))
    assert walk.snapshot.last_error.text == (
        "they sent OPEN Message Error/Bad Peer AS (it does not expect AS 64500 from us; "
        "set myASN to the AS that it has for this node, or correct its own configuration)"
    )


def test_what_follows_a_message_that_ends_the_session_is_not_looked_at():
    walk = established()
    effects = walk.hear(Notification(6, 4), Keepalive(), Update())
    assert kinds(effects) == [Close, Down]


@CONNECTED_STATES
def test_stopping_tells_the_peer_why(state):
    walk = WALKS[state]()
    effects = walk.give(Stop("node goes down"))
    assert [note.text for note in sent(effects)] == ['Cease/Administrative Shutdown: "node goes down"']
    assert kinds(effects)[:2] == [Send, Close]
    assert (Down("node goes down") in effects) == (state is State.ESTABLISHED)
    assert (walk.state, walk.session.deadline(), walk.snapshot.last_error) == (State.IDLE, None, None)


def test_stopping_while_dialling_gives_the_attempt_up():
    walk = connecting()
    assert walk.give(Stop("no longer configured")) == [Close("no longer configured")]
    assert walk.session.deadline() is None


def test_stopping_while_waiting_ends_the_waiting_and_starting_begins_anew():
    walk = connecting()
    refuse(walk)
    assert walk.give(Stop("bye")) == []
    assert walk.session.deadline() is None
    assert walk.give(Start()) == [Connect(PEER)]


def test_starting_twice_connects_once():
    walk = connecting()
    assert walk.give(Start()) == []
    refuse(walk)
    assert walk.give(Start()) == []
    assert established().give(Start()) == []


def test_a_connection_that_nobody_asked_for_is_closed():
    walk = Walk()
    assert kinds(walk.give(LOCAL)) == [Close]
    assert walk.state is State.IDLE


def test_a_malformed_update_costs_its_routes_and_not_the_session():
    bad = message.frame(
        MessageType.UPDATE, message.update_body(b"", bytes.fromhex("40010109"), bytes.fromhex("20c0a80101"))
    )
    walk = established()
    assert walk.give(Received(bad)) == []
    assert walk.state is State.ESTABLISHED
    assert walk.snapshot.updates_with_errors == 1
    assert (walk.snapshot.families[0].received, walk.snapshot.families[0].received_withdrawn) == (0, 1)


def test_an_update_without_sense_ends_the_session():
    walk = established()
    assert sent(walk.give(Received(message.frame(MessageType.UPDATE, b"\x00\x00\x00\x09"))))[0].code == 3
    assert walk.state is State.IDLE


def test_a_refresh_is_answered_for_its_family_only():
    walk = established(routes=(ROUTE, ROUTE6))
    walk.wait(0)
    walk.hear(RouteRefresh(2, 1))
    (update,) = sent(walk.wait(0))
    assert list(update.attributes.mp_reach.nlri) == [ROUTE6.prefix]
    for other in (RouteRefresh(25, 65), RouteRefresh(1, 1, subtype=1)):
        walk.hear(other)
        assert walk.wait(0) == []


def families(walk):
    return {entry.family: (entry.advertised, entry.reason) for entry in walk.snapshot.families}


def test_a_family_that_is_not_sent_has_a_reason():
    only_four = replace(THEIR_OPEN, capabilities=())
    walk = established(theirs=only_four, routes=(ROUTE, ROUTE6))
    walk.wait(0)
    assert families(walk) == {FOUR: (1, None), SIX: (0, "the peer does not offer ipv6-unicast")}
    walk = established(local=replace(LOCAL, local_ipv6=None), routes=(ROUTE, ROUTE6))
    walk.wait(0)
    assert families(walk) == {FOUR: (1, None), SIX: (0, "no IPv6 address beside 10.0.0.2 to be the next hop")}
    walk = established(replace(PEER, families=frozenset({FOUR})), routes=(ROUTE, ROUTE6))
    walk.wait(0)
    assert families(walk) == {FOUR: (1, None), SIX: (0, "ipv6-unicast is not configured for this peer")}
    over_six = replace(LOCAL, local_address=IPv6Address("2001:db8::2"), local_ipv4=None)
    walk = established(local=over_six, routes=(ROUTE, ROUTE6))
    walk.wait(0)
    reason = (
        "no IPv4 address beside 2001:db8::2 to be the next hop, and the peer does not offer the extended next hop "
        "(RFC 8950)"
    )
    assert families(walk) == {FOUR: (0, reason), SIX: (1, None)}


def test_a_peer_that_takes_no_bytes_is_given_up_although_it_speaks():
    walk = established()
    walk.wait(0)
    walk.give(WritingPaused())
    effects = []
    for _ in range(16):
        effects.extend(walk.wait(30))
        walk.hear(Keepalive())
    assert sent(effects) == [Notification(8, 0)]
    assert walk.state is State.IDLE


def test_keepalives_go_on_after_a_pause():
    walk = established()
    walk.wait(0)
    walk.give(WritingPaused())
    assert walk.wait(60) == []
    walk.give(WritingResumed())
    assert sent(walk.wait(31))[0] == Keepalive()


def test_a_changed_peer_is_told_and_dialled_anew_at_once():
    walk = established()
    changed = replace(PEER, peer_address=ip_address("10.0.0.9"))
    effects = walk.give(ParametersChanged(changed))
    assert [note.text for note in sent(effects)] == [
        'Cease/Administrative Reset: "configuration changed: peer_address"'
    ]
    assert kinds(effects) == [Send, Close, Down, Connect]
    assert effects[-1] == Connect(changed)


def test_a_changed_peer_ends_a_long_wait():
    walk = connecting()
    retry_delays(walk, 8, refuse)
    refuse(walk)
    changed = replace(PEER, peer_port=1790)
    assert walk.give(ParametersChanged(changed)) == [Connect(changed)]
    assert walk.snapshot.pinned_error is None


def test_changed_times_wait_for_the_next_session_and_are_named():
    walk = established()
    changed = replace(PEER, hold_time=30)
    assert walk.give(ParametersChanged(changed)) == []
    assert (walk.snapshot.hold_time, walk.snapshot.pending_changes) == (90, ("hold_time",))
    walk.give(Closed("the peer closed the connection"))
    assert walk.wait(1) == [Connect(changed)]
    (ours,) = sent(walk.give(LOCAL))
    assert (ours.hold_time, walk.snapshot.pending_changes) == (30, ())


def test_a_shorter_connect_time_shortens_the_present_wait():
    walk = connecting()
    retry_delays(walk, 8, refuse)
    refuse(walk)
    walk.give(ParametersChanged(replace(PEER, connect_time=2)))
    assert walk.session.deadline() - walk.now <= 2


def test_parameters_may_change_before_the_start():
    walk = Walk()
    changed = replace(PEER, peer_asn=64999)
    assert walk.give(ParametersChanged(changed)) == []
    assert walk.give(Start()) == [Connect(changed)]


def test_a_snapshot_shows_the_whole_session():
    walk = established(routes=(ROUTE,))
    walk.wait(0)
    shown = walk.snapshot
    assert (shown.name, shown.endpoint, shown.state, shown.since) == ("r1", "10.0.0.1:179", State.ESTABLISHED, 1000.0)
    assert (shown.established_at, shown.local_asn, shown.remote_asn) == (1000.0, 64500, 64501)
    assert (shown.remote_router_id, shown.hold_time, shown.keepalive_time) == (IPv4Address("10.0.0.1"), 90, 30)
    assert shown.capabilities_offered == (
        "multiprotocol ipv4-unicast",
        "multiprotocol ipv6-unicast",
        "route-refresh",
        "enhanced-route-refresh",
        "extended-message",
        "graceful-restart helper",
        "four-octet-as 64500",
    )
    assert shown.capabilities_received == THEIR_TEXTS
    assert shown.messages_out == {MessageType.OPEN: 1, MessageType.KEEPALIVE: 1, MessageType.UPDATE: 3}
    assert (shown.advertised, shown.flaps, shown.next_retry) == (1, 0, None)


THEIR_TEXTS = ("multiprotocol ipv4-unicast", "multiprotocol ipv6-unicast", "four-octet-as 64501")


def test_waking_too_early_does_nothing():
    walk = established()
    walk.wait(0)
    before = walk.session.deadline()
    assert walk.session.wake(walk.now) == []
    assert walk.session.deadline() == before


events = st.one_of(
    st.builds(Start, st.sampled_from(Past), st.booleans()),
    st.builds(Stop, st.just("bye"), st.sampled_from(Leaving)),
    st.just(RoutesComplete()),
    st.just(LOCAL),
    st.sampled_from((WayLost("the device is gone"), WayBack(), BfdDown("no packet"), BfdUp())),
    st.just(ConnectFailed("refused", Finding(Cause.REFUSED, "why", "fix"))),
    st.just(ConnectFailed("refused")),
    st.just(Closed("closed")),
    st.just(WritingPaused()),
    st.just(WritingResumed()),
    st.just(RoutesChanged((ROUTE, ROUTE6))),
    st.just(RoutesChanged((), (ROUTE.prefix,))),
    st.just(RoutesChanged((), (ROUTE.prefix, ROUTE6.prefix))),
    st.builds(
        ParametersChanged,
        st.sampled_from(
            (PEER, replace(PEER, hold_time=9), replace(PEER, peer_port=1790), replace(PEER, restart_time=120))
        ),
    ),
    st.builds(Received, st.binary(max_size=40)),
    st.just(Received(message.encode(THEIR_OPEN, WireContext()))),
    st.just(Received(message.encode(AWARE_OPEN, WireContext()))),
    st.just(Received(message.encode(Keepalive(), WireContext()))),
    messages.map(lambda value: Received(message.encode(value, WireContext())[: message.MAX_OCTETS])),
)
lapses = st.sampled_from((0.0, 0.5, 3.0, 11.0, 100.0, 1000.0))


@given(
    st.sampled_from([*WALKS.values()]),
    st.lists(st.one_of(events, lapses, st.just("come up")), max_size=25),
    st.integers(0, 9),
)
def test_fuzz_any_state_and_any_input_stay_lawful(begin, happenings, seed):
    """Ups and downs alternate, a connection is asked for only when there is none, nothing is sent without one."""
    walk = begin()
    for happening in happenings:
        match happening:
            case float():
                walk.wait(happening)
            case "come up":
                walk.give(Start(), LOCAL)
                walk.hear(THEIR_OPEN, Keepalive())
            case event:
                walk.give(event)
        deadline = walk.session.deadline()
        assert deadline is None or deadline >= walk.now
        walk.snapshot  # noqa: B018  # can be taken in every state
    ups = [kind for kind in kinds(walk.done) if kind in {Up, Down}]
    assert ups == [Up, Down] * (len(ups) // 2) + [Up] * (len(ups) % 2)
    assert (walk.state is State.ESTABLISHED) == (len(ups) % 2 == 1)
    open_now = False
    for kind in kinds(walk.done):
        if kind is Connect:
            open_now = True
        elif kind is Close:
            open_now = False
        elif kind is Send:
            assert open_now


@pytest.mark.parametrize("state", fsm.CONNECTED, ids=lambda state: state.value)
def test_a_peer_that_bfd_lost_is_told_and_given_up_at_once(state):
    walk = WALKS[state]()
    effects = walk.give(BfdDown("control detection time expired"))
    assert sent(effects) == [Notification(6, 10)]
    assert Close in kinds(effects)
    assert (Down in kinds(effects)) is (state is State.ESTABLISHED)
    assert walk.state is State.IDLE
    error = walk.snapshot.last_error
    assert error.symptom == "we sent Cease/BFD Down: control detection time expired"
    assert error.finding.cause is Cause.BFD_DOWN


def test_while_bfd_is_down_the_next_attempt_waits_five_seconds():
    walk = established()
    walk.give(BfdDown("control detection time expired"))
    assert walk.session.deadline() - walk.now == 5.0
    assert kinds(walk.wait(5.0)) == [Connect], "a peer that speaks BFD no more is talked to without"


def test_the_next_attempt_is_made_soon_after_bfd_is_up_again():
    walk = established()
    walk.give(BfdDown("control detection time expired"))
    assert walk.give(BfdUp()) == []
    assert walk.session.deadline() - walk.now == pytest.approx(0.2)


def test_a_peer_whose_bfd_flaps_is_given_a_rest():
    walk = established()
    for _ in range(6):
        walk.give(BfdDown("control detection time expired"))
        walk.give(BfdUp())
        delay = walk.session.deadline() - walk.now
        walk.wait(delay)
        walk.give(LOCAL)
        walk.hear(THEIR_OPEN, Keepalive())
        assert walk.state is State.ESTABLISHED
    assert delay > 5.0


def test_bfd_that_is_lost_says_nothing_to_a_session_that_waits_for_another_reason():
    walk = connecting()
    refuse(walk)
    before = walk.session.deadline()
    assert walk.give(BfdDown("control detection time expired")) == []
    assert (walk.session.deadline(), walk.state) == (before, State.ACTIVE)


def test_bfd_that_is_up_ends_the_wait_for_a_router_that_was_away():
    walk = connecting()
    for _ in range(6):
        refuse(walk)
        walk.wait(walk.session.deadline() - walk.now)
    refuse(walk)
    assert walk.session.deadline() - walk.now > 20.0
    assert walk.give(BfdUp()) == []
    assert walk.session.deadline() - walk.now == pytest.approx(0.2)


def test_bfd_that_changes_is_no_reason_to_reset():
    walk = established()
    assert walk.give(ParametersChanged(replace(PEER, bfd=BFDProfile("fast", 50, 50)))) == []
    assert walk.state is State.ESTABLISHED


def test_a_lost_way_ends_the_session_without_a_word_and_one_that_is_back_is_tried_at_once():
    walk = established()
    walk.now += 60
    effects = walk.give(WayLost("VRF red: its device is gone"))
    assert (sent(effects), kinds(effects)) == ([], [Close, Down])
    assert (walk.state, walk.snapshot.last_error.text) == (State.IDLE, "VRF red: its device is gone")
    assert walk.give(WayBack()) == []
    assert walk.snapshot.pinned_error is None, "it tells of how things were"
    assert kinds(walk.wait(0)) == [Connect]


def test_a_lost_way_ends_the_attempt_under_way():
    walk = Walk()
    walk.give(Start())
    assert kinds(walk.give(WayLost("eth0 is gone"))) == [Close]
    assert walk.state is State.ACTIVE


@pytest.mark.parametrize("event", [WayBack(), WayLost("eth0 is gone")], ids=["back", "lost"])
def test_a_session_that_nothing_is_under_way_for_ignores_its_way(event):
    walk = Walk()
    assert walk.give(event) == []
    assert walk.session.deadline() is None
    up = established()
    up.give(Stop("maintenance"))
    assert up.give(event) == []
    assert up.session.deadline() is None


def test_a_way_that_is_back_does_not_disturb_a_session_that_stands():
    walk = established()
    assert (walk.give(WayBack()), walk.state) == ([], State.ESTABLISHED)


STRICT = replace(PEER, bfd=BFDProfile("fast", 50, 50), bfd_strict=True)


def test_in_strict_mode_nothing_is_dialled_before_bfd_is_up():
    walk = Walk(STRICT)
    assert walk.give(Start()) == []
    assert walk.wait(1000) == []
    assert (walk.state, walk.snapshot.waits_for) == (State.IDLE, "waiting for BFD (strict mode)")
    assert walk.snapshot.since == 1000.0
    assert walk.give(BfdUp()) == [Connect(STRICT)]
    assert walk.snapshot.waits_for is None


def test_in_strict_mode_an_unnumbered_peer_without_a_neighbour_says_so_and_waits_for_bfd_once_there_is_one():
    nobody = replace(STRICT, peer_address=None, interface="eth0")
    found = replace(nobody, peer_address=ip_address("fe80::1"))
    walk = Walk(nobody)
    assert walk.give(Start()) == [Connect(nobody)]
    walk.give(ConnectFailed("interface eth0: it has no carrier"))
    assert (walk.snapshot.waits_for, walk.snapshot.telling_error.text) == (None, "interface eth0: it has no carrier")
    assert Connect not in kinds(walk.give(ParametersChanged(found)))
    assert Connect not in kinds(walk.wait(1000))
    assert walk.snapshot.waits_for == "waiting for BFD (strict mode)"
    assert walk.give(BfdUp()) == [Connect(found)]
    assert walk.give(BfdPaused(), ParametersChanged(nobody))[-1] == Connect(nobody)


def test_in_strict_mode_a_session_that_bfd_lost_comes_back_with_bfd_and_not_before():
    walk = Walk(STRICT)
    walk.give(Start(), BfdUp(), LOCAL)
    walk.hear(THEIR_OPEN, Keepalive())
    assert sent(walk.give(BfdDown("control detection time expired"))) == [Notification(6, 10)]
    assert walk.wait(1000) == []
    assert (walk.snapshot.waits_for, walk.snapshot.next_retry) == ("waiting for BFD (strict mode)", None)
    assert kinds(walk.give(BfdUp())) == [Connect]


def test_in_strict_mode_bfd_that_goes_ends_the_attempt_too():
    walk = Walk(STRICT)
    walk.give(Start(), BfdUp())
    assert kinds(walk.give(BfdDown("control detection time expired"))) == [Close]
    assert walk.wait(1000) == []


def test_bfd_that_the_peers_operator_shuts_down_ends_no_session_and_lets_none_begin():
    walk = Walk(STRICT)
    walk.give(Start(), BfdUp(), LOCAL)
    walk.hear(THEIR_OPEN, Keepalive())
    assert walk.give(BfdPaused()) == []
    assert walk.state is State.ESTABLISHED
    walk.give(Closed("the peer reset the connection"))
    assert Connect not in kinds(walk.wait(1000))
    assert walk.snapshot.waits_for is not None


def test_in_strict_mode_the_peer_is_not_let_in_before_bfd_is_up():
    walk = Walk(STRICT)
    walk.give(Start())
    (turned,) = walk.give(Incoming(LOCAL))
    assert turned.reason == "waiting for BFD (strict mode)"
    walk.give(BfdUp())
    assert Take() in walk.give(Incoming(LOCAL))


def test_strict_mode_may_be_switched_off_and_on_without_a_reset():
    walk = Walk(STRICT)
    walk.give(Start())
    assert walk.give(ParametersChanged(replace(STRICT, bfd_strict=False))) == [
        Connect(replace(STRICT, bfd_strict=False))
    ]
    walk.give(LOCAL)
    walk.hear(THEIR_OPEN, Keepalive())
    assert walk.give(ParametersChanged(STRICT)) == []
    assert walk.state is State.ESTABLISHED
