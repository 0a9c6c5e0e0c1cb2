"""Events on their way into the cluster: a bounded queue, rationed, kept while the API server is away."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Final

from herald.announcement.reason import Reason
from herald.cluster.meta import NamespacedName
from herald.speaker.ration import Ration
from herald.speaker.silences import Silences
from herald.store.kubernetes.client import ApiError
from herald.store.store import Event, StoreError

MOST: Final = 2000
PER_SECOND: Final = 10.0
BURST: Final = 50
FIRST_RETRY_S: Final = 1.0
LONGEST_RETRY_S: Final = 30.0
_TOO_MANY_REQUESTS: Final = 429

_log: Final = logging.getLogger("herald.speaker.events")


class EventDesk:
    """Records what it is told, in order. Of more than `MOST` that wait the oldest are dropped, and that is said."""

    def __init__(self, record: Callable[[Event], Awaitable[None]]) -> None:
        """`record` may raise StoreError."""
        self._record_event = record
        self._waiting: deque[Event] = deque()
        self._silences = Silences()
        self._stirred = asyncio.Event()
        self._ration = Ration(PER_SECOND, BURST)
        self._wait_s = FIRST_RETRY_S
        self._refused = ""

    def tell(self, event: Event) -> None:
        """Record it soon."""
        if len(self._waiting) >= MOST:
            dropped = self._waiting.popleft()
            extra = {"event": "eventDropped", "reason": dropped.reason, "about": str(dropped.about)}
            _log.debug("too many events wait for the API server, the oldest is dropped", extra=extra)
        self._waiting.append(event)
        self._stirred.set()

    def silent(self, service: NamespacedName, reason: Reason | None) -> None:
        """Record, if it stays so, that nobody announces the service."""
        self._silences.note(service, reason, monotonic())
        if reason is not None:
            self._stirred.set()

    async def run(self) -> None:
        """For ever."""
        while True:
            for event in self._silences.due(monotonic()):
                self.tell(event)
            if not self._waiting:
                await self._wait()
            elif await self._record(self._waiting[0]):
                self._wait_s = FIRST_RETRY_S
            else:
                await asyncio.sleep(self._wait_s)
                self._wait_s = min(2 * self._wait_s, LONGEST_RETRY_S)

    async def _wait(self) -> None:
        deadline = self._silences.deadline()
        try:
            async with asyncio.timeout(None if deadline is None else max(0.0, deadline - monotonic())):
                await self._stirred.wait()
        except TimeoutError:
            return
        self._stirred.clear()

    async def _record(self, event: Event) -> bool:
        """Whether it is recorded, and so no longer waits."""
        await asyncio.sleep(self._ration.take(monotonic()))
        try:
            await self._record_event(event)
        except StoreError as error:
            if not _is_final(error):
                if self._wait_s == FIRST_RETRY_S:
                    _log.warning("an event cannot be recorded, it will be tried again: %s", error, extra=_extra(error))
                return False
            if str(error) != self._refused:
                self._refused = str(error)
                _log.warning("an event cannot be recorded: %s", error, extra=_extra(error))
        if self._waiting and self._waiting[0] is event:  # otherwise it was dropped meanwhile
            self._waiting.popleft()
        return True


def _is_final(error: StoreError) -> bool:
    """Whether the API server has looked at it and will say no again."""
    return isinstance(error, ApiError) and 400 <= error.status < 500 and error.status != _TOO_MANY_REQUESTS


def _extra(error: StoreError) -> dict[str, str]:
    return {"event": "eventNotRecorded", "error": str(error)}
