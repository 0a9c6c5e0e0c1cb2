"""The sockets of BFD: what `herald.bfd.network` asks for, on Linux.

Control packets come in over one UDP socket per IP version, port and VRF. A filter in the kernel lets pass only what has
TTL 255 on the single-hop port: whoever floods it from afar does not fill the queue that the peers' packets wait in.
Each packet brings its TTL, the interface and our address it came to, and the time at which the kernel had it.

Each session sends from a port of its own (RFC 5881 §4), with TTL 255 and DSCP CS6.

Echoes of our own are sent by `herald.engine.bfd_echo_link`.
"""

import errno
import os
import socket
import struct
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import Final

from herald.bfd import path as bfd_path
from herald.bfd.path import ECHO_PORT, HIGHEST_TTL, SOURCE_PORTS, Address, Datagram, Hops, Lane
from herald.engine.arrival import SO_TIMESTAMPNS, Arrival
from herald.engine.bfd_echo_link import PacketEchoLink
from herald.engine.packet_socket import Program, attach_filter

_IP_PKTINFO: Final = 8
_IP_RECVTTL: Final = 12
_IP_TTL: Final = 2
_IPV6_RECVPKTINFO: Final = 49
_IPV6_PKTINFO: Final = 50
_IPV6_RECVHOPLIMIT: Final = 51
_IPV6_HOPLIMIT: Final = 52
_DSCP_CS6: Final = 0xC0
_ANCILLARY_OCTETS: Final = 256
_DATAGRAM_OCTETS: Final = 512
_RECEIVE_QUEUE_OCTETS: Final = 1024 * 1024
_TRIES_OF_PORTS: Final = 64
_FORWARDING: Final = {
    4: Path("/proc/sys/net/ipv4/ip_forward"),
    6: Path("/proc/sys/net/ipv6/conf/all/forwarding"),
}
_NUMBER: Final = struct.Struct("=i")

_LOAD_BYTE, _JUMP_EQUAL, _RETURN = 0x30, 0x15, 0x06
_NETWORK_HEADER: Final = 0xFFF00000  # SKF_NET_OFF


def _only_ttl_255(version: int) -> Program:
    """Passes what still has the highest TTL. The field is octet 8 of an IPv4 header, octet 7 of an IPv6 header."""
    return (
        (_LOAD_BYTE, 0, 0, _NETWORK_HEADER + (8 if version == 4 else 7)),
        (_JUMP_EQUAL, 0, 1, HIGHEST_TTL),
        (_RETURN, 0, 0, 0xFFFF),
        (_RETURN, 0, 0, 0),
    )


