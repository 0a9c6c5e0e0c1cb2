"""The options that the running commands share, and how they become the process that runs."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])
DEFAULT_NAMESPACE = "metallb-system"
LOG_LEVELS = ("all", "debug", "info", "warn", "error", "none")
RUN_DIR = Path("/run/herald")

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
    help=f"Socket that `herald show` asks.  [default: {RUN_DIR}/NODE.sock]",
)
members_option = click.option(
    "--members-dir",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where speakers see each other's heartbeats.  [default: CONFIG/.herald/members]",
)


def default_socket(node: str) -> Path:
    """Where the speaker of `node` answers `herald show`."""
    return RUN_DIR / f"{node}.sock"


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
