"""How many addresses a pool has given and can still give: what IPAddressPool's status and the metrics show."""

from dataclasses import dataclass

from herald.config.pool import Pool
from herald.net.ip_family import IPFamily

INT64_MAX = 2**63 - 1
_UNCOUNTED_HOST_BITS = 62
"""From this many host bits on MetalLB calls a prefix endless; so do we, for the sake of the same dashboards."""


@dataclass(frozen=True, slots=True)
class PoolCounters:
    """Distinct addresses; a shared one counts once. Everything is within 0 and 2**63 - 1."""

    assigned_ipv4: int = 0
    assigned_ipv6: int = 0
    available_ipv4: int = 0
    available_ipv6: int = 0


def capacity(pool: Pool, family: IPFamily) -> int:
    """How many addresses of a single family to report, at most 2**63 - 1: sums saturate, they never wrap."""
    entries = [entry for entry in pool.ranges if entry.family is family]
    if any(entry.first.max_prefixlen - entry.shortest_prefix_length >= _UNCOUNTED_HOST_BITS for entry in entries):
        return INT64_MAX
    return min(pool.capacity(family), INT64_MAX)


def counters(pool: Pool, assigned_ipv4: int, assigned_ipv6: int) -> PoolCounters:
    """The counters of a pool of which so many addresses are in use."""
    return PoolCounters(
        assigned_ipv4,
        assigned_ipv6,
        capacity(pool, IPFamily.IPV4) - assigned_ipv4,
        capacity(pool, IPFamily.IPV6) - assigned_ipv6,
    )
