"""The objects of a cluster as they are now: one list of each kind, and what may not be read said beside it."""

import asyncio
from contextlib import aclosing
from pathlib import Path
from typing import Final

import click

from herald.cli.files import UnreadableInputError
from herald.config.collect import Collected, gathered
from herald.store.kubernetes.client import ApiClient
from herald.store.kubernetes.credentials import CredentialsError
from herald.store.kubernetes.sources import Scope
from herald.store.kubernetes.store import KubernetesStore
from herald.store.store import KINDS, StoreError

PLACE: Final = "the cluster"
PATIENCE_S: Final = 60.0
UNREAD: Final = "HL208"


def read(kubeconfig: Path | None, context: str | None, namespace: str) -> Collected:
    """All there is; custom resources and Secrets of `namespace` alone. Raises UnreadableInputError."""
    try:
        return asyncio.run(_read(kubeconfig, context, namespace))
    except (CredentialsError, StoreError) as error:
        raise UnreadableInputError(f"the cluster cannot be read: {error}") from error
    except TimeoutError as error:
        raise UnreadableInputError(f"the cluster was not read within {PATIENCE_S:.0f} s") from error


async def _read(kubeconfig: Path | None, context: str | None, namespace: str) -> Collected:
    client = ApiClient.connect(kubeconfig, context, field_manager="herald")
    try:
        await client.get("/version")  # a store would wait for a server that does not answer
        store = KubernetesStore(client, Scope(namespace))
        async with asyncio.timeout(PATIENCE_S), aclosing(store.watch(KINDS)) as watch:
            batch = await anext(watch)
    finally:
        await client.close()
    for problem in batch.problems:
        if problem.rule == UNREAD:
            click.echo(f"Warning: {problem.message.partition(';')[0]}", err=True)
    return gathered(batch.objects, batch.problems, PLACE)
