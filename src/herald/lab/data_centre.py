"""A lab that runs: the topology built, routers and web servers started, a platform, and Herald itself.

Herald is started as a user starts it, by its command line, one speaker in each node's namespace and one controller
beside them. Everything started here is in the journal of its place, which is how it is removed again.
"""

import asyncio
import json
import signal
import sys
import time
from dataclasses import dataclass, field

from herald.lab import namespace, process
from herald.lab.blueprint import Blueprint
from herald.lab.daemons.bird import Bird
from herald.lab.daemons.frr import Frr
from herald.lab.folder_platform import FolderPlatform
from herald.lab.launch import Launch
from herald.lab.place import Place
from herald.lab.platform import HERALD, Platform
from herald.lab.process import Process
from herald.lab.proof import Command

WEB_PORTS = (80, 8080, 8443)
"""Every port that a how-to's service sends its traffic to."""

HERALD_READY_WITHIN = 30.0
"""Seconds within which every speaker answers on its socket."""

EVIDENCE_LINES = 6
"""Log lines per process shown with a claim that does not hold."""


@dataclass(slots=True)
class DataCentre:
    """A running data centre."""

    place: Place
    blueprint: Blueprint
    platform: Platform
    frr: dict[str, Frr] = field(default_factory=dict)
    bird: dict[str, Bird] = field(default_factory=dict)
    speakers: dict[str, Process] = field(default_factory=dict)
    node_by_mac: dict[str, str] = field(default_factory=dict)

    @classmethod
    async def build(cls, blueprint: Blueprint, place: Place, platform: type[Platform] = FolderPlatform) -> "DataCentre":
        """Wire, start and wait until routers answer. The place must be taken; what was made stays in its journal.

        The blueprint must be one that `platform` has `adapted`.
        """
        self = cls(place, blueprint, platform.of(blueprint, place))
        await namespace.build(blueprint.topology, place)
        self.node_by_mac = {await self._mac(node): node for node in blueprint.nodes}
        for node in blueprint.nodes:
            self.start_web(node)
        _, routers, birds = await asyncio.gather(
            self.platform.begin(),
            asyncio.gather(*(Frr.start(router, place) for router in blueprint.frr)),
            asyncio.gather(*(Bird.start(router, place) for router in blueprint.bird)),
        )
        self.frr = {router.router.name: router for router in routers}
        self.bird = {router.router.name: router for router in birds}
        return self

    def start_web(self, node: str) -> None:
        """Start the application on a node."""
        ports = [word for port in WEB_PORTS for word in ("--port", str(port))]
        argv = (*process.PROMPT, sys.executable, "-m", "herald.lab.web", "--name", node, *ports)
        Launch(f"web-{node}", argv, node).start(self.place)

    async def start_herald(self) -> None:
        """Start the controller and a speaker on every node; RuntimeError when one ends at once or never answers."""
        controller = (await self.platform.controller()).start(self.place)
        try:
            for node in self.blueprint.nodes:
                await self.start_speaker(node)
        except TimeoutError as error:
            raise _not_started(controller) from error
        deadline = time.monotonic() + HERALD_READY_WITHIN
        while not all(self.place.show_socket(node).is_socket() for node in self.blueprint.nodes):
            for one in (controller, *self.speakers.values()):
                if not one.running() or time.monotonic() > deadline:
                    raise _not_started(one)
            await asyncio.sleep(0.01)

    async def start_speaker(self, node: str) -> None:
        """Start the speaker of one node."""
        self.speakers[node] = (await self.platform.speaker(node)).start(self.place)

    async def stop_speaker(self, node: str) -> None:
        """SIGTERM: the speaker hands over what it holds and leaves."""
        self.speakers[node].send(signal.SIGTERM)

    async def power_off(self, node: str) -> None:
        """The node is gone without a word: no carrier, no speaker. Its namespace stays."""
        await namespace.unplug(self.place, self.blueprint.segment, node)
        await self.speakers[node].crash()
        await self.platform.node_lost(node)

    async def destroy(self, node: str) -> None:
        """The node is gone for good: no carrier, and every process on it dead. Its namespace stays."""
        await namespace.unplug(self.place, self.blueprint.segment, node)
        inside = await process.run(["ip", "netns", "pids", self.place.namespace(node)])
        for pid in map(int, inside.stdout.split()):
            process.kill(pid)
        await self.platform.node_lost(node)

    async def plug(self, node: str) -> None:
        """The node's cable is back; its speaker still has to be started."""
        await namespace.plug(self.place, self.blueprint.segment, node)
        await self.platform.node_back(node)

    def on(self, host: str, *argv: str, shown: str = "") -> Command:
        """A command on a host, shown as `host$ command`."""
        return Command(argv, f"{host}$ {shown or ' '.join(argv)}", self.place.namespace(host))

    def vtysh(self, router: str, question: str) -> Command:
        """A question to an FRR router, shown as `router# question`."""
        return Command(tuple(self.frr[router].asking(question)), f"{router}# {question.removesuffix(' json')}")

    def birdc(self, router: str, question: str) -> Command:
        """A question to a BIRD router, shown as `router> question`."""
        return Command(tuple(self.bird[router].asking(question)), f"{router}> {question}")

    def herald(self, *words: str, shown: str = "") -> Command:
        """A herald command on the lab's own machine."""
        return Command((*HERALD, *words), f"herald {shown or ' '.join(words)}", patience=30.0)

    def show(self, node: str, *words: str) -> Command:
        """`herald show` against the speaker of a node, as JSON."""
        argv = (*HERALD, "show", *words, "--socket", str(self.place.show_socket(node)), "-o", "json")
        return Command(argv, f"{node}$ herald show {' '.join(words)}")

    def showing(self, node: str, words: str) -> str:
        """`herald show` against the speaker of a node, for people to type."""
        return f"herald show {words} --socket {self.place.show_socket(node)}"

    def evidence(self) -> list[str]:
        """The last lines of Herald's logs, oldest first in each."""
        lines = []
        for log in sorted([*self.place.logs.glob("speaker-*.log"), *self.place.logs.glob("controller*.log")]):
            last = log.read_text(errors="replace").splitlines()[-EVIDENCE_LINES:]
            lines += [f"{log.stem}  {readable(line)}" for line in last]
        return lines

    async def _mac(self, node: str) -> str:
        argv = ["ip", "-j", "link", "show", "eth0"]
        result = await process.must(argv, namespace=self.place.namespace(node))
        return str(json.loads(result.stdout)[0]["address"]).lower()


def _not_started(one: Process) -> RuntimeError:
    last = "\n".join(one.log.read_text(errors="replace").splitlines()[-EVIDENCE_LINES:])
    return RuntimeError(f"{one.name} did not start; the end of {one.log}:\n{last}")


def readable(line: str) -> str:
    """A line of Herald's log for people: time of day, level, message. Any other line stays as it is."""
    try:
        entry = json.loads(line)
        return f"{entry['ts'][11:23]}  {entry['level']:<5}  {entry['msg']}"
    except (ValueError, LookupError, TypeError):
        return line
