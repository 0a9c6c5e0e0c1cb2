"""The engine answers Neighbor Discovery on a real segment: asked by ndisc6 and by real kernels, watched by tshark."""

import asyncio
import json
import re
import socket
import subprocess
from ipaddress import IPv6Address, ip_address
from pathlib import Path

import pytest
from segment import Network, answers, drain, engine, eventually, inside, ip, mac_of

from herald.engine.link import Apply
from herald.engine.ndp_socket import NdpSocket
from herald.engine.packet_socket import NDP_FILTER, open_filtered
from herald.layer2 import ndp, solicited_node
from herald.layer2.ethernet import ETHERTYPE_IPV6
from herald.layer2.holding import Holding
from herald.layer2.link import NdpLink
from herald.layer2.responder import Unanswered
from herald.net.interface import Mac

pytestmark = pytest.mark.netns

VIP = "2001:db8:50::200"
OTHER = "2001:db8:50::201"
TWIN = "2001:db8:50::9:0:200"  # in the group of VIP
VIP4 = "192.168.1.200"
CLIENT6 = "2001:db8:50::9"
STRANGER = Mac(bytes.fromhex("02000000c0de"))
LINK_LOCAL_STRANGER = IPv6Address("fe80::c0de")


def run(host: str, *words: str, check: bool = True) -> str:
    words = ("ip", "netns", "exec", host, *words)
    return subprocess.run(words, check=check, capture_output=True, text=True).stdout


def sysctl(host: str, *settings: str) -> None:
    run(host, "sysctl", "-qw", *settings)


def a_host(network: Network, name: str) -> str:
    """A namespace in which addresses are ready at once: nobody looks for duplicates unless a test says so."""
    full = network.host(name)
    sysctl(full, "net.ipv6.conf.default.accept_dad=0", "net.ipv6.conf.all.accept_dad=0")
    return full


def with_address(client: str) -> None:
    """The prefix of the held addresses is on the client's link: without that ndisc6 finds no address to ask from."""
    ip("-n", client, "addr", "add", f"{CLIENT6}/64", "dev", "eth0", "nodad")


@pytest.fixture
def pair(network: Network) -> tuple[str, str]:
    """A node and a client with an IPv6 address, `eth0` to `eth0`."""
    node, client = a_host(network, "node"), a_host(network, "client")
    network.wire(node, "eth0", client, "eth0")
    with_address(client)
    return node, client


def wish(*addresses: str, interfaces: set[str] | None = None) -> Apply:
    names = None if interfaces is None else frozenset(interfaces)
    return Apply(reset=True, holdings=tuple(Holding(ip_address(one), names) for one in addresses))


async def ndisc6(host: str, address: str, interface: str = "eth0") -> set[str]:
    """The MACs that answer a multicast solicitation of `host` for `address`."""
    words = ["ip", "netns", "exec", host, "ndisc6", "-m", "-r", "1", "-w", "400", address, interface]
    process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    return {mac.lower() for mac in re.findall(r"link-layer address: ([0-9A-Fa-f:]{17})", output.decode())}


async def answered(host: str, address: str, expected: set[str], interface: str = "eth0") -> None:
    seen: set[str] = set()
    for _ in range(30):
        seen = await ndisc6(host, address, interface)
        if seen == expected:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"{address}: {sorted(seen)} answer, expected {sorted(expected)}")


def neighbour(host: str, address: str) -> str:
    """What the kernel of `host` knows of its neighbour `address`."""
    return run(host, "ip", "-6", "neigh", "show", address).strip()


def mac_octets(host: str, interface: str = "eth0") -> Mac:
    return Mac(bytes.fromhex(mac_of(host, interface).replace(":", "")))


def raw(host: str, interface: str = "eth0") -> NdpSocket:
    """A socket that reads and writes Neighbor Discovery inside the namespace."""
    index = int(run(host, "cat", f"/sys/class/net/{interface}/ifindex"))
    link = NdpLink(index, interface, mac_octets(host, interface))
    return inside(host, lambda: NdpSocket(link))


def heard(opened: NdpSocket) -> list[ndp.Frame]:
    """Every neighbour message that waits; what is not valid fails the test."""
    frames = []
    while True:
        try:
            frames.append(ndp.decode(opened.recv(2048)))
        except BlockingIOError:
            return frames


