"""Two connections with one peer: the table, one machine that sees both, and two machines that must come to one end."""

import random
from collections import deque
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network, ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from herald.bfd.profile import BFDProfile
from herald.bgp import collision, message
from herald.bgp.capability import FourOctetAs, GracefulRestart, Multiprotocol, RestartFamily
from herald.bgp.collision import VERDICTS, Verdict
from herald.bgp.family import Family
from herald.bgp.fsm import CONNECTED, State
from herald.bgp.graceful_restart import Past
from herald.bgp.message import Framer, Keepalive, Open, Update
from herald.bgp.notification import Notification
from herald.bgp.parameters import PeerParameters
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
    Initiator,
    ParametersChanged,
    Received,
    RoutesChanged,
    Send,
    Session,
    Start,
    Stop,
    Take,
    TurnAway,
    Up,
    WayLost,
)

US, PEER = Initiator.US, Initiator.PEER
FOUR = Family.IPV4_UNICAST
COLLISION, REJECTED = Notification(6, 7), Notification(6, 5)
ROUTE = Route(IPv4Network("192.168.1.200/32"))
LOW, HIGH = IPv4Address("10.0.0.1"), IPv4Address("10.0.0.2")
PARAMETERS = PeerParameters("r1", ip_address("10.0.0.1"), 64500, 64501, families=frozenset({FOUR}))


def open_of(router_id, asn=64501, *more):
    return Open(asn, 90, router_id, (Multiprotocol(FOUR), FourOctetAs(asn), *more))


RESTARTS = GracefulRestart(120, (RestartFamily(FOUR, True),))


@pytest.mark.parametrize(
    ("ours", "theirs", "wins"),
    [
        (open_of(HIGH, 1), open_of(LOW, 2), US),
        (open_of(LOW, 2), open_of(HIGH, 1), PEER),
        (open_of(IPv4Address("9.255.255.255"), 1), open_of(IPv4Address("10.0.0.0"), 1), PEER),
        (open_of(LOW, 64501), open_of(LOW, 64500), US),
        (open_of(LOW, 64500), open_of(LOW, 64501), PEER),
        (open_of(LOW, 4200000001), open_of(LOW, 65000), US),
    ],
    ids=["higher", "lower", "as numbers, not text", "equal, larger AS", "equal, smaller AS", "equal, four octets"],
)
def test_the_higher_identifier_is_dominant_and_of_equal_ones_the_larger_as(ours, theirs, wins):
    assert collision.dominant(ours, theirs) is wins
    assert collision.dominant(theirs, ours) is not wins, "the peer comes to the same"


def test_there_is_a_verdict_for_every_case():
    assert set(VERDICTS) == {(one, state, who) for one in Initiator for state in CONNECTED for who in Initiator}


@pytest.mark.parametrize("who", Initiator)
def test_the_dominant_connection_never_loses_against_one_that_is_not_established(who):
    for state in (State.OPEN_SENT, State.OPEN_CONFIRM):
        other = next(one for one in Initiator if one is not who)
        assert VERDICTS[who, state, who] is not Verdict.KEEP_OTHER
        assert VERDICTS[other, state, who] is not Verdict.KEEP_OPENED


class Walk:
    """One machine, whose dialled connection is US and whose accepted one is PEER."""

    def __init__(self, router_id=HIGH, parameters=PARAMETERS):
        self.local = Connected(HIGH, None, HIGH, router_id)
        self.session, self.now, self.done = Session(parameters, random.Random(1)), 1000.0, []

    def give(self, *events):
        effects = [effect for event in events for effect in self.session.handle(event, self.now)]
        self.done += effects
        return effects

    def hear(self, on, *values):
        return self.give(*(Received(message.encode(value, WireContext()), on) for value in values))

    def wait(self, seconds):
        end, effects = self.now + seconds, []
        while (deadline := self.session.deadline()) is not None and deadline <= end:
            self.now = max(self.now, deadline)
            effects += self.session.wake(self.now)
        self.now = end
        self.done += effects
        return effects

    @property
    def shown(self):
        return self.session.snapshot()


def said(effects):
    """(connection, message) of what is sent, and of what is turned away with."""
    found = []
    for effect in effects:
        match effect:
            case Send(data, on):
                found += [(on, message.decode(*one, WireContext())) for one in Framer().feed(data)]
            case TurnAway(data):
                found += [("away", message.decode(*one, WireContext())) for one in Framer().feed(data)]
    return found


