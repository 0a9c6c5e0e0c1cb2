"""The sockets that the shell of Layer 2 is given, as it sees them; `herald.engine` opens them."""

from ipaddress import IPv6Address
from typing import Protocol


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
