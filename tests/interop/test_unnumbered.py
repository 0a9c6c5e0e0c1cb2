"""Unnumbered peers against real routers: who is behind an interface is found, followed, and told of the routes."""

import contextlib
import json
from collections.abc import AsyncIterator
from functools import partial
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any

import matrix_bird
import matrix_gobgp
import pytest
from matrix_bird import ADVERTISER, bird
from matrix_gobgp import gobgp
from matrix_neighbor import Neighbor
from segment import EngineProcess, Network, engine, eventually, ip
from unnumbered_routers import frr, run, until

from herald.bgp.parameters import Password, PeerParameters
from herald.bgp.route import Route
from herald.engine.link import Apply, PeerRoutes

pytestmark = [pytest.mark.netns, pytest.mark.interop]

FRR_CONFIG = """
hostname router
router bgp 64501
 bgp router-id {router_id}
 no bgp ebgp-requires-policy
 neighbor eth0 interface remote-as {remote_as}
 neighbor eth0 timers 3 9
 neighbor eth0 timers connect 1
{more}
 address-family ipv6 unicast
  neighbor eth0 activate
 exit-address-family
"""
THEIRS = Neighbor("node", interface="eth0", extended_next_hop=True)
PEER = PeerParameters("tor", None, 64500, None, dynamic_asn="external", interface="eth0", hold_time=9)
FOUR, SIX = Route(IPv4Network("192.168.1.200/32")), Route(IPv6Network("2001:db8:cafe::1/128"))


def config(router_id: str = "10.50.0.1", remote_as: str = "external", more: str = "") -> str:
    return FRR_CONFIG.format(router_id=router_id, remote_as=remote_as, more=more)


def host(network: Network, name: str) -> str:
    """A namespace whose link-local addresses can be used at once."""
    full = network.host(name)
    run("ip", "netns", "exec", full, "sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0")
    return full


def link_local(host: str) -> str:
    shown = json.loads(run("ip", "-j", "-n", host, "-6", "address", "show", "dev", "eth0", "scope", "link"))
    return str(shown[0]["addr_info"][0]["local"])


def kernel_route(host: str, prefix: str, *more: str) -> dict[str, Any]:
    """The route as the kernel of the router has it; empty without one."""
    shown = json.loads(run("ip", "-j", "-n", host, *more, "route", "show", prefix) or "[]")
    return shown[0] if shown else {}


@contextlib.asynccontextmanager
async def node(host: str, directory: Path, peer: PeerParameters = PEER) -> AsyncIterator[EngineProcess]:
    """An engine with the peer and two routes for it."""
    async with engine(host, directory) as started:
        await started.apply(Apply(peers=(peer,), routes=(PeerRoutes(peer.name, (FOUR, SIX)),)))
        yield started


async def up(started: EngineProcess) -> None:
    await started.until(lambda facts: any(one.established for one in facts.sessions), "the session is up")


async def down(started: EngineProcess, words: str) -> None:
    def ended() -> bool:
        return any(not one.established and words in (one.reason or "") for one in started.facts.sessions)

    await eventually(ended, f'the session is down, and says "{words}"')


async def shown(started: EngineProcess) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(await started.show("bgp summary"))["data"][0]
    return answer


@pytest.mark.matrix("FRR", "unnumbered")
async def test_frr_learns_both_families_by_a_link_local_next_hop_and_its_kernel_follows(
    network: Network, tmp_path: Path
) -> None:
    router, here = host(network, "router"), host(network, "node")
    network.wire(router, "eth0", here, "eth0")
    with frr(router, config()) as there:
        async with node(here, tmp_path) as started:
            await up(started)
            await eventually(lambda: bool(there.path("ipv6", str(SIX.prefix))), "FRR has the IPv6 route")
            for family, route in (("ipv4", FOUR), ("ipv6", SIX)):
                path = there.path(family, str(route.prefix))
                assert [hop["ip"] for hop in path["nexthops"]] == [link_local(here)]
                assert (path["valid"], path["peer"]["interface"]) == (True, "eth0")
            await eventually(lambda: bool(kernel_route(router, str(FOUR.prefix))), "the kernel has the route")
            by = kernel_route(router, str(FOUR.prefix))
            assert (by["via"], by["dev"]) == ({"family": "inet6", "host": link_local(here)}, "eth0")
            told = await shown(started)
            assert told["endpoint"] == "eth0:179"
            assert told["neighbor"]["address"] == told["discovery"]["neighbor"] == link_local(router)
            neighbour = there.show("bgp neighbors eth0")["eth0"]
            assert neighbour["neighborCapabilities"]["extendedNexthop"] == "advertisedAndReceived"
            await started.apply(Apply(routes=(PeerRoutes("tor", withdrawn=(FOUR.prefix, SIX.prefix)),)))
            await eventually(lambda: not kernel_route(router, str(FOUR.prefix)), "the IPv4 route is withdrawn")
            await eventually(lambda: not there.path("ipv6", str(SIX.prefix)), "the IPv6 route is withdrawn")


