"""A Node: its labels, whether it may announce, and its addresses."""

import msgspec

from herald.cluster.meta import NodeName, ObjectMeta
from herald.cluster.wire import wire_name

EXCLUDE_LABEL = "node.kubernetes.io/exclude-from-external-load-balancers"


class NodeCondition(msgspec.Struct, frozen=True, kw_only=True, rename=wire_name):
    type: str
    status: str = "Unknown"


class NodeAddress(msgspec.Struct, frozen=True, kw_only=True, rename=wire_name):
    type: str
    address: str


class NodeStatus(msgspec.Struct, frozen=True, kw_only=True, rename=wire_name):
    conditions: tuple[NodeCondition, ...] = ()
    addresses: tuple[NodeAddress, ...] = ()


class NodeSpec(msgspec.Struct, frozen=True, kw_only=True, rename=wire_name):
    """Cordon and taints are not kept: they decide nothing (the reference tried and took it back)."""

    pod_cidrs: tuple[str, ...] = msgspec.field(default=(), name="podCIDRs")


class Node(msgspec.Struct, frozen=True, kw_only=True, rename=wire_name):
    """A Node."""

    metadata: ObjectMeta = ObjectMeta()
    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()

    @property
    def name(self) -> NodeName:
        return NodeName(self.metadata.name)

    @property
    def labels(self) -> dict[str, str]:
        return self.metadata.labels

    @property
    def is_network_unavailable(self) -> bool:
        """Condition NetworkUnavailable is exactly True; missing, Unknown and False are fine."""
        return any(c.type == "NetworkUnavailable" and c.status == "True" for c in self.status.conditions)

    @property
    def is_excluded(self) -> bool:
        """Carries the exclude-from-external-load-balancers label, whatever its value."""
        return EXCLUDE_LABEL in self.metadata.labels
