"""The machine that makes sure that what this node answers really leaves it.

To own an address and to answer for it are two things. A socket may stand, hear and answer while nothing gets out: a
queue that is stuck, an egress filter, a driver that has lost its way. Nobody is told then, and the address is dark.

    every INTERVAL, on each link that holds an address, for ARP and NDP each:
        an answer is sent, by the very socket that answers, to this link's own MAC       ProbeLink
        the kernel shows a frame that it hands to the driver of the link                 ProbeLeft
        or it shows none for PATIENCE seconds, or does not take the frame                a failure

`FAILURES` in a row make the link *mute* (`ReportMute`): it is no longer usable, so that the election gives the address
to a node that can be heard. A mute link is probed on, and one success makes it speak again (`ClearMute`).

The frame names one of the held addresses, another one each time. A switch that gets it has nowhere to send it: it came
from where it would go. What it cannot prove is what happens beyond the driver, and that questions come in; of those
`herald show l2` tells how many came.
"""

import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Final, assert_never

from herald.layer2 import arp, ndp
from herald.layer2.event import (
    AnnounceAgain,
    ClearMute,
    Contested,
    Effect,
    EndProbe,
    Event,
    FrameReceived,
    HoldingsChanged,
    LinksChanged,
    ProbeLeft,
    ProbeLink,
    ProbeNotWatched,
    ReportMute,
    SendFailed,
    Succeeded,
)
from herald.layer2.holding import Address, Holding
from herald.layer2.link import Link, NdpLink
from herald.net.interface import mac_text

DEFAULT_INTERVAL: Final = 3.0
PATIENCE: Final = 1.0
FAILURES: Final = 3
KEPT: Final = 10.0
"""Seconds for which failures outlive the socket; one that fails is opened again at once, which proves nothing."""
_NOBODY: Final[dict[int, Address]] = {4: IPv4Address(0), 6: IPv6Address(0)}

Way = tuple[int, int]
"""IP version and index of a link: what ARP and NDP do there stands apart."""


class _Phase(enum.Enum):
    RESTING = enum.auto()
    PROBING = enum.auto()


@dataclass(slots=True)
class _State:
    """`at`: when to probe, when to cease to wait, or, without a socket, when to forget.

    `left_at`: when a probe was last seen to leave.
    """

    at: float
    name: str
    phase: _Phase = _Phase.RESTING
    frame: bytes = b""
    failures: int = 0
    left_at: float | None = None
    turn: int = 0


@dataclass(frozen=True, slots=True)
class WaySnapshot:
    """One protocol on one link: failures in a row, and when a probe was last seen to leave (None: never yet)."""

    version: int
    interface: str
    failures: int
    left_at: float | None

    @property
    def is_mute(self) -> bool:
        """Whether it counts as not usable."""
        return self.failures >= FAILURES


