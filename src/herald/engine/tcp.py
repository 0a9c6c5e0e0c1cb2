"""Dialling a BGP peer: one TCP connection with the socket options that its parameters ask for.

    to an external peer     TTL 1      a router on the way would need ebgpMultiHop
    to any other            TTL 255
    ttlSecurity             TTL 255, and what comes with less is not taken (GTSM, RFC 5082)

Whatever cannot be set as configured fails the attempt. Most of all a password or a key: a session that comes up without
the signature it was given (TCP MD5, or TCP-AO, see `tcp_ao`) is worse than none. Messages are for people and name the
addresses.
"""

import asyncio
import errno
import os
import platform
import socket
import struct

from herald.bgp.diagnosis import NO_TCP_AO, DiagnosedError, Evidence, Obstacle, diagnose, lives_for_one_hop
from herald.bgp.family import Address
from herald.bgp.parameters import MasterKey, PeerParameters
from herald.engine import icmp, tcp_ao

ACKNOWLEDGED_WITHIN_SECONDS = 7
"""How long an OPEN may go unacknowledged: longer than a SYN (see `dialler`), and shorter than an attempt."""
_TCP_MD5SIG = 14
_LONGEST_MD5_KEY = 80
_IP_MINTTL, _IPV6_MINHOPCOUNT = 21, 73
_TTL_SINGLE_HOP, _TTL_MOST = 1, 255
_DSCP_CS6 = 0xC0  # internetwork control (RFC 4271 appendix E)


class DialError(DiagnosedError):
    """The connection did not come up; the text says why.

    `obstacle` is what stood in its way, where something did; `reporter` is who said so, if that came by ICMP.
    """

    obstacle: Obstacle | None = None
    reporter: Address | None = None


async def dial(parameters: PeerParameters) -> socket.socket:
    """A connected, non-blocking socket to the peer. Raises `DialError`. Cancelled, it leaves nothing open.

    It does not give up by itself before the kernel does; the session has a deadline of its own.
    """
    peer = parameters.peer_address
    if peer is None:
        raise DialError(f"{parameters.interface}: no neighbour is known there")
    family = socket.AF_INET if peer.version == 4 else socket.AF_INET6
    sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        prepare(sock, parameters)
        if parameters.password is not None:
            set_md5_key(sock, peer, parameters.password.reveal())
        if parameters.tcp_ao is not None:
            set_ao_key(sock, peer, parameters.tcp_ao)
        if parameters.source_address is not None:
            _bind(sock, parameters.source_address, parameters)
        await _connect(sock, peer, parameters)
    except BaseException:
        sock.close()
        raise
    return sock


