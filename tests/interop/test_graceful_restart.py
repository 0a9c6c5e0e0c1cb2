"""A speaker that restarts, and one that goes: what FRR, BIRD and GoBGP make of it, by their own words."""

import asyncio
import json
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from ipaddress import IPv4Network, ip_address
from pathlib import Path
from typing import Any

import matrix_bird
import matrix_gobgp
import pytest
from frr_router import HERALD, ROUTER, FrrRouter, eventually, frr_beside_herald
from matrix_neighbor import Neighbor
from segment import EngineProcess, engine
from unnumbered_routers import daemons

from herald.bgp.event import Leaving
from herald.bgp.family import Family
from herald.bgp.parameters import PeerParameters
from herald.bgp.route import Route
from herald.engine.link import Apply, Departing, PeerRoutes

pytestmark = [pytest.mark.netns, pytest.mark.interop]

FRR = f"""
hostname router
debug bgp updates in
debug bgp neighbor-events
debug bgp graceful-restart
router bgp 64501
 bgp router-id 10.50.0.1
 no bgp ebgp-requires-policy
 neighbor {HERALD} remote-as 64500
 neighbor {HERALD} timers 3 9
 neighbor {HERALD} passive
"""
THEIRS = Neighbor(graceful_restart=True, ipv6=False)
PEER = PeerParameters(
    "router",
    ip_address(ROUTER),
    64500,
    64501,
    families=frozenset({Family.IPV4_UNICAST}),
    hold_time=9,
    restart_time=60,
)
ONE, TWO = Route(IPv4Network("192.168.1.201/32")), Route(IPv4Network("192.168.1.202/32"))
WISH = Apply(reset=True, peers=(PEER,), routes=(PeerRoutes("router", (ONE, TWO)),))


class Frr:
    """What FRR says of the routes."""

    def __init__(self, router: FrrRouter) -> None:
        self.router = router
        router.start(FRR)

    def paths(self) -> dict[str, bool]:
        """Every prefix there is, and whether it is stale."""
        routes = self.router.show("bgp ipv4 unicast").get("routes", {})
        return {prefix: bool(paths[0].get("stale")) for prefix, paths in routes.items()}

    @property
    def neighbor(self) -> Any:
        return self.router.neighbor()


class Bird(matrix_bird.Bird):
    """What BIRD says of them."""

    def paths(self) -> dict[str, bool]:
        lines = [line for line in self.show("route").splitlines() if line.startswith("192.168.1.")]
        waiting = "Neighbor graceful restart active" in self.show("protocols all herald")
        return {line.split()[0]: waiting for line in lines}


class GoBgp(matrix_gobgp.GoBgp):
    """What GoBGP says of them."""

    def paths(self) -> dict[str, bool]:
        return {prefix: bool(paths[0].get("stale")) for prefix, paths in self.show("global", "rib").items()}


@contextmanager
def a_router(kind: type[Any]) -> Iterator[tuple[Any, FrrRouter]]:
    with frr_beside_herald() as router, daemons(router.namespace) as there:
        if kind is Frr:
            yield Frr(router), router
        else:
            yield kind(there, CONFIGS[kind]), router


CONFIGS = {Bird: matrix_bird.config(THEIRS), GoBgp: matrix_gobgp.config(THEIRS)}
KINDS = [
    pytest.param(kind, id=kind.__name__, marks=pytest.mark.matrix(name, "graceful-restart"))
    for kind, name in ((Frr, "FRR"), (Bird, "BIRD"), (GoBgp, "GoBGP"))
]


@asynccontextmanager
async def herald(router: FrrRouter) -> AsyncIterator[EngineProcess]:
    directory = Path(tempfile.mkdtemp(prefix="herald-gr-", dir="/tmp"))
    try:
        async with engine(router.herald_namespace, directory) as process:
            yield process
    finally:
        shutil.rmtree(directory)


class Watch:
    """Looks at the router all the while; a route that is missed for a moment is noticed."""

    def __init__(self, daemon: Any) -> None:
        self._daemon = daemon
        self.seen: list[dict[str, bool]] = []
        self._task = asyncio.create_task(self._look())

    async def _look(self) -> None:
        while True:
            self.seen.append(await asyncio.to_thread(self._daemon.paths))

    async def end(self) -> list[dict[str, bool]]:
        self._task.cancel()
        await asyncio.wait([self._task])
        return self.seen


async def until(daemon: Any, expected: dict[Route, bool], what: str) -> None:
    wanted = {str(route.prefix): stale for route, stale in expected.items()}
    await asyncio.to_thread(eventually, lambda: daemon.paths() == wanted, what)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_killed_engine_costs_no_route(kind: type[Any]) -> None:
    with a_router(kind) as (daemon, router):
        async with herald(router) as speaker:
            await speaker.apply(WISH)
            await until(daemon, {ONE: False, TWO: False}, "both routes are there")
            watch = Watch(daemon)
            await speaker.end(signal.SIGKILL)
            await until(daemon, {ONE: True, TWO: True}, "the router keeps the routes and calls them stale")
            await speaker.restart()
            await speaker.apply(WISH)
            await until(daemon, {ONE: False, TWO: False}, "they are fresh again")
            for seen in await watch.end():
                assert seen.keys() == {"192.168.1.201/32", "192.168.1.202/32"}
            (summary,) = json.loads(await speaker.show("bgp summary"))["data"]
            assert summary["flaps"] == 0
            assert summary["gracefulRestart"]["kept"] == ["ipv4-unicast"]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_replaced_speaker_leaves_without_a_word_and_one_that_goes_takes_its_routes_along(
    kind: type[Any],
) -> None:
    with a_router(kind) as (daemon, router):
        async with herald(router) as speaker:
            await speaker.apply(WISH)
            await until(daemon, {ONE: False, TWO: False}, "both routes are there")
            assert await speaker.end() == 0
            await until(daemon, {ONE: True, TWO: True}, "the routes are kept")
            await speaker.restart()
            await speaker.apply(WISH)
            await until(daemon, {ONE: False, TWO: False}, "they are fresh again")
            assert speaker.channel is not None
            await speaker.channel.send(Departing(Leaving.FOR_GOOD, "the node is drained"))
            await asyncio.sleep(0.1)
            assert await speaker.end() == 0
            await until(daemon, {}, "the routes are gone")


