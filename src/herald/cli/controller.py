"""`herald controller`: hand out addresses to Services."""

from pathlib import Path

import click

from herald.cli.running import become, class_option, config_option, log_level_option, namespace_option, options


@click.command()
@config_option
@namespace_option
@class_option
@log_level_option
def controller(config: Path, namespace: str, lb_class: str | None, log_level: str) -> None:
    """Hand out addresses of IPAddressPools to Services of type LoadBalancer.

    Watches a folder of manifests and writes what each Service got into DIR/.herald/status, for speakers to read. One
    controller per folder; killed at any moment and started again, it moves no valid address.

    \b
    Examples:
      herald controller --config /etc/herald
      herald controller --config /etc/herald --lb-class example.com/herald --log-level debug
    """
    become(
        "herald.controller.process",
        options(config=config, namespace=namespace, lb_class=lb_class, log_level=log_level),
    )
