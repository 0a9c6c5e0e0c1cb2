"""Two whole speakers on a shared segment, where only those with the named interface may own the address."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from segment import Network, answers, arping, eventually, ip, mac_of, one_service

from herald.announcement.election import order
from herald.cluster.meta import NodeName
from herald.net.ip_family import parse_address

pytestmark = pytest.mark.netns

VIP = "192.168.1.200"
NODES = ("n1", "n2")
MANIFESTS = one_service("n1", "n2", advertisement="{interfaces: [eth1]}")


class Segment:
    """A switch, a client, and two nodes with `eth0` in it; `eth1` comes when it is plugged in."""

    def __init__(self) -> None:
        self.network = Network()
        self.switch = self.network.bridge("sw")
        self.client = self.network.host("client")
        self.network.plug(self.client, self.switch)
        self.nodes = {node: self.network.host(node) for node in NODES}
        for host in self.nodes.values():
            self.network.plug(host, self.switch)

    def plug_eth1(self, node: str) -> None:
        self.network.wire(self.switch, f"q{node}", self.nodes[node], "eth1")
        ip("-n", self.switch, "link", "set", f"q{node}", "master", "br0")

    def set_eth1(self, node: str, state: str) -> None:
        ip("-n", self.nodes[node], "link", "set", "eth1", state)

    def set_cable(self, node: str, state: str) -> None:
        """The far end of `eth1`: without it there is no carrier."""
        ip("-n", self.switch, "link", "set", f"q{node}", state)

    def set_ipv6(self, node: str, *, on: bool) -> None:
        """On `eth0`, which has it otherwise."""
        ip("netns", "exec", self.nodes[node], "sysctl", "-qw", f"net.ipv6.conf.eth0.disable_ipv6={0 if on else 1}")

    async def owned_by(self, node: str) -> None:
        """Exactly that node answers, on `eth1`."""
        await answers(self.client, VIP, {mac_of(self.nodes[node], "eth1")})

    async def owned_by_nobody(self) -> None:
        await answers(self.client, VIP, set())


class Speaker:
    """The supervisor of one node."""

    def __init__(self, host: str, node: str, directory: Path, members: Path | None = None) -> None:
        self.log = directory / f"{node}.log"
        self.show_socket = directory / f"{node}.show"
        words = ["ip", "netns", "exec", host, sys.executable, "-m", "herald.speaker.supervisor", "--node-name", node]
        words += ["--run-dir", str(directory / f"{node}.run"), "--members-dir", str(members or directory / "members")]
        words += ["--show-socket", str(self.show_socket), "--", "--config", str(directory / "config")]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(words, stdout=log, stderr=subprocess.STDOUT)

    def events(self, name: str) -> list[str]:
        """The messages of that event, in order."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines()]
        return [line["msg"] for line in lines if line.get("event") == name]

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(10)


@pytest.fixture
def segment() -> Iterator[Segment]:
    made = Segment()
    yield made
    made.network.close()


@pytest.fixture
def speakers(segment: Segment, tmp_path: Path) -> Iterator[dict[str, Speaker]]:
    """Both running, `eth1` on n2 only."""
    segment.plug_eth1("n2")
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "all.yaml").write_text(MANIFESTS)
    running = {node: Speaker(segment.nodes[node], node, tmp_path) for node in NODES}
    yield running
    for speaker in running.values():
        speaker.close()
        sys.stderr.write(speaker.log.read_text())


async def shown_members(speaker: Speaker) -> list[list[str]]:
    """The words of each row."""
    words = [sys.executable, "-m", "herald.cli.main", "show", "members", "--socket", str(speaker.show_socket)]
    process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    return [line.split() for line in output.decode().splitlines() if line.split()[:1] in (["n1"], ["n2"])]


async def members_are(speaker: Speaker, *rows: list[str]) -> None:
    """Wait until they are shown so: one node may have acted on what the other has yet to hear."""
    for _ in range(20):
        if (seen := await shown_members(speaker)) == list(rows):
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"shown are {seen}")


