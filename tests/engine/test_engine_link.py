"""The link as control and engine use it: parts and their assembly, a real connection, who may talk."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from herald.bgp.event import Leaving
from herald.bgp.route import Route
from herald.engine.control_link import GRACE, ControlLink
from herald.engine.link import (
    LARGEST_MESSAGE,
    Apply,
    Assembly,
    Channel,
    Departing,
    Downward,
    Facts,
    Join,
    Leave,
    Member,
    Moved,
    PeerRoutes,
    Ready,
    Tell,
    Upward,
    Watch,
    connect,
    parts,
)
from herald.engine.wish import Wish
from herald.layer2.holding import Holding

HOLDINGS = tuple(Holding(ip_address(f"10.0.{n // 250}.{n % 250}")) for n in range(600))
ROUTES = tuple(Route(ip_network(f"10.1.{n // 250}.{n % 250}/32")) for n in range(600))
READY = Ready("n1", 4711)


@pytest.mark.parametrize(
    ("apply", "count"),
    [
        pytest.param(Apply(), 1, id="nothing is one message"),
        pytest.param(Apply(reset=True), 1, id="an empty whole wish is one message"),
        pytest.param(Apply(holdings=HOLDINGS[:100]), 1, id="little"),
        pytest.param(Apply(holdings=HOLDINGS), 3, id="much"),
        pytest.param(
            Apply(
                reset=True,
                holdings=HOLDINGS,
                holdings_dropped=(HOLDINGS[0].address,),
                routes=(
                    PeerRoutes("a", ROUTES, replace=True),
                    PeerRoutes("b", ROUTES[:1], (ROUTES[1].prefix,)),
                    PeerRoutes("c", replace=True),
                ),
            ),
            11,
            id="of everything",
        ),
    ],
)
def test_an_apply_travels_in_parts_and_means_the_same_when_put_together(apply: Apply, count: int) -> None:
    pieces = list(parts(apply, size=250))
    assert len(pieces) == count
    assert [piece.complete for piece in pieces] == [False] * (count - 1) + [True]
    assembly = Assembly()
    assert [assembly.add(piece) for piece in pieces] == [None] * (count - 1) + [tuple(pieces)]
    one, other = Wish(), Wish()
    for wish, told in ((one, [apply]), (other, pieces)):
        for _ in wish.follow(told):
            pass
    assert (one.holdings, one.peers, one.routes) == (other.holdings, other.peers, other.routes)


class Engine:
    """The engine's end, with what it was told."""

    def __init__(self) -> None:
        self.applied: list[tuple[Apply, ...]] = []
        self.left: list[str] = []
        self.departing: list[Departing] = []
        self.moved: list[Moved] = []
        self.facts = Facts(members=(Member("n1"),))
        self.joined: list[tuple[str, ...]] = []
        self.notes: list[bytes] = []
        self.watches: list[Watch] = []
        self.link = ControlLink(
            READY,
            facts=lambda: self.facts,
            on_apply=self._apply,
            on_join=self.joined.append,
            on_leave=self.left.append,
            on_departing=self.departing.append,
            on_moved=self.moved.append,
            on_tell=self.notes.append,
            on_watch=self.watches.append,
        )

    async def _apply(self, pieces: tuple[Apply, ...]) -> None:
        self.applied.append(pieces)


@asynccontextmanager
async def an_engine(path: Path) -> AsyncIterator[Engine]:
    engine = Engine()
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.bind(str(path))
    server = await engine.link.start(listening)
    telling = asyncio.create_task(engine.link.tell_facts())
    try:
        yield engine
    finally:
        telling.cancel()
        engine.link.close()
        server.close()


async def receive(channel: Channel[Downward, Upward]) -> Upward | None:
    async with asyncio.timeout(5):
        return await channel.receive()


async def until(true: Callable[[], bool]) -> None:
    for _ in range(1000):
        if true():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it did not come true")


async def test_control_is_greeted_told_the_facts_and_heard(tmp_path: Path) -> None:
    async with an_engine(tmp_path / "link") as engine:
        channel = await connect(tmp_path / "link")
        assert await receive(channel) == READY
        assert await receive(channel) == engine.facts
        await channel.send(Apply(reset=True, holdings=HOLDINGS))
        await channel.send(Join(("192.0.2.1", "2001:db8::1")))
        await channel.send(Departing(Leaving.FOR_GOOD, "the node is drained"))
        moved = Moved((ip_address("192.0.2.7"),), None, "n1", "nobody announced it before")
        await channel.send(moved)
        await channel.send(Tell(b"a note"))
        await channel.send(Watch(("n2",)))
        await channel.send(Leave("drained"))
        await until(lambda: bool(engine.left))
        assert engine.moved == [moved]
        assert engine.notes == [b"a note"]
        assert engine.watches == [Watch(("n2",))]
        assert engine.joined == [("192.0.2.1", "2001:db8::1")]
        assert engine.applied == [tuple(parts(Apply(reset=True, holdings=HOLDINGS)))]
        assert engine.left == ["drained"]
        assert engine.departing == [Departing(Leaving.FOR_GOOD, "the node is drained")]


