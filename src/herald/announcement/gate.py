"""The gate: what must hold of a service before Layer 2 or BGP is asked at all (the order is MetalLB's)."""

from bisect import bisect_right
from collections.abc import Iterable

from herald.announcement.reason import Code, Reason, because
from herald.cluster.service import Service
from herald.config.pool import Pool
from herald.net.ip_family import IPAddress, parse_address

Addresses = tuple[IPAddress, ...]


def class_reason(service: Service, load_balancer_class: str | None) -> Reason | None:
    """Why a service is somebody else's: the wrong type, or the class of another controller. None if it is ours.

    Without a class of our own only services without one are ours; with one, only exact matches.
    """
    if not service.is_load_balancer:
        return because(Code.NOT_LOAD_BALANCER, type=service.spec.type)
    wanted, served = service.spec.load_balancer_class, load_balancer_class or None
    if wanted == served:
        return None
    return because(Code.OTHER_CLASS, wanted=_class_text(wanted), served=_class_text(served))


def _class_text(name: str | None) -> str:
    return "(none)" if name is None else repr(name)


def status_addresses(service: Service) -> Addresses | Reason:
    """The addresses in `status.loadBalancer.ingress`, in its order, or why there are none.

    An entry that is no address, such as one with a hostname only, spoils all.
    """
    ingress = service.status.load_balancer.ingress
    if not ingress:
        return because(Code.NO_ADDRESS, refusal="status.loadBalancer.ingress is empty")
    found = []
    for entry in ingress:
        try:
            found.append(parse_address(entry.ip))
        except ValueError:
            return because(Code.INVALID_ADDRESS, text=entry.ip or entry.hostname)
    return tuple(found)


class PoolIndex:
    """Which pool an address belongs to, by bisection: pools never overlap."""

    __slots__ = ("_entries", "_firsts")

    def __init__(self, pools: Iterable[Pool]) -> None:
        spans = [
            (entry.first.version, int(entry.first), int(entry.last), pool) for pool in pools for entry in pool.ranges
        ]
        self._entries = {
            version: sorted(((a, b, pool) for v, a, b, pool in spans if v == version), key=lambda span: span[:2])
            for version in (4, 6)
        }
        self._firsts = {version: [span[0] for span in spans] for version, spans in self._entries.items()}

    def pool_of(self, addresses: Addresses) -> Pool | None:
        """The one pool that contains all of `addresses`, or None."""
        pools = {pool.name: pool for pool in map(self._pool_of_one, addresses) if pool is not None}
        pool = next(iter(pools.values()), None) if len(pools) == 1 else None
        return pool if pool is not None and all(address in pool for address in addresses) else None

    def _pool_of_one(self, address: IPAddress) -> Pool | None:
        number, entries = int(address), self._entries[address.version]
        place = bisect_right(self._firsts[address.version], number) - 1
        if place < 0 or number > entries[place][1]:
            return None
        return entries[place][2]


def pool_reason(addresses: Addresses) -> Reason:
    """Why addresses that no single pool contains are not announced."""
    return because(Code.ADDRESS_IN_NO_POOL, addresses=", ".join(map(str, addresses)))
