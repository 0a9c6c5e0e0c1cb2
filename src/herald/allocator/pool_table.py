"""The pools as the allocator uses them: found by address, counted, and in the order in which they are tried.

Pools that compiled do not overlap; this table does not rely on it. Where pools overlap, each of them counts the
address, and the first by name owns it.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple

from herald.allocator.counters import PoolCounters, counters
from herald.allocator.sharing import Occupancy, SharingTerms
from herald.allocator.stock import Stock
from herald.cluster.meta import PoolName
from herald.config.pool import Pool
from herald.net.address_range import is_buggy
from herald.net.ip_family import IPAddress, IPFamily, family_of


class _Span(NamedTuple):
    """One range of a pool."""

    first: int
    last: int
    pool: PoolName


class _Spans:
    """The ranges of all pools in one family, sorted by first address."""

    def __init__(self, spans: Sequence[_Span]) -> None:
        self._spans = sorted(spans)
        self._firsts = [span.first for span in self._spans]
        self._furthest = list(accumulate((span.last for span in self._spans), max))

    def containing(self, number: int) -> Iterator[PoolName]:
        index = bisect_right(self._firsts, number) - 1
        while index >= 0 and self._furthest[index] >= number:
            if self._spans[index].last >= number:
                yield self._spans[index].pool
            index -= 1


class PoolTable:
    """All pools of one configuration, and which of their addresses are in use."""

    def __init__(self, pools: Mapping[PoolName, Pool]) -> None:
        self.pools = {name: pools[name] for name in sorted(pools)}
        self._stocks = {
            (pool.name, family): Stock(pool, family) for pool in self.pools.values() for family in IPFamily.DUAL.single
        }
        self._spans = {family: _Spans(_spans_of(self.pools, family)) for family in IPFamily.DUAL.single}
        automatic = [pool for pool in self.pools.values() if pool.auto_assign]
        self.pinned = sorted((pool for pool in automatic if pool.allocation is not None), key=_pinned_order)
        self.open = [pool for pool in automatic if pool.allocation is None]

    def stock(self, pool: Pool, family: IPFamily) -> Stock:
        """The addresses of a single family in `pool`; there may be none."""
        return self._stocks[pool.name, family]

    def owner(self, addresses: Sequence[IPAddress]) -> Pool | None:
        """The one pool that may give all of `addresses`, the first by name if several could; None if there is none."""
        names = set.intersection(*({pool.name for pool in self.containing(address)} for address in addresses))
        return self.pools[min(names)] if names else None

    def containing(self, address: IPAddress) -> list[Pool]:
        """The pools that may give `address`. Those that avoid it are not among them."""
        return [pool for pool in self._around(address) if not (pool.avoid_buggy_ips and is_buggy(address))]

    def avoiding(self, address: IPAddress) -> list[Pool]:
        """The pools that have `address` in a range but avoid it."""
        return [pool for pool in self._around(address) if pool.avoid_buggy_ips and is_buggy(address)]

    def stocks_of(self, address: IPAddress) -> list[Stock]:
        """Every stock that `address` can be taken from."""
        family = family_of(address)
        return [self._stocks[pool.name, family] for pool in self.containing(address)]

    def occupy(self, address: IPAddress, occupancy: Occupancy) -> None:
        """`address` is in use from now on."""
        for stock in self.stocks_of(address):
            stock.occupy(address, occupancy)

    def vacate(self, address: IPAddress, terms: SharingTerms) -> None:
        """`address` is free again."""
        for stock in self.stocks_of(address):
            stock.vacate(address, terms)

    def counters(self, name: PoolName) -> PoolCounters:
        """The counters of the pool `name`, which must exist."""
        v4, v6 = (self._stocks[name, family].assigned for family in IPFamily.DUAL.single)
        return counters(self.pools[name], v4, v6)

    def _around(self, address: IPAddress) -> list[Pool]:
        return [self.pools[name] for name in self._spans[family_of(address)].containing(int(address))]


def _pinned_order(pool: Pool) -> tuple[tuple[int, int], PoolName]:
    assert pool.allocation is not None
    return (pool.allocation.priority_order, pool.name)


def _spans_of(pools: Mapping[PoolName, Pool], family: IPFamily) -> list[_Span]:
    return [
        _Span(int(entry.first), int(entry.last), pool.name)
        for pool in pools.values()
        for entry in pool.ranges
        if entry.family is family
    ]
