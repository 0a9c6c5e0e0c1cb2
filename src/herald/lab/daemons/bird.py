"""BIRD 2 in a namespace, in the foreground, with its control socket in a directory of its own.

`birdc` speaks text, not JSON; `routes` reads the little of it that proofs need.
"""

import asyncio
import re
import time
from dataclasses import dataclass
from pathlib import Path

from herald.lab import process
from herald.lab.daemons.router import Neighbor, Router
from herald.lab.place import Place
from herald.lab.process import Process

READY_WITHIN = 15.0
PREFIX = re.compile(r"^(\d+\.\d+\.\d+\.\d+/\d+|[0-9a-f:]+/\d+)\s")
NEXT_HOP = re.compile(r"^\s+via (\S+) on ")


def configuration(router: Router) -> str:
    """The bird.conf of a router that learns from its neighbours and installs equal-cost routes in the kernel."""
    head = (
        f"router id {router.router_id};\n"
        "protocol device { scan time 2; }\n"
        "protocol direct { ipv4; }\n"
        "protocol kernel { ipv4 { export where source = RTS_BGP; import none; }; merge paths on; }\n"
    )
    return head + "".join(_session(router, neighbor) for neighbor in router.neighbors)


def _session(router: Router, neighbor: Neighbor) -> str:
    name = "n_" + neighbor.address.replace(".", "_").replace(":", "_")
    options = [
        f"local as {router.asn};",
        f"neighbor {neighbor.address} as {neighbor.asn};",
        # Without it BIRD refuses a peer for a minute after a session that ended in an error.
        "error wait time 1, 2;",
        "connect retry time 1;",
    ]
    if neighbor.passive:
        options.append("passive on;")
    if neighbor.password is not None:
        options.append(f'password "{neighbor.password}";')
    options.append("ipv4 { import all; export none; };")
    return f"protocol bgp {name} {{ {' '.join(options)} }}\n"


def routes(text: str) -> dict[str, list[str]]:
    """Prefix → next hops, from the output of `birdc show route`."""
    table: dict[str, list[str]] = {}
    prefix: str | None = None
    for line in text.splitlines():
        if found := PREFIX.match(line):
            prefix = found[1]
        if (hop := NEXT_HOP.match(line)) and prefix is not None:
            table.setdefault(prefix, []).append(hop[1])
    return {prefix: sorted(hops) for prefix, hops in table.items()}


@dataclass(frozen=True, slots=True)
class Bird:
    """A running BIRD router."""

    router: Router
    directory: Path

    @classmethod
    async def start(cls, router: Router, place: Place) -> "Bird":
        """Start BIRD and wait until it answers. TimeoutError when it does not."""
        directory = place.directory / router.name
        directory.mkdir()
        config, socket = directory / "bird.conf", directory / "bird.ctl"
        config.write_text(configuration(router))
        await process.must(["bird", "-p", "-c", str(config)])
        name = f"{router.name}-bird"
        argv = ["bird", "-f", "-c", str(config), "-s", str(socket)]
        started = Process.start(name, argv, log=place.log(name), namespace=place.namespace(router.name))
        place.record_process(name, started.pid)
        self = cls(router, directory)
        deadline = time.monotonic() + READY_WITHIN
        while not (socket.is_socket() and (await process.run(self.asking("show status"))).ok):
            if time.monotonic() > deadline:
                raise TimeoutError(f"BIRD on {router.name} was not ready after {READY_WITHIN:.0f} s")
            await asyncio.sleep(0.01)
        return self

    def asking(self, question: str) -> list[str]:
        """The command that asks this router one question; it works from any namespace."""
        return ["birdc", "-s", str(self.directory / "bird.ctl"), *question.split()]
