"""Who leads, and what only a leader writes, over real TCP against a server that answers as it is told."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from scripted_server import Answer, ScriptedServer, kubeconfig, scripted, until

from herald.store.kubernetes.client import ApiClient, UnreachableError
from herald.store.kubernetes.fence import Fence, WithheldError
from herald.store.kubernetes.lease import LeaseElection

BUSY = Answer(429, {}, headers=(("Retry-After", "0"),))
REFUSED_WRITE = "/api/v1/namespaces/default/services/web/status"


def held(holder: str, version: int) -> Answer:
    """The Lease."""
    return Answer(body={"metadata": {"resourceVersion": str(version), "uid": "u"}, "spec": {"holderIdentity": holder}})


def refusal(status: int, reason: str) -> Answer:
    return Answer(status, {"kind": "Status", "code": status, "reason": reason, "message": "no"})


@asynccontextmanager
async def talking(tmp_path: Path, *script: Answer) -> AsyncIterator[tuple[ScriptedServer, ApiClient]]:
    async with scripted(*script) as server:
        client = ApiClient.connect(kubeconfig(tmp_path, server.url))
        try:
            yield server, client
        finally:
            await client.close()


async def test_whether_a_write_is_still_allowed_is_asked_again_before_each_repetition(tmp_path: Path) -> None:
    answers = [True, True, False]
    async with talking(tmp_path, BUSY, BUSY, BUSY) as (server, client):
        with pytest.raises(WithheldError, match="leads no longer"):
            await client.behind(Fence(lambda: answers.pop(0))).patch(REFUSED_WRITE, {})
        assert server.history == ["PATCH", "PATCH done"] * 2


async def test_nobody_is_asked_before_reading_and_others_write_as_before(tmp_path: Path) -> None:
    async with talking(tmp_path, Answer(body={}), Answer(body={})) as (server, client):
        await client.behind(Fence(lambda: False)).get(REFUSED_WRITE)
        await client.patch(REFUSED_WRITE, {})
        assert server.history == ["GET", "GET done", "PATCH", "PATCH done"]


async def test_a_write_whose_caller_is_gone_is_seen_to_its_end(tmp_path: Path) -> None:
    fence = Fence(lambda: True)
    async with talking(tmp_path, Answer(body={}, after_s=0.3)) as (server, client):
        writing = asyncio.ensure_future(client.behind(fence).patch(REFUSED_WRITE, {}))
        await until(server.stirred, lambda: bool(server.requests))
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        assert not await fence.settled(0.0)
        assert await fence.settled(10.0)
        assert server.history == ["PATCH", "PATCH done"]


async def test_a_write_that_fails_does_so_for_whoever_asked(tmp_path: Path) -> None:
    async with talking(tmp_path, Answer(chunks=(b"{",), end="reset")) as (_, client):
        with pytest.raises(UnreachableError):
            await client.behind(Fence(lambda: True)).patch(REFUSED_WRITE, {})


async def lead(
    tmp_path: Path, script: list[Answer], requests: int, writes: bool = False
) -> tuple[ScriptedServer, list[str]]:
    """What was asked of a server until `requests` had come and the election was ended, and what the work noticed."""
    noticed: list[str] = []
    async with talking(tmp_path, *script) as (server, client):
        election = LeaseElection(client, "metallb-system", "a")

        async def work() -> None:
            noticed.append("begins")
            try:
                if writes:
                    await client.behind(election.fence).patch(REFUSED_WRITE, {})
                await asyncio.Event().wait()
            finally:
                noticed.append(f"ends, {'leads' if election.leads() else 'leads not'}")

        running = asyncio.ensure_future(election.run(work))
        await until(server.stirred, lambda: len(server.requests) >= requests)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return server, noticed


@pytest.mark.parametrize(
    "answer", [refusal(409, "Conflict"), refusal(404, "NotFound")], ids=["somebody has written it", "it is deleted"]
)
async def test_a_renewal_that_clashes_ends_the_lead_before_anything_else_is_asked(
    tmp_path: Path, answer: Answer
) -> None:
    script = [refusal(404, "NotFound"), held("a", 1), answer, held("b", 3)]
    server, noticed = await lead(tmp_path, script, 4)
    assert [request.method for request in server.requests] == ["GET", "POST", "PUT", "GET"]
    assert noticed == ["begins", "ends, leads not"]


async def test_a_renewal_means_that_very_lease_and_not_one_that_was_made_since(tmp_path: Path) -> None:
    server, _ = await lead(tmp_path, [refusal(404, "NotFound"), held("a", 1), held("a", 2), held("", 3)], 3)
    metadata: dict[str, Any] = json.loads(server.requests[2].body)["metadata"]
    assert (metadata["uid"], metadata["resourceVersion"]) == ("u", "1")


async def test_the_lease_is_given_back_after_all_that_was_sent_was_answered(tmp_path: Path) -> None:
    script = [refusal(404, "NotFound"), held("a", 1), Answer(body={}, after_s=0.5), held("", 2)]
    server, _ = await lead(tmp_path, script, 3, writes=True)
    assert server.history[4:] == ["PATCH", "PATCH done", "PUT", "PUT done"]


async def test_a_lease_is_not_given_back_while_a_write_may_still_be_carried_out(tmp_path: Path) -> None:
    script = [refusal(404, "NotFound"), held("a", 1), Answer(end="hang", chunks=(b"{",)), held("", 2)]
    server, _ = await lead(tmp_path, script, 3, writes=True)
    assert [request.method for request in server.requests] == ["GET", "POST", "PATCH"]


async def test_who_leaves_in_the_middle_of_a_renewal_gives_back_what_became_of_it(tmp_path: Path) -> None:
    renewal = Answer(body=held("a", 2).body, after_s=0.5)
    server, _ = await lead(tmp_path, [refusal(404, "NotFound"), held("a", 1), renewal, held("", 3)], 3)
    assert server.history[4:] == ["PUT", "PUT done", "PUT", "PUT done"]


async def test_an_answer_that_is_no_lease_ends_nothing(tmp_path: Path) -> None:
    script = [Answer(body=b"<html>\xff"), refusal(404, "NotFound"), held("a", 1), held("a", 2), held("", 3)]
    _, noticed = await lead(tmp_path, script, 4)
    assert noticed == ["begins", "ends, leads not"]
