"""fastFailover among three real speakers: who is next in line answers because BFD has noticed, and one owner remains.

One network for all; every test begins when all is well again. Times are printed, for people.
"""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from ipaddress import ip_address
from itertools import permutations
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from segment import Network, answers, arping, eventually, inside, ip, mac_of, one_service
from test_arp_history import herald

from herald.announcement.election import order
from herald.cluster.meta import NodeName

pytestmark = [pytest.mark.netns, pytest.mark.timeout(240)]

NODES = {"n1": "192.168.1.1", "n2": "192.168.1.2", "n3": "192.168.1.3"}
VIP = "192.168.1.200"
MANIFESTS = one_service(*NODES, advertisement="{fastFailover: true}")


class Speaker:
    """A speaker in a namespace of its own, with gossip. All processes of the namespace are its."""

    def __init__(self, host: str, node: str, directory: Path) -> None:
        self.host = host
        self.mac = mac_of(host)
        self.log = directory / f"{node}.log"
        self.show_socket = directory / f"{node}.show"
        words = ["ip", "netns", "exec", host, sys.executable, "-m", "herald.cli.main", "speaker"]
        words += ["--config", str(directory / "config"), "--node-name", node, "--show-socket", str(self.show_socket)]
        words += ["--ml-bindaddr", NODES[node], "--ml-join", ",".join(NODES.values())]
        words += ["--ml-secret-key-path", str(directory / "key")]
        self._words = words
        self.start()

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self._words, stdout=log, stderr=subprocess.STDOUT)

    def send(self, number: signal.Signals) -> None:
        """To all its processes, as if the node were hit: none has the time to learn of another's end and say so."""
        listed = subprocess.run(["ip", "netns", "pids", self.host], check=True, capture_output=True, text=True)
        for each in (signal.SIGSTOP, number) if number == signal.SIGKILL else (number,):
            for pid in map(int, listed.stdout.split()):
                os.kill(pid, each)

    def events(self, name: str) -> list[dict[str, Any]]:
        """The lines of that event, in order."""
        lines = (json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{"))
        return [line for line in lines if line.get("event") == name]

    async def shown(self, what: str) -> Any:
        """The data of an answer of the show socket; None while nobody answers."""
        try:
            reader, writer = await asyncio.open_unix_connection(self.show_socket)
        except OSError:
            return None
        writer.write(b'{"show": "%s"}\n' % what.encode())
        line = await reader.readline()
        writer.close()
        return json.loads(line)["data"] if line else None

    async def holds(self) -> bool:
        return bool((await self.shown("l2") or {"holdings": []})["holdings"])

    async def watched(self) -> dict[str, dict[str, Any]]:
        """What it says of the nodes that it watches."""
        rows = await self.shown("members") or []
        return {row["name"]: row["fastFailover"] for row in rows if "fastFailover" in row}


class Lab:
    """A switch with a client and the speakers."""

    def __init__(self, directory: Path) -> None:
        self.network = Network()
        self.switch = self.network.bridge("sw")
        self.client = self.network.host("client")
        self.network.plug(self.client, self.switch)
        (directory / "config").mkdir()
        (directory / "config" / "all.yaml").write_text(MANIFESTS)
        (directory / "key").mkdir()
        (directory / "key" / "secretkey").write_text("nobody else has it")
        self.speakers: dict[str, Speaker] = {}
        for node, address in NODES.items():
            host = self.network.host(node)
            self.network.plug(host, self.switch)
            ip("-n", host, "addr", "add", f"{address}/24", "dev", "eth0")
            self.speakers[node] = Speaker(host, node, directory)

    async def _is_well(self) -> bool:
        """One owner, and it and those next in line are all sure of each other."""
        owners = [node for node, speaker in self.speakers.items() if await speaker.holds()]
        told = {node: await speaker.watched() for node, speaker in self.speakers.items()}
        ends = [told[one].get(other) for one, other in permutations(NODES, 2)]
        return len(owners) == 1 and all(end and end["bfd"] == "Up" and not end["calm"] for end in ends)

    async def owner(self) -> str:
        """The owner, as soon as all is well."""
        for _ in range(600):
            if await self._is_well():
                (only,) = [node for node, speaker in self.speakers.items() if await speaker.holds()]
                return only
            await asyncio.sleep(0.1)
        raise AssertionError({node: await speaker.watched() for node, speaker in self.speakers.items()})

    async def successor_of(self, owner: str, since: float) -> str:
        """Who answers in its stead."""
        macs = {speaker.mac: node for node, speaker in self.speakers.items() if node != owner}
        for _ in range(200):
            for mac in await arping(self.client, VIP, count=1) & macs.keys():
                print(f"{macs[mac]} answers {monotonic() - since:.3f} s after the fault, found by asking one by one")
                return macs[mac]
        raise AssertionError("nobody takes over")

    async def taken_by(self, node: str) -> dict[str, Any]:
        """The newest take-over in the history of a node, once its cause is told."""
        for _ in range(100):
            row = next(row for row in await self.speakers[node].shown("history") if row["what"] == "taken")
            if row["cause"]:
                found: dict[str, Any] = row
                return found
            await asyncio.sleep(0.05)
        raise AssertionError("the cause is not told")

    def close(self) -> None:
        try:
            for speaker in self.speakers.values():
                speaker.send(signal.SIGKILL)
                speaker.process.wait(10)
                sys.stderr.write(speaker.log.read_text())
        finally:
            self.network.close()


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    made = Lab(tmp_path_factory.mktemp("ff"))
    yield made
    made.close()


async def test_a_crash_is_noticed_by_bfd_and_everything_that_is_shown_says_so(lab: Lab) -> None:
    owner = await lab.owner()
    lab.speakers[owner].send(signal.SIGKILL)
    successor = await lab.successor_of(owner, monotonic())
    row = await lab.taken_by(successor)
    print(row)
    assert (row["from"], row["to"], row["detectedBy"]) == (owner, successor, "bfd")
    (dead,) = lab.speakers[successor].events("failoverDead")
    assert (dead["node"], dead["cause"]) == (owner, "bfd")
    where = ("--socket", str(lab.speakers[successor].show_socket))
    assert "by bfd" in (await herald("history", VIP, *where))[1]
    assert "Watched for fast failover" in (await herald("show", "members", *where))[1]
    assert "node n" in (await herald("show", "bfd", *where))[1], "the new owner has a watcher of its own"
    lab.speakers[owner].process.wait(10)
    lab.speakers[owner].start()
    assert await lab.owner() == owner
    await answers(lab.client, VIP, {lab.speakers[owner].mac})


async def test_where_the_next_in_line_fails_together_with_the_owner_the_third_takes_over_as_fast(lab: Lab) -> None:
    owner = await lab.owner()
    second, third = order((NodeName(node) for node in NODES if node != owner), ip_address(VIP), {})
    for node in (owner, second):
        lab.speakers[node].send(signal.SIGKILL)
    assert await lab.successor_of(owner, monotonic()) == third
    assert (await lab.taken_by(third))["detectedBy"] == "bfd"
    assert {row["node"] for row in lab.speakers[third].events("failoverDead")[-2:]} == {owner, second}
    for node in (owner, second):
        lab.speakers[node].process.wait(10)
        lab.speakers[node].start()
    assert await lab.owner() == owner


async def test_a_node_that_is_cut_off_is_replaced_and_comes_back(lab: Lab) -> None:
    owner = await lab.owner()
    port = f"p{owner}"
    ip("-n", lab.switch, "link", "set", port, "nomaster")
    successor = await lab.successor_of(owner, monotonic())
    assert (await lab.taken_by(successor))["detectedBy"] == "bfd"
    ip("-n", lab.switch, "link", "set", port, "master", "br0")
    await answers(lab.client, VIP, {lab.speakers[owner].mac})
    assert await lab.owner() == owner


async def test_a_planned_end_is_no_alarm(lab: Lab) -> None:
    owner = await lab.owner()
    before = {node: len(speaker.events("failoverDead")) for node, speaker in lab.speakers.items()}
    lab.speakers[owner].process.send_signal(signal.SIGTERM)
    await lab.successor_of(owner, monotonic())
    lab.speakers[owner].process.wait(10)
    lab.speakers[owner].start()
    assert await lab.owner() == owner
    assert before == {node: len(speaker.events("failoverDead")) for node, speaker in lab.speakers.items()}


async def test_where_another_program_has_the_port_that_is_said_and_gossip_decides(lab: Lab) -> None:
    owner = await lab.owner()
    second = next(node for node in NODES if node != owner)
    speaker = lab.speakers[second]
    speaker.process.send_signal(signal.SIGTERM)
    speaker.process.wait(10)

    def take_port() -> socket.socket:
        taken = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        taken.bind(("", 3784))
        return taken

    with inside(speaker.host, take_port):
        speaker.start()
        problem = None
        for _ in range(300):
            problem = (await speaker.watched()).get(owner, {}).get("problem")
            if problem and "3784" in problem:
                break
            await asyncio.sleep(0.1)
        assert problem is not None
        assert "UDP port 3784 of this host belongs to another program" in problem
        lab.speakers[owner].send(signal.SIGKILL)
        await lab.successor_of(owner, monotonic())
        lab.speakers[owner].process.wait(10)
        lab.speakers[owner].start()
    assert await lab.owner() == owner, "the port is free again, and is taken without a restart"


async def test_a_node_that_stands_still_for_a_moment_answers_nothing_until_it_is_the_owner_again(lab: Lab) -> None:
    owner = await lab.owner()
    speaker = lab.speakers[owner]
    released = {node: len(one.events("addressReleased")) for node, one in lab.speakers.items()}
    speaker.send(signal.SIGSTOP)
    successor = await lab.successor_of(owner, monotonic())
    speaker.send(signal.SIGCONT)
    back = monotonic()
    await eventually(
        lambda: len(lab.speakers[successor].events("addressReleased")) > released[successor], "the successor lets go"
    )
    await answers(lab.client, VIP, {speaker.mac})
    print(f"{owner} alone answers {monotonic() - back:.3f} s after it ran again")
    assert (await lab.taken_by(successor))["detectedBy"] == "bfd"
    assert speaker.events("failoverFenced"), "it was away, and knew"
    assert speaker.events("failoverAnswersAgain"), "and was let back"
    fenced = next(row for row in await speaker.shown("history") if row["what"] == "fenced")
    assert (fenced["ip"], fenced["what"], fenced["from"], fenced["to"]) == (VIP, "fenced", owner, None)
    assert successor in fenced["cause"].split(", until")[1], fenced["cause"]
    table = (await herald("history", VIP, "--socket", str(speaker.show_socket)))[1]
    print(table)
    assert "fenced" in table
