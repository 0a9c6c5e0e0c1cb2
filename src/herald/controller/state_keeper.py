"""Keeps ConfigurationState `controller` true: written when it changes, looked at now and then, restored if need be.

Verbs: `get`, `create` and `patch` on configurationstates, `patch` on configurationstates/status, `get` on pods.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from herald.api import scheme
from herald.config.problem import Problem
from herald.controller import state
from herald.store.kubernetes.answer import read_answer
from herald.store.kubernetes.client import ApiClient, ApiError
from herald.store.kubernetes.objects import Objects, Owner
from herald.store.store import StoreError

LOOK_S: Final = 60.0
"""Somebody may delete or edit it; that it is looked at costs a read."""
FIRST_RETRY_S: Final = 1.0
LONGEST_RETRY_S: Final = 30.0
_NOT_FOUND: Final = 404

_log = logging.getLogger("herald.controller")


class _Meta(msgspec.Struct, frozen=True):
    uid: str = ""


class _Pod(msgspec.Struct, frozen=True):
    metadata: _Meta


class _Found(msgspec.Struct, frozen=True):
    status: dict[str, Any] = {}


class StateKeeper:
    """Owner of the object is pod `pod`, None outside of pods."""

    def __init__(self, client: ApiClient, namespace: str, pod: str | None) -> None:
        kind = scheme.find("metallb.io/v1beta1", "ConfigurationState")
        assert kind is not None
        self._kind = kind
        self._client = client
        self._objects = Objects(client)
        self._namespace = namespace
        self._pod = pod
        self._owner: Owner | None = None
        self._wanted: Mapping[str, Any] | None = None
        self._stirred = asyncio.Event()

    def tell(self, problems: Iterable[Problem]) -> None:
        """These are all the problems there are now."""
        now_wanted = state.wanted(problems)
        if now_wanted != self._wanted:
            self._wanted = now_wanted
            self._stirred.set()

    async def run(self) -> None:
        """For ever."""
        pause_s, complaint = FIRST_RETRY_S, ""
        while True:
            self._stirred.clear()
            try:
                await self._bring_about()
            except StoreError as error:
                if str(error) != complaint:
                    complaint = str(error)
                    text = "ConfigurationState controller not written, will try again: %s"
                    _log.warning(text, error, extra={"event": "stateNotWritten", "error": complaint})
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_RETRY_S)
                continue
            pause_s, complaint = FIRST_RETRY_S, ""
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._stirred.wait()

    async def _bring_about(self) -> None:
        if self._wanted is None:
            return
        found = await self._read()
        conditions = found.get("conditions", []) if found is not None else []
        if found is not None and {"errorSummary": "", **found, "conditions": _timeless(conditions)} == self._wanted:
            return
        if self._pod is not None and self._owner is None:
            path = f"/api/v1/namespaces/{self._namespace}/pods/{self._pod}"
            uid = read_answer(await self._client.get(path), _Pod, path).metadata.uid
            self._owner = Owner("v1", "Pod", self._pod, uid)
        instant = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        await self._objects.apply(
            self._kind,
            self._namespace,
            state.NAME,
            labels=state.LABELS,
            owner=self._owner,
            status=state.dated(self._wanted, instant, conditions),
        )

    async def _read(self) -> Mapping[str, Any] | None:
        """The object's status; None if there is no object."""
        root, plural = self._kind.path.rsplit("/", 1)
        path = f"{root}/namespaces/{self._namespace}/{plural}/{state.NAME}"
        try:
            return read_answer(await self._client.get(path), _Found, path).status
        except ApiError as error:
            if error.status == _NOT_FOUND:
                return None
            raise


def _timeless(conditions: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in each.items() if name != "lastTransitionTime"} for each in conditions]
