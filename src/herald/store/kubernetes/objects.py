"""Objects of Herald's own making: this one shall exist, with these labels and this status; that one shall not.

Two requests each time: the object by server-side apply, which makes it or leaves it alone, then its status as a whole,
for a status that comes with an object is dropped. What others have put into the metadata stays.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from herald.api.scheme import Kind
from herald.store.kubernetes.client import ApiClient, PatchKind


@dataclass(frozen=True, slots=True)
class Owner:
    """The object with which another one goes. A plain reference: neither controller nor in the way of a deletion."""

    api_version: str
    kind: str
    name: str
    uid: str

    def reference(self) -> dict[str, str]:
        """As it stands in `metadata.ownerReferences`."""
        return {"apiVersion": self.api_version, "kind": self.kind, "name": self.name, "uid": self.uid}


class Objects:
    """Writes by `client`. Every method raises StoreError."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client

    async def apply(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        *,
        labels: Mapping[str, str],
        owner: Owner | None = None,
        spec: Mapping[str, Any] | None = None,
        status: Mapping[str, Any],
    ) -> None:
        """The object is there and has these; other owners of it stay."""
        metadata: dict[str, Any] = {"name": name, "namespace": namespace, "labels": dict(labels)}
        if owner is not None:
            metadata["ownerReferences"] = [owner.reference()]
        wanted: dict[str, Any] = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata}
        if spec is not None:
            wanted["spec"] = dict(spec)
        path = _path(kind, namespace, name)
        await self._client.patch(path, wanted, kind=PatchKind.APPLY, params={"force": True})
        # `add` replaces what is there, and does not mind if nothing is.
        whole = [{"op": "add", "path": "/status", "value": dict(status)}]
        await self._client.patch(f"{path}/status", whole, kind=PatchKind.JSON)

    async def delete(self, kind: Kind, namespace: str, name: str) -> None:
        """The object is gone; one that is not there is no error."""
        await self._client.delete(_path(kind, namespace, name))


def _path(kind: Kind, namespace: str, name: str) -> str:
    root, plural = kind.path.rsplit("/", 1)
    return f"{root}/namespaces/{namespace}/{plural}/{name}"
