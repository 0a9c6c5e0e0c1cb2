"""The plan for people: services with what becomes of them, owners, routes, problems, and what may be missing."""

from collections.abc import Iterable
from itertools import groupby

from herald.announcement.decide import Decision
from herald.announcement.routes import communities_of, prefix_order
from herald.bgp.route import Route
from herald.config.problem import Problem, Severity
from herald.report.plan import BGPRow, Layer2Row, Plan, ServiceRow
from herald.report.table import Cell, Note, Piece, Table, Tone, row

SHOWN_NODES = 4
_TONES = {Severity.ERROR: Tone.BAD, Severity.WARNING: Tone.WARNING, Severity.INFO: Tone.FAINT}


def plan_tables(plan: Plan) -> tuple[Piece, ...]:
    """All of the plan, in reading order."""
    return (
        Table(
            "SERVICES",
            ("SERVICE", "ADDRESS", "POOL", "ANNOUNCED"),
            tuple(_service(plan, entry) for entry in plan.services),
            "no Service of type LoadBalancer",
        ),
        Table("LAYER 2", ("ADDRESS", "NODE", "INTERFACES", "SERVICE"), tuple(map(_owner, plan.layer2))),
        Table("BGP", ("PREFIX", "PEER", "NODES", "ATTRIBUTES", "SERVICES"), tuple(_routes(plan.bgp))),
        problem_table(plan.problems),
        *hints(plan),
    )


def problem_table(problems: Iterable[Problem]) -> Table:
    """Problems, gravest first."""
    return Table("PROBLEMS", ("SEVERITY", "RULE", "OBJECT", "WHAT"), tuple(map(_problem, problems)))


def hints(plan: Plan) -> tuple[Note, ...]:
    """What the input lacks so that anything could be announced."""
    resources = plan.study.resources
    found: list[Note] = []
    if plan.services and not resources.nodes:
        found.append(_hint("no Node is in the input, and nodes are what announces: add `kubectl get nodes -o yaml`"))
    if plan.services and not resources.endpoint_slices and not plan.study.circumstances.assume_ready:
        found.append(_hint(f"no EndpointSlice is in the input, so no Service counts as ready: {_SLICES}"))
    return tuple(found)


_SLICES = "add `kubectl get endpointslices -A -o yaml`, or use --assume-ready"


def _hint(text: str) -> Note:
    return Note(f"Hint: {text}.", Tone.WARNING)


def _service(plan: Plan, entry: ServiceRow) -> tuple[Cell, ...]:
    name = str(entry.service)
    if entry.reason is not None:
        return row(name, Cell("-", Tone.BAD), "-", Cell(entry.reason, Tone.BAD))
    ips = ", ".join(map(str, entry.ips))
    if entry.silence is not None:
        return row(name, ips, entry.pool or "-", Cell(f"by nobody: {entry.silence}", Tone.WARNING))
    return row(name, ips, entry.pool or "-", Cell(_announced(plan.study.decisions[entry.service]), Tone.GOOD))


def _announced(decision: Decision) -> str:
    parts = []
    if decision.layer2.owner is not None:
        parts.append(f"Layer 2 by {decision.layer2.owner}")
    if decision.bgp.announcing:
        peers = {session.name for sessions in decision.bgp.announcing.values() for session, _ in sessions}
        parts.append(f"BGP by {names(decision.bgp.announcing)} to {names(peers)}")
    return "; ".join(parts)


def names(nodes: Iterable[str]) -> str:
    """Names in one cell: all of a few, the number of many."""
    ordered = sorted(nodes)
    return ", ".join(ordered) if len(ordered) <= SHOWN_NODES else f"{len(ordered)}: {', '.join(ordered[:2])}, …"


def _owner(entry: Layer2Row) -> tuple[Cell, ...]:
    interfaces = "all" if entry.interfaces is None else ", ".join(entry.interfaces)
    return row(str(entry.ip), entry.node, interfaces, str(entry.service))


def _routes(rows: Iterable[BGPRow]) -> Iterable[tuple[Cell, ...]]:
    """One row for all nodes that send the same to the same peer."""

    def alike(entry: BGPRow) -> tuple[object, ...]:
        return (prefix_order(entry.route.prefix), entry.peer, attributes(entry.route), entry.services)

    for _, group in groupby(sorted(rows, key=lambda entry: (*alike(entry), entry.node)), key=alike):
        same = list(group)
        yield row(
            str(same[0].route.prefix),
            same[0].peer,
            names(entry.node for entry in same),
            attributes(same[0].route),
            names(map(str, same[0].services)),
        )


def attributes(route: Route) -> str:
    """What a route carries beside its prefix, in a few words; `-` for nothing."""
    parts = [] if route.local_pref is None else [f"local-pref {route.local_pref}"]
    if communities := communities_of(route):
        parts.append("communities " + " ".join(community.text for community in communities))
    if route.prepend:
        parts.append("prepend " + " ".join(map(str, route.prepend)))
    return ", ".join(parts) or "-"


def _problem(problem: Problem) -> tuple[Cell, ...]:
    where = f"{problem.namespace}/{problem.name}" if problem.namespace else problem.name
    what = f"{problem.field}: {problem.message}" if problem.field else problem.message
    return row(Cell(problem.severity.value, _TONES[problem.severity]), problem.rule, f"{problem.kind} {where}", what)
