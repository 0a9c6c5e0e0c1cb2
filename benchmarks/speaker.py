"""A real speaker, both processes, in a namespace: ARP latency idle and under load, and memory.

Load means that the manifests of Services are rewritten as fast as this machine can, so that the control process decodes
and decides without a pause while the engine answers.
"""

import asyncio
import contextlib
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from ipaddress import IPv4Address

from benchmarks.figure import Figure, percentile
from benchmarks.footprint import memory
from benchmarks.population import FIRST_ADDRESS, manifests, service_manifest
from herald.lab import process
from herald.lab.namespace import build
from herald.lab.place import Place
from herald.lab.process import Process
from herald.lab.topology import Host, Topology, Wire, interface

QUESTIONS = 2_000
TOPOLOGY = Topology(
    segments=(),
    hosts=(
        Host("node-0", (interface("eth0", "10.50.0.10/24"),)),
        Host("client", (interface("eth0", "10.50.0.20/24"),)),
    ),
    wires=(Wire(("node-0", "eth0"), ("client", "eth0")),),
)


@contextlib.asynccontextmanager
async def speaking(services: int) -> AsyncIterator[tuple[Place, Process]]:
    """A speaker that answers for `services` addresses, all of them settled."""
    place = Place(f"s{os.getpid() % 100_000}")
    place.take("benchmark", keep=False)
    try:
        await build(TOPOLOGY, place)
        for name, text in manifests(services, 1):
            (place.config / name).write_text(text)
        argv = [sys.executable, "-m", "herald.cli.main", "speaker", "--config", str(place.config)]
        argv += ["--node-name", "node-0", "--show-socket", str(place.directory / "show.sock"), "--log-level", "warn"]
        speaker = Process.start("speaker", argv, log=place.log("speaker"), namespace=place.namespace("node-0"))
        place.record_process("speaker", speaker.pid)
        await _answering(place, services)
        yield place, speaker
        await speaker.stop()
    finally:
        await place.clear()


async def _ask(place: Place, number: int, count: int) -> list[float | None]:
    address = str(IPv4Address(FIRST_ADDRESS + number))
    argv = [sys.executable, "-m", "benchmarks.arp_client", "eth0", address, str(count)]
    result = await process.must(argv, namespace=place.namespace("client"), within=120)
    answers: list[float | None] = json.loads(result.stdout)
    return answers


async def _answering(place: Place, services: int) -> None:
    deadline = time.monotonic() + 120
    while None in await _ask(place, services - 1, 1):
        if time.monotonic() > deadline:
            raise TimeoutError(f"no answer after two minutes: {place.log('speaker').read_text()[-2000:]}")


async def rewrite(place: Place, services: int) -> None:
    """Keep control busy until cancelled."""
    number = 0
    while True:
        for _ in range(20):
            number = (number + 1) % services
            text = service_manifest(number, assigned=True).replace(
                "labels: {", f"labels: {{round: r{time.monotonic_ns()}, "
            )
            (place.config / f"service-{number}.yaml").write_text(text)
        await asyncio.sleep(0.001)


async def _latency(services: int) -> tuple[list[float], list[float]]:
    async with speaking(services) as (place, _):
        await asyncio.sleep(7)  # the gratuitous rounds of the start are over
        idle = await _ask(place, 0, QUESTIONS)
        busy_control = asyncio.create_task(rewrite(place, services))
        try:
            await asyncio.sleep(1)
            busy = await _ask(place, 0, QUESTIONS)
        finally:
            busy_control.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await busy_control
    return [_answered(value) for value in idle], [_answered(value) for value in busy]


def _answered(value: float | None) -> float:
    if value is None:
        raise RuntimeError("a question was not answered within a second")
    return value / 1000


async def _memory(services: int) -> list[tuple[str, float]]:
    """(process, MiB) of everything the speaker consists of: proportional set size, so shared pages count once."""
    async with speaking(services) as (_, speaker):
        await asyncio.sleep(2)
        return memory(speaker.pid)


def measure() -> list[Figure]:
    idle, busy = asyncio.run(_latency(1_000))
    figures = []
    for words, values, budget in (("idle", idle, 1.0), ("control saturated", busy, 5.0)):
        note = f"p50 {percentile(values, 50):.3f} ms, worst {max(values):.2f} ms of {len(values):,}"
        figures.append(Figure(f"ARP answer p99, {words}", percentile(values, 99), "ms", budget, (), note))
    for services, budget in ((100, 80.0), (10_000, 150.0)):
        parts = asyncio.run(_memory(services))
        note = ", ".join(f"{name} {size:.0f}" for name, size in parts)
        total = sum(size for _, size in parts)
        figures.append(Figure(f"memory of a speaker at {services:,} Services", total, "MiB", budget, (), note))
    return figures
