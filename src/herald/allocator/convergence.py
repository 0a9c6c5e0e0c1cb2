"""The outcome of converging one Service: what it has, what is to be written, what people are told."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from herald.allocator.allocation import Refusal
from herald.cluster.meta import NamespacedName, PoolName
from herald.cluster.service import ALLOCATED_FROM_POOL, LoadBalancerIngress, LoadBalancerStatus, Service, ServiceStatus
from herald.net.ip_family import IPAddress


class EventType(StrEnum):
    """The `type` of an event."""

    NORMAL = "Normal"
    WARNING = "Warning"


class EventReason(StrEnum):
    """The `reason` of an event, in MetalLB's words, blanks included."""

    IP_ALLOCATED = "IPAllocated"
    ADDITIONAL_ASSIGN_FAILED = "AdditionalAssignFailed"
    CLEAR_ASSIGNMENT = "ClearAssignment"
    ALLOCATION_FAILED = "AllocationFailed"
    LOAD_BALANCER_FAILED = "LoadBalancerFailed"
    NOT_ENOUGH_CLUSTER_IPS = "not enough clusterips"
    NO_LB_IPS_FAMILY = "nolbIPsIPFamily"
    NO_CLUSTER_IPS_FAMILY = "noclusterIPsIPFamily"
    DEPRECATED_ANNOTATION = "deprecatedAnnotation"


@dataclass(frozen=True, slots=True)
class ServiceEvent:
    """An event about the service, to be recorded in this order."""

    type: EventType
    reason: EventReason
    message: str


@dataclass(frozen=True, slots=True)
class StatusChange:
    """What `status.loadBalancer` becomes, as a whole, and annotation `ip-allocated-from-pool` (None: it is removed)."""

    ingress: tuple[str, ...]
    pool: str | None


@dataclass(frozen=True, slots=True)
class Convergence:
    """The outcome for one service.

    `addresses` and `pool` are what it has now. A `refusal` says why it has nothing or, beside addresses, why its wish
    was not followed. `reprocess_all`: something was let go; converge everybody in `Allocator.waiting()`. `change` is
    None if the object already says all this.
    """

    service_key: NamespacedName
    addresses: tuple[IPAddress, ...] = ()
    pool: PoolName | None = None
    refusal: Refusal | None = None
    events: tuple[ServiceEvent, ...] = ()
    reprocess_all: bool = False
    change: StatusChange | None = None


def allocated_from(service: Service) -> str | None:
    """The value of annotation `ip-allocated-from-pool`, which only Herald writes."""
    return service.metadata.annotations.get(ALLOCATED_FROM_POOL)


def change_between(service: Service, ingress: Sequence[LoadBalancerIngress], pool: str | None) -> StatusChange | None:
    """What must be written for the service to say `ingress` and `pool`; None if it does. `ipMode` is no difference."""
    if service.status.load_balancer.ingress == tuple(ingress) and allocated_from(service) == pool:
        return None
    return StatusChange(tuple(entry.ip for entry in ingress), pool)


def as_written(service: Service, outcome: Convergence) -> Service:
    """The service as it stands once the outcome's change is written."""
    change = outcome.change
    if change is None:
        return service
    annotations = {key: value for key, value in service.metadata.annotations.items() if key != ALLOCATED_FROM_POOL}
    if change.pool is not None:
        annotations[ALLOCATED_FROM_POOL] = change.pool
    status = LoadBalancerStatus(ingress=tuple(LoadBalancerIngress(ip=text) for text in change.ingress))
    return msgspec.structs.replace(
        service,
        metadata=msgspec.structs.replace(service.metadata, annotations=annotations),
        status=ServiceStatus(load_balancer=status),
    )
