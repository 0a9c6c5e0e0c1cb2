"""The decision about one service as far as one node needs it: what the node does, and if nothing, why.

The fast half of `decide`, on the same reaches, elections and patterns: it never looks at the other nodes, except to
know whether this one wins the election.
"""

from typing import assert_never

from herald.announcement.decide import session_routes, unheard, weight_on
from herald.announcement.eligibility import L2, BGPReach, L2Reach, endpoint_reason, local_to
from herald.announcement.gate import Addresses, pool_reason
from herald.announcement.ledger import NOTHING, Contribution
from herald.announcement.ownership import Ownership
from herald.announcement.readiness import Readiness
from herald.announcement.reason import Code, Protocol, Reason, because
from herald.announcement.spread import Place
from herald.announcement.view import View
from herald.bgp.route import Route
from herald.cluster.meta import NodeName, PeerName
from herald.cluster.service import Service


def contribution(
    service: Service,
    addresses: Addresses,
    readiness: Readiness,
    view: View,
    node: NodeName,
    sessions: frozenset[PeerName],
) -> Contribution:
    """What `node` does for a service with `addresses`; only `sessions` count, the others cannot be opened."""
    pool = view.pool_of(addresses)
    if pool is None:
        return NOTHING
    labels = service.metadata.labels
    l2_reach, bgp_reach = view.l2_reach(pool.name, labels), view.bgp_reach(pool.name, labels)
    answers = _answers(service, addresses, readiness, l2_reach, node)
    routes: tuple[tuple[PeerName, tuple[Route, ...]], ...] = ()
    if bgp_reach.node_reason(node) is None and endpoint_reason(service, readiness, node) is None:
        sent = session_routes(addresses, view.patterns(bgp_reach, node), weight_on(node, service, readiness))
        routes = tuple((session.name, made) for session, made in sent if session.name in sessions)
    if not (answers or routes):
        return NOTHING
    return Contribution(addresses, answers, l2_reach.interfaces(node) if answers else None, routes)


def _answers(service: Service, addresses: Addresses, readiness: Readiness, reach: L2Reach, node: NodeName) -> bool:
    if reach.service_reason(service, readiness) is not None:
        return False
    return reach.electorate(local_to(service, readiness), addresses).wins(node, addresses[0])


def owner(service: Service, addresses: Addresses, readiness: Readiness, view: View) -> NodeName | None:
    """The node that answers for a service with `addresses` in Layer 2; the same as `Decision.layer2.owner`."""
    pool = view.pool_of(addresses)
    reach = None if pool is None else view.l2_reach(pool.name, service.metadata.labels)
    if reach is None or reach.service_reason(service, readiness) is not None:
        return None
    return reach.electorate(local_to(service, readiness), addresses).owner(addresses[0])


def place(service: Service, addresses: Addresses, readiness: Readiness, view: View) -> Place | None:
    """Where `spread: even` has the first address of the service divided; None if it does not."""
    pool = view.pool_of(addresses)
    if pool is None:
        return None
    reach = view.l2_reach(pool.name, service.metadata.labels)
    if not reach.terms.spread_evenly or reach.is_refused(service):
        return None
    return reach.place(local_to(service, readiness), addresses)


def why_not(
    service: Service, addresses: Addresses, readiness: Readiness, view: View, node: NodeName, protocol: Protocol
) -> Reason | None:
    """Why `node` does not announce the service in `protocol`; None if it does.

    The same value as `Decision.layer2.reason_of(node)` or `Decision.bgp.reason_of(node)`.
    """
    pool = view.pool_of(addresses)
    if pool is None:
        return pool_reason(addresses)
    match protocol:
        case Protocol.LAYER2:
            reach = view.l2_reach(pool.name, service.metadata.labels)
            return _why_no_layer2(service, addresses, readiness, reach, node)
        case Protocol.BGP:
            return _why_no_bgp(
                service, addresses, readiness, view, view.bgp_reach(pool.name, service.metadata.labels), node
            )
        case _ as never:
            assert_never(never)


def _why_no_layer2(
    service: Service, addresses: Addresses, readiness: Readiness, reach: L2Reach, node: NodeName
) -> Reason | None:
    local = local_to(service, readiness)
    why = reach.service_reason(service, readiness) or reach.standing(local, addresses).excluded.get(node)
    if why is not None:
        return why
    if local is not None and node not in local:
        return because(Code.NO_ENDPOINT_ON_NODE, L2, node=node)
    electorate = reach.electorate(local, addresses)
    owner = electorate.owner(addresses[0])
    if owner == node:
        return None
    if isinstance(electorate, Ownership):
        return electorate.not_elected(node, addresses[0])
    return because(Code.NOT_ELECTED, L2, owner=owner)


def _why_no_bgp(
    service: Service, addresses: Addresses, readiness: Readiness, view: View, reach: BGPReach, node: NodeName
) -> Reason | None:
    why = reach.node_reason(node) or endpoint_reason(service, readiness, node)
    if why is not None or session_routes(addresses, view.patterns(reach, node)):
        return why
    return unheard(addresses, reach, node, view)
