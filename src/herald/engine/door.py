"""One listening socket for BGP, and who may come in by it.

Before the socket listens, the kernel is told of each peer what it has to check from the first SYN on: the key that
signs its segments (TCP MD5 or TCP-AO), and with ttlSecurity that no router has passed them on. What cannot be set keeps
that peer out, and the others not. A connection from any other address is accepted by the kernel, which cannot be told
better, and reset at once, before an octet of it is read.

A key or filter that comes, changes or goes makes the socket a new one: whoever waits in its queue was checked by the
old ones, or by none. So does another device of the VRF's name: the old socket is bound to one that is no more.
"""

import errno
import os
import socket
import struct
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from typing import Final, assert_never

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


class Door:
    """Open for `peers` from the start. Raises OSError where the socket cannot be had, with words for people.

    `refusals`: peers that are kept out, by name, and why.
    """

    def __init__(self, place: Place, peers: tuple[PeerParameters, ...]) -> None:
        self.place = place
        self.refusals: dict[str, str] = {}
        self._keys = _keys_of(peers)
        self._guarded = _guarded(peers)
        self._device = _index(place)
        self._unchecked: dict[Address, str] = {}  # what the kernel cannot check, and why
        self._expected: dict[Caller, PeerParameters] = {}
        self._socket = _bound(*place)
        try:
            self._have_checked()
            self._socket.listen(BACKLOG)
        except OSError as error:
            self._socket.close()
            raise OSError(error.errno, _words(error, *place)) from error
        self.admit(peers)

    def fileno(self) -> int:
        return self._socket.fileno()

    @property
    def expects(self) -> Mapping[Caller, PeerParameters]:
        """Who may come in, by where it comes from."""
        return self._expected

    def checks(self, peers: tuple[PeerParameters, ...]) -> bool:
        """Whether the kernel has been told what is right for these; if not, they need another door."""
        is_told = (_keys_of(peers), _guarded(peers)) == (self._keys, self._guarded)
        return is_told and _index(self.place) == self._device

    def admit(self, peers: tuple[PeerParameters, ...]) -> None:
        """These, which are checked, may come in from now on, and nobody else."""
        self.refusals, self._expected = {}, {}
        for peer in peers:
            why = self._objection(peer)
            if why is None:
                self._expected[caller_of(peer)] = peer
            else:
                self.refusals[peer.name] = f"cannot take its connections: {why}"

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

    def _objection(self, peer: PeerParameters) -> str | None:
        caller = caller_of(peer)
        if caller in self._expected:
            return f"BGPPeer {self._expected[caller].name} has the same address"
        if _key(peer) != self._keys.get(caller[0]):
            return "another peer with the same address, behind another interface, has another password"
        return self._unchecked.get(caller[0])

    def _have_checked(self) -> None:
        """Tell the kernel all. An answer to a SYN is checked by the filter like the SYN itself."""
        for address, key in self._keys.items():
            try:
                self._set_key(address, key)
            except OSError as error:
                self._unchecked[address] = str(error)
        if not self._guarded:
            return
        try:
            attach_filter(self._socket, filter_of(self._guarded))
        except OSError as error:
            self._unchecked |= dict.fromkeys(self._guarded, f"ttlSecurity cannot be had: {error}")

    def _set_key(self, address: Address, key: Password | MasterKey) -> None:
        match key:
            case Password():
                tcp.set_md5_key(self._socket, address, key.reveal())
            case MasterKey():
                tcp.set_ao_key(self._socket, address, key, alone=False)
            case _ as never:
                assert_never(never)


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


def _key(peer: PeerParameters) -> Password | MasterKey | None:
    return peer.password or peer.tcp_ao


def _keys_of(peers: tuple[PeerParameters, ...]) -> dict[Address, Password | MasterKey]:
    """Of each address that has one the key. Of several peers with the address the first one counts."""
    first = {caller_of(peer)[0]: peer for peer in reversed(peers)}
    return {address: key for address, peer in first.items() if (key := _key(peer)) is not None}


def _guarded(peers: tuple[PeerParameters, ...]) -> frozenset[Address]:
    return frozenset(caller_of(peer)[0] for peer in peers if peer.ttl_security)


def _index(place: Place) -> int | None:
    """Of the device of the VRF, None if there is none."""
    try:
        return None if place[1] is None else socket.if_nametoindex(place[1])
    except OSError:
        return None


def _bound(where: ListenAddress, vrf: str | None) -> socket.socket:
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
