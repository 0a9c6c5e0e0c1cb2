"""ServiceL2Status objects of nodes that answered for a service before this one: they are removed by the new owner."""

from collections.abc import Callable, Iterable, Iterator
from time import monotonic
from typing import Final

import msgspec

from herald.cluster.meta import NodeName
from herald.speaker.own_objects import collection, kind_of
from herald.speaker.status_object import LABEL_NODE, StatusKind, label_value, subject_of
from herald.store.kubernetes.client import ApiClient
from herald.store.kubernetes.objects import Objects
from herald.store.kubernetes.watch_events import NO_JSON
from herald.store.store import StoreError

PAGE: Final = 500
FIRST_RETRY_S: Final = 1.0
LONGEST_RETRY_S: Final = 60.0


class _Meta(msgspec.Struct, frozen=True):
    name: str
    labels: dict[str, str] = {}


class _Object(msgspec.Struct, frozen=True):
    metadata: _Meta


class _ListMeta(msgspec.Struct, frozen=True):
    next: str = msgspec.field(name="continue", default="")


class _List(msgspec.Struct, frozen=True):
    items: tuple[_Object, ...] = ()
    metadata: _ListMeta = _ListMeta()


_decoder: Final = msgspec.json.Decoder(_List)


class Superseded:
    """Finds and removes them. `is_ours`: whether this node (still) is to answer for a service, by `namespace/name`."""

    def __init__(
        self, client: ApiClient, objects: Objects, namespace: str, node: NodeName, is_ours: Callable[[str], bool]
    ) -> None:
        self._client = client
        self._objects = objects
        self._namespace = namespace
        self._node = node
        self._is_ours = is_ours
        self._expected: set[str] = set()
        self._wait_s = FIRST_RETRY_S
        self._not_before = 0.0

    def expect(self, service: str) -> None:
        """This node has begun to answer for it; another one may have done so before."""
        self._expected.add(service)

    def deadline(self) -> float | None:
        """When `sweep` is to be called, in monotonic seconds."""
        return self._not_before if self._expected else None

    async def sweep(self) -> None:
        """One list for all that is expected. Raises StoreError; then it will be tried again at `deadline`."""
        if not self._expected or monotonic() < self._not_before:
            return
        expected, self._expected = self._expected, set()
        try:
            kind = kind_of(StatusKind.LAYER2)
            for name in [name for name in await self._others() if name[0] in expected and self._is_ours(name[0])]:
                await self._objects.delete(kind, self._namespace, name[1])
        except StoreError:
            self._expected |= expected
            self._not_before = monotonic() + self._wait_s
            self._wait_s = min(2 * self._wait_s, LONGEST_RETRY_S)
            raise
        self._wait_s = FIRST_RETRY_S

    async def _others(self) -> list[tuple[str, str]]:
        """Subject and name of the objects of all other nodes."""
        found: list[tuple[str, str]] = []
        following = ""
        while True:
            params: dict[str, str | int | bool] = {
                "labelSelector": f"{LABEL_NODE}!={label_value(self._node)}",
                "limit": PAGE,
            }
            if following:
                params["continue"] = following
            path = collection(StatusKind.LAYER2, self._namespace)
            try:
                page = _decoder.decode(await self._client.get(path, params))
            except NO_JSON as error:
                raise StoreError(f"{path}: the answer cannot be read: {error}") from error
            found += _subjects(page.items)
            following = page.metadata.next
            if not following:
                return found


def _subjects(items: Iterable[_Object]) -> Iterator[tuple[str, str]]:
    for item in items:
        subject = subject_of(StatusKind.LAYER2, item.metadata.labels)
        if subject is not None:
            yield subject, item.metadata.name
