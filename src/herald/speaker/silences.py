"""Services that nobody announces, told once each, and only if they stay so: a new Service has no endpoint at first."""

from collections.abc import Iterator
from heapq import heappop, heappush
from typing import Final

from herald.announcement.reason import Reason
from herald.cluster.meta import NamespacedName
from herald.speaker.happening import not_announced
from herald.store.store import Event

PATIENCE_S: Final = 3.0


class Silences:
    """No I/O; `now` is monotonic seconds."""

    def __init__(self) -> None:
        self._reasons: dict[NamespacedName, tuple[float, Reason]] = {}
        self._due: list[tuple[float, NamespacedName]] = []

    def note(self, service: NamespacedName, reason: Reason | None, now: float) -> None:
        """Why nobody announces the service from now on; None: somebody does."""
        if reason is None:
            self._reasons.pop(service, None)
            return
        self._reasons[service] = now + PATIENCE_S, reason
        heappush(self._due, (now + PATIENCE_S, service))

    def deadline(self) -> float | None:
        """When `due` may have something to tell."""
        return self._due[0][0] if self._due else None

    def due(self, now: float) -> Iterator[Event]:
        """What has lasted long enough. Only to be told once."""
        while self._due and self._due[0][0] <= now:
            at, service = heappop(self._due)
            if service in self._reasons and self._reasons[service][0] == at:
                yield not_announced(service, self._reasons.pop(service)[1])
