"""Wish: what control last wanted of the engine, and what each new message changes in it.

The engine acts on differences only. Whatever way a wish is told, in small changes or whole, once or ten times, what
reaches the wire is the same; `Apply(reset=True)` with what is already wished gives an empty `Difference`.

A withdrawal beats an upsert of the same prefix in the same `PeerRoutes`, but an address or peer both named and dropped
in one message stays: dropping is said of what the message does not name.
"""

from dataclasses import dataclass, field

from herald.bgp.family import Prefix
from herald.bgp.parameters import PeerParameters
from herald.bgp.route import Route
from herald.engine.link import Apply, PeerRoutes
from herald.layer2.holding import Address, Holding, differences

RouteTable = dict[Prefix, Route]


@dataclass(frozen=True, slots=True)
class RouteDifference:
    """What changes towards one peer: both parts name each prefix at most once, and never the same."""

    upserts: tuple[Route, ...]
    withdrawn: tuple[Prefix, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """What must be done so that the new wish holds. `peers` are new or changed ones."""

    held: tuple[Holding, ...] = ()
    released: tuple[Address, ...] = ()
    peers: tuple[PeerParameters, ...] = ()
    peers_dropped: tuple[str, ...] = ()
    routes: dict[str, RouteDifference] = field(default_factory=dict)


class Wish:
    """The desired state of the engine."""

    def __init__(self) -> None:
        self.holdings: dict[Address, Holding] = {}
        self.peers: dict[str, PeerParameters] = {}
        self.routes: dict[str, RouteTable] = {}

    def apply(self, message: Apply) -> Difference:
        """Take the message in and tell what it changes."""
        held, released = differences(self.holdings, message.holdings, message.holdings_dropped, message.reset)
        for address in released:
            del self.holdings[address]
        self.holdings.update((holding.address, holding) for holding in held)
        peers, peers_dropped = self._apply_peers(message)
        return Difference(held, released, peers, peers_dropped, self._apply_routes(message, peers_dropped))

    def _apply_peers(self, message: Apply) -> tuple[tuple[PeerParameters, ...], tuple[str, ...]]:
        named = {peer.name: peer for peer in message.peers}
        changed = tuple(peer for name, peer in named.items() if self.peers.get(name) != peer)
        candidates = self.peers if message.reset else dict.fromkeys(n for n in message.peers_dropped if n in self.peers)
        dropped = tuple(name for name in candidates if name not in named)
        for name in dropped:
            del self.peers[name]
        self.peers.update((peer.name, peer) for peer in changed)
        return changed, dropped

    def _apply_routes(self, message: Apply, peers_dropped: tuple[str, ...]) -> dict[str, RouteDifference]:
        """Also forgets the routes of peers that are gone, unless the message gives them anew."""
        gone = list(self.routes) if message.reset else peers_dropped
        touched: dict[str, _Touched] = {name: dict(self.routes.pop(name, {})) for name in gone}
        for change in message.routes:
            table = self.routes.setdefault(change.peer, {})
            _change(table, change, touched.setdefault(change.peer, {}))
        compared = {name: _compare(before, self.routes.get(name, {})) for name, before in touched.items()}
        return {name: found for name, found in compared.items() if found.upserts or found.withdrawn}


_Touched = dict[Prefix, Route | None]
"""What stood before the message, of the prefixes it touches: one route among 10,000 costs one comparison."""


def _change(table: RouteTable, change: PeerRoutes, touched: _Touched) -> None:
    if change.replace:
        for prefix, route in table.items():
            touched.setdefault(prefix, route)
        table.clear()
    for route in change.upserts:
        touched.setdefault(route.prefix, table.get(route.prefix))
        table[route.prefix] = route
    for prefix in change.withdrawn:
        touched.setdefault(prefix, table.pop(prefix, None))
        table.pop(prefix, None)


def _compare(before: _Touched, after: RouteTable) -> RouteDifference:
    upserts: list[Route] = []
    withdrawn: list[Prefix] = []
    for prefix, was in before.items():
        now = after.get(prefix)
        if now is None and was is not None:
            withdrawn.append(prefix)
        elif now is not None and now != was:
            upserts.append(now)
    return RouteDifference(tuple(upserts), tuple(withdrawn))
