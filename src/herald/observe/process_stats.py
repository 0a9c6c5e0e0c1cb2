"""What this process costs, read from /proc."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PAGE_OCTETS: Final = os.sysconf("SC_PAGE_SIZE")
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_STAT_AFTER_NAME: Final = 3
"""Fields of /proc/PID/stat are numbered from 1, and the name, the second of them, may hold anything."""


@dataclass(frozen=True, slots=True)
class ProcessStats:
    """Resident memory in octets, open file descriptors, seconds of CPU, and the start in seconds since 1970."""

    rss: int
    fds: int
    cpu_seconds: float
    started_at: float

    @property
    def document(self) -> dict[str, float]:
        """As the engine tells it."""
        return {"rss": self.rss, "fds": self.fds, "cpuSeconds": self.cpu_seconds, "startedAt": self.started_at}

    @classmethod
    def of(cls, document: dict[str, float]) -> "ProcessStats":
        """From what `document` gives."""
        return cls(int(document["rss"]), int(document["fds"]), document["cpuSeconds"], document["startedAt"])


def read() -> ProcessStats:
    """Of this process, now."""
    here = Path("/proc/self")
    fields = (here / "stat").read_text().rpartition(") ")[2].split()
    user, system, start = (int(fields[number - _STAT_AFTER_NAME]) for number in (14, 15, 22))
    return ProcessStats(
        rss=int((here / "statm").read_text().split()[1]) * _PAGE_OCTETS,
        fds=len(list((here / "fd").iterdir())) - 1,  # the one that lists them is not there any more
        cpu_seconds=(user + system) / _TICKS,
        started_at=_BOOT + start / _TICKS,
    )


def _boot_time() -> float:
    lines = Path("/proc/stat").read_text().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("btime "))


_BOOT: Final = _boot_time()
