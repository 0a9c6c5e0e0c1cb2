"""A peer that sends a full table of a million routes: it is taken, counted, and forgotten."""

import asyncio
import json
import os
import socket
import struct
import subprocess
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from ipaddress import IPv4Address, ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
from segment import EngineProcess, Network, answers, arping, engine, inside, ip, mac_of
from small_router import Router

from herald.bgp import message
from herald.bgp.message import MessageType, frame
from herald.bgp.parameters import PeerParameters
from herald.bgp.route import Route
from herald.engine.link import Apply, PeerRoutes
from herald.layer2.holding import Holding

pytestmark = [pytest.mark.netns, pytest.mark.interop]

ROUTES = 1_000_000
FIRST = int(IPv4Address("20.0.0.0"))
PREFIXES_OF_A_PATH = 8
"""In the table of the Internet about so many prefixes share their attributes."""
MOST_GROWTH_OCTETS = 16 * 1024 * 1024
"""Sixteen octets for each route would be more."""
VIP = ip_address("192.168.1.200")
PEER = PeerParameters("feed", ip_address("10.50.0.1"), 64500, 64501)
OURS = Route(ip_network("192.168.1.200/32"))


@contextmanager
def bird(host: str, directory: Path) -> Iterator[None]:
    """A BIRD with a million static routes, which it sends to whoever connects from 10.50.0.2."""
    routes = "".join(f"  route {IPv4Address(FIRST + number)}/32 blackhole;\n" for number in range(ROUTES))
    (directory / "bird.conf").write_text(f"""
router id 10.50.0.1;
protocol device {{ }}
protocol static {{
  ipv4;
{routes}}}
protocol bgp herald {{
  local 10.50.0.1 as 64501; neighbor 10.50.0.2 as 64500; passive on;
  ipv4 {{ import all; export all; next hop self; }};
}}
""")
    words = ["ip", "netns", "exec", host, "bird", "-f", "-c", str(directory / "bird.conf")]
    process = subprocess.Popen([*words, "-s", str(directory / "bird.ctl"), "-P", str(directory / "bird.pid")])
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def internet() -> Iterator[bytes]:
    """UPDATEs of eight prefixes each, every one with a path, communities and a MED of its own."""
    for number in range(0, ROUTES, PREFIXES_OF_A_PATH):
        path = struct.pack("!BB4I", 2, 4, 64501, 3356, 65536 + number % 70_000, 65536 + number % 50_000)
        communities = struct.pack("!4H", 3356, number % 60_000, 64501, number % 50_000)
        attributes = bytes.fromhex("40010100 4003040a320001")
        attributes += bytes((0x40, 2, len(path))) + path + bytes((0x80, 4, 4)) + number.to_bytes(4)
        attributes += bytes((0xC0, 8, len(communities))) + communities
        prefixes = b"".join(b"\x20" + (FIRST + number + one).to_bytes(4) for one in range(PREFIXES_OF_A_PATH))
        yield frame(MessageType.UPDATE, message.update_body(b"", attributes, prefixes))


def memory(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@asynccontextmanager
async def node_with_an_address(network: Network, directory: Path) -> AsyncIterator[tuple[EngineProcess, str, str]]:
    """The engine answers for an address; gives it, the namespace of the router, and that of a client."""
    switch = network.bridge("sw")
    node, router, client = (network.host(name) for name in ("node", "router", "client"))
    for host in (node, router, client):
        network.plug(host, switch)
    for host, address in ((node, "10.50.0.2"), (router, "10.50.0.1")):
        ip("-n", host, "addr", "add", f"{address}/24", "dev", "eth0")
    async with engine(node, directory) as herald:
        await herald.apply(Apply(reset=True, holdings=(Holding(VIP),)))
        await answers(client, str(VIP), {mac_of(node)})
        yield herald, router, client


async def take_all(herald: EngineProcess, client: str, growth: Callable[[], int]) -> dict[str, Any]:
    """Until a million routes are counted; the address is answered for all the while."""
    macs = await arping(client, str(VIP), count=1)
    most = 0
    async with asyncio.timeout(240):
        while True:
            (session,) = json.loads(await herald.show("bgp summary"))["data"]
            assert await arping(client, str(VIP), count=1) == macs
            most = max(most, growth())
            if session["families"][0]["received"] >= ROUTES:
                break
            await asyncio.sleep(0.2)
    assert most < MOST_GROWTH_OCTETS
    return dict(session)


async def measured(herald: EngineProcess, client: str, feed: Callable[[], Coroutine[Any, Any, None]]) -> dict[str, Any]:
    pid = herald.process.pid
    before, cpu = memory(pid), cpu_seconds(pid)
    feeding = asyncio.create_task(feed())
    session = await take_all(herald, client, lambda: memory(pid) - before)
    await feeding
    grown = (memory(pid) - before) / 2**20
    print(f"{ROUTES} routes: {cpu_seconds(pid) - cpu:.1f} s of CPU, {grown:+.1f} MiB, {session['messagesIn']}")
    return session


async def test_a_full_table_of_bird_is_counted_and_costs_no_memory(network: Network, tmp_path: Path) -> None:
    async with node_with_an_address(network, tmp_path) as (herald, router, client):
        with bird(router, tmp_path):

            async def feed() -> None:
                await herald.apply(Apply(peers=(PEER,), routes=(PeerRoutes("feed", (OURS,)),)))

            session = await measured(herald, client, feed)
            assert (session["state"], session["flaps"], session["updatesWithErrors"]) == ("Established", 0, 0)
            families = {one["family"]: one for one in session["families"]}
            assert (families["ipv4-unicast"]["received"], families["ipv4-unicast"]["advertised"]) == (ROUTES, 1)


async def test_a_full_table_with_a_path_of_its_own_for_every_eight_routes(network: Network, tmp_path: Path) -> None:
    async with node_with_an_address(network, tmp_path) as (herald, router, client):
        listener = inside(router, lambda: socket.create_server(("10.50.0.1", 179)))
        listener.setblocking(False)
        there = Router(listener)
        await herald.apply(Apply(peers=(PEER,), routes=(PeerRoutes("feed", (OURS,)),)))
        await there.accept_session()
        whole = b"".join(internet())

        async def feed() -> None:
            await asyncio.get_running_loop().sock_sendall(there.connection, whole)

        session = await measured(herald, client, feed)
        assert session["messagesIn"]["update"] == ROUTES // PREFIXES_OF_A_PATH
        assert (session["families"][0]["received"], session["updatesWithErrors"]) == (ROUTES, 0)
        await herald.apply(Apply(routes=(PeerRoutes("feed", (Route(ip_network("192.168.1.201/32")),)),)))
        heard = await there.hear_update()
        while heard[0] != [ip_network("192.168.1.201/32")]:
            heard = await there.hear_update()
        there.close()
