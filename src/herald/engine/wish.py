"""Wish: what control last wanted of the engine, and what each new message changes in it.

The engine acts on differences only. Whatever way a wish is told, in small changes or whole, once or ten times, what
reaches the wire is the same; `Apply(reset=True)` with what is already wished gives no difference at all.

A message may name 10,000 routes. It is followed in steps, none of which takes longer than a part of it does, so that
the caller can do other work in between; the wish is followed when the last step is taken. First peers, then what is
named, and in the end what is to be gone: what replaces something is there before the other is withdrawn.

An address or peer both named and dropped in one message stays: dropping is said of what the message does not name.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, TypeVar

from herald.bgp.family import Prefix
from herald.bgp.parameters import PeerParameters
from herald.bgp.route import Route
from herald.engine.link import Apply, Handover, PeerRoutes
from herald.layer2.holding import Address, Holding

RouteTable = dict[Prefix, Route]
T = TypeVar("T")

STEP: Final = 100
"""Things that go within one step at the end of a message."""


@dataclass(frozen=True, slots=True)
class RouteDifference:
    """What changes towards one peer; no prefix is in both parts."""

    upserts: tuple[Route, ...] = ()
    withdrawn: tuple[Prefix, ...] = ()


@dataclass(frozen=True, slots=True)
class Difference:
    """One step: what must be done so that the wish holds a little more. `peers` are new or changed ones.

    What is in `handed_over` is not in `released`: another node has it.
    Routes of peers that are dropped go with them and are not named.
    """

    held: tuple[Holding, ...] = ()
    released: tuple[Address, ...] = ()
    peers: tuple[PeerParameters, ...] = ()
    peers_dropped: tuple[str, ...] = ()
    routes: dict[str, RouteDifference] = field(default_factory=dict)
    handed_over: tuple[Handover, ...] = ()


class Wish:
    """The desired state of the engine."""

    def __init__(self) -> None:
        self.holdings: dict[Address, Holding] = {}
        self.peers: dict[str, PeerParameters] = {}
        self.routes: dict[str, RouteTable] = {}

    def follow(self, parts: Sequence[Apply]) -> Iterator[Difference]:
        """Take in a message, given in its parts, step by step. The caller takes every step before the next message.

        A step in which nothing is different is given too: comparing takes its time as well.
        """
        known = set(self.peers)
        peers = self._follow_peers(parts)
        yield peers
        for peer in peers.peers:
            if peer.name not in known:
                yield from self._kept_routes(peer.name)
        yield from self._follow_holdings(parts)
        yield from self._follow_routes(parts)

    def _follow_peers(self, parts: Sequence[Apply]) -> Difference:
        named = {peer.name: peer for part in parts for peer in part.peers}
        dropped: Iterable[str] = (
            self.peers if parts[0].reset else [name for part in parts for name in part.peers_dropped]
        )
        gone = tuple(name for name in dict.fromkeys(dropped) if name in self.peers and name not in named)
        for name in gone:
            del self.peers[name]
            self.routes.pop(name, None)
        changed = tuple(peer for name, peer in named.items() if self.peers.get(name) != peer)
        self.peers.update((peer.name, peer) for peer in changed)
        return Difference(peers=changed, peers_dropped=gone)

    def _kept_routes(self, peer: str) -> Iterator[Difference]:
        """The routes that were wished for before their peer was."""
        for batch in _batches(tuple(self.routes.get(peer, {}).values())):
            yield _routes(peer, RouteDifference(upserts=batch))

    def _follow_holdings(self, parts: Sequence[Apply]) -> Iterator[Difference]:
        stale = dict.fromkeys(self.holdings) if parts[0].reset else {}
        handovers = {one.address: one for part in parts for one in part.handovers}
        for part in parts:
            stale.update(dict.fromkeys(address for address in part.holdings_dropped if address in self.holdings))
        for part in parts:
            named = {holding.address: holding for holding in part.holdings}
            changed = {address: one for address, one in named.items() if self.holdings.get(address) != one}
            for address in named:
                stale.pop(address, None)
            self.holdings.update(changed)
            yield Difference(held=tuple(changed.values()))
        for batch in _batches(stale):
            for address in batch:
                del self.holdings[address]
            released = tuple(address for address in batch if address not in handovers)
            handed_over = tuple(handovers[address] for address in batch if address in handovers)
            yield Difference(released=released, handed_over=handed_over)

    def _follow_routes(self, parts: Sequence[Apply]) -> Iterator[Difference]:
        stale = {peer: dict(table) for peer, table in self.routes.items()} if parts[0].reset else {}
        for change in (change for part in parts for change in part.routes):
            table = self.routes.setdefault(change.peer, {})
            if change.replace:
                stale[change.peer] = dict(table)
            yield _routes(change.peer, _change(table, change, stale.get(change.peer, {})))
        for peer, left in stale.items():
            table = self.routes[peer]
            for batch in _batches(left):
                for prefix in batch:
                    del table[prefix]
                yield _routes(peer, RouteDifference(withdrawn=batch))


def _routes(peer: str, change: RouteDifference) -> Difference:
    return Difference(routes={peer: change} if change.upserts or change.withdrawn else {})


def _change(table: RouteTable, change: PeerRoutes, stale: RouteTable) -> RouteDifference:
    """Apply `change` to `table`, and take what it names off what is `stale`. A withdrawal beats an upsert beside it."""
    named = {route.prefix: route for route in change.upserts}
    upserts = {prefix: route for prefix, route in named.items() if table.get(prefix) != route}
    for prefix in named:
        stale.pop(prefix, None)
    withdrawn = []
    for prefix in change.withdrawn:
        upserts.pop(prefix, None)
        stale.pop(prefix, None)
        if table.pop(prefix, None) is not None:
            withdrawn.append(prefix)
    table.update(upserts)
    return RouteDifference(tuple(upserts.values()), tuple(withdrawn))


def _batches(items: Iterable[T]) -> Iterator[tuple[T, ...]]:
    remaining = iter(items)
    while batch := tuple(islice(remaining, STEP)):
        yield batch
