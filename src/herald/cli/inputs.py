"""The options that say what a plan is made of, files, a cluster or both, and the plan they lead to."""

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from herald.cli import files
from herald.cli.output import progress

if TYPE_CHECKING:
    from herald.allocator.assign import Claims
    from herald.config.collect import Collected
    from herald.config.resources import Resources
    from herald.report.plan import Plan
    from herald.report.study import Alive, AtWork

F = TypeVar("F", bound=Callable[..., Any])
DEFAULT_NAMESPACE = "metallb-system"
HOSTNAME_LABEL = "kubernetes.io/hostname"


@dataclass(frozen=True, slots=True)
class Settings:
    """What was typed besides the files."""

    namespace: str
    members: tuple[str, ...] | None
    lb_class: str | None
    ignore_exclude_lb: bool
    assume_ready: bool
    speaker: Path | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """Where the objects are: in `paths`, in a cluster, or there with those in `paths` applied to it."""

    paths: tuple[str, ...]
    live: bool = False
    kubeconfig: Path | None = None
    context: str | None = None

    @classmethod
    def of(cls, options: dict[str, Any]) -> "Source":
        """From what was typed, which is taken out of `options`. As a kubectl plugin the cluster is what is meant.

        Raises click.UsageError if nothing was named.
        """
        names = ("paths", "live", "kubeconfig", "context")
        paths, live, kubeconfig, context = (options.pop(name) for name in names)
        is_plugin = click.get_current_context().find_root().info_name == PLUGIN
        is_live = bool(live or kubeconfig or context or (is_plugin and not paths))
        if not paths and not is_live:
            raise click.UsageError(NOTHING_NAMED)
        return cls(tuple(paths), is_live, kubeconfig, context)


PLUGIN = "kubectl herald"
NOTHING_NAMED = (
    "say what to read: -f PATH for manifests, or --live for the cluster of your kubeconfig. Of both: "
    "`kubectl get nodes,svc,endpointslices -A -o yaml` into -f -, beside -f PATH. On a host without a cluster: -f with "
    "the folder of `herald standalone`, and --ask-speaker SOCKET to have from its speaker who is alive; what that "
    "speaker does now is in `herald show l2` and `herald show bgp routes`, what it did in `herald history`"
)


def source_options(words: str) -> Callable[[F], F]:
    """The options behind `Source`; `words` explain `-f`."""

    def added(command: F) -> F:
        for option in (
            click.option("--context", metavar="NAME", help="Which context of the kubeconfig; it implies --live."),
            click.option(
                "--kubeconfig",
                metavar="FILE",
                type=click.Path(path_type=Path),
                help="How to reach the cluster, instead of $KUBECONFIG and ~/.kube/config; it implies --live.",
            ),
            click.option("--live", is_flag=True, help="Ask the cluster; -f is applied to what is there, to see."),
            click.option("-f", "--filename", "paths", multiple=True, metavar="PATH", type=click.Path(), help=words),
        ):
            command = option(command)
        return command

    return added


file_help = "A file, a folder (all YAML and JSON below it), or - for standard input. May be given more than once."


