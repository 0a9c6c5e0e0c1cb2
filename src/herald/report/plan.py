"""The plan: which address every service gets, who answers for it, and which routes go where.

`docs/plan-json.md` describes what `Plan.to_json` gives; other programs read it, so it only ever grows.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from herald.allocator.assign import Claims
from herald.announcement.decide import Decision
from herald.announcement.reason import Reason
from herald.announcement.routes import communities_of, merged, prefix_order
from herald.bgp.route import Route
from herald.cluster.meta import NamespacedName, NodeName, PeerName, PoolName
from herald.config.compile import DEFAULT_NAMESPACE
from herald.config.problem import Problem
from herald.config.resources import Resources
from herald.net.ip_family import IPAddress, IPPrefix
from herald.report.origin import UNKNOWN, Origin
from herald.report.study import Alive, Circumstances, Study, refusal_text, study

NO_CLAIMS: Claims = {}


@dataclass(frozen=True, slots=True)
class ServiceRow:
    """A Service of type LoadBalancer. `reason` is `CODE: words` where it has no address, else None.

    `silence` says why nobody announces it although it has one; None if somebody does.
    """

    service: NamespacedName
    ips: tuple[IPAddress, ...]
    pool: PoolName | None
    reason: str | None
    silence: Reason | None

    def to_json(self) -> dict[str, Any]:
        return {
            "namespace": self.service.namespace,
            "name": self.service.name,
            "ips": [str(ip) for ip in self.ips],
            "pool": self.pool,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class Layer2Row:
    """`node` answers for `ip`, which `service` has, on `interfaces` (None: on all).

    With fastFailover `watched_by` are the nodes that watch it closely, else None. `instead` says in words why it is not
    the winner of MetalLB's election; None if it is.
    """

    ip: IPAddress
    service: NamespacedName
    node: NodeName
    interfaces: tuple[str, ...] | None
    watched_by: tuple[NodeName, ...] | None = None
    instead: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "ip": str(self.ip),
            "service": str(self.service),
            "node": self.node,
            "interfaces": ["*"] if self.interfaces is None else list(self.interfaces),
            **({} if self.watched_by is None else {"watchedBy": list(self.watched_by)}),
            **({} if self.instead is None else {"instead": self.instead}),
        }


@dataclass(frozen=True, slots=True)
class BGPRow:
    """`node` sends `route` to `peer` on behalf of `services`."""

    node: NodeName
    peer: PeerName
    route: Route
    services: tuple[NamespacedName, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "node": self.node,
            "peer": self.peer,
            "prefix": str(self.route.prefix),
            "localPref": self.route.local_pref,
            "communities": [community.text for community in communities_of(self.route)],
            "asPath": list(self.route.prepend),
            **_optional(self.route),
            "services": [str(service) for service in self.services],
        }


def _optional(route: Route) -> dict[str, int]:
    """What only some routes have."""
    told = {"linkBandwidth": route.link_bandwidth, "med": route.med}
    return {name: value for name, value in told.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Plan:
    """All rows in the order in which they are printed, and the study they come from."""

    problems: tuple[Problem, ...]
    services: tuple[ServiceRow, ...]
    layer2: tuple[Layer2Row, ...]
    bgp: tuple[BGPRow, ...]
    study: Study
    origin: Origin = UNKNOWN

    def to_json(self) -> dict[str, Any]:
        """The document of `herald plan -o json`."""
        return {
            "problems": [problem_json(problem) for problem in self.problems],
            "services": [row.to_json() for row in self.services],
            "layer2": [row.to_json() for row in self.layer2],
            "bgp": [row.to_json() for row in self.bgp],
        }

    @property
    def addresses(self) -> dict[NamespacedName, tuple[IPAddress, ...]]:
        """What each service that has something has: the claims for a plan that follows this one."""
        return {row.service: row.ips for row in self.services if row.ips}


def problem_json(problem: Problem) -> dict[str, str]:
    """A problem in the shape that every command prints."""
    return {
        "severity": problem.severity.value,
        "rule": problem.rule,
        "kind": problem.kind,
        "namespace": problem.namespace,
        "name": problem.name,
        "field": problem.field,
        "reason": problem.reason,
        "message": problem.message,
    }


def plan(
    resources: Resources,
    *,
    namespace: str = DEFAULT_NAMESPACE,
    members: frozenset[NodeName] | None = None,
    load_balancer_class: str | None = None,
    ignore_exclude_lb: bool = False,
    assume_ready: bool = False,
    claims: Claims = NO_CLAIMS,
    already: Iterable[Problem] = (),
    origin: Origin = UNKNOWN,
    alive: Alive | None = None,
) -> Plan:
    """What Herald would do with `resources`; `already` are problems found while reading them. See `Circumstances`."""
    circumstances = Circumstances(
        namespace, members, load_balancer_class, ignore_exclude_lb, assume_ready, claims, alive
    )
    return plan_of(study(resources, circumstances, already), origin)


def plan_of(facts: Study, origin: Origin = UNKNOWN) -> Plan:
    """The rows that follow from a study."""
    decisions = facts.decisions.values()
    return Plan(
        facts.problems,
        tuple(_service_row(facts, decision) for decision in decisions),
        tuple(sorted(_layer2_rows(decisions), key=_layer2_order)),
        tuple(_bgp_rows(decisions)),
        facts,
        origin,
    )


def _service_row(facts: Study, decision: Decision) -> ServiceRow:
    outcome = facts.outcome(decision.service)
    reason = None if outcome.addresses else refusal_text(outcome.refusal)
    return ServiceRow(decision.service, outcome.addresses, outcome.pool, reason, decision.silence)


def _layer2_rows(decisions: Iterable[Decision]) -> Iterable[Layer2Row]:
    for decision in decisions:
        layer2 = decision.layer2
        if layer2.owner is not None:
            interfaces = None if layer2.interfaces is None else tuple(sorted(layer2.interfaces))
            watched_by = layer2.sentries if layer2.fast_failover else None
            instead = None if layer2.instead is None else str(layer2.instead)
            for ip in decision.addresses:
                yield Layer2Row(ip, decision.service, layer2.owner, interfaces, watched_by, instead)


def _layer2_order(row: Layer2Row) -> tuple[object, ...]:
    return (row.ip.version, int(row.ip), row.service)


def _bgp_rows(decisions: Iterable[Decision]) -> Iterable[BGPRow]:
    """By node, peer and prefix. What several services send of one prefix is one row."""
    sent: dict[tuple[NodeName, PeerName], dict[IPPrefix, list[tuple[NamespacedName, Route]]]] = {}
    for decision in decisions:
        for node, sessions in decision.bgp.announcing.items():
            for session, routes in sessions:
                table = sent.setdefault((node, session.name), {})
                for route in routes:
                    table.setdefault(route.prefix, []).append((decision.service, route))
    for (node, peer), table in sorted(sent.items()):
        yield from _rows_of_session(node, peer, table)


def _rows_of_session(
    node: NodeName, peer: PeerName, table: Mapping[IPPrefix, list[tuple[NamespacedName, Route]]]
) -> Iterable[BGPRow]:
    for prefix in sorted(table, key=prefix_order):
        wishes = table[prefix]
        services = tuple(sorted(service for service, _ in wishes))
        yield BGPRow(node, peer, merged(dict.fromkeys(route for _, route in wishes)), services)
