"""An API server that cannot select Services by type, as before Kubernetes 1.31."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from herald.lab.kubernetes.api_server import ApiServer
from herald.store.cache import Cache
from herald.store.kubernetes import kubeconfig as kubeconfigs
from herald.store.kubernetes.client import SILENCE_TIMEOUT_S, ApiClient, Params
from herald.store.kubernetes.sources import Scope
from herald.store.kubernetes.store import KubernetesStore
from herald.store.store import Synced

SERVICES = "/api/v1/namespaces/default/services"
PATIENCE_S = 40.0


class OlderClient(ApiClient):
    """Asks for a field that no API server knows where ours asks for `spec.type`: the refusal is the server's own."""

    asked: tuple[str, ...] = ()

    def _older(self, params: Params | None) -> Params | None:
        selector = str((params or {}).get("fieldSelector", ""))
        self.asked += (selector,)
        return {**(params or {}), "fieldSelector": selector.replace("spec.type", "spec.kind")} if selector else params

    async def get(self, path: str, params: Params | None = None) -> bytes:
        return await super().get(path, self._older(params))

    @asynccontextmanager
    async def stream(
        self, path: str, params: Params | None = None, *, silence_s: float = SILENCE_TIMEOUT_S
    ) -> AsyncGenerator[AsyncIterator[bytes], None]:
        async with super().stream(path, self._older(params), silence_s=silence_s) as chunks:
            yield chunks


def put(server: ApiServer, name: str, type_: str) -> None:
    server.request("POST", SERVICES, {"metadata": {"name": name}, "spec": {"type": type_, "ports": [{"port": 80}]}})


def retype(server: ApiServer, name: str, type_: str) -> None:
    body: dict[str, Any] = {"spec": {"type": type_, "ports": [{"port": 80, "nodePort": None}]}}
    server.request("PATCH", f"{SERVICES}/{name}", body, content_type="application/merge-patch+json")


async def test_a_speakers_store_keeps_load_balancers_only_whatever_it_is_sent(
    cluster: ApiServer, tmp_path: Path
) -> None:
    for name, type_ in (("web", "LoadBalancer"), ("plain", "ClusterIP")):
        await asyncio.to_thread(put, cluster, name, type_)
    client = OlderClient(kubeconfigs.find(cluster.admin_kubeconfig, None))
    cache, told = Cache(), []
    async with asyncio.timeout(PATIENCE_S):
        async for batch in KubernetesStore(client, Scope.of_speaker("metallb-system")).watch(("Service",)):
            cache.take(batch)
            told.append(sorted(key.name for key in cache.services))
            if len(told) == 1:
                assert isinstance(batch, Synced)
                assert (batch.complete, batch.problems) == (True, ())
                await asyncio.to_thread(put, cluster, "other", "ClusterIP")
                await asyncio.to_thread(retype, cluster, "plain", "LoadBalancer")
            elif len(told) == 2:
                await asyncio.to_thread(retype, cluster, "web", "ClusterIP")
            else:
                break
    await client.close()
    assert told == [["web"], ["plain", "web"], ["plain"]]
    assert client.asked == ("spec.type=LoadBalancer", "", "")
