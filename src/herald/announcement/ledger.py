"""The ledger: what every service contributes to the wish of one node, and what the contributions add up to.

An address that two services share is held until the last of them lets go, on the interfaces of both; a prefix that
several services want is one route with the attributes of all, and is withdrawn with the last. Each sum counts how many
services want which value, not which services, so that exchanging one costs the same however many share the entry: an
aggregate over 10,000 services has one or two different values in it.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from herald.announcement.desired import sorted_holdings, sorted_routes, union
from herald.announcement.eligibility import InterfaceNames
from herald.announcement.gate import Addresses
from herald.announcement.routes import merged
from herald.bgp.route import Route
from herald.cluster.meta import NamespacedName, PeerName
from herald.layer2.holding import Holding
from herald.net.ip_family import IPAddress, IPPrefix

Value = TypeVar("Value", bound=Hashable)
Counts = dict[Value, int]
"""How many services want each value."""


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one service with `addresses` adds to the wish: answers for them on `interfaces`, and routes by session."""

    addresses: Addresses = ()
    answers: bool = False
    interfaces: InterfaceNames = None
    routes: tuple[tuple[PeerName, tuple[Route, ...]], ...] = ()

    @property
    def held(self) -> Addresses:
        return self.addresses if self.answers else ()


NOTHING = Contribution()


@dataclass(slots=True)
class Tally:
    """What one or more exchanges changed in the sums, the last word on each: None for what is no longer wanted."""

    holdings: dict[IPAddress, Holding | None] = field(default_factory=dict)
    routes: dict[PeerName, dict[IPPrefix, Route | None]] = field(default_factory=dict)


class Ledger:
    """Contributions by service, and their sums."""

    def __init__(self) -> None:
        self._of: dict[NamespacedName, Contribution] = {}
        self._holdings: dict[IPAddress, Counts[InterfaceNames]] = {}
        self._routes: dict[PeerName, dict[IPPrefix, Counts[Route]]] = {}

    def of(self, service: NamespacedName) -> Contribution:
        """What the service contributes at present."""
        return self._of.get(service, NOTHING)

    def contributions(self) -> Mapping[NamespacedName, Contribution]:
        """What every service that adds anything contributes; to read from."""
        return self._of

    def exchange(self, service: NamespacedName, new: Contribution, tally: Tally) -> None:
        """Put `new` in the place of what the service contributed so far, and note in `tally` what that changes."""
        old = self.of(service)
        if new == old:
            return
        if new == NOTHING:
            del self._of[service]
        else:
            self._of[service] = new
        self._exchange_holdings(old, new, tally.holdings)
        past, future = dict(old.routes), dict(new.routes)
        for session in dict.fromkeys((*past, *future)):
            before, after = past.get(session, ()), future.get(session, ())
            if before != after:
                table = self._routes.setdefault(session, {})
                _exchange_routes(table, before, after, tally.routes.setdefault(session, {}))

    def holdings(self) -> tuple[Holding, ...]:
        """All that is held, by address."""
        return sorted_holdings(Holding(address, union(counts)) for address, counts in self._holdings.items())

    def routes(self, session: PeerName) -> tuple[Route, ...]:
        """All that is sent to the session, by prefix."""
        return sorted_routes(map(merged, self._routes.get(session, {}).values()))

    def _exchange_holdings(self, old: Contribution, new: Contribution, noted: dict[IPAddress, Holding | None]) -> None:
        for address in dict.fromkeys((*old.held, *new.held)):
            counts = self._holdings.setdefault(address, {})
            before = Holding(address, union(counts)) if counts else None
            if address in old.held:
                _take(counts, old.interfaces)
            if address in new.held:
                _put(counts, new.interfaces)
            after = Holding(address, union(counts)) if counts else None
            if not counts:
                del self._holdings[address]
            if after != before:
                noted[address] = after


def _exchange_routes(
    table: dict[IPPrefix, Counts[Route]],
    old: tuple[Route, ...],
    new: tuple[Route, ...],
    noted: dict[IPPrefix, Route | None],
) -> None:
    arriving = {route.prefix: route for route in new}
    for route in old:
        replacement = arriving.pop(route.prefix, None)
        if replacement != route:
            noted.update(_exchange_one(table, route.prefix, route, replacement))
    for prefix, route in arriving.items():
        noted.update(_exchange_one(table, prefix, None, route))


def _exchange_one(
    table: dict[IPPrefix, Counts[Route]], prefix: IPPrefix, leaving: Route | None, arriving: Route | None
) -> dict[IPPrefix, Route | None]:
    """The new sum for the prefix, if it is another one than before."""
    counts = table.get(prefix)
    if counts is None:
        assert arriving is not None
        table[prefix] = {arriving: 1}
        return {prefix: arriving}
    before = merged(counts)
    if leaving is not None:
        _take(counts, leaving)
    if arriving is not None:
        _put(counts, arriving)
    if not counts:
        del table[prefix]
        return {prefix: None}
    after = merged(counts)
    return {} if after == before else {prefix: after}


def _put(counts: Counts[Value], value: Value) -> None:
    counts[value] = counts.get(value, 0) + 1


def _take(counts: Counts[Value], value: Value) -> None:
    if counts[value] == 1:
        del counts[value]
    else:
        counts[value] -= 1
