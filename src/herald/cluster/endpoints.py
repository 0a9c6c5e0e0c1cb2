"""EndpointSlices: which nodes have an endpoint that can serve."""

from functools import lru_cache

import msgspec

from herald.cluster.meta import NamespacedName, ObjectMeta
from herald.cluster.wire import wire_name

SERVICE_NAME_LABEL = "kubernetes.io/service-name"


class EndpointConditions(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename=wire_name):
    """Unset `ready` means ready; unset `serving` means nothing."""

    ready: bool | None = None
    serving: bool | None = None


class Endpoint(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename=wire_name):
    """One endpoint of a slice."""

    addresses: tuple[str, ...] = ()
    conditions: EndpointConditions | None = None
    node_name: str | None = None

    @property
    def is_ready(self) -> bool:
        """Ready, or not said."""
        return self.conditions is None or self.conditions.ready is not False

    @property
    def can_serve(self) -> bool:
        """Ready (or not said), or still serving while it terminates. One of the two is enough."""
        if self.conditions is None:
            return True
        return self.conditions.ready is not False or self.conditions.serving is True


class EndpointSlice(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename=wire_name):
    """A slice of the endpoints of one service."""

    metadata: ObjectMeta = ObjectMeta()
    address_type: str = ""
    endpoints: tuple[Endpoint, ...] = ()

    @property
    def key(self) -> NamespacedName:
        return self.metadata.key

    @property
    def service(self) -> NamespacedName | None:
        """The service that the slice belongs to, or None for a slice of nobody."""
        name = self.metadata.labels.get(SERVICE_NAME_LABEL)
        return NamespacedName(self.metadata.namespace, name) if name else None


SOMEWHERE = ("192.0.2.1",)
"""Stands for the addresses of an endpoint that has any (a documentation address, RFC 5737)."""


def narrowed(piece: EndpointSlice) -> EndpointSlice:
    """The slice without what decides nothing: whether an endpoint has an address does, which address does not.

    A cluster has as many different endpoints then as it has nodes, times a few conditions, and equal ones are one
    object. A Pod that moves to another address on its node makes no change. How many there are on a node is kept: the
    bandwidth that is announced may follow it.
    """
    endpoints = tuple(_shared(e.node_name, e.conditions, bool(e.addresses)) for e in piece.endpoints)
    return msgspec.structs.replace(piece, endpoints=endpoints)


@lru_cache(maxsize=1 << 14)
def _shared(node_name: str | None, conditions: EndpointConditions | None, has_addresses: bool) -> Endpoint:
    return Endpoint(addresses=SOMEWHERE if has_addresses else (), conditions=conditions, node_name=node_name)
