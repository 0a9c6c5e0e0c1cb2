"""The table of who has what: registering addresses that are asked for, choosing addresses where none are.

Pure state: the answer depends on the pools, on what is allocated now, and on the service. Where the reference draws
lots (open pools, pools of one priority) the name decides.

A refused operation changes nothing: the service keeps what it had.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from herald.allocator import verdict
from herald.allocator.allocation import Allocation, PoolReason, PoolVerdict, Refusal, RefusalReason, quoted
from herald.allocator.counters import PoolCounters
from herald.allocator.pool_table import PoolTable
from herald.allocator.request import Demand, IPFamilyPolicy, demand_of
from herald.allocator.sharing import Occupancy, Tenant, refusal, tenant_of
from herald.cluster.meta import NamespacedName, PoolName
from herald.cluster.service import Service
from herald.config.pool import Pool
from herald.net.ip_family import IPAddress, IPFamily, IPFamilyError, family_of, family_of_all


@dataclass(frozen=True, slots=True)
class _Lease:
    allocation: Allocation
    tenant: Tenant


class Allocator:
    """Who has which address of which pool. The pools given are only read."""

    def __init__(self, pools: Mapping[PoolName, Pool] | None = None) -> None:
        self._table = PoolTable(pools or {})
        self._leases: dict[NamespacedName, _Lease] = {}
        self._occupancies: dict[IPAddress, Occupancy] = {}
        self._waiting: dict[NamespacedName, tuple[str, str, str]] = {}

    @property
    def pools(self) -> Mapping[PoolName, Pool]:
        """By name, sorted."""
        return self._table.pools

    def set_pools(self, pools: Mapping[PoolName, Pool]) -> tuple[NamespacedName, ...]:
        """Replace the pools. Allocations follow their addresses; returns, sorted, the services whose are in no pool."""
        table = PoolTable(pools)
        owners = {key: table.owner(lease.allocation.addresses) for key, lease in self._leases.items()}
        released = tuple(sorted(key for key, owner in owners.items() if owner is None))
        for key in released:
            self.release(key)
        self._table = table
        for address, occupancy in self._occupancies.items():
            table.occupy(address, occupancy)
        for key, lease in self._leases.items():
            owner = owners[key]
            assert owner is not None
            self._leases[key] = _Lease(Allocation(owner.name, lease.allocation.addresses), lease.tenant)
        return released

    def allocation_of(self, key: NamespacedName) -> Allocation | None:
        """What the service has."""
        lease = self._leases.get(key)
        return lease.allocation if lease else None

    def tenant(self, key: NamespacedName) -> Tenant | None:
        """As what the service is registered: with which ports and sharing terms."""
        lease = self._leases.get(key)
        return lease.tenant if lease else None

    def allocations(self) -> Mapping[NamespacedName, Allocation]:
        """What every service has, sorted by service."""
        return {key: self._leases[key].allocation for key in sorted(self._leases)}

    @property
    def allocated(self) -> int:
        """How many services have something."""
        return len(self._leases)

    def holders(self, address: IPAddress) -> tuple[NamespacedName, ...]:
        """The services that have `address`, sorted; more than one if it is shared."""
        occupancy = self._occupancies.get(address)
        return tuple(sorted(occupancy.tenants)) if occupancy else ()

    def counters(self, pool: PoolName) -> PoolCounters:
        """How much of `pool`, which must exist, is assigned and available."""
        return self._table.counters(pool)

    def in_any_pool(self, address: IPAddress) -> bool:
        """Whether some pool may give `address`."""
        return bool(self._table.containing(address))

    def waiting(self) -> tuple[NamespacedName, ...]:
        """Oldest first, the services that another one's release may help: to be converged again after every release.

        They were refused by the last `allocate`, or `extend`ed in vain while holding one address of two.
        """
        return tuple(sorted(self._waiting, key=self._waiting.__getitem__))

    def release(self, key: NamespacedName) -> Allocation | None:
        """Take everything from the service, if it has anything, and forget that it waits. Returns what it had."""
        self._waiting.pop(key, None)
        lease = self._leases.pop(key, None)
        if lease is None:
            return None
        for address in lease.allocation.addresses:
            self._leave(address, lease.tenant)
        return lease.allocation

    def register(self, service: Service, addresses: Sequence[IPAddress]) -> Allocation | Refusal:
        """Give the service exactly `addresses` (at least one), in that order, instead of what it has."""
        pool = self._table.owner(addresses)
        if pool is None:
            return self._not_in_a_pool(addresses)
        barrier = verdict.not_admitted(pool, service)
        if barrier is not None:
            return _not_compatible(pool, barrier)
        try:
            family_of_all(addresses)
        except IPFamilyError as error:
            return Refusal(RefusalReason.INVALID_ADDRESS_SET, f"invalid set of addresses {quoted(addresses)}: {error}")
        tenant = tenant_of(service)
        for address in addresses:
            refused = refusal(tenant, address, self._occupancies.get(address))
            if refused is not None:
                return Refusal(refused.reason, refused.message, (verdict.sharing_refused(pool, address),))
        return self._record(pool, tenant, tuple(addresses))

    def allocate(self, service: Service) -> Allocation | Refusal:
        """Give a service what it asks for, or the lowest address it may have. One that has an address keeps it."""
        held = self.allocation_of(service.key)
        if held is not None:
            return self.register(service, held.addresses)
        demand = demand_of(service)
        answer = demand if isinstance(demand, Refusal) else self._answer(service, demand)
        self._note(service, answer)
        return answer

    def extend(self, service: Service) -> Allocation | Refusal:
        """Add the other family, from the same pool, to the one address that the service has."""
        lease = self._leases[service.key]
        (first,) = lease.allocation.addresses
        pool = self.pools[lease.allocation.pool]
        other = IPFamily.IPV6 if family_of(first) is IPFamily.IPV4 else IPFamily.IPV4
        second = self._table.stock(pool, other).lowest(lease.tenant)
        answer = (
            self._nothing_left(pool, lease.tenant, other) if second is None else self.register(service, (first, second))
        )
        self._note(service, answer)
        return answer

    def _note(self, service: Service, answer: Allocation | Refusal) -> None:
        if isinstance(answer, Refusal) and answer.may_pass:
            self._waiting[service.key] = service.metadata.age_order
        else:
            self._waiting.pop(service.key, None)

    def _answer(self, service: Service, demand: Demand) -> Allocation | Refusal:
        if demand.addresses:
            return self._requested_addresses(service, demand)
        if demand.pool is not None:
            return self._requested_pool(service, demand, demand.pool)
        return self._any_pool(service, demand)

    def _requested_addresses(self, service: Service, demand: Demand) -> Allocation | Refusal:
        asked = f"requested loadBalancer IP(s) {quoted(demand.addresses)}"
        if family_of_all(demand.addresses) is not demand.family:
            return Refusal(
                RefusalReason.FAMILY_MISMATCH,
                f"{asked} does not match the ipFamily of the service: "
                f"its cluster IPs need {verdict.family_name(demand.family)}",
            )
        owner = self._table.owner(demand.addresses)
        if owner is not None and demand.pool not in (None, owner.name):
            text = f"contains {', '.join(map(str, demand.addresses))}, but the service asks for pool {demand.pool}"
            return Refusal(
                RefusalReason.REQUESTED_POOL_MISMATCH,
                f"{asked} is not compatible with requested address pool {demand.pool}: it is in pool {owner.name}",
                (PoolVerdict(owner.name, PoolReason.NOT_REQUESTED, text),),
            )
        return self.register(service, demand.addresses)

    def _requested_pool(self, service: Service, demand: Demand, name: PoolName) -> Allocation | Refusal:
        pool = self.pools.get(name)
        if pool is None:
            return Refusal(RefusalReason.UNKNOWN_POOL, f'unknown pool "{name}"; there are: {_listed(self.pools)}')
        barrier = verdict.not_admitted(pool, service)
        if barrier is not None:
            return _not_compatible(pool, barrier)
        if _never(demand):
            return Refusal(
                RefusalReason.DUAL_STACK_NOT_REQUESTED,
                f"no available IPs in pool {name} for dual IPFamily: {_DUAL_STACK_HINT}",
            )
        tenant = tenant_of(service)
        return self._first_fit([pool], tenant, demand) or self._nothing_left(pool, tenant, demand.family)

    def _any_pool(self, service: Service, demand: Demand) -> Allocation | Refusal:
        if _never(demand):
            return Refusal(RefusalReason.DUAL_STACK_NOT_REQUESTED, f"no available IPs: {_DUAL_STACK_HINT}")
        tenant = tenant_of(service)
        meta = service.metadata
        pinned = [pool for pool in self._table.pinned if pool.admits(meta.namespace, meta.labels)]
        allocation = self._first_fit(pinned, tenant, demand) or self._first_fit(self._table.open, tenant, demand)
        return allocation or Refusal(
            RefusalReason.NO_AVAILABLE_IPS,
            "no available IPs",
            verdict.automatic(self._table, service, tenant, demand.family),
        )

    def _first_fit(self, pools: Iterable[Pool], tenant: Tenant, demand: Demand) -> Allocation | None:
        """The first pool that offers all that is needed; under PreferDualStack else the first with the better half."""
        halves: list[tuple[Pool, IPAddress]] = []
        for pool in pools:
            offer = self._offer(pool, tenant, demand.family)
            if len(offer) == len(demand.family.single):
                return self._record(pool, tenant, offer)
            halves.extend((pool, address) for address in offer)
        if not halves or demand.policy is not IPFamilyPolicy.PREFER_DUAL_STACK:
            return None
        primary = [half for half in halves if family_of(half[1]) is demand.primary]
        pool, address = (primary or halves)[0]
        return self._record(pool, tenant, (address,))

    def _offer(self, pool: Pool, tenant: Tenant, family: IPFamily) -> tuple[IPAddress, ...]:
        """The lowest address that `tenant` may have of each single family in `family`, IPv4 first."""
        lowest = (self._table.stock(pool, single).lowest(tenant) for single in family.single)
        return tuple(address for address in lowest if address is not None)

    def _record(self, pool: Pool, tenant: Tenant, addresses: tuple[IPAddress, ...]) -> Allocation:
        allocation = Allocation(pool.name, addresses)
        lease = _Lease(allocation, tenant)
        self._waiting.pop(tenant.key, None)
        if self._leases.get(tenant.key) != lease:
            self.release(tenant.key)
            self._leases[tenant.key] = lease
            for address in addresses:
                self._enter(address, tenant)
        return allocation

    def _enter(self, address: IPAddress, tenant: Tenant) -> None:
        occupancy = self._occupancies.get(address)
        if occupancy is None:
            occupancy = self._occupancies[address] = Occupancy(tenant.terms)
            self._table.occupy(address, occupancy)
        occupancy.admit(tenant)

    def _leave(self, address: IPAddress, tenant: Tenant) -> None:
        occupancy = self._occupancies[address]
        occupancy.leave(tenant.key)
        if not occupancy.tenants:
            del self._occupancies[address]
            self._table.vacate(address, occupancy.terms)
            return
        for stock in self._table.stocks_of(address):
            stock.free_ports(address, occupancy.terms, tenant.ports)

    def _nothing_left(self, pool: Pool, tenant: Tenant, family: IPFamily) -> Refusal:
        found = verdict.nothing_left(self._table, pool, tenant, family)
        lacks = found.reason is PoolReason.LACKS_FAMILY
        reason = RefusalReason.POOL_LACKS_FAMILY if lacks else RefusalReason.POOL_FULL
        return Refusal(reason, f"no available IPs in pool {pool.name}", (found,))

    def _not_in_a_pool(self, addresses: Sequence[IPAddress]) -> Refusal:
        message = f"{quoted(addresses)} is not allowed in config"
        verdicts = verdict.outside(self._table, addresses)
        if all(self._table.containing(address) for address in addresses):
            where = ", ".join(f"{address} is in {self._table.containing(address)[0].name}" for address in addresses)
            text = f"{message}: one pool must hold both, {where}"
            return Refusal(RefusalReason.NOT_IN_ONE_POOL, text, verdicts)
        avoided = any(self._table.avoiding(address) for address in addresses)
        return Refusal(RefusalReason.ADDRESS_AVOIDED if avoided else RefusalReason.NOT_IN_ANY_POOL, message, verdicts)


_DUAL_STACK_HINT = "two cluster IPs need ipFamilyPolicy PreferDualStack or RequireDualStack"


def _never(demand: Demand) -> bool:
    """Two families are needed, but the policy does not ask for two."""
    return demand.family is IPFamily.DUAL and demand.policy is IPFamilyPolicy.SINGLE_STACK


def _not_compatible(pool: Pool, barrier: PoolVerdict) -> Refusal:
    message = f"pool {pool.name} not compatible for ip assignment"
    return Refusal(RefusalReason.POOL_NOT_COMPATIBLE, message, (barrier,))


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
