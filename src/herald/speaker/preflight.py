"""What is looked at before a speaker starts anything: it ends with one sentence instead of dying again and again.

Exit code 2, as for wrong usage: nothing was started, and nothing will be until somebody changes something.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from herald.engine import rights
from herald.speaker import run_directory
from herald.store import folder_lock
from herald.store.folder_lock import FolderLock, TakenError

REFUSED: Final = 2


class RefusedError(Exception):
    """This process is not to run; the text says why and what would be right."""


def check(run_dir: Path, show_socket: Path | None) -> None:
    """Rights and places. Raises `RefusedError`."""
    complaint = rights.missing()
    if complaint is not None:
        raise RefusedError(complaint)
    try:
        run_directory.prepare(run_dir)
        if show_socket is not None:
            run_directory.check_socket(show_socket)
            show_socket.parent.mkdir(parents=True, exist_ok=True)
    except run_directory.UnusableError as error:
        raise RefusedError(str(error)) from error
    except OSError as error:
        raise RefusedError(f"the folder of the show socket cannot be made: {error}; see --show-socket") from error


def hold(wanted: Sequence[tuple[Path, str]]) -> tuple[FolderLock, ...]:
    """All the locks, (path, what it is that has it), or none of them. Raises `RefusedError`, or OSError."""
    held: list[FolderLock] = []
    try:
        for path, what in wanted:
            held.append(folder_lock.acquire(path, what))
    except (TakenError, OSError) as error:
        for lock in held:
            lock.release()
        if isinstance(error, TakenError):
            raise RefusedError(str(error)) from error
        raise
    return tuple(held)


def check_nobody_answers(show_socket: Path | None) -> None:
    """Raises `RefusedError` if another speaker, one on another folder, is behind that socket. After `hold`."""
    if show_socket is not None and run_directory.listens(show_socket):
        raise RefusedError(
            f"another speaker answers at {show_socket} already; end it, or run this one under another --node-name "
            "or --show-socket"
        )


def refuse(command: str, error: RefusedError) -> int:
    """Say it to whoever started `herald COMMAND`; gives the exit code."""
    print(f"herald {command}: {error}", file=sys.stderr)  # noqa: T201  # this is how a command answers
    return REFUSED
