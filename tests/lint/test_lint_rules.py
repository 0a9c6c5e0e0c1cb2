"""Every rule that manifests can decide: hit in its bad fixture as the fixture says, and silent in its good one."""

import re
from pathlib import Path

import pytest
from lint_fixture import FIXTURES, read, where

from herald.config.problem import Severity
from herald.config.rules import RULES, Scope

DECIDABLE = sorted(row.id for row in RULES if row.scope is Scope.MANIFESTS and row.id < "HL200")
HOW_TOS = sorted(path.name for path in (FIXTURES / "how-to").iterdir())


def test_every_rule_that_manifests_can_decide_has_both_fixtures() -> None:
    rules = sorted(path.name for path in FIXTURES.iterdir() if path.name.startswith("HL"))
    assert rules == DECIDABLE
    for rule in rules:
        assert sorted(path.name for path in (FIXTURES / rule).iterdir()) == ["bad.yaml", "good.yaml"]


@pytest.mark.parametrize("rule", DECIDABLE)
def test_a_bad_fixture_yields_exactly_the_findings_it_names(rule: str) -> None:
    fixture = read(FIXTURES / rule / "bad.yaml")
    found = [problem for problem in fixture.problems() if problem.rule == rule]
    assert fixture.expected
    assert tuple(sorted(where(problem) for problem in found)) == fixture.expected
    for problem in found:
        assert len(problem.message) > 20
        assert problem.reason


@pytest.mark.parametrize("rule", DECIDABLE)
def test_a_good_fixture_yields_no_finding_of_its_rule_and_no_error(rule: str) -> None:
    problems = read(FIXTURES / rule / "good.yaml").problems()
    assert [str(problem) for problem in problems if problem.rule == rule] == []
    assert [str(problem) for problem in problems if problem.severity is Severity.ERROR] == []


@pytest.mark.parametrize("name", HOW_TOS)
def test_a_how_to_raises_only_what_its_reader_should_see(name: str) -> None:
    fixture = read(FIXTURES / "how-to" / name)
    found = [problem for problem in fixture.problems() if problem.severity is not Severity.INFO]
    assert tuple(sorted(f"{problem.rule} {where(problem)}" for problem in found)) == fixture.expected


def test_every_rule_in_the_source_is_in_the_table_and_every_decidable_one_is_in_the_source() -> None:
    source = Path(__file__).parents[2] / "src" / "herald"
    texts = [path.read_text() for path in source.rglob("*.py") if path.name != "rules.py"]
    used = {rule for text in texts for rule in re.findall(r'"(HL\d{3})"', text)}
    assert used <= {row.id for row in RULES}
    assert {row.id for row in RULES if row.scope is Scope.MANIFESTS} <= used
