"""What a lab leaves in its journal is found again, by whoever has to remove it."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from herald.lab import process
from herald.lab.place import LabStandsError, NameTakenError, Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place("t", root=tmp_path)


def test_a_place_is_taken_once(place: Place) -> None:
    place.take("dual", keep=False)
    with pytest.raises(LabStandsError, match="a lab \\(dual\\) stands already; `herald lab down --name t` removes it"):
        place.take("subsets", keep=False)


def test_names_keep_labs_apart(tmp_path: Path) -> None:
    one, other = Place("", root=tmp_path), Place("b", root=tmp_path)
    one.take("dual", keep=False)
    other.take("dual", keep=False)
    assert (one.namespace("client"), other.namespace("client")) == ("client", "b-client")
    assert one.directory != other.directory


def test_a_lab_whose_maker_lives_is_not_abandoned(place: Place) -> None:
    place.take("dual", keep=False)
    assert not place.abandoned()
    assert place.maker() is not None


MAKE_AND_DIE = """\
import sys; from pathlib import Path; from herald.lab.place import Place
place = Place("t", root=Path(sys.argv[1])); place.take("dual", keep=False)
if sys.argv[2] == "keep": place.keep()
"""


@pytest.mark.parametrize(("how", "abandoned"), [("killed", True), ("keep", False)])
def test_a_lab_is_abandoned_when_its_maker_is_gone_unless_it_was_kept(place: Place, how: str, abandoned: bool) -> None:
    subprocess.run([sys.executable, "-c", MAKE_AND_DIE, str(place.root), how], check=True)
    assert place.taken()
    assert place.abandoned() is abandoned
    assert place.maker() is None
    assert place.scenario() == "dual"


def test_half_a_line_at_the_end_of_the_journal_is_passed_over(place: Place) -> None:
    place.take("dual", keep=False)
    place.record_namespace("t-client")
    with place.journal.open("a") as journal:
        journal.write('{"namespace": "t-no')
    assert place.namespaces() == ["t-client"]


async def test_clearing_ends_the_processes_and_removes_the_files(place: Place) -> None:
    place.take("dual", keep=False)
    started = process.Process.start("sleep", ["sleep", "1000"], log=place.log("sleep"))
    place.record_process("sleep", started.pid)
    assert place.processes() == [started.pid]
    await place.clear()
    assert await started.ended(5)
    assert not place.directory.exists()


DEAF = """\
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
time.sleep(1000)
"""


async def test_a_process_that_does_not_listen_is_killed(place: Place) -> None:
    place.take("dual", keep=False)
    started = process.Process.start("deaf", [sys.executable, "-c", DEAF], log=place.log("deaf"))
    while "deaf" not in place.log("deaf").read_text():
        assert not await started.ended(0.01)
    await process.kill_all([started.pid], grace=0.05)
    assert await started.ended(5)
    assert started.child.returncode == -signal.SIGKILL


async def test_a_pid_that_was_used_again_is_left_alone(place: Place) -> None:
    place.take("dual", keep=False)
    bystander = process.Process.start("sleep", ["sleep", "1000"], log=place.log("sleep"))
    began = process.start_time(bystander.pid)
    assert began is not None
    with place.journal.open("a") as journal:
        journal.write(f'{{"process": {bystander.pid}, "began": {began - 1}, "name": "somebody else"}}\n')
    await place.clear()
    assert bystander.running()
    await bystander.crash()


async def test_clearing_twice_is_as_good_as_once(place: Place) -> None:
    place.take("dual", keep=False)
    await place.clear()
    await place.clear()
    assert not place.taken()


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["client"], "a network namespace `client` exists and is not the lab's; nothing was touched. Remove it"),
        (["lan", "client"], "network namespaces `lan`, `client` exist and are not the lab's; nothing was touched."),
    ],
    ids=["one", "two"],
)
def test_a_refusal_names_the_namespaces_that_are_in_the_way(names: list[str], words: str) -> None:
    assert words in str(NameTakenError(names))
    assert "--name WORD" in str(NameTakenError(names))


def test_every_lab_has_a_mark_of_its_own(tmp_path: Path) -> None:
    one, other = Place("", root=tmp_path), Place("b", root=tmp_path)
    assert one.mark == ""
    one.take("dual", keep=False)
    other.take("dual", keep=False)
    mark = one.mark
    assert mark.startswith("herald-lab dual ")
    assert mark != other.mark
    one.keep()
    assert one.mark == mark
