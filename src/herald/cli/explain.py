"""`herald explain`: why, or why not."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from herald.cli.inputs import PLUGIN, Settings, Source, file_help, read_plan, settings, settings_options, source_options
from herald.cli.output import Format, output_option, show
from herald.cli.show import ask, speaker_options

if TYPE_CHECKING:
    from herald.report.explain import Explanation
    from herald.report.plan import Plan
    from herald.report.table import Note

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
@speaker_options
@output_option
@settings_options
def explain(subject: str, name: str, path: Path | None, node_name: str | None, output: Format, **options: Any) -> None:
    """Why (not): one service, address, pool, peer or node.

    SUBJECT is svc, ip, pool, peer or node; NAME is NAMESPACE/NAME of a Service (default/ may be left out), an
    address, or the name of the object. The last line is the verdict; the exit code is 0 if announced, 1 if not, 2 if in
    part or not as wished; 3 if the question or the input cannot be read.

    Without -f and --live, `explain peer` asks the speaker of this host how the session stands at this moment, why it is
    not up, and what to do. With --live and no -f it says how the sessions of all nodes stand, as their speakers have
    told the API server.

    \b
    Examples:
      herald explain peer router-1
      herald explain svc shop/web -f manifests/
      herald explain ip 192.168.1.200 -f manifests/
      herald explain peer router-1 -f manifests/ -o json
      herald explain peer router-1 --live
      kubectl herald explain svc shop/web
    """
    from herald.report.hints import hints

    if subject == "peer" and _means_speaker(options):
        _conclude(_ask_speaker(name, path, node_name), output)
    if path is not None:
        raise click.UsageError("--socket is for `explain peer` without -f and --live")
    source = Source.of(options)
    wanted = settings(**options)
    plan = read_plan(source, wanted)
    found = _explain(plan, subject, name)
    if subject == "peer" and source.live and not source.paths:
        found = _with_statuses(found, source, wanted)
    _conclude(found, output, hints(plan))


def _conclude(found: "Explanation", output: Format, hints: "Iterable[Note]" = ()) -> NoReturn:
    show(output, lambda: found.pieces(hints), found.to_json)
    sys.exit(found.verdict.state.exit_code)


def _means_speaker(options: dict[str, Any]) -> bool:
    is_plugin = click.get_current_context().find_root().info_name == PLUGIN
    return not is_plugin and not any(options[one] for one in ("paths", "live", "kubeconfig", "context"))


def _ask_speaker(name: str, path: Path | None, node_name: str | None) -> "Explanation":
    from herald.cli.explain_session import explain_session

    answer = ask("bgp summary", path, node_name)
    return explain_session(answer["node"], answer["data"], name)


def _with_statuses(found: "Explanation", source: Source, wanted: Settings) -> "Explanation":
    from datetime import UTC, datetime

    from herald.cli import live
    from herald.cli.explain_statuses import with_statuses

    told = live.sessions(source.kubeconfig, source.context, wanted.namespace, found.name)
    return found if told is None else with_statuses(found, told, datetime.now(UTC))


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