async def test_what_is_not_wished_for_any_more_goes_with_the_end_of_rib_and_not_before() -> None:
    with a_router(Frr) as (daemon, router):
        async with herald(router) as speaker:
            await speaker.apply(WISH)
            await until(daemon, {ONE: False, TWO: False}, "both routes are there")
            await speaker.end(signal.SIGKILL)
            await speaker.restart()
            partial = Apply(peers=(PEER,), routes=(PeerRoutes("router", (ONE,)),))
            await speaker.apply(partial)
            await until(daemon, {ONE: False, TWO: True}, "what is not known yet stays as it was")
            await asyncio.sleep(1)
            assert daemon.paths() == {"192.168.1.201/32": False, "192.168.1.202/32": True}
            assert not daemon.neighbor["gracefulRestartInfo"]["endOfRibRecv"].get("ipv4Unicast")
            await speaker.apply(replace(partial, reset=True))
            await until(daemon, {ONE: False}, "the End-of-RIB takes it away")


async def test_a_host_that_was_restarted_claims_no_forwarding() -> None:
    """Without a hold time nothing says how old a stale route can be, so only the mark of this boot counts."""
    unwatched = replace(WISH, peers=(replace(PEER, hold_time=0),))
    with a_router(Frr) as (daemon, router):
        async with herald(router) as speaker:
            await speaker.apply(unwatched)
            await until(daemon, {ONE: False, TWO: False}, "both routes are there")
            await speaker.end(signal.SIGKILL)
            speaker.show_socket.with_suffix(".boot").unlink()
            await speaker.restart()
            none = replace(unwatched, routes=(PeerRoutes("router"),))
            await speaker.apply(replace(none, reset=False))
            await until(daemon, {}, "without the F bit the router drops what it kept, at once")
            offered = json.loads(await speaker.show("bgp summary"))["data"][0]["gracefulRestart"]["offered"]
            assert (offered["restarting"], offered["families"]) == (True, {"ipv4-unicast": False})


async def test_the_router_says_which_capabilities_both_have() -> None:
    with a_router(Frr) as (daemon, router):
        async with herald(router) as speaker:
            await speaker.apply(WISH)
            await until(daemon, {ONE: False, TWO: False}, "both routes are there")
            neighbor = await asyncio.to_thread(lambda: daemon.neighbor)
            capabilities = neighbor["neighborCapabilities"]
            for name in ("4byteAs", "extendedMessage", "enhancedRouteRefresh", "gracefulRestart"):
                assert capabilities[name] == "advertisedAndReceived"
            assert capabilities["routeRefresh"] in ("advertisedAndReceivedNew", "advertisedAndReceivedOldNew")
            assert (neighbor["hostname"], capabilities["hostName"]["rcvHostName"]) == ("n1", "n1")
            assert capabilities["gracefulRestartRemoteTimerMsecs"] == 60000
            restart = neighbor["gracefulRestartInfo"]
            assert restart["endOfRibRecv"] == {"ipv4Unicast": True}
            assert restart["ipv4Unicast"]["fBit"] is True
            assert restart["nBit"] is True


async def test_a_refresh_is_marked_and_costs_no_route() -> None:
    with a_router(Frr) as (daemon, router):
        async with herald(router) as speaker:
            await speaker.apply(WISH)
            await until(daemon, {ONE: False, TWO: False}, "both routes are there")
            router.vtysh(f"clear bgp {HERALD} soft in")
            await asyncio.to_thread(
                eventually, lambda: "rcvd route-refresh (EoRR) for IPv4/unicast" in router.log, "the end mark"
            )
            assert daemon.paths() == {"192.168.1.201/32": False, "192.168.1.202/32": False}
            (summary,) = json.loads(await speaker.show("bgp summary"))["data"]
            assert summary["messagesOut"]["route_refresh"] == 2


async def test_why_the_router_shuts_the_session_down_is_shown_here() -> None:
    with a_router(Frr) as (_, router):
        async with herald(router) as speaker:
            await speaker.apply(WISH)
            await speaker.until(lambda facts: any(one.established for one in facts.sessions), "the session is up")
            shut = "conf t", "router bgp 64501", f"neighbor {HERALD} shutdown message new fibre in rack 7"
            await asyncio.to_thread(router.vtysh, *shut)
            facts = await speaker.until(lambda facts: not facts.sessions[0].established, "the session is down")
            assert 'Cease/Administrative Shutdown: "new fibre in rack 7"' in str(facts.sessions[0].last_error)
            told = facts.sessions[0].last_error
            for _ in range(400):
                (summary,) = json.loads(await speaker.show("bgp summary"))["data"]
                if summary["lastError"] != told:
                    break
                await asyncio.sleep(0.05)
            assert summary["lastError"] != told, "the next attempt has come to nothing"
            assert summary["pinnedError"] == told, "and this is still why"
            assert speaker.facts.sessions[0].last_error == told
