"""Take-over of Layer 2 addresses, beside keepalived (VRRP) in the same lab and run; writes docs/failover.md.

    python -m benchmarks.failover             all of it, about a quarter of an hour; results go to failover.json, the
                                              page is written from them
    python -m benchmarks.failover --resume    go on with a run that was interrupted; what it has measured stays
    python -m benchmarks.failover --small     little of it, printed and not written: does the benchmark work?
    python -m benchmarks.failover nud         the ten minutes of a Linux neighbour, added to failover.json and the page
    python -m benchmarks.failover page        write the page anew from failover.json

Herald's labs run one after the other. keepalived mostly waits, so its labs run at the same time, each in namespaces of
its own. A lab in which something did not come true is built anew; what failed twice stands in the page.
"""

import asyncio
import os
import platform
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from benchmarks import failover_page
from benchmarks.failover_record import MANY, NUD, Record, told
from herald.lab.failover import faults, many, nud, vrrp_nodes
from herald.lab.failover.faults import Fault
from herald.lab.failover.herald_nodes import HeraldNodes
from herald.lab.failover.stand import Contestant, NeverSettledError, Stand, standing
from herald.lab.failover.trial import trial
from herald.lab.failover.vrrp_nodes import VrrpNodes

NUD_S = 600.0
ADDRESSES = 1_000
ATTEMPTS = 2
TERMINATED = 128 + signal.SIGTERM
LAB_FAILURES = (NeverSettledError, RuntimeError, OSError, TimeoutError)


@dataclass(frozen=True, slots=True)
class Case:
    """A fault, so often, while `loss` percent of all frames are lost."""

    fault: Fault
    runs: int
    loss: int = 0

    @property
    def name(self) -> str:
        """In the record."""
        return self.fault.name + (f", {self.loss} % loss" if self.loss else "")


@dataclass(frozen=True, slots=True)
class Group:
    """A contestant and what happens to it."""

    key: str
    contestant: Contestant
    cases: tuple[Case, ...]


def crashes(runs: int) -> tuple[Case, ...]:
    """The three ways to die."""
    return tuple(Case(fault, runs) for fault in faults.CRASHES)


LOSSES = tuple(
    case for loss in (5, 30) for case in (Case(faults.Nothing(10.0), 2, loss), Case(faults.Frozen(), 10, loss))
)
SHARED = (Case(faults.CutOff(), 10), Case(faults.RestartedOneByOne(), 3))
LAST = Case(faults.Flapping(), 2)


def groups() -> list[list[Group]]:
    """Those of one list run one after the other, the lists at the same time."""
    folder, device = Case(faults.FolderGone(), 5), Case(faults.Recreated(), 5)
    fast = HeraldNodes("Herald, fastFailover", fast_failover=True)
    herald = [
        Group("Herald", HeraldNodes(), (*crashes(30), *SHARED, folder, device, *LOSSES, LAST)),
        Group("Herald, fastFailover", fast, (*crashes(30), SHARED[0], *LOSSES)),
    ]
    if not vrrp_nodes.available():
        return [herald]
    tuned = Group("keepalived, 0.1 s", VrrpNodes(0.1), (*crashes(30), *SHARED, device, *LOSSES, LAST))
    usual = [
        Group("keepalived, 1 s", VrrpNodes(1.0), (case, *more))
        for case, more in zip(crashes(30), ((SHARED[0],), (SHARED[1], device), (*LOSSES, LAST)), strict=True)
    ]
    return [herald, [tuned], *([one] for one in usual)]


def small() -> list[list[Group]]:
    """Two runs of most things."""

    def less(case: Case) -> Case:
        quiet = replace(case, fault=faults.Nothing(2.0)) if isinstance(case.fault, faults.Nothing) else case
        return replace(quiet, runs=min(2, case.runs))

    picked = [
        [replace(group, cases=tuple(less(case) for case in group.cases if case != LAST)) for group in lane]
        for lane in groups()
    ]
    return picked[:2]


async def measure(record: Record, lanes: Sequence[Sequence[Group]]) -> None:
    """Everything that is not in the record yet."""

    async def follow(number: int, lane: Sequence[Group]) -> None:
        for group in lane:
            await _measure_group(record, group, f"f{number}{os.getpid() % 100_000}")

    async with asyncio.TaskGroup() as tasks:
        for number, lane in enumerate(lanes):
            tasks.create_task(follow(number, lane))


