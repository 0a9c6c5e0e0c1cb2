"""One listening socket for BGP, and who may come in by it.

Before anybody can come in, the kernel is told of each peer what it has to check from the first SYN on: the key that
signs its segments (TCP MD5 or TCP-AO), and with ttlSecurity that no router has passed them on. What cannot be set keeps
that peer out, and the others not. A connection from any other address is accepted by the kernel, which cannot be told
better, and reset at once, before an octet of it is read.

A key or filter that changes or goes makes the socket a new one: whoever waits in its queue was checked by the old one.
"""

import errno
import os
import socket
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final

from herald.bgp.family import Address
from herald.bgp.parameters import MasterKey, Password, PeerParameters
from herald.engine import tcp
from herald.engine.listen_address import ListenAddress
from herald.engine.packet_socket import Program, attach_filter

BACKLOG: Final = 64
"""Connections that the kernel completes before we take them; more than that it holds off."""
_MOST_TTL: Final = 255
_NETWORK_HEADER: Final = 0xFFF00000  # SKF_NET_OFF: what a filter of a TCP socket sees begins after it
_LOAD, _LOAD_OCTET, _IF_EQUAL, _RETURN = 0x20, 0x30, 0x15, 0x06
_ALL, _NOTHING = 0xFFFFFFFF, 0

Place = tuple[ListenAddress, str | None]
"""Where, and in which VRF."""
Caller = tuple[Address, str | None]
"""From which address; of a link-local one, behind which interface too."""


@dataclass(slots=True)
class Door:
    """Open from the start. Raises OSError where the socket cannot be had, with words for people."""

    place: Place
    refusals: dict[str, str] = field(default_factory=dict)
    """Peers that are kept out, by name, and why."""
    _socket: socket.socket = field(init=False)
    _keys: dict[Address, Password | MasterKey] = field(default_factory=dict)
    _guarded: frozenset[Address] = frozenset()
    _expected: dict[Caller, PeerParameters] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._socket = _listen(*self.place)

    def fileno(self) -> int:
        return self._socket.fileno()

    @property
    def expects(self) -> Mapping[Caller, PeerParameters]:
        """Who may come in, by where it comes from."""
        return self._expected

    def must_reopen(self, peers: tuple[PeerParameters, ...]) -> bool:
        """Whether these peers need a new socket, since what was set for one of them is no longer right."""
        wanted = _keys_of(peers)
        is_locked = bool(self._guarded) and _guarded(peers) != self._guarded
        return is_locked or any(wanted.get(address) != key for address, key in self._keys.items())

    def admit(self, peers: tuple[PeerParameters, ...]) -> None:
        """These may come in from now on, and nobody else. Take first whoever waits: it was checked by other rules."""
        self.refusals, self._expected = {}, {}
        for peer in peers:
            try:
                self._admit(peer)
            except OSError as error:
                self.refusals[peer.name] = f"cannot take its connections: {error}"
        self._guard(_guarded(tuple(self._expected.values())))

    def accept(self) -> tuple[socket.socket, Caller, Address] | None:
        """Who waits: a non-blocking connection, where it comes from, and to which of our addresses. None if nobody.

        Raises OSError when there are no file descriptors left.
        """
        while True:
            try:
                sock, name = self._socket.accept()
            except BlockingIOError:
                return None
            except (ConnectionError, InterruptedError):  # it has gone again
                continue
            sock.setblocking(False)
            return sock, _caller(name), ip_address(sock.getsockname()[0].split("%")[0])

    def close(self) -> None:
        """Nobody comes in any more; who waits is reset."""
        self._socket.close()

    def _admit(self, peer: PeerParameters) -> None:
        caller = caller_of(peer)
        key = peer.password or peer.tcp_ao
        if caller in self._expected:
            raise OSError(f"BGPPeer {self._expected[caller].name} has the same address")
        known = self._keys.get(caller[0])
        if key != known and (known is not None or any(caller[0] == other for other, _ in self._expected)):
            raise OSError("another peer with the same address, behind another interface, has another password")
        if peer.password is not None and known is None:
            tcp.set_md5_key(self._socket, caller[0], peer.password.reveal())
        if peer.tcp_ao is not None and known is None:
            tcp.set_ao_key(self._socket, caller[0], peer.tcp_ao, alone=False)
        if key is not None:
            self._keys[caller[0]] = key
        self._expected[caller] = peer

    def _guard(self, addresses: frozenset[Address]) -> None:
        """Take from these only what no router has passed on. An answer to a SYN is checked like the SYN itself."""
        if addresses == self._guarded:
            return
        try:
            attach_filter(self._socket, filter_of(addresses))
        except OSError as error:
            for caller in [caller for caller in self._expected if caller[0] in addresses]:
                peer = self._expected.pop(caller)
                self.refusals[peer.name] = f"cannot take its connections: ttlSecurity cannot be had: {error}"
        else:
            self._guarded = addresses