def both_open_sent(router_id=HIGH, first=US):
    walk = Walk(router_id)
    walk.give(Start(), *(walk.local, Incoming(walk.local))[:: 1 if first is US else -1])
    return walk


def established(on=PEER, router_id=HIGH, theirs=None, **changes):
    walk = Walk(router_id, replace(PARAMETERS, **changes))
    walk.give(Start(), Incoming(walk.local) if on is PEER else walk.local)
    walk.hear(on, theirs or open_of(LOW), Keepalive())
    assert walk.session.state is State.ESTABLISHED
    walk.wait(0)
    return walk


def test_a_connection_of_the_peer_is_taken_while_an_attempt_goes_on_and_the_attempt_is_given_up_at_its_open():
    walk = Walk()
    walk.give(Start())
    take, hello = walk.give(Incoming(walk.local))
    assert (take, type(said([hello])[0][1])) == (Take(), Open)
    assert walk.session.state is State.OPEN_SENT
    effects = walk.hear(PEER, open_of(LOW))
    assert effects[0] == Close("the peer has dialled us", US)
    assert said(effects) == [(PEER, Keepalive())]
    assert walk.hear(PEER, Keepalive()) == [Up(PEER)]
    assert (walk.shown.initiator, walk.shown.last_error) == (PEER, None)


@pytest.mark.parametrize("router_id", [LOW, HIGH])
def test_on_a_second_connection_nothing_is_said_yet(router_id):
    walk = Walk(router_id)
    assert [type(value) for _, value in said(walk.give(Start(), walk.local))] == [Open]
    assert walk.give(Incoming(walk.local)) == [Take()]


@pytest.mark.parametrize("used", Initiator)
def test_of_two_connections_in_open_sent_the_one_of_the_dominant_speaker_is_kept_at_the_first_open(used):
    """We are dominant: the other one can only have been given up by us."""
    for opened in Initiator:
        walk = both_open_sent(HIGH, used)
        effects = walk.hear(opened, open_of(LOW))
        assert (PEER, COLLISION) in said(effects)
        if opened is PEER or used is PEER:
            assert type(dict(said(effects)).get(US, open_of(HIGH))) is Open
        if opened is PEER:
            walk.hear(US, open_of(LOW))
        assert walk.session.state is State.OPEN_CONFIRM
        assert walk.hear(US, Keepalive())[-1] == Up(US)
        assert walk.shown.last_error is None, "nothing has gone wrong"


@pytest.mark.parametrize("opened", Initiator)
@pytest.mark.parametrize("used", Initiator)
def test_a_peer_whose_connection_we_have_refused_agrees_first(used, opened):
    """FRR 8.4 ends a session whose OPEN and KEEPALIVE it reads in one go, before its own connection is over."""
    walk = both_open_sent(HIGH, used)
    for on in dict.fromkeys((opened, US)):
        walk.hear(on, open_of(LOW))
    assert walk.session.state is State.OPEN_CONFIRM
    assert (US, Keepalive()) not in said(walk.done)
    assert said(walk.hear(US, Keepalive())) == [(US, Keepalive())]
    assert (walk.done[-1], walk.session.state) == (Up(US), State.ESTABLISHED)


def test_it_agrees_first_also_if_it_has_given_up_its_connection_itself():
    walk = both_open_sent(HIGH)
    walk.give(Closed("the peer closed the connection", PEER))
    assert said(walk.hear(US, open_of(LOW))) == []
    assert said(walk.hear(US, Keepalive())) == [(US, Keepalive())]


def test_who_waits_for_the_peer_to_agree_still_says_what_is_due():
    walk = both_open_sent(HIGH)
    walk.hear(US, open_of(LOW))
    assert (US, Keepalive()) in said(walk.wait(30))
    assert walk.hear(US, Keepalive())[-1] == Up(US)


def test_without_a_second_connection_nobody_waits_for_the_other():
    walk = Walk(HIGH)
    walk.give(Start(), walk.local)
    assert said(walk.hear(US, open_of(LOW))) == [(US, Keepalive())]
    assert walk.hear(US, Keepalive()) == [Up(US)]


