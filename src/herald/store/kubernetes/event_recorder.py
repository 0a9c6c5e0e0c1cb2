"""Events of Kubernetes (core/v1), as `kubectl describe` and `kubectl get events` show them.

The same thing again within an hour is the same event with a higher count, so that nobody drowns in repetitions.
"""

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from herald.config.findings import ObjectKey
from herald.store.kubernetes.client import ApiClient, ApiError
from herald.store.kubernetes.sources import kind_of
from herald.store.store import Event

MOST_REMEMBERED: Final = 1000
SAME_FOR_S: Final = 3600.0
LONGEST_MESSAGE: Final = 1024
_LONGEST_NAME: Final = 220
_NOT_FOUND: Final = 404


@dataclass(frozen=True, slots=True)
class _Recorded:
    name: str
    count: int
    at: float


class EventRecorder:
    """Records by `client` as `component` on `host`. `uid` gives that of an object, if it is known."""

    def __init__(
        self,
        client: ApiClient,
        component: str,
        host: str = "",
        uid: Callable[[ObjectKey], str | None] = lambda _: None,
    ) -> None:
        self._client = client
        self._component = component
        self._host = host
        self._uid = uid
        self._recorded: OrderedDict[Event, _Recorded] = OrderedDict()

    async def record(self, event: Event) -> None:
        """Raises StoreError."""
        known = self._recorded.get(event)
        if known is not None and time.monotonic() - known.at < SAME_FOR_S and await self._count(event, known):
            return
        name = f"{event.about.name[:_LONGEST_NAME]}.{secrets.token_hex(8)}"
        await self._client.create(_path(event.about), self._body(event, name))
        self._remember(event, _Recorded(name, 1, time.monotonic()))

    async def _count(self, event: Event, known: _Recorded) -> bool:
        """Whether the event is still there, to be counted up."""
        more = replace(known, count=known.count + 1, at=time.monotonic())
        patch = {"count": more.count, "lastTimestamp": _now()}
        try:
            await self._client.patch(f"{_path(event.about)}/{known.name}", patch)
        except ApiError as error:
            if error.status != _NOT_FOUND:
                raise
            return False
        self._remember(event, more)
        return True

    def _remember(self, event: Event, recorded: _Recorded) -> None:
        self._recorded[event] = recorded
        self._recorded.move_to_end(event)
        while len(self._recorded) > MOST_REMEMBERED:
            self._recorded.popitem(last=False)

    def _body(self, event: Event, name: str) -> dict[str, Any]:
        about, now, uid = event.about, _now(), self._uid(event.about)
        involved = {"apiVersion": kind_of(about.kind).api_version, "kind": about.kind, "name": about.name}
        involved |= {"namespace": about.namespace} if about.namespace else {}
        involved |= {"uid": uid} if uid else {}
        source = {"component": self._component} | ({"host": self._host} if self._host else {})
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": _namespace(about)},
            "involvedObject": involved,
            "type": event.type.value,
            "reason": event.reason,
            "message": event.message[:LONGEST_MESSAGE],
            "source": source,
            "reportingComponent": self._component,
            "reportingInstance": self._host,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }


def _namespace(about: ObjectKey) -> str:
    """Events about objects of the cluster are in namespace default."""
    return about.namespace or "default"


def _path(about: ObjectKey) -> str:
    return f"/api/v1/namespaces/{_namespace(about)}/events"


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
