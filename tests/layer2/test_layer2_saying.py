"""What is said in the log, and when."""

import asyncio
import logging
from collections.abc import Iterator

import pytest

from herald.layer2.conflict import Conflict
from herald.layer2.event import ClearConflict, ReportConflict, ReportMute
from herald.layer2.saying import STANDS, Saying
from herald.net.interface import Mac
from herald.net.ip_family import parse_address

CONFLICT = Conflict(parse_address("192.0.2.7"), "eth0", Mac(bytes.fromhex("02000000c0de")))


class Log(logging.Handler):
    """Keeps the names of the events of a logger."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[str] = []
        self.stirred = asyncio.Event()
        self.logger = logging.getLogger("test.layer2.saying")
        self.logger.setLevel(logging.INFO)

    def emit(self, record: logging.LogRecord) -> None:
        self.events.append(record.__dict__["event"])
        self.stirred.set()


@pytest.fixture
def log() -> Iterator[Log]:
    made = Log()
    made.logger.addHandler(made)
    yield made
    made.logger.removeHandler(made)


async def test_a_claim_is_said_once_it_stands_and_so_is_its_end(log: Log) -> None:
    saying = Saying(asyncio.get_running_loop(), log.logger)
    saying.say(ReportConflict(CONFLICT))
    assert log.events == []
    async with asyncio.timeout(STANDS + 20):
        await log.stirred.wait()
    saying.say(ClearConflict(CONFLICT))
    assert log.events == ["addressConflict", "addressConflictCleared"]


async def test_the_moment_of_a_move_is_not_said(log: Log) -> None:
    saying = Saying(asyncio.get_running_loop(), log.logger)
    saying.say(ReportConflict(CONFLICT))
    saying.say(ClearConflict(CONFLICT))
    saying.say(ReportMute(2, "eth0", "nothing leaves"))
    assert log.events == ["linkMute"]
    saying.close()
