"""Watches how silent peers dial us: their SYNs to our BGP port, which no socket of ours takes.

Whether such a segment is signed, and with our password, tells a wrong password from a firewall (see `bgp.tcp_md5`). It
is seen by packet sockets with a filter for SYNs without ACK to the port, no fragments, headers of IPv6 without
extensions; they are open only while a peer is silent, since a filter costs every packet of the host a little.
"""

import asyncio
import contextlib
import socket
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from herald.bgp import tcp_md5
from herald.bgp.diagnosis import PeerSyn
from herald.bgp.family import Address
from herald.bgp.parameters import Password
from herald.engine.packet_socket import Program, attach_filter

PATIENCE_SECONDS: Final = 180.0
"""Routers try to connect every two minutes, if nothing else is configured."""
_BGP: Final = 179
_SYN, _SYN_OR_ACK = 0x02, 0x12
_SEEN_OCTETS: Final = 128
_TCP_HEADER_OCTETS: Final = 20
_MOST_UNFILTERED: Final = 100_000  # far more than the buffer holds

_LOAD_BYTE, _LOAD_HALF, _LOAD_BYTE_X, _LOAD_HALF_X = 0x30, 0x28, 0x50, 0x48
_LOAD_X_HEADER, _AND, _EQUAL, _ANY_BIT, _RETURN = 0xB1, 0x54, 0x15, 0x45, 0x06
_PACKET_TYPE, _OUTGOING = 0xFFFFF000 + 4, 4

IPV4_FILTER: Final[Program] = (
    (_LOAD_BYTE, 0, 0, _PACKET_TYPE),
    (_EQUAL, 11, 0, _OUTGOING),
    (_LOAD_BYTE, 0, 0, 9),  # protocol
    (_EQUAL, 0, 9, 6),
    (_LOAD_HALF, 0, 0, 6),  # fragment offset
    (_ANY_BIT, 7, 0, 0x1FFF),
    (_LOAD_X_HEADER, 0, 0, 0),
    (_LOAD_HALF_X, 0, 0, 2),  # destination port
    (_EQUAL, 0, 4, _BGP),
    (_LOAD_BYTE_X, 0, 0, 13),  # flags
    (_AND, 0, 0, _SYN_OR_ACK),
    (_EQUAL, 0, 1, _SYN),
    (_RETURN, 0, 0, _SEEN_OCTETS),
    (_RETURN, 0, 0, 0),
)
IPV6_FILTER: Final[Program] = (
    (_LOAD_BYTE, 0, 0, _PACKET_TYPE),
    (_EQUAL, 8, 0, _OUTGOING),
    (_LOAD_BYTE, 0, 0, 6),  # next header
    (_EQUAL, 0, 6, 6),
    (_LOAD_HALF, 0, 0, 42),
    (_EQUAL, 0, 4, _BGP),
    (_LOAD_BYTE, 0, 0, 53),
    (_AND, 0, 0, _SYN_OR_ACK),
    (_EQUAL, 0, 1, _SYN),
    (_RETURN, 0, 0, _SEEN_OCTETS),
    (_RETURN, 0, 0, 0),
)


class SynWatch:
    """What the silent peers have sent last; their segments in the place of their passwords are all that is kept."""

    def __init__(self) -> None:
        self._sockets: tuple[socket.socket, ...] = ()
        self._until: dict[Address, float] = {}
        self._seen: dict[Address, tuple[bytes, Address]] = {}
        self._closing: asyncio.TimerHandle | None = None

    def begin(self, peer: Address) -> None:
        """Watch it from now on, for `PATIENCE_SECONDS` after the last call. Without CAP_NET_RAW nothing is seen."""
        loop = asyncio.get_running_loop()
        self._until[peer] = loop.time() + PATIENCE_SECONDS
        if not self._sockets:
            self._open(loop)

    def forget(self, peer: Address) -> None:
        """It is silent no more."""
        self._until.pop(peer, None)
        self._seen.pop(peer, None)
        if not self._until:
            self.close()

    def verdict(self, peer: Address, password: Password | None) -> PeerSyn | None:
        """How it dials us; None if it was not seen to."""
        seen = self._seen.get(peer)
        return None if seen is None else tcp_md5.judge(seen[0], peer, seen[1], password)

    def close(self) -> None:
        """Watch nobody."""
        loop = asyncio.get_running_loop()
        for one in self._sockets:
            loop.remove_reader(one)
            one.close()
        self._sockets = ()
        self._until.clear()
        self._seen.clear()
        if self._closing is not None:
            self._closing.cancel()
            self._closing = None

    def _open(self, loop: asyncio.AbstractEventLoop) -> None:
        with contextlib.suppress(PermissionError):
            self._sockets = tuple(_opened(*each) for each in ((0x0800, IPV4_FILTER), (0x86DD, IPV6_FILTER)))
        for one in self._sockets:
            loop.add_reader(one, self._read, one)
        self._closing = loop.call_later(PATIENCE_SECONDS, self._expire)

    def _expire(self) -> None:
        loop = asyncio.get_running_loop()
        for peer in [peer for peer, until in self._until.items() if until <= loop.time()]:
            self._until.pop(peer)
            self._seen.pop(peer, None)
        if self._until:
            self._closing = loop.call_at(min(self._until.values()), self._expire)
        else:
            self.close()

    def _read(self, opened: socket.socket) -> None:
        try:
            packet = opened.recv(_SEEN_OCTETS)
        except OSError:  # nothing there after all, or the interface went
            return
        found = segment_of(packet)
        if found is not None and found[0] in self._until:
            source, destination, segment = found
            self._seen[source] = segment, destination


def segment_of(packet: bytes) -> tuple[Address, Address, bytes] | None:
    """Source, destination and TCP segment of an IP packet that passed its filter; None without a whole TCP header."""
    if len(packet) < 40:
        return None
    source: Address
    destination: Address
    if packet[0] >> 4 == 4:
        source, destination = IPv4Address(packet[12:16]), IPv4Address(packet[16:20])
        segment = packet[(packet[0] & 0x0F) * 4 : int.from_bytes(packet[2:4])]
    else:
        source, destination = IPv6Address(packet[8:24]), IPv6Address(packet[24:40])
        segment = packet[40:]
    return (source, destination, segment) if len(segment) >= _TCP_HEADER_OCTETS else None


def _opened(ethertype: int, program: Program) -> socket.socket:
    """A socket for all interfaces. Python can bind one only to a single interface, so it is open before its filter."""
    kind = socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
    opened = socket.socket(socket.AF_PACKET, kind, socket.htons(ethertype))
    try:
        attach_filter(opened, program)
        with contextlib.suppress(BlockingIOError):
            for _ in range(_MOST_UNFILTERED):
                opened.recv(1)
    except OSError:
        opened.close()
        raise
    return opened