def caller_of(peer: PeerParameters) -> Caller:
    """Where the peer, whose address is known, comes from."""
    assert peer.peer_address is not None
    return peer.peer_address, peer.interface if peer.peer_address.is_link_local else None


def filter_of(addresses: frozenset[Address]) -> Program:
    """A classic BPF program that drops what comes from these addresses, all of one family, with less than TTL 255."""
    return (*(step for address in sorted(addresses) for step in _steps(address)), (_RETURN, 0, 0, _ALL))


def _steps(address: Address) -> Iterator[tuple[int, int, int, int]]:
    source, ttl = (12, 8) if address.version == 4 else (8, 7)
    words = struct.unpack(f"!{len(address.packed) // 4}I", address.packed)
    for number, word in enumerate(words):
        yield _LOAD, 0, 0, _NETWORK_HEADER + source + 4 * number
        to_the_next = 2 * (len(words) - number - 1) + 4
        yield _IF_EQUAL, 0, to_the_next, word
    yield _LOAD_OCTET, 0, 0, _NETWORK_HEADER + ttl
    yield _IF_EQUAL, 1, 0, _MOST_TTL
    yield _RETURN, 0, 0, _NOTHING
    yield _RETURN, 0, 0, _ALL


def _keys_of(peers: tuple[PeerParameters, ...]) -> dict[Address, Password | MasterKey]:
    keys = ((caller_of(peer)[0], peer.password or peer.tcp_ao) for peer in peers)
    return {address: key for address, key in keys if key is not None}


def _guarded(peers: tuple[PeerParameters, ...]) -> frozenset[Address]:
    return frozenset(caller_of(peer)[0] for peer in peers if peer.ttl_security)


def _listen(where: ListenAddress, vrf: str | None) -> socket.socket:
    is_ipv4 = where.address.version == 4
    family = socket.AF_INET if is_ipv4 else socket.AF_INET6
    sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Our answer to a SYN: a peer with GTSM would not take it with less. What follows is as `tcp.prepare` says.
        if is_ipv4:
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, _MOST_TTL)
        else:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, _MOST_TTL)
        if vrf is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, vrf.encode() + b"\0")
        sock.bind((str(where.address), where.port))
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise OSError(error.errno, _words(error, where, vrf)) from error
    return sock


def _words(error: OSError, where: ListenAddress, vrf: str | None) -> str:
    within = f" within VRF {vrf}" if vrf is not None else ""
    match error.errno:
        case errno.EADDRINUSE:
            why = "another program takes connections there"
        case errno.EADDRNOTAVAIL:
            why = "this node has no such address"
        case errno.ENODEV:
            why = "this node has no device of that name"
        case errno.EACCES:
            why = f"port {where.port} needs the capability CAP_NET_BIND_SERVICE"
        case _:
            why = os.strerror(error.errno or 0).lower()
    return f"cannot listen at {where.text}{within}: {why}"


def _caller(name: tuple[str, int] | tuple[str, int, int, int]) -> Caller:
    address = ip_address(name[0].split("%")[0])
    if len(name) == 2 or not address.is_link_local:
        return address, None
    try:
        return address, socket.if_indextoname(name[3])
    except OSError:  # the interface went away just now
        return address, None
