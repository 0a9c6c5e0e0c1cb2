"""Why a pool did not help: one verdict per pool that was considered, for people and for tests."""

from collections.abc import Iterable, Sequence

from herald.allocator.allocation import PoolReason, PoolVerdict
from herald.allocator.counters import capacity
from herald.allocator.pool_table import PoolTable
from herald.allocator.sharing import Occupancy, Tenant, policy_difference
from herald.cluster.service import Service
from herald.config.pool import Pool
from herald.net.ip_family import IPAddress, IPFamily

_FAMILY_NAMES = {IPFamily.IPV4: "IPv4", IPFamily.IPV6: "IPv6", IPFamily.DUAL: "IPv4 and IPv6"}


def automatic(table: PoolTable, service: Service, tenant: Tenant, family: IPFamily) -> tuple[PoolVerdict, ...]:
    """Every pool's reason for not giving `family` to a service that leaves the choice to us."""
    return tuple(
        PoolVerdict(pool.name, PoolReason.AUTO_ASSIGN_OFF, "skipped, autoAssign=false")
        if not pool.auto_assign
        else not_admitted(pool, service) or nothing_left(table, pool, tenant, family)
        for pool in table.pools.values()
    )


def not_admitted(pool: Pool, service: Service) -> PoolVerdict | None:
    """Why a pool is pinned to others, or None if it admits the service."""
    if pool.admits(service.metadata.namespace, service.metadata.labels):
        return None
    assert pool.allocation is not None
    namespaces = pool.allocation.namespaces
    if namespaces is not None and service.metadata.namespace not in namespaces:
        text = f'namespace "{service.metadata.namespace}" not selected'
        return PoolVerdict(pool.name, PoolReason.NAMESPACE_NOT_SELECTED, text)
    wanted = " or ".join(f"({selector})" for selector in pool.allocation.service_selectors)
    return PoolVerdict(pool.name, PoolReason.LABELS_NOT_SELECTED, f"service labels not selected, needs {wanted}")


def nothing_left(table: PoolTable, pool: Pool, tenant: Tenant, family: IPFamily) -> PoolVerdict:
    """Which of the families it lacks, or why the addresses that are in use cannot be shared."""
    lacking = [f for f in family.single if table.stock(pool, f).lowest(tenant) is None]
    verdicts = [_lacks(table, pool, tenant, f) for f in lacking]
    return PoolVerdict(pool.name, verdicts[0].reason, ", ".join(verdict.text for verdict in verdicts))


def _lacks(table: PoolTable, pool: Pool, tenant: Tenant, family: IPFamily) -> PoolVerdict:
    if family not in pool.families():
        return PoolVerdict(pool.name, PoolReason.LACKS_FAMILY, f"has no {family_name(family)} addresses")
    stock = table.stock(pool, family)
    full = f"full {stock.assigned}/{capacity(pool, family)} ({family_name(family)})"
    near = stock.nearest_sharer(tenant) if tenant.terms.willing else None
    if near is None:
        return PoolVerdict(pool.name, PoolReason.FULL, full)
    reason, obstacle = _obstacle(tenant, *near)
    return PoolVerdict(pool.name, reason, f"{full}; {obstacle}")


def _obstacle(tenant: Tenant, address: IPAddress, occupancy: Occupancy) -> tuple[PoolReason, str]:
    port = next(iter(occupancy.clashing(tenant)), None)
    if occupancy.terms == tenant.terms and port is not None:
        return PoolReason.PORT_TAKEN, f"{port} already taken by {occupancy.ports[port]} on {address}"
    return PoolReason.BACKEND_DIFFERS, f"on {address}, {policy_difference(tenant, occupancy.others(tenant)[0])}"


def outside(table: PoolTable, addresses: Sequence[IPAddress]) -> tuple[PoolVerdict, ...]:
    """Every pool's reason for not holding all of `addresses`."""
    return tuple(_outside(pool, addresses) for pool in table.pools.values())


def _outside(pool: Pool, addresses: Sequence[IPAddress]) -> PoolVerdict:
    missing = [address for address in addresses if address not in pool]
    avoided = [address for address in missing if any(address in entry for entry in pool.ranges)]
    if missing == avoided:
        text = f"avoids {_listed(avoided)}, avoidBuggyIPs=true"
        return PoolVerdict(pool.name, PoolReason.ADDRESS_AVOIDED, text)
    return PoolVerdict(pool.name, PoolReason.ADDRESS_OUTSIDE, f"does not contain {_listed(missing)}")


def sharing_refused(pool: Pool, address: IPAddress) -> PoolVerdict:
    """The pool has the address, but somebody else is on it."""
    return PoolVerdict(pool.name, PoolReason.SHARING_REFUSED, f"{address} is in use")


def family_name(family: IPFamily) -> str:
    """As people write it."""
    return _FAMILY_NAMES[family]


def _listed(addresses: Iterable[IPAddress]) -> str:
    return ", ".join(map(str, addresses))
