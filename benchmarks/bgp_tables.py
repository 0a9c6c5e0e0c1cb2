"""10,000 and 100,000 routes out to 1, 8 and 32 FRR routers, by Herald, BIRD, GoBGP and ExaBGP in the same lab.

    speaker 10.50.0.2 ── bridge ──┬── router-1 10.50.1.1     bgpd of FRR in each, AS 64501; it waits for the speaker,
                                  ├── router-2 10.50.1.2     and keeps what it learns out of its kernel
                                  ┆

The routers stay; the speakers follow each other, all with the same routes and one community. Two figures count:

* **time**: how long the speaker is sending. A packet socket at its interface sees each segment; the time of one session
  goes from its first UPDATE to its last, and where sessions do not run at the same time the pauses between are not
  counted. Afterwards every router is asked whether it has all routes. ExaBGP packs everything before it sends the first
  UPDATE, which is no part of its time: there, compare processor time.
* **processor time** of the speaker alone, from the moment when it may connect; ExaBGP reads its
  configuration in it. Two cores also carry the routers.
"""

import asyncio
import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.bgp_speakers import ROUTER_ASN, SPEAKER, SPEAKER_ASN, Bird, Contestant, ExaBgp, GoBgp, Herald
from benchmarks.figure import Figure
from benchmarks.footprint import members, memory
from benchmarks.wiretap import Segment, Wiretap
from herald.lab.daemons.frr import Frr
from herald.lab.daemons.router import Neighbor, Router
from herald.lab.namespace import build
from herald.lab.place import Place
from herald.lab.topology import Host, Topology, interface

SIZES = ((10_000, 1), (10_000, 8), (10_000, 32), (100_000, 1), (100_000, 8), (100_000, 32))
MOST = max(peers for _, peers in SIZES)
CONTESTANTS: tuple[type[Contestant], ...] = (Herald, Bird, GoBgp, ExaBgp)
WITHIN_S = 90.0
QUIET_S = 1.0
UPDATE_OCTETS = 200
"""More than an OPEN or a KEEPALIVE: here the routes begin."""


def _router(number: int) -> tuple[str, str]:
    return f"router-{number}", f"10.50.1.{number}"


TOPOLOGY = Topology(
    segments=("lan",),
    hosts=(
        Host("speaker", (interface("eth0", f"{SPEAKER}/16", on="lan"),)),
        *(
            Host(name, (interface("eth0", f"{address}/16", on="lan"),))
            for name, address in map(_router, range(1, MOST + 1))
        ),
    ),
)


def busy(segments: Iterable[Segment]) -> float:
    """Seconds in which at least one session was between its first UPDATE and its last."""
    spans: dict[str, tuple[float, float]] = {}
    for segment in segments:
        if segment.octets > UPDATE_OCTETS or segment.destination in spans:
            first, _ = spans.get(segment.destination, (segment.at, segment.at))
            if segment.octets > UPDATE_OCTETS:
                spans[segment.destination] = first, segment.at
    total, until = 0.0, 0.0
    for first, last in sorted(spans.values()):
        total += max(0.0, last - max(first, until))
        until = max(until, last)
    return total


def processor(group: int | None) -> float:
    """Seconds that all threads of a process and of its children have run, to the nanosecond; 0 of none."""
    ran = 0
    for pid, _ in members(group) if group is not None else ():
        for thread in Path(f"/proc/{pid}/task").glob("*/schedstat"):
            ran += int(thread.read_text().split()[0])
    return ran / 1e9


async def received(frr: Frr) -> int:
    """How many prefixes a router has from the speaker."""
    answer = await frr.ask("show bgp ipv4 unicast summary json")
    peer = (answer.get("ipv4Unicast") or answer).get("peers", {}).get(SPEAKER, {})
    return int(peer.get("pfxRcd", 0))


async def _all(routers: Sequence[Frr], count: int, tap: Wiretap) -> int:
    """Wait until every router has `count` routes, or time is up; gives what they have together."""
    deadline = time.monotonic() + WITHIN_S
    while True:
        heard = len(tap.heard)
        await asyncio.sleep(QUIET_S)
        if len(tap.heard) > heard + 2 * len(routers) and time.monotonic() < deadline:  # not only keepalives
            continue
        total = 0
        for router in routers:
            total += await received(router)
        if total == count * len(routers) or time.monotonic() > deadline:
            return total


async def _run(contestant: Contestant, routers: Sequence[Frr]) -> tuple[float | None, float, float, int]:
    """Seconds (None if not done in time), processor seconds, MiB of memory, routes that arrived."""
    await contestant.start()
    tap = Wiretap(contestant.place.namespace("speaker"), "eth0", SPEAKER)
    try:
        before = processor(contestant.sender)
        await contestant.go()
        arrived = await _all(routers, contestant.count, tap)
        used = processor(contestant.sender) - before
        size = sum(part for _, part in memory(contestant.processes[0].pid))
        whole = arrived == contestant.count * len(routers)
        return (busy(tap.heard) if whole else None), used, size, arrived
    finally:
        tap.close()
        await contestant.stop()
        await _forgotten(routers)


async def _forgotten(routers: Sequence[Frr]) -> None:
    """Until the routers have lost what the last speaker said."""
    for router in routers:
        while await received(router):
            await router.configure(f"do clear bgp {SPEAKER}")
            await asyncio.sleep(0.2)


async def _measure() -> list[Figure]:
    place = Place(f"b{os.getpid() % 100_000}")
    place.take("benchmark", keep=False)
    try:
        await build(TOPOLOGY, place)
        routers = [await _frr(place, *_router(number)) for number in range(1, MOST + 1)]
        figures: list[Figure] = []
        for count, peers in SIZES:
            figures += await _compare(place, count, routers[:peers])
        return figures
    finally:
        await place.clear()


async def _frr(place: Place, name: str, address: str) -> Frr:
    frr = await Frr.start(Router(name, ROUTER_ASN, address, (Neighbor(SPEAKER, SPEAKER_ASN),)), place)
    await frr.configure("bgp no-rib")
    return frr


async def _compare(place: Place, count: int, routers: Sequence[Frr]) -> list[Figure]:
    figures: list[Figure] = []
    ours: float | None = None
    for kind in CONTESTANTS:
        contestant = kind(place, count, [router.router.router_id for router in routers])
        seconds, used, size, arrived = await _run(contestant, routers)
        note = f"{used:.2f} s of processor time, {size:.0f} MiB"
        if seconds is None:
            note += f"; only {arrived:,} of {count * len(routers):,} had arrived when time was up"
        elif ours is not None:
            note += f"; Herald takes ×{ours / seconds:.2f} of the time"
        what = f"{count:,} routes to {len(routers)} router{'s' * (len(routers) > 1)}: {kind.__name__}"
        budget = 2.0 if kind is Herald and (count, len(routers)) == SIZES[0] else None
        figure = Figure(what, WITHIN_S if seconds is None else seconds, "s", budget, (), note)
        print(figure.row(), flush=True)
        figures.append(figure)
        ours = ours or seconds
    return figures


def measure() -> list[Figure]:
    return asyncio.run(_measure())
