"""Real kube-proxy in a node's namespace sends what arrives for a service's load-balancer address to its endpoints."""

import asyncio
import secrets
import sys
from collections.abc import Iterator
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
            Host(
                name,
                (interface("eth0", f"{four}/24", f"{six}/64", on="lan"),),
                # Cluster addresses are translated only after a route has been found for them.
                (Route("default", (API,)),),
                forwards=True,
            )
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


class Stand:
    """The segment, the API server in its own namespace, kube-proxy and a web server on every node."""

    def __init__(self, place: Place, server: ApiServer, proxies: dict[str, KubeProxy]) -> None:
        self.place = place
        self.server = server
        self.proxies = proxies
        self.empty = server.snapshot()


@pytest.fixture(scope="module")
def built() -> Iterator[Stand]:
    """Built once for all tests here."""
    place = Place(f"k{secrets.token_hex(3)}")
    place.take("a test", keep=False)
    try:
        asyncio.run(namespace.build(TOPOLOGY, place))
        with ExitStack() as stack:
            server = stack.enter_context(ApiServer(address=API, namespace=place.namespace("api"), port=6443))
            for name, addresses in NODES.items():
                nodes.create(server, name, addresses)
                serve_on(place, name)
            proxies = {name: KubeProxy(server, name, place.namespace(name)) for name in NODES}
            for proxy in proxies.values():
                stack.callback(proxy.stop)
                proxy.start()
            yield Stand(place, server, proxies)
    finally:
        asyncio.run(place.clear())


@pytest.fixture
async def stand(built: Stand) -> Stand:
    """No service yet, in the API and in the kernel, and everything runs."""
    built.server.heal()
    built.empty = built.server.restore(built.empty)
    for proxy in built.proxies.values():
        if not proxy.child.running:
            proxy.start()
    async with asyncio.timeout(15):
        for name in NODES:
            while VIP in await rules(built.place, name):  # noqa: ASYNC110 - the kernel tells nobody
                await asyncio.sleep(0.05)
    return built


async def rules(place: Place, node: str) -> str:
    """What kube-proxy has put into a node's kernel."""
    return (await process.must(["nft", "list", "ruleset"], namespace=place.namespace(node))).stdout


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
async def test_the_address_in_the_status_leads_to_the_endpoint_of_the_node(stand: Stand, policy: str) -> None:
    publish(stand.server, policy, "node-1")
    assert await answer(stand.place, VIP) == "node-1"
    assert await answer(stand.place, VIP6) == "node-1"


async def test_the_endpoint_may_be_on_another_node(stand: Stand) -> None:
    publish(stand.server, "Cluster", "node-2")
    assert await answer(stand.place, VIP) == "node-2"
    assert await answer(stand.place, VIP6) == "node-2"


async def test_with_the_policy_local_a_node_without_endpoint_drops(stand: Stand) -> None:
    publish(stand.server, "Local", "node-2")
    async with asyncio.timeout(15):
        while VIP6 not in await rules(stand.place, "node-1"):  # noqa: ASYNC110 - the kernel tells nobody
            await asyncio.sleep(0.05)
    assert await ask(stand.place, VIP) == ""
    assert await ask(stand.place, VIP6) == ""


async def test_a_pod_of_any_node_reaches_the_api_through_its_service(stand: Stand) -> None:
    argv = ("curl", "-sS", "--max-time", "5", "--cacert", str(stand.server.ca), "https://10.96.0.1/version")
    for node in NODES:
        told = await process.must(argv, namespace=stand.place.namespace(node))
        assert "gitVersion" in told.stdout


async def test_rules_stay_when_the_api_server_and_the_proxy_die(stand: Stand) -> None:
    publish(stand.server, "Cluster", "node-1")
    assert await answer(stand.place, VIP) == "node-1"
    stand.server.kill_api_server()
    stand.proxies["node-1"].child.kill()
    assert await ask(stand.place, VIP) == "node-1"


def test_a_proxy_that_cannot_start_says_why(built: Stand) -> None:
    proxy = KubeProxy(built.server, "node-3", built.place.namespace("client"))
    proxy.child.argv = (*proxy.child.argv, "--no-such-flag")
    with pytest.raises(ChildFailedError, match="no-such-flag"):
        proxy.start()
    assert not proxy.child.running
