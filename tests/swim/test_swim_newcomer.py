"""Who was not known counts once it has answered us, or where what tells of it cannot have been recorded."""

import pytest
from swim_values import at
from test_swim_machine import Node, alive

from herald.lab.swim_simulation.simulation import Simulation
from herald.swim import stream
from herald.swim.event import Answer, Answered, Ask, Changed, Effect, JoinAt, Kind, Leave, Note, StreamAsked
from herald.swim.member import METALLB_VERSIONS, Endpoint, State
from herald.swim.message import Ack, Dead, Entry, IndirectPing, Message, Ping, PushPull
from herald.swim.newcomer import ASK_AGAIN, AT_A_TIME, TIMES
from herald.swim.packet import Wrapping
from herald.swim.profile import HERALD, LAN, WAN, Profile


def present(node: Node) -> set[str]:
    return set(node.machine.present())


def pings(node: Node, effects: list[Effect], to: Endpoint) -> list[int]:
    return [one.sequence for where, one in node.sent(effects) if where == to and isinstance(one, Ping)]


def state_of(*members: int, incarnation: int = 1) -> PushPull:
    return PushPull(
        False,
        tuple(Entry(f"n{one}", at(one), b"", incarnation, State.ALIVE, METALLB_VERSIONS) for one in members),
    )


def asks(effects: list[Effect]) -> list[Ask]:
    return [one for one in effects if isinstance(one, Ask)]


@pytest.mark.parametrize("way", [2, 3], ids=["directly", "through another"])
def test_who_is_heard_of_is_asked_at_once_and_counts_from_its_answer_on(way: int) -> None:
    node = Node()
    asked = pings(node, node.hear(alive("n2")), at(2))
    assert len(asked) == 1
    assert present(node) == {"n1"}
    assert Changed() in node.hear(Ack(asked[0]), source=at(way))
    assert present(node) == {"n1", "n2"}
    assert node.hear(Ack(asked[0])) == []


def test_an_answer_by_tcp_counts_too() -> None:
    node = Node()
    node.hear(alive("n2"))
    assert present(node) == {"n1"}
    for ask in (one for _ in range(80) for one in node.sleep(0.02) if isinstance(one, Ask)):
        question = stream.Reading(Wrapping()).feed(ask.data)
        assert isinstance(question, Ping)
        node.event(Answered(ask.ask, Ack(question.sequence)))
    assert present(node) == {"n1", "n2"}


@pytest.mark.parametrize("profile", [HERALD, LAN, WAN], ids=["herald", "lan", "wan"])
def test_it_is_asked_again_soon_through_others_as_well_and_not_for_ever(profile: Profile) -> None:
    node = Node(profile)
    (first,) = pings(node, node.hear(alive("n3", where=3)), at(3))
    node.hear(Ack(first), source=at(3))
    began = node.hear(alive("n2"))
    later = node.sleep(ASK_AGAIN * 3)
    assert len(pings(node, began + later, at(2))) >= 3
    helped = [one for to, one in node.sent(later) if to == at(3) and isinstance(one, IndirectPing)]
    assert "n2" in {one.node for one in helped}
    node.sleep(ASK_AGAIN * TIMES)
    assert present(node) == {"n1", "n3"}


def test_a_late_answer_counts() -> None:
    node = Node(WAN)
    (first,) = pings(node, node.hear(alive("n2")), at(2))
    node.sleep(0.4)
    node.hear(Ack(first))
    assert present(node) == {"n1", "n2"}


def test_a_ghost_is_found_dead_and_has_never_counted() -> None:
    node, kinds = Node(HERALD), list[Kind]()
    node.hear(alive("n3", where=3))
    node.hear(alive("n2", 7))
    for _ in range(300):
        kinds += [one.kind for one in node.sleep(0.01) if isinstance(one, Note) and one.member == "n2"]
        assert present(node) == {"n1"}
    assert Kind.DIED in kinds
    for said in (alive("n2", 7), Dead(7, "n2", "n2"), alive("n2", 3, where=4)):
        node.hear(said)
        assert present(node) == {"n1"}


