"""Ports that a firewall closes between nodes: real packets, real rules, and what each node says of it.

Pairs of one group are blocked in different ways at the same time: it takes the better part of a minute to be sure.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from segment import EngineProcess, Network, engine, eventually, ip

from herald.engine.link import Join

pytestmark = [pytest.mark.netns, pytest.mark.timeout(300)]

HERALD = str(Path(sys.executable).with_name("herald"))
SOON = 60.0
"""Seconds within which an operator is to see it."""
SIZE = 7


class Group:
    """Engines `n1` to `n7` on one bridge, with a key."""

    def __init__(self, directory: Path) -> None:
        self._network = Network()
        self._directory = directory
        (directory / "secretkey").write_text("c2VjcmV0IG9mIG9uZSBncm91cA")
        self.hosts: dict[str, str] = {}
        self.engines: dict[str, EngineProcess] = {}

    async def start(self, stack: AsyncExitStack) -> None:
        stack.callback(self._network.close)
        switch = self._network.bridge("sw")
        addresses = {f"n{number}": f"192.168.1.{number}" for number in range(1, SIZE + 1)}
        for name, address in addresses.items():
            host = self.hosts[name] = self._network.host(name)
            self._network.plug(host, switch)
            ip("-n", host, "addr", "add", f"{address}/24", "dev", "eth0")
            words = ["--ml-bindaddr", address, "--ml-secret-key-path", str(self._directory)]
            self.engines[name] = await stack.enter_async_context(engine(host, self._directory, name, *words))
        for one in self.engines.values():
            assert one.channel is not None
            await one.channel.send(Join(tuple(addresses.values())))
        for one in self.engines.values():
            await one.until(lambda facts: len(facts.members) == SIZE, "everybody is there")

    def drop(self, name: str, other: int, *protocols: str, hooks: tuple[str, ...] = ("output", "input")) -> None:
        """On that node: nothing of these protocols for port 7946 goes to the other, or comes from it."""
        lines = ["add table inet block"]
        for hook in hooks:
            end = "daddr" if hook == "output" else "saddr"
            lines.append(f"add chain inet block {hook} {{ type filter hook {hook} priority 0; }}")
            lines += [
                f"add rule inet block {hook} ip {end} 192.168.1.{other} {protocol} dport 7946 drop"
                for protocol in protocols
            ]
        self._nft(name, "\n".join(lines))

    def open(self, name: str) -> None:
        self._nft(name, "delete table inet block")

    def _nft(self, name: str, text: str) -> None:
        words = ["ip", "netns", "exec", self.hosts[name], "nft", "-f", "-"]
        subprocess.run(words, input=text, check=True, capture_output=True, text=True)

    def seen(self) -> dict[str, set[str]]:
        return {name: {way.ends for way in one.facts.closed} for name, one in self.engines.items()}

    def asked(self, name: str, *words: str) -> str:
        command = [HERALD, *words, "--socket", str(self.engines[name].show_socket)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture
async def group(tmp_path: Path) -> AsyncIterator[Group]:
    made = Group(tmp_path)
    async with AsyncExitStack() as stack:
        await made.start(stack)
        yield made


def ways(*pairs: str) -> set[str]:
    return {f"{pair.replace('>', ' → ')}/7946" for pair in pairs}


async def test_blocked_ports_are_named_by_direction_and_protocol_and_forgotten_when_they_open(group: Group) -> None:
    nothing: dict[str, set[str]] = {name: set() for name in group.engines}
    group.drop("n1", 2, "udp")
    group.drop("n3", 4, "tcp")
    group.drop("n5", 6, "udp", "tcp", hooks=("output",))
    expected = nothing | {
        "n1": ways("n1>n2 udp", "n2>n1 udp"),
        "n2": ways("n1>n2 udp", "n2>n1 udp"),
        "n3": ways("n3>n4 tcp"),
        "n4": ways("n4>n3 tcp"),
        "n5": ways("n5>n6 udp", "n5>n6 tcp"),
        "n6": ways("n5>n6 udp"),
    }
    await eventually(lambda: group.seen() == expected, f"expected {expected}", SOON)
    assert {len(one.facts.members) for one in group.engines.values()} == {SIZE}, "nobody is lost for it"

    said = await asyncio.to_thread(group.asked, "n5", "show", "members")
    assert "Unreachable" in said
    assert {"udp/7946", "tcp/7946"} <= set(said.split())
    document: dict[str, Any] = json.loads(await asyncio.to_thread(group.asked, "n5", "show", "members", "-o", "json"))
    told = {f"{one['from']} → {one['to']} {one['protocol']}/{one['port']}" for one in document["unreachable"]}
    assert told == expected["n5"]
    counted: dict[str, Any] = json.loads(await group.engines["n3"].show("counters"))["data"]
    assert counted["unreachable"] == [["n3", "n4", "tcp"]]
    logged = [json.loads(line) for line in group.engines["n1"].log.read_text().splitlines() if line.startswith("{")]
    assert {line["member"] for line in logged if line.get("event") == "memberUnreachable"} == {"n2"}

    for name in ("n1", "n3", "n5"):
        group.open(name)
    await eventually(lambda: group.seen() == nothing, "all is open again", SOON)
    assert {one.process.poll() for one in group.engines.values()} == {None}
