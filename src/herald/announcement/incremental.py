"""The wish of one node, kept up to date: what a speaker runs on.

Services and EndpointSlices are put in and taken out one at a time; each costs only itself. When the view changes
(configuration, nodes, live speakers, interfaces) every service is looked at again, in slices between which the caller
returns to its loop:

    for change in upkeep.look_again(view):
        send(change)
        await sleep(0)

Every call returns what it changed; adding the changes up gives `upkeep.desired()`, and that equals
`herald.announcement.desired.desired` of the same facts whatever the order in which they came. Between the slices some
services stand on the new view and some on the old one, as they would on two nodes that hear of a change at different
times; a failing node's addresses are taken over from the first slice on.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

from herald.announcement.desired import Desired, Openings, openings
from herald.announcement.eligibility import local_to
from herald.announcement.gate import Addresses, class_reason, status_addresses
from herald.announcement.ledger import NOTHING, Contribution, Ledger, Tally
from herald.announcement.on_node import contribution, owner, place, why_not
from herald.announcement.ownership import Ownership
from herald.announcement.readiness import ASSUMED, NONE, Slices
from herald.announcement.reason import Code, Protocol, Reason, because
from herald.announcement.spread import Place
from herald.announcement.told import claimed_otherwise
from herald.announcement.view import View
from herald.bgp.parameters import PeerParameters
from herald.bgp.route import Route
from herald.cluster.endpoints import EndpointSlice
from herald.cluster.meta import NamespacedName, NodeName, PeerName
from herald.cluster.service import Service
from herald.config.config import Config
from herald.layer2.holding import Holding
from herald.net.ip_family import IPAddress, IPPrefix

SLICE = 40
"""Services between two returns to the caller: a millisecond or two."""
GLANCES = 400
"""Services of which it is only looked at whether a change concerns them."""
SPREAD_SLICE = 20
"""Addresses that are spread between two returns."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """This node began to announce a service in one protocol (`reason` None), or ceased to, and why."""

    service: NamespacedName
    protocol: Protocol
    addresses: Addresses
    reason: Reason | None


@dataclass(frozen=True, slots=True)
class RouteChange:
    """What changes towards one session; no prefix is in both parts."""

    upserts: tuple[Route, ...] = ()
    withdrawn: tuple[IPPrefix, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """What is different from before: holdings, peers and routes that are new or different, and those that are gone.

    `successors` names the node that is to take a released address; without one nobody is, or it has been taken.
    A new session is named before its first route, or in the same change; one that goes, after its last. `contributions`
    names the services for which this node now does something else than before, `NOTHING` included.
    """

    held: tuple[Holding, ...] = ()
    released: tuple[IPAddress, ...] = ()
    routes: Mapping[PeerName, RouteChange] = field(default_factory=dict)
    peers: tuple[PeerParameters, ...] = ()
    peers_dropped: tuple[PeerName, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    contributions: tuple[tuple[NamespacedName, Contribution], ...] = ()
    successors: Mapping[IPAddress, NodeName] = field(default_factory=dict)

    def __bool__(self) -> bool:
        parts = (self.held, self.released, self.routes, self.peers, self.peers_dropped, self.verdicts)
        return any(parts)


@dataclass(frozen=True, slots=True)
class Tenure:
    """This node holds an address whose advertisements ask for `failback`; `in_turn` would have it otherwise."""

    address: IPAddress
    failback_s: float
    in_turn: NodeName | None


class Upkeep:
    """What `node` is to do, given the services, slices and view it was last told of.

    `load_balancer_class` is the class that is served (None: services without one). With `assume_ready` a service of
    which no EndpointSlice was seen counts as ready on every node. Before the first `look_again` there is no view, and
    therefore nothing to do.
    """

    def __init__(self, node: NodeName, *, load_balancer_class: str | None = None, assume_ready: bool = False) -> None:
        self._node = node
        self._class = load_balancer_class
        self._unseen = ASSUMED if assume_ready else NONE
        self._view = View(Config())
        self._openings = Openings((), ())
        self._told: dict[str, PeerParameters] = {}
        self._services: dict[NamespacedName, Service] = {}
        self.slices = Slices()
        """The EndpointSlices that were put in; to read from."""
        self._ledger = Ledger()
        self._round = 0
        self._appeared: frozenset[NodeName] = frozenset()
        self._is_whole = False
        self._is_filling = False
        self._to_place: set[NamespacedName] = set()

    def put_service(self, service: Service) -> Change:
        """A service is new or changed."""
        self._services[service.key] = service
        return self._follow((service.key,))

    def remove_service(self, key: NamespacedName) -> Change:
        """A service is gone."""
        self._services.pop(key, None)
        return self._follow((key,))

    def put_slice(self, piece: EndpointSlice) -> Change:
        """An EndpointSlice is new or changed."""
        return self._follow(self.slices.put(piece))

    def remove_slice(self, key: NamespacedName) -> Change:
        """An EndpointSlice is gone."""
        return self._follow(self.slices.remove(key))

    def fill(self, services: Iterable[Service], slices: Iterable[EndpointSlice]) -> None:
        """Take in a whole list at the start, without deciding; `look_again` does that."""
        self._services.update((service.key, service) for service in services)
        for piece in slices:
            self.slices.put(piece)

    def look_again(self, view: View) -> Iterator[Change]:
        """Decide about every service by `view`, some at a time. It is in force for new events at once.

        A round that another one overtakes ends early: the later one looks at everything anyway.
        """
        before, self._view = self._view, view.seen_from(self._node)
        self._round += 1
        appeared = _members(self._view) - _members(before)
        self._appeared = appeared if self._is_whole else self._appeared | appeared
        self._openings = openings(self._view.sessions(self._node))
        concerns: Callable[[IPAddress], bool] | None = None
        if self._is_whole and self._view.differs_by_claims_from(before):
            concerns = claimed_otherwise(before.landscape.told, self._view.landscape.told)
        self._is_whole = False
        self._is_filling, self._to_place = self._view.spreads_evenly, set()
        return self._rounds(self._round, concerns)

    def _rounds(self, mine: int, concerns: Callable[[IPAddress], bool] | None) -> Iterator[Change]:
        yield self._new_peers()
        for _ in self._filling_spreads():
            yield Change()
            if self._round != mine:
                return
        waiting, size = iter(tuple(self._services)), SLICE if concerns is None else GLANCES
        while self._round == mine and (keys := tuple(islice(waiting, size))):
            yield self._decide(keys if concerns is None else [key for key in keys if self._concerned(key, concerns)])
        if self._round == mine:
            self._is_whole = True
            self._appeared = frozenset()
            yield self._dropped_peers()

    def _concerned(self, key: NamespacedName, concerns: Callable[[IPAddress], bool]) -> bool:
        service = self._services.get(key)
        addresses = () if service is None else status_addresses(service)
        return not isinstance(addresses, Reason) and bool(addresses) and concerns(addresses[0])

    def _filling_spreads(self) -> Iterator[None]:
        """Divide the addresses of all services anew, where that is asked for: none is decided about before."""
        if not self._is_filling:
            return
        places: list[tuple[NamespacedName, Place]] = []
        waiting, spreads = iter(tuple(self._services)), self._view.spreads
        while keys := tuple(islice(waiting, SLICE)):
            places += [(key, found) for key in keys if (found := self._place(key)) is not None]
            yield
        filling = spreads.fill(places)
        while tuple(islice(filling, SPREAD_SLICE)):
            yield
        for key in self._to_place:
            spreads.place(key, self._place(key))
        self._is_filling = False

    def _place(self, key: NamespacedName) -> Place | None:
        service = self._services.get(key)
        addresses = () if service is None else self._addresses(service)
        if service is None or isinstance(addresses, Reason):
            return None
        return place(service, addresses, self.slices.readiness(key, self._unseen), self._view)

    def _new_peers(self) -> Change:
        new = tuple(peer for peer in self._openings.peers if self._told.get(peer.name) != peer)
        self._told.update((peer.name, peer) for peer in new)
        return Change(peers=new)

    def _dropped_peers(self) -> Change:
        gone = tuple(PeerName(name) for name in sorted(self._told.keys() - self._openings.names))
        for name in gone:
            del self._told[name]
        return Change(peers_dropped=gone)

    def desired(self) -> Desired:
        """The whole wish."""
        routes = {name: self._ledger.routes(name) for name in sorted(self._openings.names)}
        return Desired(self._ledger.holdings(), self._openings.peers, routes, self._openings.not_opened)

    def contributions(self) -> Mapping[NamespacedName, Contribution]:
        """What this node announces, by service; to read from."""
        return self._ledger.contributions()

    @property
    def peers(self) -> tuple[PeerParameters, ...]:
        """The sessions of this node that are to be kept, by name."""
        return self._openings.peers

    @property
    def not_opened(self) -> tuple[tuple[PeerName, Reason], ...]:
        """Sessions of this node that cannot be opened, and why."""
        return self._openings.not_opened

    def _follow(self, keys: Iterable[NamespacedName]) -> Change:
        """Decide about services that are not what they were, and about those whose addresses move for it."""
        if not self._view.spreads_evenly:
            return self._decide(keys)
        touched = dict.fromkeys(keys)
        if self._is_filling:  # this round comes to them
            self._to_place.update(touched)
            return self._decide([key for key in touched if self._place(key) is None])
        for key in tuple(touched):
            touched.update(dict.fromkeys(self._view.spreads.place(key, self._place(key))))
        return self._decide(touched)

    def _decide(self, keys: Iterable[NamespacedName]) -> Change:
        tally, verdicts, changed = Tally(), list[Verdict](), list[tuple[NamespacedName, Contribution]]()
        left: list[NamespacedName] = []
        for key in keys:
            old, new = self._ledger.of(key), self._contribution(key)
            self._ledger.exchange(key, new, tally)
            if old.answers and not new.answers:
                left.append(key)
            if old != new:
                changed.append((key, new))
                verdicts.extend(self._verdicts(key, old, new))
        successors = {address: node for key in left for address, node in self._successors(key, tally)}
        return _change(tally, tuple(verdicts), tuple(changed), successors)

    def _successors(self, key: NamespacedName, tally: Tally) -> Iterator[tuple[IPAddress, NodeName]]:
        """Who has the addresses of a service from now on that this node no longer answers for.

        One that has only just appeared has them already: it was cut off, and has answered all the time.
        """
        service = self._services.get(key)
        addresses = () if service is None else self._addresses(service)
        if service is None or isinstance(addresses, Reason):
            return
        successor = owner(service, addresses, self.slices.readiness(key, self._unseen), self._view)
        if successor is not None and successor != self._node and successor not in self._appeared:
            for address in addresses:
                if address in tally.holdings and tally.holdings[address] is None:
                    yield address, successor

    def _addresses(self, service: Service) -> Addresses | Reason:
        return class_reason(service, self._class) or status_addresses(service)

    def _contribution(self, key: NamespacedName) -> Contribution:
        service = self._services.get(key)
        addresses = () if service is None else self._addresses(service)
        if service is None or isinstance(addresses, Reason):
            return NOTHING
        readiness = self.slices.readiness(key, self._unseen)
        return contribution(service, addresses, readiness, self._view, self._node, self._openings.names)

    def _verdicts(self, key: NamespacedName, old: Contribution, new: Contribution) -> Iterator[Verdict]:
        for protocol in (Protocol.BGP, Protocol.LAYER2):  # the order of MetalLB's events
            was, now = _announces(old, protocol), _announces(new, protocol)
            moved = was and now and set(old.addresses) != set(new.addresses)
            if moved:
                reason = because(Code.ADDRESS_CHANGED, before=_text(old.addresses), after=_text(new.addresses))
                yield Verdict(key, protocol, old.addresses, reason)
            if now and (moved or not was):
                yield Verdict(key, protocol, new.addresses, None)
            if was and not now:
                yield Verdict(key, protocol, old.addresses, self.why_not(key, protocol))

    def tenure(self, key: NamespacedName) -> Tenure | None:
        """Under which terms this node holds the address of the service; None if it does not, or there are none."""
        held, service = self._ledger.of(key), self._services.get(key)
        pool = self._view.pool_of(held.addresses) if held.answers and service is not None else None
        if service is None or pool is None:
            return None
        reach = self._view.l2_reach(pool.name, service.metadata.labels)
        local = local_to(service, self.slices.readiness(key, self._unseen))
        electorate = reach.electorate(local, held.addresses)
        if not reach.terms.failback_s or not isinstance(electorate, Ownership):
            return None
        address = held.addresses[0]
        return Tenure(address, reach.terms.failback_s, electorate.in_turn(address))

    def holders(self, address: IPAddress) -> Iterator[NamespacedName]:
        """The services for which this node is to answer for the address. Looks at all of them."""
        return (key for key, one in self._ledger.contributions().items() if address in one.held)

    def why_not(self, key: NamespacedName, protocol: Protocol) -> Reason | None:
        """Why this node does not announce the service in `protocol`; None if it does."""
        service = self._services.get(key)
        if service is None:
            return because(Code.SERVICE_DELETED)
        addresses = self._addresses(service)
        if isinstance(addresses, Reason):
            return addresses
        readiness = self.slices.readiness(key, self._unseen)
        return why_not(service, addresses, readiness, self._view, self._node, protocol)


def _members(view: View) -> frozenset[NodeName]:
    return view.landscape.members or frozenset()


def _announces(contribution: Contribution, protocol: Protocol) -> bool:
    return contribution.answers if protocol is Protocol.LAYER2 else bool(contribution.routes)


def _text(addresses: Addresses) -> str:
    return ", ".join(map(str, addresses))


def _change(
    tally: Tally,
    verdicts: tuple[Verdict, ...],
    contributions: tuple[tuple[NamespacedName, Contribution], ...],
    successors: Mapping[IPAddress, NodeName],
) -> Change:
    return Change(
        tuple(holding for holding in tally.holdings.values() if holding is not None),
        tuple(address for address, holding in tally.holdings.items() if holding is None),
        {session: _route_change(noted) for session, noted in tally.routes.items() if noted},
        verdicts=verdicts,
        contributions=contributions,
        successors=successors,
    )


def _route_change(noted: dict[IPPrefix, Route | None]) -> RouteChange:
    return RouteChange(
        tuple(route for route in noted.values() if route is not None),
        tuple(prefix for prefix, route in noted.items() if route is None),
    )