def known() -> Node:
    """It has heard `n2`, at incarnation 5."""
    node = Node(HERALD)
    (asked,) = pings(node, node.hear(alive("n2", 5)), at(2))
    node.hear(Ack(asked))
    return node


@pytest.mark.parametrize("gone", [Dead(5, "n2", "n9"), Dead(5, "n2", "n2")], ids=["dead", "left"])
def test_who_comes_back_with_more_than_it_ever_said_counts_at_once_and_elsewhere_it_is_asked(gone: Dead) -> None:
    node = known()
    node.hear(gone)
    node.hear(alive("n2", 6))
    assert present(node) == {"n1", "n2"}
    node.hear(Dead(6, gone.node, gone.accuser))
    asked = pings(node, node.hear(alive("n2", 1, where=3)), at(3))
    assert present(node) == {"n1"}
    node.hear(Ack(asked[0]), source=at(3))
    assert present(node) == {"n1", "n2"}


def test_who_connects_counts_at_once_and_those_it_tells_of_when_they_answer() -> None:
    node = Node()
    effects = node.event(StreamAsked(1, state_of(2, 3), None, at(2).address))
    assert present(node) == {"n1", "n2"}
    assert pings(node, effects, at(2)) == []
    node.hear(Ack(pings(node, effects, at(3))[0]), source=at(3))
    assert present(node) == {"n1", "n2", "n3"}


@pytest.mark.parametrize("incarnation", [1, 2], ids=["nothing newer", "something newer"])
def test_who_connects_after_it_was_heard_of_counts_at_once(incarnation: int) -> None:
    node = Node()
    node.hear(alive("n2"))
    effects = node.event(StreamAsked(1, state_of(2, incarnation=incarnation), None, at(2).address))
    assert Changed() in effects
    assert present(node) == {"n1", "n2"}
    again = node.event(StreamAsked(2, state_of(2, incarnation=incarnation), None, at(2).address))
    assert Changed() not in again


@pytest.mark.parametrize(
    "said",
    [
        pytest.param([alive("n2", 5)], id="what it said before"),
        pytest.param([alive("n2", 5), Dead(5, "n2", "n2")], id="before it left"),
        pytest.param([alive("n2", 5), Dead(5, "n2", "n9")], id="before it was dead"),
    ],
)
def test_a_proof_that_is_outdated_proves_nothing(said: list[Message]) -> None:
    node = Node()
    node.hear(*said)
    older = 4 if len(said) == 1 else 5
    assert Changed() not in node.event(StreamAsked(1, state_of(2, incarnation=older), None, at(2).address))
    assert present(node) == {"n1"}


def test_gossip_of_a_member_does_not_keep_it_from_being_joined() -> None:
    node = Node()
    node.hear(alive("n2"))
    (ask,) = asks(node.event(JoinAt((at(2),))))
    node.hear(alive("n3", where=3))
    assert Changed() in node.event(Answered(ask.ask, state_of(1, 2, 3)))
    assert present(node) == {"n1", "n2", "n3"}
    assert [one.to for one in asks(node.event(JoinAt((at(2), at(3), at(4)))))] == [at(4)]


def test_who_was_only_heard_of_is_not_told_of_in_an_exchange_until_it_has_answered() -> None:
    node = Node(HERALD)
    (asked,) = pings(node, node.hear(alive("n2")), at(2))

    def told() -> set[str]:
        (answer,) = [
            one
            for one in node.event(StreamAsked(1, PushPull(False, ()), None, at(9).address))
            if isinstance(one, Answer)
        ]
        assert answer.data is not None
        answered = stream.Reading(Wrapping()).feed(answer.data)
        assert isinstance(answered, PushPull)
        return {one.node for one in answered.entries}

    assert told() == {"n1"}
    node.hear(Ack(asked))
    assert told() == {"n1", "n2"}


