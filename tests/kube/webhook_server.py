"""The webhooks of a test, served on loopback and called by the real API server by URL."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

from herald.api.scheme import KINDS
from herald.config.collect import collect
from herald.controller.webhook.configuration import webhook_configuration
from herald.controller.webhook.options import CONFIGURATION, CONVERTED_CRD, SECRET, WebhookOptions
from herald.controller.webhook.readiness import Readiness
from herald.controller.webhook.server import run_webhooks
from herald.controller.webhook.world import World
from herald.lab.kubernetes.api_server import ApiServer
from herald.lab.kubernetes.client import RequestRefusedError
from herald.store.kubernetes.client import ApiClient

NAMESPACE = "metallb-system"
_SEEN = {"Service", "Node", "Namespace", "BGPPeer", "BGPAdvertisement", "L2Advertisement", "IPAddressPool"}
_SEEN |= {"BFDProfile", "Community"}
CONFIGURATION_PATH = f"/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/{CONFIGURATION}"
CRD_PATH = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{CONVERTED_CRD}"
SECRET_PATH = f"/api/v1/namespaces/{NAMESPACE}/secrets/{SECRET}"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


def prepare(cluster: ApiServer, port: int, failure_policy: str = "Fail") -> None:
    """What the manifests bring, with URLs in place of the Service: there is no pod network here."""
    cluster.create_namespace(NAMESPACE)
    empty = {"metadata": {"name": SECRET}, "type": "Opaque"}
    cluster.request("POST", f"/api/v1/namespaces/{NAMESPACE}/secrets", empty)
    configuration = webhook_configuration(failure_policy=failure_policy)
    for hook in configuration["webhooks"]:
        hook["clientConfig"] = by_url(port, hook["clientConfig"]["service"]["path"])
    cluster.request("POST", CONFIGURATION_PATH.rpartition("/")[0], configuration)
    crd = cluster.request("GET", CRD_PATH)
    crd["spec"]["conversion"]["webhook"]["clientConfig"] = by_url(port, "/convert")
    cluster.request("PUT", CRD_PATH, crd)
    cluster.wait_crds_served()


def by_url(port: int, path: str) -> dict[str, str]:
    return {"url": f"https://127.0.0.1:{port}{path}"}


def options(port: int, **changed: Any) -> WebhookOptions:
    return replace(WebhookOptions(host="127.0.0.1", port=port, extra_names=("127.0.0.1",)), **changed)


class Cache:
    """What a controller would have in its caches: the objects of a moment ago."""

    def __init__(self, cluster: ApiServer) -> None:
        self._cluster = cluster
        self.world = World()

    async def follow(self) -> None:
        """Read everything again and again."""
        while True:
            with suppress(RequestRefusedError):  # a CRD that has just been changed
                self.world = await asyncio.to_thread(self._read)
            await asyncio.sleep(0.05)

    def _read(self) -> World:
        texts = []
        for kind in KINDS:
            if kind.kind in _SEEN and kind.to_storage is None:
                items = self._cluster.request("GET", kind.path)["items"]
                whole = [{**item, "apiVersion": kind.api_version, "kind": kind.kind} for item in items]
                texts += [(f"{kind.plural}-{number}", json.dumps(each)) for number, each in enumerate(whole)]
        return World(collect(texts).resources)


@asynccontextmanager
async def running(
    cluster: ApiServer, wanted: WebhookOptions, world: Callable[[], World] | None = None
) -> AsyncIterator[Readiness]:
    """The webhooks, ready, as long as the block lasts."""
    client = ApiClient.connect(cluster.admin_kubeconfig, field_manager="herald-controller")
    readiness, cache = Readiness(), Cache(cluster)
    following = asyncio.create_task(cache.follow())
    task = asyncio.create_task(run_webhooks(wanted, client, world or (lambda: cache.world), readiness))
    try:
        await until(lambda: readiness.ready() is None or task.done(), within=15)
        if task.done():
            task.result()
        yield readiness
    finally:
        task.cancel()
        following.cancel()
        await asyncio.wait([task, following])
        await client.close()


async def until(holds: Callable[[], bool], within: float = 10.0) -> None:
    """Wait until it holds. TimeoutError."""
    async with asyncio.timeout(within):
        while not await asyncio.to_thread(holds):  # noqa: ASYNC110  # the API server is asked, no event tells
            await asyncio.sleep(0.05)


def bundles(cluster: ApiServer) -> set[str | None]:
    """Every caBundle there is, None for one that is missing."""
    hooks = cluster.request("GET", CONFIGURATION_PATH)["webhooks"]
    conversion = cluster.request("GET", CRD_PATH)["spec"]["conversion"]
    return {each["clientConfig"].get("caBundle") for each in (*hooks, conversion["webhook"])}