@pytest.mark.parametrize("used", Initiator)
def test_the_connection_of_a_dominant_peer_is_kept_at_its_open(used):
    walk = both_open_sent(LOW, used)
    effects = walk.hear(PEER, open_of(HIGH))
    assert (US, COLLISION) in said(effects)
    assert said(effects)[-1] == (PEER, Keepalive())
    assert walk.hear(PEER, Keepalive()) == [Up(PEER)]


def test_who_is_not_dominant_and_has_agreed_to_its_own_waits_for_what_the_peer_says_of_it():
    walk = both_open_sent(LOW)
    assert said(walk.hear(US, open_of(HIGH))) == [(US, Keepalive())]
    assert walk.hear(PEER, open_of(HIGH)) == []
    effects = walk.hear(US, Keepalive())
    assert (said(effects), effects[-1]) == ([(PEER, COLLISION)], Up(US)), "the peer has agreed to it too"

    walk = both_open_sent(LOW)
    walk.hear(US, open_of(HIGH))
    walk.hear(PEER, open_of(HIGH))
    effects = walk.hear(US, COLLISION)
    assert [type(value) for _, value in said(effects)] == [Open, Keepalive], "the peer keeps its own"
    assert walk.hear(PEER, Keepalive()) == [Up(PEER)]
    assert walk.shown.last_error is None


def test_the_speaker_that_is_not_dominant_goes_on_with_its_own_if_the_other_one_comes_to_nothing():
    walk = both_open_sent(LOW)
    walk.hear(US, open_of(HIGH))
    assert walk.give(Closed("the peer closed the connection", PEER)) == []
    assert walk.hear(US, Keepalive()) == [Up(US)]


def test_a_second_open_is_an_error():
    walk = both_open_sent(LOW)
    walk.hear(US, open_of(HIGH))
    walk.hear(PEER, open_of(HIGH))
    assert said(walk.hear(PEER, open_of(HIGH))) == [(PEER, Notification(5, 1))]
    assert walk.session.state is State.OPEN_CONFIRM


def test_a_connection_that_comes_to_established_ends_the_other_one():
    walk = both_open_sent(LOW)
    walk.hear(US, open_of(HIGH))
    effects = walk.hear(US, Keepalive())
    assert said(effects) == [(PEER, COLLISION)]
    assert effects[-1] == Up(US)


def test_equal_identifiers_are_decided_by_the_as():
    walk = both_open_sent(LOW)
    effects = walk.hear(PEER, open_of(LOW, 64501))
    assert (US, COLLISION) in said(effects), "64501 is more than 64500"
    assert walk.hear(PEER, Keepalive()) == [Up(PEER)]


@pytest.mark.parametrize("broken", [Notification(2, 2), Keepalive(), Update()], ids=["refused", "keepalive", "update"])
def test_a_contender_that_goes_wrong_costs_nothing_but_itself(broken):
    walk = both_open_sent()
    walk.hear(PEER, broken)
    assert walk.session.state is State.OPEN_SENT
    assert walk.shown.last_error is None
    walk.hear(US, open_of(LOW), Keepalive())
    assert walk.session.state is State.ESTABLISHED


def test_a_contender_takes_the_place_of_a_connection_that_breaks_and_no_time_is_lost():
    walk = both_open_sent()
    effects = walk.give(Closed("the peer reset the connection", US))
    assert [type(value) for _, value in said(effects)] == [Open]
    assert (walk.session.state, walk.shown.next_retry) == (State.OPEN_SENT, None)
    walk.hear(PEER, open_of(LOW), Keepalive())
    assert walk.session.state is State.ESTABLISHED


def test_a_contender_without_an_open_is_given_up_after_ten_seconds():
    walk = Walk(LOW)
    walk.give(Start(), walk.local)
    walk.wait(5)
    walk.give(Incoming(walk.local))
    walk.hear(US, open_of(HIGH))
    assert walk.wait(9.9) == []
    assert said(walk.wait(0.2)) == [(PEER, Notification(4, 0))]
    assert walk.session.state is State.OPEN_CONFIRM


def test_of_two_connections_of_the_peer_the_later_one_counts():
    walk = Walk()
    walk.give(Start(), Incoming(walk.local))
    effects = walk.give(Incoming(walk.local))
    assert [type(effect) for effect in effects] == [Send, Close, Take, Send]
    assert said(effects)[0] == (PEER, COLLISION)
    walk.hear(PEER, open_of(LOW), Keepalive())
    assert walk.session.state is State.ESTABLISHED


