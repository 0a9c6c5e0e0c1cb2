"""BFD between the link-local addresses of an unnumbered peer, against FRR's bgpd and bfdd, and BIRD."""

import asyncio
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import matrix_bird
import pytest
from bfd_router import ROUTER, Frr, Wire, frr, keep_in_time, wire
from frr_router import run
from matrix_neighbor import Neighbor
from segment import EngineProcess, engine, eventually
from unnumbered_routers import daemons

from herald.bfd.profile import BFDProfile
from herald.bgp.parameters import PeerParameters
from herald.bgp.route import Route
from herald.engine.link import Apply, PeerRoutes, SessionFact

pytestmark = [pytest.mark.netns, pytest.mark.interop]

PROFILE = BFDProfile("fast", receive_interval_ms=50, transmit_interval_ms=50)
PEER = PeerParameters(
    "tor", None, 64500, None, dynamic_asn="external", interface="eth0", hold_time=9, connect_time=1, bfd=PROFILE
)
ROUTE = Route(ip_network("192.168.7.1/32"))
CONFIG = f"""
hostname router
bfd
 profile fast
  transmit-interval 50
  receive-interval 50
 exit
exit
router bgp 64501
 bgp router-id {ROUTER}
 no bgp ebgp-requires-policy
 neighbor eth0 interface remote-as external
 neighbor eth0 bfd
 neighbor eth0 bfd profile fast
 neighbor eth0 timers 3 9
 neighbor eth0 timers connect 1
"""

WATCH = """
protocol bfd { interface "eth0" { min rx interval 50 ms; min tx interval 50 ms; multiplier 3; }; }
"""


class Bird(matrix_bird.Bird):
    def bfd(self, address: str) -> list[str]:
        """Its row of `show bfd sessions`: address, interface, state, since, interval, timeout."""
        rows = self.show("bfd sessions").splitlines()
        return next((row.split() for row in rows if row.split()[:1] == [address]), [])


@pytest.fixture
def link() -> Iterator[Wire]:
    with wire() as made:
        yield made


def wish(parameters: PeerParameters) -> Apply:
    return Apply(reset=True, peers=(parameters,), routes=(PeerRoutes("tor", (ROUTE,), replace=True),))


def link_local(namespace: str) -> str:
    shown = json.loads(run("ip", "-j", "-n", namespace, "-6", "address", "show", "dev", "eth0", "scope", "link"))
    return next(str(one["local"]) for one in shown[0]["addr_info"] if one)  # those that are filtered out are empty


def fact(herald: EngineProcess) -> SessionFact:
    return next(iter(herald.facts.sessions), SessionFact("tor", established=False, state="unknown"))


async def sessions(herald: EngineProcess) -> list[dict[str, Any]]:
    """What `herald show bfd` is answered."""
    found: list[dict[str, Any]] = json.loads(await herald.show("bfd"))["data"]["sessions"]
    return found


def settled(link: Wire, router: Frr, herald: EngineProcess) -> bool:
    """BGP is up, and both ends have BFD up."""
    is_up = fact(herald).established and fact(herald).bfd == "Up"
    return is_up and router.bfd(link_local(link.herald)).get("status") == "up"


@pytest.mark.matrix("FRR", "bfd-unnumbered")
async def test_frr_and_herald_watch_each_other_by_their_link_local_addresses(link: Wire, tmp_path: Path) -> None:
    with frr(link.router, CONFIG) as router:
        async with engine(link.herald, tmp_path) as herald:
            await herald.apply(wish(PEER))
            await eventually(lambda: settled(link, router, herald), "both ends have both sessions", 30)
            theirs, (ours,) = router.bfd(link_local(link.herald)), await sessions(herald)
            assert (theirs["interface"], theirs["multihop"], theirs["diagnostic"]) == ("eth0", False, "ok")
            assert (ours["peers"], ours["address"], ours["interface"]) == (["tor"], link_local(link.router), "eth0")
            assert (ours["remoteDiscriminator"], theirs["remote-id"]) == (theirs["id"], ours["discriminator"])
            (session,) = json.loads(await herald.show("bgp summary"))["data"]
            assert (ours["downs"], session["flaps"]) == (0, 0), "nothing flapped on the way up"