class BfdNetwork:
    """Opens the sockets of BFD in this network namespace. `clock` is the monotonic clock of the loop."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock

    def listen(self, lane: Lane) -> "UdpListener":
        """See `herald.bfd.network`. Raises OSError with words for people."""
        return UdpListener(_bound(lane.version, lane.hops.value, lane.vrf, lane.hops is Hops.SINGLE), self._clock)

    def reflect(self, version: int, vrf: str | None) -> "UdpReflector":
        """See `herald.bfd.network`."""
        return UdpReflector(_bound(version, ECHO_PORT, vrf, only_ttl_255=True), self._clock)

    def transmit(self, path: bfd_path.Path) -> "UdpTransmitter":
        """See `herald.bfd.network`."""
        return UdpTransmitter(path)

    def echo_link(self, interface_index: int, version: int) -> "PacketEchoLink":
        """See `herald.bfd.network`."""
        return PacketEchoLink(interface_index, version, self._clock)

    def forwards(self, version: int) -> bool:
        """See `herald.bfd.network`."""
        try:
            return _FORWARDING[version].read_text().strip() == "1"
        except OSError:  # no IPv6 here, or no /proc
            return False

    def interface_index(self, name: str) -> int | None:
        """See `herald.bfd.network`."""
        try:
            return socket.if_nametoindex(name)
        except OSError:
            return None


class UdpListener:
    """A UDP socket that control packets come in by."""

    def __init__(self, opened: socket.socket, clock: Callable[[], float]) -> None:
        self._socket = opened
        self._arrival = Arrival(clock)

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def receive(self) -> Datagram | None:
        """The next datagram, or None."""
        try:
            data, ancillary, _, source = self._socket.recvmsg(_DATAGRAM_OCTETS, _ANCILLARY_OCTETS)
        except (BlockingIOError, InterruptedError):
            self._arrival.emptied()
            return None
        ttl, interface, destination, stamp = 0, 0, None, None
        for level, kind, value in ancillary:
            match level, kind:
                case socket.IPPROTO_IP, 2:
                    ttl = _NUMBER.unpack(value)[0]
                case socket.IPPROTO_IP, 8:
                    interface, _, destination = _PKTINFO4.unpack(value)
                case socket.IPPROTO_IPV6, 52:
                    ttl = _NUMBER.unpack(value)[0]
                case socket.IPPROTO_IPV6, 50:
                    destination, interface = _PKTINFO6.unpack(value)
                case socket.SOL_SOCKET, 35:
                    stamp = value
                case _:
                    pass
        return Datagram(
            data,
            _address(source[0]),
            None if destination is None else ip_address(destination),
            interface,
            ttl,
            self._arrival.at(stamp),
        )


_PKTINFO4: Final = struct.Struct("=i4s4s")
_PKTINFO6: Final = struct.Struct("=16si")


class UdpReflector(UdpListener):
    """A UDP socket on the echo port, which answers. What comes back has lost a hop, so that nobody loops it again."""

    def reflect(self, datagram: Datagram) -> None:
        """Back to the echo port of the sender, from the address that it was sent to. Raises OSError."""
        if datagram.destination is None:
            return
        ttl = HIGHEST_TTL - 1
        host, index = str(datagram.source), datagram.interface_index
        if datagram.source.version == 4:
            hint = _PKTINFO4.pack(index, datagram.destination.packed, bytes(4))
            self._socket.sendmsg(
                [datagram.data],
                [(socket.IPPROTO_IP, _IP_PKTINFO, hint), (socket.IPPROTO_IP, _IP_TTL, _NUMBER.pack(ttl))],
                0,
                (host, ECHO_PORT),
            )
        else:
            hint = _PKTINFO6.pack(datagram.destination.packed, index)
            self._socket.sendmsg(
                [datagram.data],
                [
                    (socket.IPPROTO_IPV6, _IPV6_PKTINFO, hint),
                    (socket.IPPROTO_IPV6, _IPV6_HOPLIMIT, _NUMBER.pack(ttl)),
                ],
                0,
                (host, ECHO_PORT, 0, index if datagram.source.is_link_local else 0),
            )


class UdpTransmitter:
    """A UDP socket that sends the packets of one session. What comes to it is not read."""

    def __init__(self, path: bfd_path.Path) -> None:
        self._to = _sockaddr(path.peer, path.hops.value, path.interface)
        self._socket = _socket(path.version)
        try:
            _set_ttl(self._socket, path.version)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 0)
            device = path.vrf if path.interface is None else path.interface
            if device is not None:
                _bind_to_device(self._socket, device)
            self._bind(path)
        except OSError:
            self._socket.close()
            raise

    def send(self, data: bytes) -> None:
        """Raises OSError."""
        self._socket.sendto(data, self._to)

    def close(self) -> None:
        self._socket.close()

    def _bind(self, path: bfd_path.Path) -> None:
        """To a port that nobody has, drawn at random: a port that follows from another could be guessed."""
        for _ in range(_TRIES_OF_PORTS):
            port = SOURCE_PORTS[int.from_bytes(os.urandom(2), "big") % len(SOURCE_PORTS)]
            try:
                if path.local is None:
                    self._socket.bind(("", port))
                else:
                    self._socket.bind(_sockaddr(path.local, port, path.interface))
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    continue
                if error.errno == errno.EADDRNOTAVAIL:
                    raise OSError(error.errno, f"source address {path.local} is not an address of this host") from error
                raise
            return
        raise OSError(errno.EADDRINUSE, f"no UDP port from {SOURCE_PORTS.start} on is free")


def _socket(version: int) -> socket.socket:
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    opened = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    if version == 6:
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    return opened


def _bound(version: int, port: int, vrf: str | None, only_ttl_255: bool) -> socket.socket:
    opened = _socket(version)
    try:
        if only_ttl_255:
            attach_filter(opened, _only_ttl_255(version))
        level = socket.IPPROTO_IP if version == 4 else socket.IPPROTO_IPV6
        options = (_IP_RECVTTL, _IP_PKTINFO) if version == 4 else (_IPV6_RECVHOPLIMIT, _IPV6_RECVPKTINFO)
        for option in options:
            opened.setsockopt(level, option, 1)
        opened.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_QUEUE_OCTETS)
        if vrf is not None:
            _bind_to_device(opened, vrf)
        opened.bind(("", port))
    except OSError as error:
        opened.close()
        if error.errno == errno.EADDRINUSE:
            raise OSError(
                errno.EADDRINUSE,
                f"UDP port {port} of this host belongs to another program (FRR's bfdd perhaps): only one can speak BFD",
            ) from error
        raise
    return opened


def _set_ttl(opened: socket.socket, version: int) -> None:
    if version == 4:
        opened.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, HIGHEST_TTL)
        opened.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, _DSCP_CS6)
    else:
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, HIGHEST_TTL)
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, _DSCP_CS6)


def _bind_to_device(opened: socket.socket, device: str) -> None:
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode() + b"\0")
    except OSError as error:
        raise OSError(error.errno, f"cannot bind to {device}: {os.strerror(error.errno or 0).lower()}") from error


def _sockaddr(address: Address, port: int, interface: str | None) -> tuple[str, int] | tuple[str, int, int, int]:
    """The address as the socket takes it; a link-local one needs the interface."""
    if isinstance(address, IPv6Address):
        scope = socket.if_nametoindex(interface) if address.is_link_local and interface is not None else 0
        return str(address), port, 0, scope
    return str(address), port


def _address(host: str) -> Address:
    return ip_address(host.partition("%")[0])
