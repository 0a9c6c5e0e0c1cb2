"""A lane: one protocol, the links on which it is spoken, and the socket that stands on each.

Part of the shell; what reads and logs is given in.
"""

from collections.abc import Callable, Iterable
from typing import Any, Generic, Protocol, TypeVar

from herald.layer2.link import Link, NdpLink
from herald.layer2.packet_socket import GroupSocket, PacketSocket
from herald.net.interface import mac_text

AnyLink = TypeVar("AnyLink", Link, NdpLink)
AnySocket = TypeVar("AnySocket", bound=PacketSocket)


class Readers(Protocol):
    """Calls back when a descriptor can be read: the loop."""

    def add_reader(self, fd: int, callback: Callable[..., Any], /, *args: Any) -> Any: ...
    def remove_reader(self, fd: int, /) -> Any: ...


class Say(Protocol):
    """Takes what is to be logged, %-format and arguments as `logging` does."""

    def __call__(self, msg: str, /, *args: object, extra: dict[str, object]) -> None: ...


class OneLane(Generic[AnyLink, AnySocket]):
    """One protocol: the links on which it is spoken, and the sockets that stand on them."""

    def __init__(
        self,
        protocol: str,
        octets: int,
        open_socket: Callable[[AnyLink], AnySocket],
        on_readable: "Callable[[OneLane[AnyLink, AnySocket], int], None]",
        readers: Readers,
        info: Say,
        warning: Say,
    ) -> None:
        """`octets`: how many of a frame are read."""
        self.protocol = protocol
        self.octets = octets
        self.links: dict[int, AnyLink] = {}
        self.sockets: dict[int, AnySocket] = {}
        self._open_socket: Callable[[AnyLink], AnySocket] = open_socket
        self._on_readable: Callable[[OneLane[AnyLink, AnySocket], int], None] = on_readable
        self._loop, self._info, self._warning = readers, info, warning
        self._refused: set[int] = set()

    def follow(self, links: Iterable[AnyLink]) -> bool:
        """Open and close sockets, so that there is one for each of these links; False if one could not be opened."""
        wanted = {link.index: link for link in links}
        for index in self.sockets.keys() - wanted.keys():
            self.close(index, "no longer eligible")
        self._refused &= wanted.keys()
        for link in wanted.values():
            if link.index not in self.sockets:
                self._open(link)
        self.links = {index: link for index, link in wanted.items() if index in self.sockets}
        return len(self.links) == len(wanted)

    def close(self, index: int, reason: str) -> None:
        """Stop reading and writing there."""
        opened = self.sockets.pop(index)
        link = self.links.pop(index)
        self._loop.remove_reader(opened.fileno())
        opened.close()
        self._info(
            "no longer answering %s on %s: %s",
            self.protocol,
            link.name,
            reason,
            extra={"event": f"delete{self.protocol}Responder", "interface": link.name, "reason": reason},
        )

    def _open(self, link: AnyLink) -> None:
        try:
            opened = self._open_socket(link)
        except OSError as error:
            if link.index not in self._refused:  # said once, not every second
                self._refused.add(link.index)
                self._warning(
                    "cannot open a packet socket for %s on %s, retrying: %s",
                    self.protocol,
                    link.name,
                    error,
                    extra={"event": f"create{self.protocol}Responder", "interface": link.name, "error": str(error)},
                )
            return
        self._refused.discard(link.index)
        self.sockets[link.index] = opened
        self.links[link.index] = link
        self._loop.add_reader(opened.fileno(), self._on_readable, self, link.index)
        self._info(
            "answering %s on %s",
            self.protocol,
            link.name,
            extra={"event": f"create{self.protocol}Responder", "interface": link.name, "mac": mac_text(link.mac)},
        )


Lane = OneLane[Link, PacketSocket] | OneLane[NdpLink, GroupSocket]