async def _measure_group(record: Record, group: Group, name: str) -> None:
    failures = 0
    while left := [case for case in group.cases if not record.has(group.key, case.name)]:
        try:
            async with standing(group.contestant, name) as stand:
                home = await stand.settled()
                while left:
                    await _measure_case(record, group.key, left[0], stand, home)
                    del left[0]
                    failures = 0
        except LAB_FAILURES as error:
            failures += 1
            told_of = str(error) if failures == ATTEMPTS else str(error).split("; seen")[0]
            _say(group.key, f"{left[0].name}, attempt {failures}: {type(error).__name__}: {told_of}")
            if failures == ATTEMPTS:
                record.fail(group.key, left[0].name, str(error).split("; seen")[0])
                failures = 0


async def _measure_case(record: Record, key: str, case: Case, stand: Stand, home: str) -> None:
    began, chance = time.monotonic(), random.Random()
    outcomes = []
    await stand.settled(home)
    await stand.switch.lose(case.loss)
    try:
        for number in range(1, case.runs + 1):
            outcomes.append(await trial(stand, case.fault, chance, home))
            if case.fault.wears is not None and (number % case.fault.wears == 0 or number == case.runs):
                await stand.restart(home)
    finally:
        await stand.switch.lose(0)
    record.put(key, case.name, told(outcomes))
    _say(key, f"{case.name}: {case.runs} runs in {time.monotonic() - began:.0f} s")


async def measure_many(record: Record) -> None:
    """A thousand addresses of either family, by a crash and by SIGTERM, with and without fast failover."""
    name = f"m{os.getpid() % 100_000}"
    for version in (4, 6):
        for fast in (False, True):
            what = f"IPv{version}, frozen" + (", fastFailover" if fast else "")
            if not record.has(MANY, what):
                record.put(MANY, what, _taken(await many.crash(name, ADDRESSES, version, fast_failover=fast)))
                _say(MANY, what)
        what = f"IPv{version}, SIGTERM"
        if not record.has(MANY, what):
            record.put(MANY, what, _taken(await many.departure(name, ADDRESSES, version)))
            _say(MANY, what)


def _taken(seen: many.Taken) -> dict[str, float]:
    later = replace(seen, frames=tuple(at for at in seen.frames if at > seen.last + 1.0))
    return {
        "addresses": seen.addresses,
        "first": seen.first,
        "last": seen.last,
        "busiest10ms": seen.busiest(0.01),
        "busiest1s": seen.busiest(1.0),
        "busiestLater1s": later.busiest(1.0),
    }


async def measure_nud(record: Record, seconds: float) -> None:
    """The neighbour, for so long."""
    async with standing(HeraldNodes(), f"n{os.getpid() % 100_000}") as stand:
        await stand.settled()
        seen = await nud.talk(stand, seconds)
    states = {address: dict(sorted(counts.items())) for address, counts in seen.states.items()}
    found = {"seconds": seconds, "states": states, "silent": seen.silent, "questions": seen.questions}
    record.put(NUD, "base_reachable_time 5 s", found)
    failed = [address for address, counts in states.items() if counts.get("FAILED")]
    print(f"{seconds:.0f} s: {states}, longest silence {seen.silent}; FAILED: {failed or 'never'}")


def about_this() -> dict[str, str]:
    """What the results depend on."""
    git = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    shown = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": shown,
        "python": platform.python_version(),
        "kernel": platform.release(),
        "cores": str(os.cpu_count()),
        "keepalived": asyncio.run(vrrp_nodes.version()) if vrrp_nodes.available() else "not installed",
    }


def _say(key: str, words: str) -> None:
    print(f"  {time.strftime('%H:%M:%S')} {key}: {words}", file=sys.stderr, flush=True)


def main(words: list[str]) -> int:
    """See the head of this module."""
    unknown = [word for word in words if word not in ("--resume", "--small", "nud", "page")]
    if unknown:
        print(f"not understood: {', '.join(unknown)}\n{__doc__}", file=sys.stderr)
        return 2
    # So that namespaces and processes go also when the time is up for whoever started this.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    if "page" in words:
        failover_page.write(Record.read())
        return 0
    if "--small" in words:
        record = Record.volatile(about_this())
        asyncio.run(measure_nud(record, 20.0) if "nud" in words else measure(record, small()))
        print(failover_page.text(record))
        return 0
    record = Record.read()
    if "nud" in words:
        record.set_about(NUD, about_this())
        record.forget((NUD,))
        asyncio.run(measure_nud(record, NUD_S))
    else:
        if "--resume" not in words:
            record.begin_anew(about_this(), keep=(NUD,))
        began = time.monotonic()
        asyncio.run(measure(record, groups()))
        asyncio.run(measure_many(record))
        print(f"measured in {(time.monotonic() - began) / 60:.0f} minutes")
    failover_page.write(record)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
