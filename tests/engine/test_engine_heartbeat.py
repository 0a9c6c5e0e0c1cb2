"""Who is alive: looks at the directory in virtual time, then a few real files."""

import asyncio
import contextlib
import logging
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herald.engine.beat import LARGEST_BEAT
from herald.engine.beat_folder import BeatFolder
from herald.engine.heartbeat import (
    DEAD_AFTER,
    DEAD_SAMPLES,
    FORGET_AFTER,
    SAMPLE_EVERY,
    WRITE_EVERY,
    Heartbeat,
    Liveness,
)


class Directory:
    """A scripted directory that one reader looks at each 50 ms of its own time."""

    def __init__(self) -> None:
        self.now = 100.0
        self.beats: dict[str, str] = {}
        self.liveness = Liveness("me")

    def look(self, after: float = SAMPLE_EVERY) -> set[str]:
        self.now += after
        return set(self.liveness.look(self.beats, self.now))

    def beat(self, node: str, count: int) -> set[str]:
        self.beats[node] = f"abc {count}"
        return self.look()

    def alive(self, node: str) -> None:
        self.beat(node, 1)
        assert node in self.beat(node, 2)


def test_this_node_is_always_a_member() -> None:
    assert Directory().look() == {"me"}


def test_a_node_is_alive_once_its_counter_is_seen_to_advance() -> None:
    directory = Directory()
    assert directory.beat("other", 41) == {"me"}
    assert directory.look() == {"me"}
    assert directory.beat("other", 42) == {"me", "other"}


def test_a_file_that_a_dead_speaker_left_behind_is_never_taken_for_a_member() -> None:
    directory = Directory()
    directory.beats["dead"] = "abc 99"
    assert all(directory.look() == {"me"} for _ in range(100))


def test_a_node_whose_counter_stands_still_is_gone_after_600_ms_and_not_before() -> None:
    directory = Directory()
    directory.alive("other")
    since = directory.now
    while "other" in directory.look():
        assert directory.now - since < DEAD_AFTER
    assert directory.now - since == pytest.approx(DEAD_AFTER, abs=SAMPLE_EVERY)
    assert directory.liveness.farewells() == set()


def test_a_node_that_says_farewell_is_gone_at_once() -> None:
    directory = Directory()
    directory.alive("other")
    directory.beats["other"] = "left"
    assert directory.look() == {"me"}


def test_a_node_whose_file_disappears_has_as_long_to_write_it_again_as_for_any_beat() -> None:
    directory = Directory()
    directory.alive("other")
    since = directory.now
    del directory.beats["other"]
    for _ in range(DEAD_SAMPLES):
        assert directory.look() == {"me", "other"}
    assert directory.beat("other", 3) == {"me", "other"}
    since = directory.now
    del directory.beats["other"]
    while "other" in directory.look():
        assert directory.now - since < DEAD_AFTER


def test_nobody_is_judged_by_the_time_in_which_nobody_could_be_heard_and_everybody_by_the_time_after() -> None:
    directory = Directory()
    directory.alive("other")
    directory.beats["dead"] = "abc 9"
    directory.look()
    for _ in range(100):
        directory.now += SAMPLE_EVERY
        directory.liveness.excuse(directory.now)
        assert set(directory.liveness.members()) == {"me", "other"}
    since = directory.now
    while "other" in directory.look():
        assert directory.now - since < DEAD_AFTER
    assert directory.now - since == pytest.approx(DEAD_AFTER, abs=SAMPLE_EVERY)


def test_a_node_that_left_is_back_when_it_beats_again() -> None:
    directory = Directory()
    directory.alive("other")
    directory.beats["other"] = "left"
    assert directory.look() == {"me"}
    assert directory.liveness.farewells() == {"other"}
    assert directory.beat("other", 1) == {"me", "other"}
    assert directory.liveness.farewells() == set()


