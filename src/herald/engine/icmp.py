"""What routers on the way say about an attempt to connect: the error queue of a socket (IP_RECVERR, ip(7)).

    sock_extended_err   errno 4 | origin 1 | type 1 | code 1 | pad 1 | info 4 | data 4     (byte order of this machine)
    then                the sockaddr of who said it: family 2 | port 2 | address, IPv6 with 4 of flow before it

The kernel turns a dozen ICMP messages into three error numbers; the queue keeps what was said. RFC 792 and 1812, RFC
4443. And ping: an echo request, to learn whether a silent peer is there at all.
"""

import asyncio
import os
import socket
import struct
from dataclasses import dataclass
from ipaddress import ip_address

from herald.bgp.diagnosis import Obstacle
from herald.bgp.family import Address

_IP_RECVERR, _IPV6_RECVERR = 11, 25
_ERROR = struct.Struct("=IBBBxII")
_BY_ICMP, _BY_ICMPV6 = 2, 3
_TIME_EXCEEDED, _UNREACHABLE = {_BY_ICMP: 11, _BY_ICMPV6: 3}, {_BY_ICMP: 3, _BY_ICMPV6: 1}
# The codes by which a firewall turns packets away: administratively prohibited, and the port, for of a TCP port that is
# closed a machine itself would say so by a reset.
_REJECTING = {_BY_ICMP: {2, 3, 9, 10, 13}, _BY_ICMPV6: {1, 4, 5, 6}}
_ECHO_REQUEST = {4: (8, 0), 6: (128, 129)}


@dataclass(frozen=True, slots=True)
class Told:
    """An ICMP message about our packet. `obstacle` is None where the error number says it all."""

    words: str
    reporter: Address
    obstacle: Obstacle | None


def ask(sock: socket.socket) -> None:
    """Have the kernel keep what is said from now on."""
    _set(sock, 1)


def ask_no_more(sock: socket.socket) -> None:
    """Once connected, such messages are no reason to give up, and would keep the socket readable."""
    _set(sock, 0)


def _set(sock: socket.socket, value: int) -> None:
    if sock.family == socket.AF_INET:
        sock.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, value)
    else:
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, value)


def told(sock: socket.socket) -> Told | None:
    """What was said, or None if nobody said anything."""
    try:
        _, messages, _, _ = sock.recvmsg(512, 512, socket.MSG_ERRQUEUE)
    except OSError:  # the queue is empty
        return None
    found = (decode(data) for level, kind, data in messages if (level, kind) in _QUEUES)
    return next((one for one in found if one is not None), None)


_QUEUES = {(socket.IPPROTO_IP, _IP_RECVERR), (socket.IPPROTO_IPV6, _IPV6_RECVERR)}


def decode(data: bytes) -> Told | None:
    """A message of the queue; None for what did not come by ICMP, and for what is cut off."""
    if len(data) < _ERROR.size:
        return None
    _, origin, kind, code, _, _ = _ERROR.unpack_from(data)
    reporter = _reporter(data[_ERROR.size :])
    if origin not in _REJECTING or reporter is None:
        return None
    if kind == _TIME_EXCEEDED[origin]:
        return Told(f"TTL expired at {reporter}", reporter, Obstacle.TTL_EXPIRED)
    if kind != _UNREACHABLE[origin]:
        return Told(f"ICMP type {kind} code {code} from {reporter}", reporter, None)
    if code in _REJECTING[origin]:
        return Told(f"rejected by {reporter}", reporter, Obstacle.REJECTED)
    return Told(f"no host found by {reporter}", reporter, Obstacle.NO_HOST)


def _reporter(data: bytes) -> Address | None:
    if len(data) < 8:
        return None
    (family,) = struct.unpack_from("=H", data)
    packed = data[4:8] if family == socket.AF_INET else data[8:24]
    return ip_address(packed) if len(packed) in (4, 16) else None


async def answers_ping(peer: Address, source: Address | None, scope: int, patience: float) -> bool | None:
    """Whether it answers an echo request within so many seconds; None where this process may not ask."""
    family, protocol = (
        (socket.AF_INET, socket.IPPROTO_ICMP) if peer.version == 4 else (socket.AF_INET6, socket.IPPROTO_ICMPV6)
    )
    try:
        sock = socket.socket(family, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, protocol)
    except PermissionError:
        return None
    with sock:
        place = (0, scope) if peer.version == 6 else ()
        try:
            if source is not None:
                sock.bind((str(source), 0, *place))
            sock.connect((str(peer), 0, *place))
            return await _exchange(sock, peer.version, patience)
        except OSError:  # no way there: then it does not answer
            return False


async def _exchange(sock: socket.socket, version: int, patience: float) -> bool:
    request, reply = _ECHO_REQUEST[version]
    identity = os.urandom(4)
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(sock, echo(request, identity))
    try:
        async with asyncio.timeout(patience):
            while True:
                data = await loop.sock_recv(sock, 2048)
                answer = data[(data[0] & 0x0F) * 4 :] if version == 4 else data
                if answer[:1] == bytes((reply,)) and answer[4:8] == identity:
                    return True
    except TimeoutError:
        return False


def echo(kind: int, identity: bytes) -> bytes:
    """Type 1, code 1, checksum 2, identifier and sequence 4. The kernel computes that of ICMPv6 itself."""
    total = sum(struct.unpack("!4H", bytes((kind, 0, 0, 0)) + identity))
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!BBH", kind, 0, ~total & 0xFFFF) + identity
