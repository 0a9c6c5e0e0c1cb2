"""`herald standalone`: controller and speaker in one, on a folder of manifests."""

import socket
from pathlib import Path

import click

from herald.cli.exclusions import exclusions_option, supervisor_words
from herald.cli.running import (
    become,
    class_option,
    config_option,
    log_level_option,
    namespace_option,
    options,
    show_socket_option,
)


@click.command()
@config_option
@click.option(
    "--node-name",
    envvar="METALLB_NODE_NAME",
    show_envvar=True,
    metavar="NODE",
    help="Name of this host.  [default: its host name]",
)
@click.option(
    "--endpoints",
    type=click.Choice(("assumed", "required")),
    default="assumed",
    show_default=True,
    help="assumed: a Service without any EndpointSlice is served by this host.",
)
@namespace_option
@class_option
@show_socket_option
@exclusions_option
@log_level_option
def standalone(
    config: Path,
    node_name: str | None,
    endpoints: str,
    namespace: str,
    lb_class: str | None,
    show_socket: Path | None,
    exclude_interfaces_file: Path | None,
    log_level: str,
) -> None:
    """Controller and speaker for this host in one command: no cluster needed, the same resources, the same behaviour.

    If the folder has no Node, this host is the node. Anycast hosts and home labs need no more than a pool, an
    advertisement and a Service.

    \b
    Examples:
      herald standalone --config /etc/herald
      herald standalone --config /etc/herald --node-name edge-1 --endpoints required
    """
    words = options(
        config=config,
        node_name=node_name or socket.gethostname().lower(),
        endpoints=endpoints,
        namespace=namespace,
        lb_class=lb_class,
        show_socket=show_socket,
        log_level=log_level,
    )
    become("herald.standalone", [*words, *supervisor_words(exclude_interfaces_file)])
