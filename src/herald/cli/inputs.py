"""The options that every offline command has, and the plan they lead to."""

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

from herald.cli import files
from herald.cli.output import progress

if TYPE_CHECKING:
    from herald.allocator.assign import Claims
    from herald.config.resources import Resources
    from herald.report.plan import Plan

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


def file_option(words: str) -> Callable[[F], F]:
    """`-f`, at least once."""
    return click.option(
        "-f", "--filename", "paths", multiple=True, required=True, metavar="PATH", type=click.Path(), help=words
    )


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
)


def settings(
    namespace: str, members: str | None, lb_class: str | None, ignore_exclude_lb: bool, assume_ready: bool
) -> Settings:
    """The typed options as one value."""
    names = None if members is None else tuple(name for part in members.split(",") if (name := part.strip()))
    return Settings(namespace, names, lb_class or None, ignore_exclude_lb, assume_ready)


def read_plan(paths: Sequence[str], wanted: Settings, claims: "Claims | None" = None) -> "Plan":
    """The plan for what `paths` hold. `claims` are addresses that services hold already, whatever the files say."""
    from herald.cluster.meta import NodeName
    from herald.config.collect import collect
    from herald.report.origin import Origin
    from herald.report.plan import plan

    with progress("reading"), _without_collector():
        texts = files.read(paths)
        collected = collect(texts)
    resources = _with_named_nodes(collected.resources, wanted.members or ())
    with progress(f"deciding about {len(collected.resources.services)} Services"), _without_collector():
        return plan(
            resources,
            namespace=wanted.namespace,
            members=None if wanted.members is None else frozenset(map(NodeName, wanted.members)),
            load_balancer_class=wanted.lb_class,
            ignore_exclude_lb=wanted.ignore_exclude_lb,
            assume_ready=wanted.assume_ready,
            claims=claims or {},
            already=collected.problems,
            origin=Origin(collected.places, tuple(source for source, _ in texts), collected.embedded),
        )


def _with_named_nodes(resources: "Resources", members: Sequence[str]) -> "Resources":
    """With a bare Node for each of `members`, if there is no Node at all: a repository of manifests rarely has any."""
    from herald.cluster.meta import ObjectMeta
    from herald.cluster.node import Node

    if resources.nodes:
        return resources
    bare = (Node(metadata=ObjectMeta(name=name, labels={HOSTNAME_LABEL: name})) for name in members)
    return replace(resources, nodes=tuple(bare))


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
