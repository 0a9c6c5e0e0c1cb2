"""The Secret with the key of the speakers' group: made if there is none, never touched if there is one.

Without it no new speaker starts, so it is looked at now and then for as long as this controller leads. If somebody has
deleted it, it is made again with the key that it had: running speakers have that one, and another would split the group
until the last of them has read it. A controller that never saw the key makes a new one.

Verbs: `get` and `create` on secrets, `get` on our own Deployment, who owns it.
"""

import asyncio
import base64
import logging
import secrets
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import msgspec

from herald.store.kubernetes.answer import read_answer
from herald.store.kubernetes.client import ApiClient, ApiError
from herald.store.kubernetes.objects import Owner
from herald.store.kubernetes.watch_events import NO_JSON
from herald.store.store import StoreError

KEY: Final = "secretkey"
KEY_OCTETS: Final = 16
FIRST_RETRY_S: Final = 1.0
LONGEST_RETRY_S: Final = 30.0
LOOK_S: Final = 15.0
"""Somebody may delete it; that it is looked at costs a read."""
_NOT_FOUND, _CONFLICT = 404, 409

Data: TypeAlias = Mapping[str, str]
"""`data` of the Secret, in base64."""

_log = logging.getLogger("herald.controller")


class _Meta(msgspec.Struct, frozen=True):
    uid: str = ""


class _Deployment(msgspec.Struct, frozen=True):
    metadata: _Meta


class _Secret(msgspec.Struct, frozen=True):
    data: dict[str, str] = {}


async def keep(client: ApiClient, namespace: str, name: str, deployment: str, look_s: float = LOOK_S) -> None:
    """See that Secret `name` is there, for ever. `deployment` owns it; empty: nobody."""
    pause_s, complaint, data = FIRST_RETRY_S, "", None
    while True:
        try:
            data = await ensure(client, namespace, name, deployment, data)
        except StoreError as error:
            if str(error) != complaint:
                complaint = str(error)
                text = "Secret %s of the speakers' group cannot be made, will try again: %s"
                _log.error(text, name, error, extra={"op": "CreateMlSecret", "error": complaint})
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_RETRY_S)
        else:
            pause_s, complaint = FIRST_RETRY_S, ""
            await asyncio.sleep(look_s)


async def ensure(client: ApiClient, namespace: str, name: str, deployment: str, data: Data | None) -> Data | None:
    """Make the Secret unless it is there: with `data`, or a new key. Gives what it holds, if that is known.

    Raises StoreError.
    """
    path = f"/api/v1/namespaces/{namespace}/secrets"
    try:
        return _read(await client.get(f"{path}/{name}")) or data
    except ApiError as error:
        if error.status != _NOT_FOUND:
            raise
    owner = await _owner(client, namespace, deployment) if deployment else None
    content = data or _new_key()
    try:
        await client.create(path, _secret(namespace, name, owner, content))
    except ApiError as error:
        if error.status != _CONFLICT:
            raise
        return data  # somebody else was faster; the next look tells with which key
    again = ", again, with the key that it had" if data else ""
    _log.info("Secret %s made for the speakers' group%s", name, again, extra={"op": "CreateMlSecret"})
    return content


def _read(content: bytes) -> Data | None:
    """What the Secret holds, if there is a key in it."""
    try:
        data = msgspec.json.decode(content, type=_Secret).data
    except NO_JSON as error:
        raise StoreError(f"the Secret of the speakers' group cannot be read: {error}") from error
    return data if data.get(KEY) else None


async def _owner(client: ApiClient, namespace: str, deployment: str) -> Owner:
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/{deployment}"
    found = read_answer(await client.get(path), _Deployment, path)
    return Owner("apps/v1", "Deployment", deployment, found.metadata.uid)


def _new_key() -> Data:
    text = base64.b64encode(secrets.token_bytes(KEY_OCTETS)).rstrip(b"=")
    return {KEY: base64.b64encode(text).decode()}


def _secret(namespace: str, name: str, owner: Owner | None, data: Data) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, "namespace": namespace}
    if owner is not None:
        metadata["ownerReferences"] = [owner.reference()]
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": dict(data)}
