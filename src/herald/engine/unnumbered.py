"""The neighbours behind the interfaces of unnumbered peers: the shell of Router Discovery, following the kernel.

An interface may not be there yet, lose its carrier, or be deleted and made again under its name: its machine is told,
and gets a socket of the interface that is there. It is ready when it is up, has carrier, and has a link-local address
that may be used. Which interfaces Layer 2 leaves out does not matter here: these are named one by one.
"""

import asyncio
import logging
import os
import random
from collections.abc import Callable, Collection, Mapping
from ipaddress import IPv6Address
from typing import Final, assert_never

from herald.engine.router_socket import RouterSocket
from herald.net.interface import Interface
from herald.router_discovery.discovery import Discovery, DiscoverySnapshot
from herald.router_discovery.event import Crowded, Effect, Event, Found, InUse, Link, LinkLost, LinkReady, Lost, Send

_MESSAGES_PER_WAKEUP: Final = 16

_log: Final = logging.getLogger("herald.engine.unnumbered")

OnChange = Callable[[str, str | None], None]
"""Gets the name of an interface that has another neighbour now, or none, or none for another reason; if one was lost,
in words how.
"""


class Unnumbered:
    """One machine for each interface that is followed."""

    def __init__(self, rng: random.Random, on_change: OnChange) -> None:
        self._rng = rng
        self._on_change = on_change
        self._interfaces: dict[str, Interface] | None = None  # None: not told yet
        self._followed: dict[str, _Followed] = {}

    def follow(self, names: Collection[str]) -> None:
        """Look for neighbours on these interfaces, and on no other any more."""
        for name in self._followed.keys() - set(names):
            self._followed.pop(name).close()
        for name in sorted(set(names) - self._followed.keys()):
            self._followed[name] = _Followed(name, self._rng, self._on_change)
            self._look(name)

    def set_interfaces(self, interfaces: tuple[Interface, ...]) -> None:
        """These are all interfaces there are."""
        self._interfaces = {interface.name: interface for interface in interfaces}
        for name in self._followed:
            self._look(name)

    def note_use(self, name: str, *, in_use: bool) -> None:
        """Whether a session with the neighbour on `name` stands."""
        if name in self._followed:
            self._followed[name].handle(InUse(in_use))

    def neighbour(self, name: str) -> IPv6Address | None:
        """The link-local address of the neighbour, None while there is none."""
        return self._followed[name].snapshot().neighbour if name in self._followed else None

    def reason(self, name: str) -> str:
        """Why there is no neighbour, for people."""
        shown = self._followed[name].snapshot() if name in self._followed else None
        return f"interface {name}: {shown.reason if shown else 'not looked at'}"

    def is_ready(self, name: str) -> bool:
        """Whether routers on `name` can be heard."""
        return name in self._followed and self._followed[name].is_ready

    def snapshots(self) -> Mapping[str, DiscoverySnapshot]:
        """Each interface that is followed."""
        return {name: followed.snapshot() for name, followed in sorted(self._followed.items())}

    def close(self) -> None:
        """Look no more."""
        self.follow(())

    def _look(self, name: str) -> None:
        if self._interfaces is not None:
            self._followed[name].look(readiness(self._interfaces.get(name)))


def readiness(interface: Interface | None) -> Link | str:
    """Our end of the link, or why the interface has none that can be used."""
    if interface is None:
        return "this node has no interface of that name"
    if not interface.up:
        return "it is down"
    if not interface.carrier:
        return "it has no carrier"
    addresses = (one.ip for one in interface.addresses if isinstance(one.ip, IPv6Address) and one.ip.is_link_local)
    usable = next((address for address in addresses if address not in interface.unready), None)
    if usable is None:
        return "it has no IPv6 link-local address that may be used"
    return Link(interface.index, usable, interface.mac)


class _Followed:
    """One interface by name: the machine, its timer, and a socket while the link is ready."""

    def __init__(self, name: str, rng: random.Random, on_change: OnChange) -> None:
        self._name = name
        self._on_change = on_change
        self._loop = asyncio.get_running_loop()
        self._machine = Discovery(rng)
        self._link: Link | None = None
        self._seen: Link | str | None = None
        self._socket: RouterSocket | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_ready(self) -> bool:
        return self._link is not None

    def snapshot(self) -> DiscoverySnapshot:
        return self._machine.snapshot()

    def look(self, found: Link | str) -> None:
        """Follow the interface as it is now."""
        if found == self._seen and (self._link is not None or isinstance(found, str)):
            return
        self._seen = found
        had_neighbour = self.snapshot().neighbour is not None
        self._close_socket()
        self._link = None
        if isinstance(found, Link):
            found = self._open(found)
        self.handle(LinkReady(found) if isinstance(found, Link) else LinkLost(found))
        if not had_neighbour:
            self._on_change(self._name, None)

    def handle(self, event: Event) -> None:
        self._perform(self._machine.handle(event, self._loop.time()))

    def close(self) -> None:
        self._close_socket()
        if self._timer is not None:
            self._timer.cancel()

    def _open(self, link: Link) -> Link | str:
        """The link again, with a socket; or why it cannot be used. The next change of the interface tries again."""
        try:
            self._socket = RouterSocket(self._name, link.index)
        except OSError as error:
            return f"no ICMPv6 socket: {os.strerror(error.errno).lower() if error.errno else error}"
        self._loop.add_reader(self._socket, self._readable)
        self._link = link
        return link

    def _close_socket(self) -> None:
        if self._socket is not None:
            self._loop.remove_reader(self._socket)
            self._socket.close()
            self._socket = None

    def _readable(self) -> None:
        for _ in range(_MESSAGES_PER_WAKEUP):
            if self._socket is None:
                return
            try:
                received = self._socket.receive()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:  # the interface goes down: the kernel tells of that by netlink as well
                _log.debug("%s: cannot receive: %s", self._name, error, extra={"event": "routerMessageLost"})
                return
            self.handle(received)

    def _wake(self) -> None:
        self._timer = None
        self._perform(self._machine.wake(self._loop.time()))

    def _perform(self, effects: list[Effect]) -> None:
        fields = {"interface": self._name}
        for effect in effects:
            match effect:
                case Send():
                    self._send(effect)
                case Found(neighbour):
                    _log.info(
                        "the neighbour on %s is %s",
                        self._name,
                        neighbour,
                        extra={"event": "neighborFound", "neighbor": str(neighbour), **fields},
                    )
                    self._on_change(self._name, None)
                case Lost(reason):
                    _log.warning(
                        "no neighbour on %s any more: %s",
                        self._name,
                        reason,
                        extra={"event": "neighborLost", "reason": reason, **fields},
                    )
                    self._on_change(self._name, f"interface {self._name}: {reason}")
                case Crowded(chosen, others):
                    names = ", ".join(map(str, others))
                    _log.warning(
                        "several routers advertise themselves on %s: the neighbour is %s, and not %s; an interface can "
                        "stand for one peer only",
                        self._name,
                        chosen,
                        names,
                        extra={"event": "neighborsCrowded", "neighbor": str(chosen), "others": names, **fields},
                    )
                case _ as never:
                    assert_never(never)
        self._arm()

    def _send(self, effect: Send) -> None:
        if self._socket is None or self._link is None:
            return
        try:
            self._socket.send(effect.destination, effect.data, self._link.address)
        except OSError as error:  # sent again by the machine's timers; a link that is gone is told by netlink
            _log.debug("%s: cannot send: %s", self._name, error, extra={"event": "routerMessageLost"})

    def _arm(self) -> None:
        deadline = self._machine.deadline()
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if deadline is None else self._loop.call_at(deadline, self._wake)
