"""The machine that looks whether an address is in use before this node answers for it: RFC 5227 §2.1, RFC 4862 §5.4.

It stands between the wish and the other machines, where it is wanted at all:

    HoldingsChanged ──▶ new addresses: probes on each link that they are held on
                          silent for PROBES × SPACING seconds    Admit: the others are told, and announce
                          somebody claims it                     it waits, and the probes go on until nobody does
                    ──▶ anything else: Admit at once

A probe is an ARP request from 0.0.0.0, or a solicitation from `::`; nobody learns anything from either. A claim is an
ARP packet whose sender is the address, or a Neighbor Advertisement for it, from a MAC that is not of this machine.

At a planned move the former owner still answers for a moment. So a claim counts as quarantine (`ReportInUse`) only
when one is heard `GRACE` seconds after the first probe. A former owner may also be told late: for the first `HASTE`
seconds an address in use is asked for every `AGAIN` seconds, so that it is admitted before that one lets go; later
every `RETRY` seconds. Who is told of it is one MAC at a time, `MACS` at most: a station can invent them.

Probes keep to the pace of first rounds (`herald.layer2.pace`): until it is admitted an address is as dark as one that
is not announced yet. Silence counts only where somebody could have answered: a probe that the kernel took on no link,
or that was not to be sent (`SendFailed` is told of both), makes the count begin anew.

An address whose links are not there is admitted at once: there is nobody to ask.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from herald.layer2 import arp, ethernet, ndp, ndp_answer
from herald.layer2.conflict import Conflict
from herald.layer2.event import (
    Admit,
    ClearInUse,
    Effect,
    Event,
    FrameReceived,
    HoldingsChanged,
    LinksChanged,
    ReportInUse,
    SendFailed,
    SendFrame,
    Succeeded,
)
from herald.layer2.holding import Address, Holding
from herald.layer2.link import Link, NdpLink
from herald.layer2.pace import Pace
from herald.layer2.solicited_node import group, multicast_mac
from herald.net.interface import BROADCAST_MAC, Mac, mac_text

PROBES: Final = 3
SPACING: Final = 0.2
GRACE: Final = 1.0
AGAIN: Final = 0.4
HASTE: Final = 10.0
RETRY: Final = 5.0
MACS: Final = 8
TELL_EVERY: Final = 60.0
"""Seconds between two reports about one address."""
NOT_ANSWERED: Final = "not answered: "
IN_USE: Final = f"{NOT_ANSWERED}in use by "


@dataclass(slots=True)
class _Waiting:
    """`silent`: probes in a row that left and that nobody answered; `asked`: links that the last one left on.

    `told`: the claim that people were told of, at `told_at`; None as long as there was none to tell.
    """

    holding: Holding
    since: float
    at: float
    silent: int = 0
    asked: int = 0
    told: Conflict | None = None
    told_at: float = float("-inf")
    macs: set[Mac] = field(default_factory=set)


class Quarantine:
    """A `herald.machine.Machine` of Layer 2 events and effects."""

    def __init__(self, pace: Pace | None = None) -> None:
        """`pace` is the node's, which others use too."""
        self._links: dict[int, Link] = {}
        self._ndp_links: dict[int, NdpLink] = {}
        self._own_macs: frozenset[Mac] = frozenset()
        self._admitted: set[Address] = set()
        self._waiting: dict[Address, _Waiting] = {}
        self._pace = pace or Pace()

    def handle(self, event: Event, now: float) -> list[Effect]:
        """See `herald.machine.Machine.handle`."""
        match event:
            case HoldingsChanged():
                return self._follow(event, now)
            case LinksChanged(links, own_macs, ndp_links):
                self._links = {link.index: link for link in links}
                self._ndp_links = {link.index: link for link in ndp_links}
                self._own_macs = own_macs
                return []
            case FrameReceived(index, data) if self._waiting:
                return [effect for conflict in self._claims(index, data) for effect in self._claimed(conflict, now)]
            case Succeeded(address, None):
                self._admitted.discard(address)
                return []
            case SendFailed(_, data) if self._waiting:
                self._did_not_leave(data)
                return []
            case _:
                return []

    def wake(self, now: float) -> list[Effect]:
        """See `herald.machine.Machine.wake`."""
        effects: list[Effect] = []
        admitted: list[Holding] = []
        self._pace.pass_to(now)
        due = sorted(
            (one.at, turn, address) for turn, (address, one) in enumerate(self._waiting.items()) if one.at <= now
        )
        for _, _, address in due:
            one = self._waiting[address]
            probes = self._probes(one.holding)
            if one.silent >= PROBES or not probes:
                del self._waiting[address]
                admitted.append(one.holding)
                effects += _no_longer(one)
            elif self._pace.room_for_first(len(probes)) <= now:
                self._pace.note_probes(len(probes), now)
                one.silent += 1
                one.asked = len(probes)
                one.at = now + SPACING
                effects += probes
        return effects + self._admit(admitted)

    def deadline(self) -> float | None:
        """See `herald.machine.Machine.deadline`."""
        first = min(self._waiting.values(), key=lambda one: one.at, default=None)
        if first is None or first.silent >= PROBES:
            return None if first is None else first.at
        return max(first.at, self._pace.room_for_first(len(self._covering(first.holding))))

    def snapshot(self) -> tuple[Conflict, ...]:
        """See `herald.machine.Machine.snapshot`: who uses the addresses that are kept back, sorted by address."""
        told = [one.told for one in self._waiting.values() if one.told is not None]
        return tuple(sorted(told, key=lambda one: (one.address.version, one.address.packed)))

    def stop(self) -> list[Effect]:
        """Take nothing any more: what is being looked at is forgotten. What was admitted is not."""
        effects = [effect for one in self._waiting.values() for effect in _no_longer(one)]
        self._waiting.clear()
        return effects

    @property
    def is_waiting(self) -> bool:
        """Whether frames are of interest."""
        return bool(self._waiting)

    def _follow(self, change: HoldingsChanged, now: float) -> list[Effect]:
        effects: list[Effect] = []
        gone: list[Address] = []
        for address in (*change.released, *change.handed_over):
            one = self._waiting.pop(address, None)
            effects += [] if one is None else _no_longer(one)
            if address in self._admitted:
                self._admitted.discard(address)
                gone.append(address)
        at_once: list[Holding] = []
        for holding in change.held:
            waiting = self._waiting.get(holding.address)
            if waiting is not None:
                waiting.holding = holding
            elif holding.address in self._admitted or not self._covering(holding):
                at_once.append(holding)
            else:
                self._waiting[holding.address] = _Waiting(holding, now, now)
        if gone:
            handed_over = frozenset(change.handed_over)
            released = tuple(address for address in gone if address not in handed_over)
            left = tuple(address for address in gone if address in handed_over)
            effects.append(Admit(HoldingsChanged((), released, left)))
        return effects + self._admit(at_once)

    def _admit(self, holdings: list[Holding]) -> list[Effect]:
        self._admitted.update(one.address for one in holdings)
        return [Admit(HoldingsChanged(tuple(holdings)))] if holdings else []

    def _covering(self, holding: Holding) -> list[Link | NdpLink]:
        links: Iterable[Link | NdpLink] = (self._links if holding.address.version == 4 else self._ndp_links).values()
        return [link for link in links if holding.covers(link.name)]

    def _probes(self, holding: Holding) -> list[Effect]:
        return [SendFrame(link.index, probe(holding.address, link.mac)) for link in self._covering(holding)]

    def _claims(self, index: int, data: bytes) -> list[Conflict]:
        link: Link | NdpLink | None
        if ethernet.ethertype(data) == ethernet.ETHERTYPE_IPV6:
            link, found = self._ndp_links.get(index), _ndp_claims(data)
        else:
            link, found = self._links.get(index), _arp_claims(data)
        if link is None:
            return []
        return [
            Conflict(address, link.name, mac)
            for address, mac in found
            if (one := self._waiting.get(address)) is not None
            and one.holding.covers(link.name)
            and mac not in self._own_macs
        ]

    def _claimed(self, conflict: Conflict, now: float) -> list[Effect]:
        one = self._waiting[conflict.address]
        one.silent = 0
        if now - one.since < GRACE:
            return []
        one.at = now + (AGAIN if now - one.since < HASTE else RETRY)
        if conflict.mac in one.macs or len(one.macs) >= MACS or now - one.told_at < TELL_EVERY:
            return []
        one.told, one.told_at = conflict, now
        one.macs.add(conflict.mac)
        return [ReportInUse(conflict)]

    def _did_not_leave(self, data: bytes) -> None:
        is_ndp = ethernet.ethertype(data) == ethernet.ETHERTYPE_IPV6
        octets = data[ndp.TARGET if is_ndp else arp.TARGET_IP]
        one = self._waiting.get(ip_address(octets)) if len(octets) == (16 if is_ndp else 4) else None
        if one is not None and one.asked:
            one.asked -= 1
            one.silent = one.silent if one.asked else 0