def test_a_reader_that_was_held_up_does_not_declare_the_others_dead() -> None:
    directory = Directory()
    directory.alive("other")
    directory.look(after=3600.0)
    for _ in range(DEAD_SAMPLES - 2):
        assert directory.look() == {"me", "other"}
    assert directory.beat("other", 3) == {"me", "other"}


def test_a_reader_that_was_held_up_still_notices_a_death_soon_after() -> None:
    directory = Directory()
    directory.alive("other")
    directory.look(after=3600.0)
    for _ in range(DEAD_SAMPLES):
        directory.look()
    assert directory.look() == {"me"}


@pytest.mark.parametrize("last", ["left", "abc 2"])
def test_a_file_that_nobody_changes_any_more_can_go_after_a_minute_and_not_before(last: str) -> None:
    directory = Directory()
    directory.alive("other")
    directory.beats |= {"other": last, "me": "abc 7"}
    directory.look()
    directory.look(after=FORGET_AFTER - 1)
    for _ in range(DEAD_SAMPLES):
        directory.look()
        assert directory.liveness.forgotten(directory.now) == []
    directory.look(after=1.0)
    assert directory.liveness.forgotten(directory.now) == ["other"]


def test_a_file_that_changes_can_stay_however_long_the_reader_was_held_up() -> None:
    directory = Directory()
    directory.alive("other")
    directory.look(after=3600.0)
    assert directory.liveness.forgotten(directory.now) == []


def test_a_node_that_was_held_up_until_its_file_was_removed_is_alive_after_two_beats() -> None:
    directory = Directory()
    directory.alive("other")
    del directory.beats["other"]
    while "other" in directory.look():
        pass
    directory.look()
    assert directory.beat("other", 3) == {"me"}
    assert directory.beat("other", 4) == {"me", "other"}


@given(st.lists(st.sampled_from(["beat", "look", "left", "gone"]), max_size=60))
def test_a_node_is_a_member_only_if_it_was_seen_to_beat_within_the_last_looks(script: list[str]) -> None:
    directory, count = Directory(), 0
    unchanged = 1000
    for step in script:
        match step:
            case "beat":
                count += 1
                directory.beats["other"] = f"abc {count}"
            case "left":
                directory.beats["other"] = "left"
            case "gone":
                directory.beats.pop("other", None)
        unchanged = 0 if step == "beat" else unchanged + 1
        if "other" in directory.look():
            assert unchanged * SAMPLE_EVERY < DEAD_AFTER + SAMPLE_EVERY


def read_beats(folder: Path) -> dict[str, str]:
    return BeatFolder(folder).read()


async def until(true: Callable[[], bool]) -> None:
    for _ in range(1000):
        if true():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come true")


async def test_two_heartbeats_see_each_other_and_a_farewell(tmp_path: Path) -> None:
    changes: list[str] = []
    first = Heartbeat(tmp_path / "members", "n1", lambda: changes.append("n1"))
    second = Heartbeat(tmp_path / "members", "n2", lambda: changes.append("n2"))
    await until(lambda: first.members().keys() == second.members().keys() == {"n1", "n2"})
    await second.leave()
    assert read_beats(tmp_path / "members")["n2"] == "left"
    await until(lambda: first.members().keys() == {"n1"})
    assert (first.has_left("n2"), second.has_left("n1")) == (True, False)
    await first.leave()
    assert changes.count("n1") == 2


async def test_a_speaker_whose_loop_is_stuck_does_not_beat(tmp_path: Path) -> None:
    heartbeat = Heartbeat(tmp_path, "n1", lambda: None)
    await until(lambda: "n1" in read_beats(tmp_path))
    assert len(beats_while_the_loop_stands_still(tmp_path)) <= 2, "one was answered before the loop stood still"
    await heartbeat.leave()


def beats_while_the_loop_stands_still(directory: Path) -> set[str]:
    seen = set()
    for _ in range(10):
        seen.add(read_beats(directory)["n1"])
        time.sleep(WRITE_EVERY / 2)
    return seen


