"""What clients of the lab do: `curl`, `arping`, and polling without a pause.

`curl` and `arping` are given as commands, for proofs show and run them; the readers of their output stand beside them.
"""

import asyncio
import json
import re
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from herald.lab.place import Place
from herald.lab.poller import READY
from herald.lab.process import PROMPT, Process
from herald.lab.proof import Command

REPLY = re.compile(r"^Unicast reply from (\S+) \[([0-9A-Fa-f:]{17})\]", re.MULTILINE)


def curl(url: str, *, timeout: float = 2.0) -> list[str]:
    """The command that asks for `url` once."""
    return ["curl", "--silent", "--show-error", "--max-time", f"{timeout:g}", url]


def arping(address: str, *, count: int = 3, interface: str = "eth0") -> list[str]:
    """The command that asks who has `address`, `count` times a second apart. It exits 1 when nobody answers."""
    return ["arping", "-I", interface, "-c", str(count), "-w", str(count), address]


def answering_macs(output: str) -> list[str]:
    """The different MAC addresses, in lower case and sorted, that answered in the output of `arping`."""
    return sorted({mac.lower() for _, mac in REPLY.findall(output)})


@dataclass(frozen=True, slots=True)
class Tally:
    """What a poller saw; its module explains the counts."""

    requests: int
    failed: int
    repeated: int
    longest_gap_ms: float
    slowest_ms: float
    answers: dict[str, int]
    errors: dict[str, int]

    def __str__(self) -> str:
        told = f"{self.requests:,} requests, {self.failed:,} failed"
        if self.repeated:
            told += f", {self.repeated} repeated after a reset"
        told += f", longest wait {self.longest_gap_ms:.0f} ms"
        if self.errors:
            told += " (" + ", ".join(f"{count} × {why}" for why, count in self.errors.items()) + ")"
        return told


@dataclass(frozen=True, slots=True)
class Poller:
    """A running poller in a client's namespace."""

    process: Process
    host: str
    url: str
    every_ms: float

    @classmethod
    async def start(
        cls, place: Place, host: str, url: str, *, every_ms: float = 10, timeout_ms: float = 2000
    ) -> "Poller":
        """Start to poll `url` from `host` and wait until the first request is on its way."""
        name = f"poller-{host}"
        log = _fresh(place, name)
        argv = [*PROMPT, sys.executable, "-m", "herald.lab.poller", url]
        argv += ["--every-ms", f"{every_ms:g}", "--timeout-ms", f"{timeout_ms:g}"]
        process = Process.start(name, argv, log=log, namespace=place.namespace(host))
        place.record_process(name, process.pid)
        deadline = time.monotonic() + 20
        while READY not in log.read_text():
            if not process.running() or time.monotonic() > deadline:
                raise RuntimeError(f"the poller on {host} did not start: {log.read_text().strip()}")
            await asyncio.sleep(0.005)
        return cls(process, host, url, every_ms)

    @property
    def command(self) -> Command:
        """The command, for proofs."""
        return Command(self.process.argv, f"{self.host}$ poll {self.url} every {self.every_ms:g} ms")

    async def stop(self) -> Tally:
        """End polling; what was seen."""
        self.process.send(signal.SIGTERM)
        if not await self.process.ended(15):
            await self.process.crash()
            raise RuntimeError(f"{self.process.name} did not end when told to")
        lines = self.process.log.read_text().splitlines()
        try:
            return Tally(**json.loads(lines[-1]))
        except (ValueError, TypeError, IndexError) as error:
            raise RuntimeError(f"{self.process.name} left no tally: {' '.join(lines[-5:])}") from error


def _fresh(place: Place, name: str) -> Path:
    log = place.log(name)
    log.write_text("")
    return log
