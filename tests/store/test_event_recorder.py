"""Events on their way to an API server that fails in every way it can."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from scripted_server import Answer, ScriptedServer, kubeconfig, until

from herald.allocator.convergence import EventType
from herald.config.findings import ObjectKey
from herald.store.kubernetes.client import ApiClient
from herald.store.kubernetes.event_recorder import LONGEST_RETRY_S, MOST_REFUSALS, EventRecorder
from herald.store.kubernetes.event_series import BURST
from herald.store.store import Event

WEB = ObjectKey("Service", "default", "web")
WRITTEN = Answer(201, {})


def event(text: str) -> Event:
    return Event(WEB, EventType.NORMAL, "nodeAssigned", text)


def failing(status: int) -> Answer:
    return Answer(status, {"code": status, "reason": "Word", "message": "no"})


class Pauses:
    """Time that passes at once."""

    def __init__(self) -> None:
        self.taken: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.taken.append(seconds)
        await asyncio.sleep(0)


@asynccontextmanager
async def recording(folder: Path, *script: Answer) -> AsyncIterator[tuple[EventRecorder, ScriptedServer, Pauses]]:
    pauses = Pauses()
    async with ScriptedServer(list(script)) as server:
        client = ApiClient.connect(kubeconfig(folder, server.url))
        recorder = EventRecorder(client, "metallb-system", "metallb-speaker", "node-1", sleep=pauses)
        running = asyncio.ensure_future(recorder.run())
        try:
            yield recorder, server, pauses
        finally:
            running.cancel()
            await asyncio.wait({running})
            await client.close()


def messages(server: ScriptedServer) -> list[str]:
    return [text for request in server.requests for text in ("apple", "pear") if text.encode() in request.body]


def came(server: ScriptedServer, count: int) -> Callable[[], bool]:
    return lambda: len(server.requests) >= count


@pytest.mark.parametrize("status", [401, 429, 500, 503, 504])
async def test_an_event_that_a_failing_server_refuses_is_tried_again_after_a_pause(tmp_path: Path, status: int) -> None:
    async with recording(tmp_path, *[failing(status)] * 4, WRITTEN, WRITTEN) as (recorder, server, pauses):
        recorder.record(event("apple"))
        recorder.record(event("pear"))
        await until(server.stirred, lambda: "pear" in messages(server))
        assert messages(server).count("apple") >= 3
        assert pauses.taken == sorted(pauses.taken)
        assert pauses.taken[0] > 0


async def test_a_server_that_fails_for_one_event_for_ever_does_not_keep_the_others(tmp_path: Path) -> None:
    async with recording(tmp_path, *[failing(500)] * (MOST_REFUSALS + 1), WRITTEN) as (recorder, server, _):
        recorder.record(event("apple"))
        recorder.record(event("pear"))
        await until(server.stirred, lambda: "pear" in messages(server))


async def test_an_event_that_is_refused_for_good_is_not_tried_again(tmp_path: Path) -> None:
    async with recording(tmp_path, failing(403), WRITTEN) as (recorder, server, pauses):
        recorder.record(event("apple"))
        recorder.record(event("pear"))
        await until(server.stirred, came(server, 2))
        assert messages(server) == ["apple", "pear"]
        assert pauses.taken == []


async def test_an_outage_of_hours_loses_no_event_and_counts_none_twice(tmp_path: Path) -> None:
    cut = Answer(chunks=(b"{",), end="reset")
    outage = [cut] * (3 * BURST)
    async with recording(tmp_path, WRITTEN, *outage, Answer(200, {})) as (recorder, server, pauses):
        recorder.record(event("apple"))
        recorder.record(event("apple"))
        await until(server.stirred, came(server, len(outage) + 2))
        assert server.requests[-1].method == "PATCH"
        assert b'"count":2' in server.requests[-1].body
        assert max(pauses.taken) == LONGEST_RETRY_S


async def test_an_event_whose_answer_was_lost_is_not_written_twice(tmp_path: Path) -> None:
    lost, there = Answer(chunks=(b"{",), end="reset"), failing(409)
    async with recording(tmp_path, lost, there, WRITTEN) as (recorder, server, _):
        recorder.record(event("apple"))
        recorder.record(event("pear"))
        await until(server.stirred, came(server, 3))
        names = [request.body.split(b'"name":"')[1].split(b'"')[0] for request in server.requests]
        assert names[0] == names[1] != names[2]
        assert messages(server) == ["apple", "apple", "pear"]


async def test_what_stands_has_one_name_and_that_it_is_there_already_is_no_failure(tmp_path: Path) -> None:
    script = [WRITTEN, failing(409), WRITTEN, WRITTEN]
    async with recording(tmp_path, *script) as (recorder, server, _):
        for text in ("apple", "pear", "apple"):
            recorder.record(Event(WEB, EventType.WARNING, "InvalidPeer", text, stands=True))
        await until(server.stirred, came(server, 3))
        first, second, third = server.requests
        assert (first.method, second.method, third.method) == ("POST", "POST", "PATCH")
        assert third.path.split("?")[0].endswith("/" + json.loads(first.body)["metadata"]["name"])

    async with recording(tmp_path, failing(409), WRITTEN) as (recorder, server, pauses):
        recorder.record(Event(WEB, EventType.WARNING, "InvalidPeer", "apple", stands=True))
        recorder.record(event("pear"))
        await until(server.stirred, came(server, 2))
        assert json.loads(server.requests[0].body)["metadata"]["name"] == json.loads(first.body)["metadata"]["name"]
        assert pauses.taken == []


@pytest.mark.parametrize(
    ("about", "path", "named"),
    [
        pytest.param(WEB, "default", "default", id="in a namespace"),
        pytest.param(ObjectKey("BGPPeer", "", "tor"), "metallb-system", "metallb-system", id="in none that is told"),
        pytest.param(ObjectKey("Node", "", "node-1"), "default", None, id="of the cluster"),
    ],
)
async def test_an_event_stands_where_kubectl_looks_for_those_about_its_object(
    tmp_path: Path, about: ObjectKey, path: str, named: str | None
) -> None:
    async with recording(tmp_path, WRITTEN) as (recorder, server, _):
        recorder.record(Event(about, EventType.NORMAL, "apple", "apple"))
        await until(server.stirred, came(server, 1))
        (request,) = server.requests
        body = json.loads(request.body)
        assert request.path == f"/api/v1/namespaces/{path}/events"
        assert (body["metadata"]["namespace"], body["involvedObject"].get("namespace")) == (path, named)