class SelfProbe:
    """A `herald.machine.Machine` of Layer 2 events and effects."""

    def __init__(self, interval: float = DEFAULT_INTERVAL) -> None:
        """`interval` in seconds, more than 0."""
        self._interval = interval
        self._links: dict[Way, Link | NdpLink] = {}
        self._holdings: dict[Address, Holding] = {}
        self._states: dict[Way, _State] = {}

    def handle(self, event: Event, now: float) -> list[Effect]:
        """See `herald.machine.Machine.handle`."""
        match event:
            case HoldingsChanged(held, released, handed_over):
                for address in (*released, *handed_over):
                    self._holdings.pop(address, None)
                self._holdings.update((holding.address, holding) for holding in held)
                return []
            case LinksChanged(links, _, ndp_links):
                return self._replace_links(links, ndp_links, now)
            case ProbeLeft(index, data):
                return self._left(index, data, now)
            case SendFailed(index, data):
                return self._refused(index, data, now)
            case ProbeNotWatched(index, data):
                return self._not_watched(index, data, now)
            case FrameReceived() | AnnounceAgain() | Contested() | Succeeded():
                return []
            case _:
                assert_never(event)

    def wake(self, now: float) -> list[Effect]:
        """See `herald.machine.Machine.wake`: probes what is due, gives up waiting where that took too long."""
        effects: list[Effect] = []
        for way, state in tuple(self._states.items()):
            if state.at > now:
                continue
            if way not in self._links:
                effects += self._forget(way)
                continue
            if state.phase is _Phase.PROBING:
                effects.append(EndProbe(way[1], state.frame))
                effects += self._failed(way, state, now)
            if state.at <= now:
                effects += self._probe(way, state, now)
        return effects

    def deadline(self) -> float | None:
        """See `herald.machine.Machine.deadline`. Without holdings only mute links are looked at."""
        return min((state.at for way, state in self._states.items() if self._is_watched(way, state)), default=None)

    def snapshot(self) -> tuple[WaySnapshot, ...]:
        """See `herald.machine.Machine.snapshot`: the ways that were probed, sorted by interface, ARP first."""
        found = (
            WaySnapshot(way[0], self._links[way].name, state.failures, state.left_at)
            for way, state in self._states.items()
            if way in self._links and (state.failures or state.left_at is not None)
        )
        return tuple(sorted(found, key=lambda one: (one.interface, one.version)))

    def mute(self) -> frozenset[int]:
        """Indices of the links that are mute, in either protocol; also of those whose socket is just being renewed."""
        return frozenset(index for (_, index), state in self._states.items() if state.failures >= FAILURES)

    def _is_watched(self, way: Way, state: _State) -> bool:
        return bool(self._holdings) or state.failures > 0 or state.phase is _Phase.PROBING

    def _replace_links(self, links: Iterable[Link], ndp_links: Iterable[NdpLink], now: float) -> list[Effect]:
        wanted: dict[Way, Link | NdpLink] = {(4, link.index): link for link in links}
        wanted |= {(6, link.index): link for link in ndp_links}
        before, self._links = self._links, wanted
        effects: list[Effect] = []
        for way in [way for way in self._states if way not in wanted]:
            state = self._states[way]
            if state.phase is _Phase.PROBING:
                effects.append(EndProbe(way[1], state.frame))
            if not state.failures:
                del self._states[way]
            elif way in before:
                state.phase, state.at = _Phase.RESTING, now + KEPT
        for way, link in wanted.items():
            state = self._states.setdefault(way, _State(now, link.name))
            state.name = link.name
            if way not in before:
                state.at = now
        return effects

    def _forget(self, way: Way) -> list[Effect]:
        was_mute = way[1] in self.mute()
        state = self._states.pop(way)
        return [ClearMute(way[1], state.name)] if was_mute and way[1] not in self.mute() else []

    def _probe(self, way: Way, state: _State, now: float) -> list[Effect]:
        address = self._next_address(way, state)
        if address is None and not state.failures:
            state.at = now + self._interval
            return []
        state.phase, state.at = _Phase.PROBING, now + PATIENCE
        state.frame = frame(address or _NOBODY[way[0]], self._links[way])
        return [ProbeLink(way[1], state.frame)]

    def _next_address(self, way: Way, state: _State) -> Address | None:
        """One of those that are held there, in turn."""
        here = list(self._held_on(way))
        state.turn += 1
        return here[state.turn % len(here)] if here else None

    def _held_on(self, way: Way) -> Iterator[Address]:
        name = self._links[way].name
        return (one.address for one in self._holdings.values() if one.address.version == way[0] and one.covers(name))

    def _left(self, index: int, data: bytes, now: float) -> list[Effect]:
        way = self._probing(index, data)
        if way is None:
            return []
        state = self._states[way]
        was_mute = index in self.mute()
        state.phase, state.at, state.failures, state.left_at = _Phase.RESTING, now + self._interval, 0, now
        speaks = was_mute and index not in self.mute()
        return [EndProbe(index, data), *([ClearMute(index, self._links[way].name)] if speaks else [])]

    def _refused(self, index: int, data: bytes, now: float) -> list[Effect]:
        way = self._probing(index, data)
        if way is None:
            return []
        effects: list[Effect] = [EndProbe(index, data), *self._failed(way, self._states[way], now)]
        self._states[way].at = now + PATIENCE  # it was refused at once: let the reason pass
        return effects

    def _not_watched(self, index: int, data: bytes, now: float) -> list[Effect]:
        """Nothing is known, so nothing changes."""
        way = self._probing(index, data)
        if way is not None:
            self._states[way].phase, self._states[way].at = _Phase.RESTING, now + self._interval
        return []

    def _probing(self, index: int, data: bytes) -> Way | None:
        for way in ((4, index), (6, index)):
            state = self._states.get(way)
            if state is not None and way in self._links and (state.phase, state.frame) == (_Phase.PROBING, data):
                return way
        return None

    def _failed(self, way: Way, state: _State, now: float) -> list[Effect]:
        was_mute = way[1] in self.mute()
        state.phase, state.failures = _Phase.RESTING, state.failures + 1
        state.at = now + PATIENCE if was_mute else now
        if state.failures < FAILURES or was_mute:
            return []
        link = self._links[way]
        return [
            ReportMute(link.index, link.name, f"{FAILURES} frames from {mac_text(link.mac)} in a row did not leave")
        ]


def frame(address: Address, link: Link | NdpLink) -> bytes:
    """What is sent to see whether it leaves: "`address` is at this link", to this link itself."""
    if isinstance(address, IPv4Address):
        asked = arp.Packet(arp.Operation.REQUEST, link.mac, IPv4Address(0), link.mac, address)
        return arp.encode(arp.reply(asked, link.mac))
    answer = ndp.NeighborAdvertisement(address, link.mac, router=False, solicited=True, override=False)
    return ndp.encode(ndp.Frame(link.mac, link.mac, address, address, answer))