async def test_the_address_is_owned_by_a_node_that_has_the_named_interface_and_follows_it(
    segment: Segment, speakers: dict[str, Speaker]
) -> None:
    preferred, _ = order(frozenset(map(NodeName, NODES)), parse_address(VIP), {})
    assert preferred == "n1", "the hash alone would give the address to the node without the interface"
    await eventually(lambda: bool(speakers["n2"].events("addressHeld")), "n2 takes the address", seconds=30)
    await segment.owned_by("n2")
    assert speakers["n1"].events("addressHeld") == []
    await members_are(speakers["n1"], ["n1", "eth0"], ["n2", "eth0", "eth1"])

    segment.plug_eth1("n1")
    await segment.owned_by("n1")
    segment.set_eth1("n1", "down")
    await segment.owned_by("n2")
    segment.set_eth1("n1", "up")
    await segment.owned_by("n1")
    segment.set_cable("n1", "down")
    await segment.owned_by("n2")
    segment.set_cable("n2", "down")
    await segment.owned_by_nobody()
    segment.set_cable("n1", "up")
    await segment.owned_by("n1")

    why = "n1: none of the interfaces that L2Advertisements allow (eth1) is there, up and with carrier"
    assert any(why in told for told in speakers["n1"].events("serviceWithdrawn"))
    assert any(f"moved from n1 to n2 ({why})" in told for told in speakers["n2"].events("leaderChanged"))
    assert any("announced by nobody" in told for told in speakers["n1"].events("serviceNotAnnounced"))


async def test_an_ipv6_address_is_owned_by_a_node_with_ipv6_and_moves_when_ipv6_goes(
    segment: Segment, tmp_path: Path
) -> None:
    vip, pool = "fd00::2", "192.168.1.200-192.168.1.210"
    assert order(frozenset(map(NodeName, NODES)), parse_address(vip), {})[0] == "n1"
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "all.yaml").write_text(
        one_service("n1", "n2").replace(pool, "fd00::/64").replace(VIP, vip).replace("IPv4", "IPv6")
    )
    segment.set_ipv6("n1", on=False)
    running = {node: Speaker(segment.nodes[node], node, tmp_path) for node in NODES}
    try:
        await eventually(lambda: bool(running["n2"].events("addressHeld")), "n2 takes the address", seconds=30)
        assert running["n1"].events("addressHeld") == []
        await members_are(running["n2"], ["n1", "eth0", "(IPv4", "only)"], ["n2", "eth0"])
        segment.set_ipv6("n1", on=True)
        await eventually(lambda: bool(running["n1"].events("addressHeld")), "n1 takes it", seconds=30)
        await members_are(running["n2"], ["n1", "eth0"], ["n2", "eth0"])
        segment.set_ipv6("n1", on=False)
        await eventually(lambda: len(running["n2"].events("addressHeld")) == 2, "n2 takes it again", seconds=30)
        assert any("(any) answers for IPv6" in told for told in running["n1"].events("serviceWithdrawn"))
    finally:
        for speaker in running.values():
            speaker.close()


async def test_a_flapping_link_moves_the_address_a_few_times_and_then_it_stays_where_it_is(
    segment: Segment, speakers: dict[str, Speaker]
) -> None:
    await eventually(lambda: bool(speakers["n2"].events("addressHeld")), "n2 takes the address", seconds=30)
    segment.plug_eth1("n1")
    await segment.owned_by("n1")
    for _ in range(30):
        segment.set_eth1("n1", "down")
        await asyncio.sleep(0.05)
        segment.set_eth1("n1", "up")
        await asyncio.sleep(0.1)
    await segment.owned_by("n2")
    assert len(speakers["n1"].events("addressHeld")) <= 3
    assert await arping(segment.client, VIP) == {mac_of(segment.nodes["n2"], "eth1")}, "n1 has the link, and waits"
