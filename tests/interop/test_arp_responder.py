"""The engine on a real segment: asked by a real arping, watched by raw sockets, its interfaces really deleted."""

import asyncio
import json
import signal
import struct
from ipaddress import ip_address
from pathlib import Path

import pytest
from segment import Network, answers, arp_socket, arping, drain, engine, eventually, ip, ipv4_addresses, mac_of

from herald.engine.link import Apply, Facts, Leave
from herald.layer2 import arp
from herald.layer2.holding import Holding
from herald.net.interface import Mac

pytestmark = pytest.mark.netns

VIP = "192.168.1.200"
OTHER = "192.168.1.201"
STRANGER = Mac(bytes.fromhex("02000000c0de"))


@pytest.fixture
def pair(network: Network) -> tuple[str, str]:
    """A node and a client, `eth0` to `eth0`."""
    node, client = network.host("node"), network.host("client")
    network.wire(node, "eth0", client, "eth0")
    return node, client


def wish(*addresses: str, interfaces: set[str] | None = None) -> Apply:
    names = None if interfaces is None else frozenset(interfaces)
    return Apply(reset=True, holdings=tuple(Holding(ip_address(one), names) for one in addresses))


def asking_for(address: str) -> bytes:
    request = arp.Packet(1, STRANGER, ip_address("192.168.1.9"), Mac(bytes(6)), ip_address(address))
    return arp.encode(arp.Frame(Mac(b"\xff" * 6), STRANGER, request))


def living(facts: Facts) -> set[str]:
    return {member.node for member in facts.members}


def from_the_node(frames: list[bytes]) -> list[arp.Packet]:
    packets = [arp.decode(frame).packet for frame in frames]
    return [packet for packet in packets if packet.sender_mac != STRANGER]


async def test_exactly_one_mac_answers_where_one_of_two_nodes_holds_the_address(
    network: Network, tmp_path: Path
) -> None:
    switch, client = network.bridge("sw"), network.host("client")
    nodes = [network.host("n1"), network.host("n2")]
    for host in (client, *nodes):
        network.plug(host, switch)
    async with engine(nodes[0], tmp_path, "n1") as first, engine(nodes[1], tmp_path, "n2") as second:
        await first.apply(wish(VIP))
        await second.apply(wish(OTHER))
        await answers(client, VIP, {mac_of(nodes[0])})
        await answers(client, OTHER, {mac_of(nodes[1])})
        # Both rounds of a hand-over: the whole wish of each node names what the other had.
        await first.apply(wish(OTHER))
        await second.apply(wish(VIP))
        await answers(client, VIP, {mac_of(nodes[1])})
        await answers(client, OTHER, {mac_of(nodes[0])})
        assert await arping(client, "192.168.1.202", count=1) == set()


async def test_no_address_is_put_on_an_interface(pair: tuple[str, str], tmp_path: Path) -> None:
    node, client = pair
    async with engine(node, tmp_path) as herald:
        await herald.apply(wish(VIP))
        await answers(client, VIP, {mac_of(node)})
        assert ipv4_addresses(node) == ""


async def test_a_holding_is_answered_on_its_interfaces_only_and_follows_their_change(
    network: Network, tmp_path: Path
) -> None:
    node, client = network.host("node"), network.host("client")
    for interface in ("eth0", "eth1"):
        network.wire(node, interface, client, interface)
    async with engine(node, tmp_path) as herald:
        await herald.apply(wish(VIP, interfaces={"eth1"}))
        await answers(client, VIP, {mac_of(node, "eth1")}, "eth1")
        assert await arping(client, VIP, "eth0", count=1) == set()
        await herald.apply(wish(VIP, interfaces={"eth0"}))
        await answers(client, VIP, {mac_of(node, "eth0")}, "eth0")
        assert await arping(client, VIP, "eth1", count=1) == set()
        await herald.apply(wish(VIP, interfaces={"eth7"}))
        facts = await herald.until(lambda facts: bool(facts.holdings), "an address nobody answers for is told")
        assert [(str(h.address), h.reason) for h in facts.holdings] == [
            (VIP, "not answered: none of its interfaces is eligible on this node")
        ]


async def test_an_interface_that_is_deleted_and_made_again_is_answered_again(network: Network, tmp_path: Path) -> None:
    node, client = network.host("node"), network.host("client")
    async with engine(node, tmp_path) as herald:
        await herald.apply(wish(VIP))
        macs = set()
        for _ in range(5):
            network.wire(node, "eth0", client, "eth0")
            macs.add(mac_of(node))
            await answers(client, VIP, {mac_of(node)})
            ip("-n", node, "link", "del", "eth0")
        assert len(macs) == 5