async def test_facts_are_told_when_they_change_and_only_then(tmp_path: Path) -> None:
    async with an_engine(tmp_path / "link") as engine:
        channel = await connect(tmp_path / "link")
        assert await receive(channel) == READY
        assert await receive(channel) == engine.facts
        engine.link.note_change()  # a false alarm
        await asyncio.sleep(0.05)
        engine.facts = Facts(members=(Member("n1"), Member("n2")))
        engine.link.note_change()
        assert await receive(channel) == engine.facts


async def test_the_newest_connection_counts_and_the_one_before_is_closed(tmp_path: Path) -> None:
    async with an_engine(tmp_path / "link") as engine:
        first = await connect(tmp_path / "link")
        assert [await receive(first), await receive(first)] == [READY, engine.facts]
        second = await connect(tmp_path / "link")
        assert [await receive(second), await receive(second)] == [READY, engine.facts]
        assert await receive(first) is None
        await second.send(Leave("by the second"))
        await until(lambda: engine.left == ["by the second"])


async def test_what_was_told_in_part_only_is_never_acted_upon(tmp_path: Path) -> None:
    async with an_engine(tmp_path / "link") as engine:
        first = await connect(tmp_path / "link")
        await receive(first)
        await first.send(Apply(reset=True, holdings=HOLDINGS[:1], complete=False))
        first.close()
        second = await connect(tmp_path / "link")
        await receive(second)
        await second.send(Apply(holdings=HOLDINGS[1:2]))
        await until(lambda: bool(engine.applied))
        assert engine.applied == [(Apply(holdings=HOLDINGS[1:2]),)]


@pytest.mark.parametrize(
    "garbage",
    [
        pytest.param(b"\0\0\0\3abc", id="no message"),
        pytest.param(struct.pack("!I", LARGEST_MESSAGE + 1), id="a message larger than any"),
        pytest.param(b"\0\0", id="cut short"),
    ],
)
async def test_who_talks_garbage_is_dropped_and_the_next_is_served(tmp_path: Path, garbage: bytes) -> None:
    async with an_engine(tmp_path / "link") as engine:
        reader, writer = await asyncio.open_unix_connection(tmp_path / "link")
        writer.write(garbage)
        writer.write_eof()
        async with asyncio.timeout(5):
            await reader.read()
        channel = await connect(tmp_path / "link")
        assert [await receive(channel), await receive(channel)] == [READY, engine.facts]
        assert engine.applied == []


async def test_a_control_that_has_stopped_reading_does_not_keep_the_facts_from_its_successor(tmp_path: Path) -> None:
    async with an_engine(tmp_path / "link") as engine:
        stuck = await connect(tmp_path / "link")
        await receive(stuck)
        many = tuple(Member(f"node-{number}-{'x' * 200}") for number in range(10_000))
        for facts in (Facts(members=many), Facts(members=many[1:])):  # more than any buffer between the two holds
            engine.facts = facts
            engine.link.note_change()
            await asyncio.sleep(0.05)
        successor = await connect(tmp_path / "link")
        assert [await receive(successor), await receive(successor)] == [READY, engine.facts]
        stuck.close()


async def test_of_controls_that_come_at_the_same_time_one_counts_and_the_others_are_closed(tmp_path: Path) -> None:
    async with an_engine(tmp_path / "link") as engine:
        several = await asyncio.gather(*(connect(tmp_path / "link") for _ in range(5)))
        heard: list[list[object]] = []
        for channel in several:
            messages: list[object] = []
            with contextlib.suppress(TimeoutError, ConnectionError):
                async with asyncio.timeout(0.3):
                    while (message := await channel.receive()) is not None:
                        messages.append(message)
                    messages.append(None)
            heard.append(messages)
        assert [messages[-1] if messages else None for messages in heard] == [None] * 4 + [engine.facts]


async def losses(engine: Engine, caplog: pytest.LogCaptureFixture) -> int:
    """How many losses of control were told, once there is nothing more to come."""
    await asyncio.sleep(GRACE + 0.1)
    return sum(getattr(record, "event", "") == "controlLost" for record in caplog.records)


async def test_that_control_is_gone_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with an_engine(tmp_path / "link") as engine:
        channel = await connect(tmp_path / "link")
        assert await receive(channel) == READY
        channel.close()
        assert await losses(engine, caplog) == 1


async def test_that_control_was_gone_is_told_before_its_successor_is_served(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    async with an_engine(tmp_path / "link") as engine:
        for _ in range(2):
            channel = await connect(tmp_path / "link")
            assert await receive(channel) == READY
            channel.close()
            await asyncio.sleep(0.05)
        assert await losses(engine, caplog) == 2
    told = [getattr(record, "event", "") for record in caplog.records]
    assert [event for event in told if event.startswith("control")] == [
        "controlConnected",
        "controlLost",
        "controlConnected",
        "controlLost",
    ]


@pytest.mark.parametrize("control_first", [True, False], ids=["control ends first", "the engine hears of it first"])
async def test_where_all_are_told_to_end_it_is_no_news_that_control_is_gone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, control_first: bool
) -> None:
    async with an_engine(tmp_path / "link") as engine:
        channel = await connect(tmp_path / "link")
        assert await receive(channel) == READY
        if not control_first:
            engine.link.leaving()
        channel.close()
        await asyncio.sleep(0.05)
        engine.link.leaving()
        assert await losses(engine, caplog) == 0
