"""The sockets of one link for Neighbor Discovery: a packet socket for the frames, others to be a member of groups.

Two things bring the frames of a group to the packet socket:

* it asks the network card for the group's MAC (`PACKET_ADD_MEMBERSHIP`);
* a UDP socket joins the group (`IPV6_JOIN_GROUP`), so that the kernel tells the switches by MLD, and tells them again
  when they ask. That socket has no port and receives nothing.

The kernel charges each group to the socket that joined it and sets a limit (`net.core.optmem_max`: a few hundred groups
where that is small). When one socket is full another is opened.
"""

import errno
import socket
import struct
from ipaddress import IPv6Address
from typing import Final

from herald.engine.packet_socket import NDP_FILTER, open_filtered
from herald.layer2.ethernet import ETHERTYPE_IPV6
from herald.layer2.link import NdpLink
from herald.layer2.solicited_node import multicast_mac

_SOL_PACKET: Final = 263
_PACKET_ADD_MEMBERSHIP: Final = 1
_PACKET_DROP_MEMBERSHIP: Final = 2
_PACKET_MR_MULTICAST: Final = 0
_FULL: Final = (errno.ENOMEM, errno.ENOBUFS)


class NdpSocket:
    """Reads and writes the frames of Neighbor Discovery on one link, never blocks; at first a member of no group."""

    def __init__(self, link: NdpLink) -> None:
        """Raises OSError: EPERM without CAP_NET_RAW, ENODEV if the name no longer belongs to that interface."""
        self._index = link.index
        self._members: list[socket.socket] = []
        self._joined: dict[IPv6Address, socket.socket] = {}
        self._packets = open_filtered(link, ETHERTYPE_IPV6, NDP_FILTER)

    def fileno(self) -> int:
        """For a selector."""
        return self._packets.fileno()

    def recv(self, size: int, /) -> bytes:
        """The next frame, cut to `size` octets. Raises OSError, BlockingIOError if there is none."""
        return self._packets.recv(size)

    def send(self, data: bytes, /) -> int:
        """Puts a frame on the link. Raises OSError."""
        return self._packets.send(data)

    def join(self, group: IPv6Address) -> None:
        """Be a member of `group`; of one that is joined already, nothing happens. Raises OSError."""
        if group in self._joined:
            return
        member = self._join(group)
        try:
            self._packets.setsockopt(_SOL_PACKET, _PACKET_ADD_MEMBERSHIP, self._packet_membership(group))
        except OSError:
            member.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_LEAVE_GROUP, self._membership(group))
            raise
        self._joined[group] = member

    def leave(self, group: IPv6Address) -> None:
        """Be no member of `group`, joined or not. Raises OSError."""
        member = self._joined.pop(group, None)
        if member is not None:
            self._packets.setsockopt(_SOL_PACKET, _PACKET_DROP_MEMBERSHIP, self._packet_membership(group))
            member.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_LEAVE_GROUP, self._membership(group))

    def close(self) -> None:
        """Leave everything."""
        self._packets.close()
        for member in self._members:
            member.close()

    def _join(self, group: IPv6Address) -> socket.socket:
        """The socket that joined; the newest has room, or else a new one has."""
        for member in self._members[-1:]:
            try:
                member.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, self._membership(group))
                return member
            except OSError as error:
                if error.errno not in _FULL:
                    raise
        member = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            member.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, self._membership(group))
        except OSError:
            member.close()
            raise
        self._members.append(member)
        return member

    def _membership(self, group: IPv6Address) -> bytes:
        return struct.pack("16si", group.packed, self._index)

    def _packet_membership(self, group: IPv6Address) -> bytes:
        mac = multicast_mac(group)
        return struct.pack("iHH8s", self._index, _PACKET_MR_MULTICAST, len(mac), mac)
