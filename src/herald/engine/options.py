"""What the engine process is started with, and the command line that says so."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from herald.layer2.announcer import DEFAULT_RATE
from herald.layer2.link import DEFAULT_EXCLUSIONS


@dataclass(frozen=True, slots=True)
class Options:
    """`link_fd` is a listening Unix socket, see `herald.speaker.supervisor`; no `members_dir`: the node is alone."""

    node: str
    link_fd: int
    members_dir: Path | None = None
    show_socket: Path | None = None
    log_level: str = "info"
    exclude_interfaces: tuple[str, ...] = DEFAULT_EXCLUSIONS
    gratuitous_rate: int = DEFAULT_RATE


def parse(arguments: Sequence[str] | None = None) -> Options:
    """The options that the command line says; exits with code 2 where it cannot be understood."""
    parser = argparse.ArgumentParser(prog="python -m herald.engine", description="The network process of a speaker.")
    parser.add_argument("--node-name", required=True, help="name of this node")
    parser.add_argument("--link-fd", required=True, type=int, help="inherited listening Unix socket for control")
    parser.add_argument("--members-dir", type=Path, help="directory of heartbeats; without it there are no other nodes")
    parser.add_argument("--show-socket", type=Path, help="Unix socket that `herald show` asks")
    parser.add_argument("--log-level", default="info", help="all, debug, info, warn, error or none")
    parser.add_argument("--exclude-interface", action="append", help="pattern of interfaces that count as not there")
    parser.add_argument("--exclude-no-interface", action="store_true", help="every interface counts")
    parser.add_argument("--gratuitous-rate", type=int, default=DEFAULT_RATE, help="gratuitous ARP frames per second")
    given = parser.parse_args(arguments)
    default = () if given.exclude_no_interface else DEFAULT_EXCLUSIONS
    patterns = default if given.exclude_interface is None else tuple(given.exclude_interface)
    return Options(
        given.node_name,
        given.link_fd,
        given.members_dir,
        given.show_socket,
        given.log_level,
        patterns,
        given.gratuitous_rate,
    )