def events(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the heartbeats of the test have said of the folder and of each other, in order."""
    told = ("heartbeatFailed", "heartbeatRestored", "memberDied", "memberLeft")
    return [event for record in caplog.records if (event := getattr(record, "event", None)) in told]


def blocked(path: Path) -> bool:
    """Whether a folder could be made at `path`, where no file can be written any more then, by root neither."""
    with contextlib.suppress(FileExistsError):
        path.mkdir()
    return path.is_dir()


class Group:
    """Two heartbeats, and a third node that beats only when the test says so."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.seen: list[set[str]] = []
        self.first = Heartbeat(folder, "n1", lambda: self.seen.append(set(self.first.members())))
        self.second = Heartbeat(folder, "n2", lambda: None)

    async def form(self) -> None:
        for count in range(2):
            (self.folder / "n3").write_text(f"abc {count}\n")
            await until(lambda: ("n1" in self.first.members()) and "n2" in self.first.members())
            await asyncio.sleep(2 * SAMPLE_EVERY)
        await until(lambda: self.first.members().keys() == self.second.members().keys() == {"n1", "n2", "n3"})
        self.seen.clear()

    async def leave(self) -> None:
        await self.first.leave()
        await self.second.leave()


async def test_a_folder_that_is_removed_is_made_again_and_costs_nobody_that_beats_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    group = Group(tmp_path / ".herald" / "members")
    (tmp_path / "all.yaml").write_text("")
    await group.form()
    shutil.rmtree(tmp_path / ".herald")
    await until(lambda: group.folder.is_dir() and read_beats(group.folder).keys() == {"n1", "n2"})
    await until(lambda: group.first.members().keys() == group.second.members().keys() == {"n1", "n2"})
    assert all("n2" in members for members in group.seen)
    assert "memberLeft" not in events(caplog)
    await group.leave()


def test_where_nothing_else_is_left_the_folder_is_not_mounted_and_nothing_is_made(tmp_path: Path) -> None:
    folder = BeatFolder(tmp_path / ".herald" / "members")
    shutil.rmtree(tmp_path / ".herald")
    with pytest.raises(FileNotFoundError, match="is it mounted"):
        folder.write("n1", "a beat")
    assert list(tmp_path.iterdir()) == []


async def test_a_folder_that_is_away_leaves_everything_as_it_was_and_who_died_meanwhile_is_found_after_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    group = Group(tmp_path / "shared" / "members")
    await group.form()
    (tmp_path / "shared").rename(tmp_path / "elsewhere")
    await until(lambda: all("stale" in row for row in (*group.first.document(), *group.second.document())))
    (row, *_) = group.first.document()
    assert "members cannot be read: No such file or directory" in row["stale"]["problem"]
    await until(lambda: group.first.document()[0]["stale"]["since"] > 1.5 * DEAD_AFTER)
    assert [row["name"] for row in group.first.document()] == ["n1", "n2", "n3"]
    assert not (tmp_path / "shared").exists(), "a new one would be in the way of the old one"
    assert (group.seen, events(caplog)) == ([], 2 * ["heartbeatFailed"])
    (tmp_path / "elsewhere").rename(tmp_path / "shared")
    await until(lambda: group.first.members().keys() == group.second.members().keys() == {"n1", "n2"})
    assert group.seen == [{"n1", "n2"}]
    await until(lambda: events(caplog).count("heartbeatRestored") == 2)
    assert sorted(events(caplog)[2:]) == 2 * ["heartbeatRestored"] + 2 * ["memberDied"]
    levels = {record.levelname for record in caplog.records if vars(record).get("event") == "memberDied"}
    assert levels == {"WARNING"}, "a log of warnings shows a failover"
    assert all("stale" not in row for row in group.first.document())
    await group.leave()


async def test_where_nothing_can_be_written_nobody_is_gone_but_by_its_own_word(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    group = Group(tmp_path)
    await group.form()
    await until(lambda: blocked(tmp_path / ".n1.new"))
    await until(lambda: "stale" in group.first.document()[0])
    await until(lambda: group.first.document()[0]["stale"]["since"] > 1.5 * DEAD_AFTER)
    assert "cannot be written: Is a directory" in group.first.document()[0]["stale"]["problem"]
    assert group.first.members().keys() == {"n1", "n2", "n3"}
    (tmp_path / "n3").write_text("left")
    await until(lambda: group.first.members().keys() == {"n1", "n2"})
    (tmp_path / ".n1.new").rmdir()
    await until(lambda: "heartbeatRestored" in events(caplog))
    await group.leave()


@pytest.mark.parametrize("node", ["", ".hidden", "a/b"])
async def test_a_name_that_cannot_be_a_file_is_refused(tmp_path: Path, node: str) -> None:
    with pytest.raises(ValueError, match="cannot name a heartbeat file"):
        Heartbeat(tmp_path, node, lambda: None)


async def test_what_a_node_offers_reaches_the_others_and_each_change_of_it(tmp_path: Path) -> None:
    changes: list[str] = []
    first = Heartbeat(tmp_path, "n1", lambda: changes.append("n1"))
    second = Heartbeat(tmp_path, "n2", lambda: None)
    await until(lambda: first.members() == {"n1": None, "n2": None})
    second.offer(frozenset({"eth0", "eth1"}))
    await until(lambda: first.members() == {"n1": None, "n2": {"eth0", "eth1"}})
    second.tell(b"a note")
    await until(lambda: first.notes() == {"n1": b"", "n2": b"a note"})
    assert second.members()["n2"] == frozenset({"eth0", "eth1"})
    second.offer(frozenset())
    await until(lambda: first.members() == {"n1": None, "n2": frozenset()})
    before = len(changes)
    first.offer(frozenset({"eth0"}))
    first.offer(frozenset({"eth0"}))
    assert len(changes) == before + 1, "what is no news is not told"
    await first.leave()
    await second.leave()


async def test_while_control_is_away_the_others_read_no_interface_and_the_node_itself_keeps_them(
    tmp_path: Path,
) -> None:
    eth0 = frozenset({"eth0"})
    first = Heartbeat(tmp_path, "n1", lambda: None)
    second = Heartbeat(tmp_path, "n2", lambda: None)
    second.offer(eth0)
    await until(lambda: first.members() == {"n1": None, "n2": eth0})
    second.away()
    await until(lambda: first.members() == {"n1": None, "n2": frozenset()})
    assert second.members()["n2"] == eth0
    second.ready()
    await until(lambda: first.members() == {"n1": None, "n2": eth0})
    await first.leave()
    await second.leave()


GARBLED = "abc {count}\ninterfaces/1 eth0 ../eth1"


async def test_a_node_whose_file_is_garbled_is_alive_with_interfaces_not_known_and_the_log_says_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    me = Heartbeat(tmp_path, "n1", lambda: None)
    (tmp_path / "n2").write_text(GARBLED.format(count=0))
    await until(lambda: "heartbeatGarbled" in [getattr(record, "event", None) for record in caplog.records])
    (tmp_path / "n2").write_text(GARBLED.format(count=1))
    await until(lambda: me.members() == {"n1": None, "n2": None})
    await me.leave()
    (complaint,) = [record for record in caplog.records if getattr(record, "event", None) == "heartbeatGarbled"]
    assert "'../eth1' cannot be the name of an interface" in complaint.getMessage()


def test_a_garbled_beat_is_a_beat() -> None:
    directory = Directory()
    for count in range(20):
        directory.beats["other"] = GARBLED.format(count=count)
        found = directory.liveness.look(directory.beats, 100.0 + count)
    assert found == {"me": None, "other": None}
    assert directory.liveness.complaints().keys() == {"other"}


def test_a_file_without_end_is_read_to_its_bound_and_what_no_node_has_written_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"x" * 10 * LARGEST_BEAT)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/zero")
    (tmp_path / "folder").mkdir()
    (tmp_path / os.fsdecode(b"n\xff")).write_text("7f3a9c21 1\n")
    assert {name: len(content) for name, content in read_beats(tmp_path).items()} == {"large": LARGEST_BEAT + 1}
