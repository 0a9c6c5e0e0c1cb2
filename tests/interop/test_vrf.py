"""`vrf`: the session runs by the device that is named, and by no other, and follows it.

A kernel may have no VRFs; then an Ethernet device stands for one, which a socket is bound to in the same way. With it,
the choice of the way out is proven: two routers have the same address behind two devices of the node.
"""

import subprocess
from ipaddress import IPv4Network, ip_address
from pathlib import Path

import pytest
from matrix_registry import kernel_lacks
from segment import Network, engine, eventually, ip
from unnumbered_routers import frr, run

from herald.bgp.parameters import PeerParameters
from herald.bgp.route import Route
from herald.engine.link import Apply, PeerRoutes

pytestmark = [pytest.mark.netns, pytest.mark.interop]

CONFIG = """
hostname {name}
router bgp 64501
 bgp router-id 10.50.0.1
 no bgp ebgp-requires-policy
 neighbor {node} remote-as 64500
 neighbor {node} timers 3 9
 neighbor {node} passive
"""
ROUTER, NODE, NODE_ONE = "10.50.0.1", "10.50.0.2", "10.50.0.3"
ROUTE = Route(IPv4Network("192.168.1.200/32"))


def has_vrfs(host: str) -> bool:
    words = ["ip", "-n", host, "link", "add", "probe", "type", "vrf", "table", "77"]
    done = subprocess.run(words, capture_output=True, check=False)
    if done.returncode == 0:
        ip("-n", host, "link", "delete", "probe")
    return done.returncode == 0


def peer(vrf: str | None) -> PeerParameters:
    return PeerParameters("tor", ip_address(ROUTER), 64500, 64501, hold_time=9, vrf=vrf)


def connect(network: Network, node: str, device: str, address: str, router: str) -> None:
    network.wire(router, "eth0", node, device)
    ip("-n", node, "address", "add", f"{address}/24", "dev", device)


async def test_of_two_routers_with_one_address_the_one_behind_the_device_is_met(
    network: Network, tmp_path: Path
) -> None:
    node, first, second = (network.host(name) for name in ("node", "one", "two"))
    for router, device, address in ((first, "eth0", NODE), (second, "eth1", NODE_ONE)):
        connect(network, node, device, address, router)
        ip("-n", router, "address", "add", f"{ROUTER}/24", "dev", "eth0")
    configs = [CONFIG.format(name=name, node=address) for name, address in (("one", NODE), ("two", NODE_ONE))]
    with frr(first, configs[0]) as one, frr(second, configs[1]) as two:
        async with engine(node, tmp_path) as started:
            routes = (PeerRoutes("tor", (ROUTE,)),)
            await started.apply(Apply(peers=(peer("eth1"),), routes=routes))
            await eventually(lambda: bool(two.path("ipv4", str(ROUTE.prefix))), "the router behind eth1 has the route")
            (hop,) = two.path("ipv4", str(ROUTE.prefix))["nexthops"]
            assert hop["ip"] == NODE_ONE
            assert not one.path("ipv4", str(ROUTE.prefix))
            await started.apply(Apply(peers=(peer(None),)))
            await eventually(lambda: bool(one.path("ipv4", str(ROUTE.prefix))), "the other one has it")
            await eventually(lambda: not two.path("ipv4", str(ROUTE.prefix)), "it is withdrawn from the first")


async def test_a_device_that_is_not_there_is_named_and_waited_for_and_its_loss_is_noticed(
    network: Network, tmp_path: Path
) -> None:
    node, router = network.host("node"), network.host("router")
    async with engine(node, tmp_path) as started:
        await started.apply(Apply(peers=(peer("eth1"),), routes=(PeerRoutes("tor", (ROUTE,)),)))

        def says(words: str) -> bool:
            return any(not one.established and words in (one.reason or "") for one in started.facts.sessions)

        await eventually(lambda: says("VRF eth1: this node has no device of that name"), "the reason is told")
        for _ in range(2):
            connect(network, node, "eth1", NODE_ONE, router)
            ip("-n", router, "address", "add", f"{ROUTER}/24", "dev", "eth0")
            with frr(router, CONFIG.format(name="router", node=NODE_ONE)):
                await started.until(lambda facts: facts.sessions[0].established, "the session is up")
                ip("-n", node, "link", "delete", "eth1")
                await eventually(lambda: says("VRF eth1: "), "the loss is noticed at once", 3)


@pytest.mark.matrix("FRR", "vrf")
async def test_a_session_inside_a_vrf(network: Network, tmp_path: Path) -> None:
    node, router = network.host("node"), network.host("router")
    if not has_vrfs(node):
        pytest.skip(kernel_lacks("VRF devices"))
    ip("-n", node, "link", "add", "red", "type", "vrf", "table", "77")
    ip("-n", node, "link", "set", "red", "up")
    connect(network, node, "eth1", NODE_ONE, router)
    ip("-n", node, "link", "set", "eth1", "master", "red")
    ip("-n", router, "address", "add", f"{ROUTER}/24", "dev", "eth0")
    with frr(router, CONFIG.format(name="router", node=NODE_ONE)) as there:
        async with engine(node, tmp_path) as started:
            await started.apply(Apply(peers=(peer("red"),), routes=(PeerRoutes("tor", (ROUTE,)),)))
            await eventually(lambda: bool(there.path("ipv4", str(ROUTE.prefix))), "the router has the route")
            (hop,) = there.path("ipv4", str(ROUTE.prefix))["nexthops"]
            assert hop["ip"] == NODE_ONE
            assert "red" in run("ip", "netns", "exec", node, "ss", "-tnp", "dst", ROUTER)