def asking(
    target: str,
    *,
    sender: IPv6Address = LINK_LOCAL_STRANGER,
    receiver: IPv6Address | None = None,
    destination: Mac | None = None,
    asker: Mac = STRANGER,
    says_its_mac: bool = True,
) -> bytes:
    wanted = IPv6Address(target)
    group = solicited_node.group(wanted)
    message = ndp.NeighborSolicitation(wanted, asker if says_its_mac else None)
    to = destination or solicited_node.multicast_mac(group)
    return ndp.encode(ndp.Frame(to, asker, sender, receiver or group, message))


async def answer_to(opened: NdpSocket, question: bytes, target: str) -> ndp.Frame:
    """The first advertisement of `target` that follows the question and is no announcement of its own accord."""
    heard(opened)
    opened.send(question)
    found: list[ndp.Frame] = []

    def come() -> bool:
        found.extend(
            frame
            for frame in heard(opened)
            if isinstance(frame.message, ndp.NeighborAdvertisement) and str(frame.message.target) == target
        )
        return bool(found)

    await eventually(come, f"{target} is advertised")
    return found[0]


async def all_announced(opened: NdpSocket, count: int = 7) -> list[ndp.Frame]:
    frames: list[ndp.Frame] = []

    def come() -> bool:
        frames.extend(heard(opened))
        return len(frames) >= count

    await eventually(come, f"{count} announcements")
    return frames


async def test_exactly_one_mac_answers_where_one_of_two_nodes_holds_the_address(
    network: Network, tmp_path: Path
) -> None:
    switch, client = network.bridge("sw"), a_host(network, "client")
    nodes = [a_host(network, "n1"), a_host(network, "n2")]
    for host in (client, *nodes):
        network.plug(host, switch)
    with_address(client)
    async with engine(nodes[0], tmp_path, "n1") as first, engine(nodes[1], tmp_path, "n2") as second:
        await first.apply(wish(VIP))
        await second.apply(wish(OTHER))
        await answered(client, VIP, {mac_of(nodes[0])})
        await answered(client, OTHER, {mac_of(nodes[1])})
        await first.apply(wish(OTHER))
        await second.apply(wish(VIP))
        await answered(client, VIP, {mac_of(nodes[1])})
        await answered(client, OTHER, {mac_of(nodes[0])})
        assert await ndisc6(client, "2001:db8:50::2ff") == set()


async def test_a_solicitation_is_answered_to_the_group_to_the_address_and_without_a_source_mac(
    pair: tuple[str, str], tmp_path: Path
) -> None:
    node, client = pair
    mac, asker = mac_octets(node), mac_octets(client)
    async with engine(node, tmp_path) as herald:
        await herald.apply(wish(VIP))
        await answered(client, VIP, {mac_of(node)})
        opened = raw(client)
        try:
            await all_announced(opened, 4)
            to_it = {"receiver": IPv6Address(VIP), "destination": mac}
            questions = {
                "multicast": asking(VIP, asker=asker),
                "unicast": asking(VIP, asker=asker, **to_it),
                "no source MAC": asking(VIP, asker=asker, says_its_mac=False),
                "unicast, no source MAC": asking(VIP, asker=asker, says_its_mac=False, **to_it),
            }
            for name, question in questions.items():
                answer = await answer_to(opened, question, VIP)
                told = (answer.destination, answer.receiver, answer.message)
                expected = ndp.NeighborAdvertisement(
                    IPv6Address(VIP), mac, router=False, solicited=True, override=False
                )
                assert told == (asker, LINK_LOCAL_STRANGER, expected), name
                assert str(answer.sender) == VIP, name
        finally:
            opened.close()


async def test_a_new_address_is_announced_in_seven_rounds_to_all_nodes(pair: tuple[str, str], tmp_path: Path) -> None:
    node, client = pair
    mac = mac_octets(node)
    async with engine(node, tmp_path) as herald:
        await herald.until(lambda facts: any(i.ndp_eligible for i in facts.interfaces), "eth0 speaks NDP")
        opened = raw(client)
        try:
            await herald.apply(wish(VIP))
            frames = await all_announced(opened)
            await herald.apply(wish(VIP))
            await answered(client, VIP, {mac_of(node)})
        finally:
            opened.close()
    link_local = IPv6Address(run(node, "ip", "-6", "-o", "addr", "show", "eth0", "scope", "link").split()[3][:-3])
    assert set(frames) == {ndp.unsolicited(IPv6Address(VIP), mac, link_local)}
    assert len(frames) == 7


