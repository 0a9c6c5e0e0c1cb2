"""Two dozen peers that mean harm, one that does not, and a client that asks for an address: only the former suffer."""

import asyncio
import contextlib
import json
import os
import random
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from ipaddress import ip_address, ip_network
from itertools import count
from pathlib import Path

import pytest
from segment import EngineProcess, Network, answers, arping, engine, eventually, inside, ip, mac_of
from small_router import OPEN, WIRE, Router

from herald.bgp import message
from herald.bgp.capability import ExtendedMessage
from herald.bgp.community import Community
from herald.bgp.message import Keepalive, MessageType, RouteRefresh, frame
from herald.bgp.notification import Notification
from herald.bgp.parameters import PeerParameters
from herald.bgp.route import Route
from herald.engine.link import Apply, PeerRoutes
from herald.layer2.holding import Holding

pytestmark = pytest.mark.netns

VIP = ip_address("192.168.1.200")
GOOD = PeerParameters("good", ip_address("10.50.0.1"), 64500, 64501)
ROUTES = tuple(Route(ip_network((0x0A640000 + number, 32)), communities=(Community(number),)) for number in range(2000))
LATE = Route(ip_network("192.168.1.200/32"))
SECONDS = 6.0
MOST_GROWTH_OCTETS = 40 * 1024 * 1024
"""As many sessions with 2,000 routes each; a table of a million routes alone would be more."""


@dataclass(frozen=True)
class Stream:
    """One connection that Herald has made."""

    sock: socket.socket

    async def say(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.sock, data)

    async def establish(self) -> None:
        await self.say(message.encode(OPEN, WIRE) + KEEPALIVE)

    async def read(self) -> None:
        """Take whatever comes until it ends."""
        while await asyncio.get_running_loop().sock_recv(self.sock, 65536):
            pass


Attack = Callable[[Stream], Awaitable[None]]
KEEPALIVE = message.encode(Keepalive(), WIRE)
ATTRIBUTES = bytes.fromhex("40010100 40020602010000fbf5 4003040a320042")


def update(withdrawn: bytes, attributes: bytes, reachable: bytes) -> bytes:
    return frame(MessageType.UPDATE, message.update_body(withdrawn, attributes, reachable))


def open_with(parameters: bytes, length: int | None = None) -> bytes:
    told = len(parameters) if length is None else length
    return frame(MessageType.OPEN, struct.pack("!BHH4sB", 4, 64501, 90, b"\x0a\x32\0\1", told) + parameters)


def full_update(number: int) -> bytes:
    """An UPDATE of 900 prefixes that no other has."""
    prefixes = b"".join(bytes((24,)) + (number * 900 + one & 0xFFFFFF).to_bytes(3) for one in range(900))
    return update(b"", ATTRIBUTES, prefixes)


async def garbage(stream: Stream) -> None:
    await stream.say(random.Random(1).randbytes(60_000))


async def nothing_at_all(stream: Stream) -> None:
    await asyncio.Event().wait()


async def reset_at_once(stream: Stream) -> None:
    stream.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def half_an_open_then_reset(stream: Stream) -> None:
    await stream.say(message.encode(OPEN, WIRE)[:25])
    await reset_at_once(stream)


async def one_octet_at_a_time(stream: Stream) -> None:
    for octet in message.encode(OPEN, WIRE) + KEEPALIVE * 1000:
        await stream.say(bytes((octet,)))
        await asyncio.sleep(0.002)


async def half_closed(stream: Stream) -> None:
    await stream.establish()
    stream.sock.shutdown(socket.SHUT_WR)
    await stream.read()


def saying(data: bytes) -> Attack:
    async def say(stream: Stream) -> None:
        await stream.say(data)
        await stream.read()

    return say


def established_then(data: bytes) -> Attack:
    async def say(stream: Stream) -> None:
        await stream.establish()
        await stream.say(data)
        await stream.read()

    return say


def flooding_with(data: Iterator[bytes], opening: bytes = message.encode(OPEN, WIRE)) -> Attack:
    async def flood(stream: Stream) -> None:
        await stream.say(opening + KEEPALIVE)
        reader = asyncio.create_task(stream.read())
        try:
            for piece in data:
                await stream.say(piece)
                await asyncio.sleep(0)
        finally:
            reader.cancel()

    return flood


