"""`bfdStrict`: no BGP session before BFD is up, and none without, against FRR's bgpd and bfdd."""

import asyncio
import json
from dataclasses import replace
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
from bfd_router import HERALD, ROUTER, frr, wire
from segment import EngineProcess, engine, eventually

from herald.bfd.profile import BFDProfile
from herald.bgp.parameters import PeerParameters
from herald.bgp.route import Route
from herald.engine.link import Apply, PeerRoutes, SessionFact

pytestmark = [pytest.mark.netns, pytest.mark.interop]

PROFILE = BFDProfile("fast", receive_interval_ms=50, transmit_interval_ms=50)
PEER = PeerParameters(
    "router", ip_address(ROUTER), 64500, 64501, hold_time=9, bfd=PROFILE, bfd_strict=True, connect_time=1
)
ROUTE = Route(ip_network("192.168.7.1/32"))
WAITS = "waiting for BFD (strict mode)"


def config(*more: str) -> str:
    lines = [
        "hostname router",
        "bfd",
        " profile fast",
        "  transmit-interval 50",
        "  receive-interval 50",
        " exit",
        "exit",
    ]
    lines += ["router bgp 64501", f" bgp router-id {ROUTER}", " no bgp ebgp-requires-policy"]
    lines += [f" neighbor {HERALD} {one}" for one in ("remote-as 64500", "timers 3 9", "timers connect 1", *more)]
    return "\n".join(lines) + "\n"


BFD = ("bfd", "bfd profile fast")


def wish(parameters: PeerParameters) -> Apply:
    return Apply(reset=True, peers=(parameters,), routes=(PeerRoutes("router", (ROUTE,), replace=True),))


def fact(started: EngineProcess) -> SessionFact:
    return next(iter(started.facts.sessions), SessionFact("router", established=False, state="unknown"))


async def summary(started: EngineProcess) -> Any:
    (one,) = json.loads(await started.show("bgp summary"))["data"]
    return one


async def test_bgp_waits_for_bfd_falls_with_it_and_comes_back_with_it(tmp_path: Path) -> None:
    with wire() as link, frr(link.router, config(*BFD, "passive")) as router:
        router.vtysh("configure", "router bgp 64501", f"no neighbor {HERALD} bfd")
        async with engine(link.herald, tmp_path) as started:
            await started.apply(wish(PEER))
            await eventually(lambda: fact(started).reason == WAITS, "it says what it waits for")
            one = await summary(started)
            assert (one["state"], one["waitsFor"], one["messagesOut"]) == ("Idle", WAITS, {})
            await asyncio.to_thread(
                router.vtysh, "configure", "router bgp 64501", f"neighbor {HERALD} bfd profile fast"
            )
            await eventually(lambda: fact(started).established, "BFD is up, and so is BGP", 30)
            assert fact(started).bfd == "Up"
            link.lose_bfd()
            await eventually(lambda: fact(started).reason == WAITS, "BFD is lost, and so is BGP")
            await asyncio.sleep(1.5)  # more than the longest wait between two attempts
            assert not fact(started).established
            link.let_bfd()
            await eventually(lambda: fact(started).established and fact(started).bfd == "Up", "both are back", 30)


async def test_a_router_without_bfd_gets_a_session_only_without_strict_mode(tmp_path: Path) -> None:
    with wire() as link, frr(link.router, config()):
        async with engine(link.herald, tmp_path, "n1", "--bgp-listen", ":179") as started:
            await started.apply(wish(PEER))
            await eventually(lambda: fact(started).reason == WAITS, "it says what it waits for")
            for _ in range(200):
                if (await summary(started))["turnedAway"]:
                    break
                await asyncio.sleep(0.05)
            assert (await summary(started))["turnedAway"], "the router dials, and is told to wait"
            assert not fact(started).established
            await started.apply(wish(replace(PEER, bfd_strict=False)))
            await eventually(lambda: fact(started).established, "the session is up", 20)
            await started.apply(wish(PEER))
            assert (await summary(started))["flaps"] == 0, "a session that stands is left alone"
