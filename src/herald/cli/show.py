"""`herald show`: the local speaker, live, over its Unix socket."""

import json
import os
import socket
import sys
from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click
from click.core import ParameterSource

from herald.cli.output import Format, output_option
from herald.cli.output import show as print_answer
from herald.speaker import run_directory

F = TypeVar("F", bound=Callable[..., Any])
PATIENCE_S = 5.0
SOCKET_VARIABLE = "HERALD_SOCKET"
_ASKING = ("vtysh", "explain", "plan", "diff", "lint", "history")
"""The commands besides `herald show` that ask a speaker."""


def where_options(command: F) -> F:
    """Which speaker is asked, and how its answer is printed."""
    return speaker_options(output_option(command))


def speaker_options(command: F) -> F:
    """Which speaker is asked."""
    socket_option = click.option(
        "--socket",
        "path",
        type=click.Path(path_type=Path),
        help=f"Socket of the speaker.  [env var: {SOCKET_VARIABLE}]",
    )
    node_option = click.option(
        "--node-name",
        envvar="METALLB_NODE_NAME",
        show_envvar=True,
        metavar="NODE",
        help=f"The speaker behind {run_directory.SYSTEM}/NODE.sock.",
    )
    return socket_option(node_option(command))


@click.group()
def show() -> None:
    """The local speaker, live: sessions, routes, Layer 2, members.

    Without --socket, --node-name or HERALD_SOCKET the one speaker of this host is asked. Exit code 2 if none runs.

    \b
    Examples:
      herald show bgp summary
      herald show bgp routes -o json
      herald show l2 --node-name node-1
    """


@show.group()
def bgp() -> None:
    """BGP sessions and what is sent over them.

    \b
    Examples:
      herald show bgp summary
      herald show bgp routes -o json
    """


@bgp.command()
@where_options
def summary(path: Path | None, node_name: str | None, output: Format) -> None:
    """The sessions, one line each.

    Their state and since when, their times, what was sent, and what went wrong last.

    \b
    Examples:
      herald show bgp summary
      herald show bgp summary -o json | jq -r '.data[] | select(.state != "Established") | .peer'
    """
    from herald.cli.show_tables import bgp_summary

    answer = ask("bgp summary", path, node_name)
    print_answer(output, lambda: bgp_summary(answer["data"]), lambda: answer)


@bgp.command()
@click.argument("peer", required=False)
@where_options
def neighbors(peer: str | None, path: Path | None, node_name: str | None, output: Format) -> None:
    """The sessions in detail, or the one of PEER.

    The capabilities of both ends, each family's routes, graceful restart, and what went wrong.

    \b
    Examples:
      herald show bgp neighbors
      herald show bgp neighbors router-1 -o json | jq '.data[0].gracefulRestart'
    """
    from herald.cli.show_neighbors import neighbors as pieces

    answer = ask("bgp summary", path, node_name)
    if peer is not None:
        known = [each["peer"] for each in answer["data"]]
        answer["data"] = [each for each in answer["data"] if each["peer"] == peer]
        if not answer["data"]:
            _give_up(f"this node has no BGP session with {peer}; it has {', '.join(known) or 'none'}")
    print_answer(output, lambda: pieces(answer["data"]), lambda: answer | {"show": "bgp neighbors"})


@bgp.command()
@where_options
def routes(path: Path | None, node_name: str | None, output: Format) -> None:
    """The routes wished for towards each peer.

    With their attributes, and whether a session stands to carry them.

    \b
    Examples:
      herald show bgp routes
      herald show bgp routes --node-name node-1 -o yaml
    """
    from herald.cli.show_tables import bgp_routes

    answer = ask("bgp routes", path, node_name)
    answer["data"].sort(key=_route_order)
    print_answer(output, lambda: bgp_routes(answer["data"]), lambda: answer)


@show.command()
@where_options
def bfd(path: Path | None, node_name: str | None, output: Format) -> None:
    """BFD sessions, one line each.

    How they stand, how often packets are sent, and after how long a peer is taken to be gone.

    \b
    Examples:
      herald show bfd
      herald show bfd -o json | jq '.data.sessions[] | select(.state != "Up")'
    """
    from herald.cli.show_tables import bfd as table

    answer = ask("bfd", path, node_name)
    print_answer(output, lambda: table(answer["data"]), lambda: answer)