async def never_reading(stream: Stream) -> None:
    stream.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    await stream.establish()
    while True:
        await asyncio.sleep(1)
        await stream.say(KEEPALIVE)


def forever(data: bytes) -> Iterator[bytes]:
    while True:
        yield data


LONG_OPEN = replace(OPEN, capabilities=(*OPEN.capabilities, ExtendedMessage()))
BARE = bytes.fromhex("40010100 4003040a320042")
LONG_PATH = b"\x50\x02" + (60_000).to_bytes(2) + b"\x02\x01\0\0\xfb\xf5" * 10_000
CONTRADICTION = update(b"\x18\x0a\0\0", ATTRIBUTES + b"\x80\x0f\x03\0\1\1", b"\x18\x0a\0\0" * 2)
CAPABILITIES = b"".join(bytes((2, 255)) + bytes((200, 253)) + bytes(253) for _ in range(15))
NESTED = b"\x02\x06" + b"\x02\x04\x02\x02\x02\x00"

ATTACKS: dict[str, Attack] = {
    "garbage": garbage,
    "silence": nothing_at_all,
    "reset": reset_at_once,
    "half an OPEN": half_an_open_then_reset,
    "slow": one_octet_at_a_time,
    "half closed": half_closed,
    "never reading": never_reading,
    "header of 65535": saying(b"\xff" * 16 + b"\xff\xff\x01" + bytes(4000)),
    "header of 0": saying(b"\xff" * 16 + b"\0\0\x04"),
    "giant OPEN": saying(frame(MessageType.OPEN, struct.pack("!BHH4sB", 4, 64501, 90, b"\x0a\x32\0\1", 255)
                               + b"\xff" + len(CAPABILITIES).to_bytes(2) + CAPABILITIES)),
    "nested parameters": saying(open_with(NESTED)),
    "lengths that contradict": saying(open_with(NESTED, 200)),
    "another AS": saying(message.encode(replace(OPEN, asn=1, capabilities=()), WIRE)),
    "UPDATE too early": saying(message.encode(OPEN, WIRE) + full_update(0)),
    "NOTIFICATION with a novel": established_then(message.encode(Notification(6, 2, b"\xff" + b"\x1b[2J" * 800), WIRE)),
    "lengths beyond the UPDATE": established_then(frame(MessageType.UPDATE, b"\xff\xff\0\0\0")),
    "a million routes": flooding_with(full_update(number) for number in count()),
    "malformed attributes": flooding_with(forever(update(b"", ATTRIBUTES[:-1] + b"\x40\x01\x01\x09", b"\x18\x0a\0\0"))),
    "refreshes": flooding_with(forever(message.encode(RouteRefresh(1, 1), WIRE) * 700)),
    "keepalives": flooding_with(forever(KEEPALIVE * 800)),
    "contradictions": flooding_with(forever(CONTRADICTION * 100)),
    "ends of the table": flooding_with(forever(update(b"", b"", b"") * 800)),
    "two OPENs": established_then(message.encode(OPEN, WIRE)),
    "MP_REACH_NLRI twice": established_then(update(b"", ATTRIBUTES + b"\x80\x0e\x09\0\1\1\4\x0a\x32\0\x42\0" * 2, b"")),
    "long messages of attributes": flooding_with(
        forever(update(b"", ATTRIBUTES + b"\xc0\x63\0" * 21_000, b"\x18\x0a\0\0")), message.encode(LONG_OPEN, WIRE)),
    "long messages of segments": flooding_with(
        forever(update(b"", BARE + LONG_PATH, b"\x18\x0a\0\0")), message.encode(LONG_OPEN, WIRE)),
    "long messages of prefixes": flooding_with(
        forever(update(b"", ATTRIBUTES, bytes(65_000))), message.encode(LONG_OPEN, WIRE)),
    "a long message that was not agreed": established_then(frame(MessageType.UPDATE, bytes(5000))),
}  # fmt: skip


