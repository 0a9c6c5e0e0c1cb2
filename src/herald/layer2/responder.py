"""The machine that answers for the addresses held on this node: ARP requests and Neighbor Solicitations.

Each ARP frame walks this table; the first row that applies decides:

    cut short                                                     drop, MALFORMED
    neither its sender nor its target is an address held here     drop, NOT_HELD
    not IPv4 ARP                                                  drop, MALFORMED
    not a request                                                 drop, NOT_A_REQUEST
    sent neither to everybody nor to this link's MAC              drop, NOT_FOR_US
    its target is not held                                        drop, NOT_HELD
    its target is held, but not on this link                      drop, OTHER_INTERFACE
    otherwise                                                     answer with this link's MAC

The second row comes early because most of a busy segment's ARP is of no concern here, and a flood of it must cost
little: it looks at the two addresses. The sender is not judged: a probe (sender 0.0.0.0) and a gratuitous request for
a held address are answered too, which defends the address (RFC 5227 §2.1.1). What passes the third row is checked for
a foreign claim, see `herald.layer2.conflict`. The table of Neighbor Discovery stands in `herald.layer2.ndp_answer`.
Sending gratuitous packets is the business of `herald.layer2.announcer`.
"""

import enum
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Final, assert_never

from herald.layer2 import arp, ethernet, ndp, ndp_answer
from herald.layer2.conflict import Claim, Conflict, ConflictLedger
from herald.layer2.defence import Defence
from herald.layer2.drop import Drop
from herald.layer2.event import (
    AnnounceAgain,
    ClearConflict,
    Contested,
    Defend,
    Effect,
    Event,
    FrameReceived,
    HoldingsChanged,
    LinksChanged,
    ProbeLeft,
    ProbeNotWatched,
    ReportConflict,
    SendFailed,
    SendFrame,
    Succeeded,
)
from herald.layer2.holding import Address, Holding
from herald.layer2.link import Link, NdpLink
from herald.layer2.solicited_node import ALL_NODES
from herald.net.interface import BROADCAST_MAC, Mac

FORMER_OWNER: Final = 1.0
"""Seconds after an address was taken in which a claim to it is the former owner's, who is about to let go of it. A real
one is heard again."""


class Unanswered(enum.Enum):
    """Why a holding is answered nowhere; the value is for people."""

    NO_INTERFACE = "not answered: none of its interfaces is eligible on this node"
    MUTE = "not answered: what this node sends on its interfaces does not leave them"
    NO_IPV6 = "not answered: none of its interfaces is eligible for NDP on this node; an IPv6 address is needed there"


HeldCounts = tuple[Address, int, int]
"""An address, the requests that were to be answered since it was taken, and the answers that left."""


@dataclass(frozen=True, slots=True)
class HoldingSnapshot:
    """A holding as it is really answered.

    `links` are the names of the links on which it is; where that is empty, `unanswered` says why. `requests` counts
    the requests that were to be answered since the address was taken, `answers` the replies that really left.
    """

    holding: Holding
    links: tuple[str, ...]
    unanswered: Unanswered | None
    requests: int
    answers: int


@dataclass(frozen=True, slots=True)
class ResponderSnapshot:
    """Everything `herald show l2` tells. Holdings are sorted by family and value; `dropped` counts frames by reason."""

    holdings: tuple[HoldingSnapshot, ...]
    links: tuple[Link, ...]
    ndp_links: tuple[NdpLink, ...]
    claims: tuple[Claim, ...]
    conflicts_turned_away: int
    dropped: dict[Drop, int]


@dataclass(slots=True)
class _Held:
    """A holding and what became of it; `unsent` counts replies that the kernel did not take.

    One `is_leaving` that another node has from now on: what that one says is no conflict.
    """

    holding: Holding
    unanswered: Unanswered | None = None
    requests: int = 0
    unsent: int = 0
    is_leaving: bool = False
    taken_at: float = float("-inf")


