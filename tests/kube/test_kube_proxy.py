"""Real kube-proxy in a node's namespace sends what arrives for a service's load-balancer address to its endpoints."""

import asyncio
import secrets
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack

import pytest

from herald.lab import namespace, process
from herald.lab.kubernetes import nodes
from herald.lab.kubernetes.api_server import ApiServer
from herald.lab.kubernetes.child import ChildFailedError
from herald.lab.kubernetes.client import MERGE
from herald.lab.kubernetes.kube_proxy import KubeProxy
from herald.lab.place import Place
from herald.lab.process import Process
from herald.lab.topology import Host, Route, Topology, interface

pytestmark = pytest.mark.netns

VIP, VIP6 = "203.0.113.7", "2001:db8:113::7"
NODES = {"node-1": ("192.168.1.10", "2001:db8:1::10"), "node-2": ("192.168.1.11", "2001:db8:1::11")}
API = "192.168.1.5"
TOPOLOGY = Topology(
    segments=("lan",),
    hosts=(
        *(
            Host(name, (interface("eth0", f"{four}/24", f"{six}/64", on="lan"),), forwards=True)
            for name, (four, six) in NODES.items()
        ),
        Host("api", (interface("eth0", f"{API}/24", on="lan"),)),
        Host(
            "client",
            (interface("eth0", "192.168.1.100/24", "2001:db8:1::100/64", on="lan"),),
            (Route(VIP, (NODES["node-1"][0],)), Route(VIP6, (NODES["node-1"][1],))),
        ),
    ),
)
SERVICES = "/api/v1/namespaces/default/services"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    place = Place(f"k{secrets.token_hex(3)}")
    place.take("a test", keep=False)
    yield place
    await place.clear()


@pytest.fixture
async def server(place: Place) -> AsyncIterator[ApiServer]:
    """An API server in its own namespace on the nodes' segment."""
    await namespace.build(TOPOLOGY, place)
    with ApiServer(address=API, namespace=place.namespace("api"), port=6443) as server:
        for name, addresses in NODES.items():
            nodes.create(server, name, addresses)
        yield server


@pytest.fixture
def proxies(server: ApiServer, place: Place) -> Iterator[dict[str, KubeProxy]]:
    """kube-proxy on every node."""
    with ExitStack() as stack:
        proxies = {name: KubeProxy(server, name, place.namespace(name)) for name in NODES}
        for proxy in proxies.values():
            stack.callback(proxy.stop)
            proxy.start()
        yield proxies


def serve_on(place: Place, name: str) -> None:
    """The lab's web server in a node's namespace."""
    argv = (sys.executable, "-m", "herald.lab.web", "--name", name, "--port", "8080")
    started = Process.start(f"web-{name}", argv, log=place.log(f"web-{name}"), namespace=place.namespace(name))
    place.record_process(started.name, started.pid)


def publish(server: ApiServer, policy: str, *backends: str) -> None:
    """A load-balancer Service whose address is in its status, and its endpoints on some nodes."""
    spec = {
        "type": "LoadBalancer",
        "externalTrafficPolicy": policy,
        "ipFamilyPolicy": "RequireDualStack",
        "ports": [{"port": 80, "targetPort": 8080}],
    }
    server.request("POST", SERVICES, {"metadata": {"name": "web"}, "spec": spec})
    ingress = {"loadBalancer": {"ingress": [{"ip": VIP}, {"ip": VIP6}]}}
    server.request("PATCH", f"{SERVICES}/web/status", {"status": ingress}, content_type=MERGE)
    for family, kind in enumerate(("IPv4", "IPv6")):
        endpoints = [
            {"addresses": [NODES[node][family]], "nodeName": node, "conditions": {"ready": True}} for node in backends
        ]
        server.request(
            "POST",
            SLICES,
            {
                "metadata": {"name": f"web-{kind.lower()}", "labels": {"kubernetes.io/service-name": "web"}},
                "addressType": kind,
                "endpoints": endpoints,
                "ports": [{"name": "", "port": 8080, "protocol": "TCP"}],
            },
        )


async def ask(place: Place, address: str) -> str:
    """What a client gets from the service, or "" for nothing."""
    host = f"[{address}]" if ":" in address else address
    argv = ("curl", "-sS", "--max-time", "1", f"http://{host}/")
    return (await process.run(argv, namespace=place.namespace("client"))).stdout.strip()


async def answer(place: Place, address: str) -> str:
    """The first answer; rules are written within a moment of the change."""
    async with asyncio.timeout(15):
        while not (told := await ask(place, address)):  # noqa: ASYNC110 - the kernel tells nobody
            await asyncio.sleep(0.05)
    return told


@pytest.mark.parametrize("policy", ["Cluster", "Local"])
async def test_the_address_in_the_status_leads_to_the_endpoint_of_the_node(
    server: ApiServer, place: Place, proxies: dict[str, KubeProxy], policy: str
) -> None:
    serve_on(place, "node-1")
    publish(server, policy, "node-1")
    assert await answer(place, VIP) == "node-1"
    assert await answer(place, VIP6) == "node-1"


async def test_the_endpoint_may_be_on_another_node(
    server: ApiServer, place: Place, proxies: dict[str, KubeProxy]
) -> None:
    serve_on(place, "node-2")
    publish(server, "Cluster", "node-2")
    assert await answer(place, VIP) == "node-2"
    assert await answer(place, VIP6) == "node-2"


async def test_with_the_policy_local_a_node_without_endpoint_drops(
    server: ApiServer, place: Place, proxies: dict[str, KubeProxy]
) -> None:
    serve_on(place, "node-2")
    publish(server, "Local", "node-2")
    # node-2 shows when the rules are there: it answers for the address as soon as traffic is sent to it.
    route = ["ip", "route", "replace", VIP, "via", NODES["node-2"][0]]
    await process.must(route, namespace=place.namespace("client"))
    assert await answer(place, VIP) == "node-2"
    assert await ask(place, VIP6) == ""


async def test_rules_stay_when_the_api_server_and_the_proxy_die(
    server: ApiServer, place: Place, proxies: dict[str, KubeProxy]
) -> None:
    serve_on(place, "node-1")
    publish(server, "Cluster", "node-1")
    assert await answer(place, VIP) == "node-1"
    server.kill_api_server()
    proxies["node-1"].child.kill()
    assert await ask(place, VIP) == "node-1"


async def test_a_proxy_that_cannot_start_says_why(server: ApiServer, place: Place) -> None:
    proxy = KubeProxy(server, "node-1", place.namespace("node-1"))
    proxy.child.argv = (*proxy.child.argv, "--no-such-flag")
    with pytest.raises(ChildFailedError, match="no-such-flag"):
        proxy.start()
    assert not proxy.child.running
