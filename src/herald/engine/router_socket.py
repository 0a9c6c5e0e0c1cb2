"""The ICMPv6 socket of one link for Router Discovery: solicitations and advertisements of routers only (RFC 3542).

It is bound to the interface, so that messages of other links never come; the kernel computes and verifies checksums. It
is a member of the groups of all nodes and all routers there, the second of which the kernel joins only on routers.
"""

import socket
import struct
from ipaddress import IPv6Address
from typing import Final

from herald.router_discovery.event import Received
from herald.router_discovery.message import ALL_NODES, ALL_ROUTERS, HOP_LIMIT, LONGEST_OCTETS, MessageType

_ICMP6_FILTER: Final = 1
_FILTER_OCTETS: Final = 32  # a bit for each ICMPv6 type; one that is set keeps the type away
_ANCILLARY_OCTETS: Final = 128


class RouterSocket:
    """Reads and writes the messages of Router Discovery on one link, never blocks."""

    def __init__(self, name: str, index: int) -> None:
        """Raises OSError: EPERM without CAP_NET_RAW, ENODEV if there is no such interface."""
        self._index = index
        self._socket = socket.socket(
            socket.AF_INET6, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, socket.IPPROTO_ICMPV6
        )
        try:
            self._prepare(name)
        except OSError:
            self._socket.close()
            raise

    def fileno(self) -> int:
        """For a selector."""
        return self._socket.fileno()

    def receive(self) -> Received:
        """The next message. Raises OSError, BlockingIOError if there is none."""
        data, ancillary, _, sender = self._socket.recvmsg(LONGEST_OCTETS, _ANCILLARY_OCTETS)
        return Received(IPv6Address(sender[0].split("%")[0]), _hop_limit(ancillary), data)

    def send(self, destination: IPv6Address, data: bytes, source: IPv6Address) -> None:
        """Send from `source`, which must be an address of the interface. Raises OSError."""
        packet_information = struct.pack("=16sI", source.packed, self._index)
        ancillary = [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, packet_information)]
        self._socket.sendmsg([data], ancillary, 0, (str(destination), 0, 0, self._index))

    def close(self) -> None:
        self._socket.close()

    def _prepare(self, name: str) -> None:
        sock = self._socket
        sock.setsockopt(socket.IPPROTO_ICMPV6, _ICMP6_FILTER, _filter(*MessageType))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, name.encode() + b"\0")
        if socket.if_nametoindex(name) != self._index:
            raise OSError(f"{name} is another interface now")
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, HOP_LIMIT)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, HOP_LIMIT)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 0)
        for group in (ALL_NODES, ALL_ROUTERS):
            membership = struct.pack("=16si", group.packed, self._index)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, membership)


def _filter(*passed: MessageType) -> bytes:
    """`struct icmp6_filter`: words of 32 bits in the byte order of this machine, the lowest type in the lowest bit."""
    blocked = (1 << _FILTER_OCTETS * 8) - 1
    for kind in passed:
        blocked &= ~(1 << kind)
    return struct.pack("=8I", *(blocked >> 32 * word & 0xFFFFFFFF for word in range(8)))


def _hop_limit(ancillary: list[tuple[int, int, bytes]]) -> int:
    """0, which no message may have, should the kernel ever not tell."""
    for level, kind, value in ancillary:
        if (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_HOPLIMIT):
            return int(struct.unpack_from("=i", value)[0])
    return 0
