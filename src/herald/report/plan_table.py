"""The plan for people: services with what becomes of them, owners, routes, problems, and what may be missing.

Without Nodes or EndpointSlices, as in most repositories, nothing is announced for certain; the table then says what is
to be expected, and how to see more. The JSON knows no such middle.
"""

from collections.abc import Iterable
from itertools import groupby

from herald.announcement.decide import Decision, decide
from herald.announcement.readiness import ASSUMED
from herald.announcement.reason import Reason
from herald.announcement.routes import communities_of, prefix_order
from herald.bgp.route import Route
from herald.config.problem import Problem, Severity
from herald.report.hints import hints, lacks_endpoints
from herald.report.plan import BGPRow, Layer2Row, Plan, ServiceRow
from herald.report.table import Cell, Piece, Table, Tone, row

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
        *(() if plan.services else (_pools(plan),)),
        Table("LAYER 2", ("ADDRESS", "NODE", "INTERFACES", "SERVICE"), tuple(map(_owner, plan.layer2))),
        Table("BGP", ("PREFIX", "PEER", "NODES", "ATTRIBUTES", "SERVICES"), tuple(_routes(plan.bgp))),
        problem_table(plan.problems),
        *hints(plan),
    )


def problem_table(problems: Iterable[Problem]) -> Table:
    """Problems, gravest first."""
    return Table("PROBLEMS", ("SEVERITY", "RULE", "OBJECT", "WHAT"), tuple(map(_problem, problems)))


def _service(plan: Plan, entry: ServiceRow) -> tuple[Cell, ...]:
    name = str(entry.service)
    if entry.reason is not None:
        return row(name, Cell("-", Tone.BAD), "-", Cell(entry.reason, Tone.BAD))
    ips = ", ".join(map(str, entry.ips))
    if entry.silence is not None:
        return row(name, ips, entry.pool or "-", Cell(_unheard(plan, entry, entry.silence), Tone.WARNING))
    return row(name, ips, entry.pool or "-", Cell(_announced(plan.study.decisions[entry.service]), Tone.GOOD))


def _unheard(plan: Plan, entry: ServiceRow, silence: Reason) -> str:
    """Why nobody announces the service; or, where that follows from what the input lacks, what is to be expected."""
    if not plan.study.resources.nodes:
        ways = " and ".join(_intended(plan, entry))
        return f"expected: {ways}" if ways else f"by nobody: {_unheard_of(plan, entry) or silence}"
    if not lacks_endpoints(plan):
        return f"by nobody: {silence}"
    facts = plan.study
    decision = decide(facts.services[entry.service], entry.ips, ASSUMED, facts.view)
    if decision.silence is not None:
        return f"by nobody: {decision.silence}"
    return f"expected: {_announced(decision)}"


def _unheard_of(plan: Plan, entry: ServiceRow) -> str | None:
    """That its BGPAdvertisements reach no BGPPeer, which without any Node is the better reason."""
    if entry.pool is None:
        return None
    labels = plan.study.services[entry.service].metadata.labels
    advertisements = plan.study.view.bgp_reach(entry.pool, labels).advertisements
    return f"no BGPPeer hears BGPAdvertisement {names(ad.name for ad in advertisements)}" if advertisements else None


def _intended(plan: Plan, entry: ServiceRow) -> Iterable[str]:
    """How the advertisements mean the service to be announced, whatever the nodes are."""
    if entry.pool is None:
        return
    config, labels = plan.study.compiled.config, plan.study.services[entry.service].metadata.labels
    if plan.study.view.l2_reach(entry.pool, labels).advertisements:
        yield "Layer 2"
    advertisements = plan.study.view.bgp_reach(entry.pool, labels).advertisements
    peers = [peer for peer in config.peers if any(ad.admits_peer(frozenset({peer})) for ad in advertisements)]
    if peers:
        yield f"BGP to {names(peers)}"


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
