"""What the advertisements that reach a service make possible on which node.

Many services are reached by the same advertisements; a *reach* is worked out once for all of them and holds everything
that does not depend on the single service: which nodes may, which may not and why, on which interfaces, and what
the routes look like. What remains per service is its readiness, its policy and its addresses. The orders of tests are
MetalLB's, because the first one that fails is the reason that is logged.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from herald.announcement.election import Electorate
from herald.announcement.ownership import Ownership, Terms
from herald.announcement.readiness import Readiness
from herald.announcement.reason import Code, Protocol, Reason, because, listed
from herald.announcement.spread import Place, Spreads
from herald.announcement.told import Told
from herald.cluster.meta import NodeName, PoolName
from herald.cluster.node import Node
from herald.cluster.service import Service
from herald.config.advertisement import BGPAdvertisement, L2Advertisement
from herald.net.ip_family import IPAddress
from herald.net.usable_names import BOTH, Families, UsableNames, can_answer, is_there

L2 = Protocol.LAYER2
BGP = Protocol.BGP

InterfaceNames = frozenset[str] | None
"""Names of interfaces; None means all of them."""


@dataclass(frozen=True, slots=True)
class Landscape:
    """The nodes of the cluster and what is known of them, the same for every service.

    `members` are the nodes with a live speaker; None means that every node has one. `interfaces` has the usable
    interfaces of each node of which they are known, in the words of `herald.net.usable_names`; about the others nothing
    is assumed to be missing. `departing` are
    drained nodes that still send their routes, marked as about to go, so that routers turn to others first (RFC 8326).
    `told` is what the live speakers tell of themselves.
    """

    nodes: Mapping[NodeName, Node]
    members: frozenset[NodeName] | None = None
    ignore_exclude_lb: bool = False
    interfaces: Mapping[NodeName, UsableNames] = field(default_factory=dict)
    departing: frozenset[NodeName] = frozenset()
    told: Told = field(default_factory=Told)

    @property
    def everyone(self) -> tuple[NodeName, ...]:
        """All node names: those with a Node object and those with a speaker only."""
        return tuple(sorted({*self.nodes, *(self.members or ())}))

    def is_live(self, node: NodeName) -> bool:
        return self.members is None or node in self.members

    def metallb_reason(self, node: NodeName, protocol: Protocol) -> Reason | None:
        """Why the node may not announce anything at all, as far as MetalLB's speakers know of it too.

        A node without a Node object is given the benefit.
        """
        if not self.is_live(node):
            return because(Code.SPEAKER_NOT_LIVE, protocol, node=node)
        facts = self.nodes.get(node)
        if facts is None:
            return None
        if facts.is_network_unavailable:
            return because(Code.NETWORK_UNAVAILABLE, protocol, node=node)
        if facts.is_excluded and not self.ignore_exclude_lb:
            return because(Code.NODE_EXCLUDED_BY_LABEL, protocol, node=node)
        return None

    def node_reason(self, node: NodeName, protocol: Protocol) -> Reason | None:
        """Why the node may not announce anything at all. A speaker of MetalLB does not know that it is drained."""
        why = self.metallb_reason(node, protocol)
        if why is not None or node in self.told.foreign:
            return why
        facts = self.nodes.get(node)
        if facts is not None and facts.drain is not None and not (protocol is BGP and node in self.departing):
            return because(Code.NODE_DRAINED, protocol, node=node)
        return None


@dataclass(frozen=True, slots=True)
class Standing:
    """Who may answer for addresses of the same IP versions, and why the others may not; endpoints are not looked at.

    `ours` are the candidates whose speaker is Herald's.
    """

    candidates: frozenset[NodeName]
    ours: frozenset[NodeName]
    excluded: Mapping[NodeName, Reason]


class L2Reach:
    """What a set of L2Advertisements makes possible: those of one pool that match the labels of a service."""

    def __init__(
        self,
        pool: PoolName,
        of_pool: Iterable[L2Advertisement],
        matching: Iterable[L2Advertisement],
        landscape: Landscape,
        spreads: Spreads[Any],
    ) -> None:
        self._pool = pool
        self._of_pool = tuple(of_pool)
        self.advertisements = tuple(matching)
        self._landscape = landscape
        self._spreads = spreads
        self.scores = _sum_scores(self.advertisements)
        self.terms = Terms(
            max((advertisement.failback_s for advertisement in self.advertisements), default=0.0),
            any(advertisement.spread_evenly for advertisement in self.advertisements),
            any(advertisement.flap_damping for advertisement in self.advertisements),
        )
        self.fast_failover = any(advertisement.fast_failover for advertisement in self.advertisements)
        self._standings: dict[tuple[Families, int], Standing] = {}
        self._electorates: dict[frozenset[NodeName], Electorate | Ownership] = {}

    @cached_property
    def unadvertised(self) -> Reason | None:
        """Why no advertisement reaches the service; None if one does."""
        if self.advertisements:
            return None
        if not self._of_pool:
            return because(Code.NO_ADVERTISEMENT_FOR_POOL, L2, kind="L2Advertisement", pool=self._pool)
        return because(
            Code.ADVERTISEMENT_SELECTS_OTHER_SERVICES, L2, kind="L2Advertisement", advertisements=_names(self._of_pool)
        )

    @cached_property
    def metallb(self) -> frozenset[NodeName]:
        """Every node that stands in the election of MetalLB's speakers; endpoints are not looked at here."""
        return frozenset(node for node in self._landscape.everyone if self._metallb_reason(node) is None)

    @cached_property
    def foreign(self) -> frozenset[NodeName]:
        """Those of them whose speaker is MetalLB's: what that election gives them they answer for."""
        return self._landscape.told.foreign & self.metallb

    @cached_property
    def candidates(self) -> frozenset[NodeName]:
        """Every node that may answer for an address of some family; endpoints are not looked at here."""
        return self._standing(BOTH, 1).candidates

    def standing(self, local_to: frozenset[NodeName] | None, addresses: Iterable[IPAddress]) -> Standing:
        """Who may answer for a service with `addresses`: who can for both families of two.

        If no node of Herald's can, then who can for one: half of a service is better than none.
        """
        families = frozenset(address.version for address in addresses)
        whole = self._standing(families, len(families))
        if len(families) < 2 or (whole.ours if local_to is None else whole.ours & local_to):
            return whole
        return self._standing(families, 1)

    def _standing(self, families: Families, needed: int) -> Standing:
        known = self._standings.get((families, needed))
        if known is None:
            everyone = self._landscape.everyone
            reasons = ((node, self._node_reason(node, families, needed)) for node in everyone)
            excluded = {node: reason for node, reason in reasons if reason is not None}
            candidates = frozenset(node for node in everyone if node not in excluded)
            known = Standing(candidates, candidates - self.foreign, excluded)
            self._standings[families, needed] = known
        return known

    def electorate(
        self, local_to: frozenset[NodeName] | None, addresses: Iterable[IPAddress]
    ) -> Electorate | Ownership:
        """Those who stand for election; with `local_to`, only nodes in it. Plain terms give an `Electorate`.

        Beside speakers of MetalLB they do so only if all stand that MetalLB's election counts.
        """
        candidates = self.standing(local_to, addresses).candidates
        if local_to is not None:
            return self._electorate(candidates & local_to, self.metallb & local_to)
        if candidates not in self._electorates:
            self._electorates[candidates] = self._electorate(candidates, self.metallb)
        return self._electorates[candidates]

    def _electorate(self, candidates: frozenset[NodeName], metallb: frozenset[NodeName]) -> Electorate | Ownership:
        if self.terms.are_plain and (candidates == metallb or self.foreign.isdisjoint(metallb)):
            return Electorate(candidates, self.scores)
        return Ownership(candidates, self.scores, self.terms, self._landscape.told, self._spreads, metallb)

    def place(self, local_to: frozenset[NodeName] | None, addresses: Sequence[IPAddress]) -> Place | None:
        """Where the first address of a service is to be spread; None unless an advertisement asks for it."""
        electorate = self.electorate(local_to, addresses) if self.terms.spread_evenly else None
        return electorate.place(addresses[0]) if isinstance(electorate, Ownership) else None

    def interfaces(self, node: NodeName) -> InterfaceNames:
        """Where `node` would answer: the union of what the advertisements that select it name."""
        named: set[str] = set()
        for advertisement in self.advertisements:
            if node in advertisement.nodes:
                if advertisement.interfaces is None:
                    return None
                named |= advertisement.interfaces
        return frozenset(named)

    def service_reason(self, service: Service, readiness: Readiness) -> Reason | None:
        """Why no node at all may answer for the service; None if some might."""
        if not readiness.somewhere:
            return because(Code.NO_READY_ENDPOINT, L2)
        if not self.advertisements:
            return self.unadvertised
        return self._sharing_reason if service.wants_sharing else None

    def is_refused(self, service: Service) -> bool:
        """Whether no node may answer for the service whatever its endpoints are."""
        return not self.advertisements or (service.wants_sharing and self._sharing_reason is not None)

    @cached_property
    def _sharing_reason(self) -> Reason | None:
        selective = [advertisement for advertisement in self.advertisements if advertisement.service_selectors]
        if not selective:
            return None
        return because(Code.SHARED_IP_WITH_SERVICE_SELECTOR, L2, advertisements=_names(selective))

    def _node_reason(self, node: NodeName, families: Families, needed: int) -> Reason | None:
        return (
            self._metallb_reason(node)
            or self._landscape.node_reason(node, L2)
            or self._interface_reason(node, families, needed)
        )

    def _metallb_reason(self, node: NodeName) -> Reason | None:
        if not any(node in advertisement.nodes for advertisement in self.advertisements):
            return because(
                Code.ADVERTISEMENT_SELECTS_OTHER_NODES,
                L2,
                kind="L2Advertisement",
                advertisements=_names(self.advertisements),
                node=node,
            )
        return self._landscape.metallb_reason(node, L2)

    def _interface_reason(self, node: NodeName, families: Families, needed: int) -> Reason | None:
        """Why the node could answer for less than `needed` of the families.

        MetalLB has no such test: it elects the node, which is then silent.
        """
        wanted, usable = self.interfaces(node), self._landscape.interfaces.get(node)
        if usable is None:
            return None
        missing = [family for family in sorted(families) if not can_answer(usable, wanted, family)]
        if len(families) - len(missing) >= needed:
            return None
        where = "any" if wanted is None else listed(wanted)
        if not is_there(usable, wanted):
            return because(Code.INTERFACE_MISSING, L2, node=node, interfaces=where)
        family = " or ".join(f"IPv{one}" for one in missing)
        return because(Code.FAMILY_MISSING, L2, node=node, interfaces=where, family=family)