@show.command()
@where_options
def l2(path: Path | None, node_name: str | None, output: Format) -> None:
    """The addresses that this node answers for.

    By ARP and NDP, on which interfaces, and which other machines were heard to use them.

    \b
    Examples:
      herald show l2
      herald show l2 -o json | jq '.data.conflicts'
    """
    from herald.cli.show_tables import layer2

    answer = ask("l2", path, node_name)
    print_answer(output, lambda: layer2(answer["data"]), lambda: answer)


@show.command()
@where_options
def members(path: Path | None, node_name: str | None, output: Format) -> None:
    """The nodes whose speaker is alive.

    And the usable interfaces of each, as this speaker sees them; with gossip also between whom packets do not arrive.

    \b
    Examples:
      herald show members
      herald show members --socket /run/herald/node-1.sock
    """
    from herald.cli.show_tables import members as table

    answer = ask("members", path, node_name)
    if any("state" in each for each in answer["data"]):
        gossip = ask("gossip", path, node_name)["data"] or {}
        answer["unreachable"] = gossip.get("unreachable", [])
    print_answer(output, lambda: table(answer["data"], answer.get("unreachable", [])), lambda: answer)


def ask(question: str, path: Path | None, node_name: str | None, option: str = "--socket") -> dict[str, Any]:
    """The speaker's answer. Ends the process with exit code 2 if there is none. `option` is what `path` came from."""
    found = path or _named(node_name) or _only_socket()
    try:
        answer = exchange(found, question)
    except (FileNotFoundError, ConnectionRefusedError):
        _give_up(f"no speaker runs behind {found}; start one with `herald speaker`, or name its socket with {option}")
    except PermissionError:
        _give_up(f"{found} belongs to another user: only the user that runs the speaker, and root, may ask it")
    except (OSError, ValueError) as error:
        _give_up(f"the speaker behind {found} gave no answer: {error}")
    if not isinstance(answer, dict) or "data" not in answer:
        reason = answer.get("error", "it did not understand") if isinstance(answer, dict) else "it did not understand"
        _give_up(f"the speaker behind {found} cannot show {question}: {reason}")
    return answer


def _route_order(route: dict[str, Any]) -> tuple[str, int, int, int]:
    prefix = ip_network(route["prefix"])
    return route["peer"], prefix.version, int(prefix.network_address), prefix.prefixlen


def exchange(path: Path, question: str) -> Any:
    """The speaker's answer, whatever it is. Raises OSError, and ValueError for what is not JSON."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(PATIENCE_S)
        connection.connect(str(path))
        connection.sendall(json.dumps({"show": question}).encode() + b"\n")
        with connection.makefile("rb") as answer:
            return json.loads(answer.readline())


def _named(node_name: str | None) -> Path | None:
    """The socket that was asked for otherwise; what was typed counts before what stands in the environment."""
    context = click.get_current_context()
    is_typed = context.get_parameter_source("node_name") is ParameterSource.COMMANDLINE
    of_environment = os.environ.get(SOCKET_VARIABLE)
    if of_environment and not is_typed:
        return Path(of_environment)
    if node_name is None:
        return None
    places = [directory / f"{node_name}.sock" for directory in run_directory.candidates()]
    return next((path for path in places if path.exists()), places[0])


def _only_socket() -> Path:
    sockets = run_directory.answering()
    if not sockets:
        looked = ", ".join(map(str, run_directory.candidates()))
        _give_up(f"no speaker runs on this host: nobody listens in {looked}; name another socket with --socket")
    if len(sockets) > 1:
        names = ", ".join(path.stem for path in sockets)
        _give_up(f"several speakers run on this host: {names}; choose one with --node-name NODE or --socket PATH")
    return sockets[0]


def _give_up(message: str) -> NoReturn:
    path = click.get_current_context().command_path.split()
    command = next((word for word in _ASKING if word in path), "show")
    click.echo(f"herald {command}: {message}", err=True)
    sys.exit(3 if command == "explain" else 2)  # for `explain`, 2 is a verdict
