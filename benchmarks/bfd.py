"""BFD: how late a dead peer is noticed, beside FRR; what a hundred sessions cost; false alarms under load.

The peer is FRR's bfdd in every case. It is stopped with SIGSTOP, so that it falls silent between two packets, and a
packet socket beside whoever watches sees the last packet that came and the first that says Down, both with the kernel's
own time. What lies between them is the detection time as agreed, and the lateness of whoever watches.
"""

import asyncio
import contextlib
import json
import os
import random
import signal
import socket
import struct
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.figure import Figure, percentile
from benchmarks.footprint import members
from benchmarks.population import manifests
from benchmarks.speaker import rewrite
from benchmarks.wiretap import socket_inside
from herald.bfd.control_packet import PacketError, State, decode
from herald.lab import process
from herald.lab.daemons.frr import Frr
from herald.lab.daemons.router import Bfd, Neighbor, Router
from herald.lab.namespace import build
from herald.lab.place import Place
from herald.lab.process import Process
from herald.lab.topology import Host, Topology, Wire, interface

ROUNDS = 12
INTERVALS_MS = (10, 50, 300)
SESSIONS = 100
CPU_SECONDS = 20.0
SETTLING_SECONDS = 5.0
"""FRR replaces its BFD session when BGP comes up."""
LOAD_SECONDS = 60.0
SERVICES = 1_000
Load = Callable[[Place, int], Coroutine[Any, Any, None]]
_OUTGOING = 4

WATCHER, PEER = "10.50.0.10", "10.50.0.1"
TOPOLOGY = Topology(
    segments=(),
    hosts=(
        Host("node-0", (interface("eth0", f"{WATCHER}/24"),)),
        Host("router", (interface("eth0", f"{PEER}/24"),)),
    ),
    wires=(Wire(("node-0", "eth0"), ("router", "eth0")),),
)


@dataclass(frozen=True, slots=True)
class Loss:
    """One time that the peer fell silent: seconds from then, and from its last packet, until it was called dead."""

    since_silence: float
    since_packet: float


class Sight:
    """Sees the control packets that come in and go out at the watcher."""

    def __init__(self, namespace: str) -> None:
        self._socket = socket_inside(namespace, "eth0")
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self._socket.settimeout(30)
        self.last_in = 0.0
        self.is_up = False

    def packets(self) -> Iterator[tuple[float, bool, Any]]:
        """(time of day, whether it went out, packet), for ever. Raises TimeoutError when nothing is seen for long."""
        while True:
            data, ancillary, _, address = self._socket.recvmsg(2048, 256)
            if len(data) < 52 or data[9] != socket.IPPROTO_UDP or data[22:24] != struct.pack("!H", 3784):
                continue
            seconds, nanoseconds = struct.unpack("qq", ancillary[0][2])
            at, is_out = seconds + nanoseconds / 1e9, address[2] == _OUTGOING
            if not is_out:
                self.last_in = at
            with contextlib.suppress(PacketError):
                packet = decode(data[28:])
                if is_out:
                    self.is_up = packet.state is State.UP
                yield at, is_out, packet

    def close(self) -> None:
        self._socket.close()


def lose(sight: Sight, bfdd: int, interval_ms: int, rounds: int = ROUNDS) -> list[Loss]:
    """Silence the peer so often, each time at a random moment between two packets."""
    losses: list[Loss] = []
    _watch_for(sight, SETTLING_SECONDS)
    while len(losses) < rounds:
        _wait_up(sight, interval_ms)
        _watch_for(sight, random.uniform(0.5, 1.0))
        if not sight.is_up:  # it went down by itself meanwhile
            continue
        os.kill(bfdd, signal.SIGSTOP)
        silent = time.time()
        try:
            for at, is_out, packet in sight.packets():
                if is_out and packet.state is State.DOWN and at > silent:
                    losses.append(Loss(at - silent, at - sight.last_in))
                    break
        finally:
            os.kill(bfdd, signal.SIGCONT)
    return losses


def gaps(sight: Sight, seconds: float) -> dict[bool, list[float]]:
    """The pauses between packets that go out (True) and that come in (False)."""
    last: dict[bool, float] = {}
    found: dict[bool, list[float]] = {True: [], False: []}
    end = time.time() + seconds
    for at, is_out, _ in sight.packets():
        if is_out in last:
            found[is_out].append(at - last[is_out])
        last[is_out] = at
        if at > end:
            break
    return found


def _wait_up(sight: Sight, interval_ms: int) -> None:
    """Until both are up, with the intervals in force."""
    settled, began = {True: False, False: False}, time.time()
    for at, is_out, packet in sight.packets():
        settled[is_out] = at > began and (
            packet.state is State.UP and not packet.poll and packet.desired_min_tx_us == interval_ms * 1000
        )
        if all(settled.values()):
            return