class Responder:
    """A `herald.machine.Machine` of Layer 2 events and effects."""

    def __init__(self, conflicts: ConflictLedger | None = None) -> None:
        self._links: dict[int, Link] = {}
        self._ndp_links: dict[int, NdpLink] = {}
        self._own_macs: frozenset[Mac] = frozenset()
        self._held: dict[bytes, _Held] = {}  # by the octets of the address, as they stand in a packet
        self._dropped: Counter[Drop] = Counter()
        self._conflicts = conflicts or ConflictLedger()
        self._defence = Defence()

    def handle(self, event: Event, now: float) -> list[Effect]:
        """See `herald.machine.Machine.handle`. Never raises, whatever a frame contains."""
        match event:
            case FrameReceived(index, data):
                if ethernet.ethertype(data) == ethernet.ETHERTYPE_IPV6:
                    return self._receive_ndp(index, data, now)
                return self._receive(index, data, now)
            case SendFailed(_, data):
                self._count_unsent(data)
                return []
            case AnnounceAgain() | Contested() | ProbeLeft() | ProbeNotWatched():
                return []
            case HoldingsChanged(held, released, handed_over):
                effects = self._release(released)
                self._hold(held, now)
                return effects + self._hand_over(handed_over)
            case Succeeded(address, still):
                self._succeeded(address, still)
                return []
            case LinksChanged(links, own_macs, ndp_links):
                self._own_macs = own_macs
                self._replace_links({link.index: link for link in links}, {link.index: link for link in ndp_links})
                return []
            case _:
                assert_never(event)

    def wake(self, now: float) -> list[Effect]:
        """See `herald.machine.Machine.wake`: forgets claims that fell silent, and defends what is contested."""
        over: list[Effect] = [ClearConflict(conflict) for conflict in self._conflicts.expire(now)]
        return over + [Defend(Contested(address)) for address in self._defence.due(now)]

    def deadline(self) -> float | None:
        """See `herald.machine.Machine.deadline`."""
        both = self._conflicts.deadline(), self._defence.deadline()
        return min((at for at in both if at is not None), default=None)

    def snapshot(self, mute: frozenset[str] = frozenset()) -> ResponderSnapshot:
        """See `herald.machine.Machine.snapshot`. Nothing counts as answered on the links called `mute`."""
        return ResponderSnapshot(
            tuple(
                self._holding_snapshot(held, mute) for _, held in sorted(self._held.items(), key=_by_family_and_value)
            ),
            tuple(self._links.values()),
            tuple(self._ndp_links.values()),
            self._conflicts.claims(),
            self._conflicts.turned_away,
            dict(self._dropped),
        )

    def counts(self) -> tuple[HeldCounts, ...]:
        """What was asked and answered for every held address, in no order. Cheaper by far than a snapshot."""
        return tuple((one.holding.address, one.requests, one.requests - one.unsent) for one in self._held.values())

    def dropped(self) -> dict[Drop, int]:
        """Frames that were not answered, by reason."""
        return dict(self._dropped)

    def unanswered(self, mute: frozenset[str] = frozenset()) -> tuple[tuple[Address, Unanswered], ...]:
        """The holdings that nobody here answers for, with the reason; sorted by family and value.

        Nothing counts as answered on the links called `mute`.
        """
        wanted = ((octets, held) for octets, held in self._held.items() if not held.is_leaving)
        silent = ((octets, held, self._silence(held, mute)) for octets, held in wanted)
        found = sorted(((octets, held, why) for octets, held, why in silent if why is not None), key=_by_octets)
        return tuple((held.holding.address, why) for _, held, why in found)

    def conflicts(self) -> tuple[Conflict, ...]:
        """The foreign claims that are open, sorted by address and MAC."""
        return self._conflicts.open()

    # Frames.

    def _receive(self, index: int, data: bytes, now: float) -> list[Effect]:
        link = self._links.get(index)
        if link is None:  # read just before the link went away
            return []
        sender, target = self._held.get(data[arp.SENDER_IP]), self._held.get(data[arp.TARGET_IP])
        if sender is None and target is None:
            self._dropped[Drop.MALFORMED if len(data) < arp.FRAME_OCTETS else Drop.NOT_HELD] += 1
            return []
        try:
            frame = arp.decode(data)
        except arp.ArpError:
            self._dropped[Drop.MALFORMED] += 1
            return []
        effects = self._check_claim(frame.packet.sender_ip, frame.packet.sender_mac, link, now)
        drop = _judge(frame, target, link)
        if drop is not None:
            self._dropped[drop] += 1
        elif target is not None:
            target.requests += 1
            effects.append(SendFrame(index, arp.encode(arp.reply(frame.packet, link.mac))))
        return effects

    def _receive_ndp(self, index: int, data: bytes, now: float) -> list[Effect]:
        link = self._ndp_links.get(index)
        if link is None:  # read just before the link went away
            return []
        if len(data) < ndp.SHORTEST_OCTETS:
            self._dropped[Drop.MALFORMED] += 1
            return []
        target = self._held.get(data[ndp.TARGET])
        if target is None and data[ndp.SENDER] not in self._held:
            self._dropped[Drop.NOT_HELD] += 1
            return []
        try:
            frame = ndp.decode(data)
        except ndp.NdpError:
            self._dropped[Drop.MALFORMED] += 1
            return []
        effects = [
            effect for address, mac in ndp_answer.claims(frame) for effect in self._check_claim(address, mac, link, now)
        ]
        drop = ndp_answer.judge(frame, target.holding if target else None, link, self._own_macs)
        if drop is not None:
            self._dropped[drop] += 1
        elif target is not None:
            target.requests += 1
            answer = ndp.reply(frame, link.mac, link.source)
            effects.append(SendFrame(index, ndp.encode(answer)))
        return effects

    def _check_claim(self, address: Address, mac: Mac, link: Link | NdpLink, now: float) -> list[Effect]:
        held = self._held.get(address.packed)
        if held is None or held.is_leaving or not held.holding.covers(link.name) or mac in self._own_macs:
            return []
        if now - held.taken_at < FORMER_OWNER:
            return []
        self._defence.hear(address, now)
        conflict = Conflict(address, link.name, mac)
        return [ReportConflict(conflict)] if self._conflicts.hear(conflict, now) else []

    def _count_unsent(self, data: bytes) -> None:
        """A reply names two addresses; a gratuitous frame, which is none, names one twice, or speaks to all nodes."""
        if ethernet.ethertype(data) == ethernet.ETHERTYPE_IPV6:
            held, is_answer = self._held.get(data[ndp.TARGET]), data[ndp.RECEIVER] != ALL_NODES.packed
        else:
            held, is_answer = self._held.get(data[arp.SENDER_IP]), data[arp.SENDER_IP] != data[arp.TARGET_IP]
        if held is not None and is_answer:
            held.unsent += 1

    # The wish and the links.

    def _hold(self, holdings: Iterable[Holding], now: float) -> None:
        for holding in holdings:
            held = self._held.get(holding.address.packed)
            if held is None or held.is_leaving:
                held = self._held[holding.address.packed] = _Held(holding, taken_at=now)
            held.holding = holding
            held.unanswered = self._why_unanswered(holding)

    def _release(self, addresses: tuple[Address, ...]) -> list[Effect]:
        for address in addresses:
            self._held.pop(address.packed, None)
        return self._end_conflicts(addresses)

    def _hand_over(self, addresses: tuple[Address, ...]) -> list[Effect]:
        for address in addresses:
            held = self._held.get(address.packed)
            if held is not None:
                held.is_leaving = True
        return self._end_conflicts(addresses)

    def _end_conflicts(self, addresses: tuple[Address, ...]) -> list[Effect]:
        self._defence.release(addresses)
        return [ClearConflict(conflict) for conflict in self._conflicts.release(addresses)] if addresses else []

    def _succeeded(self, address: Address, still: Holding | None) -> None:
        held = self._held.get(address.packed)
        if still is None:
            self._held.pop(address.packed, None)
        elif held is not None:
            held.holding = still

    def _replace_links(self, links: dict[int, Link], ndp_links: dict[int, NdpLink]) -> None:
        if links == self._links and ndp_links == self._ndp_links:  # most changes on a node are those of its pods
            return
        self._links, self._ndp_links = links, ndp_links
        for held in self._held.values():
            held.unanswered = self._why_unanswered(held.holding)

    def _holding_snapshot(self, held: _Held, mute: frozenset[str]) -> HoldingSnapshot:
        names = tuple(name for name in self._answered_on(held.holding) if name not in mute)
        answers = held.requests - held.unsent
        return HoldingSnapshot(held.holding, names, self._silence(held, mute), held.requests, answers)

    def _silence(self, held: _Held, mute: frozenset[str]) -> Unanswered | None:
        if held.unanswered is None and mute and mute.issuperset(self._answered_on(held.holding)):
            return Unanswered.MUTE
        return held.unanswered

    def _answered_on(self, holding: Holding) -> list[str]:
        links = self._links_for(holding.address).values()
        return [link.name for link in links if holding.covers(link.name)]

    def _why_unanswered(self, holding: Holding) -> Unanswered | None:
        if any(holding.covers(link.name) for link in self._links_for(holding.address).values()):
            return None
        if any(holding.covers(link.name) for link in self._links.values()):
            return Unanswered.NO_IPV6
        return Unanswered.NO_INTERFACE

    def _links_for(self, address: Address) -> Mapping[int, Link | NdpLink]:
        return self._links if isinstance(address, IPv4Address) else self._ndp_links


def _judge(frame: arp.Frame, target: _Held | None, link: Link) -> Drop | None:
    if frame.packet.operation != arp.Operation.REQUEST:
        return Drop.NOT_A_REQUEST
    if frame.destination not in (BROADCAST_MAC, link.mac):
        return Drop.NOT_FOR_US
    if target is None:
        return Drop.NOT_HELD
    return None if target.holding.covers(link.name) else Drop.OTHER_INTERFACE


def _by_family_and_value(item: tuple[bytes, _Held]) -> tuple[int, bytes]:
    return len(item[0]), item[0]


def _by_octets(item: tuple[bytes, _Held, Unanswered]) -> tuple[int, bytes]:
    return len(item[0]), item[0]
