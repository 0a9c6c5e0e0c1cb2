"""What is said in the log, and when."""

from collections.abc import Callable

from herald.layer2.conflict import Conflict
from herald.layer2.event import ClearConflict, ReportConflict, ReportMute
from herald.layer2.saying import STANDS, Saying
from herald.layer2.telling import Told
from herald.net.interface import Mac
from herald.net.ip_family import parse_address

CONFLICT = Conflict(parse_address("192.0.2.7"), "eth0", Mac(bytes.fromhex("02000000c0de")))


class Clock:
    """Calls what was asked for when its time has come."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[tuple[float, Callable[[], None], Clock.Handle]] = []

    class Handle:
        """Of one call."""

        cancelled = False

        def cancel(self) -> None:
            self.cancelled = True

    def later(self, seconds: float, call: Callable[[], None]) -> "Clock.Handle":
        handle = self.Handle()
        self.timers.append((self.now + seconds, call, handle))
        return handle

    def pass_by(self, seconds: float) -> None:
        self.now += seconds
        due = [(call, handle) for at, call, handle in self.timers if at <= self.now]
        self.timers = [one for one in self.timers if one[0] > self.now]
        for call, handle in due:
            if not handle.cancelled:
                call()


def test_a_claim_is_said_once_it_stands_and_so_is_its_end() -> None:
    said: list[Told] = []
    clock = Clock()
    saying = Saying(said.append, clock.later)
    saying.say(ReportConflict(CONFLICT))
    clock.pass_by(STANDS * 0.99)
    assert said == []
    clock.pass_by(STANDS * 0.01)
    saying.say(ClearConflict(CONFLICT))
    assert said == [ReportConflict(CONFLICT), ClearConflict(CONFLICT)]


def test_the_moment_of_a_move_is_not_said() -> None:
    said: list[Told] = []
    clock = Clock()
    saying = Saying(said.append, clock.later)
    saying.say(ReportConflict(CONFLICT))
    saying.say(ClearConflict(CONFLICT))
    saying.say(ReportMute(2, "eth0", "nothing leaves"))
    clock.pass_by(10 * STANDS)
    assert said == [ReportMute(2, "eth0", "nothing leaves")]


def test_nothing_is_said_after_the_end() -> None:
    said: list[Told] = []
    clock = Clock()
    saying = Saying(said.append, clock.later)
    saying.say(ReportConflict(CONFLICT))
    saying.close()
    clock.pass_by(10 * STANDS)
    assert said == []
