"""Files in, objects out: order does not matter, and nothing is lost because it cannot be read."""

from itertools import permutations
from pathlib import Path

import pytest

from herald.cluster.meta import ObjectMeta
from herald.cluster.node import Node
from herald.config.findings import ObjectKey
from herald.config.problem import Problem, Severity
from herald.store.catalogue import Catalogue, Reading

A, B = Path("a.yaml"), Path("b.yaml")


def node(name: str, **labels: str) -> Node:
    return Node(metadata=ObjectMeta(name=name, labels=labels))


def key(name: str) -> ObjectKey:
    return ObjectKey("Node", "", name)


def reading(*nodes: Node) -> Reading:
    return Reading({ObjectKey.of(item): item for item in nodes})


def broken(*names: str) -> Reading:
    return Reading(broken=frozenset(map(key, names)), problems=(complaint(),))


def complaint() -> Problem:
    return Problem("HL200", Severity.ERROR, "File", "", "a.yaml", "", "UnreadableYAML", "line 3")


UNREADABLE = Reading(problems=(complaint(),), is_partial=True, is_unreadable=True)


def test_put_tells_the_objects_that_are_new_different_or_gone() -> None:
    catalogue = Catalogue()
    assert catalogue.put(A, reading(node("1"), node("2"), node("3"))) == {key("1"), key("2"), key("3")}
    assert catalogue.put(A, reading(node("1"), node("2", rack="7"))) == {key("2"), key("3")}
    assert catalogue.get(key("2")) == node("2", rack="7")
    assert catalogue.get(key("3")) is None


def test_an_unreadable_file_keeps_its_last_good_objects_and_is_reported() -> None:
    catalogue = Catalogue()
    catalogue.put(A, reading(node("1")))
    assert catalogue.would_lose(A, UNREADABLE)
    assert catalogue.put(A, UNREADABLE) == set()
    assert catalogue.get(key("1")) == node("1")
    assert [p.rule for p in catalogue.problems()] == ["HL200"]
    assert catalogue.is_complete


def test_an_object_that_became_invalid_keeps_its_last_good_version_and_others_in_the_file_go_on() -> None:
    catalogue = Catalogue()
    catalogue.put(A, reading(node("1"), node("2"), node("3")))
    edited = Reading({key("2"): node("2", rack="7")}, frozenset({key("1")}), (complaint(),))
    assert catalogue.put(A, edited) == {key("2"), key("3")}
    assert catalogue.get(key("1")) == node("1")


WRONG = Problem("HL202", Severity.ERROR, "Node", "", "1", "spec.x", "SchemaViolation", "is no number")


@pytest.mark.parametrize(
    ("before", "now", "words"),
    [
        pytest.param(
            reading(node("1")),
            Reading(broken=frozenset({key("1")}), problems=(WRONG,)),
            "is no number. The last valid version of this Node stays in force; a restart would leave it out.",
            id="an object",
        ),
        pytest.param(
            reading(node("1")),
            UNREADABLE,
            "line 3. What it held stays as it last was; a restart would leave that out.",
            id="a file",
        ),
        pytest.param(
            reading(node("2")), Reading(broken=frozenset({key("1")}), problems=(WRONG,)), "is no number", id="new"
        ),
    ],
)
def test_the_problem_of_what_stays_says_so_and_that_a_restart_ends_it(
    before: Reading, now: Reading, words: str
) -> None:
    catalogue = Catalogue()
    catalogue.put(A, before)
    catalogue.put(A, now)
    assert [each.message for each in catalogue.problems()] == [words]
    catalogue.put(A, now)
    assert [each.message for each in catalogue.problems()] == [words], "once"


def test_the_last_good_version_survives_a_second_broken_edit() -> None:
    catalogue = Catalogue()
    catalogue.put(A, reading(node("1")))
    catalogue.put(A, broken("1"))
    catalogue.put(A, UNREADABLE)
    catalogue.put(A, broken("1"))
    assert catalogue.get(key("1")) == node("1")


def test_a_repaired_file_is_no_longer_reported() -> None:
    catalogue = Catalogue()
    catalogue.put(A, UNREADABLE)
    catalogue.put(A, reading(node("1")))
    assert catalogue.problems() == ()


@pytest.mark.parametrize("last", [reading(node("1")), reading()], ids=["repaired", "emptied"])
def test_the_catalogue_is_complete_once_every_file_was_read_once(last: Reading) -> None:
    catalogue = Catalogue()
    catalogue.put(B, reading(node("2")))
    catalogue.put(A, UNREADABLE)
    assert not catalogue.is_complete
    catalogue.put(A, last)
    assert catalogue.is_complete
    catalogue.put(A, UNREADABLE)
    assert catalogue.is_complete


def test_a_file_that_was_never_readable_and_is_gone_makes_nothing_incomplete() -> None:
    catalogue = Catalogue()
    catalogue.put(A, UNREADABLE)
    catalogue.remove(A)
    assert catalogue.is_complete
    assert catalogue.problems() == ()


def test_an_object_in_two_files_counts_from_the_last_path_and_is_reported() -> None:
    for order in permutations([(A, "a"), (B, "b")]):
        catalogue = Catalogue()
        for path, rack in order:
            catalogue.put(path, reading(node("1", rack=rack)))
        assert catalogue.get(key("1")) == node("1", rack="b")
        assert [(p.rule, p.name) for p in catalogue.problems()] == [("HL204", "1")]


def test_an_object_that_moves_to_another_file_is_not_gone_in_between() -> None:
    catalogue = Catalogue()
    catalogue.put(A, reading(node("1")))
    assert catalogue.put(B, reading(node("1"))) == set()
    assert catalogue.remove(A) == set()
    assert catalogue.get(key("1")) == node("1")
    assert catalogue.problems() == ()
