"""What one node is to do: the addresses it answers for, the sessions it keeps, the routes it sends.

`desired` works it out from decisions, whole. It is the definition; `incremental` arrives at the same by small steps.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from herald.announcement.decide import Decision
from herald.announcement.eligibility import InterfaceNames
from herald.announcement.reason import Reason
from herald.announcement.routes import merged, prefix_order
from herald.announcement.sessions import Session, parameters
from herald.announcement.view import View
from herald.bgp.parameters import PeerParameters
from herald.bgp.route import Route
from herald.cluster.meta import NodeName, PeerName
from herald.layer2.holding import Holding
from herald.net.ip_family import IPAddress, IPPrefix


@dataclass(frozen=True, slots=True)
class Desired:
    """The whole wish for one node. `routes` has an entry, maybe empty, for every peer in `peers`; each is by prefix.

    `holdings` are by address, `peers` by name. `not_opened` names the sessions that the plan has and this version
    cannot open, and why; they have no routes here.
    """

    holdings: tuple[Holding, ...] = ()
    peers: tuple[PeerParameters, ...] = ()
    routes: Mapping[PeerName, tuple[Route, ...]] = field(default_factory=dict)
    not_opened: tuple[tuple[PeerName, Reason], ...] = ()


@dataclass(frozen=True, slots=True)
class Openings:
    """The sessions of a node, divided into those that can be opened and those that cannot."""

    peers: tuple[PeerParameters, ...]
    not_opened: tuple[tuple[PeerName, Reason], ...]

    @property
    def names(self) -> frozenset[PeerName]:
        """The names of the sessions that can be opened."""
        return frozenset(PeerName(peer.name) for peer in self.peers)


def openings(sessions: Iterable[Session]) -> Openings:
    """Which of `sessions` the engine can be asked for, and why not the others."""
    opened, refused = [], []
    for session in sessions:
        answer = parameters(session)
        if isinstance(answer, Reason):
            refused.append((session.name, answer))
        else:
            opened.append(answer)
    return Openings(tuple(opened), tuple(refused))


def desired(node: NodeName, decisions: Iterable[Decision], view: View) -> Desired:
    """The wish for `node` that follows from the decisions about all services."""
    open_sessions = openings(view.sessions(node))
    held: dict[IPAddress, list[InterfaceNames]] = {}
    routes: dict[PeerName, dict[IPPrefix, list[Route]]] = {name: {} for name in open_sessions.names}
    for decision in decisions:
        if decision.layer2.owner == node:
            for address in decision.addresses:
                held.setdefault(address, []).append(decision.layer2.interfaces)
        for session, sent in decision.bgp.announcing.get(node, ()):
            if session.name in routes:
                for route in sent:
                    routes[session.name].setdefault(route.prefix, []).append(route)
    return Desired(
        sorted_holdings(Holding(address, union(interfaces)) for address, interfaces in held.items()),
        open_sessions.peers,
        {name: sorted_routes(map(merged, by_prefix.values())) for name, by_prefix in sorted(routes.items())},
        open_sessions.not_opened,
    )


def union(interfaces: Iterable[InterfaceNames]) -> InterfaceNames:
    """Where an address is answered for that several services hold: wherever one of them wants it."""
    named: frozenset[str] = frozenset()
    for names in interfaces:
        if names is None:
            return None
        named |= names
    return named


def sorted_holdings(holdings: Iterable[Holding]) -> tuple[Holding, ...]:
    """By address, IPv4 first."""
    return tuple(sorted(holdings, key=lambda holding: (holding.address.version, int(holding.address))))


def sorted_routes(routes: Iterable[Route]) -> tuple[Route, ...]:
    """By prefix, IPv4 first."""
    return tuple(sorted(routes, key=lambda route: prefix_order(route.prefix)))
