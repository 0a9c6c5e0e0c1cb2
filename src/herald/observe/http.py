"""A small HTTP/1.1 server for health and metrics: GET and HEAD, nothing else.

h11 reads and writes HTTP; it comes with the client of the API server anyway. A whole web stack would cost each speaker
five more megabytes for two paths. Whoever connects is a stranger and may be hostile, hence the bounds: octets of a
request's head, seconds for the TLS handshake, for a request and for an answer, and the number of connections. When
there are too many, the one that has been silent for longest goes.
"""

import asyncio
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

import h11

MOST_CONNECTIONS: Final = 32
LARGEST_HEAD: Final = 16 * 1024
HANDSHAKE_S: Final = 5.0
REQUEST_S: Final = 10.0
"""From a request's first octet to its last; also for an answer to be taken."""
IDLE_S: Final = 75.0
"""Between two requests on one connection; Prometheus asks every 60 s at the latest, usually."""
_PLAIN: Final = "text/plain; charset=utf-8"

_log: Final = logging.getLogger("herald.observe.http")


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for. `path` is without the query; header names are lower case, the last of equal ones counts."""

    path: str
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Response:
    """What is answered."""

    status: HTTPStatus
    body: bytes
    content_type: str = _PLAIN
    headers: tuple[tuple[str, str], ...] = ()

    @classmethod
    def text(cls, status: HTTPStatus, words: str, headers: tuple[tuple[str, str], ...] = ()) -> "Response":
        """An answer for people."""
        return cls(status, words.encode() + b"\n", headers=headers)


Answer = Callable[[Request], Awaitable[Response]]
Context = Callable[[], ssl.SSLContext]
"""Gives the TLS context for the next connection: a certificate that was renewed is used from then on."""


@dataclass(slots=True)
class Server:
    """A listening server. `close` it once; everything it started has ended then."""

    answer: Answer
    context: Context | None
    listening: socket.socket
    _connections: dict[asyncio.Task[None], None] = field(default_factory=dict)
    """Those that spoke last stand last."""
    _accepting: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """Where it listens."""
        number: int = self.listening.getsockname()[1]
        return number

    def start(self) -> None:
        """Take connections from now on."""
        self._accepting = asyncio.create_task(self._accept(), name=f"http {self.port}")

    async def close(self) -> None:
        """Stop listening, cut off everybody."""
        tasks = [*self._connections] + ([self._accepting] if self._accepting else [])
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.listening.close()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(self.listening)
            except OSError as error:  # out of descriptors, or the caller is gone already
                _log.warning("cannot take a connection: %s", error, extra={"event": "httpAccept", "error": str(error)})
                await asyncio.sleep(0.1)
                continue
            if len(self._connections) >= MOST_CONNECTIONS:
                next(iter(self._connections)).cancel()
            task = loop.create_task(self._serve(connection))
            self._connections[task] = None
            task.add_done_callback(lambda done: self._connections.pop(done, None))

    async def _serve(self, connection: socket.socket) -> None:
        try:
            stream = await _open(connection, self.context() if self.context else None)
        except (OSError, ssl.SSLError, TimeoutError) as error:  # a port scan, a client that wants plain HTTP
            connection.close()
            _log.debug("no TLS session: %s", error, extra={"event": "httpHandshake", "error": str(error)})
            return
        try:
            await self._converse(stream)
        except (OSError, TimeoutError, h11.LocalProtocolError) as error:
            _log.debug("connection ends: %s", error, extra={"event": "httpEnds", "error": str(error)})
        finally:
            stream.writer.transport.abort()

    async def _converse(self, stream: "_Stream") -> None:
        while (request := await stream.request()) is not None:
            task = asyncio.current_task()
            assert task is not None
            self._connections.pop(task, None)
            self._connections[task] = None
            head_only = request.method == b"HEAD"
            if head_only or request.method == b"GET":
                response = await self._answer(request)
            else:
                allow = (("allow", "GET, HEAD"),)
                response = Response.text(HTTPStatus.METHOD_NOT_ALLOWED, "GET and HEAD only", allow)
            await stream.respond(response, head_only=head_only)
            if not stream.next_cycle():
                break
        await stream.finish()

    async def _answer(self, request: h11.Request) -> Response:
        headers = {name.decode("ascii"): value.decode("latin-1") for name, value in request.headers}
        path = request.target.decode("latin-1").partition("?")[0]
        try:
            return await self.answer(Request(path, headers))
        except Exception:  # noqa: BLE001  # one bad page must not end the process, nor go unsaid
            _log.exception("no answer for %s", path, extra={"event": "httpFailed", "path": path})
            return Response.text(HTTPStatus.INTERNAL_SERVER_ERROR, "internal error; see the log")


class _Stream:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=LARGEST_HEAD)

    async def request(self) -> h11.Request | None:
        """The next request; None when there is none, or what comes is not HTTP (which is answered)."""
        async with asyncio.timeout(IDLE_S) as limit:
            loop, begun = asyncio.get_running_loop(), False
            try:
                while (event := self._http.next_event()) is h11.NEED_DATA:
                    data = await self._reader.read(4096)
                    if not begun:
                        begun = True
                        limit.reschedule(loop.time() + REQUEST_S)
                    self._http.receive_data(data)
            except h11.RemoteProtocolError as error:
                if self._http.our_state is h11.IDLE:
                    status = HTTPStatus(error.error_status_hint)
                    await self.respond(Response.text(status, str(error)), head_only=False)
                return None
        return event if isinstance(event, h11.Request) else None

    async def respond(self, response: Response, *, head_only: bool) -> None:
        """Send it, within `REQUEST_S`."""
        headers = [
            ("content-type", response.content_type),
            ("content-length", str(len(response.body))),
            ("x-content-type-options", "nosniff"),
            *response.headers,
        ]
        head = h11.Response(status_code=response.status.value, headers=headers, reason=response.status.phrase)
        sent = [self._http.send(head)]
        if not head_only:
            sent.append(self._http.send(h11.Data(data=response.body)))
        sent.append(self._http.send(h11.EndOfMessage()))
        async with asyncio.timeout(REQUEST_S):
            self.writer.write(b"".join(part for part in sent if part is not None))
            await self.writer.drain()

    def next_cycle(self) -> bool:
        """Get ready for one more request; False if there is to be none."""
        # A body nobody wants is not read: a client that sends one must connect anew.
        while self._http.their_state is h11.SEND_BODY:
            event = self._http.next_event()
            if not isinstance(event, h11.EndOfMessage):
                return False
        if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
            return False
        self._http.start_next_cycle()
        return True

    async def finish(self) -> None:
        """Let what was written leave, then say goodbye."""
        self.writer.close()
        with suppress(OSError, TimeoutError):  # the other side is gone already
            async with asyncio.timeout(1.0):
                await self.writer.wait_closed()


async def _open(connection: socket.socket, context: ssl.SSLContext | None) -> _Stream:
    """The stream of an accepted connection. Raises OSError and TimeoutError."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=LARGEST_HEAD)
    protocol = asyncio.StreamReaderProtocol(reader)
    if context is None:
        transport, _ = await loop.connect_accepted_socket(lambda: protocol, connection)
    else:
        transport, _ = await loop.connect_accepted_socket(
            lambda: protocol, connection, ssl=context, ssl_handshake_timeout=HANDSHAKE_S, ssl_shutdown_timeout=1.0
        )
    transport.set_write_buffer_limits(high=256 * 1024)
    return _Stream(reader, asyncio.StreamWriter(transport, protocol, reader, loop))


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 takes a free one, an empty `host` every address. Raises OSError."""
    every = not host
    dual = every and socket.has_dualstack_ipv6()
    if every:
        host = "::" if dual else "0.0.0.0"  # noqa: S104  # that is what the caller asks for
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.create_server((host, port), family=family, dualstack_ipv6=dual)
    listening.setblocking(False)
    return listening


def serve(listening: socket.socket, answer: Answer, context: Context | None = None) -> Server:
    """Answer on a socket of `listen` from now on, with TLS if there is a context."""
    server = Server(answer, context, listening)
    server.start()
    return server
