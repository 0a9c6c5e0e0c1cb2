"""The objects of a cluster as they are now: one list of each kind, and what may not be read said beside it."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import click
import msgspec

from herald.api.bgp_session_status import BGPSessionStatus, BGPSessionStatusStatus
from herald.cli.files import UnreadableInputError
from herald.config.collect import Collected, gathered
from herald.speaker.status_object import LABEL_PEER, label_value
from herald.store.kubernetes.client import ApiClient, ApiError
from herald.store.kubernetes.credentials import CredentialsError
from herald.store.kubernetes.sources import Scope
from herald.store.kubernetes.store import KubernetesStore
from herald.store.store import KINDS, StoreError

PLACE: Final = "the cluster"
PATIENCE_S: Final = 60.0
UNREAD: Final = "HL208"
T = TypeVar("T")


class _Sessions(msgspec.Struct, frozen=True):
    items: tuple[BGPSessionStatus, ...] = ()


def read(kubeconfig: Path | None, context: str | None, namespace: str) -> Collected:
    """All there is; custom resources and Secrets of `namespace` alone. Raises UnreadableInputError."""
    return _run(_read(kubeconfig, context, namespace))


def sessions(
    kubeconfig: Path | None, context: str | None, namespace: str, peer: str
) -> tuple[BGPSessionStatusStatus, ...] | None:
    """How the sessions with a BGPPeer stand, as the speakers say; None if that may not be read, which is said.

    Raises UnreadableInputError.
    """
    return _run(_sessions(kubeconfig, context, namespace, peer))


def _run(question: Coroutine[Any, Any, T]) -> T:
    try:
        return asyncio.run(question)
    except (CredentialsError, StoreError) as error:
        raise UnreadableInputError(f"the cluster cannot be read: {error}") from error
    except TimeoutError as error:
        raise UnreadableInputError(f"the cluster was not read within {PATIENCE_S:.0f} s") from error


@asynccontextmanager
async def _client(kubeconfig: Path | None, context: str | None) -> AsyncIterator[ApiClient]:
    client = ApiClient.connect(kubeconfig, context, field_manager="herald")
    try:
        yield client
    finally:
        await client.close()


async def _read(kubeconfig: Path | None, context: str | None, namespace: str) -> Collected:
    async with _client(kubeconfig, context) as client:
        await client.get("/version")  # a store would wait for a server that does not answer
        store = KubernetesStore(client, Scope(namespace))
        async with asyncio.timeout(PATIENCE_S), aclosing(store.watch(KINDS)) as watch:
            batch = await anext(watch)
    for problem in batch.problems:
        if problem.rule == UNREAD:
            click.echo(f"Warning: {problem.message.partition(';')[0]}", err=True)
    return gathered(batch.objects, batch.problems, PLACE)


async def _sessions(
    kubeconfig: Path | None, context: str | None, namespace: str, peer: str
) -> tuple[BGPSessionStatusStatus, ...] | None:
    path = f"/apis/metallb.io/v1beta1/namespaces/{namespace}/bgpsessionstatuses"
    try:
        async with _client(kubeconfig, context) as client:
            answer = await client.get(path, {"labelSelector": f"{LABEL_PEER}={label_value(peer)}"})
    except ApiError as error:  # not for us, or no such kind there
        why = f"how its sessions stand is not known, for its BGPSessionStatuses cannot be read: {error.message}"
        click.echo(f"Warning: {why}", err=True)
        return None
    return tuple(one.status for one in msgspec.json.decode(answer, type=_Sessions).items)
