"""The history of addresses: what is a move, whose death it belongs to, and what is kept."""

from ipaddress import IPv4Address

import pytest

from herald.engine.history import ADDRESSES, PER_ADDRESS, RECENT, Death, History
from herald.engine.link import Moved
from herald.net.interface import Mac

VIP, OTHER = IPv4Address("192.168.1.200"), IPv4Address("192.168.1.201")
WALL = 1_795_277_000.0


def rows(history: History, first_sent: float | None = None) -> list[dict[str, object]]:
    return history.document(lambda address: first_sent)


def test_a_take_over_from_a_dead_node_has_its_cause_and_all_its_times() -> None:
    history = History("n2")
    history.gone({"n1"}, lambda node: Death("gossip", 0.4), 100.0)
    history.took([VIP], 100.02, WALL)
    assert rows(history)[0]["cause"] is None
    history.explain(Moved((VIP,), "n1", "n2", "n1 is gone", previous_gone=True), 100.1)
    assert rows(history, first_sent=100.025) == [
        {
            "ip": "192.168.1.200",
            "at": WALL,
            "what": "taken",
            "from": "n1",
            "to": "n2",
            "cause": "n1 is gone",
            "detectedBy": "gossip",
            "detection": 0.4,
            "decision": 0.02,
            "announced": 0.025,
            "heard": None,
        }
    ]


def test_without_a_death_announcing_is_counted_from_being_told() -> None:
    history = History("n2")
    history.took([VIP], 100.0, WALL)
    history.explain(Moved((VIP,), None, "n2", "no earlier leader is known here"), 100.1)
    (only,) = rows(history, first_sent=100.6)
    assert (only["detection"], only["decision"], only["announced"]) == (None, None, 0.6)


def test_a_node_that_said_farewell_did_not_die() -> None:
    history = History("n2")
    history.gone({"n1"}, lambda node: None, 100.0)
    history.took([VIP], 100.02, WALL)
    history.explain(Moved((VIP,), "n1", "n2", "n1 is gone", previous_gone=True), 100.1)
    (only,) = rows(history, first_sent=100.025)
    assert only["cause"] == "n1 left in good order"
    assert (only["detectedBy"], only["detection"], only["decision"], only["announced"]) == (None, None, None, 0.005)


@pytest.mark.parametrize(("heard", "told"), [(Mac(bytes(5) + b"\x07"), "00:00:00:00:00:07"), (None, None)])
def test_who_was_heard_to_take_what_was_let_go_is_told(heard: Mac | None, told: str | None) -> None:
    history = History("n1")
    history.took([VIP], 1.0, WALL)
    history.let_go(VIP, Mac(bytes(6)))  # it is held: of that, nothing is known
    assert rows(history)[0]["heard"] is None
    history.released(VIP, 1.5, 9.0, WALL + 8)
    history.let_go(VIP, heard)
    assert [row["heard"] for row in rows(history)] == [told, None]


@pytest.mark.parametrize("passed", [RECENT, 3600.0])
def test_a_death_of_long_ago_is_not_the_reason_of_a_move(passed: float) -> None:
    history = History("n2")
    history.gone({"n1"}, lambda node: Death("gossip", 0.4), 0.0)
    history.took([VIP], passed, WALL)
    history.explain(Moved((VIP,), "n1", "n2", "n1 is gone", previous_gone=True), passed)
    assert rows(history)[0]["detection"] is None


@pytest.mark.parametrize(
    ("end", "cause"),
    [
        pytest.param(Death("gossip", 0.652), "n1: none of the interfaces is there", id="killed, back, loses its link"),
        pytest.param(None, "n1: none of the interfaces is there", id="stopped, back, loses its link"),
        pytest.param(Death("bfd", 0.192), "n2 comes before n1", id="cut off ourselves, and back"),
    ],
)
def test_the_end_of_a_node_is_not_the_reason_of_what_moves_once_it_is_back(end: Death | None, cause: str) -> None:
    history = History("n2")
    history.gone({"n1"}, lambda node: end, 100.0)
    history.took([VIP], 111.8, WALL)
    history.explain(Moved((VIP,), "n1", "n2", cause), 111.9)
    (only,) = rows(history, first_sent=111.81)
    assert only["cause"] == cause
    assert (only["detectedBy"], only["detection"], only["decision"], only["announced"]) == (None, None, None, 0.01)


