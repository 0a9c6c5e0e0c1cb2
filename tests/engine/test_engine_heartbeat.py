"""Who is alive: looks at the directory in virtual time, then a few real files."""

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herald.engine.beat import LARGEST_BEAT
from herald.engine.heartbeat import (
    DEAD_AFTER,
    DEAD_SAMPLES,
    FORGET_AFTER,
    SAMPLE_EVERY,
    WRITE_EVERY,
    Heartbeat,
    Liveness,
    read_beats,
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


@pytest.mark.parametrize("content", ["left", None])
def test_a_node_that_says_farewell_or_whose_file_disappears_is_gone_at_once(content: str | None) -> None:
    directory = Directory()
    directory.alive("other")
    del directory.beats["other"]
    if content is not None:
        directory.beats["other"] = content
    assert directory.look() == {"me"}


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
    assert directory.look() == {"me"}
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


async def test_a_directory_that_goes_away_leaves_the_node_alone_and_it_beats_again_when_it_is_back(
    tmp_path: Path,
) -> None:
    members = tmp_path / "members"
    first = Heartbeat(members, "n1", lambda: None)
    second = Heartbeat(members, "n2", lambda: None)
    await until(lambda: first.members().keys() == {"n1", "n2"})
    members.rename(tmp_path / "elsewhere")
    await until(lambda: first.members().keys() == {"n1"})
    (tmp_path / "elsewhere").rename(members)
    await until(lambda: first.members().keys() == {"n1", "n2"})
    await first.leave()
    await second.leave()


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
