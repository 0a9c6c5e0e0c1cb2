"""A client that never stops asking: one HTTP request every few milliseconds, each over a fresh TCP connection.

    python -m herald.lab.poller http://192.168.1.200/ --every-ms 10

It runs as a process of its own inside the client's namespace. A request is sent when its time has come, whether or not
earlier ones were answered, so that an outage is seen as many failures and not as one slow request. On SIGTERM it waits
for the requests on their way and prints one JSON object:

    {"requests": 812, "failed": 0, "repeated": 1, "longest_gap_ms": 31.0, "slowest_ms": 12.0,
     "answers": {"node-1": 812}, "errors": {}}

`longest_gap_ms` is the longest time between two answers, which is how long a user would have waited for one.
`repeated` counts requests whose connection was reset before an answer and that were repeated once, as browsers and HTTP
libraries do with a GET: a connection that is just being opened when a router moves its path to another node meets a
node that does not know it, and no load balancer without shared connection state can prevent that. A request fails when
its repetition fails too or when there is no answer in time.
"""

import argparse
import asyncio
import contextlib
import json
import signal
import socket
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

READY = "polling"
"""The first line of output: requests are being sent from now on."""


@dataclass(slots=True)
class Tally:
    """What happened so far. Instants are monotonic seconds."""

    last_answer: float
    requests: int = 0
    failed: int = 0
    repeated: int = 0
    longest_gap: float = 0.0
    slowest: float = 0.0
    answers: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)

    def answered(self, name: str, sent: float, now: float) -> None:
        """A request of instant `sent` was answered by `name`."""
        self.requests += 1
        self.answers[name] += 1
        self.slowest = max(self.slowest, now - sent)
        self.longest_gap = max(self.longest_gap, now - self.last_answer)
        self.last_answer = now

    def lost(self, why: str) -> None:
        """A request was not answered."""
        self.requests += 1
        self.failed += 1
        self.errors[why] += 1

    def report(self, now: float) -> dict[str, Any]:
        """The JSON object, at the end of polling."""
        return {
            "requests": self.requests,
            "failed": self.failed,
            "repeated": self.repeated,
            "longest_gap_ms": round(max(self.longest_gap, now - self.last_answer) * 1000, 1),
            "slowest_ms": round(self.slowest * 1000, 1),
            "answers": dict(sorted(self.answers.items())),
            "errors": dict(sorted(self.errors.items())),
        }


@dataclass(frozen=True, slots=True)
class Target:
    """What is asked for."""

    host: str
    port: int
    path: str

    @classmethod
    def parse(cls, url: str) -> "Target":
        """The target of an `http://` URL with a literal address."""
        parts = urlsplit(url)
        if parts.scheme != "http" or parts.hostname is None:
            raise ValueError(f"not a plain http URL: {url}")
        return cls(parts.hostname, parts.port or 80, parts.path or "/")

    @property
    def family(self) -> socket.AddressFamily:
        """The address family of `host`."""
        return socket.AF_INET6 if ":" in self.host else socket.AF_INET

    @property
    def request(self) -> bytes:
        """The whole request."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"GET {self.path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()


async def ask(target: Target) -> str:
    """One request over one connection; the body of the answer, stripped. OSError when it fails."""
    loop = asyncio.get_running_loop()
    with socket.socket(target.family, socket.SOCK_STREAM) as connection:
        connection.setblocking(False)
        await loop.sock_connect(connection, (target.host, target.port))
        await loop.sock_sendall(connection, target.request)
        read = b""
        while (body := complete(read)) is None:
            more = await loop.sock_recv(connection, 4096)
            if not more:
                raise ConnectionResetError("the connection ended before the answer did")
            read += more
    return body.decode(errors="replace").strip()


def complete(read: bytes) -> bytes | None:
    """The body of an answer once all of it was read, else None. The answer must carry Content-Length."""
    head, gap, body = read.partition(b"\r\n\r\n")
    if not gap:
        return None
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return body[: int(value)] if len(body) >= int(value) else None
    raise ConnectionError("the answer has no Content-Length")


async def request(target: Target, tally: Tally, patience: float) -> None:
    """One request, repeated once if its connection is reset, and its place in the tally."""
    sent = time.monotonic()
    try:
        async with asyncio.timeout(patience):
            try:
                name = await ask(target)
            except ConnectionResetError:
                tally.repeated += 1
                name = await ask(target)
    except TimeoutError:
        tally.lost(f"no answer within {patience:g} s")
    except OSError as error:
        tally.lost(error.strerror or str(error))
    else:
        tally.answered(name, sent, time.monotonic())


async def poll(target: Target, every: float, patience: float, stop: asyncio.Event) -> dict[str, Any]:
    """Ask every `every` seconds until `stop`, then wait for the requests on their way and report."""
    print(READY, flush=True)  # noqa: T201
    due = time.monotonic()
    tally = Tally(last_answer=due)
    async with asyncio.TaskGroup() as requests:
        while not stop.is_set():
            requests.create_task(request(target, tally, patience))
            # A poller that was not given the processor in time leaves requests out; it does not send them all at once.
            due = max(due + every, time.monotonic())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), due - time.monotonic())
        stopped = time.monotonic()
    return tally.report(max(stopped, tally.last_answer))


async def _run(options: argparse.Namespace) -> dict[str, Any]:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    return await poll(Target.parse(options.url), options.every_ms / 1000, options.timeout_ms / 1000, stop)


def main() -> int:
    """Entry point of `python -m herald.lab.poller`."""
    parser = argparse.ArgumentParser(prog="herald.lab.poller", description="ask again and again, count what fails")
    parser.add_argument("url")
    parser.add_argument("--every-ms", type=float, default=10.0)
    parser.add_argument("--timeout-ms", type=float, default=2000.0)
    print(json.dumps(asyncio.run(_run(parser.parse_args()))), flush=True)  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
