"""`herald standalone`: controller and speaker in one, on a folder of manifests."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click

from herald.cli.bgp_options import bgp_options, bgp_words
from herald.cli.exclusions import exclusions_option, supervisor_words
from herald.cli.gossip_options import control_words, engine_words, gossip_options
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
    process_options,
    served,
    show_socket_option,
)

_PORTS: Final = ("port", "health_probe_port", "controller_port", "controller_health_probe_port")


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
@gossip_options
@bgp_options
@process_options
@click.option(
    "--controller-port",
    type=click.IntRange(0, 65535),
    help="Port of the controller's metrics; --port is the speaker's.  [default: none]",
)
@click.option(
    "--controller-health-probe-port",
    type=click.IntRange(0, 65535),
    help="HTTP port of the controller's /healthz and /readyz.  [default: none]",
)
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
    **given: Any,
) -> None:
    """Controller and speaker for this host in one command: no cluster needed.

    The resources and what they do are the same as in a cluster. If the folder has no Node, this host is the node: a
    pool, an advertisement and a Service are enough. docs/how-to/plain-host.md goes through it, and says how the host
    accepts what arrives. With --ml-join several hosts elect who answers, each on a folder of its own. Needs
    CAP_NET_RAW, or root. Exit code 2: it cannot run here, or the folder is taken.

    \b
    Examples:
      herald standalone --config /etc/herald
      herald standalone --config /etc/herald --node-name edge-1 --endpoints required
      herald standalone --config /etc/herald --port 9120 --controller-port 9121
      herald standalone --config /etc/herald --ml-bindaddr 192.0.2.11 --ml-secret-key-path /etc/herald-key --ml-join a,b
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
    words += [*supervisor_words(exclude_interfaces_file), *layer2_words(given), *_served(given)]
    words += bgp_words(given["bgp_listen"])
    words += [f"--control={word}" for word in control_words(given)]
    words += engine_words(given, given["ml_join"])
    become("herald.standalone", words)


def _served(given: Mapping[str, Any]) -> list[str]:
    """The words about metrics and probes, for either process its own ports; everything else holds for both."""
    for port, count in Counter(given[name] for name in _PORTS if given[name]).items():
        if count > 1:
            raise click.UsageError(
                f"port {port} is given to more than one: {', '.join(map(_option, _PORTS))} are four servers"
            )
    of_controller = {
        "port": given["controller_port"],
        "health_probe_port": given["controller_health_probe_port"],
    }
    speaker, controller = served(given), served({**given, **of_controller})
    return [*(f"--control={word}" for word in speaker), *(f"--controller={word}" for word in controller)]


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
