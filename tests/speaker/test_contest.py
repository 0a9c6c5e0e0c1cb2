"""What is wrong with answers: told once it stands, an event for a claim, and both in the status of the service."""

import logging
from dataclasses import replace

from test_control import BASE, assigned, service

from herald.cluster.meta import NodeName
from herald.engine.link import UnansweredHolding
from herald.layer2.conflict import Conflict
from herald.net.interface import Mac
from herald.net.ip_family import parse_address
from herald.speaker.contest import STANDS_S, Contest, Troubles
from herald.speaker.decider import Decider, Options
from herald.speaker.narrator import Narrator
from herald.speaker.publisher import Nobody
from herald.speaker.status_book import Slot, StatusBook, Write
from herald.speaker.status_object import Answering, Claim, Found, StatusKind
from herald.speaker.status_wish import StatusWish
from herald.store.store import Event, Synced

FIRST, SECOND = parse_address("10.0.0.0"), parse_address("10.0.0.1")
CONFLICT = Conflict(FIRST, "eth0", Mac(bytes.fromhex("02000000c0de")))
MUTE = UnansweredHolding(SECOND, "what is sent does not leave the node")
CLAIM = Claim("10.0.0.0", "eth0", "02:00:00:00:c0:de")
WALL = 1_795_000_000.0


def slot(name: str) -> Slot:
    return Slot(StatusKind.LAYER2, f"default/{name}")


class Written(Nobody):
    """A publisher that keeps events and writes the wish for statuses into a book."""

    def __init__(self, wish: StatusWish) -> None:
        self._wish = wish
        self.events: list[Event] = []
        self.answers = 0

    def tell(self, event: Event) -> None:
        self.events.append(event)

    def answer(self, troubles: Troubles) -> None:
        self.answers += 1
        self._wish.answer(troubles)


class Node:
    """A speaker without an engine that answers for s0 at 10.0.0.0 and s1 at 10.0.0.1."""

    def __init__(self) -> None:
        self.decider = Decider(Options(NodeName("node-1")))
        self.book = StatusBook()
        self.wish = StatusWish(self.decider, self.book)
        self.written = Written(self.wish)
        narrator = Narrator(self.decider, logging.getLogger("test"), self.written)
        self.contest = Contest(self.decider, narrator, self.written)
        self.decider.take(Synced((*BASE, *assigned(2)), (), complete=True))
        self.decider.see({NodeName("node-1"): frozenset({"eth0"})})
        self.work()

    def work(self) -> None:
        while self.decider.has_work:
            self.wish.note(self.decider.step())
        self.wish.settle()

    def see(self, now: float, *seen: Conflict | UnansweredHolding) -> None:
        conflicts = [one for one in seen if isinstance(one, Conflict)]
        self.contest.see(conflicts, [one for one in seen if isinstance(one, UnansweredHolding)], now, WALL + now)

    def wanted(self, name: str) -> object:
        return self.book.wanted(slot(name))


def test_a_claim_that_stands_is_an_event_and_in_the_status_of_the_service_until_it_is_over() -> None:
    node = Node()
    node.see(0.0, CONFLICT)
    assert (node.wanted("s0"), node.written.events) == (Answering(), [])
    assert node.contest.deadline() == STANDS_S
    node.contest.look_again(STANDS_S)
    assert node.wanted("s0") == Answering(conflicts=(CLAIM,))
    assert node.wanted("s1") == Answering()
    assert [(event.about.name, event.reason) for event in node.written.events] == [("s0", "addressConflict")]
    node.see(5.0, CONFLICT)
    assert (len(node.written.events), node.written.answers) == (1, 1)
    assert node.contest.deadline() is None
    node.see(9.0)
    assert node.wanted("s0") == Answering()


def test_two_owners_for_the_moment_of_a_move_are_told_nowhere() -> None:
    node = Node()
    node.see(0.0, CONFLICT)
    node.see(STANDS_S / 2)
    node.contest.look_again(STANDS_S)
    assert (node.written.events, node.written.answers) == ([], 0)


def test_an_address_that_is_kept_back_or_that_nobody_can_hear_says_why_in_the_status() -> None:
    node = Node()
    node.see(0.0, MUTE)
    node.contest.look_again(STANDS_S)
    assert node.wanted("s1") == Answering(unanswered=(("10.0.0.1", "what is sent does not leave the node"),))


def test_a_service_that_comes_to_share_the_address_says_it_too() -> None:
    node = Node()
    node.see(0.0, CONFLICT)
    node.contest.look_again(STANDS_S)
    node.decider.take(Synced((*BASE, *assigned(2), service("s1", "10.0.0.0")), (), complete=True))
    node.work()
    assert node.wanted("s1") == node.wanted("s0") == Answering(conflicts=(CLAIM,))


def test_nothing_is_written_after_a_restart_where_the_same_claim_still_stands() -> None:
    node = Node()
    node.see(0.0, CONFLICT)
    node.contest.look_again(STANDS_S)
    stood = Answering(conflicts=(replace(CLAIM, since="2026-11-01T00:00:00Z"),))
    node.book.list(StatusKind.LAYER2, [("default/s0", Found("a", stood)), ("default/s1", Found("b", Answering()))])
    assert node.book.next(10.0) is None
    node.see(11.0)
    assert node.book.next(12.0) == Write(slot("s0"), Answering(), "a", stood)
