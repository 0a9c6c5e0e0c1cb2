"""Commands that end and processes that stay, both inside a network namespace if one is named.

A process that stays is started in a session of its own with its output in a file, so that Ctrl-C in the terminal does
not reach it (the lab ends its processes itself, in order) and so that it outlives the command that started it when a
lab is left standing. Processes are always addressed by pid.
"""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PROMPT = ("nice", "-n", "-10")
"""Before the command of a process that stands for a machine of its own, like a client, and must not wait for others."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a command left behind. `exit_code` is negative for a signal and None when the time was up."""

    argv: tuple[str, ...]
    exit_code: int | None
    stdout: str
    stderr: str
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether the command ended in time with exit code 0."""
        return self.exit_code == 0


class CommandFailedError(Exception):
    """A command that has to work for the lab to exist did not."""

    def __init__(self, result: Result) -> None:
        why = "took too long" if result.exit_code is None else f"exit code {result.exit_code}"
        text = (result.stderr or result.stdout).strip()
        super().__init__(f"{' '.join(result.argv)}: {why}" + (f": {text}" if text else ""))
        self.result = result


def inside(namespace: str | None, argv: Sequence[str]) -> tuple[str, ...]:
    """`argv` as it has to be run from outside to act inside `namespace`."""
    return tuple(argv) if namespace is None else ("ip", "netns", "exec", namespace, *argv)


async def run(
    argv: Sequence[str], *, namespace: str | None = None, text: str | None = None, within: float = 30.0
) -> Result:
    """Run a command to its end, at most `within` seconds, with `text` on its standard input."""
    full = inside(namespace, argv)
    began = time.monotonic()
    child = await asyncio.create_subprocess_exec(
        *full,
        stdin=asyncio.subprocess.PIPE if text is not None else asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        out, err = await asyncio.wait_for(child.communicate(None if text is None else text.encode()), within)
        code = child.returncode
    except TimeoutError:
        out, err, code = b"", b"", None
    finally:
        if child.returncode is None:
            os.killpg(child.pid, signal.SIGKILL)
            await child.wait()
    return Result(
        full, code, out.decode(errors="replace"), err.decode(errors="replace"), seconds=time.monotonic() - began
    )


async def must(
    argv: Sequence[str], *, namespace: str | None = None, text: str | None = None, within: float = 30.0
) -> Result:
    """Like `run`, but raise CommandFailedError unless the command succeeds."""
    result = await run(argv, namespace=namespace, text=text, within=within)
    if not result.ok:
        raise CommandFailedError(result)
    return result


@dataclass(slots=True)
class Process:
    """A child that stays: a routing daemon, a web server, Herald itself. Its output goes to `log`."""

    name: str
    argv: tuple[str, ...]
    namespace: str | None
    log: Path
    child: subprocess.Popen[bytes] = field(repr=False)

    @classmethod
    def start(
        cls, name: str, argv: Sequence[str], *, log: Path, namespace: str | None = None, cwd: Path | None = None
    ) -> "Process":
        """Start `argv`; its standard output and error are appended to `log`."""
        full = inside(namespace, argv)
        with log.open("ab") as output:
            child = subprocess.Popen(
                full, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, cwd=cwd
            )
        return cls(name, full, namespace, log, child)

    @property
    def pid(self) -> int:
        """The process id, which is also the id of its process group."""
        return self.child.pid

    def running(self) -> bool:
        """Whether the process has not ended."""
        return self.child.poll() is None

    async def ended(self, within: float) -> bool:
        """Wait for the end of the process, at most `within` seconds; whether it has ended."""
        deadline = time.monotonic() + within
        while self.running():
            if time.monotonic() >= deadline:
                return False
            await asyncio.sleep(0.005)
        return True

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process alone."""
        if self.running():
            self.child.send_signal(number)

    async def stop(self, grace: float = 5.0) -> None:
        """End the process politely (SIGTERM); after `grace` seconds end its whole group with SIGKILL."""
        self.send(signal.SIGTERM)
        if not await self.ended(grace):
            await self.crash()

    async def crash(self) -> None:
        """End the process and all its children at once, without a word (SIGKILL to the group)."""
        kill_group(self.pid)
        await self.ended(5.0)


def kill_group(pid: int) -> None:
    """SIGKILL to the process group led by `pid`; a group that is gone already is no error."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def kill(pid: int) -> None:
    """SIGKILL to one process; one that is gone already is no error."""
    _signal(pid, signal.SIGKILL)


def start_time(pid: int) -> int | None:
    """When the process was started, in clock ticks after boot (proc(5) field 22), or None when it is gone or dead.

    Together with the pid it names a process for good, since pids are used again.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])


async def kill_all(pids: Iterable[int], grace: float = 3.0) -> None:
    """SIGTERM to every process, then SIGKILL to the groups of those that are still there after `grace` seconds."""
    alive = {pid: began for pid in pids if (began := start_time(pid)) is not None}
    for pid in alive:
        _signal(pid, signal.SIGTERM)
    deadline = time.monotonic() + grace
    while alive and time.monotonic() < deadline:
        await asyncio.sleep(0.01)
        alive = {pid: began for pid, began in alive.items() if start_time(pid) == began}
    for pid in alive:
        _signal(pid, signal.SIGKILL)


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
