"""When the log is to say what effects tell (`herald.layer2.telling`).

Where an address moves, the next owner answers before the last one lets go, and for a moment each hears the other. That
is no conflict: a claim is said once it has stood for `STANDS` seconds, and its end only if it was said.
"""

from collections.abc import Callable
from typing import Final, Protocol

from herald.layer2.conflict import Conflict
from herald.layer2.event import ClearConflict, ReportConflict
from herald.layer2.telling import Told

STANDS: Final = 1.0


class Timer(Protocol):
    """What runs later, unless it is cancelled."""

    def cancel(self) -> None: ...


class Saying:
    """What is told, each at its time."""

    def __init__(self, write: Callable[[Told], None], later: Callable[[float, Callable[[], None]], Timer]) -> None:
        """`write` puts one line into the log; `later` calls after so many seconds."""
        self._write = write
        self._later = later
        self._unsaid: dict[Conflict, Timer] = {}

    def say(self, told: Told) -> None:
        """Now, or if it is a claim, once it stands."""
        match told:
            case ReportConflict(conflict):
                self._unsaid[conflict] = self._later(STANDS, lambda: self._stands(told))
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
