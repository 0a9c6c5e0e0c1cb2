"""What is to be done for one Service: the table that every change of a Service walks through, row by row.

`_KEEP` finds out whether the service keeps what its status says, `_SUPPLY` gives it what it lacks. A row does its work
on a `_Course` and says whether the next one follows. Nothing is written here: the outcome says what to write.

Where the reference goes wrong, we do not follow:

- The second family is added only while the cluster IPs are dual and no addresses are asked for; otherwise the next run
  would take it, and more, away again.
- The order in which a service was given its addresses stays, whatever the order of its wish.
- `ipMode`, which the API server fills in, is no difference.
- Waiting services are reconsidered whenever an address, a port or a sharing key is let go, and only then.
- Addresses that stay in a status although its service cannot be served stay registered, so that nobody else gets them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum

from herald.allocator.allocation import Allocation, Refusal, RefusalReason, quoted
from herald.allocator.allocator import Allocator
from herald.allocator.convergence import (
    Convergence,
    EventReason,
    EventType,
    ServiceEvent,
    StatusChange,
    allocated_from,
    change_between,
)
from herald.allocator.request import (
    IPFamilyPolicy,
    cluster_ips,
    family_of_status,
    family_policy,
    requested_addresses,
    requested_pool,
    required_family,
)
from herald.allocator.sharing import Tenant
from herald.cluster.meta import NamespacedName
from herald.cluster.service import DEPRECATED_PREFIX, LoadBalancerIngress, Service
from herald.net.ip_family import IPAddress, IPFamily, parse_address

_EVENT_LENGTH = 1024
"""In octets. Kubernetes refuses events with longer messages."""
_SUMMARY_LENGTH = 1000
"""In octets; leaves room for how many pools are not shown."""


def converge(allocator: Allocator, service: Service, claim: Sequence[IPAddress] = ()) -> Convergence:
    """Bring the allocator and one service together.

    `claim` are addresses known to be the service's though its status has none; they are used as if the status had them.
    """
    before = _Lease.of(allocator, service.key)
    course = _Course(allocator, service, _current(service, claim))
    course.run(_KEEP + _SUPPLY)
    after = allocator.allocation_of(service.key)
    change = course.change()
    return Convergence(
        service_key=service.key,
        addresses=after.addresses if after else (),
        pool=after.pool if after else None,
        refusal=course.refusal,
        events=tuple(course.events) + (_deprecations(service) if change else ()),
        reprocess_all=before.lets_go(_Lease.of(allocator, service.key), allocator),
        change=change,
    )


def converge_gone(allocator: Allocator, key: NamespacedName) -> Convergence:
    """The service was deleted, or is somebody else's to serve: whatever it had is free."""
    return Convergence(key, reprocess_all=allocator.release(key) is not None)


def reclaim(allocator: Allocator, service: Service, claim: Sequence[IPAddress] = ()) -> None:
    """Register what the service would keep, and give it nothing new: the first half of `converge`, without outcome."""
    _Course(allocator, service, _current(service, claim)).run(_KEEP)


def _current(service: Service, claim: Sequence[IPAddress]) -> tuple[str, ...]:
    return service.ingress_ips or tuple(str(address) for address in claim)


class _Next(Enum):
    """What follows a row."""

    ROW = "the next row"
    END = "nothing; the outcome stands"


