"""A child of the test cluster can be started again, is always reaped, and does not outlive who started it."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from herald.lab.kubernetes.child import Child
from herald.lab.process import start_time

STARTER = """
import sys, time
from pathlib import Path
from herald.lab.kubernetes.child import Child
child = Child("sleeper", ["sleep", "60"], folder=Path(sys.argv[1]))
child.start()
print(child.pid, flush=True)
time.sleep(60)
"""


def sleeper(folder: Path) -> Child:
    return Child("sleeper", ["sleep", "60"], folder=folder)


def gone(pid: int) -> bool:
    """Whether a process that is not our child has ended, within some seconds."""
    deadline = time.monotonic() + 10
    while start_time(pid) is not None and time.monotonic() < deadline:
        time.sleep(0.01)
    return start_time(pid) is None


def test_a_child_that_was_killed_can_be_started_again(tmp_path: Path) -> None:
    child = sleeper(tmp_path)
    child.start()
    first = child.pid
    child.kill()
    assert (child.running, child.exit_code(), gone(first)) == (False, -signal.SIGKILL, True)
    child.start()
    assert child.pid != first
    assert child.resident_bytes() > 0
    child.kill()


def test_a_paused_child_still_counts_as_running_and_can_be_killed(tmp_path: Path) -> None:
    child = sleeper(tmp_path)
    child.start()
    child.send(signal.SIGSTOP)
    assert child.running
    child.kill()
    assert not child.running


def test_a_child_that_does_not_heed_is_killed_in_the_end(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    child = Child("deaf", ["sh", "-c", f"trap '' TERM; touch {ready}; while :; do sleep 1; done"], folder=tmp_path)
    child.start()
    while not ready.exists():
        time.sleep(0.01)
    child.terminate(within=0.1)
    assert child.exit_code() == -signal.SIGKILL


def test_a_child_that_was_never_started_can_be_stopped(tmp_path: Path) -> None:
    child = sleeper(tmp_path)
    child.kill()
    child.terminate(within=1)
    assert child.exit_code() is None
    with pytest.raises(ProcessLookupError, match="sleeper is not running"):
        child.send(signal.SIGTERM)


def test_a_child_gets_its_environment_and_its_last_words_are_quoted(tmp_path: Path) -> None:
    child = Child("speaker", ["sh", "-c", 'echo "$WORD"; exit 3'], folder=tmp_path, environment={"WORD": "farewell"})
    child.start()
    while child.running:
        time.sleep(0.01)
    assert (child.exit_code(), child.last_words()) == (3, "  farewell")
    child.kill()


def test_a_child_ends_when_its_starter_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", STARTER, str(tmp_path)], stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        pid = int(starter.stdout.readline())
        assert start_time(pid) is not None
        starter.kill()
    assert gone(pid)
