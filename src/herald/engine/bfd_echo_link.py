"""The packet socket by which BFD's own echoes leave and come back.

Our echoes have our own address at both ends, so no routing table would send them anywhere: a packet socket hands them
to the link-layer address of the peer, and reads them before the kernel throws them away for coming from ourselves.

    IPv4 header, 20 octets | or IPv6 header, 40 octets
    UDP header, 8 octets: source port, 3785, length, checksum
    16 octets, see `herald.bfd.echo`
"""

import socket
import struct
from collections.abc import Callable
from ipaddress import IPv4Address
from typing import Final

from herald.bfd.network import EchoWay
from herald.bfd.path import ECHO_PORT, HIGHEST_TTL, SOURCE_PORTS, Address
from herald.engine import neighbor
from herald.engine.arrival import SO_TIMESTAMPNS, Arrival
from herald.engine.packet_socket import Program, attach_filter

_SOL_PACKET: Final = 263
_PACKET_IGNORE_OUTGOING: Final = 23
_ETH_P_IP: Final = 0x0800
_ETH_P_IPV6: Final = 0x86DD
_DSCP_CS6: Final = 0xC0
_ANCILLARY_OCTETS: Final = 256
_PACKET_OCTETS: Final = 512
_UDP: Final = 17
_ECHO_SOURCE_PORT: Final = SOURCE_PORTS[0]

_LOAD_BYTE, _LOAD_HALF, _LOAD_HALF_AT_X, _LOAD_X_HEADER = 0x30, 0x28, 0x48, 0xB1
_JUMP_EQUAL, _RETURN = 0x15, 0x06

_ECHOES: Final[dict[int, Program]] = {
    4: (
        (_LOAD_BYTE, 0, 0, 9),
        (_JUMP_EQUAL, 0, 5, _UDP),
        (_LOAD_HALF, 0, 0, 6),
        (0x45, 3, 0, 0x1FFF),  # BPF_JSET: a fragment
        (_LOAD_X_HEADER, 0, 0, 0),
        (_LOAD_HALF_AT_X, 0, 0, 2),
        (_JUMP_EQUAL, 1, 0, ECHO_PORT),
        (_RETURN, 0, 0, 0),
        (_RETURN, 0, 0, 0xFFFF),
    ),
    6: (
        (_LOAD_BYTE, 0, 0, 6),
        (_JUMP_EQUAL, 0, 2, _UDP),
        (_LOAD_HALF, 0, 0, 42),
        (_JUMP_EQUAL, 1, 0, ECHO_PORT),
        (_RETURN, 0, 0, 0),
        (_RETURN, 0, 0, 0xFFFF),
    ),
}


class PacketEchoLink:
    """A packet socket that sends and reads our own echoes on one interface."""

    def __init__(self, interface_index: int, version: int, clock: Callable[[], float]) -> None:
        self._version = version
        self._arrival = Arrival(clock)
        self._ethertype = _ETH_P_IP if version == 4 else _ETH_P_IPV6
        self._name = socket.if_indextoname(interface_index)
        self._neighbors = neighbor.Cache(clock)
        kind = socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
        self._socket = socket.socket(socket.AF_PACKET, kind, 0)
        try:
            attach_filter(self._socket, _ECHOES[version])
            self._socket.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
            self._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            self._socket.bind((self._name, self._ethertype))
        except OSError:
            self._socket.close()
            raise

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def send(self, way: EchoWay, data: bytes) -> None:
        """Raises OSError, also while the kernel does not know the peer's link-layer address."""
        mac = self._neighbors.mac(way.interface_index, way.peer)
        packet = echo_packet(way.local, data)
        self._socket.sendto(packet, (self._name, self._ethertype, 0, 0, mac))

    def receive(self) -> tuple[bytes, float] | None:
        """The content of an echo and when it came."""
        try:
            packet, ancillary, _, _ = self._socket.recvmsg(_PACKET_OCTETS, _ANCILLARY_OCTETS)
        except (BlockingIOError, InterruptedError):
            self._arrival.emptied()
            return None
        stamp = next((value for level, kind, value in ancillary if (level, kind) == (socket.SOL_SOCKET, 35)), None)
        header = (packet[0] & 0xF) * 4 if self._version == 4 else 40
        return packet[header + 8 :], self._arrival.at(stamp)


def echo_packet(own: Address, data: bytes) -> bytes:
    """The IP packet of an echo, from `own` to `own`."""
    length = 8 + len(data)
    udp = struct.pack("!HHHH", _ECHO_SOURCE_PORT, ECHO_PORT, length, 0)
    if isinstance(own, IPv4Address):
        pseudo = own.packed * 2 + struct.pack("!BBH", 0, _UDP, length)
        # version and header length, DSCP, total length, identification, DF, TTL, protocol, checksum
        head = struct.pack("!BBHHHBBH", 0x45, _DSCP_CS6, 20 + length, 0, 0x4000, HIGHEST_TTL, _UDP, 0) + own.packed * 2
        head = head[:10] + _checksum(head).to_bytes(2, "big") + head[12:]
    else:
        pseudo = own.packed * 2 + struct.pack("!II", length, _UDP)
        head = struct.pack("!IHBB", 6 << 28 | _DSCP_CS6 << 20, length, _UDP, HIGHEST_TTL) + own.packed * 2
    checksum = _checksum(pseudo + udp + data) or 0xFFFF
    return head + udp[:6] + checksum.to_bytes(2, "big") + data


def _checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071) of an even or odd number of octets."""
    padded = data + bytes(len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