async def test_a_real_neighbour_finds_the_address_reachable_and_keeps_it_while_it_talks(
    pair: tuple[str, str], tmp_path: Path
) -> None:
    node, client = pair
    # The address stands on no interface; traffic to it is led to the node's own by DNAT, as kube-proxy does.
    ip("-n", node, "addr", "add", "2001:db8:50::1/64", "dev", "eth0", "nodad")
    sysctl(node, "net.ipv6.conf.all.forwarding=1")
    run(node, "nft", "add table ip6 nat; add chain ip6 nat pre { type nat hook prerouting priority -100; }")
    run(node, "nft", f"add rule ip6 nat pre ip6 daddr {VIP} icmpv6 type echo-request dnat to 2001:db8:50::1")
    run(node, "nft", f"add rule ip6 nat pre ip6 daddr {VIP} udp dport 9 drop")
    sysctl(client, "net.ipv6.neigh.eth0.base_reachable_time_ms=2000", "net.ipv6.neigh.eth0.delay_first_probe_time=1")
    async with engine(node, tmp_path) as herald:
        await herald.apply(wish(VIP))
        await answered(client, VIP, {mac_of(node)})
        run(client, "ip", "-6", "neigh", "flush", "dev", "eth0")
        states = set()
        # What is sent is not confirmed by anybody, so the kernel must ask; ping would tell it that all is well.
        with inside(client, lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)) as talking:
            for _ in range(100):
                talking.sendto(b"", (VIP, 9))
                await asyncio.sleep(0.2)
                states.add(neighbour(client, VIP).split(" ")[-1])
        assert "3 received" in run(client, "ping", "-6", "-i", "0.2", "-c", "3", VIP)
        assert "REACHABLE" in states
        assert "FAILED" not in states
        holdings = json.loads(await herald.show("l2"))["data"]["holdings"]
        assert holdings[0]["answers"] > 3, "it was asked again and again whether it is still there"


async def test_another_host_that_adds_the_address_finds_it_taken_and_is_told_as_a_conflict(
    pair: tuple[str, str], tmp_path: Path
) -> None:
    node, client = pair
    sysctl(client, "net.ipv6.conf.eth0.accept_dad=1")
    async with engine(node, tmp_path) as herald:
        await herald.apply(wish(VIP))
        await answered(client, VIP, {mac_of(node)})
        # Our round of advertisements may reach it before it has asked for the first time: then it gives the address up
        # without a word, and there is nothing to tell. It tries again.
        for _ in range(8):
            ip("-n", client, "addr", "add", f"{VIP}/64", "dev", "eth0")
            await eventually(
                lambda: "dadfailed" in run(client, "ip", "-6", "addr", "show", "dev", "eth0"), "the client gives it up"
            )
            ip("-n", client, "addr", "del", f"{VIP}/64", "dev", "eth0")
            if herald.facts.conflicts:
                break
        facts = await herald.until(lambda facts: bool(facts.conflicts), "the conflict is told")
        assert [(str(c.address), c.interface, c.mac.hex(":")) for c in facts.conflicts] == [
            (VIP, "eth0", mac_of(client))
        ]
        ip("-n", client, "addr", "add", "2001:db8:50::77/64", "dev", "eth0")
        await eventually(
            lambda: "tentative" not in run(client, "ip", "-6", "addr", "show", "dev", "eth0", "to", "2001:db8:50::77"),
            "an address of nobody is left to it",
        )
        assert "dadfailed" not in run(client, "ip", "-6", "addr", "show", "dev", "eth0", "to", "2001:db8:50::77")


async def test_a_foreign_advertisement_is_told_and_logged_once(pair: tuple[str, str], tmp_path: Path) -> None:
    node, client = pair
    async with engine(node, tmp_path) as herald:
        await herald.apply(wish(VIP))
        await answered(client, VIP, {mac_of(node)})
        opened = raw(client)
        try:

            def is_told() -> bool:
                opened.send(ndp.encode(ndp.unsolicited(IPv6Address(VIP), STRANGER, None)))
                return bool(herald.facts.conflicts)

            await eventually(is_told, "the conflict is told, once it is no former owner's")
        finally:
            opened.close()
        await eventually(lambda: "addressConflict" in herald.log.read_text(), "it stands, and is logged")
        told = [json.loads(line) for line in herald.log.read_text().splitlines()]
        conflicts = [(one["ip"], one["mac"]) for one in told if one.get("event") == "addressConflict"]
        assert conflicts == [(VIP, "02:00:00:00:c0:de")]


