"""Events (core/v1), in order, written beside everything else: `kubectl describe` shows them under the object.

Those about objects of the cluster as a whole stand in Herald's namespace. `record` never waits; what cannot be written
is lost, and that is logged once. Verbs: `create` and `patch` on events.
"""

import asyncio
import logging
import secrets
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from time import monotonic
from typing import Any, Final

from herald.config.findings import ObjectKey
from herald.store.kubernetes.client import ApiClient, ApiError
from herald.store.kubernetes.event_series import Count, Create, Drop, EventSeries
from herald.store.kubernetes.sources import kind_of
from herald.store.store import Event, StoreError

MOST_WAITING: Final = 20_000
FIRST_RETRY_S: Final = 1.0
LONGEST_RETRY_S: Final = 30.0
GIVE_WAY_S: Final = 0.25
"""Between two events while statuses are being written in numbers: addresses first, their tidings later."""
_NOT_FOUND: Final = 404
_LONGEST_NAME: Final = 253

_log = logging.getLogger("herald.store.events")


class EventRecorder:
    """Speaks for `component` (`metallb-controller`). `namespace` is Herald's; `uid` finds that of an object.

    While `is_busy` it gives way to more urgent writes.
    """

    def __init__(
        self,
        client: ApiClient,
        namespace: str,
        component: str,
        instance: str,
        uid: Callable[[ObjectKey], str | None] = lambda _: None,
        is_busy: Callable[[], bool] = lambda: False,
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._component = component
        self._instance = instance
        self._uid = uid
        self._is_busy = is_busy
        self._series = EventSeries()
        self._waiting: deque[tuple[Event, str, str | None]] = deque()
        self._stirred = asyncio.Event()
        self._is_failing = False

    def record(self, event: Event) -> None:
        """Write it soon. Of more than `MOST_WAITING` the oldest are dropped."""
        if len(self._waiting) >= MOST_WAITING:
            self._waiting.popleft()
        # The object may be gone by the time that the event is written.
        self._waiting.append((event, _timestamp(), self._uid(event.about)))
        self._stirred.set()

    async def run(self) -> None:
        """For ever."""
        pause_s = FIRST_RETRY_S
        while True:
            while not self._waiting:
                self._stirred.clear()
                await self._stirred.wait()
            if self._is_busy():
                await asyncio.sleep(GIVE_WAY_S)
            event, instant, uid = self._waiting[0]
            try:
                await self._write(event, instant, uid)
            except ApiError as error:
                self._complain(event, error)
            except StoreError as error:
                self._complain(event, error)
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_RETRY_S)
                continue
            else:
                self._is_failing = False
            pause_s = FIRST_RETRY_S
            if self._waiting and self._waiting[0][0] is event:
                self._waiting.popleft()

    async def _write(self, event: Event, instant: str, uid: str | None) -> None:
        verdict = self._series.judge(event, monotonic())
        match verdict:
            case Create():
                await self._create(event, instant, uid)
            case Count(name=name, count=count):
                try:
                    await self._client.patch(f"{self._path(event)}/{name}", {"count": count, "lastTimestamp": instant})
                except ApiError as error:
                    if error.status != _NOT_FOUND:
                        raise
                    self._series.lost(event)
                    await self._create(event, instant, uid)
            case Drop(is_first=is_first):
                if is_first:
                    text = "too many events about one object, some are left out"
                    _log.warning(text, extra={"event": "eventsLeftOut", "about": str(event.about)})

    async def _create(self, event: Event, instant: str, uid: str | None) -> None:
        name = f"{event.about.name[: _LONGEST_NAME - 17]}.{secrets.token_hex(8)}"
        await self._client.create(self._path(event), self._body(event, name, instant, uid))
        self._series.created(event, name, monotonic())

    def _path(self, event: Event) -> str:
        return f"/api/v1/namespaces/{event.about.namespace or self._namespace}/events"

    def _body(self, event: Event, name: str, instant: str, uid: str | None) -> dict[str, Any]:
        about = event.about
        namespace = about.namespace or self._namespace
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": namespace},
            "involvedObject": {
                "apiVersion": kind_of(about.kind).api_version,
                "kind": about.kind,
                "namespace": namespace,
                "name": about.name,
                **({"uid": uid} if uid else {}),
            },
            "type": event.type.value,
            "reason": event.reason,
            "message": event.message,
            "source": {"component": self._component, "host": self._instance},
            "reportingComponent": self._component,
            "reportingInstance": self._instance,
            "firstTimestamp": instant,
            "lastTimestamp": instant,
            "count": 1,
        }

    def _complain(self, event: Event, error: StoreError) -> None:
        if not self._is_failing:
            fields = {"event": "eventNotRecorded", "reason": event.reason, "error": str(error)}
            _log.warning("event not recorded: %s", error, extra=fields)
        self._is_failing = True


def _timestamp() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