def _sum_scores(advertisements: Iterable[L2Advertisement]) -> Mapping[NodeName, int]:
    scores: dict[NodeName, int] = {}
    for advertisement in advertisements:
        for node, score in advertisement.scores.items():
            scores[node] = scores.get(node, 0) + score
    return scores


class BGPReach:
    """What a set of BGPAdvertisements makes possible: those of one pool that match the labels of a service."""

    def __init__(
        self,
        pool: PoolName,
        of_pool: Iterable[BGPAdvertisement],
        matching: Iterable[BGPAdvertisement],
        landscape: Landscape,
    ) -> None:
        self._pool = pool
        self._of_pool = tuple(of_pool)
        self.advertisements = tuple(matching)
        self._landscape = landscape
        self._reasons: dict[NodeName, Reason | None] = {}

    @cached_property
    def unadvertised(self) -> Reason | None:
        """Why no advertisement reaches the service; None if one does."""
        if self.advertisements:
            return None
        if not self._of_pool:
            return because(Code.NO_ADVERTISEMENT_FOR_POOL, BGP, kind="BGPAdvertisement", pool=self._pool)
        return self._selects_other_services(self._of_pool)

    def on(self, node: NodeName) -> tuple[BGPAdvertisement, ...]:
        """The advertisements that match the service and select the node."""
        return tuple(advertisement for advertisement in self.advertisements if node in advertisement.nodes)

    def node_reason(self, node: NodeName) -> Reason | None:
        """Why the node may announce no service of this reach; endpoints are not looked at here."""
        if node not in self._reasons:
            self._reasons[node] = self._find_reason(node)
        return self._reasons[node]

    def _find_reason(self, node: NodeName) -> Reason | None:
        if not self._of_pool:
            return self.unadvertised
        selecting = [advertisement for advertisement in self._of_pool if node in advertisement.nodes]
        if not selecting:
            return because(
                Code.ADVERTISEMENT_SELECTS_OTHER_NODES,
                BGP,
                kind="BGPAdvertisement",
                advertisements=_names(self._of_pool),
                node=node,
            )
        if not self.on(node):
            return self._selects_other_services(selecting)
        return self._landscape.node_reason(node, BGP)

    def _selects_other_services(self, advertisements: Collection[BGPAdvertisement]) -> Reason:
        return because(
            Code.ADVERTISEMENT_SELECTS_OTHER_SERVICES,
            BGP,
            kind="BGPAdvertisement",
            advertisements=_names(advertisements),
        )


def endpoint_reason(service: Service, readiness: Readiness, node: NodeName) -> Reason | None:
    """Why the endpoints of the service keep the node from announcing it by BGP."""
    on_node = readiness.bgp_nodes is None or node in readiness.bgp_nodes
    if service.is_local and not on_node:
        return because(Code.NO_ENDPOINT_ON_NODE, BGP, node=node)
    return None if readiness.bgp_somewhere else because(Code.NO_READY_ENDPOINT, BGP)


def local_to(service: Service, readiness: Readiness) -> frozenset[NodeName] | None:
    """The nodes that externalTrafficPolicy Local leaves to Layer 2; None for all."""
    return readiness.nodes if service.is_local else None


def _names(advertisements: Iterable[L2Advertisement | BGPAdvertisement]) -> str:
    return listed(advertisement.name for advertisement in advertisements)
