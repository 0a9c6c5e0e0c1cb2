"""A Node: its labels, whether it may announce, whether it is about to go away, and its addresses."""

import msgspec

from herald.cluster.meta import NodeName, ObjectMeta
from herald.cluster.wire import wire_name

DRAIN_ANNOTATION = "herald.metallb.io/drain"
"""Takes the node out of service in good order; `herald drain` sets it. A duration, or anything but `false`."""
SHUTTING_DOWN = "node is shutting down"
"""What the kubelet says in the condition Ready when its host is about to stop (graceful node shutdown)."""
EXCLUDE_LABEL = "node.kubernetes.io/exclude-from-external-load-balancers"


class NodeCondition(msgspec.Struct, frozen=True, kw_only=True, rename=wire_name):
    type: str
    status: str = "Unknown"
    message: str = ""

    @property
    def says_shutdown(self) -> bool:
        """Whether it is the kubelet's word that its host is about to stop."""
        return self.type == "Ready" and self.status != "True" and SHUTTING_DOWN in self.message


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
    def is_shutting_down(self) -> bool:
        """The host is about to stop, as the kubelet says."""
        return any(condition.says_shutdown for condition in self.status.conditions)

    @property
    def drain(self) -> str | None:
        """What the drain annotation says; None if the node is not to be drained."""
        wish = self.metadata.annotations.get(DRAIN_ANNOTATION)
        return None if wish is None or wish.strip().lower() == "false" else wish

    @property
    def is_excluded(self) -> bool:
        """Carries the exclude-from-external-load-balancers label, whatever its value."""
        return EXCLUDE_LABEL in self.metadata.labels
