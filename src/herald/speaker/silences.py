"""Services that nobody announces, told only if they stay so: a new Service has no endpoint at first.

Kubernetes forgets events after an hour. What is still so by then is told again, lest `kubectl describe` be silent too.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from heapq import heappop, heappush
from typing import Final

from herald.announcement.reason import Reason
from herald.cluster.meta import NamespacedName
from herald.speaker.happening import not_announced
from herald.store.store import Event

PATIENCE_S: Final = 3.0
REPEAT_S: Final = 3300.0


def counted(reasons: Iterable[Reason]) -> Mapping[tuple[str, str], int]:
    """How many there are, by protocol (empty: both) and reason."""
    return Counter((reason.protocol.value if reason.protocol else "", reason.code.value) for reason in reasons)


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

    def counts(self) -> Mapping[tuple[str, str], int]:
        """How many there are, by protocol (empty: both) and reason."""
        return counted(reason for _, reason in self._reasons.values())

    def deadline(self) -> float | None:
        """When `due` may have something to tell."""
        return self._due[0][0] if self._due else None

    def due(self, now: float) -> Iterator[Event]:
        """What has lasted long enough."""
        while self._due and self._due[0][0] <= now:
            at, service = heappop(self._due)
            told_at, reason = self._reasons.get(service, (None, None))
            if reason is not None and told_at == at:
                self._reasons[service] = now + REPEAT_S, reason
                heappush(self._due, (now + REPEAT_S, service))
                yield not_announced(service, reason)
