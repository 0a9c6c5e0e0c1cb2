"""A thousand clients a second: a request over UDP every millisecond, each from a socket, and so a port, of its own.

    python -m herald.lab.load --trace FILE --stream service=203.0.113.10:7000@1000 --stream control=198.51.100.1:7000@50

A router with ECMP sends each request its own way. There is no repetition and no time limit: whatever is answered before
the end is answered, however late, so that a machine with too much to do makes requests slow and never lost. On SIGTERM
nothing more is sent; what is on its way has `PATIENCE_S`; then the trace is written, a line per request:

    1795284687.101250 service 0.412 node-2         when it was sent (seconds since 1970), the wait for its answer in ms
    1795284687.102251 service - No route to host   why there was none
    1795284687.180021 stall 0.075                  nothing could be sent for so many seconds before: no processor

A stream of control goes where no fault reaches. What is lost there is lost by this program or this machine.
"""

import argparse
import heapq
import resource
import select
import signal
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

READY = "sending"
"""The first line of output: requests are being sent from now on."""

PATIENCE_S = 2.0
"""Seconds after the last request in which answers still count."""

MOST_BEHIND_S = 0.02
"""Who is later than that leaves requests out: sent all at once, they would be a flood and no thousand a second."""

NO_ANSWER = "no answer"
LONGEST_ANSWER_OCTETS = 512

MOST_WAITING = 15_000
"""Sockets that wait at once, within what a process may have open; of more than that, the oldest have waited enough."""


@dataclass(frozen=True, slots=True)
class Stream:
    """Requests of one kind: where they go, and how many a second."""

    name: str
    address: str
    port: int
    rate: float

    @classmethod
    def parse(cls, text: str) -> "Stream":
        """From `NAME=ADDRESS:PORT@RATE`; ValueError otherwise."""
        name, _, rest = text.partition("=")
        target, _, rate = rest.partition("@")
        address, _, port = target.rpartition(":")
        return cls(name, address, int(port), float(rate))


@dataclass(slots=True)
class Request:
    """One request under way, or over."""

    stream: str
    sent_at: float
    answered_at: float | None = None
    told: str = NO_ANSWER

    def line(self) -> str:
        """Its line in the trace."""
        waited = "-" if self.answered_at is None else f"{(self.answered_at - self.sent_at) * 1000:.3f}"
        return f"{self.sent_at:.6f} {self.stream} {waited} {self.told}"


class Load:
    """Sends, and writes down what became of it. Instants are seconds since 1970, as logs have them."""

    def __init__(self, streams: Sequence[Stream]) -> None:
        self._due = [(0.0, number, stream) for number, stream in enumerate(streams)]
        self._poll = select.epoll()
        self._waiting: dict[int, tuple[socket.socket, Request]] = {}
        self._done: list[str] = []
        self.stopping = False

    def run(self) -> None:
        """Until `stopping`, and then until all is answered or patience is over."""
        now = time.time()
        self._due = [(now, number, stream) for _, number, stream in self._due]
        while not self.stopping:
            self._send_due()
            self._take_answers(max(0.0, self._due[0][0] - time.time()))
        deadline = time.monotonic() + PATIENCE_S
        while self._waiting and time.monotonic() < deadline:
            self._take_answers(0.05)

    def trace(self) -> list[str]:
        """All lines; requests without an answer come last."""
        return self._done + [request.line() for _, request in self._waiting.values()]

    def close(self) -> None:
        """Close what is still open."""
        for connection, _ in self._waiting.values():
            connection.close()
        self._poll.close()

    def _send_due(self) -> None:
        while not self.stopping and (behind := time.time() - self._due[0][0]) >= 0:
            due, number, stream = self._due[0]
            if behind > MOST_BEHIND_S:
                self._done.append(f"{due + behind:.6f} stall {behind:.3f}")
                due += behind
            heapq.heapreplace(self._due, (due + 1 / stream.rate, number, stream))
            self._ask(stream)

    def _ask(self, stream: Stream) -> None:
        if len(self._waiting) >= MOST_WAITING:
            self._give_up(next(iter(self._waiting)))
        connection = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        request = Request(stream.name, time.time())
        try:
            connection.connect((stream.address, stream.port))
            connection.send(f"{request.sent_at:.6f}".encode())
        except OSError as error:
            connection.close()
            request.told = str(error.strerror)
            self._done.append(request.line())
        else:
            self._waiting[connection.fileno()] = connection, request
            self._poll.register(connection, select.EPOLLIN)

    def _give_up(self, number: int) -> None:
        connection, request = self._waiting.pop(number)
        connection.close()
        self._done.append(request.line())

    def _take_answers(self, patience: float) -> None:
        for number, _ in self._poll.poll(patience):
            connection, request = self._waiting.pop(number)
            try:
                answer = connection.recv(LONGEST_ANSWER_OCTETS)
            except OSError as error:
                # An ICMP message: a router or a host says that there is no way, or nobody.
                request.told = str(error.strerror)
            else:
                request.answered_at = time.time()
                request.told = answer.decode(errors="replace").partition(" ")[2]
            connection.close()
            self._done.append(request.line())


def main() -> int:
    """Entry point of `python -m herald.lab.load`."""
    parser = argparse.ArgumentParser(prog="herald.lab.load", description="ask a thousand times a second")
    parser.add_argument("--trace", type=Path, required=True)
    parser.add_argument("--stream", type=Stream.parse, action="append", required=True)
    options = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    load = Load(options.stream)

    def stop(_number: int, _frame: object) -> None:
        load.stopping = True

    signal.signal(signal.SIGTERM, stop)
    print(READY, flush=True)  # noqa: T201
    load.run()
    options.trace.write_text("\n".join(load.trace()) + "\n")
    load.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
