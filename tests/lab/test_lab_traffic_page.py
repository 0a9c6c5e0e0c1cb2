"""The traffic scenario: its parts, and the page about a run."""

import pytest

import herald
from herald.lab.proof import Proof, Table
from herald.lab.report import Silence
from herald.lab.scenarios.traffic import SCENARIO
from herald.lab.scenarios.traffic.measuring import HEAD
from herald.lab.scenarios.traffic.page import page


def test_some_parts_are_chosen_in_the_order_of_all() -> None:
    chosen = SCENARIO.only(("power-off", "rolling-restart"))
    assert [part.name for part in chosen.parts] == ["rolling-restart", "power-off"]
    assert [part.name for part in SCENARIO.only(()).parts] == []
    assert len(SCENARIO.parts) == 8


@pytest.mark.interop
def test_the_page_has_the_table_and_the_versions() -> None:
    proof = Proof(Silence(), list)
    proof.table = Table(HEAD, [("drain", "10", "0", "-", "5: 0 failed, 0 repeated", "the route was kept")])
    text = page(proof)
    assert "| drain | 10 | 0 | - | 5: 0 failed, 0 repeated | the route was kept |" in text
    assert f"Herald {herald.__version__}, FRR " in text
    assert max(len(line) for line in text.splitlines() if not line.startswith("|")) <= 120
