"""Says in the log what effects tell (`herald.layer2.telling`). Part of the shell.

Where an address moves, the next owner answers before the last one lets go, and for a moment each hears the other. That
is no conflict: a claim is said once it has stood for `STANDS` seconds, and its end only if it was said.
"""

import asyncio
import logging
from typing import Final

from herald.layer2.conflict import Conflict
from herald.layer2.event import ClearConflict, ReportConflict
from herald.layer2.telling import Told, line

STANDS: Final = 1.0


class Saying:
    """The log of Layer 2, in the loop `loop`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, log: logging.Logger) -> None:
        self._loop = loop
        self._log = log
        self._unsaid: dict[Conflict, asyncio.TimerHandle] = {}

    def say(self, told: Told) -> None:
        """Now, or if it is a claim, once it stands."""
        match told:
            case ReportConflict(conflict):
                self._unsaid[conflict] = self._loop.call_later(STANDS, self._stands, told)
            case ClearConflict(conflict) if conflict in self._unsaid:
                self._unsaid.pop(conflict).cancel()
            case _:
                self._write(told)

    def close(self) -> None:
        """Say nothing more."""
        for timer in self._unsaid.values():
            timer.cancel()

    def _stands(self, told: ReportConflict) -> None:
        del self._unsaid[told.conflict]
        self._write(told)

    def _write(self, told: Told) -> None:
        said = line(told)
        self._log.log(said.level, said.text, extra=said.fields)
