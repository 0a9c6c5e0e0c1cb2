"""An HTTP server that misbehaves as it is told: no real API server can be made to fail so precisely.

Every connection is real TCP. Each answer of the script is used for one request, whatever it asks for.
"""

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"


@dataclass(frozen=True)
class Answer:
    """What one request gets: a status with a body, or the chunks of a stream and how it ends.

    `end`: "clean", "reset" (TCP RST), "hang" (nothing more comes, until the server is closed). `after_s`: how long the
    server thinks about it; nothing that the other side does stops it.
    """

    status: int = 200
    body: Any = None
    chunks: Sequence[bytes] = ()
    end: str = "clean"
    headers: tuple[tuple[str, str], ...] = ()
    after_s: float = 0.0


@dataclass
class Request:
    """One request as it arrived."""

    method: str
    path: str
    params: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass
class ScriptedServer:
    """Answers one request after the other from `script`; `requests` are those that came."""

    script: list[Answer]
    requests: list[Request] = field(default_factory=list)
    url: str = ""
    history: list[str] = field(default_factory=list)
    """What came and what was answered, in this order: `PATCH`, `PATCH done`."""
    stirred: asyncio.Event = field(default_factory=asyncio.Event)
    _server: asyncio.Server | None = None
    _connections: set[asyncio.Task[None]] = field(default_factory=set)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._track, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Nobody listens any more, and what hangs is cut."""
        assert self._server is not None
        self._server.close()
        for task in tuple(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _track(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async for request in _requests(reader):
                self.requests.append(request)
                self.history.append(request.method)
                self.stirred.set()
                if not self.script:
                    return
                answer = self.script.pop(0)
                if answer.after_s:
                    await asyncio.sleep(answer.after_s)
                self.history.append(f"{request.method} done")
                if not await _answer(writer, answer):
                    return
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()


async def until(stirred: asyncio.Event, condition: Callable[[], bool], within: float = 20.0) -> None:
    """Wait until `condition` holds, which can only become true when `stirred` is set."""
    async with asyncio.timeout(within):
        while not condition():
            stirred.clear()
            await stirred.wait()


async def _requests(reader: asyncio.StreamReader) -> AsyncIterator[Request]:
    while not reader.at_eof():
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
        except asyncio.IncompleteReadError:
            return
        first, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        method, target, _ = first.split(" ")
        parts = urlsplit(target)
        params = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        yield Request(method, parts.path, params, headers, body)


async def _answer(writer: asyncio.StreamWriter, answer: Answer) -> bool:
    """Whether the connection may be used again."""
    if not answer.chunks and answer.end == "clean":
        body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
        extra = "".join(f"{name}: {value}\r\n" for name, value in answer.headers)
        writer.write(f"HTTP/1.1 {answer.status} X\r\nContent-Length: {len(body)}\r\n{extra}\r\n".encode() + body)
        await writer.drain()
        return True
    writer.write(_HEAD)
    for chunk in answer.chunks:
        writer.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
        await writer.drain()
        await asyncio.sleep(0.01)
    match answer.end:
        case "clean":
            writer.write(b"0\r\n\r\n")
        case "reset":
            # Lingering for no time at all makes close() send RST.
            raw = writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        case "hang":
            await asyncio.Event().wait()
    return False


def kubeconfig(folder: Path, url: str, **user: Any) -> Path:
    """A kubeconfig for the server."""
    path = folder / "kubeconfig"
    content = {
        "current-context": "test",
        "clusters": [{"name": "test", "cluster": {"server": url}}],
        "users": [{"name": "test", "user": user}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test", "namespace": "metallb-system"}}],
    }
    path.write_text(json.dumps(content))
    return path


@asynccontextmanager
async def scripted(*script: Answer) -> AsyncIterator[ScriptedServer]:
    async with ScriptedServer(list(script)) as server:
        yield server
