"""The machine that lets go of an address that another node has from now on: not before that one has said so.

    HoldingsChanged ── handed_over ──▶ still answered for, no longer announced
                                         on a link where another MAC speaks for it     Succeeded: there no longer
                                         on none is anything left, or after `LONGEST`  Succeeded: nowhere

A planned move is decided on two nodes, and nothing says which of them hears of it first. If the successor does, its
announcement was heard before this node was told to let go; then it lets go at once, unless that is longer ago than
`RECENT`, or was in the first moments (`SETTLING`) after this node took it: its predecessor may have been heard. If this
node does, it goes on answering until the announcement comes. What is heard is what a client hears at the same moment,
so a client always has somebody to ask: a question that reaches us before the announcement is answered here, one that
comes after it there.

A machine that has claimed the address for `STANDING` seconds or longer, without a pause as long, is no successor, but
somebody who has it configured: who lets go for that one's sake leaves the clients to it. A former owner to which the
address comes back is none: it went silent in between.

An address that is handed over `until_taken` is lent: nobody knows whether there is a successor, so it is answered for
without end, over links that come and go, and can be taken back.

A successor that looks before it announces (`herald.layer2.quarantine`) says nothing as long as its probes are answered.
So these are not (`is_probe`), everybody else is, and the time until it announces begins with the first probe.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from math import inf
from typing import Final

from herald.layer2 import arp, ethernet, ndp, ndp_answer
from herald.layer2.event import Effect, Event, FrameReceived, HoldingsChanged, LetGo, LinksChanged, Succeeded
from herald.layer2.holding import Address, Holding
from herald.layer2.link import Link, NdpLink
from herald.net.interface import Mac

LONGEST: Final = 1.0
"""Seconds. A successor announces some 20 ms after us; longer takes a control that is busy, or a store whose news come
late. Nobody is to answer for longer who is not meant to: the successor may be there and not be heard here."""
RECENT: Final = 2.0
"""Seconds within which what was heard before still counts: longer than news take from one node to the other."""
SETTLING: Final = 0.5
"""Seconds for which a predecessor may go on announcing, until it is told that it is none any more."""
PARTING: Final = 5.0
"""Seconds after this node took an address for which a former owner's claims are not held against that one."""
STANDING: Final = 15.0
"""Seconds for which a MAC has gone on claiming an address, after which it is a stranger's; a pause of as long begins
anew. A successor of which this node is told late has spoken for 4.4 s, and a little longer where it defends itself
against us; a foreign host that answers our defence speaks every 10 s."""
STRANGERS: Final = 8
"""MACs of an address that are told apart; a station can invent them."""


@dataclass(slots=True)
class _Leaving:
    """Answered for on `links` (by name), the last of those where nobody else was heard; `until` then at the latest."""

    links: dict[int, str]
    until: float
    heard: Mac | None = None
    is_probed: bool = False


@dataclass(slots=True)
class _Held:
    """Taken at `since`. `claims`: when another MAC last spoke for it, and which, by link.

    `speakers`: since when, and when last, each MAC has spoken for it.
    """

    holding: Holding
    since: float
    claims: dict[int, tuple[float, Mac]] = field(default_factory=dict)
    speakers: dict[Mac, tuple[float, float]] = field(default_factory=dict)
    leaving: _Leaving | None = None

    def note(self, mac: Mac, now: float) -> None:
        """It speaks for the address."""
        if now < self.since + PARTING:
            return
        if mac not in self.speakers and len(self.speakers) >= STRANGERS:
            self.speakers = {one: when for one, when in self.speakers.items() if now - when[1] <= STANDING}
            if len(self.speakers) >= STRANGERS:
                return
        since, last = self.speakers.get(mac, (now, now))
        self.speakers[mac] = (since if now - last <= STANDING else now), now

    def is_stranger(self, mac: Mac, now: float) -> bool:
        """Whether it has done so for long."""
        since, _ = self.speakers.get(mac, (now, now))
        return now - since >= STANDING


