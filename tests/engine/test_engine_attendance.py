"""Whether control is there, in virtual time."""

import pytest

from herald.engine.attendance import END_S, GONE_S, LATE_S, LOOK_S, SILENT_S, UNWISHED_S, Attendance, News


class Clock:
    """Looks as often as the shell does, and keeps what was found, with the time."""

    def __init__(self) -> None:
        self.one = Attendance()
        self.now = 0.0
        self.found: list[tuple[float, News]] = []

    def run(self, seconds: float, pulse_every: float | None = None) -> None:
        for _ in range(round(seconds / LOOK_S)):
            self.now += LOOK_S
            if pulse_every is not None and self.now % pulse_every == 0:
                self.one.heard(self.now, is_pulse=True)
            self.found += [(self.now, news) for news in self.one.look(self.now)]

    def serve(self) -> None:
        """A control connects, gives a sign and tells its whole wish."""
        self.one.connected()
        self.one.heard(self.now, is_pulse=True)
        self.one.wished()


def test_a_control_that_gives_signs_is_there() -> None:
    clock = Clock()
    clock.serve()
    clock.run(1000, pulse_every=2)
    assert clock.found == []
    assert clock.one.away is None


def test_one_that_is_gone_is_away_after_a_moment_and_back_with_its_whole_wish() -> None:
    clock = Clock()
    clock.serve()
    clock.run(20, pulse_every=2)
    clock.one.lost(clock.now)
    clock.run(100)
    assert clock.found == [(20 + GONE_S, News.AWAY)], "and that it hangs is said of none that is gone"
    assert clock.one.away == "not connected for 5 s"
    clock.one.connected()
    clock.run(10, pulse_every=2)
    assert clock.one.away, "it has wished nothing yet"
    clock.one.wished()
    assert clock.one.away is None


def test_one_that_is_started_again_at_once_is_not_missed() -> None:
    clock = Clock()
    clock.serve()
    clock.one.lost(clock.now)
    clock.run(GONE_S - 1)
    clock.one.connected()
    clock.run(UNWISHED_S - GONE_S, pulse_every=2)
    clock.one.wished()
    clock.run(100, pulse_every=2)
    assert clock.found == []


def test_one_that_lives_and_cannot_read_the_cluster_is_away_in_the_end() -> None:
    clock = Clock()
    clock.serve()
    clock.one.lost(clock.now)
    clock.run(1)
    clock.one.connected()
    clock.run(100, pulse_every=2)
    assert clock.found == [(UNWISHED_S, News.AWAY)]


def test_one_that_is_started_again_and_again_and_never_gets_to_a_wish_is_away() -> None:
    clock = Clock()
    clock.serve()
    for _ in range(5):
        clock.one.lost(clock.now)
        clock.run(2)
        clock.one.connected()
        clock.run(1)
    assert [news for _, news in clock.found] == [News.AWAY]


def test_one_that_hangs_is_closed_and_then_to_be_ended() -> None:
    clock = Clock()
    clock.serve()
    clock.run(SILENT_S)
    assert clock.found == [(SILENT_S, News.CLOSE), (SILENT_S, News.AWAY)]
    clock.one.lost(clock.now)
    clock.run(100)
    assert clock.found[2:] == [(END_S, News.END)]


def test_one_that_only_was_busy_connects_again_and_is_left_alone() -> None:
    clock = Clock()
    clock.serve()
    clock.run(SILENT_S)
    clock.one.lost(clock.now)
    clock.run(5)
    clock.serve()
    assert clock.one.away is None
    clock.run(100, pulse_every=2)
    assert News.END not in [news for _, news in clock.found]


def test_any_message_is_a_sign_and_none_is_expected_of_who_never_gave_one() -> None:
    clock = Clock()
    clock.one.connected()
    clock.one.wished()
    clock.run(100)
    assert clock.found == []
    clock.one.heard(clock.now, is_pulse=True)
    clock.run(SILENT_S - 1)
    clock.one.heard(clock.now)
    clock.run(SILENT_S - 1)
    assert clock.found == []


@pytest.mark.parametrize("pause", [LATE_S + 1, 1000.0])
def test_while_this_process_itself_stands_still_nothing_is_missed(pause: float) -> None:
    clock = Clock()
    clock.serve()
    clock.run(4, pulse_every=2)
    clock.now += pause
    clock.run(2)
    assert clock.found == []
    clock.run(SILENT_S)
    assert [news for _, news in clock.found] == [News.CLOSE, News.AWAY]


def test_before_the_first_wish_nobody_is_missed() -> None:
    clock = Clock()
    clock.run(END_S)
    clock.one.connected()
    clock.one.lost(clock.now)
    clock.run(100)
    assert clock.found == []


def test_one_that_hung_already_when_this_process_began_is_to_be_ended_once() -> None:
    clock = Clock()
    clock.run(1000)
    assert clock.found == [(LOOK_S + END_S, News.END)]
    assert clock.one.away is None, "nothing was wished of this process: there is nothing to be away from"


@pytest.mark.parametrize("takes", [60.0, 600.0])
def test_one_that_connects_and_then_reads_the_cluster_for_long_is_left_alone(takes: float) -> None:
    clock = Clock()
    clock.run(10)
    clock.one.connected()
    clock.run(takes, pulse_every=2)
    clock.one.wished()
    clock.run(100, pulse_every=2)
    assert clock.found == []


def test_one_that_connects_before_the_first_look_is_not_expected_to_do_so_again() -> None:
    clock = Clock()
    clock.one.connected()
    clock.run(100)
    assert clock.found == []