@pytest.mark.parametrize("profile", [HERALD, LAN], ids=["herald", "lan"])
@pytest.mark.parametrize("incarnation", [1, 5, 9], ids=["older", "the same", "newer"])
def test_a_ghost_does_not_keep_the_bearer_of_its_name_out(profile: Profile, incarnation: int) -> None:
    node = Node(profile)
    ghost = pings(node, node.hear(alive("n2", 5, where=9)), at(9))
    node.event(StreamAsked(1, state_of(2, incarnation=incarnation), None, at(2).address))
    assert present(node) == {"n1", "n2"}
    member = node.member("n2")
    assert member is not None
    assert (member.endpoint, member.heard) == (at(2), None)
    node.hear(Ack(ghost[0]), source=at(9))
    assert member == node.member("n2"), "what was asked at the other address tells nothing of this one"
    node.hear(alive("n2", 12, where=9))
    assert (member := node.member("n2")) is not None
    assert member.endpoint == at(2)


def test_of_two_that_were_only_heard_of_the_newer_is_asked_and_the_older_does_not_come_back() -> None:
    node = Node(HERALD)
    node.hear(alive("n2", 5, where=9))
    asked = pings(node, node.hear(alive("n2", 6, where=3)), at(3))
    for older in (5, 6):
        assert pings(node, node.hear(alive("n2", older, where=9)), at(9)) == []
    assert present(node) == {"n1"}
    assert Changed() in node.hear(Ack(asked[0]), source=at(3))
    assert present(node) == {"n1", "n2"}


def test_the_probe_of_a_ghost_does_not_accuse_the_bearer_of_its_name() -> None:
    node = Node(LAN)
    node.hear(alive("n2", 5, where=9))
    node.sleep(ASK_AGAIN * (TIMES + 2))
    while not pings(node, node.sleep(0.01), at(9)):
        pass
    node.event(StreamAsked(1, state_of(2), None, at(2).address))
    assert not [one for one in node.sleep(LAN.probe_interval * 1.05) if isinstance(one, Note)]
    assert node.state("n2") == (State.ALIVE, 1)


def test_all_that_is_told_where_a_member_should_be_counts_at_once() -> None:
    node = Node()
    (ask,) = [one for one in node.event(JoinAt((at(2),))) if isinstance(one, Ask)]
    node.event(Answered(ask.ask, state_of(2, 3, 4)))
    assert present(node) == {"n1", "n2", "n3", "n4"}


def test_where_somebody_unknown_pinged_from_only_itself_counts_at_once() -> None:
    node = Node()
    (ask,) = [one for one in node.hear(Ping(1, "n1", at(2), "n2"), source=at(66)) if isinstance(one, Ask)]
    assert ask.to == at(66)
    node.event(Answered(ask.ask, state_of(2, 66)))
    assert present(node) == {"n1", "n66"}


def test_many_are_asked_some_at_a_time_and_each_has_its_turn() -> None:
    node = Node()
    many = tuple(range(2, 2 + 2 * AT_A_TIME))
    effects = node.event(StreamAsked(1, state_of(*many)))
    assert len({to for to, one in node.sent(effects) if isinstance(one, Ping)}) == AT_A_TIME
    effects += node.sleep(ASK_AGAIN * 3)
    asked = {to: one.sequence for to, one in node.sent(effects) if isinstance(one, Ping)}
    assert set(asked) == {at(one) for one in many}
    for to, sequence in asked.items():
        node.hear(Ack(sequence), source=to)
    assert len(present(node)) == 1 + len(many)


def test_who_leaves_asks_nobody_any_more() -> None:
    node = Node(HERALD)
    node.hear(alive("n2"))
    node.event(Leave())
    assert pings(node, node.sleep(2.0), at(2)) == []


@pytest.mark.parametrize("loss", [0.0, 0.05, 0.3], ids=["nothing lost", "5 % lost", "30 % lost"])
@pytest.mark.parametrize("size", [3, 30])
def test_a_group_that_forms_is_whole_as_soon_as_before(size: int, loss: float) -> None:
    simulation = Simulation(size, HERALD, seed=4, loss=loss, joined=False)
    for member in range(1, size):
        simulation.join(member, 0)
    simulation.run(6.0 if loss == 0.3 else 2.0)
    assert {simulation.sees(member) for member in range(size)} == {frozenset(range(size))}
