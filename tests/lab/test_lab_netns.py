"""A topology in real network namespaces: it carries traffic, services are reached behind DNAT, and nothing remains."""

import asyncio
import secrets
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from herald.lab import namespace, process
from herald.lab.blueprint import Blueprint
from herald.lab.client import Poller, answering_macs, arping, curl
from herald.lab.cluster import Cluster
from herald.lab.daemons.bird import Bird
from herald.lab.daemons.frr import Frr
from herald.lab.daemons.router import Neighbor, Router
from herald.lab.data_centre import DataCentre
from herald.lab.place import NAMED, NameTakenError, Place
from herald.lab.topology import Host, Route, Topology, interface

pytestmark = pytest.mark.netns

NODES = {"node-1": "192.168.1.10", "node-2": "192.168.1.11"}
SERVICE = """\
kind: Service
metadata: {name: web}
spec: {type: LoadBalancer, selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
"""
BLUEPRINT = Blueprint(
    Topology(
        segments=("lan",),
        hosts=(
            *(
                Host(name, (interface("eth0", f"{address}/24", on="lan"),), forwards=True)
                for name, address in NODES.items()
            ),
            Host(
                "client",
                (interface("eth0", "192.168.1.100/24", on="lan"),),
                (Route("203.0.113.7/32", ("192.168.1.10",)), Route("203.0.113.8/32", ("192.168.1.11",))),
            ),
            Host("frr", (interface("eth0", "192.168.1.1/24", on="lan"),), forwards=True),
            Host("bird", (interface("eth0", "192.168.1.2/24", on="lan"),), forwards=True),
        ),
    ),
    segment="lan",
    nodes=tuple(NODES),
)


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    place = Place(f"t{secrets.token_hex(3)}")
    place.take("a test", keep=False)
    yield place
    await place.clear()
    assert not place.directory.exists()
    assert place.prefix not in (await process.must(["ip", "netns", "list"])).stdout


def cluster(place: Place) -> Cluster:
    """The folder of the lab."""
    return Cluster(place.config, place.directory)


def addresses(lab: DataCentre, *given: str) -> None:
    """Play the controller: write the addresses of the service into its status."""
    folder = lab.place.config / ".herald" / "status"
    folder.mkdir(parents=True, exist_ok=True)
    ingress = ", ".join(f"{{ip: {address}}}" for address in given)
    (folder / "service.default.web.yaml").write_text(f"status: {{loadBalancer: {{ingress: [{ingress}]}}}}\n")


async def answer(lab: DataCentre, address: str) -> str:
    """The name of the node behind an address, as soon as there is one."""
    for _ in range(200):
        result = await process.run(curl(f"http://{address}"), namespace=lab.place.namespace("client"))
        if result.ok:
            return result.stdout.strip()
        await asyncio.sleep(0.02)
    raise AssertionError(f"nobody answers at {address}: {result.stderr}")


async def test_a_service_is_reached_at_whichever_node_its_traffic_arrives(place: Place) -> None:
    lab = await DataCentre.build(BLUEPRINT, place)
    cluster(place).apply(SERVICE)
    addresses(lab, "203.0.113.7", "203.0.113.8")
    assert await answer(lab, "203.0.113.7") == "node-1"
    assert await answer(lab, "203.0.113.8") == "node-2"
    poller = await Poller.start(place, "client", "http://203.0.113.7", every_ms=5)
    await asyncio.sleep(0.2)
    tally = await poller.stop()
    assert tally.requests > 0
    assert tally.answers == {"node-1": tally.requests}


async def test_traffic_for_a_service_without_a_pod_on_the_node_goes_to_another(place: Place) -> None:
    lab = await DataCentre.build(BLUEPRINT, place)
    cluster(place).apply(SERVICE)
    addresses(lab, "203.0.113.7")
    assert await answer(lab, "203.0.113.7") == "node-1"
    one = cluster(place).get("EndpointSlice", "default", "web-lab")
    one["endpoints"] = [endpoint for endpoint in one["endpoints"] if endpoint["nodeName"] == "node-2"]
    cluster(place).put(one)
    for _ in range(200):
        if await answer(lab, "203.0.113.7") == "node-2":
            return
        await asyncio.sleep(0.02)
    raise AssertionError("traffic still goes to the node without a pod")


