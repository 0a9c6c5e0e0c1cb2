"""The parent of a speaker: starts the engine and control, starts them again, ends them in the right order.

    herald speaker ─exec→ supervisor ─┬─ engine    python -m herald.engine …           owns the network
                                      └─ control   python -m herald.speaker.control_process …  owns the decisions

**How the two find each other.** The supervisor makes a directory of its own (mode 0700) with a listening Unix socket in
it (mode 0600). The engine inherits the listening end (`--link-fd N`), control is told the path (`--link PATH`) and uses
`herald.engine.link.connect`. The supervisor keeps the listening end open too, so that a connection made while the
engine is being restarted waits for it instead of being refused. On connecting, control waits for `Ready` and sends
`Apply(reset=True)`; when the connection ends it connects again. A pair of sockets made anew for every start would need
no path, but then a restarted engine could be reached only by restarting control and all that it has decoded.

**Who dies, and then.**
* Control: it is started again, waiting longer each time up to `CONTROL_LONGEST_WAIT`. The engine announces on
  meanwhile.
* Control, alive and hanging: the engine misses its signs and says so by SIGUSR1 (`herald.engine.attendance`). Then it
  is killed, if it has run for `STABLE` seconds, and started again.
* The engine: it is started again at once; control connects and tells it the whole wish. After `ENGINE_FAILURES` deaths
  within `ENGINE_WINDOW` seconds the supervisor gives up, ends control and exits 1, for its own parent to act.
* The engine, with exit code 0: control told it to leave. Control is ended; exit 0.
* The supervisor, by SIGTERM or SIGINT: the engine leaves first (it marks the node as left, stops answering, closes the
  sessions with a Cease), then control is ended; exit 0.
* The supervisor, without a word: the kernel sends both children SIGTERM (PR_SET_PDEATHSIG), and they leave.

Everything after `--` is given to control. This process stays for ever and does almost nothing, hence it imports
almost nothing: no asyncio, no logging. It waits in `sigtimedwait`, so no signal handler ever runs.
"""

import argparse
import contextlib
import ctypes
import json
import os
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from herald.speaker import preflight, run_directory
from herald.store.folder_lock import FolderLock

ENGINE_FAILURES: Final = 5
ENGINE_WINDOW: Final = 30.0
ENGINE_FIRST_WAIT: Final = 0.05
ENGINE_LONGEST_WAIT: Final = 1.0
CONTROL_FIRST_WAIT: Final = 0.2
CONTROL_LONGEST_WAIT: Final = 5.0
STABLE: Final = 30.0
"""Seconds after which a child counts as having come up well."""
ENGINE_PATIENCE: Final = 1.2
CONTROL_PATIENCE: Final = 0.6
"""Seconds a child has between SIGTERM and SIGKILL; both together fit into the 2 s grace period of the manifests."""

DIRECTORY_PREFIX: Final = "herald-speaker-"
SOCKET_NAME: Final = "engine.sock"

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGUSR1)
_PR_SET_PDEATHSIG: Final = 1


@dataclass(slots=True)
class Restarts:
    """How long to wait before a child is started again. Time is given in.

    The wait doubles from `first` to `longest`, and starts over after a child that ran for `STABLE` seconds. With
    `failures`, that many deaths within `ENGINE_WINDOW` seconds are too many.
    """

    first: float
    longest: float
    failures: int | None = None
    _wait: float = 0.0
    _deaths: deque[float] = field(default_factory=deque)

    def died(self, started: float, now: float) -> float | None:
        """Seconds to wait before the next start, or None for "do not"."""
        if now - started >= STABLE:
            self._wait = 0.0
        self._deaths.append(now)
        while self._deaths[0] < now - ENGINE_WINDOW:
            self._deaths.popleft()
        if self.failures is not None and len(self._deaths) >= self.failures:
            return None
        self._wait = min(max(self._wait * 2, self.first), self.longest)
        return self._wait


@dataclass(slots=True)
class Child:
    """A process that is to run for ever. `start_at` is when it is to be started, while it does not run."""

    name: str
    command: list[str]
    inherited: tuple[int, ...]
    patience: float
    restarts: Restarts
    pid: int | None = None
    started: float = 0.0
    start_at: float | None = 0.0


