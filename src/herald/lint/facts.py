"""What the rules look at: the inputs, and what several rules derive from them, worked out once."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_address

from herald.allocator.assign import Assignments, is_handled
from herald.announcement.eligibility import BGPReach, L2Reach
from herald.announcement.readiness import Readiness, Slices
from herald.announcement.view import View
from herald.api import bgp_advertisement as bgp_api
from herald.api import bgp_peer as peer_api
from herald.api import ip_address_pool as pool_api
from herald.api import l2_advertisement as l2_api
from herald.cluster.endpoints import EndpointSlice
from herald.cluster.meta import NamespacedName, NodeName, PeerName, PoolName
from herald.cluster.service import Service
from herald.config.advertisement import BGPAdvertisement, L2Advertisement
from herald.config.compile import DEFAULT_NAMESPACE, Compiled
from herald.config.config import Config
from herald.config.findings import ObjectKey
from herald.config.peer import Peer
from herald.config.pool import Pool
from herald.config.resources import Resources
from herald.config.selectors import selected_nodes


@dataclass(frozen=True, slots=True)
class LintInputs:
    """`members` are the nodes with a live speaker; None means every node. The others are flags Herald runs with."""

    resources: Resources
    compiled: Compiled
    assignments: Assignments
    members: frozenset[NodeName] | None = None
    load_balancer_class: str | None = None
    ignore_exclude_lb: bool = False
    namespace: str = DEFAULT_NAMESPACE


@dataclass(frozen=True, slots=True)
class L2Entry:
    """An L2Advertisement in force: what it means, and as it was written."""

    value: L2Advertisement
    spec: l2_api.L2AdvertisementSpec
    key: ObjectKey


@dataclass(frozen=True, slots=True)
class BGPEntry:
    """A BGPAdvertisement in force: what it means, and as it was written."""

    value: BGPAdvertisement
    spec: bgp_api.BGPAdvertisementSpec
    key: ObjectKey


@dataclass(frozen=True, slots=True)
class PeerEntry:
    """A BGPPeer in force: what it means, and as it was written."""

    value: Peer
    spec: peer_api.BGPPeerSpec
    key: ObjectKey


@dataclass(frozen=True, slots=True)
class PoolEntry:
    """An IPAddressPool in force: what it means, and as it was written."""

    value: Pool
    resource: pool_api.IPAddressPool
    key: ObjectKey


class Facts:
    """Everything derived from the inputs. Services are those of type LoadBalancer, by name."""

    def __init__(self, inputs: LintInputs) -> None:
        self.inputs = inputs
        self.resources = inputs.resources
        self.config: Config = inputs.compiled.config
        self.view = View(self.config, members=inputs.members, ignore_exclude_lb=inputs.ignore_exclude_lb)

    def left_out(self, *kinds: str) -> str:
        """Which objects of these kinds are there and cannot be used: ` (BGPPeer "b": left out …)`, or nothing.

        Whom they would reach is not known, so whoever misses an advertisement says it.
        """
        keys = sorted(key for key in self.inputs.compiled.left_out if key.kind in kinds)
        names = ", ".join(f'{key.kind} "{key.name}"' for key in keys[:3])
        more = f" and {len(keys) - 3} more" if len(keys) > 3 else ""
        return f" ({names}{more}: left out for {'its' if len(keys) == 1 else 'their'} own errors)" if keys else ""

    def key(self, kind: str, name: str) -> ObjectKey:
        """The key of a custom resource."""
        return ObjectKey(kind, self.inputs.compiled.namespace, name)

    @cached_property
    def pools(self) -> tuple[PoolEntry, ...]:
        found = []
        for pool in self.config.pools.values():
            key = self.key("IPAddressPool", pool.name)
            resource = self.inputs.compiled.accepted[key]
            assert isinstance(resource, pool_api.IPAddressPool)
            found.append(PoolEntry(pool, resource, key))
        return tuple(found)

    @cached_property
    def l2(self) -> tuple[L2Entry, ...]:
        found = []
        for value in self.config.l2_advertisements:
            key = self.key("L2Advertisement", value.name)
            resource = self.inputs.compiled.accepted[key]
            assert isinstance(resource, l2_api.L2Advertisement)
            found.append(L2Entry(value, resource.spec, key))
        return tuple(found)

    @cached_property
    def bgp(self) -> tuple[BGPEntry, ...]:
        found = []
        for value in self.config.bgp_advertisements:
            key = self.key("BGPAdvertisement", value.name)
            resource = self.inputs.compiled.accepted[key]
            assert isinstance(resource, bgp_api.BGPAdvertisement)
            found.append(BGPEntry(value, resource.spec, key))
        return tuple(found)

    @cached_property
    def peers(self) -> tuple[PeerEntry, ...]:
        found = []
        for value in self.config.peers.values():
            key = self.key("BGPPeer", value.name)
            resource = self.inputs.compiled.accepted[key]
            assert isinstance(resource, peer_api.BGPPeer)
            found.append(PeerEntry(value, resource.spec, key))
        return tuple(found)

    @cached_property
    def nodes_of_peers(self) -> Mapping[PeerName, frozenset[NodeName]]:
        """The nodes that keep a session with each peer."""
        nodes = self.config.nodes
        return {entry.value.name: selected_nodes(entry.value.node_selectors, nodes) for entry in self.peers}

    @property
    def advertisements(self) -> tuple[L2Entry | BGPEntry, ...]:
        return (*self.l2, *self.bgp)

    @cached_property
    def services(self) -> tuple[Service, ...]:
        """Services of type LoadBalancer whose class is Herald's."""
        wanted = self.inputs.load_balancer_class
        return tuple(service for service in self.load_balancers if is_handled(service, wanted))

    @cached_property
    def load_balancers(self) -> tuple[Service, ...]:
        """All Services of type LoadBalancer, whatever their class."""
        services = sorted(self.resources.services, key=lambda service: service.key)
        return tuple(service for service in services if service.is_load_balancer)

    @cached_property
    def placed(self) -> tuple[tuple[Service, PoolName], ...]:
        """The services that have addresses, with their pools."""
        pools = ((service, self.pool_of(service)) for service in self.services)
        return tuple((service, pool) for service, pool in pools if pool is not None)

    def pool_of(self, service: Service) -> PoolName | None:
        """The pool of the service's addresses, or None if it has none."""
        outcome = self.inputs.assignments.services.get(service.key)
        return outcome.pool if outcome is not None and outcome.addresses else None

    def l2_reach(self, service: Service, pool: PoolName) -> L2Reach:
        return self.view.l2_reach(pool, service.metadata.labels)

    def bgp_reach(self, service: Service, pool: PoolName) -> BGPReach:
        return self.view.bgp_reach(pool, service.metadata.labels)

    @cached_property
    def _slices(self) -> Slices:
        return Slices(self.resources.endpoint_slices)

    def readiness(self, service: Service) -> Readiness:
        return self._slices.readiness(service.key)

    @cached_property
    def endpoint_counts(self) -> Mapping[NamespacedName, int]:
        """How many endpoints of a service can serve. A pod of a dual-stack service, in two slices, counts once."""
        by_service: dict[NamespacedName, list[EndpointSlice]] = defaultdict(list)
        for piece in self.resources.endpoint_slices:
            if piece.service is not None:
                by_service[piece.service].append(piece)
        return {service: _serving(slices) for service, slices in by_service.items()}


def service_key(service: Service) -> ObjectKey:
    """The subject of a finding about a service."""
    return ObjectKey("Service", service.metadata.namespace, service.metadata.name)


def _serving(slices: Iterable[EndpointSlice]) -> int:
    by_version: dict[int, int] = defaultdict(int)
    for piece in slices:
        for endpoint in piece.endpoints:
            if endpoint.can_serve:
                by_version[_version(endpoint.addresses)] += 1
    return max(by_version.values(), default=0)


def _version(addresses: tuple[str, ...]) -> int:
    try:
        return ip_address(addresses[0]).version if addresses else 4
    except ValueError:
        return 0  # A slice of host names (addressType FQDN).
