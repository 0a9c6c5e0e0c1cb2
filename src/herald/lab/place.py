"""Where a lab stands: its directory under /run, the prefix of its namespaces, and the journal of what was made.

Everything that must be removed again is written to the journal before or as it is made, so that `herald lab down` can
clear away a lab whose maker was killed. One line of JSON per thing:

    {"lab": "dual", "maker": 4711, "began": 123456, "keep": true}
    {"namespace": "node-1"}
    {"process": 4712, "began": 123460, "name": "speaker-node-1"}

`began` is the start time of the process (proc(5)); a pid that was used again for something else is left alone.
"""

import asyncio
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from herald.lab import process

RUN = Path("/run")
LONGEST_NAME = 12
"""Characters in the name of a lab, so that paths of sockets in its directory stay short enough for the kernel."""


class LabStandsError(Exception):
    """There is a lab in this place already."""


@dataclass(frozen=True, slots=True)
class Place:
    """A lab's place. Two labs stand beside each other when their names differ; the usual one has no name."""

    name: str = ""
    root: Path = RUN

    @property
    def directory(self) -> Path:
        """All files of the lab: configuration, logs, sockets, daemons' directories."""
        return self.root / (f"herald-lab-{self.name}" if self.name else "herald-lab")

    @property
    def prefix(self) -> str:
        """What the names of this lab's namespaces begin with."""
        return f"{self.name}-" if self.name else ""

    @property
    def journal(self) -> Path:
        """The file that lists what was made."""
        return self.directory / "journal"

    @property
    def config(self) -> Path:
        """The folder of manifests: Herald's directory store."""
        return self.directory / "config"

    @property
    def logs(self) -> Path:
        """The folder with one log per process."""
        return self.directory / "logs"

    def namespace(self, host: str) -> str:
        """The namespace of a host of the topology."""
        return f"{self.prefix}{host}"

    def log(self, name: str) -> Path:
        """The log of a process."""
        return self.logs / f"{name}.log"

    def take(self, lab: str, *, keep: bool) -> None:
        """Begin a lab here. LabStandsError when one stands here already."""
        try:
            self.directory.mkdir(mode=0o755)
        except FileExistsError:
            raise LabStandsError(self.describe()) from None
        self._write({"lab": lab, "maker": os.getpid(), "began": process.start_time(os.getpid()), "keep": keep})
        for folder in (self.config, self.logs):
            folder.mkdir()

    def record_namespace(self, namespace: str) -> None:
        """Remember a namespace that is about to be made."""
        self._write({"namespace": namespace})

    def record_process(self, name: str, pid: int) -> None:
        """Remember a process that has just been started."""
        self._write({"process": pid, "began": process.start_time(pid), "name": name})

    def keep(self) -> None:
        """From now on this lab outlives its maker."""
        entry = next(self._entries())
        self._write(entry | {"keep": True})

    def taken(self) -> bool:
        """Whether a lab stands here, or the remains of one."""
        return self.directory.exists()

    def scenario(self) -> str:
        """The scenario of the lab that stands here; empty when the journal does not say."""
        return next((str(entry["lab"]) for entry in self._entries() if "lab" in entry), "")

    def abandoned(self) -> bool:
        """Whether what stands here was left by a run that was killed: not kept on purpose, and its maker is gone."""
        heads = [entry for entry in self._entries() if "lab" in entry]
        if not heads:
            return self.taken()
        alive = process.start_time(int(heads[-1]["maker"])) == int(heads[-1]["began"])
        return not alive and not heads[-1]["keep"]

    def maker(self) -> int | None:
        """The process that builds or proves this lab just now; None when it was left standing, or left behind."""
        heads = [entry for entry in self._entries() if "lab" in entry]
        if not heads or heads[-1]["keep"] or self.abandoned():
            return None
        return int(heads[-1]["maker"])

    def describe(self) -> str:
        """One sentence on what stands here, for people."""
        name = f" --name {self.name}" if self.name else ""
        return f"a lab ({self.scenario() or 'unfinished'}) stands already; `herald lab down{name}` removes it"

    def namespaces(self) -> list[str]:
        """Namespaces in the journal, in the order they were made."""
        return [entry["namespace"] for entry in self._entries() if "namespace" in entry]

    def processes(self) -> list[int]:
        """Processes of the journal that still run, the last started first."""
        found = [
            entry["process"]
            for entry in self._entries()
            if "process" in entry and process.start_time(entry["process"]) == entry["began"]
        ]
        return found[::-1]

    async def clear(self) -> None:
        """Remove everything the journal names, then the directory. Safe to repeat and to call when nothing stands."""
        namespaces = [name for name in self.namespaces() if (Path("/run/netns") / name).exists()]
        inside = await asyncio.gather(*(process.run(["ip", "netns", "pids", name]) for name in namespaces))
        strangers = [int(pid) for result in inside for pid in result.stdout.split()]
        await process.kill_all(dict.fromkeys(self.processes() + strangers))
        for name in namespaces:
            await process.must(["ip", "netns", "del", name])
        if self.taken():
            shutil.rmtree(self.directory)

    def _write(self, entry: dict[str, Any]) -> None:
        with self.journal.open("a") as journal:
            journal.write(json.dumps(entry) + "\n")

    def _entries(self) -> Iterator[dict[str, Any]]:
        if not self.journal.exists():
            return
        for line in self.journal.read_text().splitlines():
            # A run killed in the middle of a write leaves half a line: what it names was not made yet.
            if line.endswith("}"):
                yield json.loads(line)


def standing() -> list[Place]:
    """All places where a lab stands, the usual one first."""
    found = [Place()] if Place().taken() else []
    for directory in sorted(RUN.glob("herald-lab-*")):
        place = Place(directory.name.removeprefix("herald-lab-"))
        if place.taken():
            found.append(place)
    return found
