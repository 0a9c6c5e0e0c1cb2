"""Draft: changes of the wish on their way to the engine, put together into one `Apply`.

An `Apply` says of each address, peer and prefix what it is to be; so of several changes to one the last counts.
"""

from herald.announcement.desired import Desired
from herald.announcement.incremental import Change
from herald.bgp.parameters import PeerParameters
from herald.bgp.route import Route
from herald.engine.link import Apply, Handover, PeerRoutes
from herald.layer2.holding import Holding
from herald.net.ip_family import IPAddress, IPPrefix


class Draft:
    """Changes that the engine has not been told of. None stands for what is to be gone."""

    def __init__(self) -> None:
        self._holdings: dict[IPAddress, Holding | None] = {}
        self._successors: dict[IPAddress, str] = {}
        self._peers: dict[str, PeerParameters | None] = {}
        self._routes: dict[str, dict[IPPrefix, Route | None]] = {}
        self._emptied: set[str] = set()

    def add(self, change: Change) -> None:
        """`change` comes after all that was added before."""
        self._holdings.update(dict.fromkeys(change.released))
        for address in change.released:
            self._successors.pop(address, None)
        self._successors.update(change.successors)
        self._holdings.update((holding.address, holding) for holding in change.held)
        self._peers.update((peer.name, peer) for peer in change.peers)
        for name in change.peers_dropped:
            self._peers[name] = None
            # The engine drops the routes of a peer with it; should the peer come back before it is told, say so too.
            self._routes[name] = {}
            self._emptied.add(name)
        for name, routes in change.routes.items():
            table = self._routes.setdefault(name, {})
            table.update(dict.fromkeys(routes.withdrawn))
            table.update((route.prefix, route) for route in routes.upserts)

    def take(self) -> Apply | None:
        """What to tell the engine, or None if there is nothing. The draft is empty afterwards."""
        if not (self._holdings or self._peers or self._routes):
            return None
        apply = Apply(
            holdings=tuple(holding for holding in self._holdings.values() if holding is not None),
            holdings_dropped=tuple(address for address, holding in self._holdings.items() if holding is None),
            handovers=tuple(
                Handover(address, node)
                for address, node in self._successors.items()
                if self._holdings.get(address, _KEPT) is None
            ),
            peers=tuple(peer for peer in self._peers.values() if peer is not None),
            peers_dropped=tuple(name for name, peer in self._peers.items() if peer is None),
            routes=tuple(
                _peer_routes(name, table, replace=name in self._emptied)
                for name, table in self._routes.items()
                if self._peers.get(name, _KEPT) is not None
            ),
        )
        self.clear()
        return apply

    def clear(self) -> None:
        """Forget everything: the engine is about to be told the whole wish."""
        self._holdings.clear()
        self._successors.clear()
        self._peers.clear()
        self._routes.clear()
        self._emptied.clear()


_KEPT = object()


def _peer_routes(name: str, table: dict[IPPrefix, Route | None], *, replace: bool) -> PeerRoutes:
    return PeerRoutes(
        name,
        replace=replace,
        upserts=tuple(route for route in table.values() if route is not None),
        withdrawn=tuple(prefix for prefix, route in table.items() if route is None),
    )


def whole(desired: Desired, *, reset: bool) -> Apply:
    """Everything that is wished for. Without `reset` the engine keeps what is not named."""
    return Apply(
        reset=reset,
        holdings=desired.holdings,
        peers=desired.peers,
        routes=tuple(PeerRoutes(name, upserts=routes, replace=reset) for name, routes in desired.routes.items()),
    )
