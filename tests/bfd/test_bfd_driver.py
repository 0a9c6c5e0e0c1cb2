"""The asyncio shell: sockets as they are needed, packets before timers, and a farewell."""

import asyncio
import os
import random
import time
from collections import deque
from dataclasses import replace
from ipaddress import ip_address

import pytest
from bfd_values import PACKET, PROFILE

from herald.bfd.control_packet import ControlPacket, State, decode, encode
from herald.bfd.driver import FAREWELLS, BfdDriver
from herald.bfd.path import Datagram, Hops, Lane, Path
from herald.bfd.session import Cause, Changed

PEER, OURS = ip_address("10.0.0.1"), ip_address("10.0.0.2")
PATH = Path(PEER)
QUICK = replace(PROFILE, receive_interval_ms=20, transmit_interval_ms=20)


class Listener:
    """Readable while datagrams wait, by a pipe that holds an octet for each."""

    def __init__(self) -> None:
        self.waiting: deque[Datagram] = deque()
        self.reading, self._writing = os.pipe2(os.O_NONBLOCK)
        self.is_closed = False

    def put(self, datagram: Datagram) -> None:
        self.waiting.append(datagram)
        os.write(self._writing, b"x")

    def fileno(self) -> int:
        return self.reading

    def receive(self) -> Datagram | None:
        if not self.waiting:
            return None
        os.read(self.reading, 1)
        return self.waiting.popleft()

    def close(self) -> None:
        if not self.is_closed:
            os.close(self.reading)
            os.close(self._writing)
        self.is_closed = True


class Transmitter:
    def __init__(self, network: "Network") -> None:
        self.network = network

    def send(self, data: bytes) -> None:
        if self.network.send_error:
            raise OSError(self.network.send_error)
        self.network.sent.append(decode(data))

    def close(self) -> None:
        pass


class Network:
    """The seam: what `herald.bfd.network` asks for, in memory."""

    def __init__(self) -> None:
        self.listeners: dict[Lane, Listener] = {}
        self.sent: list[ControlPacket] = []
        self.opened = 0
        self.listen_error = self.send_error = ""

    def listen(self, lane: Lane) -> Listener:
        self.opened += 1
        if self.listen_error:
            raise OSError(self.listen_error)
        self.listeners[lane] = Listener()
        return self.listeners[lane]

    def transmit(self, path: Path) -> Transmitter:
        return Transmitter(self)

    def echo_link(self, interface_index: int, version: int):  # type: ignore[no-untyped-def]  # not used here
        raise OSError("no echoes here")

    def reflect(self, version: int, vrf: str | None):  # type: ignore[no-untyped-def]  # not used here
        raise OSError("no echoes here")

    def forwards(self, version: int) -> bool:
        return True

    def interface_index(self, name: str) -> int | None:
        return 2

    def say(self, at: float | None = None, path: Path = PATH, **fields) -> None:
        """The peer sends a packet."""
        now = asyncio.get_running_loop().time()
        mine = self.sent[-1].my_discriminator if self.sent else 0
        said = {"your_discriminator": mine, "desired_min_tx_us": 20_000, "required_min_rx_us": 20_000} | fields
        packet = replace(PACKET, **said)
        self.listeners[Lane.of(path)].put(Datagram(encode(packet), PEER, OURS, 2, 255, now if at is None else at))


class Stand:
    def __init__(self) -> None:
        self.network = Network()
        self.changes: list[tuple[Path, Changed]] = []
        self.driver = BfdDriver(self.network, random.Random(1), lambda *change: self.changes.append(change))

    async def bring_up(self) -> None:
        self.driver.watch(PATH, QUICK)
        await asyncio.sleep(0)
        while not self.network.sent:  # noqa: ASYNC110  # a timer
            await asyncio.sleep(0.001)
        for fields in ({"state": State.DOWN}, {"state": State.UP}, {"state": State.UP, "final": True}):
            self.network.say(**fields)
            await asyncio.sleep(0.005)
        assert self.driver.state(PATH) is State.UP


@pytest.fixture
async def stand():
    made = Stand()
    yield made
    made.driver.close()


