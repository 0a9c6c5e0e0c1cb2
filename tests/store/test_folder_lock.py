"""Locks of a folder, with real processes that hold them and die."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from herald.store.folder_lock import TakenError, acquire, controller_path, speaker_path

HOLDS = """
import subprocess, sys
from pathlib import Path
from herald.store.folder_lock import acquire
lock = acquire(Path(sys.argv[1]), "a test")
rest = subprocess.Popen(["sleep", sys.argv[2]], pass_fds=[lock.descriptor]) if len(sys.argv) > 2 else None
print("held", flush=True)
sys.stdin.read()
lock.release()
"""


@contextmanager
def holder(path: Path, *words: str) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-c", HOLDS, str(path), *words]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.wait()
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()


def test_the_second_is_refused_with_the_pid_of_the_first(tmp_path: Path) -> None:
    path = controller_path(tmp_path)
    with holder(path) as first, pytest.raises(TakenError, match=f"a controller runs already: pid {first.pid} "):
        acquire(path, "a controller", patience_s=0.0)


def test_speakers_of_two_nodes_and_the_controller_share_a_folder(tmp_path: Path) -> None:
    paths = [controller_path(tmp_path), speaker_path(tmp_path, "a"), speaker_path(tmp_path, "b")]
    locks = [acquire(path, "a test", patience_s=0.0) for path in paths]
    for lock in locks:
        lock.release()


def test_a_lock_that_was_let_go_leaves_no_file_and_can_be_taken_again(tmp_path: Path) -> None:
    path = speaker_path(tmp_path, "a")
    for _ in range(3):
        acquire(path, "a test", patience_s=0.0).release()
        assert list(path.parent.iterdir()) == []


def test_a_holder_that_was_killed_is_in_nobodys_way(tmp_path: Path) -> None:
    path = controller_path(tmp_path)
    with holder(path) as first:
        first.kill()
        first.wait()
        assert path.exists()
        acquire(path, "a test", patience_s=0.0).release()


def test_what_a_killed_holder_left_behind_is_waited_for(tmp_path: Path) -> None:
    path = controller_path(tmp_path)
    with holder(path, "0.4") as first:
        first.kill()
        first.wait()
        acquire(path, "a test", patience_s=30.0).release()


def test_what_a_killed_holder_left_behind_for_good_is_pointed_out(tmp_path: Path) -> None:
    path = controller_path(tmp_path)
    with holder(path, "60") as first:
        first.kill()
        first.wait()
        with pytest.raises(TakenError, match=f"pid {first.pid} has died, but something that it started has not ended"):
            acquire(path, "a test", patience_s=0.1)


def test_a_holder_on_another_host_is_named_with_its_host_and_not_taken_for_dead(tmp_path: Path) -> None:
    path = controller_path(tmp_path)
    lock = acquire(path, "a test")
    path.write_text(f"999999999 not-{socket.gethostname()}\n")
    with pytest.raises(TakenError, match=f"pid 999999999 on host not-{socket.gethostname()}"):
        acquire(path, "a test", patience_s=60.0)
    lock.release()


def test_of_many_that_come_and_go_at_once_one_holds_it_at_a_time(tmp_path: Path) -> None:
    path, log = controller_path(tmp_path), tmp_path / "log"
    script = """
import sys, time
from pathlib import Path
from herald.store.folder_lock import TakenError, acquire
for _ in range(50):
    try:
        lock = acquire(Path(sys.argv[1]), "a test", patience_s=0.0)
    except TakenError:
        continue
    with open(sys.argv[2], "a") as log:
        print("in", file=log, flush=True)
        time.sleep(0.001)
        print("out", file=log, flush=True)
    lock.release()
"""
    racers = [subprocess.Popen([sys.executable, "-c", script, str(path), str(log)]) for _ in range(4)]
    assert [racer.wait(60) for racer in racers] == [0] * 4
    lines = log.read_text().split()
    assert lines == ["in", "out"] * (len(lines) // 2)
    assert not path.exists()


@pytest.mark.parametrize("content", ["", "x", "12", "-1 here", "²  here"])
def test_whatever_stands_in_the_file_a_held_lock_is_refused(tmp_path: Path, content: str) -> None:
    path = controller_path(tmp_path)
    lock = acquire(path, "a test")
    path.write_text(content)
    with pytest.raises(TakenError):
        acquire(path, "a test", patience_s=0.0)
    lock.release()


def controller(folder: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "herald.cli.main", "controller", "--config", str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def until(true: Callable[[], bool]) -> None:
    for _ in range(3000):
        if true():
            return
        time.sleep(0.01)
    raise AssertionError("it did not come true")


def test_a_second_controller_of_a_folder_ends_with_2_and_names_the_first(tmp_path: Path) -> None:
    first = controller(tmp_path)
    try:
        until(lambda: controller_path(tmp_path).exists() and controller_path(tmp_path).read_text() != "")
        second = controller(tmp_path)
        _, error = second.communicate(timeout=60)
        assert second.returncode == 2
        assert error.startswith(f"herald controller: a controller of this folder runs already: pid {first.pid} ")
        first.send_signal(signal.SIGTERM)
        first.communicate(timeout=60)
        assert first.returncode == 0
        assert not controller_path(tmp_path).exists()
    finally:
        first.kill()
        first.wait()
