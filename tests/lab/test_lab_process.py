"""Commands end in time or are ended; processes that stay are stopped politely, then not."""

import sys
from pathlib import Path

import pytest

from herald.lab.process import CommandFailedError, Process, inside, must, run, start_time


async def test_a_command_leaves_its_output_and_its_exit_code() -> None:
    result = await run(["sh", "-c", "cat; echo trouble >&2; exit 3"], text="hello")
    assert (result.stdout, result.stderr, result.exit_code, result.ok) == ("hello", "trouble\n", 3, False)


async def test_a_command_that_takes_too_long_is_ended_with_its_children() -> None:
    result = await run(["sh", "-c", "sleep 1000 & wait"], within=0.1)
    assert result.exit_code is None


async def test_a_command_that_must_work_says_what_went_wrong() -> None:
    with pytest.raises(CommandFailedError, match="exit code 1: no such thing"):
        await must(["sh", "-c", "echo no such thing >&2; exit 1"])


def test_a_namespace_is_entered_by_iproute2() -> None:
    assert inside("client", ["curl", "x"]) == ("ip", "netns", "exec", "client", "curl", "x")
    assert inside(None, ["curl", "x"]) == ("curl", "x")


POLITE = """\
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
print("up", flush=True)
time.sleep(1000)
"""


async def test_a_process_writes_to_its_log_and_ends_on_sigterm(tmp_path: Path) -> None:
    log = tmp_path / "log"
    started = Process.start("one", [sys.executable, "-c", POLITE], log=log)
    while "up" not in log.read_text():
        assert not await started.ended(0.01)
    await started.stop()
    assert started.child.returncode == 7
    assert start_time(started.pid) is None


async def test_a_crash_takes_the_whole_group(tmp_path: Path) -> None:
    log = tmp_path / "log"
    started = Process.start("family", ["sh", "-c", "sleep 1000 & echo $!; wait"], log=log)
    while not log.read_text().strip():
        assert not await started.ended(0.01)
    child = int(log.read_text())
    assert start_time(child) is not None
    await started.crash()
    assert start_time(started.pid) is None
    while start_time(child) is not None:
        assert await started.ended(0.01)