async def test_behind_a_snooping_switch_solicitations_arrive_because_the_group_is_joined(
    network: Network, tmp_path: Path
) -> None:
    switch = network.bridge("sw")
    node, client, silent = (a_host(network, name) for name in ("node", "client", "silent"))
    for host in (node, client, silent):
        network.plug(host, switch)
    more = ("mcast_snooping", "1", "mcast_querier", "1", "mcast_query_interval", "100")
    more += ("mcast_startup_query_interval", "100", "mcast_query_response_interval", "100")
    ip("-n", switch, "link", "set", "br0", "type", "bridge", *more)
    with_address(client)
    group = str(solicited_node.group(IPv6Address(VIP)))

    def ports() -> list[str]:
        entries = run(switch, "bridge", "mdb", "show", "dev", "br0").splitlines()
        return sorted(re.findall(r"port (\S+)", "\n".join(line for line in entries if f"grp {group} " in line)))

    async with engine(node, tmp_path) as herald:
        await herald.until(lambda facts: any(i.ndp_eligible for i in facts.interfaces), "eth0 speaks NDP")
        index = int(run(silent, "cat", "/sys/class/net/eth0/ifindex"))
        link = NdpLink(index, "eth0", STRANGER)
        watching = inside(silent, lambda: open_filtered(link, ETHERTYPE_IPV6, NDP_FILTER))
        try:
            # The switch trusts its snooping only once a query has gone unopposed for a while.
            async def withheld() -> bool:
                drain(watching)
                await ndisc6(client, OTHER)
                return not [frame for frame in drain(watching) if frame[ndp.TARGET] == IPv6Address(OTHER).packed]

            for _ in range(40):
                if await withheld():
                    break
            else:
                raise AssertionError("the switch never began to snoop")
            assert ports() == []
            await herald.apply(wish(VIP, TWIN))
            await eventually(lambda: ports() == ["pnode"], "the switch knows the member")
            await answered(client, VIP, {mac_of(node)})
            await answered(client, TWIN, {mac_of(node)})
            assert [
                frame for frame in drain(watching) if frame[ndp.TARGET] == IPv6Address(VIP).packed and frame[54] == 135
            ] == []
            await herald.apply(wish(TWIN))
            await answered(client, TWIN, {mac_of(node)})
            assert ports() == ["pnode"], "the other address needs it still"
            await herald.apply(wish())
            await eventually(lambda: ports() == [], "the group is left")
        finally:
            watching.close()


async def test_all_groups_of_the_moment_are_joined_when_an_interface_appears(network: Network, tmp_path: Path) -> None:
    node, client = a_host(network, "node"), a_host(network, "client")

    def members() -> str:
        return run(node, "ip", "-6", "maddr", "show", "dev", "eth0")

    groups = {str(solicited_node.group(IPv6Address(one))) for one in (VIP, OTHER)}
    async with engine(node, tmp_path) as herald:
        await herald.apply(wish(VIP, OTHER, TWIN))
        await herald.until(lambda facts: len(facts.holdings) == 3, "no interface, no answers")
        for _ in range(3):
            network.wire(node, "eth0", client, "eth0")
            with_address(client)
            await answered(client, VIP, {mac_of(node)})
            await answered(client, TWIN, {mac_of(node)})
            assert groups <= set(members().split())
            ip("-n", node, "link", "del", "eth0")
        shown = json.loads(await herald.show("l2"))["data"]
        assert set(shown["groups"].get("eth0", [])) in (groups, set())


async def test_an_address_is_told_as_not_answered_where_ipv6_is_off_and_answered_once_it_is_on(
    pair: tuple[str, str], tmp_path: Path
) -> None:
    node, client = pair
    sysctl(node, "net.ipv6.conf.eth0.disable_ipv6=1")
    async with engine(node, tmp_path) as herald:
        await herald.apply(wish(VIP, VIP4))
        facts = await herald.until(lambda facts: bool(facts.holdings), "it is told")
        assert [(str(h.address), h.reason) for h in facts.holdings] == [
            (
                VIP,
                Unanswered.NO_IPV6.value,
            )
        ]
        shown = json.loads(await herald.show("l2"))["data"]["holdings"]
        assert [(h["ip"], h["answeredOn"]) for h in shown] == [(VIP4, ["eth0"]), (VIP, [])]
        for _ in range(2):
            sysctl(node, "net.ipv6.conf.eth0.disable_ipv6=0")
            await answered(client, VIP, {mac_of(node)})
            await herald.until(lambda facts: not facts.holdings, "all is answered")
            assert str(solicited_node.group(IPv6Address(VIP))) in run(node, "ip", "-6", "maddr", "show", "dev", "eth0")
            await answers(client, VIP4, {mac_of(node)})
            sysctl(node, "net.ipv6.conf.eth0.disable_ipv6=1")
            await herald.until(lambda facts: bool(facts.holdings), "IPv6 is off again")
        events = [json.loads(line).get("event") for line in herald.log.read_text().splitlines()]
        assert (events.count("createNDPResponder"), events.count("deleteNDPResponder")) == (2, 2)
        assert events.count("createARPResponder") == 1


