"""The reflector over real TCP against a server that fails as it is told."""

import asyncio
import json
import random
from pathlib import Path

import pytest
from scripted_server import Answer, Request, kubeconfig, scripted, until

from herald.store.kubernetes.client import ApiClient, ApiError, PatchKind, UnreachableError
from herald.store.kubernetes.reflector import Reflector
from herald.store.kubernetes.watch_events import Fact, Following, ListBegun, ListEnded, Present, Put, Remove, Trouble
from herald.store.kubernetes.watch_machine import WatchMachine

PATH = "/api/v1/nodes"


def thing(name: str, version: int) -> dict[str, object]:
    return {"metadata": {"name": name, "resourceVersion": str(version)}}


def page(version: int, *names: str) -> Answer:
    items = [thing(name, version) for name in names]
    return Answer(body={"metadata": {"resourceVersion": str(version)}, "items": items})


def event(type_: str, content: object) -> bytes:
    return json.dumps({"type": type_, "object": content}).encode() + b"\n"


def refusal(status: int) -> Answer:
    return Answer(status, {"kind": "Status", "code": status, "reason": "Whatever", "message": "no"})


def words(facts: list[Fact]) -> list[str]:
    found = []
    for fact in facts:
        match fact:
            case Present(identity):
                found.append(f"present {identity.name}")
            case Put(identity):
                found.append(f"put {identity.name}")
            case Remove(identity):
                found.append(f"remove {identity.name}")
            case Trouble(_, doing):
                found.append(f"trouble {doing}")
            case ListBegun():
                found.append("list")
            case ListEnded():
                found.append("listed")
            case Following():
                found.append("following")
    return found


async def reflected(tmp_path: Path, script: list[Answer], count: int) -> tuple[list[str], list[Request]]:
    """What a reflector tells until the server was asked `count` times, and what it was asked."""
    facts: list[Fact] = []
    async with scripted(*script) as server:
        client = ApiClient.connect(kubeconfig(tmp_path, server.url))
        task = asyncio.create_task(Reflector(client, PATH, {}, WatchMachine(random.Random(1)), facts.append).run())
        try:
            await until(server.stirred, lambda: len(server.requests) >= count)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await client.close()
        return words(facts), server.requests


def asked(request: Request) -> str:
    return request.params.get("resourceVersion", "list")


HANG = Answer(end="hang", chunks=(b"\n",))
A_101, B_102 = event("ADDED", thing("a", 101)), event("ADDED", thing("b", 102))


@pytest.mark.parametrize(
    ("fault", "resumed_at", "told"),
    [
        pytest.param(Answer(chunks=(A_101, B_102)), "102", ["put a", "put b"], id="a clean end"),
        pytest.param(
            Answer(chunks=(A_101, event("BOOKMARK", thing("", 110))), end="reset"),
            "110",
            ["put a", "trouble watch"],
            id="a bookmark, then a reset",
        ),
        pytest.param(
            Answer(chunks=(event("ERROR", {"code": 410, "reason": "Expired"}),)),
            "list",
            ["list"],
            id="ERROR 410",
        ),
        pytest.param(refusal(410), "list", ["list"], id="HTTP 410"),
        pytest.param(
            Answer(chunks=(A_101, B_102[:30]), end="reset"),
            "101",
            ["put a", "trouble watch"],
            id="a reset in the middle of an object",
        ),
        pytest.param(Answer(chunks=(A_101, B_102[:30])), "101", ["put a"], id="a clean end in the middle of an object"),
        pytest.param(
            Answer(chunks=(A_101[:1], A_101[1:40], A_101[40:] + B_102[:-1], B_102[-1:])),
            "102",
            ["put a", "put b"],
            id="objects in pieces",
        ),
    ],
)
async def test_every_cut_is_resumed(tmp_path: Path, fault: Answer, resumed_at: str, told: list[str]) -> None:
    script = [page(100, "x"), fault, page(200) if resumed_at == "list" else HANG, HANG]
    facts, requests = await reflected(tmp_path, script, 3)
    assert [asked(request) for request in requests[:3]] == ["list", "100", resumed_at]
    start = ["list", "present x", "listed", *(["following"] if fault.status == 200 else [])]
    assert facts[: len(start) + len(told)] == [*start, *told]


async def test_after_an_outage_the_server_is_asked_how_far_it_is(tmp_path: Path) -> None:
    facts, requests = await reflected(tmp_path, [page(100, "x"), refusal(500), page(100, "x"), HANG], 4)
    assert [request.params.get("limit", asked(request)) for request in requests] == ["500", "100", "1", "100"]
    assert facts[:4] == ["list", "present x", "listed", "trouble watch"]
    assert facts.count("present x") == 1, "the answer is no list"


async def test_after_410_what_is_not_listed_is_gone(tmp_path: Path) -> None:
    facts, _ = await reflected(tmp_path, [page(100, "x", "y"), refusal(410), page(200, "y"), HANG], 4)
    assert facts[:7] == ["list", "present x", "present y", "listed", "list", "present y", "listed"]


