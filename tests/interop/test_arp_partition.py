"""A partition that heals: two owners become one, and who believed the wrong one learns better."""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from time import monotonic

import pytest
from segment import EngineProcess, Network, arp_socket, arping, engine, eventually, ip, mac_of

from herald.announcement.election import order
from herald.cluster.meta import NodeName
from herald.engine.link import Apply, Join
from herald.layer2 import arp
from herald.layer2.holding import Holding
from herald.net.interface import Mac
from herald.net.ip_family import parse_address

pytestmark = [pytest.mark.netns, pytest.mark.timeout(120)]

VIP = "192.168.1.200"
STRANGER = Mac(bytes.fromhex("02000000c0de"))
HOLD = Apply(reset=True, holdings=(Holding(ip_address(VIP)),))
RELEASE = Apply(reset=True)


async def elect(one: EngineProcess) -> None:
    """What control does: this node holds the address as long as it comes first among those alive."""
    told: Apply | None = None
    while True:
        members = frozenset(NodeName(member.node) for member in one.facts.members)
        if members:
            wish = HOLD if order(members, parse_address(VIP), {})[0] == one.node else RELEASE
            if wish is not told:
                told = wish
                await one.apply(wish)
        await asyncio.sleep(0.01)


@dataclass
class Halves:
    """A switch with a node on each side of a cable; the client is on the side of the node that comes second."""

    cable: str
    client: str
    owner: EngineProcess
    second: EngineProcess
    macs: dict[str, str]

    def set_cable(self, state: str) -> None:
        ip("-n", self.cable, "link", "set", "cable", state)

    def believed(self) -> str:
        """The MAC in the neighbour table of the client."""
        words = ["ip", "-n", self.client, "neigh", "show", VIP]
        found = subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()
        return found[found.index("lladdr") + 1] if "lladdr" in found else ""

    def ask(self) -> None:
        """A packet that nobody answers; its sender must find the MAC first."""
        words = ["ip", "netns", "exec", self.client, "ping", "-c", "1", "-W", "1", VIP]
        subprocess.run(words, check=False, capture_output=True)


@pytest.fixture
async def halves(tmp_path: Path) -> AsyncIterator[Halves]:
    async with AsyncExitStack() as stack:
        network = Network()
        stack.callback(network.close)
        sides = [network.bridge("swa"), network.bridge("swb")]
        network.wire(sides[0], "cable", sides[1], "cable")
        for side in sides:
            ip("-n", side, "link", "set", "cable", "master", "br0")
        first, second = order(frozenset(map(NodeName, ("n1", "n2"))), parse_address(VIP), {})
        hosts = {node: network.host(node) for node in (first, second)}
        client = network.host("client")
        for number, (host, side) in enumerate(((hosts[first], 0), (hosts[second], 1), (client, 1)), start=1):
            network.plug(host, sides[side])
            ip("-n", host, "addr", "add", f"192.168.1.{number}/24", "dev", "eth0")
        processes = {}
        for number, node in enumerate((first, second), start=1):
            words = ("--ml-bindaddr", f"192.168.1.{number}")
            processes[node] = await stack.enter_async_context(engine(hosts[node], tmp_path, node, *words))
        for one in processes.values():
            assert one.channel is not None
            await one.channel.send(Join(("192.168.1.1", "192.168.1.2")))
            await one.until(lambda facts: len(facts.members) == 2, "both are there")
        controls = [asyncio.create_task(elect(one)) for one in processes.values()]
        yield Halves(
            sides[0], client, processes[first], processes[second], {node: mac_of(host) for node, host in hosts.items()}
        )
        for task in controls:
            task.cancel()


async def test_two_owners_become_one_when_a_partition_heals_and_a_client_of_the_wrong_one_learns_it(
    halves: Halves,
) -> None:
    right, wrong = halves.macs[halves.owner.node], halves.macs[halves.second.node]
    assert await arping(halves.client, VIP) == {right}
    halves.set_cable("down")
    await halves.second.until(lambda facts: len(facts.members) == 1, "the second node is alone")

    def believes_the_second() -> bool:
        halves.ask()
        return halves.believed() == wrong

    await eventually(believes_the_second, "the client believes the second node", seconds=20)
    halves.set_cable("up")
    healed = monotonic()
    await eventually(lambda: halves.believed() == right, "the client was told of the owner, without asking")
    print(f"healed after {monotonic() - healed:.2f} s")
    await asyncio.sleep(0.5)
    assert await arping(halves.client, VIP) == {right}
    assert halves.believed() == right
    await is_spoken_for_when_somebody_claims_it(halves)


async def is_spoken_for_when_somebody_claims_it(halves: Halves) -> None:
    """Half a second after the claim, and once more when nothing has followed it."""

    async def until(true: Callable[[int, int], bool]) -> int:
        for _ in range(400):
            shown = json.loads(await halves.owner.show("l2"))["data"]["gratuitous"]
            if true(shown["pending"], shown["framesSent"]):
                return int(shown["framesSent"])
            await asyncio.sleep(0.05)
        raise AssertionError(f"it did not come to that: {shown}")

    before = await until(lambda pending, _: pending == 0)
    with arp_socket(halves.client) as stranger:
        stranger.send(arp.encode(arp.gratuitous(ip_address(VIP), STRANGER)[1]))
    await until(lambda _, sent: sent >= before + 4)