def test_beside_an_established_session_a_connection_is_turned_away_and_the_session_asked_whether_it_lives():
    walk = established()
    effects = walk.give(Incoming(walk.local))
    assert said(effects) == [("away", COLLISION), (PEER, Keepalive())]
    assert (walk.session.state, walk.shown.turned_away) == (State.ESTABLISHED, 1)


@pytest.mark.parametrize("on", Initiator)
def test_a_peer_that_may_restart_takes_the_place_of_the_session_that_we_still_believe_in(on):
    walk = established(on, theirs=open_of(LOW, 64501, RESTARTS))
    effects = walk.give(Incoming(walk.local))
    if on is US:
        assert effects == [Take()]
        assert walk.session.state is State.ESTABLISHED, "whoever it is, it has said nothing yet"
        effects = walk.hear(PEER, open_of(LOW, 64501, RESTARTS))
    assert [type(effect) for effect in effects][:2] == [Close, Down]
    assert not [note for _, note in said(effects) if isinstance(note, Notification)], "it has forgotten that one"
    if on is PEER:
        walk.hear(PEER, open_of(LOW, 64501, RESTARTS))
    assert walk.hear(PEER, Keepalive())[-1] == Up(PEER)
    assert (walk.shown.ups, walk.shown.flaps) == (2, 1)


def test_our_own_connection_that_is_to_be_kept_in_open_confirm_needs_no_other():
    walk = Walk()
    walk.give(Start(), walk.local)
    walk.hear(US, open_of(LOW))
    assert said(walk.give(Incoming(walk.local))) == [("away", COLLISION)]


def test_a_connection_of_the_dominant_peer_still_wins_over_ours_in_open_confirm():
    walk = Walk(LOW)
    walk.give(Start(), walk.local)
    walk.hear(US, open_of(HIGH))
    walk.give(Incoming(walk.local))
    walk.hear(PEER, open_of(HIGH))
    assert [type(value) for _, value in said(walk.hear(US, COLLISION))] == [Open, Keepalive]


def test_after_a_failure_the_peer_may_dial_at_once():
    walk = Walk()
    walk.give(Start(), ConnectFailed("refused"))
    assert walk.session.state is State.ACTIVE
    walk.give(Incoming(walk.local))
    walk.hear(PEER, open_of(LOW), Keepalive())
    assert walk.session.state is State.ESTABLISHED


def test_a_session_that_flaps_is_given_its_rest_whoever_dials():
    walk = established()
    walk.give(Closed("gone", PEER), Incoming(walk.local))
    walk.hear(PEER, open_of(LOW), Keepalive(), Notification(6, 4))
    assert said(walk.give(Incoming(walk.local))) == [("away", REJECTED)]
    walk.wait(2)
    assert Take() in walk.give(Incoming(walk.local))


def test_a_peer_that_bfd_has_lost_may_dial_as_soon_as_bfd_sees_it_again():
    """Turned away in that moment, it might not try again for two minutes; and of a passive one nobody else does."""
    walk = established(passive=True)
    walk.give(BfdUp(), BfdDown("control detection time expired"))
    assert said(walk.give(Incoming(walk.local))) == [("away", REJECTED)]
    walk.give(BfdUp())
    assert Take() in walk.give(Incoming(walk.local))


@pytest.mark.parametrize("before", [(), (Start(), Stop("maintenance"))], ids=["not started", "stopped"])
def test_nobody_is_let_in_while_there_is_to_be_no_session(before):
    walk = Walk()
    walk.give(*before)
    assert said(walk.give(Incoming(walk.local))) == [("away", REJECTED)]
    assert walk.session.deadline() is None


def test_a_passive_peer_is_waited_for_and_never_dialled():
    walk = Walk(parameters=replace(PARAMETERS, passive=True))
    assert walk.give(Start()) == []
    assert (walk.session.state, walk.shown.waits_for) == (State.ACTIVE, "waiting for the peer to dial (passive)")
    assert walk.wait(1000) == []
    walk.give(Incoming(walk.local))
    walk.hear(PEER, open_of(LOW), Keepalive(), Notification(6, 4))
    walk.wait(1000)
    assert (walk.session.state, walk.shown.next_retry) == (State.ACTIVE, None)
    assert not any(isinstance(effect, Connect) for effect in walk.done)
    assert walk.shown.waits_for is not None


