"""The how-tos come true: every scenario is run as a user runs it, and every claim of it holds."""

import json
import secrets
import subprocess
import sys

import pytest

from herald.lab.place import Place
from herald.lab.scenarios import SCENARIOS

pytestmark = [pytest.mark.netns, pytest.mark.scenario, pytest.mark.interop, pytest.mark.timeout(600)]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_claim_of_the_how_to_holds(scenario: str) -> None:
    name = f"s{secrets.token_hex(3)}"
    argv = [sys.executable, "-m", "herald.cli.main", "lab", "run", scenario, "--name", name, "-o", "json"]
    run = subprocess.run(argv, capture_output=True, text=True, check=False)
    document = json.loads(run.stdout)
    refuted = [claim for section in document["sections"] for claim in section["claims"] if not claim["ok"]]
    assert refuted == []
    assert document["error"] is None
    assert (document["ok"], run.returncode) == (True, 0)
    assert not Place(name).taken()
