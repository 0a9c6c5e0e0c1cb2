"""What people see of nodes that are watched for fast failover: with the members, and among the BFD sessions."""

from typing import Any

import pytest

from herald.cli.show_tables import bfd, members
from herald.engine.show import watched
from herald.report.table import plain

UP: dict[str, Any] = {"bfd": "Up", "phase": "watched", "falseAlarms": 0, "deaths": 0, "calm": 0.0, "problem": None}
PORT = "UDP port 3784 of this host belongs to another program"
ROWS = [{"name": "n1", "interfaces": ["eth0"]}, {"name": "n2", "interfaces": ["eth0"]}]


@pytest.mark.parametrize(
    ("said", "line"),
    [
        pytest.param({}, "n2 Up watched 0 0 -", id="all is well"),
        pytest.param({"falseAlarms": 3}, "n2 Up watched 3 0 -", id="lost packets"),
        pytest.param({"bfd": "Down", "phase": "dead", "deaths": 1}, "n2 Down dead 0 1 -", id="dead"),
        pytest.param({"bfd": "Down", "problem": PORT}, f"n2 Down watched 0 0 {PORT}", id="the port is taken"),
        pytest.param(
            {"deaths": 1, "calm": 7.2},
            "n2 Up watched 0 1 it was taken for dead wrongly; for another 7.2s",
            id="not trusted at once",
        ),
    ],
)
def test_a_watched_node_has_a_line_that_says_how_it_is(said: dict[str, Any], line: str) -> None:
    table = plain(members(watched(ROWS, {"n2": UP | said}), []))
    assert line in [" ".join(each.split()) for each in table.splitlines()]


def test_without_watched_nodes_there_is_no_such_table() -> None:
    assert watched(ROWS, {}) == ROWS
    assert "fast failover" not in plain(members(watched(ROWS, {}), []))


def test_a_node_that_answers_nothing_because_it_was_away_says_so() -> None:
    answer = {"sessions": [], "waiting": [], "dropped": {}, "failover": {"fenced": True, "pauses": 1}}
    assert "it answers nothing until they agree" in plain(bfd(answer))
    assert "it answers nothing" not in plain(bfd(answer | {"failover": {"fenced": False, "pauses": 1}}))
