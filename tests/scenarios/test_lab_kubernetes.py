"""The how-tos with a real API server, real kube-proxies and real kubectl, and what a cluster goes through.

The API server is away for 60 s in the scenario of faults; HERALD_LAB_OUTAGE makes it shorter while working on it.
"""

import json
import secrets
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from herald.lab.place import Place
from herald.lab.process import start_time
from herald.lab.scenarios import SCENARIOS

pytestmark = [
    pytest.mark.kube,
    pytest.mark.netns,
    pytest.mark.scenario,
    pytest.mark.interop,
    pytest.mark.timeout(600),
]

LAB = [sys.executable, "-m", "herald.cli.main", "lab"]
FAULTS = {
    "A Secret that appears late": "with it every session comes up",
    "A BGPPeer deleted while its sessions are opening": "the other sessions did not notice",
    "The API server is dead": "by gossip another takes over",
    "The API server is back": "nothing was withdrawn or announced again",
    "etcd is killed and started again": "nothing changes on the wire",
}
"""Beginnings of the sections, and a claim that each must have made."""


def herald_lab(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*LAB, *words], capture_output=True, text=True, check=False)


def nothing_is_left_of(place: Place) -> bool:
    namespaces = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
    return not place.directory.exists() and place.prefix not in namespaces


def run(scenario: str, place: Place) -> dict[str, Any]:
    """The document of a run in which every claim holds."""
    ended = herald_lab("run", scenario, "--kubernetes", "--name", place.name, "-o", "json")
    assert ended.stdout, ended.stderr
    document: dict[str, Any] = json.loads(ended.stdout)
    claims = [claim for section in document["sections"] for claim in section["claims"]]
    assert [claim for claim in claims if not claim["ok"]] == []
    assert [claim["title"] for claim in claims if not claim["seen"]] == []
    assert document["error"] is None
    assert (document["ok"], ended.returncode) == (True, 0)
    assert nothing_is_left_of(place)
    return document


@pytest.fixture
def place() -> Iterator[Place]:
    place = Place(f"k{secrets.token_hex(3)}")
    yield place
    herald_lab("down", "--name", place.name)


HOW_TOS = [name for name, one in SCENARIOS.items() if not (one.needs_kubernetes or one.needs_folder)]


@pytest.mark.parametrize("scenario", HOW_TOS)
def test_every_line_of_the_how_to_does_what_its_reader_expects(scenario: str, place: Place) -> None:
    document = run(scenario, place)
    commands = [claim["command"] for section in document["sections"] for claim in section["claims"]]
    assert any("kubectl get" in command for command in commands)


def test_no_fault_changes_anything_that_it_need_not(place: Place) -> None:
    sections = run("faults", place)["sections"]
    for fault, title in FAULTS.items():
        (section,) = [one for one in sections if one["title"].startswith(fault)]
        assert title in [claim["title"] for claim in section["claims"]]


def test_a_cluster_stands_until_it_is_taken_down(place: Place) -> None:
    up = herald_lab("up", "dual", "--kubernetes", "--name", place.name)
    assert up.returncode == 0, up.stderr
    kubectl = str(place.directory / "bin" / "kubectl")
    assert kubectl in up.stdout
    told = subprocess.run([kubectl, "get", "pods", "-n", "metallb-system"], capture_output=True, text=True, check=True)
    assert [line.split()[2] for line in told.stdout.splitlines()[1:]] == ["Running"] * 4
    ask = [kubectl, "exec", "-n", "metallb-system", "ds/speaker", "--", "herald", "--version"]
    assert "herald" in subprocess.run(ask, capture_output=True, text=True, check=True).stdout
    refused = subprocess.run([kubectl, "logs", "-n", "default", "x"], capture_output=True, text=True, check=False)
    assert (refused.returncode, refused.stderr) == (
        1,
        "the lab has pods in metallb-system alone: controller, speaker\n",
    )
    pids = place.processes()
    assert pids
    assert herald_lab("down", "--name", place.name).returncode == 0
    assert [pid for pid in pids if start_time(pid) is not None] == []
    assert nothing_is_left_of(place)
