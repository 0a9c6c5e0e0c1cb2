"""The whole pass over all services, as one function of configuration and services: controller start, `herald plan`.

The order in which services come does not matter, and a second pass over the result changes nothing:

1. Everybody registers what they hold; nothing new is given before the last one has. Where two hold one address that
   they may not share, the one whose status has more entries keeps it, of equals the older.
2. Then everybody is converged: those that ask for addresses first, then again by entries in the status and by age.

The reference repeats its pass until nobody lets go of anything. Here all letting go is over when step 2 begins, and
giving never helps those who wait: it takes free addresses, or joins others without changing the terms. So once is
enough.

Where the reference draws lots, names and ages decide (`pool_table`, `by_standing`). What differs on purpose for a
single Service stands in `converge`, and for people in `docs/differences.md`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

from herald.allocator.allocation import Refusal, RefusalReason
from herald.allocator.allocator import Allocator
from herald.allocator.converge import converge, reclaim
from herald.allocator.convergence import Convergence
from herald.allocator.request import requested_addresses
from herald.cluster.meta import NamespacedName
from herald.cluster.service import Service
from herald.config.config import Config
from herald.net.ip_family import IPAddress

Claims: TypeAlias = Mapping[NamespacedName, Sequence[IPAddress]]
_NO_CLAIMS: Claims = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Assignments:
    """Who has what. `services` has every service that was given in, by name; `allocator` goes on from here."""

    services: Mapping[NamespacedName, Convergence]
    allocator: Allocator


def assign_all(
    config: Config,
    services: Iterable[Service],
    *,
    load_balancer_class: str | None = None,
    claims: Claims = _NO_CLAIMS,
) -> Assignments:
    """Give every service what it is entitled to.

    `claims` are addresses persisted elsewhere, for services whose status was wiped. Services of type LoadBalancer that
    are of another class are left alone, and refused with OtherLoadBalancerClass.
    """
    allocator = Allocator(config.pools)
    ordered = sorted(services, key=lambda service: service.key)
    outcomes = {service.key: _left_alone(service) for service in ordered}
    handled = [service for service in ordered if is_handled(service, load_balancer_class)]
    return Assignments(outcomes | converge_all(allocator, handled, claims), allocator)


def is_handled(service: Service, load_balancer_class: str | None) -> bool:
    """Whether the service's class is ours: exactly equal, and absent where none is configured."""
    return service.spec.load_balancer_class == load_balancer_class


def converge_all(
    allocator: Allocator, services: Sequence[Service], claims: Claims = _NO_CLAIMS
) -> dict[NamespacedName, Convergence]:
    """Converge all services, after a start or a change of pools, with an allocator that may know some of them already.

    All must be of the handled class, and none may be missing. Nobody is given what another one's status holds.
    """
    for service in by_standing(services):
        reclaim(allocator, service, claims.get(service.key, ()))
    return {service.key: converge(allocator, service, claims.get(service.key, ())) for service in in_order(services)}


def by_standing(services: Iterable[Service]) -> list[Service]:
    """Dual-stack holders, those whose status has one entry, the rest; in each group the oldest first."""
    return sorted(services, key=_standing)


def in_order(services: Iterable[Service]) -> list[Service]:
    """Those that ask for addresses, then the others; in both groups by standing."""
    return sorted(services, key=lambda service: (requested_addresses(service) == (), _standing(service)))


def _standing(service: Service) -> tuple[int, tuple[str, str, str]]:
    # Entries count whatever they hold, hostnames too, as they do for the reference.
    return (-len(service.status.load_balancer.ingress), service.metadata.age_order)


def _left_alone(service: Service) -> Convergence:
    if not service.is_load_balancer:
        return Convergence(service.key)
    text = f"loadBalancerClass {service.spec.load_balancer_class or '(none)'} is not served here"
    return Convergence(service.key, refusal=Refusal(RefusalReason.OTHER_CLASS, text))
