"""What of this node the way to a peer depends on, followed live: interfaces, VRFs, source addresses.

The BGP session of an unnumbered peer is given the neighbour that was found behind the interface as its peer, and loses
it at once when that goes. A VRF whose device is deleted takes its sessions down at once too, instead of after the hold
time; one that appears, like a source address that appears, lets those who wait for it try now.
"""

import asyncio
import random
import socket
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from herald.bgp.driver import Dial
from herald.bgp.event import ParametersChanged, WayBack, WayLost
from herald.bgp.family import Address
from herald.bgp.parameters import PeerParameters
from herald.engine.unnumbered import Unnumbered
from herald.net.interface import Interface
from herald.router_discovery.discovery import DiscoverySnapshot

ANSWER_SECONDS: Final = 3.0
"""How long a neighbour may take to answer solicitations before its absence is worth a word."""

News = WayLost | WayBack | ParametersChanged


class Ways:
    """The ways to all peers, by name."""

    def __init__(self, dial: Dial, rng: random.Random, on_news: Callable[[str, News], None]) -> None:
        """`dial` connects to a peer with an address; `on_news` gets the name of the peer that something is news to."""
        self._dial = dial
        self._on_news = on_news
        self._unnumbered = Unnumbered(rng, self._neighbour_changed)
        self._wanted: dict[str, PeerParameters] = {}
        self._established: set[str] = set()
        self._devices: dict[str, int] = {}
        self._addresses: frozenset[Address] = frozenset()

    def follow(self, parameters: PeerParameters) -> PeerParameters:
        """The parameters with the neighbour in the place of the interface, if it is known; news will follow."""
        self._wanted[parameters.name] = parameters
        self._follow_interfaces()
        return self._resolved(parameters)

    def drop(self, name: str) -> None:
        """The peer is no longer configured."""
        self.note_state(name, established=False)
        self._wanted.pop(name, None)
        self._follow_interfaces()

    def note_state(self, name: str, *, established: bool) -> None:
        """Whether the session of a peer stands: then its neighbour is there, however silent it may be otherwise."""
        if established == (name in self._established):
            return
        self._established ^= {name}
        interface = self._wanted[name].interface if name in self._wanted else None
        if interface is not None:
            self._unnumbered.note_use(
                interface, in_use=any(one in self._established for one in self._behind(interface))
            )

    def set_interfaces(self, interfaces: tuple[Interface, ...]) -> None:
        """The interfaces of this node are these now."""
        before, self._devices = self._devices, {one.name: one.index for one in interfaces}
        had, self._addresses = self._addresses, frozenset(own.ip for one in interfaces for own in one.addresses)
        self._unnumbered.set_interfaces(interfaces)
        for name, wanted in tuple(self._wanted.items()):
            if wanted.vrf is not None and self._devices.get(wanted.vrf) != before.get(wanted.vrf):
                self._vrf_changed(name, wanted.vrf, was_there=wanted.vrf in before)
            source = wanted.source_address
            if source is not None and source in self._addresses and source not in had:
                self._on_news(name, WayBack())

    def links(self) -> Mapping[str, DiscoverySnapshot]:
        """The interfaces of unnumbered peers, and who was found there."""
        return self._unnumbered.snapshots()

    def close(self) -> None:
        """Follow nothing any more."""
        self._unnumbered.close()

    async def dial(self, parameters: PeerParameters) -> socket.socket:
        """A connection to the peer. Raises OSError with words for people."""
        if parameters.peer_address is None and parameters.interface is not None:
            if self._unnumbered.is_ready(parameters.interface):
                await asyncio.sleep(ANSWER_SECONDS)  # given up at once when a neighbour is found
            raise OSError(self._unnumbered.reason(parameters.interface))
        return await self._dial(parameters)

    def _vrf_changed(self, name: str, vrf: str, *, was_there: bool) -> None:
        if was_there:
            self._on_news(name, WayLost(f"VRF {vrf}: its device is gone"))
        if vrf in self._devices:
            self._on_news(name, WayBack())

    def _neighbour_changed(self, interface: str, lost: str | None) -> None:
        for name in self._behind(interface):
            if lost is not None:
                self._on_news(name, WayLost(lost))
            resolved = self._resolved(self._wanted[name])
            self._on_news(name, ParametersChanged(resolved))
            if lost is None and resolved.peer_address is None:
                if not self._unnumbered.is_ready(interface):  # an attempt that is just failing has an old reason
                    self._on_news(name, WayLost(self._unnumbered.reason(interface)))
                self._on_news(name, WayBack())

    def _resolved(self, parameters: PeerParameters) -> PeerParameters:
        if parameters.interface is None:
            return parameters
        return replace(parameters, peer_address=self._unnumbered.neighbour(parameters.interface))

    def _behind(self, interface: str) -> list[str]:
        return [name for name, wanted in self._wanted.items() if wanted.interface == interface]

    def _follow_interfaces(self) -> None:
        self._unnumbered.follow({one.interface for one in self._wanted.values() if one.interface is not None})
