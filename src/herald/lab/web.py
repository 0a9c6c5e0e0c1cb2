"""The application of the lab: every node answers every HTTP request with its own name.

    python -m herald.lab.web --name node-1 --port 8080 --port 8443

One answer per connection, which is what a client that asks a hundred times a second over fresh connections needs.
Standard library only.
"""

import argparse
import asyncio
import sys

END_OF_REQUEST = b"\r\n\r\n"
LONGEST_REQUEST_OCTETS = 16_384


class Answer(asyncio.Protocol):
    """One connection: read to the end of the request's head, answer, close."""

    def __init__(self, name: str) -> None:
        body = f"{name}\n".encode()
        self._reply = (
            b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s"
            % (
                len(body),
                body,
            )
        )
        self._read = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to answer."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer once the head of the request is complete; drop a client that never ends it."""
        assert self._transport is not None
        self._read += data
        if END_OF_REQUEST in self._read:
            self._transport.write(self._reply)
            self._transport.close()
        elif len(self._read) > LONGEST_REQUEST_OCTETS:
            self._transport.abort()


async def serve(name: str, ports: list[int]) -> None:
    """Answer on all addresses of this namespace, both families, until cancelled."""
    loop = asyncio.get_running_loop()
    servers = [await loop.create_server(lambda: Answer(name), None, port, backlog=1024) for port in ports]
    try:
        await asyncio.gather(*(server.serve_forever() for server in servers))
    finally:
        for server in servers:
            server.close()


def main() -> int:
    """Entry point of `python -m herald.lab.web`."""
    parser = argparse.ArgumentParser(prog="herald.lab.web", description="answer HTTP with a name")
    parser.add_argument("--name", required=True)
    parser.add_argument("--port", type=int, action="append", required=True)
    options = parser.parse_args()
    asyncio.run(serve(options.name, options.port))
    return 0


if __name__ == "__main__":
    sys.exit(main())
