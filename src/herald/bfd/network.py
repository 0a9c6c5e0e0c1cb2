"""What the shell of BFD needs of the network: four kinds of sockets, opened by whoever may open sockets."""

from dataclasses import dataclass
from typing import Protocol

from herald.bfd.path import Address, Datagram, Lane, Path


class Listener(Protocol):
    """Reads control packets, or echoes of peers, of one lane. Never waits."""

    def fileno(self) -> int: ...

    def receive(self) -> Datagram | None:
        """The next datagram, None if there is none now. Raises OSError."""

    def close(self) -> None: ...


class Reflector(Listener, Protocol):
    """Reads the echoes that peers send to one of our addresses, and sends them back."""

    def reflect(self, datagram: Datagram) -> None:
        """Back to where it came from, on the same interface. Raises OSError."""


class Transmitter(Protocol):
    """Sends the control packets of one session, from a port of its own."""

    def send(self, data: bytes) -> None:
        """Raises OSError."""

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class EchoWay:
    """The way of an echo: out of this interface, to `peer` as the next router, with `local` as both its ends."""

    interface_index: int
    peer: Address
    local: Address


class EchoLink(Protocol):
    """Sends and reads our own echoes on one interface, for one IP version."""

    def fileno(self) -> int: ...

    def send(self, way: EchoWay, data: bytes) -> None:
        """Raises OSError."""

    def receive(self) -> tuple[bytes, float] | None:
        """The content of an echo and when it came, None if there is none now. Raises OSError."""

    def close(self) -> None: ...


class Network(Protocol):
    """Opens them. Each raises OSError with words for people."""

    def listen(self, lane: Lane) -> Listener: ...

    def transmit(self, path: Path) -> Transmitter: ...

    def echo_link(self, interface_index: int, version: int) -> EchoLink: ...

    def reflect(self, version: int, vrf: str | None) -> Reflector: ...

    def forwards(self, version: int) -> bool:
        """Whether this host forwards packets of that IP version."""

    def interface_index(self, name: str) -> int | None:
        """None if there is no such interface now."""