async def test_a_server_that_is_gone_is_waited_for(tmp_path: Path) -> None:
    facts: list[Fact] = []
    stirred = asyncio.Event()

    def tell(fact: Fact) -> None:
        facts.append(fact)
        stirred.set()

    async with scripted(page(100, "x"), Answer(chunks=(A_101,), end="reset")) as server:
        client = ApiClient.connect(kubeconfig(tmp_path, server.url))
        task = asyncio.create_task(Reflector(client, PATH, {}, WatchMachine(random.Random(1)), tell).run())
        await until(server.stirred, lambda: len(server.requests) >= 2)
        await server.close()
        await until(stirred, lambda: words(facts).count("trouble watch") >= 2)
        assert not task.done()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await client.close()
    assert words(facts)[:5] == ["list", "present x", "listed", "following", "put a"]
    assert "list" not in words(facts)[5:], "nothing is forgotten because nobody answers"


async def test_a_silent_stream_is_given_up(tmp_path: Path) -> None:
    async with scripted(Answer(chunks=(b"a",), end="hang")) as server:
        client = ApiClient.connect(kubeconfig(tmp_path, server.url))
        async with client.stream(PATH, silence_s=0.2) as chunks:
            assert await anext(chunks) == b"a"
            with pytest.raises(UnreachableError, match="silent for"):
                await anext(chunks)
        await client.close()


async def test_an_answer_of_the_server_is_told_with_its_words(tmp_path: Path) -> None:
    conflict = Answer(409, {"kind": "Status", "reason": "Conflict", "message": "the object has been modified"})
    async with scripted(conflict) as server:
        client = ApiClient.connect(kubeconfig(tmp_path, server.url), field_manager="herald-controller")
        with pytest.raises(ApiError, match="the object has been modified") as caught:
            await client.patch(PATH, {"a": 1}, kind=PatchKind.MERGE)
        assert (caught.value.status, caught.value.reason) == (409, "Conflict")
        (request,) = server.requests
        assert request.params == {"fieldManager": "herald-controller"}
        assert request.headers["content-type"] == "application/merge-patch+json"
        assert json.loads(request.body) == {"a": 1}
        await client.close()


@pytest.mark.parametrize("status", [429, 503])
async def test_who_is_asked_to_wait_waits_and_asks_again(tmp_path: Path, status: int) -> None:
    wait = Answer(status, {"message": "later"}, headers=(("Retry-After", "0"),))
    async with scripted(wait, wait, Answer(body={})) as server:
        client = ApiClient.connect(kubeconfig(tmp_path, server.url))
        assert await client.get(PATH) == b"{}"
        assert len(server.requests) == 3
        await client.close()


async def test_who_is_asked_to_wait_for_ever_gives_up(tmp_path: Path) -> None:
    wait = Answer(429, {"reason": "TooManyRequests", "message": "later"}, headers=(("Retry-After", "0"),))
    async with scripted(*[wait] * 9) as server:
        client = ApiClient.connect(kubeconfig(tmp_path, server.url))
        with pytest.raises(ApiError, match="later"):
            await client.get(PATH)
        assert len(server.requests) == 3
        await client.close()


async def test_deleting_what_is_not_there_is_no_error(tmp_path: Path) -> None:
    async with scripted(refusal(404), refusal(403)) as server:
        client = ApiClient.connect(kubeconfig(tmp_path, server.url))
        await client.delete(PATH)
        with pytest.raises(ApiError):
            await client.delete(PATH)
        await client.close()


SELECTED = {"fieldSelector": "spec.type=LoadBalancer"}


@pytest.mark.parametrize(
    ("script", "asked_for"),
    [
        ([refusal(400), page(100, "x"), HANG], ["list of some", "list", "watch"]),
        ([page(100, "x"), refusal(400), HANG], ["list of some", "watch of some", "watch"]),
        ([page(100, "x"), HANG], ["list of some", "watch of some"]),
        ([refusal(403), refusal(403)], ["list of some", "list of some"]),
    ],
    ids=["the list is refused", "the watch is refused", "the server can select", "another refusal"],
)
async def test_a_server_that_cannot_select_is_asked_for_everything_at_once(
    tmp_path: Path, script: list[Answer], asked_for: list[str]
) -> None:
    facts: list[Fact] = []
    async with scripted(*script) as server:
        client = ApiClient.connect(kubeconfig(tmp_path, server.url))
        machine = WatchMachine(random.Random(1))
        reflector = Reflector(client, PATH, SELECTED, machine, facts.append, fallback={})
        task = asyncio.create_task(reflector.run())
        await until(server.stirred, lambda: len(server.requests) >= len(asked_for))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await client.close()
    verbs = ["watch" if "watch" in request.params else "list" for request in server.requests]
    some = [" of some" if "fieldSelector" in request.params else "" for request in server.requests]
    assert list(map("".join, zip(verbs, some, strict=True))) == asked_for
    assert ("trouble list" in words(facts)) == (script[0].status == 403)


async def test_without_a_fallback_a_refused_selector_is_trouble(tmp_path: Path) -> None:
    told, requests = await reflected(tmp_path, [refusal(400), refusal(400)], 2)
    assert told[:2] == ["list", "trouble list"]
    assert len(requests) == 2


async def test_when_everything_is_refused_as_well_that_is_trouble(tmp_path: Path) -> None:
    facts: list[Fact] = []
    async with scripted(refusal(400), refusal(400), refusal(400)) as server:
        client = ApiClient.connect(kubeconfig(tmp_path, server.url))
        reflector = Reflector(client, PATH, SELECTED, WatchMachine(random.Random(1)), facts.append, fallback={})
        task = asyncio.create_task(reflector.run())
        await until(server.stirred, lambda: len(server.requests) >= 3)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await client.close()
    assert words(facts)[:2] == ["list", "trouble list"]
