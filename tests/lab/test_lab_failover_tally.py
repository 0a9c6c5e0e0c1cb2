"""What a watcher of failover remembers: silences, who answered, and two owners at once."""

import pytest

from herald.lab.failover.tally import IDENTITIES, LATE_S, Asking, Talk


def test_the_longest_silence_counts_and_one_that_lasts_counts_up_to_now() -> None:
    talk = Talk(0.0)
    for at in (0.1, 0.2, 0.9, 1.0):
        talk.heard("node-1", at)
    assert talk.document(1.1)["silence"] == {"longest": pytest.approx(0.7), "began": 0.2, "ended": 0.9}
    assert talk.document(3.0)["silence"]["longest"] == pytest.approx(2.0)
    talk.begin(3.5)
    assert talk.document(4.0)["silence"]["longest"] == pytest.approx(3.0), "it began before and still lasts"


def test_a_move_is_an_answer_from_another_node_than_the_one_before() -> None:
    talk = Talk(0.0)
    for at, node in ((0.1, "node-1"), (0.2, "node-2"), (0.3, "node-2"), (0.4, "node-1")):
        talk.heard(node, at)
    told = talk.document(0.45)
    assert (told["moves"], told["answered"], told["nodes"]) == (2, 4, ["node-1", "node-2"])
    assert talk.document(0.65)["nodes"] == ["node-1"], "lately"


def test_answers_that_overtake_each_other_are_one_move() -> None:
    talk = Talk(0.0)
    numbers = [talk.send(at / 100) for at in range(4)]
    for place, node in ((0, "node-1"), (2, "node-2"), (1, "node-1"), (3, "node-2")):
        talk.heard(node, 0.05, numbers[place])
    told = talk.document(0.06)
    assert (told["moves"], told["lost"], told["answered"]) == (1, 0, 4)


def test_a_question_that_two_macs_answer_has_two_owners_and_counts_once() -> None:
    asking = Asking(0.0)
    first, second = asking.ask(0.0), asking.ask(0.01)
    asking.heard(first, "aa", 0.011)
    asking.heard(second, "bb", 0.012)
    assert asking.document(0.02)["doubles"] == 0, "two owners one after the other"
    for mac in ("bb", "aa", "cc"):
        asking.heard(second, mac, 0.013)
    told = asking.document(0.02)
    assert (told["doubles"], told["answered"], told["lastDouble"]) == (1, 2, 0.013)


def test_an_answer_that_comes_very_late_is_of_no_question() -> None:
    asking = Asking(0.0)
    number = asking.ask(0.0)
    asking.heard(number, "aa", LATE_S + 0.01)
    told = asking.document(1.0)
    assert (told["answered"], told["silence"]["longest"]) == (0, 1.0)
    assert [asking.ask(1.0) for _ in range(IDENTITIES)] == [*range(1, IDENTITIES), 0]


def test_a_datagram_is_lost_that_has_waited_for_too_long() -> None:
    talk = Talk(0.0)
    first, second = talk.send(0.0), talk.send(0.1)
    talk.heard("node-1", 0.11, second)
    assert talk.document(LATE_S - 0.01)["lost"] == 0
    assert talk.document(LATE_S + 0.01)["lost"] == 1
    talk.heard("node-1", 1.0, first)
    assert talk.document(1.1)["lost"] == 0, "it came after all"
    talk.send(2.0)
    talk.begin(3.0)
    assert talk.document(4.0)["lost"] == 0, "that was before"


def test_a_question_is_lost_that_nobody_has_answered_when_its_number_comes_again() -> None:
    asking = Asking(0.0)
    answered = asking.ask(0.0)
    asking.heard(answered, "aa", 0.01)
    for _ in range(IDENTITIES - 1):
        asking.ask(0.02)
    assert asking.document(0.03)["lost"] == 0
    asking.ask(0.2)
    assert asking.document(0.3)["lost"] == 0, "that one was answered"
    asking.ask(0.2)
    assert asking.document(0.3)["lost"] == 1
