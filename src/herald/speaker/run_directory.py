"""Where a speaker keeps its sockets, and where `herald show` looks for them.

/run/herald                    root, or whoever may write there (RuntimeDirectory=herald of a systemd unit)
$XDG_RUNTIME_DIR/herald        anybody else
/tmp/herald-UID                without such a directory; it must be ours alone
"""

import os
import socket
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

SYSTEM: Final = Path("/run/herald")
LONGEST_SOCKET_PATH: Final = 107
"""Octets, unix(7)."""
_PATIENCE_S: Final = 1.0


class UnusableError(Exception):
    """A directory or a path cannot serve; the text says why."""


def candidates(environment: Mapping[str, str] = os.environ, system: Path = SYSTEM) -> tuple[Path, ...]:
    """The places in the order of preference."""
    of_user = environment.get("XDG_RUNTIME_DIR")
    temporary = Path(tempfile.gettempdir()) / f"herald-{os.getuid()}"
    return (system, Path(of_user) / "herald", temporary) if of_user else (system, temporary)


def choose(environment: Mapping[str, str] = os.environ, system: Path = SYSTEM) -> Path:
    """The first place that this process may write in, or could make."""
    *shared, temporary = candidates(environment, system)
    return next((path for path in shared if _is_writable(path)), temporary)


def prepare(directory: Path) -> None:
    """Make it if need be. Raises `UnusableError`: one in /tmp may have been laid there by somebody else."""
    try:
        directory.mkdir(mode=0o755 if directory == SYSTEM else 0o700, parents=True, exist_ok=True)
        status = directory.lstat()
    except OSError as error:
        raise UnusableError(f"{directory} cannot be made: {(error.strerror or str(error)).lower()}") from error
    if directory != SYSTEM and (directory.is_symlink() or status.st_uid != os.getuid() or status.st_mode & 0o022):
        raise UnusableError(f"{directory} belongs to somebody else; set XDG_RUNTIME_DIR to a directory of your own")


def check_socket(path: Path) -> None:
    """Raises `UnusableError` for a path that the kernel has no room for."""
    octets = len(os.fsencode(path))
    if octets > LONGEST_SOCKET_PATH:
        raise UnusableError(
            f"the socket path {path} has {octets} octets, the kernel takes {LONGEST_SOCKET_PATH}; "
            "name a shorter one with --show-socket"
        )


def answering(environment: Mapping[str, str] = os.environ, system: Path = SYSTEM) -> list[Path]:
    """The show sockets of the speakers that run on this host, as far as this user can see them."""
    places = candidates(environment, system)
    return [path for place in places for path in sorted(place.glob("*.sock")) if listens(path)]


def listens(path: Path) -> bool:
    """Whether a process is behind the socket; one that was killed leaves its socket there."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_PATIENCE_S)
        try:
            connection.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:  # it belongs to another user, or is too busy: asking it will say which
            return True
    return True


def remove_dead(path: Path) -> None:
    """Remove the socket of an engine that is gone, unless another process has taken its place meanwhile."""
    if path.is_socket() and not listens(path):
        path.unlink(missing_ok=True)


def _is_writable(path: Path) -> bool:
    return os.access(path if path.exists() else path.parent, os.W_OK | os.X_OK)