def settings_options(command: F) -> F:
    """The options behind `Settings`, in the order of the help text."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


_OPTIONS = (
    click.option(
        "-n",
        "--namespace",
        default=DEFAULT_NAMESPACE,
        show_default=True,
        metavar="NAME",
        help="Namespace of the metallb.io resources; elsewhere they are errors (HL030).",
    ),
    click.option(
        "--members",
        metavar="NODE,…",
        help="Only these nodes run a live speaker. Without it, every Node in the input does. If the input has no Node, "
        "these are the nodes, with kubernetes.io/hostname as their only label.",
    ),
    click.option(
        "--lb-class", metavar="NAME", help="Serve Services of this loadBalancerClass instead of those without."
    ),
    click.option(
        "--ignore-exclude-lb",
        is_flag=True,
        help="Let nodes announce that are labelled node.kubernetes.io/exclude-from-external-load-balancers.",
    ),
    click.option(
        "--assume-ready",
        is_flag=True,
        help="A Service without any EndpointSlice in the input counts as ready on every node.",
    ),
    click.option(
        "--ask-speaker",
        metavar="SOCKET",
        type=click.Path(path_type=Path),
        help="Take from the speaker behind this socket (as `herald show` has it) who is alive, with which interfaces, "
        "and who keeps what under `failback` and `flapDamping`; `explain` also looks what it answers for. If the input "
        "has no Node, whoever is alive is a node, "
        "and without EndpointSlices every Service counts as ready, as with `herald standalone`.",
    ),
)


def settings(
    namespace: str,
    members: str | None,
    lb_class: str | None,
    ignore_exclude_lb: bool,
    assume_ready: bool,
    ask_speaker: Path | None,
) -> Settings:
    """The typed options as one value."""
    names = None if members is None else tuple(name for part in members.split(",") if (name := part.strip()))
    if names is not None and ask_speaker is not None:
        raise click.UsageError(
            "--members and --ask-speaker both say who is alive, and which nodes there are if the input has none; give "
            "one of them"
        )
    return Settings(namespace, names, lb_class or None, ignore_exclude_lb, assume_ready, ask_speaker)


def read_plan(source: Source, wanted: Settings) -> "Plan":
    """The plan for what `source` has; where that is a folder on which Herald runs, as Herald sees it."""
    from herald.cli.overlays import with_statuses

    return plan_of(with_statuses(read(source, wanted), source.paths), wanted)


def read(source: Source, wanted: Settings, below: "Collected | None" = None) -> "Collected":
    """What `source` has. With `below` the cluster is not asked: that is what it has said already."""
    from herald.config.collect import collect, overlaid

    with progress("reading"), _without_collector():
        found = collect(files.read(source.paths))
    if below is None and source.live:
        from herald.cli import live

        with progress("asking the cluster"):
            below = live.read(source.kubeconfig, source.context, wanted.namespace)
    return found if below is None else overlaid(below, found)


def plan_of(found: "Collected", wanted: Settings, claims: "Claims | None" = None) -> "Plan":
    """The plan for what was read. `claims` are addresses that services hold already, whatever was read."""
    from herald.cluster.meta import NodeName
    from herald.report.origin import Origin
    from herald.report.plan import plan

    alive = None if wanted.speaker is None else _alive(wanted.speaker)
    resources = _with_named_nodes(found.resources, wanted.members or (sorted(alive.members) if alive else ()))
    with progress(f"deciding about {len(found.resources.services)} Services"), _without_collector():
        return plan(
            resources,
            namespace=wanted.namespace,
            members=None if wanted.members is None else frozenset(map(NodeName, wanted.members)),
            load_balancer_class=wanted.lb_class,
            ignore_exclude_lb=wanted.ignore_exclude_lb,
            assume_ready=wanted.assume_ready or (alive is not None and _is_plain_host(found.resources)),
            claims=claims or {},
            already=found.problems,
            origin=Origin(found.places, found.sources, found.embedded),
            alive=alive,
        )


def _alive(speaker: Path) -> "Alive":
    """What the speaker behind that socket has of all. Ends the process if it does not answer."""
    from herald.announcement.told import decode, told_by
    from herald.cli.show import ask
    from herald.cluster.meta import NodeName
    from herald.report.study import Alive

    answer = ask("members", speaker, None, "--ask-speaker")
    rows = [row for row in answer["data"] if row.get("state", "alive") in ("alive", "suspect")]
    notes = {NodeName(row["name"]): None if row["note"] is None else decode(bytes.fromhex(row["note"])) for row in rows}
    usable = {NodeName(row["name"]): row["interfaces"] for row in rows}
    interfaces = {node: frozenset(names) for node, names in usable.items() if names is not None}
    return Alive(frozenset(notes), interfaces, told_by(notes), _at_work(speaker))


def _at_work(speaker: Path) -> "AtWork":
    """What that speaker answers for. Ends the process if it does not say."""
    from herald.cli.show import ask
    from herald.cluster.meta import NodeName
    from herald.net.ip_family import parse_address
    from herald.report.study import AtWork

    answer = ask("l2", speaker, None, "--ask-speaker")
    held = {parse_address(one["ip"]): one for one in answer["data"]["holdings"]}
    return AtWork(
        NodeName(answer["node"]),
        {ip: tuple(one["answeredOn"]) for ip, one in held.items() if one["answeredOn"]},
        {ip: one["reason"] or "no interface is ready yet" for ip, one in held.items() if not one["answeredOn"]},
        {parse_address(one["ip"]): f"{one['mac']} on {one['interface']}" for one in answer["data"]["inUse"]},
    )


def _with_named_nodes(resources: "Resources", members: Sequence[str]) -> "Resources":
    """With a bare Node for each of `members`, if there is no Node at all: a repository of manifests rarely has any."""
    from herald.cluster.meta import ObjectMeta
    from herald.cluster.node import Node

    if resources.nodes:
        return resources
    bare = (Node(metadata=ObjectMeta(name=name, labels={HOSTNAME_LABEL: name})) for name in members)
    return replace(resources, nodes=tuple(bare))


def _is_plain_host(resources: "Resources") -> bool:
    """Whether nothing of a cluster is there; `herald standalone` then takes every Service as ready."""
    return not resources.nodes and not resources.endpoint_slices


@contextmanager
def _without_collector() -> Iterator[None]:
    """No search for cyclic garbage meanwhile: there is none, and for 10,000 Services it takes a third of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