def prepare(sock: socket.socket, parameters: PeerParameters) -> None:
    """Set what is the same for both ends of a connection. Raises `DialError`."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # The session sets its own once it is up.
    patience = min(parameters.hold_time or ACKNOWLEDGED_WITHIN_SECONDS, ACKNOWLEDGED_WITHIN_SECONDS)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, patience * 1000)
    ttl = _TTL_SINGLE_HOP if lives_for_one_hop(parameters) else _TTL_MOST
    if sock.family == socket.AF_INET:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, _DSCP_CS6)
    else:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, ttl)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, _DSCP_CS6)
    if parameters.ttl_security:
        _refuse_distant_packets(sock)
    if parameters.vrf is not None:
        _bind_to_device(sock, parameters.vrf)


def _refuse_distant_packets(sock: socket.socket) -> None:
    """The kernel drops what a router has passed on, the answer to our SYN included."""
    try:
        if sock.family == socket.AF_INET:
            sock.setsockopt(socket.IPPROTO_IP, _IP_MINTTL, _TTL_MOST)
        else:
            sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_MINHOPCOUNT, _TTL_MOST)
    except OSError as error:
        raise DialError(f"this kernel cannot do ttlSecurity: {_words(error)}; not connecting without it") from error


def _bind_to_device(sock: socket.socket, device: str) -> None:
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode() + b"\0")
    except OSError as error:
        if error.errno == errno.ENODEV:
            raise DialError(f"VRF {device}: this node has no device of that name") from error
        raise DialError(f"cannot connect within VRF {device}: {_words(error)}") from error


def set_md5_key(sock: socket.socket, peer: Address, secret: str) -> None:
    """TCP_MD5SIG (RFC 2385): a `sockaddr_storage` of the peer, flags, key length, interface, an 80-octet key."""
    key = secret.encode()
    if not 0 < len(key) <= _LONGEST_MD5_KEY:
        raise DialError(f"the password has {len(key)} octets; TCP MD5 takes 1 to {_LONGEST_MD5_KEY}")
    option = tcp_ao.socket_address(peer) + struct.pack("=BBHi80s", 0, 0, len(key), 0, key)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, _TCP_MD5SIG, option)
    except OSError as error:
        raise DialError(
            f"cannot set the TCP MD5 key for {peer}: {_words(error)}; not connecting without the configured password"
        ) from error


def set_ao_key(sock: socket.socket, peer: Address, key: MasterKey, *, alone: bool = True) -> None:
    """Let TCP-AO sign all that goes to the peer, and take nothing else of it. Raises `DialError`.

    A listening socket is not for that peer `alone`: others may come without.
    """
    try:
        sock.setsockopt(socket.IPPROTO_TCP, tcp_ao.ADD_KEY, tcp_ao.add_key(peer, key))
        if alone:
            sock.setsockopt(socket.IPPROTO_TCP, tcp_ao.INFO, tcp_ao.required())
    except ValueError as error:
        raise DialError(str(error)) from None  # the traceback would hold the secret
    except OSError as error:
        if error.errno == errno.ENOPROTOOPT:
            what = f"this kernel ({platform.release()}) has no TCP-AO; not connecting without it"
            raise DialError(what, NO_TCP_AO) from error
        raise DialError(
            f"cannot set the TCP-AO key for {peer}: {_words(error)}; not connecting without the configured key"
        ) from error


def _bind(sock: socket.socket, source: Address, parameters: PeerParameters) -> None:
    try:
        sock.bind(_sockaddr(source, 0, parameters))
    except OSError as error:
        if error.errno == errno.EADDRNOTAVAIL:
            raise DialError(f"source address {source} is not an address of this host") from error
        raise DialError(f"cannot use source address {source}: {_words(error)}") from error


async def _connect(sock: socket.socket, peer: Address, parameters: PeerParameters) -> None:
    target = _sockaddr(peer, parameters.peer_port, parameters)
    icmp.ask(sock)
    try:
        await asyncio.get_running_loop().sock_connect(sock, target)
    except OSError as error:
        raise _refusal(error, icmp.told(sock), parameters) from error
    icmp.ask_no_more(sock)


def _sockaddr(address: Address, port: int, parameters: PeerParameters) -> tuple[str, int] | tuple[str, int, int, int]:
    """The address as the socket takes it; a link-local one needs the interface."""
    if address.version == 4:
        return str(address), port
    needs_scope = address.is_link_local and parameters.interface is not None
    return str(address), port, 0, _index(parameters.interface or "") if needs_scope else 0


def _index(interface: str) -> int:
    try:
        return socket.if_nametoindex(interface)
    except OSError as error:
        raise DialError(f"interface {interface}: this node has no such interface") from error


def _refusal(error: OSError, told: icmp.Told | None, parameters: PeerParameters) -> DialError:
    """Why the connection did not come up, in words."""
    obstacle = told.obstacle if told is not None and told.obstacle else _OBSTACLES.get(error.errno or 0)
    reporter = told.reporter if told is not None else None
    finding = diagnose(obstacle, parameters, Evidence(reporter)) if obstacle is not None else None
    refusal = DialError(_reason(error, told, parameters), finding)
    refusal.obstacle, refusal.reporter = obstacle, reporter
    return refusal


_OBSTACLES = {
    errno.ECONNREFUSED: Obstacle.REFUSED,
    errno.EHOSTUNREACH: Obstacle.NO_HOST,
    errno.ENETUNREACH: Obstacle.NO_ROUTE,
    errno.ETIMEDOUT: Obstacle.SILENCE,
}


def _reason(error: OSError, told: icmp.Told | None, parameters: PeerParameters) -> str:
    match error.errno:
        case errno.ECONNREFUSED if told is None:
            return f"connection refused by {parameters.remote}"
        case _ if told is not None and told.obstacle is Obstacle.NO_HOST:
            return f"no route to host {parameters.peer_address}, says {told.reporter}"
        case _ if told is not None:
            return f"{told.words} on the way to {parameters.remote}"
        case errno.EHOSTUNREACH | errno.ENETUNREACH:
            return f"no route to host {parameters.peer_address}"
        case errno.ETIMEDOUT:
            return f"timed out: no answer from {parameters.remote}"
        case errno.EADDRNOTAVAIL:
            return f"no local address to reach {parameters.peer_address} from"
        case _:
            return f"cannot connect to {parameters.remote}: {_words(error)}"


def _words(error: OSError) -> str:
    """The kernel's words; asyncio puts its own in their place."""
    return (os.strerror(error.errno) if error.errno else str(error)).lower()