@pytest.mark.matrix("BIRD", "bfd-unnumbered")
async def test_bird_and_herald_watch_each_other_by_their_link_local_addresses(link: Wire, tmp_path: Path) -> None:
    theirs = Neighbor("node", interface="eth0", extended_next_hop=True)
    block = matrix_bird.block(theirs, "bfd on")
    with daemons(link.router) as there:
        router = Bird(there, matrix_bird.HEAD + WATCH + block + matrix_bird.ADVERTISER)
        keep_in_time(router.process)
        async with engine(link.herald, tmp_path) as herald:
            await herald.apply(wish(PEER))
            await eventually(lambda: fact(herald).established and fact(herald).bfd == "Up", "both sessions are up", 30)
            await eventually(lambda: router.bfd(link_local(link.herald))[1:3] == ["eth0", "Up"], "BIRD says so too")
            (ours,) = await sessions(herald)
            assert (ours["address"], ours["interface"]) == (link_local(link.router), "eth0")
            assert (ours["detectionTime"], ours["downs"]) == (150.0, 0)


async def test_a_cut_wire_is_noticed_by_both_ends_and_mended_both_come_back(link: Wire, tmp_path: Path) -> None:
    with frr(link.router, CONFIG) as router:
        async with engine(link.herald, tmp_path) as herald:
            await herald.apply(wish(PEER))
            await eventually(lambda: settled(link, router, herald), "both ends have both sessions", 30)
            link.unplug()
            cut = time.monotonic()
            await herald.until(lambda facts: not facts.sessions[0].established, "BGP is down")
            assert time.monotonic() - cut < 3, "long before the hold time of nine seconds"
            assert str(fact(herald).last_error).startswith("we sent Cease/BFD Down: control detection time expired")
            await eventually(
                lambda: router.show("bgp neighbors eth0")["eth0"]["bgpState"] != "Established", "FRR has noticed too"
            )
            link.plug()
            await eventually(lambda: settled(link, router, herald), "both are back", 30)


async def test_a_router_with_another_link_local_address_is_watched_there(link: Wire, tmp_path: Path) -> None:
    with frr(link.router, CONFIG) as router:
        async with engine(link.herald, tmp_path) as herald:
            await herald.apply(wish(PEER))
            await eventually(lambda: settled(link, router, herald), "both ends have both sessions", 30)
            before = link_local(link.router)
            run("ip", "-n", link.router, "link", "set", "eth0", "down")
            run("ip", "-n", link.router, "link", "set", "eth0", "address", "02:00:00:00:00:77", "up")
            await eventually(lambda: not fact(herald).established, "the old session is gone")
            await eventually(lambda: settled(link, router, herald), "both are back", 30)
            (ours,) = await sessions(herald)
            assert ours["address"] == link_local(link.router) != before


async def test_in_strict_mode_the_session_waits_for_the_neighbour_and_then_for_bfd(link: Wire, tmp_path: Path) -> None:
    async with engine(link.herald, tmp_path) as herald:
        await herald.apply(wish(replace(PEER, bfd_strict=True)))
        await eventually(lambda: (fact(herald).reason or "").startswith("interface eth0: "), "it says who is missing")
        own = link_local(link.herald)
        static = f" peer {own} interface eth0\n  profile fast\n exit\nexit\nrouter"
        with frr(link.router, CONFIG.replace("exit\nrouter", static)) as router:
            await eventually(lambda: settled(link, router, herald), "BFD came first, then BGP", 30)
            (found,) = json.loads(await herald.show("bgp summary"))["data"]
            assert (found["shortSessions"], found["flaps"]) == (0, 0)
            link.lose_bfd()
            await eventually(lambda: fact(herald).reason == "waiting for BFD (strict mode)", "BFD is lost, and BGP")
            await asyncio.sleep(1.5)  # more than the longest wait between two attempts
            assert not fact(herald).established
            link.let_bfd()
            await eventually(lambda: settled(link, router, herald), "both are back", 30)