async def test_a_link_that_goes_down_and_up_and_gets_another_mac_is_followed(
    pair: tuple[str, str], tmp_path: Path
) -> None:
    node, client = pair
    async with engine(node, tmp_path) as herald:
        await herald.apply(wish(VIP))
        await answers(client, VIP, {mac_of(node)})
        for last in range(5):
            ip("-n", node, "link", "set", "eth0", "down")
            ip("-n", node, "link", "set", "eth0", "address", f"02:00:00:00:99:0{last}")
            ip("-n", node, "link", "set", "eth0", "up")
            await answers(client, VIP, {f"02:00:00:00:99:0{last}"})
        ip("-n", node, "link", "set", "eth0", "address", "02:00:00:00:99:aa")
        await answers(client, VIP, {"02:00:00:00:99:aa"})


async def test_a_port_of_a_bridge_is_left_to_the_bridge_and_taken_back(pair: tuple[str, str], tmp_path: Path) -> None:
    node, client = pair
    ip("-n", node, "link", "add", "br0", "type", "bridge")
    ip("-n", node, "link", "set", "br0", "up")
    async with engine(node, tmp_path) as herald:
        await herald.apply(wish(VIP))
        await answers(client, VIP, {mac_of(node)})
        ip("-n", node, "link", "set", "br0", "address", "02:00:00:00:bb:00")
        ip("-n", node, "link", "set", "eth0", "master", "br0")
        await answers(client, VIP, {"02:00:00:00:bb:00"})
        ip("-n", node, "link", "set", "eth0", "nomaster")
        await answers(client, VIP, {mac_of(node)})


async def test_a_new_address_is_announced_in_seven_rounds_and_the_same_wish_again_sends_nothing(
    pair: tuple[str, str], tmp_path: Path
) -> None:
    node, client = pair
    async with engine(node, tmp_path) as herald:
        await herald.until(lambda facts: any(i.eligible for i in facts.interfaces), "eth0 is eligible")
        with arp_socket(client) as watching:
            await herald.apply(wish(VIP))
            frames: list[bytes] = []

            def all_rounds() -> bool:
                frames.extend(drain(watching))
                return sum(packet.sender_ip == packet.target_ip for packet in from_the_node(frames)) >= 14

            await eventually(all_rounds, "seven rounds of two frames")
            await herald.apply(wish(VIP))
            await herald.connect()
            await herald.apply(wish(VIP))
            await herald.apply(Apply(holdings=(Holding(ip_address(VIP)),)))
            await answers(client, VIP, {mac_of(node)})
            frames.extend(drain(watching))
    mine = [packet for packet in from_the_node(frames) if str(packet.sender_ip) == VIP]
    gratuitous = [packet for packet in mine if packet.sender_ip == packet.target_ip]
    assert [packet.operation for packet in gratuitous] == [1, 2] * 7
    assert {packet.target_mac for packet in gratuitous} == {b"\xff" * 6}
    assert {len(frame) for frame in frames if arp.decode(frame).packet in gratuitous} == {60}
    assert [packet for packet in mine if packet not in gratuitous], "the answer to arping is seen as well"


async def test_a_node_goes_on_answering_while_control_is_gone_and_takes_a_new_one(
    pair: tuple[str, str], tmp_path: Path
) -> None:
    node, client = pair
    async with engine(node, tmp_path) as herald:
        await herald.apply(wish(VIP))
        await answers(client, VIP, {mac_of(node)})
        await herald.apply(Apply(reset=True, complete=False))  # control dies in the middle of telling its wish
        await herald.disconnect()
        await eventually(lambda: "controlLost" in herald.log.read_text(), "the loss is logged")
        await answers(client, VIP, {mac_of(node)})
        await herald.connect()
        await herald.apply(Apply(holdings=(Holding(ip_address(OTHER)),)))
        await answers(client, OTHER, {mac_of(node)})
        await answers(client, VIP, {mac_of(node)})


@pytest.mark.parametrize("how", ["SIGTERM", "Leave"])
async def test_a_node_that_leaves_stops_answering_and_ends_with_0(
    pair: tuple[str, str], tmp_path: Path, how: str
) -> None:
    node, client = pair
    members = tmp_path / "members"
    async with engine(node, tmp_path, "n1", "--members-dir", str(members)) as herald:
        await herald.apply(wish(VIP))
        await answers(client, VIP, {mac_of(node)})
        if how == "Leave":
            assert herald.channel is not None
            await herald.channel.send(Leave("drained"))
            assert await asyncio.to_thread(herald.process.wait, 5) == 0
        else:
            assert await herald.end() == 0
        assert (members / "n1").read_text() == "left"
        assert await arping(client, VIP, count=1) == set()


