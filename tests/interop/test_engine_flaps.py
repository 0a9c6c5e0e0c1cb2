"""Sessions and interfaces that come and go for hours leave nothing behind in the engine."""

import asyncio
import os
import socket
from dataclasses import replace
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from segment import EngineProcess, Network, answers, engine, eventually, inside, ip, mac_of
from small_router import Router

from herald.bgp.parameters import PeerParameters
from herald.bgp.route import Route
from herald.engine.link import Apply, PeerRoutes
from herald.layer2.holding import Holding

pytestmark = pytest.mark.netns

VIP = ip_address("192.168.1.200")
PEER = PeerParameters("router", ip_address("10.50.0.1"), 64500, 64501)
ROUTES = tuple(Route(ip_network((0x0A640000 + number, 32))) for number in range(100))
FLAPS = 150
WARM_UP = 20
MOST_GROWTH_OCTETS = 4 * 1024 * 1024
"""What an allocator may keep; 150 leaked connections with their buffers and routes would be more."""


def open_files(herald: EngineProcess) -> int:
    return sum(1 for _ in Path(f"/proc/{herald.process.pid}/fd").iterdir())


def memory(herald: EngineProcess) -> int:
    return int(Path(f"/proc/{herald.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


async def nothing_is_left(herald: EngineProcess, files: int, octets: int) -> None:
    await eventually(lambda: open_files(herald) <= files, "every socket is closed")
    assert memory(herald) - octets < MOST_GROWTH_OCTETS


async def test_sessions_that_flap_leave_nothing_behind(network: Network, tmp_path: Path) -> None:
    node, peer = network.host("node"), network.host("router")
    network.wire(node, "eth0", peer, "eth0")
    ip("-n", node, "addr", "add", "10.50.0.2/24", "dev", "eth0")
    ip("-n", peer, "addr", "add", "10.50.0.1/24", "dev", "eth0")
    listener = inside(peer, lambda: socket.create_server(("10.50.0.1", 179)))
    listener.setblocking(False)
    router = Router(listener)
    files = octets = 0
    async with engine(node, tmp_path) as herald:
        await herald.apply(Apply(reset=True, peers=(PEER,), routes=(PeerRoutes("router", ROUTES, replace=True),)))
        await router.accept_session()
        for flap in range(FLAPS + WARM_UP):
            if flap == WARM_UP:
                files, octets = open_files(herald), memory(herald)
            # Another router ID ends the session and begins the next at once, with no wait for the peer's sake.
            await herald.apply(Apply(peers=(replace(PEER, router_id=ip_address(flap + 1)),)))
            while await router.hear() is not None:
                pass
            router.hang_up()
            await router.accept_session()
        announced, _ = await router.hear_update()
        assert len(announced) == len(ROUTES), "the last session carries them all"
        await nothing_is_left(herald, files, octets)
    router.close()


async def test_interfaces_that_flap_leave_nothing_behind(network: Network, tmp_path: Path) -> None:
    node, client = network.host("node"), network.host("client")
    network.wire(node, "eth0", client, "eth0")
    files = octets = 0
    async with engine(node, tmp_path) as herald:
        await herald.apply(Apply(reset=True, holdings=(Holding(VIP),)))
        await answers(client, str(VIP), {mac_of(node)})
        for flap in range(FLAPS + WARM_UP):
            if flap == WARM_UP:
                await answers(client, str(VIP), {mac_of(node)})
                files, octets = open_files(herald), memory(herald)
            if flap % 3:
                ip("-n", node, "link", "set", "eth0", "down")
                ip("-n", node, "link", "set", "eth0", "up")
            else:
                ip("-n", node, "link", "del", "eth0")
                network.wire(node, "eth0", client, "eth0")
            await asyncio.sleep(0)
        await answers(client, str(VIP), {mac_of(node)})
        await nothing_is_left(herald, files, octets)
