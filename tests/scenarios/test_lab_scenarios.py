"""The how-tos come true: every scenario is run as a user runs it, and every claim holds. Nothing is left behind."""

import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from herald.lab.place import NAMED, Place
from herald.lab.process import start_time
from herald.lab.scenarios import SCENARIOS

pytestmark = [pytest.mark.netns, pytest.mark.scenario, pytest.mark.interop, pytest.mark.timeout(600)]

LAB = [sys.executable, "-m", "herald.cli.main", "lab"]


def herald_lab(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*LAB, *words], capture_output=True, text=True, check=False)


def nothing_is_left_of(place: Place) -> bool:
    namespaces = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
    return not place.directory.exists() and place.prefix not in namespaces


@pytest.fixture
def place() -> Iterator[Place]:
    place = Place(f"s{secrets.token_hex(3)}")
    yield place
    herald_lab("down", "--name", place.name)


# One with parts takes minutes: some of its parts are proven in a file of their own.
@pytest.mark.parametrize(
    "scenario", [name for name, one in SCENARIOS.items() if not (one.needs_kubernetes or one.parts)]
)
def test_every_claim_of_the_how_to_holds(scenario: str, place: Place) -> None:
    run = herald_lab("run", scenario, "--name", place.name, "-o", "json")
    document = json.loads(run.stdout)
    refuted = [claim for section in document["sections"] for claim in section["claims"] if not claim["ok"]]
    assert refuted == []
    unsaid = [claim["title"] for section in document["sections"] for claim in section["claims"] if not claim["seen"]]
    assert unsaid == []
    assert document["error"] is None
    assert (document["ok"], run.returncode) == (True, 0)
    assert nothing_is_left_of(place)


def test_a_lab_stands_until_it_is_taken_down(place: Place) -> None:
    up = herald_lab("up", "dual", "--name", place.name)
    assert up.returncode == 0, up.stderr
    assert f"ip netns exec {place.prefix}client curl" in up.stdout
    assert str(place.config) in up.stdout
    again = herald_lab("up", "--name", place.name)
    assert again.returncode == 2
    assert "a lab (dual) stands already" in again.stderr
    assert "a lab (dual) stands already" in herald_lab("list").stdout
    pids = place.processes()
    assert pids
    assert herald_lab("down", "--name", place.name).returncode == 0
    assert [pid for pid in pids if start_time(pid) is not None] == []
    assert nothing_is_left_of(place)


def test_a_namespace_of_the_user_is_refused_and_stays(place: Place) -> None:
    theirs = place.namespace("client")
    subprocess.run(["ip", "netns", "add", theirs], check=True)
    try:
        for words in (["up"], ["run", "dual"]):
            refused = herald_lab(*words, "--name", place.name)
            assert (refused.returncode, refused.stdout) == (2, "")
            assert f"a network namespace `{theirs}` exists and is not the lab's" in refused.stderr
        assert (NAMED / theirs).exists()
        assert not place.directory.exists()
    finally:
        subprocess.run(["ip", "netns", "del", theirs], check=True)


def test_a_scenario_of_the_api_server_is_refused_without_one(place: Place) -> None:
    refused = herald_lab("run", "faults", "--name", place.name)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "faults is about what an API server does: add --kubernetes" in refused.stderr
    assert not place.directory.exists()


def test_a_shell_on_a_node_asks_the_speaker_of_that_node(place: Place) -> None:
    assert herald_lab("up", "dual", "--name", place.name).returncode == 0
    argv = [*LAB, "shell", "--name", place.name, "node-2"]
    environment = os.environ | {"SHELL": "/bin/bash"}
    script = "echo $HERALD_SOCKET; ip -br addr show eth0"
    shell = subprocess.run(argv, input=script, capture_output=True, text=True, check=True, env=environment)
    assert str(place.show_socket("node-2")) in shell.stdout
    assert "192.168.1.11/24" in shell.stdout
    wrong = herald_lab("shell", "--name", place.name, "node-9")
    assert (wrong.returncode, wrong.stderr) == (
        2,
        "no machine node-9: its machines are lan, router, node-1, node-2, node-3, client, remote\n",
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_a_run_that_is_interrupted_leaves_nothing(place: Place, number: signal.Signals) -> None:
    argv = [*LAB, "run", "dual", "--name", place.name]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        while not run.stdout.readline().startswith("Step 3"):
            assert run.poll() is None
        run.send_signal(number)
        rest = run.stdout.read()
        assert run.wait() == 130
    assert "interrupted" in rest
    assert nothing_is_left_of(place)


def test_what_a_killed_run_leaves_is_removed_by_down(place: Place) -> None:
    argv = [*LAB, "run", "dual", "--name", place.name]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        while not run.stdout.readline().startswith("Step 3"):
            assert run.poll() is None
        run.kill()
    pids = place.processes()
    assert pids
    down = herald_lab("down", "--name", place.name)
    assert down.returncode == 0, down.stderr
    assert [pid for pid in pids if start_time(pid) is not None] == []
    assert nothing_is_left_of(place)
