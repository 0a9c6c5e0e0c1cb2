"""10,000 routes to a fresh FRR, by Herald, ExaBGP and GoBGP, one after the other in the same place.

The clock runs from the moment FRR reports the session Established to the moment it has every prefix. FRR is started
anew for each, waits passively, and is asked every 10 ms; asking takes about 15 ms, which is the grain of the figures.
"""

import asyncio
import os
import sys
import time
from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import Path

from benchmarks.figure import Figure, median
from benchmarks.population import FIRST_ADDRESS
from herald.lab.daemons.frr import Frr
from herald.lab.daemons.router import Neighbor, Router
from herald.lab.namespace import build
from herald.lab.place import Place
from herald.lab.process import Process
from herald.lab.topology import Host, Topology, Wire, interface

COUNT = 10_000
RUNS = 3
ROUTER, SPEAKER = "10.50.0.1", "10.50.0.2"
TOPOLOGY = Topology(
    segments=(),
    hosts=(
        Host("router", (interface("eth0", f"{ROUTER}/24"),)),
        Host("speaker", (interface("eth0", f"{SPEAKER}/24"),)),
    ),
    wires=(Wire(("router", "eth0"), ("speaker", "eth0")),),
)
Starter = Callable[[Place], Process]


def _start(place: Place, name: str, argv: list[str]) -> Process:
    started = Process.start(name, argv, log=place.log(name), namespace=place.namespace("speaker"), cwd=Path.cwd())
    place.record_process(name, started.pid)
    return started


def start_herald(place: Place) -> Process:
    return _start(
        place, "herald", [sys.executable, "-m", "benchmarks.table_feed", str(COUNT), ROUTER, "64500", "64501"]
    )


def start_exabgp(place: Place) -> Process:
    routes = "\n".join(
        f"      route {IPv4Address(FIRST_ADDRESS + number)}/32 next-hop {SPEAKER} community [64500:100];"
        for number in range(COUNT)
    )
    text = (
        f"neighbor {ROUTER} {{\n  router-id {SPEAKER};\n  local-address {SPEAKER};\n"
        "  local-as 64500;\n  peer-as 64501;\n"
        f"  static {{\n{routes}\n  }}\n}}\n"
    )
    path = place.directory / "exabgp.conf"
    path.write_text(text)
    options = ["env", "exabgp.daemon.user=root", "exabgp.api.cli=false", "exabgp.log.level=WARNING"]
    return _start(place, "exabgp", [*options, "exabgp", str(path)])


def start_gobgp(place: Place) -> Process:
    config = place.directory / "gobgp.toml"
    config.write_text(
        f'[global.config]\n  as = 64500\n  router-id = "{SPEAKER}"\n'
        f'[[neighbors]]\n  [neighbors.config]\n    neighbor-address = "{SPEAKER}"\n    peer-as = 64999\n'
        "  [neighbors.transport.config]\n    passive-mode = true\n"
    )
    # GoBGP has no quick way to read 10,000 routes, so another speaker fills its table first. The neighbour is
    # added when it is full, so that only the sending is timed.
    script = (
        f"gobgpd -f {config} --log-plain --pprof-disable & "
        f"{sys.executable} -m benchmarks.table_feed {COUNT} {SPEAKER} 64999 64500 & "
        f"until gobgp global rib summary 2>/dev/null | grep -q 'Path: {COUNT}$'; do sleep 0.1; done; "
        f"gobgp neighbor add {ROUTER} as 64501 && wait"
    )
    return _start(place, "gobgpd", ["sh", "-c", script])


async def _received(frr: Frr) -> tuple[bool, int]:
    """Whether the session is Established, and how many prefixes came over it."""
    answer = await frr.ask("show bgp ipv4 unicast summary json")
    peer = (answer.get("ipv4Unicast") or answer).get("peers", {}).get(SPEAKER, {})
    return peer.get("state") == "Established", int(peer.get("pfxRcd", 0))


async def _run(starter: Starter) -> float:
    """Seconds from Established to the last prefix."""
    place = Place(f"b{os.getpid() % 100_000}")
    place.take("benchmark", keep=False)
    try:
        await build(TOPOLOGY, place)
        frr = await Frr.start(Router("router", 64501, ROUTER, (Neighbor(SPEAKER, 64500),)), place)
        speaker = starter(place)
        established: float | None = None
        for _ in range(6_000):
            asked = time.monotonic()
            up, count = await _received(frr)
            if up and established is None:
                established = asked
            if established is not None and count >= COUNT:
                return time.monotonic() - established
            if not speaker.running():
                raise RuntimeError(place.log(speaker.name).read_text()[-2000:])
            await asyncio.sleep(0.01)
        raise RuntimeError(f"{speaker.name}: the table did not arrive: {place.log(speaker.name).read_text()[-2000:]}")
    finally:
        await place.clear()


def measure() -> list[Figure]:
    figures = []
    herald: float | None = None
    for name, starter in (("Herald", start_herald), ("ExaBGP", start_exabgp), ("GoBGP", start_gobgp)):
        runs = [asyncio.run(_run(starter)) for _ in range(RUNS)]
        budget = 2.0 if herald is None else None
        figure = median(f"{COUNT:,} routes to a fresh FRR: {name}", runs, "s", budget)
        note = f"Herald takes ×{herald / figure.value:.2f} of this" if herald else ""
        figures.append(Figure(figure.what, figure.value, figure.unit, budget, figure.runs, note))
        herald = herald or figure.value
    return figures
