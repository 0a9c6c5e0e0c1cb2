"""Tells events about objects of the configuration that cannot be used as they stand: the shell of `problem_event`.

Only the leader tells. What is put right within `SETTLE_S` is not told: a peer may be applied a moment before the
BFDProfile that it names.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from herald.config.problem import Problem
from herald.store.problem_event import ProblemEvents
from herald.store.store import Event

SETTLE_S: Final = 2.0


class ProblemTeller:
    """Tells by `record`, which returns at once."""

    def __init__(self, record: Callable[[Event], None]) -> None:
        self._record = record
        self._events = ProblemEvents()
        self._problems: tuple[Problem, ...] = ()
        self._stirred = asyncio.Event()

    def tell(self, problems: tuple[Problem, ...]) -> None:
        """These are all the problems there are now."""
        if problems != self._problems:
            self._problems = problems
            self._stirred.set()

    async def run(self) -> None:
        """For ever."""
        while True:
            await self._stirred.wait()
            await asyncio.sleep(SETTLE_S)
            self._stirred.clear()
            for event in self._events.news(self._problems):
                self._record(event)