RETURNING = replace(PARAMETERS, passive=True, restart_time=120)


@pytest.mark.parametrize("past", [Past.RESTARTED, Past.REBOOTED])
def test_a_passive_peer_that_may_keep_our_routes_from_before_is_dialled_as_long_as_it_may(past):
    """FRR dials nobody whose routes it keeps: both would wait until they are lost."""
    walk = Walk(parameters=RETURNING)
    assert walk.give(Start(past)) == [Connect(RETURNING)]
    walk.give(ConnectFailed("refused"))
    assert Connect(RETURNING) in walk.wait(2)
    walk.give(ConnectFailed("refused"))
    for _ in range(10):
        walk.wait(30)
        walk.give(ConnectFailed("refused"))
    walk.done.clear()
    assert walk.wait(1000) == []
    assert (walk.session.state, walk.shown.waits_for) == (State.ACTIVE, "waiting for the peer to dial (passive)")


@pytest.mark.parametrize("keeps", [True, False])
def test_a_passive_peer_is_dialled_after_a_session_only_if_it_keeps_our_routes(keeps):
    walk = Walk(parameters=RETURNING)
    assert walk.give(Start()) == [], "it is new"
    walk.give(Incoming(walk.local))
    walk.hear(PEER, open_of(LOW, 64501, *((GracefulRestart(120, ()),) if keeps else ())), Keepalive())
    assert walk.session.state is State.ESTABLISHED
    walk.give(Closed("the peer reset the connection", PEER))
    assert (Connect(RETURNING) in walk.wait(2)) is keeps


def test_a_peer_that_is_passive_no_longer_is_dialled():
    walk = Walk(parameters=replace(PARAMETERS, passive=True))
    walk.give(Start())
    assert walk.give(ParametersChanged(PARAMETERS)) == [Connect(PARAMETERS)]


@pytest.mark.parametrize(
    "event",
    [Stop("maintenance"), WayLost("the device is gone"), ParametersChanged(replace(PARAMETERS, peer_port=1790))],
    ids=["stopped", "way lost", "changed"],
)
def test_what_ends_the_session_ends_both_connections(event):
    walk = both_open_sent()
    closed = [effect.on for effect in walk.give(event) if isinstance(effect, Close)]
    assert sorted(closed, key=str) == sorted(Initiator, key=str)


def test_a_second_connection_has_our_identifier_of_the_first():
    """Else the two ends might compare different ones."""
    walk = Walk()
    walk.give(Start(), walk.local)
    walk.give(Incoming(replace(walk.local, router_id=IPv4Address("99.0.0.1"))))
    assert said(walk.give(Closed("gone", US)))[0][1].router_id == HIGH


# Two machines and the network between them