@pytest.mark.parametrize("state", ["tentative", "missing"])
async def test_without_a_usable_link_local_address_announcements_come_from_the_held_address(
    network: Network, tmp_path: Path, state: str
) -> None:
    node, client = a_host(network, "node"), a_host(network, "client")
    if state == "tentative":  # the search for duplicates lasts as long as the test
        sysctl(node, "net.ipv6.conf.all.accept_dad=1", "net.ipv6.conf.default.accept_dad=1")
        sysctl(node, "net.ipv6.conf.default.dad_transmits=100")
        network.wire(node, "eth0", client, "eth0")
        assert "tentative" in run(node, "ip", "-6", "addr", "show", "dev", "eth0")
    else:
        sysctl(node, "net.ipv6.conf.default.addr_gen_mode=1")
        network.wire(node, "eth0", client, "eth0")
        ip("-n", node, "addr", "add", "2001:db8:50::1/64", "dev", "eth0", "nodad")
        assert "fe80" not in run(node, "ip", "-6", "addr", "show", "dev", "eth0")
    with_address(client)
    async with engine(node, tmp_path) as herald:
        await herald.apply(wish(VIP))
        await answered(client, VIP, {mac_of(node)})
        opened = raw(client)
        try:
            announcement = await answer_to(opened, asking(VIP, sender=ndp.UNSPECIFIED, says_its_mac=False), VIP)
        finally:
            opened.close()
        assert (announcement.sender, announcement.receiver) == (IPv6Address(VIP), solicited_node.ALL_NODES)


async def test_tshark_finds_nothing_wrong_with_what_is_sent(pair: tuple[str, str], tmp_path: Path) -> None:
    node, client = pair
    capture = tmp_path / "seen.pcap"
    words = ["ip", "netns", "exec", client, "tshark", "-q", "-i", "eth0", "-f", "icmp6", "-w", str(capture)]
    shark = await asyncio.create_subprocess_exec(*words, stderr=asyncio.subprocess.PIPE)
    try:
        assert shark.stderr is not None
        async with asyncio.timeout(20):
            while b"Capturing on" not in (line := await shark.stderr.readline()):
                assert line, "tshark ended"
        await eventually(lambda: capture.exists() and capture.stat().st_size > 0, "tshark writes")
        async with engine(node, tmp_path) as herald:
            await herald.apply(wish(VIP))
            await answered(client, VIP, {mac_of(node)})
            opened = raw(client)
            try:
                mac = mac_octets(node)
                question = asking(VIP, receiver=IPv6Address(VIP), destination=mac, asker=mac_octets(client))
                await answer_to(opened, question, VIP)
                probe = asking(VIP, sender=ndp.UNSPECIFIED, says_its_mac=False)
                defence = await answer_to(opened, probe, VIP)
                assert defence.receiver == solicited_node.ALL_NODES
                await asyncio.sleep(0.5)  # what was sent is on its way into the file
            finally:
                opened.close()
    finally:
        shark.terminate()
        await shark.wait()
    advertised = f"icmpv6.type == 136 && icmpv6.nd.na.target_address == {VIP}"
    fields = [
        f"-e{name}" for name in ("ipv6.hlim", "icmpv6.checksum.status", "icmpv6.nd.na.flag", "icmpv6.opt.linkaddr")
    ]
    listed = run(client, "tshark", "-r", str(capture), "-Y", advertised, "-Tfields", *fields).splitlines()
    assert len(listed) >= 3
    # hop limit 255, good checksum, flags either unsolicited with override or solicited without, our MAC
    assert {tuple(line.split("\t")) for line in listed} == {
        ("255", "1", "0x20000000", mac_of(node)),
        ("255", "1", "0x40000000", mac_of(node)),
    }
    errors = "_ws.malformed || _ws.expert.severity >= 6291456"  # warnings too
    wrong = run(client, "tshark", "-r", str(capture), "-Y", errors)
    assert wrong == ""
