"""Events (core/v1), in order, written beside everything else: `kubectl describe` shows them under the object.

Those about objects of the cluster as a whole, such as a Node, stand in the namespace `default`: elsewhere the API
server takes none that names no namespace, and `kubectl describe` looks for no other. `record` never waits. While the
API server does not answer they wait; what it refuses is lost, and that is logged once. Verbs: `create` and `patch` on
events.
"""

import asyncio
import logging
import secrets
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from hashlib import sha256
from time import monotonic
from typing import Any, Final

from herald.config.findings import ObjectKey
from herald.store.kubernetes.client import ApiClient, ApiError
from herald.store.kubernetes.event_series import Count, Create, Drop, EventSeries, Verdict
from herald.store.kubernetes.sources import kind_of
from herald.store.kubernetes.watch_events import is_passing
from herald.store.store import Event, StoreError

MOST_WAITING: Final = 20_000
FIRST_RETRY_S: Final = 1.0
LONGEST_RETRY_S: Final = 30.0
GIVE_WAY_S: Final = 0.25
"""Between two events while statuses are being written in numbers: addresses first, their tidings later."""
MOST_REFUSALS: Final = 5
"""So often an event may be refused by a server that is not well: it may be well for all others."""
CLUSTER_WIDE: Final = "default"
_UNAUTHORISED, _NOT_FOUND, _CONFLICT = 401, 404, 409
_LONGEST_NAME: Final = 253

_log = logging.getLogger("herald.store.events")


class EventRecorder:
    """Speaks for `component` (`metallb-controller`). `namespace` is Herald's: for what names none and is to be in one.

    `uid` finds that of an object.

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
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._component = component
        self._instance = instance
        self._uid = uid
        self._is_busy = is_busy
        self._sleep = sleep
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
        while True:
            while not self._waiting:
                self._stirred.clear()
                await self._stirred.wait()
            if self._is_busy():
                await self._sleep(GIVE_WAY_S)
            await self._deliver(*self._waiting.popleft())

    async def _deliver(self, event: Event, instant: str, uid: str | None) -> None:
        """Until it is written, or refused for good. An outage costs the object none of its burst."""
        verdict = self._series.judge(event, uid, monotonic())
        name = f"{event.about.name[: _LONGEST_NAME - 17].rstrip('-.')}.{_mark(event, uid)}"
        pause_s, refusals = FIRST_RETRY_S, 0
        while True:
            try:
                await self._write(verdict, name, instant, uid)
            except StoreError as error:
                self._complain(event, error)
                if isinstance(error, ApiError):
                    refusals += 1
                    if refusals > MOST_REFUSALS or not _may_pass(error):
                        return
            else:
                self._is_failing = False
                return
            await self._sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_RETRY_S)

    async def _write(self, verdict: Verdict, name: str, instant: str, uid: str | None) -> None:
        event = verdict.event
        match verdict:
            case Create():
                await self._create(event, name, instant, uid)
            case Count(name=counted, count=count):
                try:
                    await self._client.patch(
                        f"{self._path(event)}/{counted}", {"count": count, "lastTimestamp": instant}
                    )
                except ApiError as error:
                    if error.status != _NOT_FOUND:
                        raise
                    self._series.lost(event, uid)
                    await self._create(event, name, instant, uid)
            case Drop(is_first=is_first):
                if is_first:
                    text = "too many events about one object, some are left out"
                    _log.warning(text, extra={"event": "eventsLeftOut", "about": str(event.about)})

    async def _create(self, event: Event, name: str, instant: str, uid: str | None) -> None:
        try:
            await self._client.create(self._path(event), self._body(event, name, instant, uid))
        except ApiError as error:
            if error.status != _CONFLICT:  # an attempt before this one was answered too late, or it stands already
                raise
        self._series.created(event, uid, name, monotonic())

    def _path(self, event: Event) -> str:
        return f"/api/v1/namespaces/{self._namespace_of(event.about) or CLUSTER_WIDE}/events"

    def _namespace_of(self, about: ObjectKey) -> str:
        """That of the object; empty if it is in none."""
        return (about.namespace or self._namespace) if kind_of(about.kind).namespaced else ""

    def _body(self, event: Event, name: str, instant: str, uid: str | None) -> dict[str, Any]:
        about = event.about
        namespace = self._namespace_of(about)
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": namespace or CLUSTER_WIDE},
            "involvedObject": {
                "apiVersion": kind_of(about.kind).api_version,
                "kind": about.kind,
                **({"namespace": namespace} if namespace else {}),
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


def _may_pass(error: ApiError) -> bool:
    """Whether the same request may be accepted later: the server, or our token, will be another one."""
    return error.status == _UNAUTHORISED or is_passing(error.status)


def _mark(event: Event, uid: str | None) -> str:
    """16 hexadecimal digits; of what stands always the same, so that it is not there twice."""
    if not event.stands:
        return secrets.token_hex(8)
    return sha256("\n".join((uid or "", event.type.value, event.reason, event.message)).encode()).hexdigest()[:16]


def _timestamp() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