def _watch_for(sight: Sight, seconds: float) -> None:
    end = time.time() + seconds
    for at, _, _ in sight.packets():
        if at > end:
            return


def _peers(count: int, interval_ms: int) -> str:
    """Manifests: BGPPeers that BFD watches over. A single one is at PEER; of many, each has a pair of addresses."""
    profile = f"{{receiveInterval: {interval_ms}, transmitInterval: {interval_ms}, detectMultiplier: 3}}"
    head = "apiVersion: metallb.io/v1beta1\nkind: BFDProfile\nmetadata: {name: fast, namespace: metallb-system}\n"
    documents = [f"{head}spec: {profile}\n"]
    for number in range(count):
        ends = f"peerAddress: {PEER}"
        if count > 1:
            ends = f"peerAddress: 10.51.0.{number + 1}, sourceAddress: 10.52.0.{number + 1}"
        documents.append(
            "apiVersion: metallb.io/v1beta2\nkind: BGPPeer\n"
            f"metadata: {{name: peer-{number}, namespace: metallb-system}}\n"
            f"spec: {{myASN: 64500, peerASN: 64501, {ends}, bfdProfile: fast}}\n"
        )
    return "---\n".join(documents)


@contextlib.asynccontextmanager
async def speaking(files: dict[str, str], neighbors: tuple[Neighbor, ...]) -> AsyncIterator[tuple[Place, Process]]:
    """A speaker on node-0 and FRR on the router, with these neighbours."""
    async with _place() as place:
        await _add_pairs(place, neighbors)
        for name, text in files.items():
            (place.config / name).write_text(text)
        await Frr.start(Router("router", 64501, PEER, neighbors), place)
        argv = [sys.executable, "-m", "herald.cli.main", "speaker", "--config", str(place.config)]
        argv += ["--node-name", "node-0", "--show-socket", str(place.directory / "show.sock"), "--log-level", "warn"]
        speaker = Process.start("speaker", argv, log=place.log("speaker"), namespace=place.namespace("node-0"))
        place.record_process("speaker", speaker.pid)
        yield place, speaker
        await speaker.stop()


@contextlib.asynccontextmanager
async def _place() -> AsyncIterator[Place]:
    place = Place(f"b{os.getpid() % 100_000}")
    place.take("benchmark", keep=False)
    try:
        await build(TOPOLOGY, place)
        yield place
    finally:
        await place.clear()


async def _add_pairs(place: Place, neighbors: tuple[Neighbor, ...]) -> None:
    """Each neighbour beyond the first has an address of its own on the node, and one at the router to talk to."""
    pairs = [(one.address, one.source) for one in neighbors if one.source is not None]
    for host, position in (("node-0", 0), ("router", 1)):
        lines = [f"address add {pair[position]}/16 dev eth0" for pair in pairs]
        lines += [f"route add 10.5{1 + position}.0.0/16 dev eth0"] if pairs else []
        await process.must(["ip", "-n", place.namespace(host), "-batch", "-"], text="\n".join(lines) + "\n")


def _bfdd(place: Place, router: str = "router") -> int:
    return int((place.directory / router / "bfdd.pid").read_text())


async def _herald(interval_ms: int) -> list[Loss]:
    neighbors = (Neighbor(WATCHER, 64500, bfd=Bfd(interval_ms)),)
    files = dict(manifests(0, 1)) | {"config.yaml": _peers(1, interval_ms)}
    async with speaking(files, neighbors) as (place, _):
        sight = Sight(place.namespace("node-0"))
        try:
            return await asyncio.to_thread(lose, sight, _bfdd(place), interval_ms)
        finally:
            sight.close()


async def _frr(interval_ms: int) -> list[Loss]:
    """The same with FRR as the watcher."""
    async with _place() as place:
        for name, own, other, asn, passive in (
            ("router", PEER, WATCHER, 64501, True),
            ("node-0", WATCHER, PEER, 64500, False),
        ):
            neighbor = Neighbor(other, 129001 - asn, passive=passive, bfd=Bfd(interval_ms))
            await Frr.start(Router(name, asn, own, (neighbor,)), place)
        sight = Sight(place.namespace("node-0"))
        try:
            return await asyncio.to_thread(lose, sight, _bfdd(place), interval_ms)
        finally:
            sight.close()


async def _ask(place: Place) -> Any:
    reader, writer = await asyncio.open_unix_connection(place.directory / "show.sock", limit=1 << 24)
    writer.write(b'{"show": "bfd"}\n')
    answer = json.loads(await reader.readline())["data"]["sessions"]
    writer.close()
    return answer


