"""The table of rules, the page printed from it, and the nearest name."""

import re
from pathlib import Path

import pytest

from herald.config.nearest import nearest, suggestion
from herald.config.rules import RULES, markdown

PAGE = Path(__file__).parents[2] / "docs" / "lint-rules.md"


def test_ids_are_unique_well_formed_and_in_groups() -> None:
    ids = [row.id for row in RULES]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"HL\d{3}", rule_id) for rule_id in ids)


def test_every_rule_says_what_follows_and_what_to_do() -> None:
    for row in RULES:
        assert re.fullmatch(r"[A-Z][A-Za-z0-9]+", row.reason), row.id
        assert row.title, row.id
        assert row.consequence.endswith((".", ")")), row.id
        assert row.fix.endswith((".", ")")), row.id


def test_the_page_of_rules_is_up_to_date() -> None:
    assert PAGE.read_text() == markdown(), "run: python -m herald.config.rules > docs/lint-rules.md"


@pytest.mark.parametrize(
    ("wrong", "known", "expected"),
    [
        ("prodution", ["production", "staging"], "production"),
        ("LoadBalancerIPs", ["loadBalancerIPs", "address-pool"], "loadBalancerIPs"),
        ("zzz", ["production"], None),
        ("x", [], None),
    ],
)
def test_the_nearest_name_is_found_or_none(wrong: str, known: list[str], expected: str | None) -> None:
    assert nearest(wrong, known) == expected
    assert nearest(wrong, list(reversed(known))) == expected
    assert suggestion(wrong, known) == (f'; did you mean "{expected}"?' if expected else "")
