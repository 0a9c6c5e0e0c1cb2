"""The engine goes before others while BFD needs it, and not while it is busy itself."""

import asyncio
import errno
import os

import pytest

from herald.engine import precedence
from herald.engine.precedence import Need, Precedence


class Machine:
    """Records the policies that are set, and says how much of a core was used."""

    def __init__(self, *, allowed: bool = True) -> None:
        self.refusal: OSError | None = None if allowed else PermissionError()
        self.policies: list[int] = []
        self.share = 0.0
        self.loop = asyncio.get_running_loop()
        self.used = 0.0
        self.at = self.loop.time()

    def set_policy(self, policy: int) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.policies.append(policy)

    def processor_time(self) -> float:
        now = self.loop.time()
        self.used, self.at = self.used + self.share * (now - self.at), now
        return self.used

    def precedence(self) -> Precedence:
        return Precedence(set_policy=self.set_policy, used=self.processor_time)


async def wait_for(machine: Machine, policies: list[int]) -> None:
    async with asyncio.timeout(10):
        while machine.policies != policies:  # noqa: ASYNC110  # the timer under test is the only event
            await asyncio.sleep(0.05)


async def test_it_is_taken_once_and_given_back_when_nobody_is_watched_over() -> None:
    machine = Machine()
    one = machine.precedence()
    for needed in (False, True, True, False, False):
        one.need(Need.BFD, needed=needed)
    assert machine.policies == [os.SCHED_RR, os.SCHED_OTHER]
    assert not one.taken


async def test_it_is_kept_while_anybody_needs_it() -> None:
    machine = Machine()
    one = machine.precedence()
    one.need(Need.GOSSIP, needed=True)
    one.need(Need.BFD, needed=True)
    one.need(Need.BFD, needed=False)
    assert one.taken
    one.need(Need.GOSSIP, needed=False)
    assert machine.policies == [os.SCHED_RR, os.SCHED_OTHER]


async def test_a_busy_engine_is_a_process_like_others_until_it_is_quiet() -> None:
    machine = Machine()
    one = machine.precedence()
    one.need(Need.BFD, needed=True)
    machine.processor_time()
    machine.share = 0.9
    await wait_for(machine, [os.SCHED_RR, os.SCHED_OTHER])
    machine.processor_time()
    machine.share = 0.1
    await wait_for(machine, [os.SCHED_RR, os.SCHED_OTHER, os.SCHED_RR])
    one.need(Need.BFD, needed=False)


async def test_without_the_right_all_stays_as_it_is_and_that_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "herald.engine")
    machine = Machine(allowed=False)
    one = machine.precedence()
    for needed in (True, True, False, True):  # as sessions come and go
        one.need(Need.BFD, needed=needed)
    assert not one.taken
    one.need(Need.GOSSIP, needed=True)
    assert [record.getMessage().split()[0] for record in caplog.records] == ["BFD", "gossip"]


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOSYS])
async def test_where_the_kernel_knows_no_such_class_all_stays_as_it_is(
    number: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "herald.engine")
    machine = Machine()
    machine.refusal = OSError(number, os.strerror(number))
    one = machine.precedence()
    one.need(Need.GOSSIP, needed=True)
    assert not one.taken
    assert os.strerror(number) in caplog.text


@pytest.mark.netns
async def test_the_kernel_takes_what_is_asked_of_it() -> None:
    one = Precedence()
    one.need(Need.BFD, needed=True)
    assert one.taken
    assert os.sched_getscheduler(0) == os.SCHED_RR | os.SCHED_RESET_ON_FORK
    one.need(Need.BFD, needed=False)
    assert os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK == os.SCHED_OTHER
    assert precedence.PRIORITY == 1
