"""A real FRR shares its traffic by the bandwidth that two nodes announce, and anew when one of them changes."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest
from frr_router import HERALD, ROUTER, FrrRouter, NamespaceLoop, eventually, frr_beside_herald, run
from peering_in_namespace import Started, started

from herald.bgp.parameters import PeerParameters
from herald.bgp.route import Route

pytestmark = [pytest.mark.netns, pytest.mark.interop]

OTHER = "10.50.0.3"
CONFIG = f"""
ip prefix-list any seq 5 permit any
router bgp 64501
 bgp router-id {ROUTER}
 no bgp ebgp-requires-policy
 bgp bestpath as-path multipath-relax
 neighbor {HERALD} remote-as 64500
 neighbor {HERALD} passive
 neighbor {OTHER} remote-as 64500
 neighbor {OTHER} passive
"""
PREFIX = "192.168.1.200/32"


@pytest.fixture
def frr() -> Iterator[FrrRouter]:
    with frr_beside_herald() as router:
        run("ip", "-n", router.herald_namespace, "address", "add", f"{OTHER}/24", "dev", "eth0")
        yield router


@contextmanager
def nodes(frr: FrrRouter, local_asn: int, *bandwidths: int | None) -> Iterator[list[Started]]:
    """A node at each address, whose route has that bandwidth."""
    loop = NamespaceLoop(frr.herald_namespace)
    peer = PeerParameters("r1", ip_address(ROUTER), local_asn, 64501)
    one, other = (replace(peer, source_address=ip_address(own)) for own in (HERALD, OTHER))
    first, second = (Route(ip_network(PREFIX), link_bandwidth=bandwidth) for bandwidth in bandwidths)
    with started(loop, one, first) as here, started(loop, other, second) as there:
        yield [here, there]
    loop.close()


def weights(frr: FrrRouter) -> dict[str, int]:
    """By next hop, as zebra has installed the route."""
    shown = json.loads(frr.vtysh(f"show ip route {PREFIX} json"))
    hops = shown[PREFIX][0]["nexthops"] if PREFIX in shown else []
    return {hop["ip"]: hop["weight"] for hop in hops if hop.get("fib")}


def announce(here: Started, bandwidth: int | None) -> None:
    route = Route(ip_network(PREFIX), link_bandwidth=bandwidth)
    here._loop.do(lambda: here.peering.apply_routes((route,), ()))


@pytest.mark.parametrize("local_asn", [64500, 4200000001], ids=["two octets", "four octets"])
def test_the_router_shares_traffic_by_the_bandwidth_of_the_nodes(frr: FrrRouter, local_asn: int) -> None:
    frr.start(CONFIG.replace("remote-as 64500", f"remote-as {local_asn}"), installs=True)
    with nodes(frr, local_asn, 3000, 1000) as (here, _):
        eventually(lambda: weights(frr) == {HERALD: 75, OTHER: 25}, "three to one")
        path = frr.show(f"bgp ipv4 unicast {PREFIX}")["paths"][0]
        told = 64500 if local_asn == 64500 else 23456
        assert path["extendedCommunity"]["string"].startswith(f"LB:{told}:")
        announce(here, 1000)
        eventually(lambda: weights(frr) == {HERALD: 50, OTHER: 50}, "one to one")
        assert here.snapshot.flaps == 0


def test_without_a_bandwidth_of_every_node_all_are_alike(frr: FrrRouter) -> None:
    frr.start(CONFIG, installs=True)
    with nodes(frr, 64500, 3000, None):
        eventually(lambda: set(weights(frr).values()) == {1} and len(weights(frr)) == 2, "one to one")
