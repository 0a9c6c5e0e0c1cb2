"""The decision about one service: who answers for it in Layer 2, who announces which routes by BGP, and if not, why.

This is the whole answer, for every node, that plan, explain and lint show. A speaker asks only for its own node
(`incremental`); both stand on the same reaches, elections and patterns.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from herald.announcement.election import order
from herald.announcement.eligibility import (
    BGP,
    L2,
    BGPReach,
    InterfaceNames,
    L2Reach,
    endpoint_reason,
    local_to,
)
from herald.announcement.gate import Addresses, pool_reason
from herald.announcement.ownership import Ownership
from herald.announcement.readiness import Readiness
from herald.announcement.reason import Code, Protocol, Reason, because, listed
from herald.announcement.routes import Pattern, routes_for
from herald.announcement.sentries import NEXT_IN_LINE, Line
from herald.announcement.sessions import Session
from herald.announcement.view import Patterns, View
from herald.bgp.route import Route
from herald.cluster.meta import NamespacedName, NodeName, PoolName
from herald.cluster.service import Service
from herald.config.wording import some
from herald.net.ip_family import IPAddress


@dataclass(frozen=True, slots=True)
class Layer2Decision:
    """`candidates` in the order in which they take over, owner first. `interfaces` are the owner's, None for all.

    `reason` is None exactly if there is an owner. `excluded` names every other node that is known. `unadvertised` says
    why no L2Advertisement reaches the service, or None if one does. With `fast_failover` those next in line watch
    the owner. `instead` says why the owner is not `passed_over`, the node that MetalLB's election would give; None if
    it is that one. `foreign` are the live nodes that MetalLB's election counts and whose speaker is MetalLB's.
    """

    candidates: tuple[NodeName, ...] = ()
    excluded: Mapping[NodeName, Reason] = field(default_factory=dict)
    interfaces: InterfaceNames = None
    reason: Reason | None = None
    unadvertised: Reason | None = None
    scores: Mapping[NodeName, int] = field(default_factory=dict)
    fast_failover: bool = False
    passed_over: NodeName | None = None
    instead: Reason | None = None
    foreign: frozenset[NodeName] = frozenset()

    @property
    def owner(self) -> NodeName | None:
        """The node that answers."""
        return self.candidates[0] if self.candidates else None

    @property
    def line(self) -> Line:
        """The owner and the nodes that watch it closely: those next in line, if an advertisement asks for it.

        MetalLB's speakers have no session with us for that, so they neither watch nor are watched.
        """
        if not self.fast_failover or self.owner in self.foreign:
            return ()
        return tuple(node for node in self.candidates if node not in self.foreign)[: 1 + NEXT_IN_LINE]

    @property
    def sentries(self) -> tuple[NodeName, ...]:
        """The nodes that watch the owner closely."""
        return self.line[1:]

    def reason_of(self, node: NodeName) -> Reason | None:
        """Why `node` does not answer; None for the owner."""
        if node == self.owner:
            return None
        if node in self.excluded:
            return self.excluded[node]
        if node == self.passed_over:
            return self.instead
        return self.reason if self.owner is None else because(Code.NOT_ELECTED, L2, owner=self.owner)


SessionRoutes: TypeAlias = tuple[tuple[Session, tuple[Route, ...]], ...]
"""What a node sends for one service: to each session that gets something at least one route."""


@dataclass(frozen=True, slots=True)
class BGPDecision:
    """`announcing` holds every node that announces something, `excluded` every other one with its reason.

    `reason` is None exactly if some node announces; `unadvertised` as in `Layer2Decision`.
    """

    announcing: Mapping[NodeName, SessionRoutes] = field(default_factory=dict)
    excluded: Mapping[NodeName, Reason] = field(default_factory=dict)
    reason: Reason | None = None
    unadvertised: Reason | None = None

    def reason_of(self, node: NodeName) -> Reason | None:
        """Why `node` announces nothing; None if it does."""
        return None if node in self.announcing else self.excluded.get(node, self.reason)


@dataclass(frozen=True, slots=True)
class Decision:
    """Everything about one service. `refused` is why no protocol was even asked; then both are empty."""

    service: NamespacedName
    addresses: Addresses
    pool: PoolName | None
    refused: Reason | None
    layer2: Layer2Decision
    bgp: BGPDecision

    @property
    def is_announced(self) -> bool:
        """Whether anybody announces it in any way."""
        return self.layer2.owner is not None or bool(self.bgp.announcing)

    @property
    def silence(self) -> Reason | None:
        """Why nobody announces it; None if somebody does.

        Of the two protocols' reasons the one that tells more: a protocol with no advertisement for the service is
        not in use, so the other one's reason is what the operator looks for.
        """
        if self.is_announced or self.refused is not None:
            return self.refused
        if self.layer2.unadvertised is not None and self.bgp.unadvertised is not None:
            return _of_two_unadvertised(self.layer2.unadvertised, self.bgp.unadvertised)
        return self.layer2.reason if self.layer2.unadvertised is None else self.bgp.reason


def _of_two_unadvertised(layer2: Reason, bgp: Reason) -> Reason:
    missing = Code.NO_ADVERTISEMENT_FOR_POOL
    if layer2.code is missing and bgp.code is missing:
        pool = dict(layer2.arguments)["pool"]
        return because(missing, kind="L2Advertisement or BGPAdvertisement", pool=pool)
    return bgp if layer2.code is missing else layer2


def decide(service: Service, addresses: Addresses | Reason, readiness: Readiness, view: View) -> Decision:
    """The decision about `service` with `addresses`, the first of which is what the election is about.

    A Reason in place of addresses says why there are none.
    """
    if isinstance(addresses, Reason):
        return refused(service, (), addresses)
    pool = view.pool_of(addresses)
    if pool is None:
        return refused(service, addresses, pool_reason(addresses))
    labels = service.metadata.labels
    layer2 = _layer2(service, addresses, readiness, view.l2_reach(pool.name, labels))
    bgp = _bgp(service, addresses, readiness, view.bgp_reach(pool.name, labels), view)
    return Decision(service.key, addresses, pool.name, None, layer2, bgp)


def refused(service: Service, addresses: Addresses, why: Reason) -> Decision:
    """The decision about a service that no protocol is asked about."""
    return Decision(service.key, addresses, None, why, Layer2Decision(reason=why), BGPDecision(reason=why))


def _layer2(service: Service, addresses: Addresses, readiness: Readiness, reach: L2Reach) -> Layer2Decision:
    why = reach.service_reason(service, readiness)
    if why is not None:
        return Layer2Decision(reason=why, unadvertised=reach.unadvertised)
    local = local_to(service, readiness)
    standing = reach.standing(local, addresses)
    excluded = dict(standing.excluded)
    if local is not None:
        excluded |= {node: because(Code.NO_ENDPOINT_ON_NODE, L2, node=node) for node in standing.candidates - local}
    electorate = reach.electorate(local, addresses)
    if isinstance(electorate, Ownership):
        found = _on_terms(electorate, addresses[0], excluded)
    else:
        candidates = order(standing.candidates.difference(excluded), addresses[0], reach.scores)
        found = Layer2Decision(candidates, excluded)
    owner = found.owner
    if owner is None:
        return replace(found, reason=common_reason(found.excluded, L2), foreign=reach.foreign)
    return replace(
        found,
        interfaces=reach.interfaces(owner),
        scores=reach.scores,
        fast_failover=reach.fast_failover,
        foreign=reach.foreign,
    )


def _on_terms(ownership: Ownership, address: IPAddress, excluded: Mapping[NodeName, Reason]) -> Layer2Decision:
    """The decision where more counts than MetalLB's election: its terms, or speakers of MetalLB beside ours."""
    candidates = ownership.line(address)
    idle = sorted(ownership.candidates.difference(candidates))
    excluded = {**excluded, **{node: ownership.not_elected(node, address) for node in idle}}
    if not candidates:
        return Layer2Decision((), excluded)
    winner = ownership.passed_over(address)
    instead = ownership.instead(address) if winner is None else excluded.get(winner) or ownership.instead(address)
    return Layer2Decision(candidates, excluded, passed_over=winner, instead=instead)


