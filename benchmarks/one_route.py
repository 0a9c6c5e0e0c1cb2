"""From a wish to bytes: one more route on a session that carries 10,000, by Herald, ExaBGP, GoBGP and BIRD.

The clock runs from the moment somebody begins to say the wish to the kernel's time stamp of the segment in which the
UPDATE leaves. Each is told in the quickest way it has: Herald's engine process by a message of its control, ExaBGP by a
line to its API, GoBGP and BIRD by their command-line clients, whose start counts; BIRD reads its whole configuration.
"""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, ip_address
from pathlib import Path
from typing import IO

from benchmarks.bgp_speakers import ROUTER_ASN, SPEAKER, SPEAKER_ASN, prefixes
from benchmarks.bgp_tables import received
from benchmarks.figure import Figure, percentile
from benchmarks.population import FIRST_ADDRESS
from benchmarks.wiretap import Wiretap
from herald.bgp.parameters import PeerParameters
from herald.bgp.route import Route
from herald.engine.link import Apply, Channel, Downward, PeerRoutes, Ready, Upward, connect
from herald.lab import process
from herald.lab.daemons.frr import Frr
from herald.lab.daemons.router import Neighbor, Router
from herald.lab.namespace import build
from herald.lab.place import Place
from herald.lab.process import Process
from herald.lab.topology import Host, Topology, Wire, interface

COUNT = 10_000
WISHES = 200
ROUTER = "10.50.1.1"
WITHIN_S = 60.0
KEEPALIVE_OCTETS = 19
TOPOLOGY = Topology(
    segments=(),
    hosts=(
        Host("speaker", (interface("eth0", f"{SPEAKER}/16"),)),
        Host("router", (interface("eth0", f"{ROUTER}/16"),)),
    ),
    wires=(Wire(("speaker", "eth0"), ("router", "eth0")),),
)


def _extra(number: int) -> str:
    return f"{IPv4Address(FIRST_ADDRESS + 1_000_000 + number)}/32"


@dataclass
class Told(ABC):
    """A speaker with its table that can be told of one more route."""

    place: Place
    processes: list[Process] = field(default_factory=list)
    wishes = WISHES

    @abstractmethod
    async def start(self) -> None:
        """Run, with the session and the table."""

    @abstractmethod
    async def wish(self, number: int) -> float:
        """Ask for the route `_extra(number)`; gives the time of day when that began."""

    async def stop(self) -> None:
        for one in self.processes:
            await one.stop()

    def _run(self, name: str, argv: list[str]) -> None:
        inside = self.place.namespace("speaker")
        started = Process.start(name, argv, log=self.place.log(name), namespace=inside, cwd=Path.cwd())
        self.place.record_process(name, started.pid)
        self.processes.append(started)


class Herald(Told):
    """The engine, and this process as its control."""

    async def start(self) -> None:
        path = self.place.directory / "link"
        self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listening.bind(str(path))
        self._listening.listen(1)
        number = self._listening.fileno()
        words = ["ip", "netns", "exec", self.place.namespace("speaker"), sys.executable, "-m", "herald.engine"]
        words += ["--node-name", "speaker", "--link-fd", str(number), "--show-socket", str(path.with_name("show"))]
        with self.place.log("engine").open("ab") as log:
            self._engine = await asyncio.to_thread(
                subprocess.Popen, words, pass_fds=[number], stdout=log, stderr=log, start_new_session=True
            )
        self.place.record_process("engine", self._engine.pid)
        self._channel: Channel[Downward, Upward] = await connect(path)
        assert isinstance(await self._channel.receive(), Ready)
        self._facts = asyncio.create_task(self._listen())
        peer = PeerParameters("router", ip_address(ROUTER), SPEAKER_ASN, ROUTER_ASN)
        table = tuple(Route(IPv4Network(prefix)) for prefix in prefixes(COUNT))
        await self._channel.send(Apply(reset=True, peers=(peer,), routes=(PeerRoutes("router", table, replace=True),)))

    async def _listen(self) -> None:
        while await self._channel.receive() is not None:
            pass

    async def wish(self, number: int) -> float:
        began = time.time()
        await self._channel.send(Apply(routes=(PeerRoutes("router", (Route(IPv4Network(_extra(number))),)),)))
        return began

    async def stop(self) -> None:
        self._facts.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._facts
        self._channel.close()
        self._engine.terminate()
        await asyncio.to_thread(self._engine.wait, 10)
        self._listening.close()


class ExaBgp(Told):
    """Its API reads lines from a pipe."""

    _pipe: IO[str]

    async def start(self) -> None:
        pipe, script = self.place.directory / "exabgp.in", self.place.directory / "exabgp.sh"
        os.mkfifo(pipe)
        script.write_text(f"#!/bin/sh\nexec cat {pipe}\n")
        script.chmod(0o755)
        routes = "\n".join(f"route {prefix} next-hop {SPEAKER};" for prefix in prefixes(COUNT))
        config = self.place.directory / "exabgp.conf"
        config.write_text(
            f"process wishes {{ run {script}; encoder text; }}\n"
            f"neighbor {ROUTER} {{ router-id {SPEAKER}; local-address {SPEAKER}; local-as {SPEAKER_ASN};\n"
            f"peer-as {ROUTER_ASN}; api {{ processes [ wishes ]; }} static {{\n{routes}\n}} }}\n"
        )
        options = ["exabgp.daemon.user=root", "exabgp.api.cli=false", "exabgp.api.ack=false"]
        self._run("exabgp", ["env", *options, "exabgp.log.level=WARNING", "exabgp", str(config)])
        self._pipe = await asyncio.to_thread(pipe.open, "w")

    async def wish(self, number: int) -> float:
        began = time.time()
        self._pipe.write(f"announce route {_extra(number)} next-hop {SPEAKER}\n")
        self._pipe.flush()
        return began

    async def stop(self) -> None:
        await super().stop()
        with contextlib.suppress(BrokenPipeError):
            self._pipe.close()


