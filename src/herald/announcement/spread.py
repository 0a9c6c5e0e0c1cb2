"""`spread: even`: rendezvous hashing in which no node has more than its share, rounded up.

Every pair of a node and an address has its ticket (`herald.announcement.election`); both sides like the lowest best.
An address asks the nodes in the order of its tickets; a node with room takes it, a full one takes it in the place of
the address with its highest ticket, if that is higher still, and who is turned away asks the next. Because both sides
go by the same tickets there is exactly one outcome in which nobody could do better, whatever the order of asking
(Gale and Shapley; with common weights it is unique). So it does not matter in which order addresses came and went, and
it can be kept up to date: an address more, or one less, is a short chain of moves.

    share     ceil(addresses / nodes)

As long as no node is above its share the outcome is the plain election. An address whose owner is settled otherwise,
by a claim, is *pinned*: it counts for its owner and is never turned away, even above the share.

In an even spread an address that comes or goes may move others: some that were turned away find room. With `failback`
they stay.
"""

from bisect import bisect_left, insort
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Generic, TypeVar

from herald.announcement.election import stem
from herald.cluster.meta import NodeName
from herald.net.ip_family import IPAddress

_Entry = tuple[bytes, str, IPAddress]
"""An address by its ticket; the text is for those with equal ones, for addresses of both families have no order."""
_PINNED = b""
Key = TypeVar("Key", bound=Hashable)


@dataclass(slots=True)
class _Room:
    """What a node has taken, and who would come if it could."""

    taken: list[_Entry] = field(default_factory=list)
    waiting: list[_Entry] = field(default_factory=list)


@dataclass(slots=True)
class _Asking:
    """How far an address has come: where it is, its ticket there, and the nodes that turned it away."""

    node: NodeName
    ticket: bytes
    turned_away: list[tuple[NodeName, bytes]] = field(default_factory=list)


