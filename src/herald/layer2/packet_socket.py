"""The sockets that the shell of Layer 2 is given, as it sees them; `herald.engine` opens them."""

from collections.abc import Callable
from ipaddress import IPv6Address
from typing import Protocol

from herald.layer2.link import Link, NdpLink


class PacketSocket(Protocol):
    """A non-blocking socket that gives and takes whole Ethernet frames of one link and one protocol."""

    def fileno(self) -> int: ...
    def recv(self, size: int, /) -> bytes: ...
    def send(self, data: bytes, /) -> int: ...
    def close(self) -> None: ...


class GroupSocket(PacketSocket, Protocol):
    """One that can also be a member of groups; to join twice, or leave what was not joined, does nothing."""

    def join(self, group: IPv6Address, /) -> None: ...
    def leave(self, group: IPv6Address, /) -> None: ...


class FrameWatch(Protocol):
    """Sees whether frames leave their link."""

    def begin(self, link: Link | NdpLink, data: bytes, on_left: Callable[[int, bytes], None], /) -> bool:
        """Watch for `data` on `link`, and call `on_left` with its index and the frame; False if that cannot be."""
        ...

    def end(self, index: int, data: bytes, /) -> None:
        """Watch for it no longer; if nobody does, nothing happens."""
        ...

    def close(self) -> None:
        """Watch for nothing more."""
        ...
