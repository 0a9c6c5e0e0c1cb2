"""The machine that answers ARP requests for the addresses held on this node.

Each frame walks this table; the first row that applies decides:

    cut short, or not IPv4 ARP                                    drop, MALFORMED
    not a request                                                 drop, NOT_A_REQUEST
    sent neither to everybody nor to this link's MAC              drop, NOT_FOR_US
    asks for an address that is not held                          drop, NOT_HELD
    asks for a held address that does not cover this link         drop, OTHER_INTERFACE
    otherwise                                                     answer with this link's MAC

The sender is not judged: a probe (sender 0.0.0.0) and a gratuitous request for a held address are answered too, which
defends the address (RFC 5227 §2.1.1). Before the table, every well-formed packet is checked for a foreign claim, see
`herald.layer2.conflict`. Sending gratuitous packets is the business of `herald.layer2.announcer`.
"""

import enum
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import assert_never

from herald.layer2 import arp
from herald.layer2.conflict import Conflict, ConflictLedger
from herald.layer2.event import (
    ClearConflict,
    Effect,
    Event,
    FrameReceived,
    HoldingsChanged,
    LinksChanged,
    ReportConflict,
    SendFrame,
)
from herald.layer2.holding import Address, Holding
from herald.layer2.link import Link
from herald.net.interface import BROADCAST_MAC, Mac


class Drop(enum.Enum):
    """Why a frame was not answered."""

    MALFORMED = "malformed"
    NOT_A_REQUEST = "notRequest"
    NOT_FOR_US = "notForUs"
    NOT_HELD = "notHeld"
    OTHER_INTERFACE = "notMatchInterface"


class Unanswered(enum.Enum):
    """Why a holding is answered nowhere; the value is for people."""

    NDP_NOT_ACTIVE = "not answered: NDP is not active in this version"
    NO_INTERFACE = "not answered: none of its interfaces is eligible on this node"


@dataclass(frozen=True, slots=True)
class HoldingSnapshot:
    """A holding as it is really answered.

    `links` are the names of the links on which it is; where that is empty, `unanswered` says why. `requests` counts
    the requests answered since the address was taken.
    """

    holding: Holding
    links: tuple[str, ...]
    unanswered: Unanswered | None
    requests: int


@dataclass(frozen=True, slots=True)
class ResponderSnapshot:
    """Everything `herald show l2` tells. Holdings are sorted by family and value; `dropped` counts frames by reason."""

    holdings: tuple[HoldingSnapshot, ...]
    links: tuple[Link, ...]
    conflicts: tuple[Conflict, ...]
    conflicts_turned_away: int
    dropped: dict[Drop, int]


class Responder:
    """A `herald.machine.Machine` of Layer 2 events and effects."""

    def __init__(self, conflicts: ConflictLedger | None = None) -> None:
        self._links: dict[int, Link] = {}
        self._own_macs: frozenset[Mac] = frozenset()
        self._holdings: dict[Address, Holding] = {}
        self._unanswered: dict[Address, Unanswered] = {}
        self._requests: Counter[Address] = Counter()
        self._dropped: Counter[Drop] = Counter()
        self._conflicts = conflicts or ConflictLedger()

    def handle(self, event: Event, now: float) -> list[Effect]:
        """See `herald.machine.Machine.handle`. Never raises, whatever a frame contains."""
        match event:
            case FrameReceived(index, data):
                return self._receive(index, data, now)
            case HoldingsChanged(held, released):
                effects = self._release(released)
                self._holdings.update((holding.address, holding) for holding in held)
                self._judge_holdings(held)
                return effects
            case LinksChanged(links, own_macs):
                self._links = {link.index: link for link in links}
                self._own_macs = own_macs
                self._judge_holdings(self._holdings.values())
                return []
            case _:
                assert_never(event)

    def wake(self, now: float) -> list[Effect]:
        """See `herald.machine.Machine.wake`: forgets claims that fell silent."""
        return [ClearConflict(conflict) for conflict in self._conflicts.expire(now)]

    def deadline(self) -> float | None:
        """See `herald.machine.Machine.deadline`."""
        return self._conflicts.deadline()

    def snapshot(self) -> ResponderSnapshot:
        """See `herald.machine.Machine.snapshot`."""
        holdings = sorted(self._holdings.values(), key=lambda h: (h.address.version, int(h.address)))
        return ResponderSnapshot(
            tuple(self._holding_snapshot(holding) for holding in holdings),
            tuple(self._links.values()),
            self._conflicts.open(),
            self._conflicts.turned_away,
            dict(self._dropped),
        )

    def unanswered(self) -> tuple[tuple[Address, Unanswered], ...]:
        """The holdings that nobody here answers for, with the reason; sorted by family and value."""
        return tuple(sorted(self._unanswered.items(), key=lambda one: (one[0].version, int(one[0]))))

    def conflicts(self) -> tuple[Conflict, ...]:
        """The foreign claims that are open, sorted by address and MAC."""
        return self._conflicts.open()

    def _receive(self, index: int, data: bytes, now: float) -> list[Effect]:
        link = self._links.get(index)
        if link is None:  # read just before the link went away
            return []
        try:
            frame = arp.decode(data)
        except arp.ArpError:
            self._dropped[Drop.MALFORMED] += 1
            return []
        effects = self._check_claim(frame.packet, link, now)
        drop = self._judge(frame, link)
        if drop is not None:
            self._dropped[drop] += 1
            return effects
        self._requests[frame.packet.target_ip] += 1
        effects.append(SendFrame(index, arp.encode(arp.reply(frame.packet, link.mac))))
        return effects

    def _judge(self, frame: arp.Frame, link: Link) -> Drop | None:
        if frame.packet.operation != arp.Operation.REQUEST:
            return Drop.NOT_A_REQUEST
        if frame.destination not in (BROADCAST_MAC, link.mac):
            return Drop.NOT_FOR_US
        holding = self._holdings.get(frame.packet.target_ip)
        if holding is None:
            return Drop.NOT_HELD
        return None if holding.covers(link.name) else Drop.OTHER_INTERFACE

    def _check_claim(self, packet: arp.Packet, link: Link, now: float) -> list[Effect]:
        holding = self._holdings.get(packet.sender_ip)
        if holding is None or not holding.covers(link.name) or packet.sender_mac in self._own_macs:
            return []
        conflict = Conflict(packet.sender_ip, link.name, packet.sender_mac)
        return [ReportConflict(conflict)] if self._conflicts.hear(conflict, now) else []

    def _release(self, addresses: tuple[Address, ...]) -> list[Effect]:
        for address in addresses:
            self._holdings.pop(address, None)
            self._requests.pop(address, None)
            self._unanswered.pop(address, None)
        return [ClearConflict(conflict) for conflict in self._conflicts.release(addresses)] if addresses else []

    def _holding_snapshot(self, holding: Holding) -> HoldingSnapshot:
        why = self._unanswered.get(holding.address)
        links = () if why else tuple(link.name for link in self._links.values() if holding.covers(link.name))
        return HoldingSnapshot(holding, links, why, self._requests[holding.address])

    def _judge_holdings(self, holdings: Iterable[Holding]) -> None:
        for holding in holdings:
            why = self._why_unanswered(holding)
            if why is None:
                self._unanswered.pop(holding.address, None)
            else:
                self._unanswered[holding.address] = why

    def _why_unanswered(self, holding: Holding) -> Unanswered | None:
        if not isinstance(holding.address, IPv4Address):
            return Unanswered.NDP_NOT_ACTIVE
        if any(holding.covers(link.name) for link in self._links.values()):
            return None
        return Unanswered.NO_INTERFACE