def probe(address: Address, mac: Mac) -> bytes:
    """The frame that asks whether anybody has `address`."""
    if isinstance(address, IPv4Address):
        asked = arp.Packet(arp.Operation.REQUEST, mac, IPv4Address(0), Mac(bytes(6)), address)
        return arp.encode(arp.Frame(BROADCAST_MAC, mac, asked))
    to = group(address)
    return ndp.encode(ndp.Frame(multicast_mac(to), mac, IPv6Address(0), to, ndp.NeighborSolicitation(address)))


def _no_longer(one: _Waiting) -> list[Effect]:
    return [] if one.told is None else [ClearInUse(one.told)]


def in_use_words(conflict: Conflict) -> str:
    """Why the address is not answered, for people."""
    return f"{IN_USE}{mac_text(conflict.mac)} on {conflict.interface}; it is asked again every {RETRY:.0f} s"


def _arp_claims(data: bytes) -> list[tuple[Address, Mac]]:
    try:
        packet = arp.decode(data).packet
    except arp.ArpError:
        return []
    return [(packet.sender_ip, packet.sender_mac)]


def _ndp_claims(data: bytes) -> list[tuple[Address, Mac]]:
    try:
        frame = ndp.decode(data)
    except ndp.NdpError:
        return []
    if isinstance(frame.message, ndp.NeighborSolicitation) and frame.sender == ndp.UNSPECIFIED:
        return []  # another one that only asks
    return list(ndp_answer.claims(frame))
