"""The sockets of the echo function: our own echoes on each interface, and the echoes that peers want back.

A peer that does as RFC 5881 §4 says sends echoes to its own address, which our kernel forwards without our doing if it
forwards at all. Old versions of FRR send them to ours instead, and wait for this port to answer.
"""

from collections.abc import Callable
from typing import Final, Protocol, TypeVar

from herald.bfd.network import EchoLink, EchoWay, Network, Reflector
from herald.bfd.path import HIGHEST_TTL, Address

ECHOES_PER_WAKEUP: Final = 64

Returned = Callable[[bytes, float], None]
MayReflect = Callable[[Address, int], bool]
"""Whether a peer of this address may have its echo back, which came by the interface of that index."""

T = TypeVar("T")


class Readers(Protocol):
    """The part of an event loop that is needed here."""

    def add_reader(self, fd: int, callback: Callable[[T], None], arg: T, /) -> object: ...
    def remove_reader(self, fd: int, /) -> bool: ...


class EchoPorts:
    """Opens what is needed when it is needed. `on_returned` gets whatever may be an echo of ours."""

    def __init__(self, network: Network, readers: Readers, on_returned: Returned, may_reflect: MayReflect) -> None:
        self._network = network
        self._readers = readers
        self._on_returned = on_returned
        self._may_reflect = may_reflect
        self._links: dict[tuple[int, int], EchoLink] = {}
        self._reflectors: dict[tuple[int, str | None], Reflector] = {}
        self.send_failures = 0
        self.reflected = 0
        self.not_reflected = 0

    def send(self, way: EchoWay, data: bytes) -> None:
        """Send one of ours; what cannot be sent is counted, as if it were lost."""
        key = (way.interface_index, way.peer.version)
        try:
            if key not in self._links:
                self._links[key] = self._network.echo_link(*key)
                self._readers.add_reader(self._links[key].fileno(), self._read_link, key)
            self._links[key].send(way, data)
        except OSError:
            self.send_failures += 1
            self._drop_link(key)

    def drain(self) -> None:
        """Read what waits."""
        for key in tuple(self._links):
            self._read_link(key)

    def keep_reflectors(self, wanted: frozenset[tuple[int, str | None]]) -> None:
        """Answer the echoes of peers in these (IP version, VRF), and in no others. Raises OSError."""
        for key in tuple(self._reflectors.keys() - wanted):
            reflector = self._reflectors.pop(key)
            self._readers.remove_reader(reflector.fileno())
            reflector.close()
        for key in wanted - self._reflectors.keys():
            self._reflectors[key] = self._network.reflect(*key)
            self._readers.add_reader(self._reflectors[key].fileno(), self._read_reflector, key)

    def close(self) -> None:
        """Close everything."""
        for key in tuple(self._links):
            self._drop_link(key)
        self.keep_reflectors(frozenset())

    def _drop_link(self, key: tuple[int, int]) -> None:
        link = self._links.pop(key, None)
        if link is not None:
            self._readers.remove_reader(link.fileno())
            link.close()

    def _read_link(self, key: tuple[int, int]) -> None:
        for _ in range(ECHOES_PER_WAKEUP):
            link = self._links.get(key)
            if link is None:
                return
            try:
                received = link.receive()
            except OSError:  # the interface is gone; another is opened with the next echo
                self._drop_link(key)
                return
            if received is None:
                return
            self._on_returned(*received)

    def _read_reflector(self, key: tuple[int, str | None]) -> None:
        reflector = self._reflectors[key]
        for _ in range(ECHOES_PER_WAKEUP):
            try:
                datagram = reflector.receive()
                if datagram is None:
                    return
                if datagram.ttl == HIGHEST_TTL and self._may_reflect(datagram.source, datagram.interface_index):
                    reflector.reflect(datagram)
                    self.reflected += 1
                else:
                    self.not_reflected += 1
            except OSError:
                self.send_failures += 1
                return