@dataclass(slots=True)
class _Course:
    """One run through the table. `current` are the addresses of the status, () once they are given up."""

    allocator: Allocator
    service: Service
    current: tuple[str, ...]
    family: IPFamily | None = None
    held: Allocation | None = None
    refusal: Refusal | None = None
    events: list[ServiceEvent] = field(default_factory=list)
    ingress: tuple[LoadBalancerIngress, ...] = ()
    pool: str | None = None
    had_current: bool = False

    def __post_init__(self) -> None:
        self.ingress = self.service.status.load_balancer.ingress
        self.pool = allocated_from(self.service)

    def run(self, rows: "Sequence[_Row]") -> None:
        for row in rows:
            if row(self) is _Next.END:
                return

    def clear(self) -> None:
        """Release, and remove everything from the object."""
        self.allocator.release(self.service.key)
        self.current, self.held, self.ingress, self.pool = (), None, (), None

    def fail(self, refusal: Refusal) -> _Next:
        self.refusal = refusal
        return _Next.END

    def serve(self, allocation: Allocation) -> None:
        """Have the object say what the service has."""
        self.held = allocation
        self.ingress = tuple(LoadBalancerIngress(ip=str(address)) for address in allocation.addresses)
        self.pool = allocation.pool

    def normal(self, reason: EventReason, message: str) -> None:
        self.events.append(ServiceEvent(EventType.NORMAL, reason, _shortened(message)))

    def warn(self, reason: EventReason, message: str) -> None:
        self.events.append(ServiceEvent(EventType.WARNING, reason, _shortened(message)))

    def change(self) -> StatusChange | None:
        return change_between(self.service, self.ingress, self.pool)


_Row = Callable[[_Course], _Next]


def _other_type(course: _Course) -> _Next:
    if course.service.is_load_balancer:
        return _Next.ROW
    course.clear()
    return _Next.END


def _no_pools(course: _Course) -> _Next:
    if course.allocator.pools:
        return _Next.ROW
    course.clear()
    return course.fail(Refusal(RefusalReason.NO_POOLS, "there is no usable IPAddressPool"))


def _no_cluster_ips(course: _Course) -> _Next:
    if cluster_ips(course.service):
        return _Next.ROW
    course.clear()
    return course.fail(Refusal(RefusalReason.NO_CLUSTER_IPS, "the service has no cluster IP yet"))


def _too_few_cluster_ips(course: _Course) -> _Next:
    given = course.service.spec.cluster_ips or ()
    if family_policy(course.service) is not IPFamilyPolicy.REQUIRE_DUAL_STACK or len(given) >= 2:
        return _Next.ROW
    course.clear()
    message = f"Service requires dual stack but not enough clusterips {quoted(given)}"
    course.warn(EventReason.NOT_ENOUGH_CLUSTER_IPS, message)
    return course.fail(Refusal(RefusalReason.NOT_ENOUGH_CLUSTER_IPS, message))


def _nothing_current(course: _Course) -> _Next:
    if not course.current:
        course.clear()
    return _Next.ROW


def _current_family(course: _Course) -> _Next:
    if not course.current:
        return _Next.ROW
    family = family_of_status(course.current)
    if isinstance(family, Refusal):
        text = f"Failed to retrieve LBIPs IPFamily for {quoted(course.current)}: {family.message}"
        course.warn(EventReason.NO_LB_IPS_FAMILY, text)
    else:
        course.family = family
    return _Next.ROW


def _families_agree(course: _Course) -> _Next:
    if not course.current:
        return _Next.ROW
    required = required_family(course.service)
    if isinstance(required, Refusal):
        text = (
            f"Failed to retrieve ClusterIPs IPFamily for {quoted(cluster_ips(course.service))} IP: {required.message}"
        )
        course.warn(EventReason.NO_CLUSTER_IPS_FAMILY, text)
        if course.family is not None:
            course.allocator.register(course.service, _parsed(course.current))
        return course.fail(required)
    may_be_half = required is IPFamily.DUAL and _prefers_dual_stack(course.service)
    if course.family is None or (course.family is not required and not may_be_half):
        course.clear()
    return _Next.ROW


def _register_again(course: _Course) -> _Next:
    if not course.current:
        return _Next.ROW
    course.had_current = True
    answer = course.allocator.register(course.service, _parsed(course.current))
    if isinstance(answer, Refusal):
        course.clear()
        beginning = f'current IP for "{course.service.key}" not allowed by config, will attempt for new IP assignment: '
        course.normal(EventReason.CLEAR_ASSIGNMENT, beginning + answer.summary(_SUMMARY_LENGTH - len(beginning)))
    else:
        course.held = answer
    return _Next.ROW


def _other_pool_requested(course: _Course) -> _Next:
    if course.held is not None and requested_pool(course.service) not in (None, course.held.pool):
        course.clear()
    return _Next.ROW


