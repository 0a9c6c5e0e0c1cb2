"""How a service is announced, in a few words; or, where the input lacks what decides it, how it is expected to be."""

from collections.abc import Iterable

from herald.announcement.decide import Decision, decide
from herald.announcement.readiness import ASSUMED
from herald.announcement.reason import Reason
from herald.cluster.meta import NamespacedName
from herald.report.plan import Plan, ServiceRow

SHOWN_NODES = 4


def lacks_nodes(plan: Plan) -> bool:
    """Whether nothing tells who could announce."""
    return not plan.study.resources.nodes


def lacks_endpoints(plan: Plan) -> bool:
    """Whether nothing tells which Service is ready, and nothing is assumed."""
    return not plan.study.resources.endpoint_slices and not plan.study.circumstances.assume_ready


def lacking(plan: Plan) -> str | None:
    """What is missing in the input, as the end of a sentence, so that it is open who announces."""
    match lacks_nodes(plan), lacks_endpoints(plan):
        case True, True:
            return "neither Nodes nor EndpointSlices are in the input"
        case True, False:
            return "no Node is in the input"
        case False, True:
            return "no EndpointSlice is in the input"
    return None


def expectations(plan: Plan) -> dict[NamespacedName, str]:
    """What is expected of each service with an address that nobody announces for certain; of others nothing."""
    found = ((row.service, expected(plan, row)) for row in plan.services if row.silence is not None)
    return {service: words for service, words in found if words is not None}


def expected(plan: Plan, row: ServiceRow) -> str | None:
    """How the service will be announced once the input has what it lacks; None if that does not help."""
    if not row.ips or row.pool is None:
        return None
    if lacks_nodes(plan):
        return " and ".join(_intended(plan, row)) or None
    if not lacks_endpoints(plan):
        return None
    decision = _with_endpoints(plan, row)
    return announced(decision) if decision.silence is None else None


def unheard(plan: Plan, row: ServiceRow, silence: Reason) -> str:
    """Why nobody announces the service; or, where that follows from what the input lacks, what is to be expected."""
    words = expected(plan, row)
    if words is not None:
        return f"expected: {words}"
    if lacks_nodes(plan):
        return f"by nobody: {_unheard_of(plan, row) or silence}"
    return f"by nobody: {(_with_endpoints(plan, row).silence if lacks_endpoints(plan) else None) or silence}"


def _with_endpoints(plan: Plan, row: ServiceRow) -> Decision:
    return decide(plan.study.services[row.service], row.ips, ASSUMED, plan.study.view)


def _unheard_of(plan: Plan, row: ServiceRow) -> str | None:
    """That its BGPAdvertisements reach no BGPPeer, which without any Node is the better reason."""
    if row.pool is None:
        return None
    labels = plan.study.services[row.service].metadata.labels
    advertisements = plan.study.view.bgp_reach(row.pool, labels).advertisements
    return f"no BGPPeer hears BGPAdvertisement {names(ad.name for ad in advertisements)}" if advertisements else None


def _intended(plan: Plan, row: ServiceRow) -> Iterable[str]:
    """How the advertisements mean the service to be announced, whatever the nodes are."""
    if row.pool is None:
        return
    config, labels = plan.study.compiled.config, plan.study.services[row.service].metadata.labels
    if plan.study.view.l2_reach(row.pool, labels).advertisements:
        yield "Layer 2"
    advertisements = plan.study.view.bgp_reach(row.pool, labels).advertisements
    peers = [peer for peer in config.peers if any(ad.admits_peer(frozenset({peer})) for ad in advertisements)]
    if peers:
        yield f"BGP to {names(peers)}"


def announced(decision: Decision) -> str:
    """`Layer 2 by node-1; BGP by node-1, node-2 to router`, or nothing."""
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
