"""The Secret with the key of the speakers' group: made if there is none, never touched if there is one.

Verbs: `get` and `create` on secrets, `get` on our own Deployment, who owns it.
"""

import asyncio
import base64
import logging
import secrets
from typing import Any, Final

import msgspec

from herald.store.kubernetes.client import ApiClient, ApiError
from herald.store.kubernetes.objects import Owner
from herald.store.store import StoreError

KEY: Final = "secretkey"
KEY_OCTETS: Final = 16
FIRST_RETRY_S: Final = 1.0
LONGEST_RETRY_S: Final = 30.0
_NOT_FOUND, _CONFLICT = 404, 409

_log = logging.getLogger("herald.controller")


class _Meta(msgspec.Struct, frozen=True):
    uid: str = ""


class _Deployment(msgspec.Struct, frozen=True):
    metadata: _Meta


async def keep_trying(client: ApiClient, namespace: str, name: str, deployment: str) -> None:
    """See that Secret `name` is there; returns when it is."""
    pause_s, complaint = FIRST_RETRY_S, ""
    while True:
        try:
            await ensure(client, namespace, name, deployment)
        except StoreError as error:
            if str(error) != complaint:
                complaint = str(error)
                text = "Secret %s of the speakers' group cannot be made, will try again: %s"
                _log.error(text, name, error, extra={"op": "CreateMlSecret", "error": complaint})
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_RETRY_S)
        else:
            return


async def ensure(client: ApiClient, namespace: str, name: str, deployment: str) -> None:
    """Make the Secret unless it is there. `deployment` owns it; empty: nobody. Raises StoreError."""
    path = f"/api/v1/namespaces/{namespace}/secrets"
    try:
        await client.get(f"{path}/{name}")
    except ApiError as error:
        if error.status != _NOT_FOUND:
            raise
    else:
        return
    owner = await _owner(client, namespace, deployment) if deployment else None
    try:
        await client.create(path, _secret(namespace, name, owner))
    except ApiError as error:
        if error.status != _CONFLICT:
            raise
    else:
        _log.info("Secret %s made for the speakers' group", name, extra={"op": "CreateMlSecret"})


async def _owner(client: ApiClient, namespace: str, deployment: str) -> Owner:
    content = await client.get(f"/apis/apps/v1/namespaces/{namespace}/deployments/{deployment}")
    return Owner("apps/v1", "Deployment", deployment, msgspec.json.decode(content, type=_Deployment).metadata.uid)


def _secret(namespace: str, name: str, owner: Owner | None) -> dict[str, Any]:
    text = base64.b64encode(secrets.token_bytes(KEY_OCTETS)).rstrip(b"=")
    metadata: dict[str, Any] = {"name": name, "namespace": namespace}
    if owner is not None:
        metadata["ownerReferences"] = [owner.reference()]
    data = {KEY: base64.b64encode(text).decode()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}
