"""Four BGP speakers with the same routes for the same routers: Herald's engine, BIRD, GoBGP and ExaBGP.

Each is started with its table and without sessions (`start`), and lets the sessions begin when it is told to (`go`), so
that reading a configuration is no part of what is measured. ExaBGP cannot wait: its processor time has that in it.
"""

import asyncio
import os
import signal
import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path

from benchmarks.population import FIRST_ADDRESS
from herald.lab import process
from herald.lab.place import Place
from herald.lab.process import Process

SPEAKER = "10.50.0.2"
SPEAKER_ASN, ROUTER_ASN = 64500, 64501
LOADED_WITHIN_S = 120.0


def prefixes(count: int) -> list[str]:
    """The routes that everybody sends."""
    return [f"{IPv4Address(FIRST_ADDRESS + number)}/32" for number in range(count)]


@dataclass(slots=True)
class Contestant(ABC):
    """One speaker on the host `speaker`, with `count` routes for `routers`."""

    place: Place
    count: int
    routers: Sequence[str]
    processes: list[Process] = field(default_factory=list)

    @abstractmethod
    async def start(self) -> None:
        """Run, with all routes and no session."""

    @abstractmethod
    async def go(self) -> None:
        """Begin the sessions."""

    @property
    def sender(self) -> int | None:
        """The process that sends the routes, once it runs; its children belong to it."""
        return self.processes[0].pid if self.processes else None

    async def stop(self) -> None:
        for one in self.processes:
            await one.stop()

    def _run(self, name: str, argv: Sequence[str]) -> Process:
        started = Process.start(
            name, argv, log=self.place.log(name), namespace=self.place.namespace("speaker"), cwd=Path.cwd()
        )
        self.place.record_process(name, started.pid)
        self.processes.append(started)
        return started

    def _file(self, name: str, text: str) -> Path:
        path = self.place.directory / name
        path.write_text(text)
        return path

    async def _until(self, seen: "process.Result | None", words: str, argv: Sequence[str]) -> None:
        """Ask until the answer has the words."""
        async with asyncio.timeout(LOADED_WITHIN_S):
            while seen is None or words not in seen.stdout:
                await asyncio.sleep(0.05)
                seen = await process.run(argv, namespace=self.place.namespace("speaker"))


class Herald(Contestant):
    """Sessions as in the engine, in one loop."""

    async def start(self) -> None:
        argv = [sys.executable, "-m", "benchmarks.table_feed", "--wait", str(self.count)]
        name = f"herald-{self.count}-{len(self.routers)}"
        self._run(name, [*argv, str(SPEAKER_ASN), str(ROUTER_ASN), *self.routers])
        async with asyncio.timeout(LOADED_WITHIN_S):
            while "loaded" not in self.place.log(name).read_text():  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.05)

    async def go(self) -> None:
        os.kill(self.processes[0].pid, signal.SIGUSR1)


class Bird(Contestant):
    """A static protocol, and a session disabled until then for each router."""

    @property
    def _socket(self) -> Path:
        return self.place.directory / "bird.ctl"

    async def start(self) -> None:
        routes = "\n".join(f"  route {prefix} blackhole;" for prefix in prefixes(self.count))
        export = f"if source != RTS_STATIC then reject; bgp_community.add(({SPEAKER_ASN}, 100)); accept;"
        sessions = "".join(
            f"protocol bgp r{number} {{ disabled; local {SPEAKER} as {SPEAKER_ASN};\n"
            f"  neighbor {router} as {ROUTER_ASN}; connect delay time 0;\n"
            f"  ipv4 {{ import none; next hop self; export filter {{ {export} }}; }}; }}\n"
            for number, router in enumerate(self.routers)
        )
        text = f"router id {SPEAKER};\nprotocol device {{}}\nprotocol static {{ ipv4;\n{routes}\n}}\n{sessions}"
        config = self._file("bird.conf", text)
        self._run("bird", ["bird", "-f", "-c", str(config), "-s", str(self._socket)])
        await self._until(None, f"{self.count} of {self.count} routes", self._birdc("show", "route", "count"))

    async def go(self) -> None:
        await process.must(self._birdc("enable", '"r*"'))

    def _birdc(self, *words: str) -> list[str]:
        return ["birdc", "-s", str(self._socket), *words]


class GoBgp(Contestant):
    """Its table is filled by another speaker, since it has no quick way to read one; then the routers are added."""

    async def start(self) -> None:
        config = self._file(
            "gobgp.toml",
            f'[global.config]\n  as = {SPEAKER_ASN}\n  router-id = "{SPEAKER}"\n'
            f'[[neighbors]]\n  [neighbors.config]\n    neighbor-address = "{SPEAKER}"\n    peer-as = 64999\n'
            "  [neighbors.transport.config]\n    passive-mode = true\n",
        )
        self._run("gobgpd", ["gobgpd", "-f", str(config), "--log-plain", "--pprof-disable"])
        feed = [sys.executable, "-m", "benchmarks.table_feed", str(self.count), "64999", str(SPEAKER_ASN), SPEAKER]
        self._run("gobgp-feed", feed)
        await self._until(None, f"Path: {self.count}\n", ["gobgp", "global", "rib", "summary"])

    async def go(self) -> None:
        words = "; ".join(f"gobgp neighbor add {router} as {ROUTER_ASN}" for router in self.routers)
        await process.must(["sh", "-c", words], namespace=self.place.namespace("speaker"))


class ExaBgp(Contestant):
    """All routes stand in its configuration, once; it connects when it has read it."""

    async def start(self) -> None:
        routes = "\n".join(
            f"      route {prefix} next-hop {SPEAKER} community [{SPEAKER_ASN}:100];" for prefix in prefixes(self.count)
        )
        neighbors = "".join(
            f"neighbor {router} {{ inherit everybody; router-id {SPEAKER}; local-address {SPEAKER}; "
            f"local-as {SPEAKER_ASN}; peer-as {ROUTER_ASN}; }}\n"
            for router in self.routers
        )
        text = f"template {{ neighbor everybody {{\n    static {{\n{routes}\n    }}\n}} }}\n{neighbors}"
        self._config = self._file("exabgp.conf", text)

    async def go(self) -> None:
        options = ["exabgp.daemon.user=root", "exabgp.api.cli=false", "exabgp.log.level=WARNING"]
        self._run("exabgp", ["env", *options, "exabgp", str(self._config)])
