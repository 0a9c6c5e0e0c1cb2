"""Statuses and events on their way to the API server: the writing half of the store.

    Service          PATCH services/status         merge patch: status.loadBalancer as a whole, and two annotations
    IPAddressPool    PATCH ipaddresspools/status   merge patch: the counters
    Event            POST and PATCH events         see `event_recorder`

One request for each change. It names the version that it is for, so that an address is never written over a service
that has become something else: such a patch is refused (409, `StaleError`). Other parts of a status, such as
conditions, stay. Verbs: `patch` on services/status and ipaddresspools/status, `create` and `patch` on events; `get` on
services to find out who else writes a status.

Claims travel with the Service, in an annotation that is written with the status: whoever reads the object has both.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import msgspec

from herald.cluster.meta import NamespacedName
from herald.cluster.service import CLAIMED_ADDRESSES
from herald.store.kubernetes.answer import read_answer
from herald.store.kubernetes.client import ApiClient, ApiError
from herald.store.kubernetes.event_recorder import EventRecorder
from herald.store.kubernetes.sources import kind_of
from herald.store.store import Claim, Event, StaleError, StatusPatch, service_key

MANY: Final = 4
_CONFLICT: Final = 409


class _Manager(msgspec.Struct, frozen=True, rename={"fields": "fieldsV1"}):
    manager: str = ""
    subresource: str = ""
    fields: dict[str, Any] = {}

    @property
    def has_addresses(self) -> bool:
        """Whether it is the last who wrote addresses."""
        return "f:loadBalancer" in self.fields.get("f:status", {})


class _Meta(msgspec.Struct, frozen=True, rename="camel"):
    resource_version: str = ""
    managed_fields: tuple[_Manager, ...] = ()


class _Written(msgspec.Struct, frozen=True):
    metadata: _Meta


class ClusterWriter:
    """Writes by `client`; where only a leader may write, that client stands behind a fence (see `fence`)."""

    def __init__(self, client: ApiClient, events: EventRecorder, *, manager: str = "") -> None:
        self._client = client
        self._events = events
        self._manager = manager
        self._under_way = 0

    @property
    def is_busy(self) -> bool:
        """Whether statuses are being written in numbers."""
        return self._under_way >= MANY

    async def patch_status(self, patch: StatusPatch) -> str:
        """See `Store.patch_status`."""
        path = f"{_path(patch)}/status"
        self._under_way += 1
        try:
            answer = await self._client.patch(path, body_of(patch))
        except ApiError as error:
            if error.status == _CONFLICT:
                raise StaleError(str(error)) from error
            raise
        finally:
            self._under_way -= 1
        return read_answer(answer, _Written, path).metadata.resource_version

    async def read_claims(self) -> Mapping[NamespacedName, Claim]:
        """None: every Service brings its own along."""
        return {}

    async def write_claim(self, service: NamespacedName, claim: Claim) -> None:
        """Nothing: the claim was, or will be, written with the status."""

    async def record_event(self, event: Event) -> None:
        """See `Store.record_event`. Returns at once."""
        self._events.record(event)

    async def rivals(self, service: NamespacedName) -> tuple[str, ...]:
        """The field managers, other than we, that wrote the addresses in the status of a service.

        Raises StoreError.
        """
        path = f"/api/v1/namespaces/{service.namespace}/services/{service.name}"
        managers = read_answer(await self._client.get(path), _Written, path).metadata.managed_fields
        return tuple(sorted({each.manager for each in managers if each.has_addresses} - {self._manager}))


def body_of(patch: StatusPatch) -> dict[str, Any]:
    """The merge patch. In a Service `status.loadBalancer` is replaced as a whole, and the claim goes with it."""
    if patch.about == service_key(NamespacedName(patch.about.namespace, patch.about.name)):
        ingress = patch.status.get("loadBalancer", {}).get("ingress") or None
        claim = ",".join(entry["ip"] for entry in ingress) if ingress else None
        # Null takes away what a rival may have put there.
        patch = replace(
            patch,
            status={"loadBalancer": {"ingress": ingress}},
            annotations={**patch.annotations, CLAIMED_ADDRESSES: claim},
        )
    metadata: dict[str, Any] = {}
    if patch.resource_version:
        metadata["resourceVersion"] = patch.resource_version
    if patch.annotations:
        metadata["annotations"] = dict(patch.annotations)
    return {"metadata": metadata, "status": dict(patch.status)}


def _path(patch: StatusPatch) -> str:
    kind = kind_of(patch.about.kind)
    root, plural = kind.path.rsplit("/", 1)
    where = f"{root}/namespaces/{patch.about.namespace}" if kind.namespaced else root
    return f"{where}/{plural}/{patch.about.name}"
