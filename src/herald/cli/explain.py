"""`herald explain`: why, or why not."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from herald.cli.inputs import Source, file_help, read_plan, settings, settings_options, source_options
from herald.cli.output import Format, output_option, show

if TYPE_CHECKING:
    from herald.report.explain import Explanation
    from herald.report.plan import Plan

SUBJECTS = ("svc", "ip", "pool", "peer", "node")


UNUSABLE = 3
"""The exit code for wrong usage and unreadable input: 2 is a verdict here."""


class Explain(click.Command):
    """A command whose errors exit with `UNUSABLE`."""

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        with _unusable():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        with _unusable():
            return super().invoke(ctx)


@contextmanager
def _unusable() -> Iterator[None]:
    try:
        yield
    except click.ClickException as error:
        error.show()
        raise click.exceptions.Exit(UNUSABLE) from error


@click.command(cls=Explain)
@click.argument("subject", type=click.Choice(SUBJECTS))
@click.argument("name")
@source_options(file_help)
@output_option
@settings_options
def explain(subject: str, name: str, output: Format, **options: Any) -> None:
    """Why (not): one service, address, pool, peer or node.

    SUBJECT is svc, ip, pool, peer or node; NAME is NAMESPACE/NAME of a Service (default/ may be left out), an
    address, or the name of the object. The last line is the verdict; the exit code is 0 if announced, 1 if not, 2 if in
    part or not as wished; 3 if the question or the input cannot be read.

    \b
    Examples:
      herald explain svc shop/web -f manifests/
      herald explain ip 192.168.1.200 -f manifests/
      herald explain peer router-1 -f manifests/ -o json
      kubectl herald explain svc shop/web
    """
    from herald.report.hints import hints

    plan = read_plan(Source.of(options), settings(**options))
    found = _explain(plan, subject, name)
    show(output, lambda: found.pieces(hints(plan)), found.to_json)
    sys.exit(found.verdict.state.exit_code)


def _explain(plan: "Plan", subject: str, name: str) -> "Explanation":
    from herald.cluster.meta import NamespacedName, NodeName, PeerName, PoolName
    from herald.net.ip_family import parse_address
    from herald.report.explain_config import explain_node, explain_peer, explain_pool
    from herald.report.explain_service import explain_address, explain_service

    match subject:
        case "svc":
            return explain_service(plan, NamespacedName.parse(name))
        case "ip":
            try:
                return explain_address(plan, parse_address(name))
            except ValueError as error:
                raise click.BadParameter(f"{name!r} is no IP address", param_hint="NAME") from error
        case "pool":
            return explain_pool(plan, PoolName(name))
        case "peer":
            return explain_peer(plan, PeerName(name))
        case _:
            return explain_node(plan, NodeName(name))