def _other_addresses_requested(course: _Course) -> _Next:
    if not course.had_current:
        return _Next.ROW
    requested = requested_addresses(course.service)
    if isinstance(requested, Refusal):
        course.warn(EventReason.LOAD_BALANCER_FAILED, f"invalid requested loadbalancer IPs: {requested.message}")
        return course.fail(requested)
    if course.held is not None and requested and set(requested) != set(course.held.addresses):
        course.clear()
    return _Next.ROW


def _kept(course: _Course) -> _Next:
    if course.held is not None:
        course.serve(course.held)
    return _Next.ROW


def _second_family(course: _Course) -> _Next:
    if course.held is None or len(course.held.addresses) != 1 or not _may_have_two(course.service):
        return _Next.ROW
    answer = course.allocator.extend(course.service)
    if isinstance(answer, Refusal):
        beginning = "cannot assign additional IP in PreferDualStack: "
        text = beginning + answer.summary(_SUMMARY_LENGTH - len(beginning))
        course.normal(EventReason.ADDITIONAL_ASSIGN_FAILED, text)
    else:
        course.serve(answer)
        course.normal(EventReason.IP_ALLOCATED, f'Assigned additional IP "{answer.addresses[1]}"')
    return _Next.ROW


def _allocate(course: _Course) -> _Next:
    if course.held is not None:
        return _Next.END
    answer = course.allocator.allocate(course.service)
    if isinstance(answer, Refusal):
        beginning = f'Failed to allocate IP for "{course.service.key}": '
        course.warn(EventReason.ALLOCATION_FAILED, beginning + answer.summary(_SUMMARY_LENGTH - len(beginning)))
        return course.fail(answer)
    course.serve(answer)
    course.normal(EventReason.IP_ALLOCATED, f"Assigned IP {quoted(answer.addresses)}")
    return _Next.END


_KEEP: tuple[_Row, ...] = (
    _other_type,
    _no_pools,
    _no_cluster_ips,
    _too_few_cluster_ips,
    _nothing_current,
    _current_family,
    _families_agree,
    _register_again,
    _other_pool_requested,
    _other_addresses_requested,
    _kept,
)
_SUPPLY: tuple[_Row, ...] = (_second_family, _allocate)


def _prefers_dual_stack(service: Service) -> bool:
    return family_policy(service) is IPFamilyPolicy.PREFER_DUAL_STACK


def _may_have_two(service: Service) -> bool:
    return (
        _prefers_dual_stack(service)
        and required_family(service) is IPFamily.DUAL
        and requested_addresses(service) == ()
    )


def _shortened(message: str) -> str:
    """A wish or a status may hold any text of any length."""
    encoded = message.encode()
    return message if len(encoded) <= _EVENT_LENGTH else encoded[: _EVENT_LENGTH - 3].decode(errors="ignore") + "…"


def _parsed(texts: Sequence[str]) -> tuple[IPAddress, ...]:
    return tuple(parse_address(text) for text in texts)


def _deprecations(service: Service) -> tuple[ServiceEvent, ...]:
    return tuple(
        ServiceEvent(EventType.WARNING, EventReason.DEPRECATED_ANNOTATION, f"Service uses deprecated annotation {key}")
        for key in sorted(service.metadata.annotations)
        if key.startswith(DEPRECATED_PREFIX.rstrip("/"))
    )


@dataclass(frozen=True, slots=True)
class _Lease:
    """What a service has at one moment, in the eyes of those who wait for it."""

    addresses: frozenset[IPAddress]
    tenant: Tenant | None

    @classmethod
    def of(cls, allocator: Allocator, key: NamespacedName) -> "_Lease":
        allocation = allocator.allocation_of(key)
        return cls(frozenset(allocation.addresses if allocation else ()), allocator.tenant(key))

    def lets_go(self, after: "_Lease", allocator: Allocator) -> bool:
        """Whether an address still in some pool, a port, or the sharing terms were given up on the way to `after`."""
        if any(allocator.in_any_pool(address) for address in self.addresses - after.addresses):
            return True
        if self.tenant is None or after.tenant is None:
            return False
        return self.tenant.terms != after.tenant.terms or not set(self.tenant.ports) <= set(after.tenant.ports)