class Supervisor:
    """Runs the children until it is told to end. One per process: it takes over the signals."""

    def __init__(self, engine: Child, control: Child) -> None:
        self._engine = engine
        self._control = control
        self._former_mask: set[signal.Signals] = set()

    def run(self) -> int:
        """The exit code of this process."""
        self._former_mask = set(map(signal.Signals, signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)))
        while True:
            now = time.monotonic()
            for child in (self._engine, self._control):
                if child.start_at is not None and child.start_at <= now:
                    self._start(child)
            received = _wait_for_signal(self._next_start())
            if received in (signal.SIGTERM, signal.SIGINT):
                _say("info", "leaving", f"{signal.Signals(received).name}: the engine leaves, then control ends")
                self._end(self._engine)
                self._end(self._control)
                return 0
            if received == signal.SIGUSR1:
                self._end_hanging_control()
            exit_code = self._reap()
            if exit_code is not None:
                self._end(self._control)
                return exit_code

    def _end_hanging_control(self) -> None:
        """Not one that has only just been started: it is another one than the engine means."""
        pid = self._control.pid
        if pid is not None and time.monotonic() >= self._control.started + STABLE:
            _say("error", "controlKilled", "control gives no sign of life: killed, to be started again", pid=pid)
            os.kill(pid, signal.SIGKILL)  # one that is stopped heeds nothing else

    def _next_start(self) -> float | None:
        return min((c.start_at for c in (self._engine, self._control) if c.start_at is not None), default=None)

    def _start(self, child: Child) -> None:
        child.start_at, child.started = None, time.monotonic()
        parent = os.getpid()
        try:
            child.pid = os.fork()
        except OSError as error:  # no memory or no process to be had just now: the other child must not suffer for it
            child.start_at = child.started + child.restarts.longest
            _say("error", f"{child.name}Died", f"cannot start {child.name}: {error}")
            return
        if child.pid == 0:
            _become(child, parent, self._former_mask)
        _say("info", f"{child.name}Started", f"{child.name} runs", pid=child.pid)

    def _reap(self) -> int | None:
        """Take notice of every process that ended; gives an exit code if this process is to end for it."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)  # -1: as the first process of a container we inherit orphans
            except ChildProcessError:
                return None
            if pid == 0:
                return None
            for child in (self._engine, self._control):
                exit_code = self._died(child, status) if child.pid == pid else None
                if exit_code is not None:
                    return exit_code

    def _died(self, child: Child, status: int) -> int | None:
        now = time.monotonic()
        child.pid = None
        if child is self._engine and status == 0:
            _say("info", "leaving", "the engine has left as control told it to")
            return 0
        wait = child.restarts.died(child.started, now)
        _say("error", f"{child.name}Died", f"{child.name} {_manner(status)}", restartInSeconds=wait)
        if wait is None:
            _say("error", "engineGivenUp", f"the engine died {ENGINE_FAILURES} times within {ENGINE_WINDOW:.0f} s")
            return 1
        child.start_at = now + wait
        return None

    def _end(self, child: Child) -> None:
        """SIGTERM, and after its patience SIGKILL; returns when the child is gone."""
        if child.pid is None:
            return
        os.kill(child.pid, signal.SIGTERM)
        deadline = time.monotonic() + child.patience
        while os.waitpid(child.pid, os.WNOHANG) == (0, 0):
            if time.monotonic() >= deadline:
                _say("warn", f"{child.name}Killed", f"{child.name} did not end within {child.patience} s: killed")
                os.kill(child.pid, signal.SIGKILL)
                os.waitpid(child.pid, 0)
                break
            signal.sigtimedwait({signal.SIGCHLD}, max(0.0, deadline - time.monotonic()))
        child.pid = None


def _wait_for_signal(until: float | None) -> int | None:
    if until is None:
        return signal.sigwaitinfo(_SIGNALS).si_signo
    received = signal.sigtimedwait(_SIGNALS, max(0.0, until - time.monotonic()))
    return received.si_signo if received else None


def _become(child: Child, parent: int, mask: set[signal.Signals]) -> None:
    """In the new process: tie its life to the parent's, then become the child's command. Does not return."""
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)
        for descriptor in child.inherited:
            os.set_inheritable(descriptor, True)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.execv(child.command[0], child.command)  # noqa: S606  # our own interpreter with our own modules
    except OSError as error:
        _say("error", f"{child.name}Died", f"cannot run {child.command[0]}: {error}")
    finally:
        os._exit(127)


def _manner(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"exited with code {code}"


def _say(level: str, event: str, message: str, **fields: object) -> None:
    """One line in the shape of `herald.observe.log`, without its imports."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    line = {"ts": now, "level": level, "caller": "supervisor.py", "event": event, "msg": message, **fields}
    # One write for text and newline: the children write to the same file.
    # A disk that is full or a reader that is gone must not end what is announced.
    with contextlib.suppress(OSError):
        os.write(sys.stdout.fileno(), (json.dumps(line, sort_keys=True, separators=(",", ":")) + "\n").encode())


