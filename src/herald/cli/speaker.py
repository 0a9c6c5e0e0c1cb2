"""`herald speaker`: announce addresses from this node."""

from pathlib import Path

import click

from herald.cli.exclusions import exclusions_option, supervisor_words
from herald.cli.running import (
    NodeNameType,
    become,
    class_option,
    config_option,
    default_socket,
    ignore_exclude_option,
    log_level_option,
    members_option,
    namespace_option,
    options,
    show_socket_option,
)
from herald.store.folder_lock import speaker_path


@click.command()
@config_option
@click.option(
    "--node-name",
    required=True,
    type=NodeNameType(),
    envvar="METALLB_NODE_NAME",
    show_envvar=True,
    metavar="NODE",
    help="Name of this node, as its Node object has it.",
)
@namespace_option
@class_option
@ignore_exclude_option
@show_socket_option
@members_option
@exclusions_option
@log_level_option
def speaker(
    config: Path,
    node_name: str,
    namespace: str,
    lb_class: str | None,
    ignore_exclude_lb: bool,
    show_socket: Path | None,
    members_dir: Path | None,
    exclude_interfaces_file: Path | None,
    log_level: str,
) -> None:
    """Announce addresses from this node, by ARP, NDP and BGP.

    Runs two processes: one that decides and one that owns the network, so that neither a busy nor a dead decider
    disturbs what is announced. On SIGTERM the node leaves in good order: others take over first. Needs CAP_NET_RAW, or
    root. Exit code 2: it cannot run here, or one runs for this node already.

    \b
    Examples:
      herald speaker --config /etc/herald --node-name node-1
      METALLB_NODE_NAME=node-1 herald speaker --config /etc/herald --ignore-exclude-lb
    """
    engine = options(
        node_name=node_name,
        log_level=log_level,
        show_socket=show_socket or default_socket(node_name),
        members_dir=members_dir or config / ".herald" / "members",
        lock=speaker_path(config, node_name),
    )
    control = options(config=config, namespace=namespace, lb_class=lb_class, ignore_exclude_lb=ignore_exclude_lb)
    become("herald.speaker.supervisor", [*engine, *supervisor_words(exclude_interfaces_file), "--", *control])
