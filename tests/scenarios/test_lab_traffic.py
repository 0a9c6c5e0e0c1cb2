"""1,000 requests a second while speakers are replaced, nodes are drained and one loses its power.

The long form, with every fault there is, is `herald lab run traffic`; here stands what is a promise.
"""

import json
import secrets
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from herald.lab.place import Place

pytestmark = [pytest.mark.netns, pytest.mark.scenario, pytest.mark.interop, pytest.mark.timeout(400)]

LAB = [sys.executable, "-m", "herald.cli.main", "lab"]
PARTS = ("rolling-restart", "drain", "power-off")


def herald_lab(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*LAB, *words], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def document() -> Iterator[dict[str, Any]]:
    place = Place(f"t{secrets.token_hex(3)}")
    only = [word for part in PARTS for word in ("--only", part)]
    run = herald_lab("run", "traffic", *only, "--name", place.name, "-o", "json")
    try:
        yield json.loads(run.stdout)
    finally:
        herald_lab("down", "--name", place.name)


def row(document: dict[str, Any], fault: str) -> dict[str, str]:
    return next(one for one in document["measured"] if one["Fault"].startswith(fault))


def test_every_claim_holds_and_the_measurement_itself_loses_nothing(document: dict[str, Any]) -> None:
    refuted = [claim for section in document["sections"] for claim in section["claims"] if not claim["ok"]]
    assert (refuted, document["error"], document["ok"]) == ([], None, True)
    own = [claim for section in document["sections"] for claim in section["claims"] if "measurement" in claim["title"]]
    assert len(own) == len(document["measured"]) == 4


@pytest.mark.parametrize("fault", ["rolling restart", "drain", "power is back"])
def test_what_is_done_on_purpose_loses_no_request(document: dict[str, Any], fault: str) -> None:
    found = row(document, fault)
    assert int(found["Requests"].replace(",", "")) > 1000
    assert found["Lost"] == "0"
    assert ": 0 failed" in found["TCP connections"]


def test_replaced_speakers_leave_the_route_of_the_router_alone(document: dict[str, Any]) -> None:
    assert row(document, "rolling restart")["Why"] == "the router's kernel kept its route all the time"


def test_what_a_dead_node_costs_has_its_reason(document: dict[str, Any]) -> None:
    found = row(document, "power-off")
    assert int(found["Lost"]) > 0
    assert "Cease/BFD Down" in found["Why"]
    assert "until the router's kernel: via node-1, node-2" in found["Why"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ("run", "traffic", "--only", "earthquake"),
            "traffic has no part 'earthquake'; its parts are rolling-restart,",
        ),
        (("run", "dual", "--only", "drain"), "dual has no part 'drain'; it has no parts"),
        (("run", "dual", "--write", "/nowhere/page.md"), "dual measures nothing that would make a page"),
        (("run", "traffic", "--kubernetes"), "traffic is about routers and speakers alone: leave --kubernetes out"),
    ],
    ids=["no-such-part", "no-parts", "no-page", "no-cluster"],
)
def test_what_a_scenario_does_not_have_is_refused(words: tuple[str, ...], told: str) -> None:
    refused = herald_lab(*words)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert told in refused.stderr