def listen(directory: Path) -> tuple[socket.socket, Path]:
    """The listening end of the link, in a directory that only we may enter; the caller removes both."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.chmod(0o700)
    path = directory / SOCKET_NAME
    path.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listening.bind(str(path))
    except OSError as error:  # most of all one that is longer than a Unix socket's name may be, 107 octets
        listening.close()
        raise preflight.RefusedError(f"no socket can be made at {path} ({error}); choose another --run-dir") from error
    path.chmod(0o600)
    listening.listen(8)
    return listening, path


def sweep(run_directory: Path) -> None:
    """Remove what supervisors left behind that were killed; their processes are no more."""
    for directory in run_directory.glob(f"{DIRECTORY_PREFIX}*"):
        owner = directory.name.removeprefix(DIRECTORY_PREFIX)
        if owner.isdigit() and not Path("/proc", owner).exists():
            (directory / SOCKET_NAME).unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # another speaker sweeps at the same time
                directory.rmdir()


def children(
    options: argparse.Namespace, link_fd: int, link: Path, locks: tuple[FolderLock, ...] = ()
) -> tuple[Child, Child]:
    """Engine and control as the options ask for them, not started yet.

    The engine inherits the locks: should the supervisor die, no other speaker of this node starts before it has left.
    """
    common = ["--node-name", options.node_name, "--log-level", options.log_level]
    engine = [sys.executable, "-m", "herald.engine", *common, "--link-fd", str(link_fd), "--supervised"]
    for name in ("members_dir", "show_socket"):
        if getattr(options, name) is not None:
            engine += [f"--{name.replace('_', '-')}", str(getattr(options, name))]
    engine += [f"--exclude-interface={pattern}" for pattern in options.exclude_interface or ()]
    engine += ["--exclude-no-interface"] if options.exclude_no_interface else []
    engine += options.engine or ()
    control = [sys.executable, "-m", "herald.speaker.control_process", *common, "--link", str(link), *options.control]
    return (
        Child(
            "engine",
            engine,
            (link_fd, *(lock.descriptor for lock in locks)),
            ENGINE_PATIENCE,
            Restarts(ENGINE_FIRST_WAIT, ENGINE_LONGEST_WAIT, ENGINE_FAILURES),
        ),
        Child("control", control, (), CONTROL_PATIENCE, Restarts(CONTROL_FIRST_WAIT, CONTROL_LONGEST_WAIT)),
    )


def parser() -> argparse.ArgumentParser:
    """The arguments of this process. `herald speaker` has the friendly ones and calls this."""
    arguments = argparse.ArgumentParser(
        prog="python -m herald.speaker.supervisor", description=__doc__.partition("\n")[0]
    )
    arguments.add_argument("--node-name", required=True, help="name of this node, as Kubernetes has it")
    arguments.add_argument("--members-dir", help="directory of heartbeats; without it this node knows of no others")
    arguments.add_argument("--show-socket", type=Path, help="Unix socket that `herald show` asks")
    arguments.add_argument("--log-level", default="info", help="all, debug, info, warn, error or none")
    arguments.add_argument("--run-dir", type=Path, help="where the private directory of the link is made")
    arguments.add_argument("--lock", type=Path, help="file that only one speaker of this node can hold")
    arguments.add_argument("--exclude-interface", action="append", help="pattern of interfaces that count as not there")
    arguments.add_argument("--exclude-no-interface", action="store_true", help="every interface counts")
    arguments.add_argument("--engine", action="append", help="argument for the engine, e.g. --engine=--ml-wan-config")
    arguments.add_argument("control", nargs="*", help="arguments for control, after --")
    return arguments


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a speaker until it is told to end; gives the exit code: 2 if it cannot run here as it is."""
    options = parser().parse_args(arguments)
    run_dir = options.run_dir or run_directory.choose()
    locks: tuple[FolderLock, ...] = ()
    try:
        preflight.check(run_dir, options.show_socket)
        locks = _hold(options)
        preflight.check_nobody_answers(options.show_socket)
        return _run(options, run_dir, locks)
    except preflight.RefusedError as error:
        return preflight.refuse("speaker", error)
    finally:
        for lock in locks:
            lock.release()


def _run(options: argparse.Namespace, run_dir: Path, locks: tuple[FolderLock, ...]) -> int:
    sweep(run_dir)
    directory = run_dir / f"{DIRECTORY_PREFIX}{os.getpid()}"
    listening, path = listen(directory)
    try:
        return Supervisor(*children(options, listening.fileno(), path, locks)).run()
    finally:
        path.unlink(missing_ok=True)
        directory.rmdir()
        if options.show_socket is not None:
            run_directory.remove_dead(options.show_socket)


def _hold(options: argparse.Namespace) -> tuple[FolderLock, ...]:
    """The lock, if one is wanted. A speaker may do without where it may not write: it keeps no records."""
    if options.lock is None:
        return ()
    try:
        return preflight.hold([(options.lock, f"a speaker of node {options.node_name} on this folder")])
    except OSError as error:
        _say("warn", "notLocked", f"nothing keeps a second speaker of {options.node_name} away: {error}")
        return ()


if __name__ == "__main__":
    sys.exit(main())