class Network:
    """Both dial. What travels on one connection keeps its order; between connections anything may overtake."""

    def __init__(self, rng, ids, asns, *, restarts=False, passive=(False, False)):
        self.rng, self.now = rng, 0.0
        self.wires = {}  # number: the ends (dialler first), what waits towards each, whether each end was told
        self.of = ({}, {})  # for each machine: initiator → number
        self.numbers = 0
        self.dials = [None, None]
        self.log = []
        self.ids = [ip_address(one) for one in ids]
        self.sessions = [
            Session(
                PeerParameters(
                    "other",
                    ip_address(f"10.0.0.{2 - side}"),
                    asns[side],
                    asns[1 - side],
                    families=frozenset({FOUR}),
                    restart_time=120 if restarts else None,
                    passive=passive[side],
                ),
                random.Random(side),
            )
            for side in (0, 1)
        ]
        for side in (0, 1):
            self.tell(side, RoutesChanged((ROUTE,)))
            self.tell(side, Start())

    def tell(self, side, event, number=None):
        for effect in self.sessions[side].handle(event, self.now):
            self.perform(side, effect, number)

    def perform(self, side, effect, number):
        self.log.append((side, effect))
        match effect:
            case Connect():
                self.numbers += 1
                self.dials[side] = self.numbers
                self.wires[self.numbers] = ("syn", side, [deque(), deque()])
            case Take():
                self.of[side][PEER] = number
            case TurnAway(data):
                self.send(side, number, data)
                self.send(side, number, None)
            case Send(data, on):
                self.send(side, self.of[side][on], data)
            case Close(_, on):
                gone = self.of[side].pop(on, None)
                if gone is None and on is US:
                    gone, self.dials[side] = self.dials[side], None
                if gone is not None:
                    self.send(side, gone, None)

    def send(self, side, number, data):
        """What is sent to an end that has forgotten the connection makes its kernel say so."""
        stage, _, waiting = self.wires[number]
        waiting[side if stage == "dead" else 1 - side].append(None if stage == "dead" else data)

    def choices(self):
        """What may happen next."""
        found = []
        for number, (stage, dialler, waiting) in self.wires.items():
            if stage == "syn":
                found.append(("accept", number, 1 - dialler))
            if stage != "syn" and self.dials[dialler] == number:
                found.append(("come up", number, dialler))
            dialling = self.dials[dialler] == number
            found += [
                ("arrive", number, side)
                for side in (0, 1)
                if waiting[side] and stage != "syn" and not (side == dialler and dialling)
            ]
        return found

    def happen(self, what, number, side):
        _, dialler, waiting = self.wires[number]
        local = Connected(ip_address(f"10.0.0.{side + 1}"), None, ip_address(f"10.0.0.{side + 1}"), self.ids[side])
        match what:
            case "accept":
                self.wires[number] = ("up", dialler, waiting)
                self.tell(side, Incoming(local), number)
            case "come up":
                self.dials[side] = None
                self.of[side][US] = number
                self.tell(side, local)
            case "arrive":
                data = waiting[side].popleft()
                on = US if side == dialler else PEER
                if self.of[side].get(on) != number:
                    return  # that end has given it up
                if data is None:
                    del self.of[side][on]
                    self.tell(side, Closed("the peer closed the connection", on))
                else:
                    self.tell(side, Received(data, on))

    def settle(self):
        """Whatever is under way arrives, in some order."""
        for _ in range(2000):
            found = self.choices()
            if not found:
                return
            self.happen(*self.rng.choice(found))
        raise AssertionError("it does not come to an end")

    def run(self, seconds):
        """Let time pass; both are woken when they ask for it."""
        end = self.now + seconds
        while self.now < end:
            self.settle()
            for side in (0, 1):
                deadline = self.sessions[side].deadline()
                if deadline is not None and deadline <= self.now:
                    for effect in self.sessions[side].wake(self.now):
                        self.perform(side, effect, None)
            self.now += 0.25

    def break_at(self, side):
        """All connections of one end are gone, and the other end does not hear of it."""
        for on, number in tuple(self.of[side].items()):
            self.wires[number] = ("dead", *self.wires[number][1:])
            self.wires[number][2][side].clear()
            del self.of[side][on]
            self.tell(side, Closed("the peer reset the connection", on))

    def in_use(self):
        """Which connection each end has in use."""
        return [self.of[side].get(self.sessions[side].snapshot().initiator) for side in (0, 1)]

    def count(self, kind):
        return [sum(isinstance(effect, kind) for one, effect in self.log if one == side) for side in (0, 1)]


IDENTITIES = [
    (("10.0.0.1", "10.0.0.2"), (64501, 64502)),
    (("10.0.0.2", "10.0.0.1"), (64501, 64502)),
    (("10.0.0.1", "10.0.0.1"), (64501, 64502)),
    (("10.0.0.1", "10.0.0.2"), (64501, 64501)),
]


@settings(max_examples=300)
@given(st.integers(0, 10**9), st.sampled_from(IDENTITIES), st.booleans())
def test_however_messages_overtake_each_other_one_connection_survives_and_both_ends_agree_on_it(seed, who, restarts):
    ids, asns = who
    network = Network(random.Random(seed), ids, asns, restarts=restarts)
    network.settle()
    assert [session.state for session in network.sessions] == [State.ESTABLISHED] * 2
    assert [len(one) for one in network.of] == [1, 1]
    (left, right) = network.in_use()
    assert left == right
    assert (network.count(Up), network.count(Down)) == ([1, 1], [0, 0]), "and at the first time"
    assert [session.last_error for session in network.sessions] == [None, None]