async def test_a_pulled_cable_silences_a_node_until_it_is_back(place: Place) -> None:
    lab = await DataCentre.build(BLUEPRINT, place)
    client = place.namespace("client")
    ask = arping(NODES["node-1"], count=1)
    first = await process.run(ask, namespace=client)
    assert [lab.node_by_mac[mac] for mac in answering_macs(first.stdout)] == ["node-1"]
    await namespace.unplug(place, "lan", "node-1")
    assert answering_macs((await process.run(ask, namespace=client)).stdout) == []
    await namespace.plug(place, "lan", "node-1")
    # The kernel looks at carriers once a second.
    back = await process.run(arping(NODES["node-1"], count=5), namespace=client)
    assert [lab.node_by_mac[mac] for mac in answering_macs(back.stdout)] == ["node-1"]


@pytest.mark.interop
async def test_routers_of_the_lab_run_and_talk(place: Place) -> None:
    await DataCentre.build(BLUEPRINT, place)
    frr = Router("frr", 64501, "192.168.1.1", (Neighbor("192.168.1.2", 64502, password="x"),))
    bird = Router("bird", 64502, "192.168.1.2", (Neighbor("192.168.1.1", 64501, password="x", passive=False),))
    running, other = await Frr.start(frr, place), await Bird.start(bird, place)
    for _ in range(600):
        peers = (await running.ask("show bgp summary json")).get("ipv4Unicast", {}).get("peers", {})
        if peers.get("192.168.1.2", {}).get("state") == "Established":
            break
        await asyncio.sleep(0.05)
    assert peers["192.168.1.2"]["state"] == "Established"
    assert "Established" in (await process.must(other.asking("show protocols"))).stdout
    with pytest.raises(process.CommandFailedError):
        await running.configure("no such words")


SMALL = Topology(("lan",), (Host("client", (interface("eth0", "192.0.2.1/24", on="lan"),)),))


@pytest.fixture
async def foreign(place: Place) -> AsyncIterator[str]:
    """A namespace of the user's that has the name of one of the lab's, and its inode's number."""
    name = place.namespace("client")
    await process.must(["ip", "netns", "add", name])
    yield name
    await process.must(["ip", "netns", "del", name])


async def test_a_namespace_that_was_there_before_is_refused_and_kept(place: Place, foreign: str) -> None:
    before = (NAMED / foreign).stat().st_ino
    with pytest.raises(NameTakenError, match=f"`{foreign}` exists and is not the lab's"):
        await namespace.build(SMALL, place)
    await place.clear()
    assert (NAMED / foreign).stat().st_ino == before
    assert not (NAMED / place.namespace("lan")).exists()


async def test_a_namespace_made_in_place_of_the_labs_is_kept(place: Place) -> None:
    await namespace.build(SMALL, place)
    name = place.namespace("client")
    await process.must(["ip", "netns", "del", name])
    await process.must(["ip", "netns", "add", name])
    sleeper = process.Process.start("sleep", ["sleep", "1000"], log=place.log("sleep"), namespace=name)
    await place.clear()
    assert (NAMED / name).exists()
    assert sleeper.running()
    await sleeper.crash()
    await process.must(["ip", "netns", "del", name])


async def test_a_name_that_was_journaled_and_never_made_removes_nothing(place: Place, foreign: str) -> None:
    place.record_namespace(foreign)
    await place.clear()
    assert (NAMED / foreign).exists()


BUILD_AND_WAIT = """\
import asyncio, sys
sys.path.insert(0, sys.argv[1])
from herald.lab.data_centre import DataCentre
from herald.lab.place import Place
from test_lab_netns import BLUEPRINT

async def main():
    place = Place(sys.argv[2])
    place.take("a test", keep=False)
    await DataCentre.build(BLUEPRINT, place)
    print("standing", flush=True)
    await asyncio.sleep(1000)

asyncio.run(main())
"""


async def test_what_a_killed_run_leaves_is_found_and_removed() -> None:
    name = f"t{secrets.token_hex(3)}"
    argv = [sys.executable, "-c", BUILD_AND_WAIT, str(Path(__file__).parent), name]
    maker = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.PIPE)
    assert maker.stdout is not None
    assert await maker.stdout.readline() == b"standing\n"
    maker.send_signal(signal.SIGKILL)
    await maker.wait()
    place = Place(name)
    assert place.abandoned()
    pids = place.processes()
    assert len(pids) == len(NODES) + 1
    await place.clear()
    assert [pid for pid in pids if process.start_time(pid) is not None] == []
    assert place.prefix not in (await process.must(["ip", "netns", "list"])).stdout
