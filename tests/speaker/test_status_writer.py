"""Statuses on their way to an API server that fails: how often it is asked, what is counted, what is made good."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from herald.cluster.meta import NodeName
from herald.speaker import status_writer
from herald.speaker.status_book import Slot, StatusBook
from herald.speaker.status_object import Answering, Found, StatusKind
from herald.speaker.status_writer import StatusWriter
from herald.speaker.superseded import Superseded
from herald.store.kubernetes.client import ApiClient
from herald.store.kubernetes.objects import Objects

sys.path.append(str(Path(__file__).parents[1] / "store"))  # the server of the other tests

from scripted_server import Answer, ScriptedServer, kubeconfig, until

NODE = NodeName("node-1")
NAMESPACE = "metallb-system"
KIND = StatusKind.LAYER2
OTHERS = f"/apis/metallb.io/v1beta1/namespaces/{NAMESPACE}/servicel2statuses"


class Failures:
    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


@asynccontextmanager
async def writing(
    folder: Path, book: StatusBook, *script: Answer
) -> AsyncIterator[tuple[StatusWriter, ScriptedServer, Failures]]:
    async with ScriptedServer(list(script)) as server:
        client = ApiClient.connect(kubeconfig(folder, server.url))
        objects, failures = Objects(client), Failures()
        superseded = Superseded(
            client, objects, NAMESPACE, NODE, lambda subject: bool(book.wanted(Slot(KIND, subject)))
        )
        writer = StatusWriter(book, NODE, NAMESPACE, objects, superseded, lambda event: None, failures)
        running = asyncio.ensure_future(writer.run(None))
        try:
            yield writer, server, failures
        finally:
            running.cancel()
            await asyncio.wait({running})
            assert running.cancelled()
            await client.close()


def book_of(count: int, *, found: bool = False) -> StatusBook:
    book = StatusBook()
    slots = [Slot(KIND, f"default/s{number}") for number in range(count)]
    for slot in slots:
        book.want(slot, Answering(("eth0",)))
    there = [(slot.subject, Found(f"l2-{slot.subject[8:]}", Answering(("eth0",)))) for slot in slots]
    book.list(KIND, there if found else ())
    return book


def item(service: str, node: str, name: str) -> dict[str, object]:
    labels = {
        "metallb.io/node": node,
        "metallb.io/service-name": service,
        "metallb.io/service-namespace": "default",
    }
    return {"metadata": {"name": name, "labels": labels}}


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Answer(503, {"code": 503, "reason": "ServiceUnavailable", "message": "etcd"}), id="unwell"),
        pytest.param(Answer(chunks=(b"{",), end="reset"), id="cut off"),
    ],
)
async def test_in_an_outage_one_write_in_a_while_is_tried_however_many_wait(tmp_path: Path, answer: Answer) -> None:
    async with writing(tmp_path, book_of(500), *[answer] * 1000) as (writer, server, failures):
        writer.stir()
        await asyncio.sleep(status_writer.COLLAPSE_S + 3.4)
        assert 2 <= len(server.requests) <= 4  # after 0.5, 1 and 2 seconds
        assert failures.count == len(server.requests) or failures.count == len(server.requests) - 1


async def test_one_object_that_is_refused_holds_up_no_other(tmp_path: Path) -> None:
    refused = Answer(403, {"code": 403, "reason": "Forbidden", "message": "no"})
    async with writing(tmp_path, book_of(4), refused, *[Answer(200, {})] * 6) as (writer, server, failures):
        writer.stir()
        await until(server.stirred, lambda: len(server.requests) >= 7)
        assert failures.count == 1


async def test_what_another_node_left_behind_goes_at_the_start_though_our_own_object_is_there(tmp_path: Path) -> None:
    book = book_of(2, found=True)
    book.complete(KIND)
    left = Answer(
        200,
        {"metadata": {}, "items": [item("s0", "node-2", "l2-old"), item("elsewhere", "node-2", "l2-not-ours")]},
    )
    async with writing(tmp_path, book, left, Answer(200, {})) as (writer, server, _):
        writer.stir()
        await until(server.stirred, lambda: len(server.requests) >= 2)
        asked = [(request.method, request.path) for request in server.requests]
        assert asked == [("GET", OTHERS), ("DELETE", f"{OTHERS}/l2-old")]


async def test_an_answer_that_is_no_list_ends_nothing_and_is_asked_for_again(tmp_path: Path) -> None:
    book = book_of(1, found=True)
    book.complete(KIND)
    list_of_one = Answer(200, {"metadata": {}, "items": [item("s0", "node-2", "l2-old")]})
    script = Answer(200, b"<html>"), list_of_one, Answer(200, {})
    async with writing(tmp_path, book, *script) as (writer, server, failures):
        writer.stir()
        await until(server.stirred, lambda: len(server.requests) >= 3)
        assert server.requests[-1].method == "DELETE"
        assert failures.count == 1
