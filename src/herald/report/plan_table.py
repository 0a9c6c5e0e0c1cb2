"""The plan for people: services with what becomes of them, owners, routes, problems, and what may be missing.

Without Nodes or EndpointSlices, as in most repositories, nothing is announced for certain; the table then says what is
to be expected, and how to see more. The JSON knows no such middle.
"""

from collections.abc import Iterable
from itertools import groupby

from herald.announcement.routes import communities_of, prefix_order
from herald.bgp.route import Route
from herald.config.problem import Problem, Severity
from herald.report.expectation import announced, names, unheard
from herald.report.hints import hints
from herald.report.origin import UNKNOWN, Origin
from herald.report.plan import BGPRow, Layer2Row, Plan, ServiceRow
from herald.report.table import Cell, Entries, Entry, Piece, Table, Tone, row

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
        *(() if plan.services else (_pools(plan),)),
        Table("LAYER 2", ("ADDRESS", "NODE", "INTERFACES", "SERVICE"), tuple(map(_owner, plan.layer2))),
        Table("BGP", ("PREFIX", "PEER", "NODES", "ATTRIBUTES", "SERVICES"), tuple(_routes(plan.bgp))),
        problem_entries(plan.problems),
        *hints(plan),
    )


def problem_entries(problems: Iterable[Problem], origin: Origin = UNKNOWN, title: str = "PROBLEMS") -> Entries:
    """Problems, gravest first; with the place of each object, if `origin` tells."""
    return Entries(title, tuple(_problem(problem, origin) for problem in problems))


def _service(plan: Plan, entry: ServiceRow) -> tuple[Cell, ...]:
    name = str(entry.service)
    if entry.reason is not None:
        return row(name, Cell("-", Tone.BAD), "-", Cell(entry.reason, Tone.BAD))
    ips = ", ".join(map(str, entry.ips))
    if entry.silence is not None:
        return row(name, ips, entry.pool or "-", Cell(unheard(plan, entry, entry.silence), Tone.WARNING))
    return row(name, ips, entry.pool or "-", Cell(announced(plan.study.decisions[entry.service]), Tone.GOOD))


def _owner(entry: Layer2Row) -> tuple[Cell, ...]:
    interfaces = "all" if entry.interfaces is None else ", ".join(entry.interfaces)
    node = f"{entry.node}, watched by {names(entry.watched_by)} if they gossip" if entry.watched_by else entry.node
    return row(str(entry.ip), node, interfaces, str(entry.service))


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
    if route.med is not None:
        parts.append(f"med {route.med}")
    if route.link_bandwidth is not None:
        parts.append(f"bandwidth {route.link_bandwidth} Mbit/s")
    return ", ".join(parts) or "-"


def _problem(problem: Problem, origin: Origin) -> Entry:
    where = f"{problem.namespace}/{problem.name}" if problem.namespace else problem.name
    what = f"{problem.field}: {problem.message}" if problem.field else problem.message
    severity = Cell(problem.severity.value, _TONES[problem.severity])
    place = origin.place(problem)
    head = row(severity, problem.rule, f"{problem.kind} {where}", *([f"({place})"] if place else []))
    return Entry(head, what)


def _pools(plan: Plan) -> Table:
    """What is there to be given, for an input that holds no Service to give it to."""
    config = plan.study.compiled.config
    rows = []
    for pool in config.pools.values():
        ways = [f"L2Advertisement {ad.name}" for ad in config.l2_advertisements if pool.name in ad.pools]
        ways += [f"BGPAdvertisement {ad.name}" for ad in config.bgp_advertisements if pool.name in ad.pools]
        given = "automatically" if pool.auto_assign else "on request"
        addresses = ", ".join(entry.text for entry in pool.ranges)
        rows.append(row(pool.name, addresses, given, names(ways) or Cell("nothing", Tone.WARNING)))
    return Table("POOLS", ("POOL", "ADDRESSES", "GIVEN", "ADVERTISED BY"), tuple(rows))
