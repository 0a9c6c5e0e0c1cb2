"""The controller on a store: steps performed in order, failed writes tried again, news logged once."""

import asyncio
import logging
from collections.abc import Collection
from contextlib import aclosing

from herald.cluster.endpoints import EndpointSlice
from herald.controller.assigner import Assigner, Options
from herald.controller.step import Step, Write, WriteClaim, WriteStatus
from herald.observe.problems import ProblemLog
from herald.store.pace import Pace
from herald.store.store import KINDS, Store, StoreError

WATCHED: Collection[str] = KINDS.keys() - {EndpointSlice.__name__}
FIRST_RETRY_S = 0.05
LONGEST_RETRY_S = 30.0

_log = logging.getLogger("herald.controller")


async def run(store: Store, options: Options) -> None:
    """Assign addresses for ever. Raises StoreError only if the claims cannot be read at the start."""
    await Controller(store, Assigner(options, await store.read_claims())).run()


class Controller:
    """Performs what `assigner` wants on `store`."""

    def __init__(self, store: Store, assigner: Assigner) -> None:
        self._store = store
        self._assigner = assigner
        self._problems = ProblemLog(_log)
        self._retry_s = FIRST_RETRY_S
        self._pools_failed = False

    async def run(self) -> None:
        """For as long as the watch goes on."""
        async with aclosing(self._store.watch(WATCHED)) as watch:
            batch = asyncio.ensure_future(anext(watch))
            try:
                while True:
                    await asyncio.wait({batch}, timeout=self._retry_s if self._has_failed else None)
                    if batch.done():
                        self._assigner.take(batch.result())
                        self._problems.tell(self._assigner.problems)
                    if self._has_failed:
                        self._assigner.retry()
                    await self._work()
                    if batch.done():
                        # Asked for only now: a batch made before our writes would not have them.
                        batch = asyncio.ensure_future(anext(watch))
            finally:
                batch.cancel()
                await asyncio.wait({batch})

    @property
    def _has_failed(self) -> bool:
        return self._assigner.wants_retry or self._pools_failed

    async def _work(self) -> None:
        pace = Pace()
        while (step := self._assigner.next_step()) is not None:
            await self._perform(step)
            await pace.breathe()
        await self._write_pools()
        self._retry_s = min(2 * self._retry_s, LONGEST_RETRY_S) if self._has_failed else FIRST_RETRY_S

    async def _perform(self, step: Step) -> None:
        for write in step.writes:
            try:
                await self._write(write)
            except StoreError as error:
                self._assigner.defer(step)
                text = "failed to update service, will try again"
                fields = {"op": "updateServiceStatus", "service": str(step.service), "error": str(error)}
                _log.error(text, extra=fields)
                return
            self._assigner.confirm(write)
        for line in step.lines:
            _log.log(line.level, line.message, extra=line.fields)
        for event in step.events:
            try:
                await self._store.record_event(event)
            except StoreError as error:
                _log.warning("event not recorded", extra={"event": event.reason, "error": str(error)})

    async def _write(self, write: Write) -> None:
        match write:
            case WriteStatus():
                await self._store.patch_status(write.patch)
            case WriteClaim(service=service, claim=claim):
                await self._store.write_claim(service, claim)

    async def _write_pools(self) -> None:
        self._pools_failed = False
        for patch in self._assigner.pool_patches():
            try:
                await self._store.patch_status(patch)
            except StoreError as error:
                self._pools_failed = True
                text = "failed to update pool status, will try again"
                fields = {"op": "updatePoolStatus", "pool": patch.about.name, "error": str(error)}
                _log.error(text, extra=fields)
            else:
                self._assigner.confirm_pool(patch)
