"""`--bgp-listen`: FRR, BIRD, GoBGP and ExaBGP dial Herald, alone and while Herald dials them."""

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import replace
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
from frr_router import HERALD, HERALD6, ROUTER, ROUTER6, FrrRouter, frr_beside_herald, run
from segment import EngineProcess, engine, eventually, inside
from unnumbered_routers import Daemons, daemons

from herald.bgp import message
from herald.bgp.capability import FourOctetAs, Multiprotocol
from herald.bgp.family import Family
from herald.bgp.message import Framer, Keepalive, Message, Open
from herald.bgp.notification import Notification
from herald.bgp.parameters import Password, PeerParameters
from herald.bgp.path_attribute import WireContext
from herald.bgp.route import Route
from herald.engine.link import Apply, PeerRoutes, SessionFact

pytestmark = [pytest.mark.netns, pytest.mark.interop]

PEER = PeerParameters("router", ip_address(ROUTER), 64500, 64501, hold_time=9)
PASSIVE = replace(PEER, passive=True)
FOUR = Route(ip_network("192.168.1.200/32"))
LISTENS = ("--bgp-listen", ":179")
ROUNDS = 6


@pytest.fixture
def frr() -> Iterator[FrrRouter]:
    with frr_beside_herald() as router:
        yield router


@asynccontextmanager
async def herald(place: FrrRouter, tmp_path: Path, *peers: PeerParameters, more: tuple[str, ...] = LISTENS) -> Any:
    async with engine(place.herald_namespace, tmp_path, "n1", *more) as started:
        routes = tuple(PeerRoutes(peer.name, (FOUR,), replace=True) for peer in peers)
        await started.apply(Apply(reset=True, peers=peers, routes=routes))
        yield started


def frr_config(*more: str, peer: str = HERALD, router_id: str = "10.50.0.1", asn: int = 64501) -> str:
    head = f"hostname router\nrouter bgp {asn}\n bgp router-id {router_id}\n no bgp ebgp-requires-policy\n"
    lines = (f" neighbor {peer} remote-as 64500", f" neighbor {peer} timers 3 9", f" neighbor {peer} timers connect 1")
    return head + "\n".join([*lines, *(f" neighbor {peer} {one}" for one in more)]) + "\n"


async def up(started: EngineProcess, seconds: float = 20) -> SessionFact:
    await eventually(lambda: any(one.established for one in started.facts.sessions), "the session is up", seconds)
    return started.facts.sessions[0]


async def shown(started: EngineProcess) -> Any:
    (one,) = json.loads(await started.show("bgp summary"))["data"]
    return one


async def test_frr_dials_a_passive_peer_and_learns_its_route(frr: FrrRouter, tmp_path: Path) -> None:
    frr.start(frr_config())
    async with herald(frr, tmp_path, PASSIVE) as started:
        await up(started)
        one = await shown(started)
        assert (one["dialledBy"], one["neighbor"]["passive"], one["notAccepted"]) == ("peer", True, None)
        await eventually(lambda: frr.show(f"bgp ipv4 unicast {FOUR.prefix}").get("paths"), "FRR has the route")
        theirs = frr.neighbor()
        assert theirs["bgpState"] == "Established"
        assert (theirs["hostForeign"], theirs["portForeign"]) == (HERALD, 179)


async def test_a_passive_peer_is_not_dialled_and_says_what_it_waits_for(frr: FrrRouter, tmp_path: Path) -> None:
    frr.start(frr_config("passive"))
    async with herald(frr, tmp_path, PASSIVE) as started:
        await started.until(lambda facts: bool(facts.sessions), "the session is told of")
        (fact,) = started.facts.sessions
        assert (fact.state, fact.reason) == ("Active", "waiting for the peer to dial (passive)")
        assert (await shown(started))["messagesOut"] == {}


async def test_a_passive_peer_of_a_speaker_that_does_not_listen_says_so(frr: FrrRouter, tmp_path: Path) -> None:
    async with herald(frr, tmp_path, PASSIVE, more=()) as started:
        await started.until(lambda facts: bool(facts.sessions), "the session is told of")
        assert started.facts.sessions[0].reason == (
            "waiting for the peer to dial (passive): this speaker takes no BGP connections; start it with --bgp-listen"
        )


@pytest.mark.parametrize("router_id", ["10.50.0.1", "10.50.0.200"], ids=["ours is higher", "theirs is higher"])
async def test_frr_and_herald_dial_each_other_and_agree_on_one_connection(
    frr: FrrRouter, tmp_path: Path, router_id: str
) -> None:
    frr.start(frr_config(router_id=router_id))
    async with herald(frr, tmp_path, PEER) as started:
        for _ in range(ROUNDS):
            await up(started)
            await eventually(lambda: frr.neighbor()["bgpState"] == "Established", "FRR says so too")
            assert connections(frr.herald_namespace) == 1
            ups = (await shown(started))["ups"]
            await asyncio.to_thread(frr.vtysh, f"clear bgp {HERALD}")
            await eventually(lambda: not started.facts.sessions[0].established, "the session has ended")
            assert ups


def connections(namespace: str) -> int:
    """How many established BGP connections the namespace has."""
    lines = run("ip", "netns", "exec", namespace, "ss", "-Htn", "state", "established").splitlines()
    return sum(":179" in line for line in lines)
