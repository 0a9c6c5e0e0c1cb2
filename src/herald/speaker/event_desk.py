"""Events on their way to the recorder: most at once, silences only when they last."""

import asyncio
from collections.abc import Mapping
from time import monotonic
from typing import Protocol

from herald.announcement.reason import Reason
from herald.cluster.meta import NamespacedName
from herald.speaker.silences import Silences
from herald.store.store import Event


class Recorder(Protocol):
    """Keeps what it is told until it is written."""

    def record(self, event: Event) -> None:
        """Returns at once."""
        ...

    async def run(self) -> None:
        """For ever."""
        ...


class EventDesk:
    """Hands on to `recorder`."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._silences = Silences()
        self._stirred = asyncio.Event()

    def tell(self, event: Event) -> None:
        """Record it."""
        self._recorder.record(event)

    def silent(self, service: NamespacedName, reason: Reason | None) -> None:
        """Record, if it stays so, that nobody announces the service."""
        self._silences.note(service, reason, monotonic())
        if reason is not None:
            self._stirred.set()

    def silences(self) -> Mapping[tuple[str, str], int]:
        """How many services nobody announces, by protocol and reason."""
        return self._silences.counts()

    async def run(self) -> None:
        """For ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._recorder.run())
            tasks.create_task(self._wait_for_silences())

    async def _wait_for_silences(self) -> None:
        while True:
            for event in self._silences.due(monotonic()):
                self._recorder.record(event)
            deadline = self._silences.deadline()
            try:
                async with asyncio.timeout(None if deadline is None else max(0.0, deadline - monotonic())):
                    await self._stirred.wait()
                    self._stirred.clear()
            except TimeoutError:
                pass  # one of them has lasted long enough
