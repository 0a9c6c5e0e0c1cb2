"""Performs what a `StatusBook` asks for, at leisure: nothing here holds up what is announced.

A burst is given a moment to end, writes are rationed, and what fails is tried again later with what is wanted by then.
When this node begins to answer for services, the ServiceL2Status objects that other nodes left behind are removed: one
list for however many services. The same is done once after the start, for what an earlier process left undone.

While the API server does not answer, one write in a while finds out whether it does again.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from time import monotonic
from typing import Final

from herald.announcement.reason import Protocol
from herald.cluster.meta import NamespacedName, NodeName
from herald.speaker import happening, status_document
from herald.speaker.own_objects import kind_of
from herald.speaker.pledges import Pledges
from herald.speaker.ration import Ration
from herald.speaker.status_book import Action, Remove, Slot, StatusBook, Write
from herald.speaker.status_object import Judgement, SessionReport, StatusKind, label_value, labels, object_name
from herald.speaker.superseded import Superseded
from herald.store.kubernetes.client import ApiError
from herald.store.kubernetes.objects import Objects, Owner
from herald.store.kubernetes.watch_events import is_passing
from herald.store.store import Event, StoreError

COLLAPSE_S: Final = 0.1
PER_SECOND: Final = 20.0
BURST: Final = 40
COMPLAIN_EVERY_S: Final = 60.0
FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 15.0
_UNPROCESSABLE: Final = 422

_log: Final = logging.getLogger("herald.speaker.status")


class StatusWriter:
    """Writes the objects of `node` into `namespace` by `objects`; tells events to `tell` and failures to `failed`."""

    def __init__(
        self,
        book: StatusBook,
        node: NodeName,
        namespace: str,
        objects: Objects,
        superseded: Superseded,
        tell: Callable[[Event], None],
        failed: Callable[[], None] = lambda: None,
    ) -> None:
        self._book = book
        self._node = node
        self._namespace = namespace
        self._objects = objects
        self._superseded = superseded
        self._tell = tell
        self._failed = failed
        self._pause_s = FIRST_PAUSE_S
        self._has_swept = False
        self._stirred = asyncio.Event()
        self._ration = Ration(PER_SECOND, BURST)
        self._pledges = Pledges(node, self._report_of)
        self._complained_at: float | None = None
        self._judged: Judgement | None = None

    def stir(self) -> None:
        """The book may have something to do."""
        self._stirred.set()

    async def run(self, owner: Owner | None) -> None:
        """For ever. `owner` is this pod, if it is one."""
        while True:
            await self._wait()
            while (action := self._book.next(monotonic())) is not None:
                await asyncio.sleep(self._ration.take(monotonic()))
                try:
                    await self._perform(action, owner)
                except StoreError as error:
                    self._book.failed(action, monotonic())
                    self._complain(str(error))
                    await self._make_room(action, error)
                    await self._pause(error)
            self._tell_of_pledges()
            await self._sweep()

    async def _pause(self, error: StoreError) -> None:
        """After a failure that any other write would have met as well."""
        if not isinstance(error, ApiError) or is_passing(error.status):
            await asyncio.sleep(self._pause_s)
            self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)

    async def _sweep(self) -> None:
        if not self._has_swept and self._book.is_complete(StatusKind.LAYER2):
            self._has_swept = True
            for subject in self._book.subjects(StatusKind.LAYER2):
                self._superseded.expect(subject)
        try:
            await self._superseded.sweep()
        except StoreError as error:
            self._complain(str(error))

    async def _wait(self) -> None:
        deadlines = (self._book.deadline(), self._superseded.deadline(), self._pledges.deadline())
        times = [time for time in deadlines if time is not None]
        timeout_s = max(0.0, min(times) - monotonic()) if times else None
        try:
            async with asyncio.timeout(timeout_s):
                await self._stirred.wait()
                await asyncio.sleep(COLLAPSE_S)
        except TimeoutError:
            pass  # the book has something to do that was put off
        self._stirred.clear()

    async def _perform(self, action: Action, owner: Owner | None) -> None:
        """Raises StoreError."""
        if self._is_overtaken(action):
            return
        match action:
            case Write():
                await self._write(action, owner)
            case Remove(slot, name):
                await self._objects.delete(kind_of(slot.kind), self._namespace, name)
        self._book.done(action, monotonic())
        self._pause_s = FIRST_PAUSE_S
        if self._complained_at is not None:
            self._complained_at = None
            _log.info("statuses are written again", extra={"event": "statusWritten"})
        if isinstance(action, Write):
            self._tell_of(action)

    def _is_overtaken(self, action: Action) -> bool:
        """Whether something else is wanted since the action waits for its turn; the book asks for that by itself."""
        wanted = self._book.wanted(action.slot)
        return wanted != action.essence if isinstance(action, Write) else False

    async def _write(self, action: Write, owner: Owner | None) -> None:
        slot = action.slot
        time, essence = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), action.essence
        if isinstance(essence, Judgement):
            before = self._judged or (action.before if isinstance(action.before, Judgement) else None)
            essence = self._judged = essence.dated(before, time)
        await self._objects.apply(
            kind_of(slot.kind),
            self._namespace,
            action.name or object_name(slot.kind, self._node, slot.subject),
            labels=labels(slot.kind, self._node, slot.subject),
            owner=owner,
            spec=None,
            status=status_document.write(self._node, slot.subject, essence, time),
        )

    async def _make_room(self, action: Action, error: StoreError) -> None:
        """An object whose fixed fields are wrong cannot be put right: it goes, and another is made."""
        if isinstance(action, Write) and action.name and isinstance(error, ApiError) and error.status == _UNPROCESSABLE:
            try:
                await self._objects.delete(kind_of(action.slot.kind), self._namespace, action.name)
            except StoreError as why:
                self._complain(str(why))

    def _complain(self, why: str) -> None:
        """Once in a while: during an outage every object has a complaint of its own."""
        self._failed()
        now = monotonic()
        if self._complained_at is None or now - self._complained_at >= COMPLAIN_EVERY_S:
            self._complained_at = now
            extra = {"event": "statusNotWritten", "error": why}
            _log.warning("a status cannot be written, it will be tried again: %s", why, extra=extra)

    def _tell_of(self, action: Write) -> None:
        match action:
            case Write(Slot(StatusKind.LAYER2, subject), before=None):
                self._tell(happening.node_assigned(NamespacedName.parse(subject), self._node, Protocol.LAYER2))
                self._superseded.expect(subject)
            case Write(Slot(StatusKind.BGP, subject), tuple() as peers, before=None):
                self._pledges.want(NamespacedName.parse(subject), peers, monotonic())
            case Write(essence=SessionReport() as now, before=before):
                report = before if isinstance(before, SessionReport) else None
                for what in (happening.bfd_event, happening.session_event):
                    event = what(self._namespace, self._node, report, now)
                    if event is not None:
                        self._tell(event)

    def _tell_of_pledges(self) -> None:
        for service in self._pledges.services():
            peers = self._book.wanted(Slot(StatusKind.BGP, str(service)))
            self._pledges.change(service, peers if isinstance(peers, tuple) else ())
        for event in self._pledges.due(monotonic()):
            self._tell(event)

    def _report_of(self, peer: str) -> SessionReport | None:
        report = self._book.wanted(Slot(StatusKind.SESSION, label_value(peer)))
        return report if isinstance(report, SessionReport) else None
