"""The shell of `leadership`: reads and writes the Lease, and runs the work of the leader while we lead.

What the work writes goes by `fence`: nothing is sent once we lead no longer, and the Lease is given back only after all
that was sent has been answered. Verbs: `create` on leases, `get` and `update` on our own.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Final, assert_never

import msgspec

from herald.store.kubernetes.client import ApiClient, ApiError
from herald.store.kubernetes.fence import Fence
from herald.store.kubernetes.leadership import (
    LEASE_S,
    Effect,
    Event,
    GiveBack,
    Granted,
    Leadership,
    Lease,
    Leaving,
    Lost,
    Observed,
    Read,
    Refused,
    Take,
)
from herald.store.kubernetes.watch_events import NO_JSON
from herald.store.store import StoreError

NAME: Final = "metallb-controller"
REQUEST_S: Final = 3.0
"""A request that hangs is given up. Well below what is between the end of our lead and the beginning of another."""
SETTLE_S: Final = 3.0
"""How long what was sent last is waited for. With two requests of our own still less than what a pod has to end."""
_NOT_FOUND, _CONFLICT = 404, 409

_log = logging.getLogger("herald.lease")


class _Spec(msgspec.Struct, frozen=True, rename="camel"):
    holder_identity: str | None = None
    renew_time: str | None = None
    acquire_time: str | None = None
    lease_transitions: int | None = None


class _Meta(msgspec.Struct, frozen=True, rename="camel"):
    resource_version: str = ""
    uid: str = ""


class _LeaseObject(msgspec.Struct, frozen=True):
    metadata: _Meta
    spec: _Spec = _Spec()


class LeaseElection:
    """One candidate for the Lease `name` in `namespace`. `identity` must be that of no other process that lives."""

    def __init__(self, client: ApiClient, namespace: str, identity: str, name: str = NAME) -> None:
        self._client = client
        self._collection = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._metadata = {"name": name, "namespace": namespace}
        self._path = f"{self._collection}/{name}"
        self._identity = identity
        self._machine = Leadership(identity, _now())
        self.fence = Fence(self.leads)
        """For whatever only a leader may write."""
        self._holder = ""
        self._complaint = ""
        self._answer: asyncio.Task[Event] | None = None

    def leads(self) -> bool:
        """Whether we lead at this very moment."""
        return self._machine.leads(_now())

    @property
    def holder(self) -> str:
        """Who led when we last looked; empty for nobody."""
        return self._machine.snapshot().holder

    async def run(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do `work` whenever we lead, and cancel it when we do no longer. For ever.

        Cancelled, it ends the work, waits for what was sent by `fence`, and gives the Lease back.

        Raises what `work` raises.
        """
        working: asyncio.Task[None] | None = None
        try:
            effects = self._machine.wake(_now())
            while True:
                if effects:
                    self._answer = asyncio.ensure_future(self._perform(effects[0]))
                    event = await asyncio.shield(self._answer)
                    self._answer = None
                    effects = self._machine.handle(event, _now())
                else:
                    await self._wait(working)
                    effects = self._machine.wake(_now())
                working = await self._align(working, work)
        finally:
            await self._leave(working)

    async def _align(
        self, working: "asyncio.Task[None] | None", work: Callable[[], Awaitable[None]]
    ) -> "asyncio.Task[None] | None":
        if working is not None and working.done():
            working.result()
        self._tell_holder()
        if self.leads() == (working is not None):
            return working
        if working is None:
            _log.info("this controller leads", extra={"event": "leading", "identity": self._identity})
            return asyncio.ensure_future(work())
        _log.warning("this controller leads no longer", extra={"event": "leadLost", "identity": self._identity})
        await _end(working)
        if not working.cancelled():
            working.result()
        return None

    async def _wait(self, working: "asyncio.Task[None] | None") -> None:
        deadline = self._machine.deadline()
        timeout = None if deadline is None else max(0.0, deadline - _now())
        if working is None:
            await asyncio.sleep(timeout or 0.0)
        else:
            await asyncio.wait({working}, timeout=timeout)

    async def _perform(self, effect: Effect) -> Event:
        try:
            async with asyncio.timeout(REQUEST_S):
                event = await self._request(effect)
        except ApiError as error:
            if error.status == _CONFLICT or (error.status == _NOT_FOUND and effect != Take(None)):
                _log.info("the Lease has changed meanwhile: %s", error, extra={"event": "leaseClash"})
                return Lost()
            self._complain(str(error))
            return Refused()
        except (StoreError, TimeoutError, *NO_JSON) as error:
            self._complain(str(error) or f"no answer within {REQUEST_S:.0f} s")
            return Refused()
        self._complaint = ""
        return event

    async def _request(self, effect: Effect) -> Event:
        match effect:
            case Read():
                try:
                    return Observed(_lease(await self._client.get(self._path)))
                except ApiError as error:
                    if error.status == _NOT_FOUND:
                        return Observed(None)
                    raise
            case Take(lease=None):
                now = _timestamp()
                return Granted(_lease(await self._client.create(self._collection, self._body(None, now, now, 0))))
            case Take(lease=lease):
                assert lease is not None
                is_ours = lease.holder == self._identity
                acquired = lease.acquired if is_ours and lease.acquired else _timestamp()
                body = self._body(lease, _timestamp(), acquired, lease.transitions + (not is_ours))
                return Granted(_lease(await self._client.replace(self._path, body)))
            case GiveBack(lease=lease):
                body = self._body(lease, _timestamp(), lease.acquired, lease.transitions)
                body["spec"] |= {"holderIdentity": "", "leaseDurationSeconds": 1}
                return Granted(_lease(await self._client.replace(self._path, body)))
        assert_never(effect)

    def _body(self, lease: Lease | None, renewed: str, acquired: str, transitions: int) -> dict[str, Any]:
        # Without its uid a Lease that somebody has deleted would be made again by a renewal, whoever led meanwhile.
        version = {} if lease is None else {"resourceVersion": lease.version, "uid": lease.uid}
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {**self._metadata, **version},
            "spec": {
                "holderIdentity": self._identity,
                "leaseDurationSeconds": round(LEASE_S),
                "acquireTime": acquired or renewed,
                "renewTime": renewed,
                "leaseTransitions": transitions,
            },
        }

    async def _leave(self, working: "asyncio.Task[None] | None") -> None:
        effects = self._machine.handle(Leaving(), _now())
        # From here on nothing new is sent.
        if working is not None:
            await _end(working)
        if not await self.fence.settled(SETTLE_S):
            _log.warning("not given back, for a write has not been answered: the Lease", extra={"event": "leaseKept"})
            return
        if self._answer is not None:
            effects += self._machine.handle(await self._answer, _now())
        for effect in effects:
            await self._perform(effect)

    def _tell_holder(self) -> None:
        holder = self.holder
        if holder and holder not in (self._holder, self._identity):
            _log.info("another controller leads: %s", holder, extra={"event": "following", "holder": holder})
        self._holder = holder

    def _complain(self, why: str) -> None:
        if not self._complaint:
            _log.warning("the Lease cannot be read or written: %s", why, extra={"event": "leaseTrouble", "error": why})
        self._complaint = why


async def _end(working: "asyncio.Task[None]") -> None:
    working.cancel()
    await asyncio.wait({working})


def _lease(content: bytes) -> Lease:
    found = msgspec.json.decode(content, type=_LeaseObject)
    spec = found.spec
    return Lease(
        holder=spec.holder_identity or "",
        version=found.metadata.resource_version,
        uid=found.metadata.uid,
        renewed=spec.renew_time or "",
        acquired=spec.acquire_time or "",
        transitions=spec.lease_transitions or 0,
    )


def _now() -> float:
    """Monotonic, and going on while the machine is suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _timestamp() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
