"""Shared addresses: partners that cannot share, keys without a partner, sharing that Layer 2 refuses."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from herald.allocator.allocation import RefusalReason
from herald.allocator.sharing import Occupancy, tenant_of
from herald.allocator.sharing import refusal as sharing_refusal
from herald.cluster.service import ALLOW_SHARED_IP, DEPRECATED_PREFIX, PREFIX, Service
from herald.config.findings import problem
from herald.config.nearest import suggestion
from herald.config.problem import Problem
from herald.config.wording import listed
from herald.lint.facts import Facts, service_key
from herald.net.ip_family import IPAddress

_MOST_COMPARED = 200  # Comparing thousands of keys with each other takes longer than the hint is worth.
REFUSED_FOR_OTHERS = frozenset(
    {
        RefusalReason.PORT_IN_USE,
        RefusalReason.SHARING_NOT_ENABLED,
        RefusalReason.SHARING_KEY_DIFFERS,
        RefusalReason.BACKEND_DIFFERS,
    }
)


def cannot_share(facts: Facts) -> Iterator[Problem]:
    """HL061: those that were refused the address they ask for, and those that silently got one of their own.

    Who asks for a taken address without wanting to share it is told by HL092.
    """
    for service in facts.services:
        outcome = facts.inputs.assignments.services[service.key]
        if service.sharing_key and outcome.refusal is not None and outcome.refusal.reason in REFUSED_FOR_OTHERS:
            yield problem("HL061", service_key(service), _field(service), outcome.refusal.message)
    for group in _by_key(facts).values():
        yield from _silently_apart(facts, group)


def _silently_apart(facts: Facts, group: Sequence[Service]) -> Iterator[Problem]:
    """One finding for each service that has another address than the first of its group, and could not have shared."""
    placed = [(service, _addresses(facts, service)) for service in group if _addresses(facts, service)]
    if not placed:
        return
    first, addresses = placed[0]
    occupancy = Occupancy(tenant_of(first).terms)
    for service, own in placed:
        tenant = tenant_of(service)
        if set(own) & set(addresses):
            occupancy.admit(tenant)
            continue
        refused = sharing_refusal(tenant, addresses[0], occupancy)
        if refused is not None:
            yield problem(
                "HL061",
                service_key(service),
                _field(service),
                f'has {listed(own)} of its own although {first.key} has the same key "{service.sharing_key}": '
                f"{refused.message}",
            )


def _addresses(facts: Facts, service: Service) -> tuple[IPAddress, ...]:
    return facts.inputs.assignments.services[service.key].addresses


def key_used_once(facts: Facts) -> Iterator[Problem]:
    """HL062"""
    groups = _by_key(facts)
    for key, group in groups.items():
        if len(group) == 1:
            others = [other for other in groups if other != key] if len(groups) <= _MOST_COMPARED else []
            yield problem(
                "HL062",
                service_key(group[0]),
                _field(group[0]),
                f'no other Service has the sharing key "{key}": nothing is shared{suggestion(key, others)}',
            )


def shared_with_service_selectors(facts: Facts) -> Iterator[Problem]:
    """HL063"""
    for service, pool in facts.placed:
        if not service.wants_sharing:
            continue
        selective = [each.name for each in facts.l2_reach(service, pool).advertisements if each.service_selectors]
        if selective:
            yield problem(
                "HL063",
                service_key(service),
                _field(service),
                f"Layer 2 does not announce it: there are serviceSelectors in L2Advertisement {listed(selective)}, and "
                "two Services on one address could have different owners. Take the annotation off, or the "
                "serviceSelectors.",
            )


def _field(service: Service) -> str:
    """The annotation with the key, by the prefix that the service uses; the new one counts if it has both."""
    written = service.metadata.annotations
    prefixes = (prefix for prefix in (PREFIX, DEPRECATED_PREFIX) if prefix + ALLOW_SHARED_IP in written)
    return f"metadata.annotations[{next(prefixes, PREFIX)}{ALLOW_SHARED_IP}]"


def _by_key(facts: Facts) -> Mapping[str, list[Service]]:
    """Services with a sharing key, by key; the oldest first."""
    groups: dict[str, list[Service]] = defaultdict(list)
    for service in sorted(facts.services, key=lambda service: service.metadata.age_order):
        if service.sharing_key:
            groups[service.sharing_key].append(service)
    return groups
