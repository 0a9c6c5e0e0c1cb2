"""The store as a whole: what it says of outages, what it writes through, and that a fault of ours is not hidden."""

import asyncio
import json
import logging
from collections.abc import Mapping
from pathlib import Path

import pytest
from scripted_server import Answer, kubeconfig, scripted, until

from herald.allocator.convergence import EventType
from herald.cluster.meta import NamespacedName
from herald.config.findings import ObjectKey
from herald.store.kubernetes.client import ApiClient
from herald.store.kubernetes.refusals import Refusals
from herald.store.kubernetes.sources import Scope
from herald.store.kubernetes.store import REJECTED, KubernetesStore, Outage
from herald.store.kubernetes.watch_events import Cut, Following, Refused, Trouble
from herald.store.store import Claim, Event, StatusPatch, StoreError, Synced

SCOPE = Scope.of_controller("metallb-system")
WEB = ObjectKey("Service", "default", "web")
CUT, STARTING = Trouble(Cut("refused"), "watch"), Trouble(Refused(503, "ServiceUnavailable", "starting"), "list")


BUSY = Trouble(Refused(429, "TooManyRequests", "later"), "list")


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [str(record.__dict__.get("event")) for record in caplog.records]


def test_an_outage_is_told_once_and_its_end_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    outage = Outage("https://here")
    outage.take("Node", CUT)
    assert logged(caplog) == [], "one broken connection"
    for _ in range(3):
        outage.take("Node", CUT)
        outage.take("Service", STARTING)
    assert logged(caplog) == ["apiServerLost"]
    outage.take("Node", Following())
    assert logged(caplog) == ["apiServerLost"]
    outage.take("Service", Following())
    assert logged(caplog) == ["apiServerLost", "apiServerBack"]
    outage.take("Node", CUT)
    outage.take("Node", Following())
    assert logged(caplog) == ["apiServerLost", "apiServerBack"]


@pytest.mark.parametrize("trouble", [STARTING, BUSY], ids=["starting", "busy"])
def test_a_server_that_is_not_well_has_refused_nothing(caplog: pytest.LogCaptureFixture, trouble: Trouble) -> None:
    caplog.set_level(logging.INFO)
    refusals = Refusals(logging.getLogger("herald.store"), "pods", "nobody is found")
    refusals.take(trouble)
    assert logged(caplog) == []
    outage = Outage("https://here")
    for _ in range(2):
        outage.take("Node", trouble)
    assert logged(caplog) == ["apiServerLost"]


def test_a_token_that_is_not_accepted_is_told_once_and_complained_of_until_it_is(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    outage, rejected = Outage("https://here"), Trouble(Refused(401, "Unauthorized", "Unauthorized"), "list")
    assert outage.complaint is None
    for kind in ("Node", "Service", "Node"):
        outage.take(kind, rejected)
    assert logged(caplog) == ["tokenRejected"]
    assert outage.complaint == REJECTED
    outage.take("Node", Following())
    assert outage.complaint == REJECTED
    outage.take("Service", Following())
    assert outage.complaint is None
    assert logged(caplog) == ["tokenRejected", "tokenAccepted"]


async def test_kinds_out_of_scope_are_taken_for_absent(tmp_path: Path) -> None:
    async with scripted() as server:
        client = ApiClient.connect(kubeconfig(tmp_path, server.url))
        watch = KubernetesStore(client, Scope("metallb-system", kinds=frozenset())).watch(("Service", "Node"))
        assert await anext(watch) == Synced(())
        await watch.aclose()
        assert server.requests == []
        await client.close()


class Notebook:
    """A writer that only notes what it is asked to write."""

    def __init__(self) -> None:
        self.patches: list[StatusPatch] = []
        self.others: list[object] = []

    async def patch_status(self, patch: StatusPatch) -> str:
        self.patches.append(patch)
        return "99"

    async def read_claims(self) -> Mapping[NamespacedName, Claim]:
        return {}

    async def write_claim(self, service: NamespacedName, claim: Claim) -> None:
        self.others.append((service, claim))

    async def record_event(self, event: Event) -> None:
        self.others.append(event)


def service(version: int, note: str) -> dict[str, object]:
    meta = {"name": "web", "namespace": "default", "uid": "u", "resourceVersion": str(version)}
    return {"metadata": {**meta, "annotations": {"example.com/note": note}}, "spec": {"type": "LoadBalancer"}}


async def test_a_status_is_written_for_the_newest_version_that_reads_the_same(tmp_path: Path) -> None:
    listed = Answer(body={"metadata": {"resourceVersion": "5"}, "items": [service(5, "a")]})
    changed = json.dumps({"type": "MODIFIED", "object": service(8, "b")}).encode() + b"\n"
    async with scripted(listed, Answer(chunks=(changed,), end="hang")) as server:
        client, writer = ApiClient.connect(kubeconfig(tmp_path, server.url)), Notebook()
        store = KubernetesStore(client, SCOPE, writer)
        watch = store.watch(("Service",))
        synced = await anext(watch)
        news = asyncio.ensure_future(anext(watch))
        await until(server.stirred, lambda: len(server.requests) == 2)
        while store.resource_version(WEB) != "8":  # noqa: ASYNC110 (no news comes of it)
            await asyncio.sleep(0)
        assert await store.patch_status(StatusPatch(WEB, {}, {}, synced.objects[0].metadata.resource_version)) == "99"
        assert await store.patch_status(StatusPatch(WEB, {}, {}, "4")) == "99"
        assert [patch.resource_version for patch in writer.patches] == ["8", "4"]
        news.cancel()
        await asyncio.wait({news})
        await watch.aclose()
        await client.close()


async def test_everything_else_is_written_as_it_is_and_nothing_without_a_writer(tmp_path: Path) -> None:
    client, writer = ApiClient.connect(kubeconfig(tmp_path, "http://127.0.0.1:1")), Notebook()
    store, web = KubernetesStore(client, SCOPE, writer), NamespacedName("default", "web")
    event = Event(WEB, EventType.NORMAL, "Reason", "message")
    await store.write_claim(web, ("192.0.2.1",))
    await store.record_event(event)
    assert await store.read_claims() == {}
    assert writer.others == [(web, ("192.0.2.1",)), event]
    with pytest.raises(StoreError, match="only reads"):
        await KubernetesStore(client, SCOPE).record_event(event)
    await client.close()


async def test_a_server_that_has_no_news_was_heard_of_all_the_same(tmp_path: Path) -> None:
    listed = Answer(200, {"metadata": {"resourceVersion": "5"}, "items": []})
    bookmark = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "6"}}}
    quiet = Answer(chunks=(json.dumps(bookmark).encode() + b"\n",) * 5, end="hang")
    async with scripted(listed, quiet) as server:
        client = ApiClient.connect(kubeconfig(tmp_path, server.url))
        store = KubernetesStore(client, Scope("metallb-system", kinds=frozenset({"Node"})))
        assert store.contacts() == {}
        watch = store.watch(("Node",))
        assert await anext(watch) == Synced(())
        first, news = store.contacts()["Node"], asyncio.ensure_future(anext(watch))
        await until(server.stirred, lambda: len(server.requests) == 2)
        await asyncio.wait({news}, timeout=0.3)
        assert not news.done()
        assert store.contacts()["Node"] > first
        news.cancel()
        await asyncio.wait({news})
        await watch.aclose()
        await client.close()
