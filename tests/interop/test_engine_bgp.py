"""The engine and BGP: a small router in the next namespace sees what control wishes, and nothing else."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from segment import EngineProcess, Network, engine, inside, ip
from small_router import Router

from herald.bgp.community import Community
from herald.bgp.notification import Notification
from herald.bgp.parameters import PeerParameters
from herald.bgp.route import Route
from herald.engine.link import Apply, PeerRoutes

pytestmark = pytest.mark.netns

PEER = PeerParameters("router", ip_address("10.50.0.1"), 64500, 64501)
ONE = Route(ip_network("192.168.1.200/32"), communities=(Community(64500 << 16 | 1),))
TWO = Route(ip_network("192.168.1.201/32"))
WISH = Apply(reset=True, peers=(PEER,), routes=(PeerRoutes("router", (ONE,), replace=True),))


@pytest.fixture
async def pair(network: Network, tmp_path: Path) -> AsyncIterator[tuple[EngineProcess, Router]]:
    node, peer = network.host("node"), network.host("router")
    network.wire(node, "eth0", peer, "eth0")
    ip("-n", node, "addr", "add", "10.50.0.2/24", "dev", "eth0")
    ip("-n", peer, "addr", "add", "10.50.0.1/24", "dev", "eth0")
    listener = inside(peer, lambda: socket.create_server(("10.50.0.1", 179)))
    listener.setblocking(False)
    router = Router(listener)
    async with engine(node, tmp_path) as herald:
        yield herald, router
    router.close()


async def test_a_peer_hears_the_routes_and_control_hears_of_the_session(pair: tuple[EngineProcess, Router]) -> None:
    herald, router = pair
    await herald.apply(WISH)
    await router.accept_session()
    assert await router.hear_update() == ([ONE.prefix], [])
    facts = await herald.until(lambda facts: any(s.established for s in facts.sessions), "the session is up")
    assert [(s.peer, s.state, s.reason) for s in facts.sessions] == [("router", "Established", None)]
    (summary,) = json.loads(await herald.show("bgp summary"))["data"]
    assert (summary["peer"], summary["state"], summary["remoteASN"]) == ("router", "Established", 64501)
    (route,) = json.loads(await herald.show("bgp routes"))["data"]
    assert (route["prefix"], route["communities"], route["established"]) == ("192.168.1.200/32", ["64500:1"], True)
    assert '"event":"sessionUp"' in herald.log.read_text()


async def test_the_same_whole_wish_of_a_new_control_sends_nothing_and_keeps_the_session(
    pair: tuple[EngineProcess, Router],
) -> None:
    herald, router = pair
    await herald.apply(WISH)
    await router.accept_session()
    assert await router.hear_update() == ([ONE.prefix], [])
    await herald.disconnect()
    await herald.connect()
    await herald.apply(WISH)
    await herald.apply(WISH)
    await herald.apply(Apply(routes=(PeerRoutes("router", (TWO,)),)))
    assert await router.hear_update() == ([TWO.prefix], []), "the change is the next thing the peer hears"


async def test_routes_are_withdrawn_and_a_peer_that_is_dropped_is_told_why(pair: tuple[EngineProcess, Router]) -> None:
    herald, router = pair
    await herald.apply(WISH)
    await router.accept_session()
    await router.hear_update()
    await herald.apply(Apply(routes=(PeerRoutes("router", withdrawn=(ONE.prefix,)),)))
    assert await router.hear_update() == ([], [ONE.prefix])
    await herald.apply(Apply(reset=True))
    goodbye = await router.hear_news()
    assert isinstance(goodbye, Notification)
    assert goodbye.text == 'Cease/Administrative Shutdown: "peer removed from the configuration"'
    await herald.until(lambda facts: facts.sessions == (), "the session is forgotten")


async def test_an_engine_that_leaves_says_so_to_its_peers(pair: tuple[EngineProcess, Router]) -> None:
    herald, router = pair
    await herald.apply(WISH)
    await router.accept_session()
    await router.hear_update()
    ending = asyncio.create_task(herald.end())
    goodbye = await router.hear_news()
    assert isinstance(goodbye, Notification)
    assert goodbye.text.startswith("Cease/Administrative Shutdown")
    assert await ending == 0


async def test_a_changed_peer_keeps_its_routes(pair: tuple[EngineProcess, Router]) -> None:
    herald, router = pair
    await herald.apply(WISH)
    await router.accept_session()
    await router.hear_update()
    await herald.apply(Apply(peers=(replace(PEER, router_id=ip_address("10.50.0.77")),)))
    assert isinstance(await router.hear_news(), Notification)
    router.hang_up()
    await router.accept_session()
    assert await router.hear_update() == ([ONE.prefix], [])
