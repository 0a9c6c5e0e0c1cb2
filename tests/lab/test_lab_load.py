"""A thousand requests a second over loopback, the application that answers, and the trace that is left."""

import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from herald.lab.echo import answer_one, bound
from herald.lab.load import Load, Request, Stream
from herald.lab.load_trace import LoadTrace, Sent, complaints


@pytest.fixture
def node() -> Iterator[int]:
    """The port of an application that answers as node-1, three questions of four."""
    with bound(0, "127.0.0.1") as listening:
        listening.settimeout(0.2)
        stop = threading.Event()

        def serve() -> None:
            number = 0
            while not stop.is_set():
                try:
                    number += 1
                    if number % 4:
                        answer_one(listening, b"node-1")
                    else:
                        listening.recv(512)
                except TimeoutError:
                    continue

        thread = threading.Thread(target=serve)
        thread.start()
        yield int(listening.getsockname()[1])
        stop.set()
        thread.join()


def traced(*streams: Stream, enough: Callable[[LoadTrace], bool]) -> LoadTrace:
    """The trace of a load that is stopped when what it has seen is enough."""
    load = Load(streams)
    stopped = threading.Event()

    def watch() -> None:
        while not stopped.wait(0.01):
            load.stopping = enough(LoadTrace.parse("\n".join(load.trace())))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        load.run()
    finally:
        stopped.set()
        watcher.join()
    trace = LoadTrace.parse("\n".join(load.trace()))
    load.close()
    return trace


def test_what_is_answered_names_the_node_and_what_is_not_is_lost(node: int) -> None:
    stream = Stream("service", "127.0.0.1", node, 1000)
    trace = traced(stream, enough=lambda seen: len(seen.requests) >= 40)
    sent = len(trace.requests)
    assert sent >= 40
    assert len(trace.lost) == sent // 4
    assert trace.answers() == {"node-1": sent - sent // 4}
    assert complaints(trace.lost) == ""
    assert all(one.waited_ms is None or one.waited_ms >= 0 for one in trace.requests)


def test_every_stream_has_its_own_rate(node: int) -> None:
    streams = (Stream("often", "127.0.0.1", node, 1000), Stream("seldom", "127.0.0.1", node, 1))
    trace = traced(*streams, enough=lambda seen: len(seen.of("often").requests) >= 40)
    assert len(trace.of("seldom").requests) < len(trace.of("often").requests)


def test_what_a_host_says_of_a_lost_request_is_kept() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    trace = traced(Stream("service", "127.0.0.1", port, 1000), enough=lambda seen: len(seen.requests) >= 5)
    assert len(trace.lost) == len(trace.requests)
    assert complaints(trace.lost) == f" ({len(trace.lost)} × Connection refused)"


def test_a_request_is_a_line() -> None:
    answered, lost = Request("service", 10.0, 10.0005, "node-2"), Request("control", 11.0)
    assert [answered.line(), lost.line()] == ["10.000000 service 0.500 node-2", "11.000000 control - no answer"]


TRACE = """\
12.000000 service 1.500 node-1
10.000000 service - no answer
11.000000 control 0.100 router
11.500000 stall 0.075
13.000000 service - Network is unreachable
"""


def test_a_trace_is_read_in_the_order_of_sending() -> None:
    trace = LoadTrace.parse(TRACE)
    assert [one.at for one in trace.requests] == [10.0, 11.0, 12.0, 13.0]
    assert trace.requests[1] == Sent(11.0, "control", 0.1, "router")
    assert (trace.longest_wait_ms, trace.longest_stall_ms) == (1.5, 75.0)


def test_a_part_of_a_trace_begins_with_its_first_instant_and_ends_before_its_last() -> None:
    part = LoadTrace.parse(TRACE).of("service", since=10.0, until=13.0)
    assert [one.at for one in part.requests] == [10.0, 12.0]
    assert [one.at for one in part.lost] == [10.0]


def test_complaints_are_counted() -> None:
    assert complaints(LoadTrace.parse(TRACE).lost) == " (1 × Network is unreachable)"


@pytest.mark.parametrize("text", ["service", "service=1.2.3.4:80", "service=1.2.3.4@5", "service=1.2.3.4:x@5"])
def test_a_stream_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Stream.parse(text)


def test_a_stream_says_where_and_how_often() -> None:
    assert Stream.parse("service=203.0.113.10:7000@1000") == Stream("service", "203.0.113.10", 7000, 1000)