class GoBgp(Told):
    """`gobgp global rib add`."""

    wishes = 50

    async def start(self) -> None:
        config = self.place.directory / "gobgp.toml"
        config.write_text(
            f'[global.config]\n  as = {SPEAKER_ASN}\n  router-id = "{SPEAKER}"\n'
            f'[[neighbors]]\n  [neighbors.config]\n    neighbor-address = "{ROUTER}"\n    peer-as = {ROUTER_ASN}\n'
            f'[[neighbors]]\n  [neighbors.config]\n    neighbor-address = "{SPEAKER}"\n    peer-as = 64999\n'
            "  [neighbors.transport.config]\n    passive-mode = true\n"
        )
        self._run("gobgpd", ["gobgpd", "-f", str(config), "--log-plain", "--pprof-disable"])
        feed = [sys.executable, "-m", "benchmarks.table_feed", str(COUNT), "64999", str(SPEAKER_ASN), SPEAKER]
        self._run("gobgp-feed", feed)

    async def wish(self, number: int) -> float:
        began = time.time()
        await process.must(["gobgp", "global", "rib", "add", _extra(number)], namespace=self.place.namespace("speaker"))
        return began


class Bird(Told):
    """One more line in its configuration, and `birdc configure`."""

    wishes = 50

    async def start(self) -> None:
        self._routes = [f"route {prefix} blackhole;" for prefix in prefixes(COUNT)]
        self._write()
        self._run("bird", ["bird", "-f", "-c", str(self._config), "-s", str(self._socket)])

    async def wish(self, number: int) -> float:
        self._routes.append(f"route {_extra(number)} blackhole;")
        self._write()
        began = time.time()
        await process.must(["birdc", "-s", str(self._socket), "configure"])
        return began

    def _write(self) -> None:
        self._config.write_text(
            f"router id {SPEAKER};\nprotocol device {{}}\nprotocol static {{ ipv4;\n"
            + "\n".join(self._routes)
            + "\n}\n"
            f"protocol bgp r {{ local {SPEAKER} as {SPEAKER_ASN}; neighbor {ROUTER} as {ROUTER_ASN};\n"
            "  connect delay time 0; connect retry time 1; error wait time 1, 1;\n"
            "  ipv4 { import none; next hop self; export where source = RTS_STATIC; }; }\n"
        )

    @property
    def _config(self) -> Path:
        return self.place.directory / "bird.conf"

    @property
    def _socket(self) -> Path:
        return self.place.directory / "bird.ctl"


async def _until_loaded(frr: Frr) -> None:
    async with asyncio.timeout(WITHIN_S):
        while await received(frr) != COUNT:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.2)


async def _times(told: Told, tap: Wiretap) -> list[float]:
    """Milliseconds from each wish to its UPDATE."""
    found = []
    for number in range(told.wishes):
        await asyncio.sleep(0.02)
        heard = len(tap.heard)
        began = await told.wish(number)
        async with asyncio.timeout(WITHIN_S):
            while not (new := [one for one in tap.heard[heard:] if one.octets > KEEPALIVE_OCTETS]):  # noqa: ASYNC110
                await asyncio.sleep(0.0005)
        found.append((new[0].at - began) * 1000)
    return found


@contextlib.asynccontextmanager
async def _running(kind: type[Told]) -> AsyncIterator[tuple[Told, Wiretap]]:
    place = Place(f"o{os.getpid() % 100_000}")
    place.take("benchmark", keep=False)
    try:
        await build(TOPOLOGY, place)
        frr = await Frr.start(Router("router", ROUTER_ASN, ROUTER, (Neighbor(SPEAKER, SPEAKER_ASN),)), place)
        told = kind(place)
        await told.start()
        await _until_loaded(frr)
        await asyncio.sleep(1)
        tap = Wiretap(place.namespace("speaker"), "eth0", SPEAKER)
        try:
            yield told, tap
        finally:
            tap.close()
            await told.stop()
    finally:
        await place.clear()


async def _measure() -> list[Figure]:
    figures: list[Figure] = []
    ours: float | None = None
    for kind in (Herald, ExaBgp, GoBgp, Bird):
        async with _running(kind) as (told, tap):
            times = await _times(told, tap)
        middle = percentile(times, 50)
        note = f"p50 {middle:.2f} ms, worst {max(times):.1f} ms of {len(times)}"
        if ours is not None:
            note += f"; Herald takes ×{ours / middle:.3f} of the p50"
        ours = ours or middle
        what = f"wish → UPDATE of one route beside {COUNT:,}: {kind.__name__}, p99"
        figures.append(Figure(what, percentile(times, 99), "ms", None, (), note))
    return figures


def measure() -> list[Figure]:
    return asyncio.run(_measure())
