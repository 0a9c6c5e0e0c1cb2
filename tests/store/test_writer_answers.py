"""Writes whose answer is none of the API server's words: an unwell server, which is asked again."""

import asyncio
from collections.abc import AsyncGenerator, Collection
from pathlib import Path

import pytest
from scripted_server import Answer, kubeconfig, scripted, until

from herald.api.ip_address_pool import IPAddressPool, IPAddressPoolSpec
from herald.cluster.meta import NamespacedName, ObjectMeta
from herald.cluster.service import Service, ServiceSpec
from herald.controller.assigner import Options
from herald.controller.loop import run
from herald.store.kubernetes.answer import UnreadableError, read_answer
from herald.store.kubernetes.client import ApiClient
from herald.store.kubernetes.event_recorder import EventRecorder
from herald.store.kubernetes.writer import ClusterWriter
from herald.store.store import Changes, StatusPatch, Synced, service_key

WEB = NamespacedName("default", "web")
NO_ANSWERS = {
    "a page": b"<html>no backend</html>",
    "nothing": b"",
    "not UTF-8": b'{"metadata": {"resourceVersion": "\xff"}}',
    "another shape": b"[1]",
    "a number for a version": b'{"metadata": {"resourceVersion": 5}}',
}


@pytest.mark.parametrize("body", NO_ANSWERS.values(), ids=NO_ANSWERS)
async def test_an_answer_that_cannot_be_read_is_an_error_of_the_store(tmp_path: Path, body: bytes) -> None:
    async with scripted(Answer(body=body), Answer(body=body)) as server:
        client = ApiClient.connect(kubeconfig(tmp_path, server.url))
        writer = ClusterWriter(client, EventRecorder(client, "metallb-system", "metallb-controller", "a"))
        with pytest.raises(UnreadableError, match=r"services/web/status: the answer cannot be read"):
            await writer.patch_status(StatusPatch(service_key(WEB), {"loadBalancer": {}}))
        assert not writer.is_busy
        with pytest.raises(UnreadableError, match=r"services/web: the answer cannot be read"):
            await writer.rivals(WEB)
        await client.close()


@pytest.mark.parametrize("body", NO_ANSWERS.values(), ids=NO_ANSWERS)
def test_what_cannot_be_read_names_the_path_that_was_asked(body: bytes) -> None:
    with pytest.raises(UnreadableError, match=r"^/api/v1/pods: the answer cannot be read: "):
        read_answer(body, dict[str, dict[str, list[str]]], "/api/v1/pods")


class OneService:
    """A store that has one pool and one Service without an address, and writes to an API server."""

    def __init__(self, writer: ClusterWriter) -> None:
        self._writer = writer
        self.patch_status, self.record_event = writer.patch_status, writer.record_event
        self.read_claims, self.write_claim = writer.read_claims, writer.write_claim

    async def watch(self, kinds: Collection[str]) -> AsyncGenerator[Changes, None]:
        pool = IPAddressPool(
            metadata=ObjectMeta(name="prod", namespace="metallb-system"),
            spec=IPAddressPoolSpec(addresses=("192.0.2.0/24",)),
        )
        spec = ServiceSpec(type="LoadBalancer", cluster_ip="10.96.0.1", cluster_ips=("10.96.0.1",))
        yield Synced((pool, Service(metadata=ObjectMeta(name="web", namespace="default"), spec=spec)))
        await asyncio.Event().wait()


async def test_a_controller_whose_writes_are_answered_by_a_proxys_page_writes_them_again(tmp_path: Path) -> None:
    page = Answer(body=NO_ANSWERS["a page"])
    async with scripted(*[page] * 6) as server:
        client = ApiClient.connect(kubeconfig(tmp_path, server.url))
        events = EventRecorder(client, "metallb-system", "metallb-controller", "a")
        controller = asyncio.ensure_future(run(OneService(ClusterWriter(client, events)), Options("metallb-system")))

        def writes() -> int:
            return sum(request.path.endswith("/services/web/status") for request in server.requests)

        await until(server.stirred, lambda: writes() >= 2 or controller.done())
        assert not controller.done()
        controller.cancel()
        await asyncio.gather(controller, return_exceptions=True)
        await client.close()
