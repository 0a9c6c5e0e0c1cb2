"""The options that the running commands share, and how they become the process that runs."""

import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from herald.cluster.meta import is_dns_subdomain
from herald.speaker import run_directory

F = TypeVar("F", bound=Callable[..., Any])
NODE_NAME_RULE = (
    "lower-case letters, digits, - and . are allowed, each part between dots begins and ends with a letter or digit, "
    "253 characters at most"
)
DEFAULT_NAMESPACE = "metallb-system"
LOG_LEVELS = ("all", "debug", "info", "warn", "error", "none")

config_option = click.option(
    "--config",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Folder of manifests; it is watched, and statuses are kept in DIR/.herald.",
)
namespace_option = click.option(
    "-n",
    "--namespace",
    default=DEFAULT_NAMESPACE,
    show_default=True,
    metavar="NAME",
    help="Namespace of the metallb.io resources.",
)
class_option = click.option(
    "--lb-class",
    metavar="CLASS",
    help="Serve Services of this loadBalancerClass only; without it, those that have none.",
)
log_level_option = click.option(
    "--log-level", type=click.Choice(LOG_LEVELS), default="info", show_default=True, help="What to log, as JSON lines."
)
ignore_exclude_option = click.option(
    "--ignore-exclude-lb",
    is_flag=True,
    help="Announce from nodes labelled node.kubernetes.io/exclude-from-external-load-balancers too.",
)
show_socket_option = click.option(
    "--show-socket",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help=f"Socket that `herald show` asks.  [default: {run_directory.SYSTEM}/NODE.sock, where it may be written]",
)
members_option = click.option(
    "--members-dir",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where speakers see each other's heartbeats.  [default: CONFIG/.herald/members]",
)


def default_socket(node: str) -> Path:
    """Where the speaker of `node` answers `herald show`."""
    return run_directory.choose() / f"{node}.sock"


class NodeNameType(click.ParamType[str]):
    """The name of a node, as Kubernetes would take it."""

    name = "node"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name itself."""
        if not is_dns_subdomain(value):
            self.fail(f"{value!r} cannot be the name of a node: {NODE_NAME_RULE}", param, ctx)
        return value


def own_name() -> str:
    """The host's name as the name of a node. Ends the command with exit code 2 if it cannot be one."""
    name = socket.gethostname().lower()
    if not is_dns_subdomain(name):
        raise click.UsageError(
            f"this host is called {name!r}, which cannot be the name of a node ({NODE_NAME_RULE}); "
            "name it with --node-name"
        )
    return name


def options(**given: object) -> list[str]:
    """Command-line words for the options that are given: flags for True, nothing for None and False."""
    words = []
    for name, value in given.items():
        flag = f"--{name.replace('_', '-')}"
        if value is True:
            words.append(flag)
        elif value is not None and value is not False:
            words.append(f"{flag}={value}")
    return words


def become(module: str, words: list[str]) -> NoReturn:
    """Go on as `python -m module words…`: the process that stays does not carry the command line's imports."""
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", module, *words])  # noqa: S606  # our own interpreter and module
