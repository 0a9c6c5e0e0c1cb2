"""EndpointSlices: which nodes have an endpoint that can serve."""

import msgspec

from herald.cluster.meta import NamespacedName, NodeName, ObjectMeta
from herald.cluster.wire import wire_name

SERVICE_NAME_LABEL = "kubernetes.io/service-name"


class EndpointConditions(msgspec.Struct, frozen=True, kw_only=True, rename=wire_name):
    """Unset `ready` means ready; unset `serving` means nothing."""

    ready: bool | None = None
    serving: bool | None = None


class Endpoint(msgspec.Struct, frozen=True, kw_only=True, rename=wire_name):
    """One endpoint of a slice."""

    addresses: tuple[str, ...] = ()
    conditions: EndpointConditions | None = None
    node_name: str | None = None

    @property
    def can_serve(self) -> bool:
        """Ready (or not said), or still serving while it terminates. One of the two is enough."""
        if self.conditions is None:
            return True
        return self.conditions.ready is not False or self.conditions.serving is True


class EndpointSlice(msgspec.Struct, frozen=True, kw_only=True, rename=wire_name):
    """A slice of the endpoints of one service."""

    metadata: ObjectMeta = ObjectMeta()
    endpoints: tuple[Endpoint, ...] = ()

    @property
    def key(self) -> NamespacedName:
        return self.metadata.key

    @property
    def service(self) -> NamespacedName | None:
        """The service that the slice belongs to, or None for a slice of nobody."""
        name = self.metadata.labels.get(SERVICE_NAME_LABEL)
        return NamespacedName(self.metadata.namespace, name) if name else None

    @property
    def serving_nodes(self) -> frozenset[NodeName]:
        """Nodes named by an endpoint that can serve. Endpoints without a node name count for nobody."""
        return frozenset(NodeName(e.node_name) for e in self.endpoints if e.can_serve and e.node_name)