async def test_a_foreign_claim_is_told_and_logged_once(pair: tuple[str, str], tmp_path: Path) -> None:
    node, client = pair
    async with engine(node, tmp_path) as herald:
        await herald.apply(wish(VIP))
        await answers(client, VIP, {mac_of(node)})
        with arp_socket(client) as stranger:

            def is_told() -> bool:
                for frame in arp.gratuitous(ip_address(VIP), STRANGER):
                    stranger.send(arp.encode(frame))
                return bool(herald.facts.conflicts)

            await eventually(is_told, "the conflict is told, once it is no former owner's")
        facts = herald.facts
        assert [(str(c.address), c.interface, c.mac) for c in facts.conflicts] == [(VIP, "eth0", STRANGER)]
        await eventually(lambda: "addressConflict" in herald.log.read_text(), "it stands, and is logged")
        told = [json.loads(line) for line in herald.log.read_text().splitlines()]
        conflicts = [line for line in told if line.get("event") == "addressConflict"]
        assert [(line["ip"], line["mac"], line["level"]) for line in conflicts] == [(VIP, "02:00:00:00:c0:de", "warn")]
        (shown,) = json.loads(await herald.show("l2"))["data"]["conflicts"]
        assert shown["mac"] == "02:00:00:00:c0:de"
        assert shown["firstSeen"] >= shown["lastSeen"] >= 0


async def test_a_request_of_a_foreign_vlan_is_not_answered(pair: tuple[str, str], tmp_path: Path) -> None:
    node, client = pair
    async with engine(node, tmp_path) as herald:
        await herald.apply(wish(VIP))
        await answers(client, VIP, {mac_of(node)})
        request = asking_for(VIP)
        with arp_socket(client) as raw:
            drain(raw)
            for vlan in (7, 0):  # 7 is somebody else's; 0 only carries a priority and belongs to the untagged segment
                raw.send(request[:12] + struct.pack("!HH", 0x8100, vlan) + request[12:])
            seen: list[arp.Packet] = []

            def answered() -> bool:
                seen.extend(packet for packet in from_the_node(drain(raw)) if packet.target_mac == STRANGER)
                return bool(seen)

            await eventually(answered, "the request of VLAN 0 is answered")
            await answers(client, VIP, {mac_of(node)})  # whatever was to come has come
            answered()
            assert len(seen) == 1


async def test_speakers_see_each_other_come_leave_and_die(pair: tuple[str, str], tmp_path: Path) -> None:
    node, client = pair
    more = ("--members-dir", str(tmp_path / "members"))
    async with engine(node, tmp_path, "n1", *more) as first:
        async with engine(client, tmp_path, "n2", *more) as second:
            await first.until(lambda facts: living(facts) == {"n1", "n2"}, "n1 sees n2")
            await second.until(lambda facts: living(facts) == {"n1", "n2"}, "n2 sees n1")
            assert await second.end() == 0
            await first.until(lambda facts: living(facts) == {"n1"}, "n2 has left")
        async with engine(client, tmp_path, "n3", *more) as third:
            await first.until(lambda facts: living(facts) == {"n1", "n3"}, "n1 sees n3")
            await third.end(signal.SIGKILL)
            await first.until(lambda facts: living(facts) == {"n1"}, "n3 is dead")
        assert json.loads(await first.show("members"))["data"] == [{"name": "n1", "interfaces": ["eth0"], "note": ""}]


async def test_the_show_socket_answers_each_question_and_names_them_to_who_asks_another(
    pair: tuple[str, str], tmp_path: Path
) -> None:
    node, _ = pair
    async with engine(node, tmp_path) as herald:
        await herald.until(lambda facts: any(i.eligible for i in facts.interfaces), "eth0 is eligible")
        told = json.loads(await herald.show("interfaces"))
        assert told["node"] == "n1"
        assert {one["name"]: one["verdict"] for one in told["data"]} == {
            "lo": "excluded by name",
            "eth0": "answers ARP",
        }
        assert json.loads(await herald.show("bgp summary"))["data"] == []
        assert json.loads(await herald.show("bgp routes"))["data"] == []
        wrong = json.loads(await herald.show("weather"))
        assert wrong == {
            "error": '"show" must be one of bfd, bgp listen, bgp routes, bgp summary, counters, gossip, '
            "history, interfaces, l2, members"
        }
        assert herald.show_socket.stat().st_mode & 0o777 == 0o600
