"""Who runs on a folder: files locked (flock) for as long as their holder, or a process it handed the lock to, lives.

DIR/.herald/controller.lock        the one controller of the folder
DIR/.herald/speaker.NODE.lock      the one speaker of a node

The kernel lets a lock go when the last process that has it open ends, however it ends; the file may stay behind and is
then simply locked again. In it stand the holder's pid and host, for people. Only processes that share a file system
with working locks see each other's: every local one, and NFS from version 4 on.
"""

import errno
import fcntl
import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

RECORDS: Final = ".herald"
SUFFIX: Final = ".lock"
PATIENCE_S: Final = 3.0
"""How long a holder that died may take to be gone with all it started."""
_POLL_S: Final = 0.05
_WITHOUT_LOCKS: Final = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that took a lock, as it wrote itself down; None while it has not yet."""

    pid: int | None
    host: str | None

    @property
    def is_dead(self) -> bool:
        """Whether it is surely gone; of another host's processes nothing is known."""
        return self.pid is not None and self.host == socket.gethostname() and not Path(f"/proc/{self.pid}").exists()

    def __str__(self) -> str:
        if self.pid is None:
            return "its pid is not known"
        if self.is_dead:
            return f"pid {self.pid} has died, but something that it started has not ended yet"
        return f"pid {self.pid}" if self.host == socket.gethostname() else f"pid {self.pid} on host {self.host}"


class TakenError(Exception):
    """Another process holds the lock; the text says what it is, and its pid."""

    def __init__(self, what: str, path: Path, holder: Holder) -> None:
        super().__init__(f"{what} runs already: {holder} ({path} is locked)")
        self.holder = holder


@dataclass(frozen=True, slots=True)
class FolderLock:
    """A lock that is held. A child that inherits `descriptor` holds it too."""

    path: Path
    descriptor: int

    def release(self) -> None:
        """Let go, and leave no file. To be called once, when no child holds it any more."""
        self.path.unlink(missing_ok=True)
        os.close(self.descriptor)


def controller_path(directory: Path) -> Path:
    """The lock of the controller of a folder."""
    return directory / RECORDS / f"controller{SUFFIX}"


def speaker_path(directory: Path, node: str) -> Path:
    """The lock of the speaker of `node` on a folder."""
    return directory / RECORDS / f"speaker.{node}{SUFFIX}"


def is_unsupported(error: OSError) -> bool:
    """Whether the file system knows no locks, so that nothing can be held there."""
    return error.errno in _WITHOUT_LOCKS


def acquire(path: Path, what: str, patience_s: float = PATIENCE_S) -> FolderLock:
    """The lock, not inheritable; `what` names its holder for people: "a controller of this folder".

    Waits only for what a dead holder left behind. Raises `TakenError`, or OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + patience_s
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        if _lock(descriptor):
            if _is_at(path, descriptor):
                _write_holder(descriptor)
                return FolderLock(path, descriptor)
            os.close(descriptor)  # it was removed between opening and locking: nobody else will look at this one
            continue
        holder = _read_holder(descriptor)
        os.close(descriptor)
        if time.monotonic() >= deadline or not (holder.is_dead or holder.pid is None):
            raise TakenError(what, path, holder)
        time.sleep(_POLL_S)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        os.close(descriptor)
        raise
    return True


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _write_holder(descriptor: int) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()} {socket.gethostname()}\n".encode(), 0)


def _read_holder(descriptor: int) -> Holder:
    pid, _, host = os.pread(descriptor, 512, 0).decode("utf-8", "replace").strip().partition(" ")
    return Holder(int(pid), host) if pid.isdecimal() and pid.isascii() else Holder(None, None)
