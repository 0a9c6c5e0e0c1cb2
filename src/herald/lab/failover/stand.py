"""Where it happens: a bridge with three nodes, a client, and an asker; a contestant announces addresses on the nodes.

node-1 192.0.2.11 ─┐
node-2 192.0.2.12 ─┤                ┌─ client 192.0.2.100   talks to the addresses by its kernel
node-3 192.0.2.13 ─┴─ lan (bridge) ─┴─ asker  192.0.2.101   asks who has them, by raw frames
                          └ 2001:db8:50::/64 likewise
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from herald.lab import namespace, process
from herald.lab.failover.switch import Switch
from herald.lab.failover.tally import ASK_EVERY
from herald.lab.failover.watching import Sight, Watching
from herald.lab.launch import Launch
from herald.lab.place import Place
from herald.lab.process import PROMPT, Process
from herald.lab.topology import Host, Topology, interface

SEGMENT: Final = "lan"
NODES: Final = {f"node-{number}": (f"192.0.2.1{number}", f"2001:db8:50::1{number}") for number in (1, 2, 3)}
ADDRESSES: Final = ("192.0.2.200", "2001:db8:50::200")
PORT: Final = 7000
TOPOLOGY: Final = Topology(
    segments=(SEGMENT,),
    hosts=(
        *(Host(node, (interface("eth0", f"{v4}/24", f"{v6}/64", on=SEGMENT),)) for node, (v4, v6) in NODES.items()),
        Host("client", (interface("eth0", "192.0.2.100/24", "2001:db8:50::100/64", on=SEGMENT),)),
        Host("asker", (interface("eth0", "192.0.2.101/24", "2001:db8:50::101/64", on=SEGMENT),)),
    ),
)
PATIENCE_S: Final = 30.0


class NeverSettledError(Exception):
    """What was waited for did not come."""


class Contestant(Protocol):
    """What announces the addresses. `home`: the node that owns them when all is well, if that is known beforehand."""

    name: str
    home: str | None

    async def prepare(self, stand: "Stand") -> None:
        """Once, before anything of it runs."""
        ...

    def start(self, stand: "Stand", node: str) -> Process:
        """Start it on a node."""
        ...

    async def knows_all(self, stand: "Stand") -> bool:
        """Whether everybody who runs knows of all others."""
        ...


@dataclass(slots=True)
class Stand:
    """All of it. `running`: the contestant's process on each node."""

    place: Place
    contestant: Contestant
    switch: Switch
    addresses: tuple[str, ...] = ADDRESSES
    ask_every: int = ASK_EVERY
    running: dict[str, Process] = field(default_factory=dict)
    macs: dict[str, str] = field(default_factory=dict)
    _watching: Watching | None = None

    @property
    def watching(self) -> Watching:
        """Whoever asks."""
        assert self._watching is not None
        return self._watching

    async def begin(self) -> None:
        """Start everything, and wait until the addresses are answered for and all know each other."""
        for node in NODES:
            await self.learn_mac(node)
        await self.switch.begin()
        await self.contestant.prepare(self)
        for node in NODES:
            self.start_echo(node)
            self.start(node)
        self._watching = await Watching.start(self.place, "client", "asker", PORT, self.addresses, self.ask_every)

    async def restart(self, node: str) -> None:
        """End the contestant on a node in good order and start it anew."""
        await self.running[node].stop(10.0)
        self.start(node)

    async def learn_mac(self, node: str) -> None:
        """Which MAC the node has now."""
        argv = ["ip", "-j", "link", "show", "eth0"]
        shown = await process.must(argv, namespace=self.place.namespace(node))
        self.macs[node] = str(json.loads(shown.stdout)[0]["address"]).lower()

    def start(self, node: str) -> None:
        """Start the contestant on a node."""
        self.running[node] = self.contestant.start(self, node)
        self.place.record_process(self.running[node].name, self.running[node].pid)

    def start_echo(self, node: str) -> None:
        """Start the application on a node."""
        words = ("-m", "herald.lab.failover.echo", "--name", node, "--port", str(PORT), *self.addresses[:2])
        Launch(f"echo-{node}", (*PROMPT, sys.executable, *words), node).start(self.place)

    def owner(self, sight: Sight) -> str | None:
        """The node that answers for everything, by both ways of asking; None if there is no such."""
        nodes = {who for seen in sight.talks.values() for who in (seen.who or ("",))}
        macs = {who for seen in sight.asks.values() for who in (seen.who or ("",))}
        if len(nodes) != 1 or len(macs) != 1:
            return None
        (node,), (mac,) = nodes, macs
        return node if self.macs.get(node) == mac else None

    async def settled(self, home: str | None = None, patience_s: float = PATIENCE_S) -> str:
        """Wait until one node (`home`, if given) answers for everything and all know each other; gives the node."""
        home = home or self.contestant.home

        async def so() -> str | None:
            owner = self.owner(await self.watching.read())
            if owner is None or home not in (None, owner):
                return None
            return owner if await self.contestant.knows_all(self) else None

        return await self.until(so, f"{home or 'one node'} answers for everything", patience_s)

    async def until(self, seen: Callable[[], Awaitable[str | None]], what: str, patience_s: float = PATIENCE_S) -> str:
        """Wait until `seen` gives something. NeverSettledError when the time is up."""
        deadline = time.monotonic() + patience_s
        while (found := await seen()) is None:
            if time.monotonic() > deadline:
                sight = await self.watching.read()
                raise NeverSettledError(f"{self.contestant.name}: not within {patience_s:g} s: {what}; seen {sight}")
            await asyncio.sleep(0.02)
        return found

    async def processes(self, node: str) -> list[int]:
        """All processes on a node."""
        shown = await process.must(["ip", "netns", "pids", self.place.namespace(node)])
        return [int(word) for word in shown.stdout.split()]

    async def signal_all(self, node: str, number: signal.Signals) -> None:
        """Send a signal to every process on a node."""
        for pid in await self.processes(node):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    async def on_every_node(self, *argv: str) -> None:
        """Run a command on each node."""
        await asyncio.gather(*(process.must(argv, namespace=self.place.namespace(node)) for node in NODES))

    def last_words(self, lines: int = 5) -> str:
        """The ends of the logs, for an error message."""
        logs: Mapping[str, Path] = {path.stem: path for path in sorted(self.place.logs.glob("*.log"))}
        ends = {name: path.read_text(errors="replace").splitlines()[-lines:] for name, path in logs.items()}
        return "\n".join(f"{name}: {line}" for name, end in ends.items() for line in end)


@asynccontextmanager
async def standing(
    contestant: Contestant, name: str, addresses: tuple[str, ...] = ADDRESSES, ask_every: int = ASK_EVERY
) -> AsyncIterator[Stand]:
    """A stand whose namespaces have a prefix of `name`. It is removed at the end, whatever happens."""
    place = Place(name)
    place.take("failover", keep=False)
    try:
        await namespace.build(TOPOLOGY, place)
        stand = Stand(place, contestant, Switch(place.namespace(SEGMENT), tuple(NODES)), addresses, ask_every)
        try:
            await stand.begin()
            yield stand
        except NeverSettledError as error:
            raise NeverSettledError(f"{error}\n{stand.last_words()}") from error
        finally:
            for node in NODES:  # what is stopped cannot be ended politely
                await stand.signal_all(node, signal.SIGCONT)
            if stand._watching is not None:
                await stand.watching.close()
    finally:
        await place.clear()
