"""Two sessions that talk to each other over a stream that cuts, delays and breaks."""

import random
from dataclasses import replace
from ipaddress import IPv4Network, IPv6Network, ip_address

from hypothesis import given
from hypothesis import strategies as st

from herald.bgp.community import Community
from herald.bgp.fsm import State
from herald.bgp.parameters import PeerParameters
from herald.bgp.route import Route
from herald.bgp.session import (
    Close,
    Closed,
    Connect,
    Connected,
    Received,
    RoutesChanged,
    Send,
    Session,
    Start,
)

LEFT = PeerParameters(name="right", peer_address=ip_address("10.0.0.2"), local_asn=64501, peer_asn=64502, hold_time=9)
RIGHT = PeerParameters(name="left", peer_address=ip_address("10.0.0.1"), local_asn=64502, peer_asn=64501, hold_time=30)
ROUTES = tuple(
    Route(IPv4Network((0x0A000000 + number, 32)), communities=(Community(number % 5),)) for number in range(300)
) + tuple(Route(IPv6Network((0x20010DB8 << 96 | number, 128))) for number in range(20))


class Wire:
    """Joins both once both have dialled. Bytes wait on it until they are carried, in pieces."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.now = 0.0
        self.sessions = [Session(LEFT, self.rng), Session(RIGHT, self.rng)]
        self.dialled = [False, False]
        self.waiting = [b"", b""]  # for each side, what it has not received yet
        self.joined = False
        self.swallows = False  # a black hole: bytes vanish and nobody hears of it
        for side in (0, 1):
            self.perform(side, self.sessions[side].handle(RoutesChanged(ROUTES), self.now))
            self.perform(side, self.sessions[side].handle(Start(), self.now))

    def tell(self, side, event):
        self.perform(side, self.sessions[side].handle(event, self.now))

    def perform(self, side, effects):
        for effect in effects:
            match effect:
                case Connect():
                    self.dialled[side] = True
                case Send(data) if self.joined and not self.swallows:
                    self.waiting[1 - side] += data
                case Close():
                    self.cut(1 - side)
                    self.dialled[side] = False

    def cut(self, *sides):
        """The connection is gone; `sides` hear of it."""
        if self.joined:
            self.joined, self.waiting = False, [b"", b""]
            for side in sides:
                self.dialled[side] = False
                self.tell(side, Closed("the peer closed the connection"))

    def join(self):
        if not self.joined and all(self.dialled):
            self.joined = True
            for side in (0, 1):
                local = ip_address(f"10.0.0.{side + 1}")
                self.tell(side, Connected(local, ip_address(f"2001:db8::{side + 1}"), local, local))

    def carry(self):
        """Some of the waiting bytes arrive."""
        for side in (0, 1):
            octets = self.rng.choice((1, 18, 19, 200, 5000))
            piece, self.waiting[side] = self.waiting[side][:octets], self.waiting[side][octets:]
            if piece:
                self.tell(side, Received(piece))

    def run(self, seconds):
        """Time passes; both are woken when they ask for it, and bytes travel meanwhile."""
        end = self.now + seconds
        while self.now < end:
            self.join()
            for side in (0, 1):
                deadline = self.sessions[side].deadline()
                if deadline is not None and deadline <= self.now:
                    self.perform(side, self.sessions[side].wake(self.now))
            for _ in range(20):
                if any(self.waiting):
                    self.carry()
            self.now += 0.25


def received(session):
    return [entry.received - entry.received_withdrawn for entry in session.snapshot().families]


def test_two_sessions_agree_and_exchange_their_routes():
    wire = Wire(1)
    wire.run(20)
    for session in wire.sessions:
        shown = session.snapshot()
        assert (shown.state, shown.hold_time, received(session)) == (State.ESTABLISHED, 9, [300, 20])
        assert [entry.advertised for entry in shown.families] == [300, 20]
        assert shown.updates_with_errors == 0


def test_a_stream_that_carries_nothing_is_given_up_by_both():
    wire = Wire(2)
    wire.run(20)
    wire.swallows = True
    wire.run(9.5)
    assert [session.snapshot().flaps for session in wire.sessions] == [1, 1]
    wire.swallows = False
    wire.run(60)
    assert [session.state for session in wire.sessions] == [State.ESTABLISHED] * 2


@given(st.lists(st.sampled_from(("cut", "left", "right", "change", "wait")), max_size=6), st.integers(0, 1000))
def test_whatever_breaks_both_are_established_again_with_all_routes(happenings, seed):
    wire = Wire(seed)
    wire.run(seed % 8)
    for happening in happenings:
        match happening:
            case "cut":
                wire.cut(0, 1)
            case "left":
                wire.cut(0)
            case "right":
                wire.cut(1)
            case "change":
                gone, changed = ROUTES[0], replace(ROUTES[1], communities=(Community(99),))
                wire.tell(0, RoutesChanged((changed,), (gone.prefix,)))
            case "wait":
                wire.run(3)
    wire.run(120)
    assert [session.state for session in wire.sessions] == [State.ESTABLISHED] * 2
    left = [entry.advertised for entry in wire.sessions[0].snapshot().families]
    assert left == [300 - ("change" in happenings), 20]
    assert received(wire.sessions[0]) == [300, 20]