async def _all_up(place: Place, count: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        with contextlib.suppress(OSError, ValueError):
            sessions = await _ask(place)
            if sum(one["state"] == "Up" and not one["polling"] for one in sessions) == count:
                return
        if time.monotonic() > deadline:
            raise TimeoutError(f"not {count} BFD sessions within a minute: {place.log('speaker').read_text()[-1000:]}")
        await asyncio.sleep(0.2)


def _engine(speaker: int) -> int:
    """The process id of the engine below a speaker."""
    return next(pid for pid, name in members(speaker) if name == "engine")


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def _cost(sessions: int) -> Figure:
    """Share of one core that the engine takes; beside it, FRR's bfdd for the other ends."""
    neighbors = tuple(
        Neighbor(f"10.52.0.{number + 1}", 64500, bfd=Bfd(300), source=f"10.51.0.{number + 1}")
        for number in range(sessions)
    )
    files = dict(manifests(0, 1)) | {"config.yaml": _peers(sessions, 300)}
    async with speaking(files, neighbors) as (place, speaker):
        await _all_up(place, sessions)
        await asyncio.sleep(3)
        pids = (_engine(speaker.pid), _bfdd(place))
        downs = sum(one["downs"] for one in await _ask(place))
        before, began = [_cpu(pid) for pid in pids], time.monotonic()
        await asyncio.sleep(CPU_SECONDS)
        took = time.monotonic() - began
        herald, frr = (100 * (_cpu(pid) - earlier) / took for pid, earlier in zip(pids, before, strict=True))
        downs = sum(one["downs"] for one in await _ask(place)) - downs
    note = f"BGP and BFD, established and idle, {downs} went down; bfdd alone, at the other ends: {frr:.1f} %"
    return Figure(f"CPU of the engine, {sessions} sessions with BFD at 300 ms", herald, "%", None, (), note)


async def false_alarms(interval_ms: int, seconds: float, load: Load, words: str) -> Figure:
    """How often the session goes down under `load`, who called it, and how late either end sent."""
    neighbors = (Neighbor(WATCHER, 64500, bfd=Bfd(interval_ms)),)
    files = dict(manifests(SERVICES, 1))
    files["config.yaml"] = files["config.yaml"].partition("kind: BGPPeer")[0].rpartition("---\n")[0]
    files["peers.yaml"] = _peers(1, interval_ms)
    async with speaking(files, neighbors) as (place, _):
        await _all_up(place, 1)
        # What is measured is Herald: the peer, which is on the same two cores, must not be late itself.
        os.sched_setscheduler(_bfdd(place), os.SCHED_RR, os.sched_param(1))
        (before,) = await _ask(place)
        busy = asyncio.create_task(load(place, SERVICES))
        sight = Sight(place.namespace("node-0"))
        try:
            pauses = await asyncio.to_thread(gaps, sight, seconds)
        finally:
            sight.close()
            busy.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await busy
        (after,) = await _ask(place)
    downs = after["downs"] - before["downs"]
    ours, theirs = (f"{1000 * max(pauses[is_out]):.0f} ms" for is_out in (True, False))
    who = f", the last for: {after['downDiagnostic']}" if downs else ""
    note = (
        f"in {seconds:g} s{who}; longest pause between our packets {ours}, between FRR's {theirs}; "
        "both at real-time priority"
    )
    return Figure(f"false alarms at {interval_ms} ms × 3, {words}", downs, "", None, (), note)


def _figure(who: str, interval_ms: int, losses: list[Loss]) -> Figure:
    agreed = 3 * interval_ms
    late = [loss.since_packet * 1000 - agreed for loss in losses]
    silence = [loss.since_silence * 1000 for loss in losses]
    note = (
        f"agreed {agreed} ms after the last packet; late by {percentile(late, 50):.1f} ms, at worst {max(late):.1f}; "
        f"median from the peer's death {percentile(silence, 50):.0f} ms"
    )
    budget = {50: 200.0}.get(interval_ms)
    found = tuple(sorted(silence))
    return Figure(f"BFD {interval_ms} ms × 3, a peer dies, {who}: worst", max(silence), "ms", budget, found, note)


def measure() -> list[Figure]:
    figures = []
    for interval_ms in INTERVALS_MS:
        for who, work in (("Herald", _herald), ("FRR", _frr)):
            figures.append(_figure(who, interval_ms, asyncio.run(work(interval_ms))))
    figures.append(asyncio.run(_cost(SESSIONS)))
    figures += [
        asyncio.run(false_alarms(interval_ms, LOAD_SECONDS, rewrite, "control saturated")) for interval_ms in (50, 10)
    ]
    return figures
