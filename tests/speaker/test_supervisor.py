"""The supervisor: its restart rules by tables, its children as real processes."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from herald.speaker.supervisor import Restarts, listen, sweep


@pytest.mark.parametrize(
    ("restarts", "lives", "waits"),
    [
        pytest.param(Restarts(0.2, 5.0), [1] * 7, [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0], id="doubling up to the longest"),
        pytest.param(Restarts(0.2, 5.0), [1, 1, 40, 1], [0.2, 0.4, 0.2, 0.4], id="starting over after a long life"),
        pytest.param(Restarts(0.05, 1.0, 3), [1, 1, 1], [0.05, 0.1, None], id="too many deaths"),
        pytest.param(Restarts(0.05, 1.0, 3), [1, 1, 31, 1], [0.05, 0.1, 0.05, 0.1], id="deaths long ago do not count"),
    ],
)
def test_how_long_a_child_waits_for_its_next_start(
    restarts: Restarts, lives: list[float], waits: list[float | None]
) -> None:
    now, told = 1000.0, []
    for life in lives:
        started, now = now, now + life
        told.append(restarts.died(started, now))
    assert told == waits


def test_the_link_listens_where_only_its_owner_may_go(tmp_path: Path) -> None:
    listening, path = listen(tmp_path / "private")
    with listening:
        assert path.parent.stat().st_mode & 0o777 == 0o700
        assert path.stat().st_mode & 0o777 == 0o600
        assert not listening.get_inheritable()


def test_directories_of_supervisors_that_were_killed_are_swept_away_and_no_others(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    for name in (f"herald-speaker-{gone.pid}", f"herald-speaker-{os.getpid()}", "herald-speaker-x", "other"):
        listening, _ = listen(tmp_path / name)
        listening.close()
    sweep(tmp_path)
    left = {f"herald-speaker-{os.getpid()}", "herald-speaker-x", "other"}
    assert {path.name for path in tmp_path.iterdir()} == left


RUNNING = """
import sys
from herald.speaker.supervisor import Child, Restarts, Supervisor
engine, control = ([sys.executable, "-c", text] for text in sys.argv[1:])
sys.exit(Supervisor(
    Child("engine", engine, (), 1.0, Restarts(0.01, 0.02, 4)),
    Child("control", control, (), 1.0, Restarts(0.01, 0.02)),
).run())
"""
# Children write a line for each start and each farewell into the file of their name.
# `_exit`: an exception raised by a signal handler is lost if the signal comes while an object is being finalised.
STAYS = """
import os, signal, sys, time
def leave(*_):
    print({name!r}, "left", file=open({log!r}, "a"), flush=True)
    os._exit(0)
signal.signal(signal.SIGTERM, leave)
print({name!r}, os.getpid(), file=open({log!r}, "a"), flush=True)
while True:
    time.sleep(60)
"""
DIES = "print({name!r}, 'died', file=open({log!r}, 'a')); raise SystemExit(3)"
IGNORES = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);" + STAYS.replace(
    "signal.signal(signal.SIGTERM, leave)", ""
)


class Speaker:
    """A supervisor over two scripts, and what these have written."""

    def __init__(self, directory: Path) -> None:
        self._log = directory / "children"
        self._log.touch()
        self._output = directory / "output"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, engine: str, control: str, output: Path | None = None) -> None:
        scripts = [engine.format(name="engine", log=str(self._log)), control.format(name="control", log=str(self._log))]
        with (output or self._output).open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-c", RUNNING, *scripts], stdout=file, start_new_session=True
            )

    def end(self) -> None:
        """Nothing of it outlives the test, whatever it made of its signals."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):  # all have ended
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def lines(self, name: str = "") -> list[str]:
        return [line for line in self._log.read_text().splitlines() if line.startswith(name)]

    def pid(self, name: str) -> int:
        return int(self.lines(name)[-1].split()[1])

    def events(self) -> list[str]:
        return [json.loads(line)["event"] for line in self._output.read_text().splitlines()]

    def exit_code(self) -> int:
        assert self.process is not None
        return self.process.wait(10)


@pytest.fixture
def speaker(tmp_path: Path) -> Iterator[Speaker]:
    made = Speaker(tmp_path)
    try:
        yield made
    finally:
        made.end()


def until(true: Callable[[], bool]) -> None:
    for _ in range(1000):
        if true():
            return
        time.sleep(0.01)
    raise AssertionError("it did not come true")


def test_told_to_end_the_engine_leaves_before_control(speaker: Speaker) -> None:
    speaker.start(STAYS, STAYS)
    until(lambda: len(speaker.lines()) == 2)
    assert speaker.process is not None
    speaker.process.terminate()
    assert speaker.exit_code() == 0
    assert speaker.lines()[2:] == ["engine left", "control left"]


@pytest.mark.parametrize("name", ["engine", "control"])
def test_a_child_that_is_killed_is_started_again_and_the_other_stays(speaker: Speaker, name: str) -> None:
    speaker.start(STAYS, STAYS)
    until(lambda: len(speaker.lines()) == 2)
    os.kill(speaker.pid(name), signal.SIGKILL)
    until(lambda: len(speaker.lines()) == 3)
    assert [line.split()[0] for line in speaker.lines()].count(name) == 2
    assert f"{name}Died" in speaker.events()


def test_control_is_started_again_for_ever_and_the_engine_does_not_notice(speaker: Speaker) -> None:
    speaker.start(STAYS, DIES)
    until(lambda: len(speaker.lines("control")) > 8)
    assert len(speaker.lines("engine")) == 1


def test_a_control_that_has_only_just_been_started_is_not_taken_for_one_that_hangs(speaker: Speaker) -> None:
    speaker.start(STAYS, STAYS)
    until(lambda: len(speaker.lines()) == 2)
    assert speaker.process is not None
    os.kill(speaker.process.pid, signal.SIGUSR1)
    os.kill(speaker.process.pid, signal.SIGTERM)
    assert speaker.exit_code() == 0
    assert "controlKilled" not in speaker.events()
    assert speaker.lines("control")[-1] == "control left"


def test_a_log_that_cannot_be_written_ends_nothing(speaker: Speaker) -> None:
    speaker.start(STAYS, DIES, Path("/dev/full"))
    until(lambda: len(speaker.lines("control")) > 3)
    assert speaker.lines("engine") == [f"engine {speaker.pid('engine')}"]


def test_an_engine_that_dies_again_and_again_ends_the_speaker_with_1(speaker: Speaker) -> None:
    speaker.start(DIES, STAYS)
    assert speaker.exit_code() == 1
    assert speaker.lines("engine") == ["engine died"] * 4
    assert speaker.events()[-1] == "engineGivenUp"


def test_an_engine_that_leaves_as_it_was_told_ends_the_speaker_with_0(speaker: Speaker) -> None:
    speaker.start("import time; time.sleep(0.3)", STAYS)
    assert speaker.exit_code() == 0


def test_a_child_that_does_not_heed_sigterm_is_killed(speaker: Speaker) -> None:
    speaker.start(IGNORES.replace("def leave", "def unused"), STAYS)
    until(lambda: len(speaker.lines()) == 2)
    assert speaker.process is not None
    speaker.process.terminate()
    assert speaker.exit_code() == 0
    assert "engineKilled" in speaker.events()


def test_children_are_told_to_end_when_the_supervisor_dies_without_a_word(speaker: Speaker) -> None:
    speaker.start(STAYS, STAYS)
    until(lambda: len(speaker.lines()) == 2)
    assert speaker.process is not None
    speaker.process.kill()
    until(lambda: {"engine left", "control left"} <= set(speaker.lines()))
