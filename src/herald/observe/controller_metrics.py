"""The metrics of the controller: MetalLB's allocator families, and what they leave unsaid."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

from herald.allocator.allocator import Allocator
from herald.allocator.counters import INT64_MAX, PoolCounters
from herald.observe.exposition import Family, Format, Kind, Page, Sample, Samples, single, write
from herald.observe.store_metrics import StoreCounts, processes

_POOL: Final = ("pool",)
TOTAL: Final = Family("metallb_allocator_addresses_total", Kind.GAUGE, "Addresses that each pool can give.", _POOL)
TOTAL4: Final = Family(
    "metallb_allocator_ipv4_addresses_total", Kind.GAUGE, "IPv4 addresses that each pool can give.", _POOL
)
TOTAL6: Final = Family(
    "metallb_allocator_ipv6_addresses_total", Kind.GAUGE, "IPv6 addresses that each pool can give.", _POOL
)
USED: Final = Family(
    "metallb_allocator_addresses_in_use_total",
    Kind.GAUGE,
    "Addresses of each pool that are given; a shared one counts once.",
    _POOL,
)
USED4: Final = Family(
    "metallb_allocator_ipv4_addresses_in_use_total", Kind.GAUGE, "IPv4 addresses of each pool that are given.", _POOL
)
USED6: Final = Family(
    "metallb_allocator_ipv6_addresses_in_use_total", Kind.GAUGE, "IPv6 addresses of each pool that are given.", _POOL
)
ALLOCATED: Final = Family("herald_allocator_services", Kind.GAUGE, "Services that have an address.")
WAITING: Final = Family(
    "herald_allocator_services_waiting", Kind.GAUGE, "Services that were refused and get an address when one is freed."
)
REFUSALS: Final = Family(
    "herald_allocator_refusals_total", Kind.COUNTER, "Refusals told to operators, by reason.", ("reason",)
)
LEADER: Final = Family("herald_controller_leader_bool", Kind.GAUGE, "1 while this controller is the one that acts.")


class ControllerMetrics:
    """Reads the allocator when it is asked; `allocator` gives the present one."""

    def __init__(
        self, allocator: Callable[[], Allocator], store: StoreCounts, *, leads: Callable[[], bool] = lambda: True
    ) -> None:
        self._allocator = allocator
        self._store = store
        self._leads = leads
        self._refusals: Counter[str] = Counter()

    def refused(self, reason: str) -> None:
        """An operator was told that a service gets no address; `reason` is the word of the event."""
        self._refusals[reason] += 1

    async def render(self, form: Format = Format.TEXT) -> bytes:
        """The whole page."""
        return await write(self._page(), form)

    def _page(self) -> Page:
        yield from self._pools()
        allocator = self._allocator()
        yield ALLOCATED, single(allocator.allocated)
        yield WAITING, single(len(allocator.waiting()))
        yield REFUSALS, [Sample((reason,), count) for reason, count in sorted(self._refusals.items())]
        yield LEADER, single(self._leads())
        yield from self._store.page()
        yield from processes({}, "controller")

    def _pools(self) -> Iterator[tuple[Family, Samples]]:
        allocator = self._allocator()
        pools = {str(name): allocator.counters(name) for name in allocator.pools}
        reads: dict[Family, Callable[[PoolCounters], int]] = {
            TOTAL: lambda one: min(_total4(one) + _total6(one), INT64_MAX),
            TOTAL4: _total4,
            TOTAL6: _total6,
            USED: lambda one: one.assigned_ipv4 + one.assigned_ipv6,
            USED4: lambda one: one.assigned_ipv4,
            USED6: lambda one: one.assigned_ipv6,
        }
        for family, read in reads.items():
            yield family, [Sample((name,), read(counters)) for name, counters in pools.items()]


def _total4(one: PoolCounters) -> int:
    return one.assigned_ipv4 + one.available_ipv4


def _total6(one: PoolCounters) -> int:
    return one.assigned_ipv6 + one.available_ipv6
