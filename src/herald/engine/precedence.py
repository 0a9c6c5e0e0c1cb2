"""While BFD or gossip watches over somebody the engine goes before others on a busy machine, where it may.

What it does takes microseconds. Late by tens of milliseconds is a false alarm of BFD; late by half a second, and the
other speakers call this node dead. A nice value helps only among the processes of one control group or login session,
as against our own control process (see `herald.speaker.control_process`). The real-time class helps against all: on two
cores with eight busy processes a timer was late by 3 ms at worst instead of 58.

It takes CAP_SYS_NICE, which root on a plain host has and a pod has not unless it is given; without it all stays as it
is. And it must not be a way to starve the machine: if the engine uses more than half a core for a second, as when it
takes in a full table, it is a process like others until it has been quiet again. Below that the kernel's own limit
holds (sched_rt_runtime_us: 95 % of a second).
"""

import asyncio
import enum
import logging
import os
import time
from collections.abc import Callable
from typing import Final

PRIORITY: Final = 1
CHECK_SECONDS: Final = 1.0
BUSY: Final = 0.5
QUIET: Final = 0.25

_log: Final = logging.getLogger("herald.engine")


class Need(enum.Enum):
    """What watches over somebody; the value is for people."""

    BFD = "BFD"
    GOSSIP = "gossip"


def _set_policy(policy: int) -> None:
    # What the engine starts, threads included, does not inherit it.
    priority = 0 if policy == os.SCHED_OTHER else PRIORITY
    os.sched_setscheduler(0, policy | os.SCHED_RESET_ON_FORK, os.sched_param(priority))


class Precedence:
    """Taken while it is needed, and given back while the engine is busy. Used in one loop.

    `set_policy` sets the scheduling policy of this process and raises OSError where it may not; `used` gives its
    processor time.
    """

    def __init__(
        self, *, set_policy: Callable[[int], None] = _set_policy, used: Callable[[], float] = time.process_time
    ) -> None:
        self._set_policy = set_policy
        self._used = used
        self._timer: asyncio.TimerHandle | None = None
        self._needed_by: set[Need] = set()
        self._complained: set[Need] = set()
        self._taken = False
        self._looked = (0.0, 0.0)

    @property
    def taken(self) -> bool:
        """Whether the engine goes before others at present."""
        return self._taken

    def need(self, who: Need, *, needed: bool) -> None:
        """Say whether this part watches over somebody."""
        if not needed:
            self._needed_by.discard(who)
        elif who not in self._needed_by:
            self._needed_by.add(who)
            if self._timer is None and self._take(who):
                self._look_later()
        if not self._needed_by and self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._give_back()

    def _look_later(self) -> None:
        loop = asyncio.get_running_loop()
        self._looked = (loop.time(), self._used())
        self._timer = loop.call_later(CHECK_SECONDS, self._look)

    def _look(self) -> None:
        at, used = self._looked
        share = (self._used() - used) / max(asyncio.get_running_loop().time() - at, 1e-3)
        if self._taken and share > BUSY:
            self._give_back()
        elif not self._taken and share < QUIET:
            self._take(*self._needed_by)
        self._look_later()

    def _take(self, *who: Need) -> bool:
        try:
            self._set_policy(os.SCHED_RR)
        except OSError as error:
            # Without the right it is EPERM; EINVAL and ENOSYS come from sandboxes, and from groups without such time.
            why = "CAP_SYS_NICE is missing" if isinstance(error, PermissionError) else str(error)
            for one in set(who) - self._complained:
                text = "%s runs without precedence over other processes: %s"
                _log.info(text, one.value, why, extra={"event": "enginePriority"})
            self._complained.update(who)
            return False
        self._taken = True
        return True

    def _give_back(self) -> None:
        if self._taken:
            self._set_policy(os.SCHED_OTHER)
            self._taken = False