def test_the_time_in_which_nothing_was_answered_stands_among_the_moves_of_what_was_held_then() -> None:
    history = History("n1")
    history.took([VIP, OTHER], 1.0, WALL)
    history.released(OTHER, 1.5, 3.0, WALL + 2)
    history.fenced(WALL + 3, "it did not run for 2.5 s")
    history.took([OTHER], 6.0, WALL + 6)
    history.took([VIP], 6.0, WALL + 6)
    found = [(row["ip"], row["what"], row["at"], row["from"], row["to"], row["cause"]) for row in rows(history)]
    assert found == [
        (str(OTHER), "taken", WALL + 6, None, "n1", None),
        (str(VIP), "fenced", WALL + 3, "n1", None, "it did not run for 2.5 s"),
        (str(OTHER), "released", WALL + 2, "n1", None, None),
        (str(VIP), "taken", WALL, None, "n1", None),
        (str(OTHER), "taken", WALL, None, "n1", None),
    ]


def test_what_is_lent_and_had_back_was_announced_when_it_was_taken() -> None:
    history = History("n1")
    history.took([VIP, OTHER], 10.0, WALL)
    history.keep({VIP: 10.5}.get)
    assert rows(history, first_sent=None)[0]["announced"] == 0.5, "the announcer knows no longer"
    history.keep({VIP: 3610.0, OTHER: 11.0}.get)
    assert {row["ip"]: row["announced"] for row in rows(history, first_sent=3610.0)} == {str(VIP): 0.5, str(OTHER): 1.0}
    history.released(VIP, 3610.0, 3700.0, WALL + 3690)
    history.took([VIP], 3800.0, WALL + 3790)
    found = [(row["what"], row["announced"]) for row in rows(history, first_sent=3800.25) if row["ip"] == str(VIP)]
    assert found == [("taken", 0.25), ("released", None), ("taken", 0.5)]


def test_the_same_wish_again_is_no_move_and_what_is_released_keeps_when_it_was_announced() -> None:
    history = History("n2")
    history.took([VIP, OTHER], 1.0, WALL)
    history.took([VIP], 2.0, WALL + 1)
    history.released(VIP, 1.5, 9.0, WALL + 8)
    history.explain(Moved((VIP,), "n2", "n1", "n1 comes before n2"), 9.1)
    of_vip = [row for row in rows(history) if row["ip"] == str(VIP)]
    assert [(row["what"], row["from"], row["to"], row["announced"]) for row in of_vip] == [
        ("released", "n2", "n1", None),
        ("taken", None, "n2", 0.5),
    ]


def test_a_cause_that_comes_twice_or_for_what_is_unknown_changes_nothing() -> None:
    history = History("n2")
    history.took([VIP], 1.0, WALL)
    history.explain(Moved((VIP, OTHER), None, "n2", "first"), 1.1)
    history.explain(Moved((VIP,), "n9", "n2", "second"), 1.2)
    assert [row["cause"] for row in rows(history)] == ["first"]


def test_only_so_much_is_kept() -> None:
    history = History("n2")
    for number in range(ADDRESSES + 50):
        history.took([IPv4Address(0x0A000000 + number)], number, WALL + number)
    assert len(rows(history)) == ADDRESSES
    for number in range(3 * PER_ADDRESS):
        history.took([VIP], 2 * number, WALL)
        history.released(VIP, None, 2 * number + 1, WALL)
    assert len([row for row in rows(history) if row["ip"] == str(VIP)]) == PER_ADDRESS
