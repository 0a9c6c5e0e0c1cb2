"""Problems are told when they come and when they go, and never in between."""

import logging
from dataclasses import replace

import pytest

from herald.config.findings import is_left_out, stays_in_force
from herald.config.problem import Problem, Severity
from herald.observe.problems import ProblemLog


def problem(name: str, severity: Severity) -> Problem:
    return Problem("HL001", severity, "IPAddressPool", "metallb-system", name, "spec", "Reason", "is wrong")


A, B = problem("a", Severity.ERROR), problem("b", Severity.WARNING)


def test_each_problem_is_told_once_and_its_end_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    log = ProblemLog(logging.getLogger("herald.test"))
    for present in ([A], [A], [A, B], [B], [B], []):
        log.tell(present)
    told = [(record.levelname, vars(record)["event"], vars(record)["object"]) for record in caplog.records]
    assert told == [
        ("ERROR", "problem", "a"),
        ("WARNING", "problem", "b"),
        ("INFO", "problemGone", "a"),
        ("INFO", "problemGone", "b"),
    ]


def test_a_line_names_rule_object_field_and_what_is_wrong(caplog: pytest.LogCaptureFixture) -> None:
    ProblemLog(logging.getLogger("herald.test")).tell([A])
    (record,) = caplog.records
    assert record.getMessage() == "IPAddressPool metallb-system/a: spec: is wrong"
    assert vars(record)["rule"] == "HL001"


@pytest.mark.parametrize("who", ["speaker", "controller"])
def test_a_line_says_who_found_it(who: str, caplog: pytest.LogCaptureFixture) -> None:
    ProblemLog(logging.getLogger(f"herald.{who}")).tell([A])
    assert [vars(record)["by"] for record in caplog.records] == [who]


@pytest.mark.parametrize("consequence", [stays_in_force(A.kind), is_left_out(A.kind)], ids=["in force", "left out"])
def test_what_follows_from_a_problem_is_not_said_again_when_it_is_gone(
    consequence: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    log = ProblemLog(logging.getLogger("herald.test"))
    log.tell([replace(A, message=f"is wrong. {consequence}")])
    log.tell([])
    assert [record.getMessage() for record in caplog.records] == [
        f"IPAddressPool metallb-system/a: spec: is wrong. {consequence}",
        "no longer: IPAddressPool metallb-system/a: spec: is wrong.",
    ]
