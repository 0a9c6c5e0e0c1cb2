"""Who may share an address with whom.

Services share an address if both name the same non-empty key (annotation `allow-shared-ip`), use different ports, and
would be announced from the same nodes: either none of them restricts the nodes (externalTrafficPolicy Cluster), or
they all select the same pods (Local). Namespaces do not matter.

An address in use is an `Occupancy`: the terms under which it is shared now, its tenants, and who has which port.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from herald.allocator.allocation import Refusal, RefusalReason
from herald.cluster.meta import NamespacedName
from herald.cluster.service import Service
from herald.net.ip_family import IPAddress


class Port(NamedTuple):
    """What only one service may have on an address: TCP/53 and UDP/53 do not clash."""

    protocol: str
    number: int

    def __str__(self) -> str:
        return f"{self.protocol}/{self.number}"


class SharingTerms(NamedTuple):
    """Under which key, and for which pods (empty: whichever node gets the packet will do)."""

    sharing_key: str
    backend_key: str

    @property
    def willing(self) -> bool:
        return bool(self.sharing_key)


@dataclass(frozen=True, slots=True)
class Tenant:
    """A service as an address sees it."""

    key: NamespacedName
    ports: tuple[Port, ...]
    terms: SharingTerms
    local: bool

    @property
    def traffic_policy(self) -> str:
        """`Cluster`, `Local without a selector` or `Local with selector app=a`."""
        if not self.local:
            return "Cluster"
        return f"Local with selector {self.terms.backend_key}" if self.terms.backend_key else "Local without a selector"


def tenant_of(service: Service) -> Tenant:
    """What matters of a service to those it might share an address with."""
    ports = tuple(Port(port.protocol, port.port) for port in service.spec.ports)
    return Tenant(service.key, ports, SharingTerms(service.sharing_key, backend_key(service)), service.is_local)


def backend_key(service: Service) -> str:
    """The pod selector as `k=v,k=v`, sorted, for externalTrafficPolicy Local; otherwise empty."""
    if not service.is_local:
        return ""
    return ",".join(f"{key}={value}" for key, value in sorted(service.spec.selector.items()))


@dataclass(slots=True)
class Occupancy:
    """One address in use. Tenants are admitted only after `refusal` had nothing to say."""

    terms: SharingTerms
    tenants: dict[NamespacedName, Tenant] = field(default_factory=dict)
    ports: dict[Port, NamespacedName] = field(default_factory=dict)

    def admit(self, tenant: Tenant) -> None:
        self.terms = tenant.terms
        self.tenants[tenant.key] = tenant
        for port in tenant.ports:
            self.ports[port] = tenant.key

    def leave(self, key: NamespacedName) -> Tenant:
        """Forget the tenant `key`, which must be one; afterwards there may be none left."""
        tenant = self.tenants.pop(key)
        for port in set(tenant.ports):
            del self.ports[port]
        return tenant

    def clashing(self, tenant: Tenant) -> Iterable[Port]:
        """The ports of `tenant` that another tenant has here, in the order of its manifest."""
        return (port for port in tenant.ports if self.ports.get(port, tenant.key) != tenant.key)

    def others(self, tenant: Tenant) -> list[Tenant]:
        """The tenants besides `tenant`, by name."""
        return [self.tenants[key] for key in sorted(self.tenants) if key != tenant.key]


def refusal(tenant: Tenant, address: IPAddress, occupancy: Occupancy | None) -> Refusal | None:
    """Why `tenant` may not have `address`, or None if it may: a free one, one it is alone on, or one it may share."""
    if occupancy is None:
        return None
    if tenant.terms.willing and tenant.terms == occupancy.terms:
        port = next(iter(occupancy.clashing(tenant)), None)
        return None if port is None else _port_in_use(port, address, occupancy.ports[port])
    others = occupancy.others(tenant)
    return _terms_differ(tenant, others) if others else None


def _port_in_use(port: Port, address: IPAddress, holder: NamespacedName) -> Refusal:
    return Refusal(RefusalReason.PORT_IN_USE, f'port {port} is already in use on "{address}" by {holder}')


def _terms_differ(tenant: Tenant, others: list[Tenant]) -> Refusal:
    reason, difference = _difference(tenant, others[0])
    names = ",".join(str(other.key) for other in others)
    return Refusal(
        reason, f'can\'t change sharing key for "{tenant.key}", address also in use by {names}: {difference}'
    )


def _difference(tenant: Tenant, other: Tenant) -> tuple[RefusalReason, str]:
    """The item in which two services that may not share differ. They are not both willing and equal."""
    if not other.terms.willing:
        return RefusalReason.SHARING_NOT_ENABLED, f"{other.key} does not share (it has no allow-shared-ip)"
    if not tenant.terms.willing:
        return (
            RefusalReason.SHARING_NOT_ENABLED,
            f'{tenant.key} does not share (it has no allow-shared-ip), {other.key} has "{other.terms.sharing_key}"',
        )
    if tenant.terms.sharing_key != other.terms.sharing_key:
        keys = f'{other.key} has allow-shared-ip "{other.terms.sharing_key}", {tenant.key} "{tenant.terms.sharing_key}"'
        return RefusalReason.SHARING_KEY_DIFFERS, keys
    return RefusalReason.BACKEND_DIFFERS, policy_difference(tenant, other)


def policy_difference(tenant: Tenant, other: Tenant) -> str:
    """Why two services with one key would not be announced from the same nodes."""
    return f"{other.key} uses {other.traffic_policy}, {tenant.key} uses {tenant.traffic_policy}"
