"""The controller on a store: steps performed in order, failed writes tried again, news logged once.

    watch ──▶ assigner ──▶ steps, several in flight ──▶ store
                 ▲                    │
                 └─ confirm, finish, defer

How many steps are in flight is the store's matter (`Performance.side_by_side`). One after the other, the next batch is
asked for when everything is written: a batch made before our writes would not have them. Side by side, batches are
taken at any time, and versions tell which news are older than what was written (`versions`).
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import aclosing
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

from herald.allocator.convergence import EventReason, EventType
from herald.cluster.endpoints import EndpointSlice
from herald.cluster.meta import NamespacedName
from herald.controller.assigner import Assigner, Options
from herald.controller.patience import FIRST_RETRY_S, LONGEST_RETRY_S, Patience
from herald.controller.rivalry import Rivalry, Truce
from herald.controller.step import Step, Write, WriteClaim, WriteStatus
from herald.controller.words import LogLine, contested_line, contested_text
from herald.observe.problems import ProblemLog
from herald.store.pace import Pace
from herald.store.store import KINDS, Changes, Event, StatusPatch, Store, StoreError, service_key

WATCHED: Collection[str] = KINDS.keys() - {EndpointSlice.__name__}
POOLS_PAUSE_S: Final = 1.0
"""Between two writes of pool statuses: counters change with every service."""

_log = logging.getLogger("herald.controller")


async def _nobody(_: NamespacedName) -> tuple[str, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Performance:
    """How a store wants to be written.

    `side_by_side`: steps in flight at once; more than one needs a store with versions. `rivals` tells who else writes
    the status of a service, by name.
    """

    side_by_side: int = 1
    rivals: Callable[[NamespacedName], Awaitable[tuple[str, ...]]] = _nobody


ONE_BY_ONE: Final = Performance()
REFUSALS: Final = frozenset(
    {
        EventReason.ALLOCATION_FAILED.value,
        EventReason.LOAD_BALANCER_FAILED.value,
        EventReason.NOT_ENOUGH_CLUSTER_IPS.value,
        EventReason.NO_CLUSTER_IPS_FAMILY.value,
    }
)
"""Events that say that a service gets nothing, or not what it asks for."""


def _nothing(*_: object) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Hearing:
    """Who counts. `changed`: a batch was taken over. `failed`: a write was, and will be tried again. `refused`: an
    operator was told so, by an event with this reason.
    """

    changed: Callable[[], None] = _nothing
    failed: Callable[[], None] = _nothing
    refused: Callable[[str], None] = _nothing


NOBODY: Final = Hearing()


async def run(store: Store, options: Options, performance: Performance = ONE_BY_ONE) -> None:
    """Assign addresses for ever. Raises StoreError only if the claims cannot be read at the start."""
    await Controller(store, Assigner(options, await store.read_claims()), performance).run()


class Controller:
    """Performs what `assigner` wants on `store`, and tells `hearing` of it."""

    def __init__(
        self,
        store: Store,
        assigner: Assigner,
        performance: Performance = ONE_BY_ONE,
        hearing: Hearing = NOBODY,
    ) -> None:
        self._store = store
        self._assigner = assigner
        self._performance = performance
        self._hearing = hearing
        self._problems = ProblemLog(_log)
        self._patience: Patience[NamespacedName] = Patience(performance.side_by_side)
        self._rivalry: Rivalry[NamespacedName] = Rivalry()
        self._flights: dict[NamespacedName, asyncio.Task[bool]] = {}
        self._counting: asyncio.Task[None] | None = None
        self._count_at = 0.0
        self._count_busy_at = monotonic() + POOLS_PAUSE_S
        self._count_retry_s = FIRST_RETRY_S

    async def run(self) -> None:
        """For as long as the watch goes on."""
        async with aclosing(self._store.watch(WATCHED)) as watch, asyncio.TaskGroup() as tasks:
            reading = tasks.create_task(_next(watch))
            while True:
                await self._something(reading)
                taken = reading.done()
                if taken:
                    self._assigner.take(reading.result())
                    self._problems.tell(self._assigner.problems)
                    self._hearing.changed()
                self._assigner.retry(self._patience.take_due(monotonic()))
                await self._begin_steps(tasks)
                self._count_pools(tasks)
                while taken and not self._may_read():
                    await self._something(None)
                    await self._begin_steps(tasks)
                    self._count_pools(tasks)
                if taken:
                    reading = tasks.create_task(_next(watch))

    def _may_read(self) -> bool:
        return self._performance.side_by_side > 1 or not (self._flights or self._counting)

    async def _something(self, reading: "asyncio.Task[Changes] | None") -> None:
        """Until there is a batch, or a write has ended, or it is time to try something again."""
        awaited: set[asyncio.Task[Any]] = {*self._flights.values()}
        awaited |= {task for task in (reading, self._counting) if task is not None}
        now = monotonic()
        instants = [self._patience.deadline(now)]
        if self._counting is None and self._count_at > now:
            instants.append(self._count_at)
        timeout = min((max(instant - now, 0.0) for instant in instants if instant is not None), default=None)
        await asyncio.wait(awaited, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)

    async def _begin_steps(self, tasks: asyncio.TaskGroup) -> None:
        pace = Pace()
        while len(set(self._flights.values())) < self._patience.slots(monotonic()):
            step = self._assigner.next_step()
            if step is None:
                return
            if not step.writes:
                await self._tell(step)
            elif not step.restores or self._may_restore(step, tasks):
                flight = tasks.create_task(self._perform(step, self._flights_of(step.after)))
                self._flights.update(dict.fromkeys(step.services, flight))
            await pace.breathe()

    def _flights_of(self, services: Collection[NamespacedName]) -> set[asyncio.Task[bool]]:
        return {self._flights[key] for key in services if key in self._flights}

    async def _perform(self, step: Step, before: "set[asyncio.Task[bool]]") -> bool:
        """Write the step, if `before` were all written. Gives whether it was."""
        try:
            if before:
                await asyncio.wait(before)
            if not all(flight.result() for flight in before):
                self._fail(step, None)
                return False
            return await self._write_all(step)
        finally:
            for key in step.services:
                del self._flights[key]

    async def _write_all(self, step: Step) -> bool:
        for write in step.writes:
            try:
                version = await self._write(write)
            except StoreError as error:
                self._fail(step, error)
                return False
            self._assigner.confirm(write, version)
        self._assigner.finish(step)
        self._patience.succeeded(step.service, monotonic())
        await self._tell(step)
        return True

    def _fail(self, step: Step, error: StoreError | None) -> None:
        self._assigner.defer(step)
        self._patience.failed(step.service, monotonic())
        if error is not None:
            self._hearing.failed()
            text = "failed to update service, will try again"
            fields = {"op": "updateServiceStatus", "service": str(step.service), "error": str(error)}
            _log.error(text, extra=fields)

    async def _write(self, write: Write) -> str:
        match write:
            case WriteStatus():
                return await self._store.patch_status(write.patch)
            case WriteClaim(service=service, claim=claim):
                await self._store.write_claim(service, claim)
                return ""

    async def _tell(self, step: Step) -> None:
        for line in step.lines:
            _tell(line)
        for event in step.events:
            if event.reason in REFUSALS:
                self._hearing.refused(event.reason)
            await self._record(event)

    async def _record(self, event: Event) -> None:
        try:
            await self._store.record_event(event)
        except StoreError as error:
            _log.warning("event not recorded", extra={"event": event.reason, "error": str(error)})

    def _may_restore(self, step: Step, tasks: asyncio.TaskGroup) -> bool:
        now = monotonic()
        truce = self._rivalry.overwritten(step.service, now)
        if truce is None:
            return True
        self._assigner.defer(step)
        self._patience.put_off(step.service, truce.until)
        if truce.is_new:
            tasks.create_task(self._complain(step.service, truce, now))
        return False

    async def _complain(self, service: NamespacedName, truce: Truce, now: float) -> None:
        try:
            rivals = await self._performance.rivals(service)
        except StoreError as error:
            _log.warning("cannot find out who else writes the status", extra={"error": str(error)})
            rivals = ()
        _tell(contested_line(str(service), rivals, truce.until - now))
        text = contested_text(rivals, truce.until - now)
        await self._record(Event(service_key(service), EventType.WARNING, "StatusContested", text))

    def _count_pools(self, tasks: asyncio.TaskGroup) -> None:
        now = monotonic()
        is_busy = bool(self._flights) and now < self._count_busy_at
        if self._counting is None and now >= self._count_at and not is_busy:
            patches = self._assigner.pool_patches()
            if patches:
                self._counting = tasks.create_task(self._write_pools(patches))

    async def _write_pools(self, patches: tuple[StatusPatch, ...]) -> None:
        retry_s = FIRST_RETRY_S
        for patch in patches:
            try:
                version = await self._store.patch_status(patch)
            except StoreError as error:
                self._hearing.failed()
                retry_s = min(2 * self._count_retry_s, LONGEST_RETRY_S)
                text = "failed to update pool status, will try again"
                fields = {"op": "updatePoolStatus", "pool": patch.about.name, "error": str(error)}
                _log.error(text, extra=fields)
            else:
                self._assigner.confirm_pool(patch, version)
        self._count_busy_at = monotonic() + POOLS_PAUSE_S
        self._count_at = self._count_busy_at if retry_s == FIRST_RETRY_S else monotonic() + retry_s
        self._count_retry_s, self._counting = retry_s, None


def _tell(line: LogLine) -> None:
    _log.log(line.level, line.message, extra=line.fields)


async def _next(watch: AsyncIterator[Changes]) -> Changes:
    return await anext(watch)
