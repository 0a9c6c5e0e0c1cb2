"""What the controller logs of an outcome, in MetalLB's words: operators grep for them."""

import logging
from dataclasses import dataclass, field
from typing import Any

from herald.allocator.allocation import RefusalReason
from herald.allocator.convergence import Convergence, EventReason, ServiceEvent
from herald.allocator.request import family_of_status, requested_addresses, requested_pool, required_family
from herald.cluster.service import Service

_CLEARED_BECAUSE = {
    RefusalReason.NO_POOLS: "noConfig",
    RefusalReason.NO_CLUSTER_IPS: "noClusterIPs",
    RefusalReason.NOT_ENOUGH_CLUSTER_IPS: "requires dual stack but clusterips are not dual stack",
    RefusalReason.INVALID_CLUSTER_IPS: "noclusterIPsIPFamily",
}


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line of the log: `level` as the logging module has it, `fields` beside the message."""

    level: int
    message: str
    fields: dict[str, Any] = field(default_factory=dict)


def outcome_lines(before: Service, outcome: Convergence, news: tuple[ServiceEvent, ...]) -> tuple[LogLine, ...]:
    """What to log when `before` came to `outcome`; `news` are the events that were not told before."""
    had, has = before.ingress_ips, tuple(map(str, outcome.addresses))
    lines = []
    if set(had) - set(has):
        lines.append(_cleared(before, outcome, had))
    if set(has) - set(had):
        lines.append(_allocated(before, outcome, has))
    lines += [line for event in news for line in _told(before, event)]
    if outcome.change is not None:
        words = "updated service object" if has else "removed loadbalancer from service"
        lines.append(_line(logging.INFO, words, before, event="serviceUpdated", ips=list(outcome.change.ingress)))
    return tuple(lines)


def deleted_line(service: str, ips: tuple[str, ...]) -> LogLine:
    """A service that had addresses is gone, or somebody else's."""
    return LogLine(logging.INFO, "service deleted", {"event": "serviceDeleted", "service": service, "ips": list(ips)})


def withheld_line(service: Service) -> LogLine:
    """An address stays because the pool it may be of cannot be read."""
    text = "the address is in no pool, but a pool cannot be read: nothing is taken away until it can"
    return _line(logging.WARNING, text, service, event="assignmentKept", ips=list(service.ingress_ips))


def restored_line(service: Service, outcome: Convergence) -> LogLine:
    """Somebody else has changed what the status said."""
    text = "somebody else has changed the status of the service: it is restored"
    fields = {"found": list(service.ingress_ips), "ips": list(map(str, outcome.addresses))}
    return _line(logging.WARNING, text, service, event="statusRestored", **fields)


def contested_line(service: str, by: tuple[str, ...], for_s: float) -> LogLine:
    """Somebody else goes on changing the status of a service."""
    fields = {"event": "statusContested", "service": service, "by": list(by), "seconds": round(for_s)}
    return LogLine(logging.WARNING, contested_text(by, for_s), fields)


def contested_text(by: tuple[str, ...], for_s: float) -> str:
    """The same for an event."""
    who = " and ".join(f'"{name}"' for name in by) or "somebody else"
    return (
        f"the status of the service is overwritten again and again by {who}; Herald leaves it alone for {for_s:.0f} s. "
        "Give the service a loadBalancerClass that only one controller serves, or disable the other one"
    )


def _line(level: int, message: str, service: Service, **fields: Any) -> LogLine:
    return LogLine(level, message, {"service": str(service.key), **fields})


def _allocated(service: Service, outcome: Convergence, has: tuple[str, ...]) -> LogLine:
    text = f"IP address {', '.join(has)} assigned to {service.key} by controller"
    return _line(logging.INFO, text, service, event="ipAllocated", ip=list(has), pool=outcome.pool)


def _cleared(before: Service, outcome: Convergence, had: tuple[str, ...]) -> LogLine:
    reason = clear_reason(before, outcome)
    text = f"address given back: {reason}"
    return _line(logging.INFO, text, before, event="clearAssignment", reason=reason, ips=list(had))


def clear_reason(before: Service, outcome: Convergence) -> str:
    """Why the service lost what its status showed, in one word of MetalLB's or in the allocator's own words."""
    if not before.is_load_balancer:
        return "notLoadBalancer"
    texts = {event.reason: event.message for event in outcome.events}
    if EventReason.CLEAR_ASSIGNMENT in texts:
        return texts[EventReason.CLEAR_ASSIGNMENT]
    if outcome.refusal is not None and outcome.refusal.reason in _CLEARED_BECAUSE:
        return _CLEARED_BECAUSE[outcome.refusal.reason]
    if EventReason.NO_LB_IPS_FAMILY in texts:
        return "nolbIPsIPFamily"
    if family_of_status(before.ingress_ips) != required_family(before):
        return "differentFamilyNeeded"
    wanted = requested_addresses(before)
    if isinstance(wanted, tuple) and wanted and set(map(str, wanted)) != set(before.ingress_ips):
        return "differentIPRequested"
    return "differentPoolRequested" if requested_pool(before) else "noLongerAllowed"


def _told(service: Service, event: ServiceEvent) -> tuple[LogLine, ...]:
    match event.reason:
        case EventReason.ALLOCATION_FAILED:
            return (_line(logging.ERROR, "IP allocation failed", service, op="allocateIPs", error=event.message),)
        case EventReason.LOAD_BALANCER_FAILED:
            return (_line(logging.ERROR, event.message, service, event="loadbalancerIP"),)
        case EventReason.ADDITIONAL_ASSIGN_FAILED:
            return (_line(logging.WARNING, event.message, service, event="additionalAssignFailed"),)
        case EventReason.DEPRECATED_ANNOTATION:
            return (_line(logging.WARNING, event.message, service, event="deprecatedAnnotation"),)
        case EventReason.NOT_ENOUGH_CLUSTER_IPS | EventReason.NO_CLUSTER_IPS_FAMILY | EventReason.NO_LB_IPS_FAMILY:
            return (_line(logging.WARNING, event.message, service, event=event.reason.value),)
    return ()