class Handover:
    """A `herald.machine.Machine` of Layer 2 events and effects. It is to be told of a frame before the responder is."""

    def __init__(self) -> None:
        self._links: dict[int, Link] = {}
        self._ndp_links: dict[int, NdpLink] = {}
        self._own_macs: frozenset[Mac] = frozenset()
        self._held: dict[bytes, _Held] = {}  # by the octets of the address, as they stand in a packet
        self._leaving: dict[Address, _Leaving] = {}  # what is to end, in the order in which it is time
        self._loans: dict[Address, _Leaving] = {}  # and what nobody but its taker ends

    def handle(self, event: Event, now: float) -> list[Effect]:
        """See `herald.machine.Machine.handle`. Never raises, whatever a frame contains."""
        match event:
            case HoldingsChanged(held, released, handed_over):
                self._forget(released)
                self._hold(held, now)
                longest = inf if event.until_taken else LONGEST
                return [effect for address in handed_over for effect in self._hand_over(address, now, longest)]
            case LinksChanged(links, own_macs, ndp_links):
                self._own_macs = own_macs
                self._links = {link.index: link for link in links}
                self._ndp_links = {link.index: link for link in ndp_links}
                return self._lose_links()
            case FrameReceived(index, data):
                claims = tuple(self._spoken_for(index, data))
                self._wait_for((address for address, _, is_probe in claims if is_probe), now)
                heard = ((address, mac) for address, mac, is_probe in claims if not is_probe)
                return [effect for address, mac in heard for effect in self._hear(address, mac, index, now)]
            case _:
                return []

    def wake(self, now: float) -> list[Effect]:
        """See `herald.machine.Machine.wake`: lets go of what nobody was heard to take."""
        due = [address for address, one in self._leaving.items() if one.until <= now]
        return [self._let_go(address) for address in due]

    def deadline(self) -> float | None:
        """See `herald.machine.Machine.deadline`."""
        first = next(iter(self._leaving.values()), None)
        return None if first is None else first.until

    def snapshot(self) -> tuple[Address, ...]:
        """See `herald.machine.Machine.snapshot`: what is being handed over."""
        return (*self._loans, *self._leaving)

    def wanted(self) -> tuple[Address, ...]:
        """What is held and not handed over."""
        return tuple(one.holding.address for one in self._held.values() if one.leaving is None)

    def lent(self) -> tuple[Holding, ...]:
        """What is answered for until somebody is heard to take it."""
        return tuple(self._held[address.packed].holding for address in self._loans)

    def is_probe(self, frame: FrameReceived) -> bool:
        """Whether a frame is the probe of a successor: answered, it would not announce what it is to take."""
        return self._is_anything_leaving() and any(
            is_probe for *_, is_probe in self._spoken_for(frame.index, frame.data)
        )

    # The wish.

    def _hold(self, holdings: Iterable[Holding], now: float) -> None:
        for holding in holdings:
            known = self._held.get(holding.address.packed)
            if known is None or known.leaving is not None:
                self._take_out(holding.address)
                self._held[holding.address.packed] = _Held(holding, now)
            else:
                known.holding = holding

    def _forget(self, addresses: Iterable[Address]) -> None:
        for address in addresses:
            self._held.pop(address.packed, None)
            self._take_out(address)

    def _hand_over(self, address: Address, now: float, longest: float) -> list[Effect]:
        held = self._held.get(address.packed)
        if held is None or held.leaving is not None:
            self._end_loan(address, now + longest)
            return []
        held.leaving = leaving = _Leaving(self._covered(held.holding), now + longest)
        self._put(address, leaving)
        heard = {
            index: mac
            for index, (at, mac) in held.claims.items()
            if now - at <= RECENT and index in leaving.links and not held.is_stranger(mac, now)
        }
        for index, mac in heard.items():
            del leaving.links[index]
            leaving.heard = mac
        return [self._narrowed(address)] if heard or not (leaving.links or longest == inf) else []

    def _end_loan(self, address: Address, until: float) -> None:
        one = self._loans.get(address)
        if one is not None:
            one.until = until
            self._put(address, one)

    def _put(self, address: Address, one: _Leaving) -> None:
        """Where it belongs by its `until`, which is no earlier than any other that is to end."""
        self._take_out(address)
        (self._loans if one.until == inf else self._leaving)[address] = one

    def _take_out(self, address: Address) -> _Leaving | None:
        return self._leaving.pop(address, None) or self._loans.pop(address, None)

    def _is_anything_leaving(self) -> bool:
        return bool(self._leaving or self._loans)

    def _covered(self, holding: Holding) -> dict[int, str]:
        links = self._links_for(holding.address).values()
        return {link.index: link.name for link in links if holding.covers(link.name)}

    def _links_for(self, address: Address) -> "dict[int, Link] | dict[int, NdpLink]":
        return self._links if isinstance(address, IPv4Address) else self._ndp_links

    # Letting go.

    def _wait_for(self, probed: Iterable[Address], now: float) -> None:
        """Answer as long as it takes a successor to announce that asks first; one that never does gains little."""
        for address in probed:
            one = self._held[address.packed].leaving
            if one is not None and not one.is_probed:
                one.is_probed, one.until = True, max(one.until, now + LONGEST)
                self._put(address, one)

    def _hear(self, address: Address, mac: Mac, index: int, now: float) -> list[Effect]:
        held = self._held[address.packed]
        held.note(mac, now)
        if held.is_stranger(mac, now):
            return []
        if held.leaving is None:
            if now >= held.since + SETTLING:
                held.claims[index] = now, mac
            return []
        if held.leaving.links.pop(index, None) is None:
            return []
        held.leaving.heard = mac
        return [self._narrowed(address)]

    def _lose_links(self) -> list[Effect]:
        effects: list[Effect] = []
        for address, one in (*self._loans.items(), *self._leaving.items()):
            there = self._links_for(address)
            if one.until == inf and one.heard is None:
                one.links = self._covered(self._held[address.packed].holding)
                continue
            gone = [index for index in one.links if index not in there]
            for index in gone:
                del one.links[index]
            effects += [self._narrowed(address)] if gone else []
        for held in self._held.values():
            present = self._links_for(held.holding.address)
            held.claims = {index: claim for index, claim in held.claims.items() if index in present}
        return effects

    def _narrowed(self, address: Address) -> Effect:
        """Answered for on the links that are left, or nowhere."""
        one = self._held[address.packed].leaving
        assert one is not None, "only what is being let go of is narrowed"
        if not one.links:
            return self._let_go(address)
        return LetGo(Succeeded(address, Holding(address, frozenset(one.links.values())), one.heard))

    def _let_go(self, address: Address) -> Effect:
        del self._held[address.packed]
        one = self._take_out(address)
        return LetGo(Succeeded(address, None, None if one is None else one.heard))

    # Frames.

    def _spoken_for(self, index: int, data: bytes) -> Iterator[tuple[Address, Mac, bool]]:
        """(address, MAC, whether it only asks who has it) of what is held here and a frame of somebody else is about.

        A question counts only where the address is handed over on that link.
        """
        if not self._held or not self._is_of_interest(data):
            return
        is_ndp = ethernet.ethertype(data) == ethernet.ETHERTYPE_IPV6
        link = self._ndp_links.get(index) if is_ndp else self._links.get(index)
        found = _ndp_claims(data) if is_ndp else _arp_claims(data)
        for address, mac, is_probe in found:
            held = self._held.get(address.packed)
            if link is None or held is None or not held.holding.covers(link.name) or mac in self._own_macs:
                continue
            if not is_probe or (held.leaving is not None and index in held.leaving.links):
                yield address, mac, is_probe

    def _is_of_interest(self, data: bytes) -> bool:
        """Looks at two addresses, for most of a busy segment's frames are of no concern here."""
        if ethernet.ethertype(data) == ethernet.ETHERTYPE_IPV6:
            return data[ndp.TARGET] in self._held or data[ndp.SENDER] in self._held
        return data[arp.SENDER_IP] in self._held or (self._is_anything_leaving() and data[arp.TARGET_IP] in self._held)


def _arp_claims(data: bytes) -> Iterator[tuple[Address, Mac, bool]]:
    """(address, MAC, whether it is a probe: an ARP request from 0.0.0.0)."""
    try:
        packet = arp.decode(data).packet
    except arp.ArpError:
        return
    if packet.sender_ip == IPv4Address(0):
        yield packet.target_ip, packet.sender_mac, True
    else:
        yield packet.sender_ip, packet.sender_mac, False


def _ndp_claims(data: bytes) -> Iterator[tuple[Address, Mac, bool]]:
    try:
        frame = ndp.decode(data)
    except ndp.NdpError:
        return
    is_probe = isinstance(frame.message, ndp.NeighborSolicitation) and frame.sender == ndp.UNSPECIFIED
    for address, mac in ndp_answer.claims(frame):
        yield address, mac, is_probe