@settings(max_examples=150)
@given(st.integers(0, 10**9), st.sampled_from(IDENTITIES))
def test_if_both_connections_stand_before_anything_is_said_the_one_of_the_dominant_speaker_survives(seed, who):
    ids, asns = who
    network = Network(random.Random(seed), ids, asns)
    while begun := [one for one in network.choices() if one[0] != "arrive"]:
        network.happen(*network.rng.choice(begun))
    network.settle()
    dominant = max((0, 1), key=lambda side: (int(ip_address(ids[side])), asns[side]))
    (left, right) = network.in_use()
    assert left == right
    assert network.wires[left][1] == dominant


@settings(max_examples=100)
@given(
    st.integers(0, 10**9),
    st.sampled_from(IDENTITIES),
    st.booleans(),
    st.lists(st.integers(0, 1), min_size=1, max_size=4),
)
def test_whatever_breaks_unheard_both_are_established_again_over_one_connection(seed, who, restarts, breaks):
    ids, asns = who
    network = Network(random.Random(seed), ids, asns, restarts=restarts)
    network.run(1)
    for side in breaks:
        network.break_at(side)
        network.run(network.rng.choice((0.5, 3, 40)))
    network.run(300)
    assert [session.state for session in network.sessions] == [State.ESTABLISHED] * 2
    (left, right) = network.in_use()
    assert left == right
    assert all(len(one) == 1 for one in network.of)


def test_a_passive_end_is_dialled_by_the_other():
    network = Network(random.Random(1), *IDENTITIES[0], passive=(True, False))
    network.settle()
    assert [session.snapshot().initiator for session in network.sessions] == [PEER, US]
    assert network.count(Connect) == [0, 1]


# Anything at all


values = st.sampled_from(
    (
        open_of(LOW),
        open_of(HIGH),
        open_of(LOW, 64501, RESTARTS),
        open_of(LOW, 64999),
        Keepalive(),
        Update(),
        COLLISION,
        Notification(6, 2),
    )
)
happenings = st.one_of(
    st.builds(lambda value, on: Received(message.encode(value, WireContext()), on), values, st.sampled_from(Initiator)),
    st.builds(Received, st.binary(max_size=30), st.sampled_from(Initiator)),
    st.builds(Closed, st.just("gone"), st.sampled_from(Initiator)),
    st.sampled_from(("come up", "dial")),
    st.sampled_from((Start(), Stop("bye"), ConnectFailed("refused"), WayLost("gone"))),
    st.sampled_from((BfdUp(), BfdDown("control detection time expired"), BfdPaused())),
    st.builds(
        lambda passive, strict: ParametersChanged(
            replace(PARAMETERS, passive=passive, bfd_strict=strict, bfd=BFDProfile("fast", 50, 50))
        ),
        st.booleans(),
        st.booleans(),
    ),
    st.sampled_from((0.0, 1.0, 11.0, 100.0)),
)


@settings(max_examples=300)
@given(st.lists(happenings, max_size=60), st.sampled_from((LOW, HIGH)))
def test_fuzz_no_order_of_events_on_two_connections_raises_or_leaves_one_open(events, router_id):
    """Effects name connections that are there, and the machine keeps no more of them than two.

    As long as there is to be a session, something is going to happen by itself, or it is said what must come first.
    """
    walk, wanted = Walk(router_id), True
    walk.give(Start())
    for event in events:
        match event:
            case float():
                walk.wait(event)
            case "come up":
                walk.give(walk.local)
            case "dial":
                walk.give(Incoming(walk.local))
            case _:
                walk.give(event)
        wanted = isinstance(event, Start) or (wanted and not isinstance(event, Stop))
        assert not wanted or walk.session.deadline() is not None or walk.shown.waits_for is not None
    walk.give(Stop("the end"))
    assert walk.session.deadline() is None
    check(walk.done, events)


def check(effects, events):
    """Ups and downs alternate, and nothing is sent over a connection that is not there, but for what was closed."""
    ups = [type(effect) for effect in effects if isinstance(effect, Up | Down)]
    assert ups == [Up, Down] * (len(ups) // 2)
    taken = False
    for effect in effects:
        match effect:
            case Take():
                assert not taken or any(isinstance(event, Closed) for event in events)
                taken = True
            case Close(_, on) if on is PEER:
                assert taken
                taken = False
            case Send(_, on) if on is PEER:
                assert taken
