"""`herald standalone`: controller and speaker in one, on a folder of manifests."""

from pathlib import Path
from typing import Any

import click

from herald.cli.exclusions import exclusions_option, supervisor_words
from herald.cli.layer2_options import layer2_options, layer2_words
from herald.cli.running import (
    NodeNameType,
    become,
    class_option,
    config_option,
    log_level_option,
    namespace_option,
    options,
    own_name,
    show_socket_option,
)


@click.command()
@config_option
@click.option(
    "--node-name",
    type=NodeNameType(),
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
@layer2_options
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
    **layer2: Any,
) -> None:
    """Controller and speaker for this host in one command: no cluster needed.

    The resources and what they do are the same as in a cluster. If the folder has no Node, this host is the node: a
    pool, an advertisement and a Service are enough. docs/how-to/plain-host.md goes through it, and says how the host
    accepts what arrives. Needs CAP_NET_RAW, or root. Exit code 2: it cannot run here, or the folder is taken.

    \b
    Examples:
      herald standalone --config /etc/herald
      herald standalone --config /etc/herald --node-name edge-1 --endpoints required
    """
    words = options(
        config=config,
        node_name=node_name or own_name(),
        endpoints=endpoints,
        namespace=namespace,
        lb_class=lb_class,
        show_socket=show_socket,
        log_level=log_level,
    )
    become("herald.standalone", [*words, *supervisor_words(exclude_interfaces_file), *layer2_words(layer2)])
