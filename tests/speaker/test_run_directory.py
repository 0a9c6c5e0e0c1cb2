"""Where a speaker's sockets are, and which of them count."""

import os
import socket
from pathlib import Path

import pytest

from herald.speaker.run_directory import (
    LONGEST_SOCKET_PATH,
    UnusableError,
    answering,
    candidates,
    check_socket,
    choose,
    prepare,
    remove_dead,
)


def bound(path: Path) -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    made.bind(str(path))
    return made


def test_the_directory_of_the_system_is_preferred_then_that_of_the_user(tmp_path: Path) -> None:
    system, of_user = tmp_path / "run" / "herald", tmp_path / "user"
    environment = {"XDG_RUNTIME_DIR": str(of_user)}
    assert candidates(environment, system)[:2] == (system, of_user / "herald")
    of_user.mkdir()
    assert choose(environment, system) == of_user / "herald"
    system.parent.mkdir()
    assert choose(environment, system) == system


def test_without_any_there_is_one_in_tmp_with_the_users_number(tmp_path: Path) -> None:
    assert choose({}, tmp_path / "none" / "herald").name == f"herald-{os.getuid()}"


def test_a_directory_that_others_may_write_to_is_not_used(tmp_path: Path) -> None:
    laid = tmp_path / "herald-0"
    laid.mkdir()
    laid.chmod(0o777)
    with pytest.raises(UnusableError, match="belongs to somebody else"):
        prepare(laid)
    laid.chmod(0o700)
    prepare(laid)


def test_a_directory_that_cannot_be_made_is_refused_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UnusableError, match=f"{tmp_path}/file/herald cannot be made: not a directory"):
        prepare(tmp_path / "file" / "herald")


@pytest.mark.parametrize(("octets", "fits"), [(LONGEST_SOCKET_PATH, True), (LONGEST_SOCKET_PATH + 1, False)])
def test_a_socket_path_is_refused_exactly_when_the_kernel_would(tmp_path: Path, octets: int, fits: bool) -> None:
    path = tmp_path / ("x" * (octets - len(str(tmp_path)) - 1))
    try:
        check_socket(path)
        refused = False
    except UnusableError:
        refused = True
    assert refused is not fits
    if fits:
        bound(path).close()


def test_sockets_that_nobody_listens_on_do_not_count(tmp_path: Path) -> None:
    (tmp_path / "herald").mkdir()
    with bound(tmp_path / "herald" / "live.sock") as live:
        live.listen()
        bound(tmp_path / "herald" / "dead.sock").close()
        environment = {"XDG_RUNTIME_DIR": str(tmp_path)}
        assert answering(environment, tmp_path / "none") == [tmp_path / "herald" / "live.sock"]


def test_only_a_dead_socket_is_removed(tmp_path: Path) -> None:
    dead, live, file = tmp_path / "dead", tmp_path / "live", tmp_path / "file"
    file.touch()
    bound(dead).close()
    with bound(live) as listening:
        listening.listen()
        for path in (dead, live, file, tmp_path / "none"):
            remove_dead(path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "live"]
