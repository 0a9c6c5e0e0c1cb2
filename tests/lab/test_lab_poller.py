"""The poller and the web server it asks, over loopback."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from herald.lab.poller import Tally, Target, ask, complete, poll
from herald.lab.web import Answer

Reply = Callable[[asyncio.StreamReader, asyncio.StreamWriter], object]


@pytest.fixture
async def node() -> AsyncIterator[Target]:
    server = await asyncio.get_running_loop().create_server(lambda: Answer("node-1"), "127.0.0.1", 0)
    async with server:
        yield Target("127.0.0.1", server.sockets[0].getsockname()[1], "/")


async def test_a_node_answers_with_its_name(node: Target) -> None:
    assert await ask(node) == "node-1"


async def test_polling_counts_who_answered(node: Target) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(0.05, stop.set)
    report = await poll(node, every=0.002, patience=5, stop=stop)
    assert report["failed"] == 0
    assert report["requests"] > 0
    assert report["answers"] == {"node-1": report["requests"]}


async def test_nobody_listening_is_a_failure_with_its_reason() -> None:
    server = await asyncio.get_running_loop().create_server(asyncio.Protocol, "127.0.0.1", 0)
    free = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(0.02, stop.set)
    report = await poll(Target("127.0.0.1", free, "/"), every=0.005, patience=1, stop=stop)
    assert report["failed"] == report["requests"] > 0
    assert list(report["errors"].values()) == [report["requests"]]


async def _polled_once(reply: Reply) -> dict[str, object]:
    server = await asyncio.start_server(reply, "127.0.0.1", 0)  # type: ignore[arg-type]  # both kinds of callback
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(0.01, stop.set)
    async with server:
        port = server.sockets[0].getsockname()[1]
        return await poll(Target("127.0.0.1", port, "/"), every=60, patience=0.3, stop=stop)


async def test_a_reset_connection_is_repeated_once_and_counted() -> None:
    seen = []

    async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        seen.append(1)
        if len(seen) > 1:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nnode-2")
        writer.close()

    report = await _polled_once(reply)
    assert (report["requests"], report["failed"], report["repeated"]) == (1, 0, 1)
    assert report["answers"] == {"node-2": 1}


async def test_a_connection_that_is_reset_twice_is_a_failure() -> None:
    async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    report = await _polled_once(reply)
    assert (report["requests"], report["failed"]) == (1, 1)


async def test_silence_is_a_failure() -> None:
    async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    report = await _polled_once(reply)
    assert report["errors"] == {"no answer within 0.3 s": 1}


def test_the_longest_gap_lies_between_answers_or_after_the_last() -> None:
    tally = Tally(last_answer=100.0)
    tally.answered("a", 100.0, 100.01)
    tally.answered("b", 100.30, 100.31)
    assert tally.report(100.32)["longest_gap_ms"] == 300.0
    assert tally.report(102.31)["longest_gap_ms"] == 2000.0


@pytest.mark.parametrize(
    ("read", "body"),
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Le", None, id="half a head"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab", None, id="half a body"),
        pytest.param(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nabcd", b"abcd", id="all"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabcd", b"ab", id="more than said"),
    ],
)
def test_an_answer_is_complete_when_its_length_was_read(read: bytes, body: bytes | None) -> None:
    assert complete(read) == body


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("http://192.168.1.200", Target("192.168.1.200", 80, "/")),
        ("http://[2001:db8::1]:8080/x", Target("2001:db8::1", 8080, "/x")),
    ],
)
def test_urls(url: str, target: Target) -> None:
    assert Target.parse(url) == target


def test_other_urls_are_refused() -> None:
    with pytest.raises(ValueError, match="https://example"):
        Target.parse("https://example.org")
