"""The addresses of one family in one pool: which is the lowest that a service can have?

MetalLB walks a pool from its first address to the last and takes the first that is free or may be shared. A Stock
gives the same answer without the walk:

    place      where an address stands in that walk: (number of the range in the manifest, address as an integer)
    frontier   every place before it has been given at least once; free places before it are in a heap
    shared     per sharing terms, the places in use under them, sorted; per port, up to where all have it taken

Taking, giving back and asking cost a few heap or bisect steps each, however many addresses are in use, and nothing is
ever listed. The price: entries of the heap may be in use again by now; they are dropped when they come to the top.
"""

from bisect import bisect_left, insort
from heapq import heappop, heappush
from ipaddress import IPv4Address, IPv6Address
from typing import TypeAlias

from herald.allocator.sharing import Occupancy, Port, SharingTerms, Tenant
from herald.config.pool import Pool
from herald.net.address_range import is_buggy
from herald.net.ip_family import IPAddress, IPFamily

Place: TypeAlias = tuple[int, int]


class Stock:
    """One family of one pool. The caller tells it of every address in it that begins or ends to be used."""

    def __init__(self, pool: Pool, family: IPFamily) -> None:
        self.pool = pool
        self.family = family
        self._make: type[IPv4Address] | type[IPv6Address] = IPv4Address if family is IPFamily.IPV4 else IPv6Address
        self._ranges = [(int(entry.first), int(entry.last)) for entry in pool.ranges if entry.family is family]
        self._by_address = sorted((first, last, index) for index, (first, last) in enumerate(self._ranges))
        self._frontier: Place = (0, self._ranges[0][0]) if self._ranges else (0, 0)
        self._returned: list[Place] = []
        self._queued: set[Place] = set()
        self._used: set[Place] = set()
        self._shared: dict[str, dict[str, _SharedPlaces]] = {}

    @property
    def assigned(self) -> int:
        """How many distinct addresses are in use."""
        return len(self._used)

    def occupy(self, address: IPAddress, occupancy: Occupancy) -> None:
        """`address`, which is in the pool and was free, is in use from now on."""
        place = self._place(address)
        self._used.add(place)
        if occupancy.terms.willing:
            backends = self._shared.setdefault(occupancy.terms.sharing_key, {})
            backends.setdefault(occupancy.terms.backend_key, _SharedPlaces()).add(place, occupancy)

    def vacate(self, address: IPAddress, terms: SharingTerms) -> None:
        """`address` is free again; `terms` are those it was in use under."""
        place = self._place(address)
        self._used.remove(place)
        if place < self._frontier and place not in self._queued:
            self._queued.add(place)
            heappush(self._returned, place)
        if terms.willing:
            backends = self._shared[terms.sharing_key]
            backends[terms.backend_key].remove(place)
            if not backends[terms.backend_key].places:
                del backends[terms.backend_key]
            if not backends:
                del self._shared[terms.sharing_key]

    def free_ports(self, address: IPAddress, terms: SharingTerms, ports: tuple[Port, ...]) -> None:
        """One of several tenants has left `address`, and with it these ports."""
        self._shared[terms.sharing_key][terms.backend_key].free(self._place(address), ports)

    def lowest(self, tenant: Tenant) -> IPAddress | None:
        """The first address in the order of the manifest that `tenant` may have, in use or not."""
        free, shareable = self._lowest_free(), self._lowest_shareable(tenant)
        if free is None or shareable is None:
            place = free or shareable
        else:
            place = min(free, shareable)
        return None if place is None else self._make(place[1])

    def nearest_sharer(self, tenant: Tenant) -> tuple[IPAddress, Occupancy] | None:
        """An address in use under the tenant's sharing key, the same backend before others; for explanations."""
        backends = self._shared.get(tenant.terms.sharing_key)
        if not backends:
            return None
        places = backends.get(tenant.terms.backend_key) or next(iter(backends.values()))
        place = places.places[0]
        return self._make(place[1]), places.occupancies[place]

    def _place(self, address: IPAddress) -> Place:
        number = int(address)
        first, last, index = self._by_address[bisect_left(self._by_address, (number + 1,)) - 1]
        assert first <= number <= last, f"{address} is not in pool {self.pool.name}"
        return (index, number)

    def _lowest_free(self) -> Place | None:
        while self._returned and self._returned[0] in self._used:
            self._queued.remove(heappop(self._returned))
        return self._returned[0] if self._returned else self._advance()

    def _advance(self) -> Place | None:
        """Move the frontier to the next place that is neither in use nor avoided; None behind the last one."""
        index, number = self._frontier
        while index < len(self._ranges):
            if number > self._ranges[index][1]:
                index, number = index + 1, self._ranges[index + 1][0] if index + 1 < len(self._ranges) else 0
            elif (index, number) in self._used or self._avoided(number):
                number += 1
            else:
                self._frontier = (index, number)
                return self._frontier
        self._frontier = (index, number)
        return None

    def _avoided(self, number: int) -> bool:
        return self.pool.avoid_buggy_ips and is_buggy(self._make(number))

    def _lowest_shareable(self, tenant: Tenant) -> Place | None:
        if not tenant.terms.willing:
            return None
        places = self._shared.get(tenant.terms.sharing_key, {}).get(tenant.terms.backend_key)
        return None if places is None else places.lowest(tenant)


class _SharedPlaces:
    """The places in use under one set of sharing terms."""

    def __init__(self) -> None:
        self.places: list[Place] = []
        self.occupancies: dict[Place, Occupancy] = {}
        self._taken_before: dict[Port, Place] = {}

    def add(self, place: Place, occupancy: Occupancy) -> None:
        insort(self.places, place)
        self.occupancies[place] = occupancy
        self._lower(place, tuple(self._taken_before))

    def remove(self, place: Place) -> None:
        del self.places[bisect_left(self.places, place)]
        del self.occupancies[place]

    def free(self, place: Place, ports: tuple[Port, ...]) -> None:
        self._lower(place, ports)

    def _lower(self, place: Place, ports: tuple[Port, ...]) -> None:
        for port in ports:
            if port in self._taken_before and place < self._taken_before[port]:
                self._taken_before[port] = place

    def lowest(self, tenant: Tenant) -> Place | None:
        """The first place where no other tenant has a port of `tenant`.

        The walk starts where the ports' bounds allow and pushes them on as it goes, so that a hundred services with
        one port walk a hundred places together, not each. Only bounds that touch the walk may move: a place that was
        refused for another port says nothing about this one.
        """
        bounds = {port: self._taken_before.get(port, self.places[0]) for port in tenant.ports}
        start = max(bounds.values(), default=self.places[0])
        for index in range(bisect_left(self.places, start), len(self.places)):
            place = self.places[index]
            clashing = set(self.occupancies[place].clashing(tenant))
            if not clashing:
                return place
            behind = self.places[index + 1] if index + 1 < len(self.places) else (place[0], place[1] + 1)
            for port in clashing:
                if self._taken_before.get(port, self.places[0]) >= place:
                    self._taken_before[port] = behind
        return None