def line_of(service: Service, addresses: Addresses, readiness: Readiness, view: View) -> Line:
    """The owner of a service with `addresses` and those that watch it; empty without an owner or fastFailover."""
    pool = view.pool_of(addresses)
    reach = None if pool is None else view.l2_reach(pool.name, service.metadata.labels)
    if reach is None or not reach.fast_failover:
        return ()
    return _layer2(service, addresses, readiness, reach).line


def common_reason(excluded: Mapping[NodeName, Reason], protocol: Protocol) -> Reason:
    """Why no node at all announces: the one reason they all have, or a summary by reason."""
    reasons = [of_nodes(reason, excluded) for reason in excluded.values()]
    if reasons and all(reason == reasons[0] for reason in reasons):
        return reasons[0]
    return because(Code.NO_CANDIDATE, protocol, nodes=summary(excluded))


def of_nodes(reason: Reason, nodes: Iterable[NodeName]) -> Reason:
    """The reason of one node said of several."""
    arguments = tuple((name, some(sorted(nodes)) if name == "node" else text) for name, text in reason.arguments)
    return replace(reason, arguments=arguments)


def by_reason(excluded: Mapping[NodeName, Reason]) -> tuple[tuple[tuple[NodeName, ...], Reason], ...]:
    """Nodes that are kept out for the same reason, by name, with the reason said of all of them."""
    nodes_of: dict[Reason, list[NodeName]] = {}
    for node in sorted(excluded):
        nodes_of.setdefault(of_nodes(excluded[node], ()), []).append(node)
    return tuple((tuple(nodes), of_nodes(excluded[nodes[0]], nodes)) for nodes in nodes_of.values())


