"""A member that was found silent by other means is asked at once, and accused before the group."""

import pytest
from swim_values import at
from test_swim_machine import Node, alive

from herald.swim.event import Accuse, AskNow, Effect, Reached
from herald.swim.member import Endpoint, State
from herald.swim.message import Ack, IndirectPing, Message, Ping, Suspect
from herald.swim.prober import MOST_QUESTIONS


@pytest.fixture
def node() -> Node:
    made = Node()
    made.hear(alive("n2", 5), alive("n3", 1, 3), alive("n4", 1, 4))
    return made


def asked(node: Node, effects: list[Effect]) -> dict[Endpoint, Message]:
    return {to: message for to, message in node.sent(effects) if isinstance(message, Ping | IndirectPing)}


def test_it_is_asked_directly_and_through_the_others(node: Node) -> None:
    questions = asked(node, node.event(AskNow("n2")))
    assert {to: type(message) for to, message in questions.items()} == {
        at(2): Ping,
        at(3): IndirectPing,
        at(4): IndirectPing,
    }


@pytest.mark.parametrize("way", [2, 3], ids=["directly", "through another"])
def test_its_answer_is_told_once(node: Node, way: int) -> None:
    question = asked(node, node.event(AskNow("n2")))[at(2)]
    assert isinstance(question, Ping)
    assert Reached("n2") in node.hear(Ack(question.sequence), source=at(way))
    assert node.hear(Ack(question.sequence), source=at(way)) == []
    member = node.member("n2")
    assert member is not None
    assert member.heard == 0


def test_a_suspect_is_told_of_the_accusation_in_the_same_packet(node: Node) -> None:
    node.event(Accuse("n2"))
    assert (at(2), Suspect(5, "n2", "n1")) in node.sent(node.event(AskNow("n2")))


def test_an_answer_to_nothing_that_was_asked_is_nothing(node: Node) -> None:
    node.event(AskNow("n2"))
    assert node.hear(Ack(4_000_000_000)) == []


def test_an_accused_member_is_a_suspect_and_the_group_is_told(node: Node) -> None:
    effects = [*node.event(Accuse("n2")), *node.sleep(0.5)]
    assert node.state("n2") == (State.SUSPECT, 5)
    assert any(message == Suspect(5, "n2", "n1") for _, message in node.sent(effects))


def test_it_can_contradict(node: Node) -> None:
    node.event(Accuse("n2"))
    node.hear(alive("n2", 6))
    assert node.state("n2") == (State.ALIVE, 6)


@pytest.mark.parametrize("name", ["n1", "n9"], ids=["this node itself", "nobody who is known"])
def test_nobody_else_is_asked_or_accused(node: Node, name: str) -> None:
    node.sleep(10)
    before = node.state(name)
    assert asked(node, node.event(AskNow(name))) == {}
    node.event(Accuse(name))
    assert node.state(name) == before


def test_an_answer_to_a_question_of_long_ago_is_not_waited_for(node: Node) -> None:
    first = asked(node, node.event(AskNow("n2")))[at(2)]
    assert isinstance(first, Ping)
    for _ in range(MOST_QUESTIONS):
        node.event(AskNow("n3"))
    assert Reached("n2") not in node.hear(Ack(first.sequence))
