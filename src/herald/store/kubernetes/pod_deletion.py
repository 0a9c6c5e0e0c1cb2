"""Whether one pod is being deleted: how a speaker knows that it is replaced, and not stopped with its host."""

import logging
from collections.abc import AsyncGenerator
from typing import Final

import msgspec

from herald.cluster.meta import ObjectMeta
from herald.store.kubernetes.client import ApiClient
from herald.store.kubernetes.reflector import Reflection
from herald.store.kubernetes.refusals import Refusals
from herald.store.kubernetes.watch_events import NO_JSON, Fact, Present, Put, Remove

_log: Final = logging.getLogger("herald.store")


class _Pod(msgspec.Struct, frozen=True):
    metadata: ObjectMeta = ObjectMeta()


_pod = msgspec.json.Decoder(_Pod)


class Deletion:
    """What the watch has said of the pod. None: nothing yet."""

    def __init__(self) -> None:
        self._refusals = Refusals(_log, "pods", "this speaker cannot tell its replacement from the end of its host")
        self.is_deleted: bool | None = None

    def take(self, fact: Fact) -> None:
        """One thing that the watch says."""
        self._refusals.take(fact)
        match fact:
            case Present() | Put():
                self.is_deleted = _has_deletion(fact.raw)
            case Remove():
                self.is_deleted = True


def _has_deletion(raw: bytes) -> bool | None:
    try:
        return _pod.decode(raw).metadata.deletion_timestamp is not None
    except NO_JSON:
        return None


async def pod_deletion(client: ApiClient, namespace: str, name: str) -> AsyncGenerator[bool, None]:
    """Whether the pod is being deleted, when that is known and whenever it has changed."""
    deletion = Deletion()
    reflection = Reflection(client)
    reflection.start(f"/api/v1/namespaces/{namespace}/pods", {"fieldSelector": f"metadata.name={name}"}, deletion.take)
    told: bool | None = None
    try:
        while True:
            await reflection.news()
            if deletion.is_deleted is not None and deletion.is_deleted != told:
                told = deletion.is_deleted
                yield told
    finally:
        await reflection.stop()