class Villain:
    """Listens on a port of its own; every connection meets the same attack."""

    def __init__(self, host: str, port: int, attack: Attack) -> None:
        self._listener = inside(host, lambda: socket.create_server(("10.50.0.66", port)))
        self._listener.setblocking(False)
        self._attack = attack
        self.met = 0

    async def run(self) -> None:
        with self._listener:
            while True:
                sock, _ = await asyncio.get_running_loop().sock_accept(self._listener)
                sock.setblocking(False)
                self.met += 1
                with sock, contextlib.suppress(OSError):
                    await self._attack(Stream(sock))


def memory(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE")


def open_files(pid: int) -> int:
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


@contextlib.asynccontextmanager
async def villains(host: str) -> AsyncIterator[dict[str, Villain]]:
    made = {name: Villain(host, 1000 + number, attack) for number, (name, attack) in enumerate(ATTACKS.items())}
    tasks = [asyncio.create_task(one.run()) for one in made.values()]
    try:
        yield made
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(one, asyncio.CancelledError) for one in ended), ended


async def attacked(herald: EngineProcess, client: str, node: str) -> None:
    """Meanwhile, every request of the client is answered."""
    until = asyncio.get_running_loop().time() + SECONDS
    while asyncio.get_running_loop().time() < until:
        assert await arping(client, str(VIP), count=3) == {mac_of(node)}
        assert herald.process.poll() is None


async def test_only_the_sessions_of_hostile_peers_suffer(network: Network, tmp_path: Path) -> None:
    switch = network.bridge("sw")
    node, good, bad, client = (network.host(name) for name in ("node", "good", "bad", "client"))
    for host in (node, good, bad, client):
        network.plug(host, switch)
    for host, address in ((node, "10.50.0.2"), (good, "10.50.0.1"), (bad, "10.50.0.66")):
        ip("-n", host, "addr", "add", f"{address}/24", "dev", "eth0")
    listener = inside(good, lambda: socket.create_server(("10.50.0.1", 179)))
    listener.setblocking(False)
    router = Router(listener)
    bad_peers = tuple(
        PeerParameters(name, ip_address("10.50.0.66"), 64500, 64501, peer_port=1000 + number)
        for number, name in enumerate(ATTACKS)
    )
    async with engine(node, tmp_path) as herald:
        await herald.apply(Apply(reset=True, holdings=(Holding(VIP),), peers=(GOOD,)))
        await router.accept_session()
        await answers(client, str(VIP), {mac_of(node)})
        routes = tuple(PeerRoutes(peer.name, ROUTES, replace=True) for peer in bad_peers)
        async with villains(bad) as crowd:
            await herald.apply(Apply(peers=bad_peers, routes=routes))
            await eventually(lambda: all(one.met for one in crowd.values()), "all of them are at work")
            await attacked(herald, client, node)
            files, octets = open_files(herald.process.pid), memory(herald.process.pid)
            await attacked(herald, client, node)
            assert memory(herald.process.pid) - octets < MOST_GROWTH_OCTETS
            assert open_files(herald.process.pid) <= files + len(ATTACKS)
            await herald.apply(Apply(routes=(PeerRoutes("good", (LATE,)),)))
            assert await router.hear_update() == ([LATE.prefix], []), "what the good peer hears next"
            summary = {one["peer"]: one for one in json.loads(await herald.show("bgp summary"))["data"]}
    router.close()
    assert (summary["good"]["state"], summary["good"]["flaps"]) == ("Established", 0)
    standing = {name for name, one in summary.items() if one["state"] == "Established"}
    assert {"a million routes", "refreshes", "keepalives", "never reading", "malformed attributes"} <= standing
    assert {name for name in ATTACKS if name.startswith("long messages")} <= standing
    assert {"contradictions", "ends of the table"} <= standing
    assert not {"two OPENs", "MP_REACH_NLRI twice", "a long message that was not agreed"} & standing
    assert summary["a million routes"]["families"][0]["received"] > 10_000, "it is read on, in its turn"
    assert "another AS" not in standing
    assert "configured is AS 64501" in summary["another AS"]["lastError"]
    log = herald.log.read_text()
    assert "Traceback" not in log
    assert "\x1b" not in log