class Spread:
    """Addresses among a fixed set of nodes, which must not be empty."""

    def __init__(self, nodes: Iterable[NodeName]) -> None:
        self._nodes = tuple(sorted(nodes))
        self._stems = tuple((stem(node), node) for node in self._nodes)
        self._rooms = {node: _Room() for node in self._nodes}
        self._asking: dict[IPAddress, _Asking] = {}
        self._expected = 0
        self._share = 0
        self._moved: set[IPAddress] = set()

    def owner(self, address: IPAddress) -> NodeName | None:
        """Who has the address; None if it is not among those that are spread."""
        asking = self._asking.get(address)
        return None if asking is None else asking.node

    def __len__(self) -> int:
        return len(self._asking)

    def load(self) -> dict[NodeName, int]:
        """How many addresses each node has."""
        return {node: len(room.taken) for node, room in self._rooms.items()}

    def expect(self, count: int) -> None:
        """So many addresses are about to be put: with the share of all of them from the start, less moves."""
        self._expected = count
        self._set_share()

    def put(self, address: IPAddress, pinned_to: NodeName | None = None) -> set[IPAddress]:
        """Spread one more address; gives those that may have another owner now, itself included.

        One that is there already stays, or is taken out first if it is pinned otherwise.
        """
        known = self._asking.get(address)
        if known is not None and pinned_to == (known.node if known.ticket == _PINNED else None):
            return set()
        self._moved = {address}
        if known is not None:
            self._take_out(address)
        self._set_share(1)
        if pinned_to is None:
            self._ask(address, [])
        else:
            self._settle(address, pinned_to, _PINNED, [])
            self._trim(pinned_to)
        return self._moved

    def remove(self, address: IPAddress) -> set[IPAddress]:
        """Spread it no longer; gives the others that have another owner now."""
        self._moved = set()
        if address in self._asking:
            self._take_out(address)
            self._set_share()
        self._moved.discard(address)
        return self._moved

    def _set_share(self, coming: int = 0) -> None:
        before, count = self._share, max(self._expected, len(self._asking) + coming)
        self._share = -(-count // len(self._nodes))
        if self._share > before:
            for node in self._nodes:
                self._fill(node)
        elif self._share < before:
            for node in self._nodes:
                self._trim(node)

    def _ask(self, address: IPAddress, turned_away: list[tuple[NodeName, bytes]]) -> None:
        """Let the address ask one node after the other, from the first that has not turned it away yet."""
        text = str(address)
        octets, last = text.encode(), turned_away[-1][1] if turned_away else b""
        tickets = [(sha256(each + octets).digest(), node) for each, node in self._stems]
        remaining: Iterable[tuple[bytes, NodeName]] = (min(one for one in tickets if one[0] > last),)
        while True:
            for drawn, node in remaining:
                room = self._rooms[node].taken
                if len(room) < self._share or (room and room[-1][0] > drawn):
                    self._settle(address, node, drawn, turned_away)
                    self._trim(node)
                    return
                turned_away.append((node, drawn))
                insort(self._rooms[node].waiting, (drawn, text, address))
                last = drawn
            remaining = sorted(one for one in tickets if one[0] > last)

    def _settle(
        self, address: IPAddress, node: NodeName, drawn: bytes, turned_away: list[tuple[NodeName, bytes]]
    ) -> None:
        self._asking[address] = _Asking(node, drawn, turned_away)
        insort(self._rooms[node].taken, (drawn, str(address), address))
        self._moved.add(address)

    def _trim(self, node: NodeName) -> None:
        """Turn away what the node has above its share, highest tickets first; what is pinned stays."""
        room = self._rooms[node]
        while len(room.taken) > self._share and room.taken[-1][0] != _PINNED:
            worst = room.taken.pop()
            insort(room.waiting, worst)
            asking = self._asking.pop(worst[2])
            self._ask(worst[2], [*asking.turned_away, (node, worst[0])])

    def _fill(self, node: NodeName) -> None:
        """Take those that wait, lowest tickets first, while there is room; each leaves room elsewhere."""
        vacant = [node]
        while vacant:
            room = self._rooms[vacant[-1]]
            if len(room.taken) >= self._share or not room.waiting:
                vacant.pop()
                continue
            drawn, _, address = room.waiting[0]
            here, asking = vacant[-1], self._asking[address]
            place = next(number for number, (name, _) in enumerate(asking.turned_away) if name == here)
            self._forget(address, asking, asking.turned_away[place:])
            self._settle(address, here, drawn, asking.turned_away[:place])
            vacant.append(asking.node)

    def _take_out(self, address: IPAddress) -> None:
        asking = self._asking.pop(address)
        self._forget(address, asking, asking.turned_away)
        self._fill(asking.node)

    def _forget(self, address: IPAddress, asking: _Asking, waits: Iterable[tuple[NodeName, bytes]]) -> None:
        """Take it from where it is, and from the queues that it waits in."""
        _drop(self._rooms[asking.node].taken, (asking.ticket, str(address), address))
        for node, drawn in waits:
            _drop(self._rooms[node].waiting, (drawn, str(address), address))


def _drop(ordered: list[_Entry], entry: _Entry) -> None:
    del ordered[bisect_left(ordered, entry)]


@dataclass(frozen=True, slots=True)
class Place:
    """Where the address of something is to be spread: among `nodes`, which are not empty, or pinned to one of them."""

    address: IPAddress
    nodes: tuple[NodeName, ...]
    pinned_to: NodeName | None = None


class Spreads(Generic[Key]):
    """All spreads there are: those who stand for election for an address share it with all addresses of theirs.

    `Key` says whose address it is: several services may have the same one.
    """

    def __init__(self) -> None:
        self._spreads: dict[tuple[NodeName, ...], Spread] = {}
        self._places: dict[Key, Place] = {}
        self._keys: dict[tuple[tuple[NodeName, ...], IPAddress], set[Key]] = {}

    def owner(self, address: IPAddress, nodes: tuple[NodeName, ...]) -> NodeName | None:
        """Who has the address among `nodes`; None if it is not spread among them."""
        spread = self._spreads.get(nodes)
        return None if spread is None else spread.owner(address)

    def place(self, key: Key, place: Place | None) -> set[Key]:
        """`key` is spread so from now on, None: not at all. Gives everybody whose owner may be another one now."""
        before = self._places.get(key)
        if before == place:
            return set()
        moved = self._remove(key, before) if before is not None else set()
        if place is not None:
            self._places[key] = place
            self._keys.setdefault((place.nodes, place.address), set()).add(key)
            moved |= self._put(place.nodes, place.address)
        return moved | {key}

    def _put(self, nodes: tuple[NodeName, ...], address: IPAddress) -> set[Key]:
        """All who have the address together say whether it is pinned: several do where their terms differ."""
        pins = (self._places[key].pinned_to for key in self._keys[nodes, address])
        pinned_to = min((pin for pin in pins if pin is not None), default=None)
        return self._keys_of(nodes, self._among(nodes).put(address, pinned_to))

    def fill(self, places: Iterable[tuple[Key, Place]]) -> Iterator[None]:
        """Begin with these, some at a time."""
        known = dict(places)
        counts: dict[tuple[NodeName, ...], set[IPAddress]] = {}
        for place in known.values():
            counts.setdefault(place.nodes, set()).add(place.address)
            yield
        for nodes, addresses in counts.items():
            self._among(nodes).expect(len(addresses))
        for key, place in known.items():
            self.place(key, place)
            yield
        for spread in self._spreads.values():
            spread.expect(0)

    def load(self, nodes: tuple[NodeName, ...]) -> dict[NodeName, int]:
        """How many addresses each of `nodes` has."""
        spread = self._spreads.get(nodes)
        return dict.fromkeys(nodes, 0) if spread is None else spread.load()

    def _among(self, nodes: tuple[NodeName, ...]) -> Spread:
        if nodes not in self._spreads:
            self._spreads[nodes] = Spread(nodes)
        return self._spreads[nodes]

    def _remove(self, key: Key, place: Place) -> set[Key]:
        del self._places[key]
        where = (place.nodes, place.address)
        self._keys[where].discard(key)
        if self._keys[where]:
            return self._put(*where)
        del self._keys[where]
        return self._keys_of(place.nodes, self._spreads[place.nodes].remove(place.address))

    def _keys_of(self, nodes: tuple[NodeName, ...], addresses: Iterable[IPAddress]) -> set[Key]:
        return {key for address in addresses for key in self._keys.get((nodes, address), ())}