async def test_silence_is_told_once(stand: Stand) -> None:
    await stand.bring_up()
    await asyncio.sleep(0.3)
    downs = [change for path, change in stand.changes if change.before is State.UP]
    assert [change.cause for change in downs] == [Cause.FAILURE]
    assert stand.network.sent[-1].state is State.DOWN


async def test_an_engine_that_was_held_up_finds_its_peer_alive(stand: Stand) -> None:
    """All timers are due at once; the packets that came meanwhile are read first, each as of when it came."""
    await stand.bring_up()
    loop = asyncio.get_running_loop()
    began = loop.time()
    time.sleep(0.4)  # noqa: ASYNC251  # the point: nothing runs
    for tick in range(1, 21):
        stand.network.say(at=began + 0.02 * tick, state=State.UP)
    await asyncio.sleep(0.03)
    assert stand.driver.state(PATH) is State.UP
    assert [change for _, change in stand.changes if change.before is State.UP] == []


async def test_sessions_of_one_kind_share_a_socket_that_goes_with_the_last(stand: Stand) -> None:
    others = [Path(ip_address(f"10.0.0.{number}")) for number in range(1, 4)]
    for path in (*others, Path(PEER, Hops.MULTI), Path(ip_address("fd00::1"))):
        stand.driver.watch(path, QUICK)
    assert set(stand.network.listeners) == {Lane(4, Hops.SINGLE), Lane(4, Hops.MULTI), Lane(6, Hops.SINGLE)}
    for path in others:
        stand.driver.unwatch(path)
    await asyncio.sleep(0.2)
    assert stand.network.listeners[Lane(4, Hops.SINGLE)].is_closed
    assert not stand.network.listeners[Lane(4, Hops.MULTI)].is_closed


async def test_the_end_is_told_several_times_and_is_no_change_to_anybody(stand: Stand) -> None:
    await stand.bring_up()
    before = len(stand.changes)
    await stand.driver.stop()
    assert [one.state for one in stand.network.sent].count(State.ADMIN_DOWN) >= FAREWELLS
    assert len(stand.changes) == before
    assert stand.driver.snapshots() == {}


async def test_a_path_may_be_watched_again_while_the_farewell_is_said(stand: Stand) -> None:
    await stand.bring_up()
    stand.driver.unwatch(PATH)
    stand.driver.watch(PATH, QUICK)
    await asyncio.sleep(0.15)
    assert list(stand.driver.snapshots()) == [PATH]
    stand.network.say(state=State.DOWN, your_discriminator=0)
    await asyncio.sleep(0.02)
    assert stand.driver.state(PATH) is State.INIT


async def test_a_port_that_is_taken_is_said_and_tried_again(stand: Stand) -> None:
    stand.network.listen_error = "the port belongs to another program"
    stand.driver.watch(PATH, QUICK)
    assert stand.driver.snapshots()[PATH].problem == "the port belongs to another program"
    stand.network.listen_error = ""
    async with asyncio.timeout(5):
        while not stand.network.listeners:  # noqa: ASYNC110  # the timer under test
            await asyncio.sleep(0.05)
    assert stand.network.opened == 2
    assert stand.driver.snapshots()[PATH].problem is None


async def test_what_cannot_be_sent_is_counted_and_said(stand: Stand) -> None:
    stand.network.send_error = "network is unreachable"
    stand.driver.watch(PATH, QUICK)
    await asyncio.sleep(0.02)
    assert stand.driver.send_failures == 1
    assert stand.driver.snapshots()[PATH].problem == "cannot send: network is unreachable"


async def test_a_flood_is_read_in_portions(stand: Stand) -> None:
    await stand.bring_up()
    for _ in range(1000):
        stand.network.listeners[Lane.of(PATH)].put(Datagram(b"noise", PEER, OURS, 2, 255, 0.0))
    turns = 0
    while stand.network.listeners[Lane.of(PATH)].waiting:
        turns += 1
        await asyncio.sleep(0)
    assert turns >= 3
    assert sum(stand.driver.dropped().values()) == 1000
