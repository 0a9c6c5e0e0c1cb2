"""A Linux neighbour that asks again and again whether an address is still there: Neighbor Unreachability Detection.

Datagrams confirm nothing (only TCP and the answers to questions do), so a kernel with a `base_reachable_time` of 5 s
must probe, by unicast, every few seconds. Who does not answer these is FAILED soon, and its traffic is dropped.
"""

import asyncio
import json
from asyncio.subprocess import DEVNULL, PIPE
from collections import Counter
from dataclasses import dataclass, field

from herald.lab import process
from herald.lab.failover.stand import ADDRESSES, Stand

V4, V6 = ADDRESSES


@dataclass(slots=True)
class Neighbour:
    """The states that the client's kernel went through, by address (`ip monitor neigh`), and the longest silence that
    its application saw, seconds. `questions`: those that the owner answered for the IPv6 address."""

    seconds: float
    states: dict[str, Counter[str]] = field(default_factory=dict)
    silent: dict[str, float] = field(default_factory=dict)
    questions: int = 0


async def talk(stand: Stand, seconds: float, reachable_ms: int = 5000) -> Neighbour:
    """Talk to the addresses for so long."""
    client = stand.place.namespace("client")
    settings = [f"net.ipv{version}.neigh.eth0.base_reachable_time_ms={reachable_ms}" for version in (4, 6)]
    await process.must(["sysctl", "-qw", *settings], namespace=client)
    for family in ("-4", "-6"):
        await process.must(["ip", "-n", client, family, "neigh", "flush", "dev", "eth0"])
    owner = await stand.settled()
    before = await _answers(stand, owner)
    made = Neighbour(seconds, {address: Counter() for address in ADDRESSES})
    monitor = await asyncio.create_subprocess_exec(
        "ip", "-o", "-n", client, "monitor", "neigh", stdin=DEVNULL, stdout=PIPE
    )
    reading = asyncio.create_task(_follow(monitor, made))
    try:
        await stand.watching.begin()
        await asyncio.sleep(seconds)
        sight = await stand.watching.read()
    finally:
        monitor.kill()
        await monitor.wait()
        await reading
    made.silent = {address: seen.silent for address, seen in sight.talks.items()}
    made.questions = await _answers(stand, owner) - before
    return made


async def _follow(monitor: asyncio.subprocess.Process, made: Neighbour) -> None:
    assert monitor.stdout is not None
    async for line in monitor.stdout:
        words = line.decode().split()
        for address, states in made.states.items():
            if address in words:
                states[words[-1]] += 1


async def _answers(stand: Stand, owner: str) -> int:
    """What the owner's speaker says it has answered for the IPv6 address. The asker's questions are among them."""
    reader, writer = await asyncio.open_unix_connection(stand.place.show_socket(owner), limit=1 << 24)
    writer.write(b'{"show": "l2"}\n')
    holdings = json.loads(await reader.readline())["data"]["holdings"]
    writer.close()
    return sum(int(one["answers"]) for one in holdings if one["ip"] == V6)