async def test_an_internal_unnumbered_peer_with_a_password_and_gtsm(network: Network, tmp_path: Path) -> None:
    router, here = host(network, "router"), host(network, "node")
    network.wire(router, "eth0", here, "eth0")
    more = " neighbor eth0 password secret123\n neighbor eth0 ttl-security hops 1"
    internal = PeerParameters(
        "tor",
        None,
        64501,
        None,
        dynamic_asn="internal",
        interface="eth0",
        hold_time=9,
        password=Password("secret123"),
        ttl_security=True,
    )
    with frr(router, config(remote_as="internal", more=more)) as there:
        async with node(here, tmp_path, internal) as started:
            await up(started)
            await eventually(lambda: bool(there.path("ipv4", str(FOUR.prefix))), "FRR has the route")
            path = there.path("ipv4", str(FOUR.prefix))
            assert (path["peer"]["type"], path["aspath"]["string"]) == ("internal", "Local")
            assert [hop["ip"] for hop in path["nexthops"]] == [link_local(here)]


async def test_a_link_that_comes_late_flaps_and_is_made_anew_is_followed(network: Network, tmp_path: Path) -> None:
    router, here = host(network, "router"), host(network, "node")
    async with node(here, tmp_path) as started:
        await down(started, "interface eth0: this node has no interface of that name")
        network.wire(router, "eth0", here, "eth0")
        with frr(router, config()) as there:
            await up(started)
            ip("-n", here, "link", "set", "eth0", "down")
            await down(started, "interface eth0: it is down")
            ip("-n", here, "link", "set", "eth0", "up")
            await up(started)
            ip("-n", router, "link", "set", "eth0", "down")
            await down(started, "interface eth0: it has no carrier")
            ip("-n", router, "link", "set", "eth0", "up")
            await up(started)
            ip("-n", here, "link", "delete", "eth0")
            await down(started, "interface eth0: this node has no interface of that name")
            network.wire(router, "eth0", here, "eth0")
            await up(started)
            await eventually(lambda: bool(there.path("ipv4", str(FOUR.prefix))), "FRR has the route again")


async def test_another_router_in_the_place_of_the_first_is_the_new_neighbour(network: Network, tmp_path: Path) -> None:
    switch, here = network.bridge("switch"), host(network, "node")
    network.plug(here, switch)
    async with node(here, tmp_path) as started:
        old = host(network, "old")
        network.plug(old, switch)
        with frr(old, config()):
            await up(started)
            assert (await shown(started))["neighbor"]["address"] == link_local(old)
        await down(started, "")
        ip("-n", switch, "link", "set", "pold", "down")
        new = host(network, "new")
        network.plug(new, switch)
        with frr(new, config("10.50.0.7")) as there:
            await eventually(lambda: any(one.established for one in started.facts.sessions), "the new one is met", 60)
            assert (await shown(started))["neighbor"]["address"] == link_local(new)
            await eventually(lambda: bool(there.path("ipv4", str(FOUR.prefix))), "it has the route")


async def test_two_routers_on_the_link_are_told_and_the_first_stays(network: Network, tmp_path: Path) -> None:
    switch, here, first, second = (network.bridge("switch"), *(host(network, name) for name in ("node", "one", "two")))
    for each in (here, first, second):
        network.plug(each, switch)
    async with node(here, tmp_path) as started:
        with frr(first, config()):
            await up(started)
            with frr(second, config("10.50.0.7")):
                words = "several routers advertise themselves on eth0"
                await eventually(lambda: words in started.log.read_text(), "the second one is told", 20)
                others = (await shown(started))["discovery"]["others"]
                assert others == [link_local(second)]
                assert (await shown(started))["neighbor"]["address"] == link_local(first)
                assert (await shown(started))["flaps"] == 0


@pytest.mark.matrix("BIRD", "unnumbered")
async def test_bird_learns_both_families_by_a_link_local_next_hop(network: Network, tmp_path: Path) -> None:
    router, here = host(network, "router"), host(network, "node")
    network.wire(router, "eth0", here, "eth0")
    with bird(router, matrix_bird.config(THEIRS) + ADVERTISER) as there:
        async with node(here, tmp_path) as started:
            await up(started)
            until(lambda: str(SIX.prefix) in there.show("route table master6"), "BIRD has the IPv6 route")
            for route in (FOUR, SIX):
                assert f"via {link_local(here)} on eth0" in there.show(f"route all {route.prefix}")


@pytest.mark.matrix("GoBGP", "unnumbered")
async def test_gobgp_learns_both_families_by_a_link_local_next_hop(network: Network, tmp_path: Path) -> None:
    """It sends no router advertisements itself, and finds its neighbour in the kernel's table."""
    router, here = host(network, "router"), host(network, "node")
    network.wire(router, "eth0", here, "eth0")
    with bird(router, matrix_bird.HEAD + ADVERTISER):
        async with node(here, tmp_path) as started:
            await down(started, "connection refused by [fe80::")
            with gobgp(router, matrix_gobgp.config(THEIRS)) as there:
                await up(started)
                for family, route in (("ipv4", FOUR), ("ipv6", SIX)):
                    of = partial(there.attributes, family)
                    until(lambda: str(route.prefix) in of(), f"GoBGP has {route.prefix}")  # noqa: B023
                    hops = [one["nexthop"] for one in of()[str(route.prefix)].values() if "nexthop" in one]
                    assert hops == [link_local(here)]
