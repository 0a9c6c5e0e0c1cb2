"""What a process and its children take: memory and processor time."""

import contextlib
import os
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def members(group: int) -> list[tuple[int, str]]:
    """(pid, what it is) of a process and its children."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # the process ended while we looked
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[2]) == group or int(fields[1]) == group:
                found.append((int(stat.parent.name), _name((stat.parent / "cmdline").read_text().split("\0"))))
    return sorted(found)


def _name(words: list[str]) -> str:
    """Of a process, by its command line: that of `herald speaker` is the supervisor."""
    module = next((word for word in words if word.startswith("herald.")), None)
    match module:
        case None:
            return Path(words[0]).name
        case "herald.cli.main":
            command = words[words.index(module) + 1]
            return "supervisor" if command == "speaker" else command
        case "herald.speaker.control_process":
            return "control"
        case _:
            return module.removeprefix("herald.")


def memory(group: int) -> list[tuple[str, float]]:
    """(process, MiB): proportional set size, so shared pages count once."""
    return [(name, _pss(pid)) for pid, name in members(group)]


def processor_seconds(group: int) -> float:
    """Processor time that a process and its children have used so far."""
    total = 0
    for pid, _ in members(group):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def _pss(pid: int) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"no Pss line for process {pid}")
