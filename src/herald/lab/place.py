"""Where a lab stands: its directory under /run, the prefix of its namespaces, and the journal of what was made.

Everything that must be removed again is written to the journal before or as it is made, so that `herald lab down` can
clear away a lab whose maker was killed. One line of JSON per thing:

    {"lab": "dual", "maker": 4711, "began": 123456, "keep": true, "mark": "herald-lab dual 9c1f3a52e07b64d8"}
    {"namespace": "node-1"}
    {"process": 4712, "began": 123460, "name": "speaker-node-1"}

`began` is the start time of the process (proc(5)); a pid that was used again for something else is left alone.

A name in the journal proves nothing: somebody else may have a namespace of that name, now or later. What proves that a
namespace is the lab's is the mark, which its loopback interface carries as alias. It is set while the namespace has no
name yet (namespace.py), so there is no instant at which a namespace of the lab is without it.
"""

import asyncio
import json
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from herald.lab import process

RUN = Path("/run")
NAMED = Path("/run/netns")
"""Where iproute2 keeps network namespaces that have a name."""

LONGEST_NAME = 12
"""Characters in the name of a lab, so that paths of sockets in its directory stay short enough for the kernel."""


class LabStandsError(Exception):
    """There is a lab in this place already."""


class NameTakenError(Exception):
    """Somebody else has network namespaces of the names that a lab needs."""

    def __init__(self, names: Sequence[str]) -> None:
        noun, verb = ("a network namespace", "is") if len(names) == 1 else ("network namespaces", "are")
        exist = "exists" if len(names) == 1 else "exist"
        told = ", ".join(f"`{name}`" for name in names)
        one = names[0] if len(names) == 1 else "NAME"
        super().__init__(
            f"{noun} {told} {exist} and {verb} not the lab's; nothing was touched. "
            f"Remove {'it' if len(names) == 1 else 'them'} (`ip netns del {one}`), or build beside with --name WORD"
        )


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

    def show_socket(self, node: str) -> Path:
        """Where `herald show` finds a node's speaker."""
        return self.directory / f"{node}.sock"

    def take(self, lab: str, *, keep: bool) -> None:
        """Begin a lab here. LabStandsError when one stands here already."""
        try:
            self.directory.mkdir(mode=0o755)
        except FileExistsError:
            raise LabStandsError(self.describe()) from None
        began = process.start_time(os.getpid())
        mark = f"herald-lab {lab} {secrets.token_hex(8)}"
        self._write({"lab": lab, "maker": os.getpid(), "began": began, "keep": keep, "mark": mark})
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

    def occupied(self, hosts: Iterable[str]) -> list[str]:
        """Names that a lab of these hosts would give its namespaces, and that exist already."""
        return [name for name in map(self.namespace, hosts) if os.path.lexists(NAMED / name)]

    @property
    def mark(self) -> str:
        """What the loopback interface of every namespace of this lab carries as alias; empty when there is no lab."""
        return next((str(entry["mark"]) for entry in self._entries() if "mark" in entry), "")

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
        """Names of namespaces in the journal, in the order they were made."""
        return [entry["namespace"] for entry in self._entries() if "namespace" in entry]

    def machines(self) -> list[str]:
        """Names of the lab's machines, as `herald lab shell` takes them."""
        return [name.removeprefix(self.prefix) for name in self.namespaces()]

    def processes(self) -> list[int]:
        """Processes of the journal that still run, the last started first."""
        found = [
            entry["process"]
            for entry in self._entries()
            if "process" in entry and process.start_time(entry["process"]) == entry["began"]
        ]
        return found[::-1]

    def process(self, name: str) -> int | None:
        """The process that was last started under this name, if it still runs."""
        for entry in reversed(list(self._entries())):
            if entry.get("name") == name:
                alive = process.start_time(entry["process"]) == entry["began"]
                return int(entry["process"]) if alive else None
        return None

    async def clear(self) -> None:
        """Remove what this lab made, then its directory. Safe to repeat, and to call when nothing stands."""
        namespaces = await self._marked_namespaces()
        inside = await asyncio.gather(*(process.run(["ip", "netns", "pids", name]) for name in namespaces))
        strangers = [int(pid) for result in inside for pid in result.stdout.split()]
        await process.kill_all(dict.fromkeys(self.processes() + strangers))
        for name in namespaces:
            await process.must(["ip", "netns", "del", name])
        if self.taken():
            shutil.rmtree(self.directory)

    async def _marked_namespaces(self) -> list[str]:
        """The namespaces of the journal that exist and are this lab's own."""
        names = [name for name in self.namespaces() if (NAMED / name).exists()]
        looks = await asyncio.gather(*(process.run(["ip", "-n", name, "-j", "link", "show", "lo"]) for name in names))
        return [name for name, look in zip(names, looks, strict=True) if look.ok and self.mark == _alias(look.stdout)]

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


def _alias(shown: str) -> str | None:
    """The alias of the interface in the output of `ip -j link show`; None when it has none."""
    alias = json.loads(shown)[0].get("ifalias")
    return None if alias is None else str(alias)


def at(directory: Path) -> Place:
    """The place whose directory this is."""
    return Place(directory.name.removeprefix("herald-lab").removeprefix("-"), directory.parent)


def standing() -> list[Place]:
    """All places where a lab stands, the usual one first."""
    found = [Place()] if Place().taken() else []
    for directory in sorted(RUN.glob("herald-lab-*")):
        place = Place(directory.name.removeprefix("herald-lab-"))
        if place.taken():
            found.append(place)
    return found
