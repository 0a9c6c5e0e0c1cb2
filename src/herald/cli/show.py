"""`herald show`: the local speaker, live, over its Unix socket."""

import json
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from herald.cli.output import Format, output_option
from herald.cli.output import show as print_answer
from herald.cli.running import RUN_DIR, default_socket

F = TypeVar("F", bound=Callable[..., Any])
PATIENCE_S = 5.0
NOT_ACTIVE = "BFD is not active in this version: bfdProfile is checked and kept, and has no effect yet."


def where_options(command: F) -> F:
    """Which speaker is asked, and how its answer is printed."""
    socket_option = click.option("--socket", "path", type=click.Path(path_type=Path), help="Socket of the speaker.")
    node_option = click.option(
        "--node-name", envvar="METALLB_NODE_NAME", metavar="NODE", help=f"The speaker behind {RUN_DIR}/NODE.sock."
    )
    return socket_option(node_option(output_option(command)))


@click.group()
def show() -> None:
    """The local speaker, live: sessions, routes, Layer 2, members.

    Without --socket or --node-name the one speaker of this host is asked. Exit code 2 if none runs.

    \b
    Examples:
      herald show bgp summary
      herald show bgp routes -o json
      herald show l2 --node-name node-1
    """


@show.group()
def bgp() -> None:
    """BGP sessions and what is sent over them."""


@bgp.command()
@where_options
def summary(path: Path | None, node_name: str | None, output: Format) -> None:
    """One line per session: its state, since when, its times, what was sent and what went wrong last."""
    from herald.cli.show_tables import bgp_summary

    answer = ask("bgp summary", path, node_name)
    print_answer(output, lambda: bgp_summary(answer["data"]), lambda: answer)


@bgp.command()
@where_options
def routes(path: Path | None, node_name: str | None, output: Format) -> None:
    """The routes wished for towards each peer, with their attributes."""
    from herald.cli.show_tables import bgp_routes

    answer = ask("bgp routes", path, node_name)
    print_answer(output, lambda: bgp_routes(answer["data"]), lambda: answer)


@show.command()
@where_options
def bfd(path: Path | None, node_name: str | None, output: Format) -> None:
    """BFD sessions. None in this version."""
    from herald.report.table import Note

    del path, node_name
    answer = {"show": "bfd", "active": False, "note": NOT_ACTIVE, "data": []}
    print_answer(output, lambda: (Note(NOT_ACTIVE),), lambda: answer)


@show.command()
@where_options
def l2(path: Path | None, node_name: str | None, output: Format) -> None:
    """The addresses this node answers ARP for, and on which interfaces; conflicts heard."""
    from herald.cli.show_tables import layer2

    answer = ask("l2", path, node_name)
    print_answer(output, lambda: layer2(answer["data"]), lambda: answer)


@show.command()
@where_options
def members(path: Path | None, node_name: str | None, output: Format) -> None:
    """The nodes whose speaker is alive, and their usable interfaces, as this one sees it."""
    from herald.cli.show_tables import members as table

    answer = ask("members", path, node_name)
    print_answer(output, lambda: table(answer["data"]), lambda: answer)


def ask(question: str, path: Path | None, node_name: str | None) -> dict[str, Any]:
    """The speaker's answer. Ends the process with exit code 2 if there is none."""
    found = path or (default_socket(node_name) if node_name else _only_socket())
    try:
        line = _exchange(found, json.dumps({"show": question}).encode() + b"\n")
        answer = json.loads(line)
    except (FileNotFoundError, ConnectionRefusedError):
        _give_up(f"no speaker runs behind {found}; start one with `herald speaker`, or name its socket with --socket")
    except PermissionError:
        _give_up(f"{found} belongs to another user: only the user that runs the speaker, and root, may ask it")
    except (OSError, ValueError) as error:
        _give_up(f"the speaker behind {found} gave no answer: {error}")
    if not isinstance(answer, dict) or "data" not in answer:
        reason = answer.get("error", "it did not understand") if isinstance(answer, dict) else "it did not understand"
        _give_up(f"the speaker behind {found} cannot show {question}: {reason}")
    return answer


def _exchange(path: Path, question: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(PATIENCE_S)
        connection.connect(str(path))
        connection.sendall(question)
        with connection.makefile("rb") as answer:
            return answer.readline()


def _only_socket() -> Path:
    sockets = sorted(RUN_DIR.glob("*.sock")) if RUN_DIR.is_dir() else []
    if not sockets:
        _give_up(f"no speaker runs on this host: there is no socket in {RUN_DIR}; name another one with --socket")
    if len(sockets) > 1:
        names = ", ".join(path.stem for path in sockets)
        _give_up(f"several speakers run on this host: {names}; choose one with --node-name NODE or --socket PATH")
    return sockets[0]


def _give_up(message: str) -> NoReturn:
    click.echo(f"herald show: {message}", err=True)
    sys.exit(2)
