"""What the EndpointSlices of one service say, summed up to what decides."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from herald.cluster.endpoints import Endpoint, EndpointSlice
from herald.cluster.meta import NamespacedName, NodeName


@dataclass(frozen=True, slots=True)
class Readiness:
    """Where a service has an endpoint that can serve.

    Layer 2 counts an endpoint without addresses, BGP does not. An endpoint without a node name is somewhere, but on no
    node. `nodes` and `bgp_nodes` None mean every node. `known` is False where no slice of the service was seen.
    `ready_on` counts the ready endpoints of nodes that have any: the Pods, not the addresses of a Pod with two.
    """

    somewhere: bool = False
    nodes: frozenset[NodeName] | None = frozenset()
    bgp_somewhere: bool = False
    bgp_nodes: frozenset[NodeName] | None = frozenset()
    known: bool = True
    ready_on: Mapping[NodeName, int] = field(default_factory=dict)


NONE = Readiness(known=False)
"""No slice was seen: nothing is ready."""

ASSUMED = Readiness(somewhere=True, nodes=None, bgp_somewhere=True, bgp_nodes=None, known=False)
"""No slice was seen, and one ready endpoint on every node is assumed."""


def readiness(slices: Iterable[EndpointSlice]) -> Readiness:
    """The sum of all slices of one service."""
    present = tuple(slices)
    serving = [endpoint for piece in present for endpoint in piece.endpoints if endpoint.can_serve]
    healthy = [endpoint for endpoint in serving if endpoint.addresses]
    nodes = _nodes(serving)
    return Readiness(
        somewhere=bool(serving),
        nodes=nodes,
        bgp_somewhere=bool(healthy),
        bgp_nodes=nodes if len(healthy) == len(serving) else _nodes(healthy),
        known=bool(present),
        ready_on=_counts(present),
    )


def _counts(slices: Iterable[EndpointSlice]) -> Mapping[NodeName, int]:
    """Slices of either family list the same Pods; the family that lists more of them counts."""
    of_families: dict[str, Counter[str]] = {}
    for piece in slices:
        ready = (one.node_name for one in piece.endpoints if one.node_name and one.is_ready and one.addresses)
        of_families.setdefault(piece.address_type, Counter()).update(ready)
    most: Counter[str] = Counter()
    for counted in of_families.values():
        most |= counted
    return {NodeName(node): count for node, count in most.items()}


def _nodes(endpoints: Iterable[Endpoint]) -> frozenset[NodeName]:
    return frozenset(NodeName(e.node_name) for e in endpoints if e.node_name)


class Slices:
    """The EndpointSlices of all services, by service. Changing one costs only the slices of its service."""

    def __init__(self, slices: Iterable[EndpointSlice] = ()) -> None:
        self._of: dict[NamespacedName, tuple[EndpointSlice, ...]] = {}
        self._service_of: dict[NamespacedName, NamespacedName] = {}
        self._sums: dict[NamespacedName, Readiness] = {}
        for piece in slices:
            self.put(piece)

    def service_of(self, key: NamespacedName) -> NamespacedName | None:
        """The service that the slice belongs to; None if it is not known, or nobody's."""
        return self._service_of.get(key)

    def put(self, piece: EndpointSlice) -> tuple[NamespacedName, ...]:
        """A slice is new or changed; returns the services whose readiness it touches (two if it changed hands)."""
        key, now = piece.key, piece.service
        before = self.remove(key)
        if now is None:
            return before
        self._service_of[key] = now
        self._of[now] = (*self._of.get(now, ()), piece)
        self._sums.pop(now, None)
        return tuple(dict.fromkeys((*before, now)))

    def remove(self, key: NamespacedName) -> tuple[NamespacedName, ...]:
        """A slice is gone; returns the service whose readiness it touches, if any."""
        service = self._service_of.pop(key, None)
        if service is None:
            return ()
        left = tuple(piece for piece in self._of.pop(service) if piece.key != key)
        self._sums.pop(service, None)
        if left:
            self._of[service] = left
        return (service,)

    def readiness(self, service: NamespacedName, unseen: Readiness = NONE) -> Readiness:
        """What the slices of `service` say together; `unseen` if there is none."""
        slices = self._of.get(service)
        if slices is None:
            return unseen
        if service not in self._sums:
            self._sums[service] = readiness(slices)
        return self._sums[service]