def summary(excluded: Mapping[NodeName, Reason]) -> str:
    """Nodes by reason in one line: `cp-1 NodeExcludedByLabel; w-1, w-2 NoEndpointOnNode`."""
    if not excluded:
        return "there is no Node"
    by_code: dict[Code, list[NodeName]] = {}
    for node in sorted(excluded):
        by_code.setdefault(excluded[node].code, []).append(node)
    return "; ".join(f"{some(nodes)} {code.value}" for code, nodes in by_code.items())


def _bgp(service: Service, addresses: Addresses, readiness: Readiness, reach: BGPReach, view: View) -> BGPDecision:
    announcing: dict[NodeName, SessionRoutes] = {}
    excluded: dict[NodeName, Reason] = {}
    made: dict[tuple[int, int | None], SessionRoutes] = {}
    for node in view.landscape.everyone:
        why = reach.node_reason(node) or endpoint_reason(service, readiness, node)
        if why is None:
            patterns = view.patterns(reach, node)
            weight = weight_on(node, service, readiness)
            same = (id(patterns), weight)
            if same not in made:
                made[same] = session_routes(addresses, patterns, weight)
            routes = made[same]
            if routes:
                announcing[node] = routes
                continue
            why = unheard(addresses, reach, node, view)
        excluded[node] = why
    reason = None if announcing else reach.unadvertised or common_reason(excluded, BGP)
    return BGPDecision(announcing, excluded, reason, reach.unadvertised)


def weight_on(node: NodeName, service: Service, readiness: Readiness) -> int | None:
    """By how many endpoints the bandwidth of the routes of `node` is measured; None if every node reaches them all."""
    return readiness.ready_on.get(node, 1) if service.is_local else None


def session_routes(addresses: Addresses, patterns: Patterns, endpoints: int | None = None) -> SessionRoutes:
    """The routes of a service with `addresses` for each session; sessions that get none are left out.

    Sessions that get equal routes get the same object. `endpoints` as `weight_on` gives it.
    """
    made: list[tuple[Pattern, tuple[Route, ...]]] = []
    found: list[tuple[Session, tuple[Route, ...]]] = []
    for session, wanted in patterns:
        routes = next((routes for known, routes in made if known == wanted), None)
        if routes is None:
            routes = routes_for(addresses, wanted, endpoints)
            made.append((wanted, routes))
        if routes:
            found.append((session, routes))
    return tuple(found)


def unheard(addresses: Addresses, reach: BGPReach, node: NodeName, view: View) -> Reason:
    """Why a node that would announce reaches no session."""
    sessions = view.sessions(node)
    if not sessions:
        absent = view.config.left_out_peers
        left_out = f" (left out for an error: {some(absent)})" if absent else ""
        return because(Code.NO_PEER_ON_NODE, BGP, node=node, left_out=left_out)
    advertisements = reach.on(node)
    if not any(ad.admits_peer(session.names) for ad in advertisements for session in sessions):
        names = listed({name for session in sessions for name in session.names})
        return because(
            Code.NO_PEER_FOR_ADVERTISEMENT,
            BGP,
            advertisements=listed(ad.name for ad in advertisements),
            node=node,
            peers=names,
        )
    families = listed({f"IPv{address.version}" for address in addresses})
    return because(Code.NO_PEER_OF_FAMILY, BGP, node=node, family=families)
