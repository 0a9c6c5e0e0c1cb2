"""The link-layer address of a neighbour, asked of the kernel: RTM_GETNEIGH of rtnetlink(7).

nlmsghdr   length 4 | type 2 | flags 2 | sequence 4 | port 4              (byte order of this machine)
ndmsg      family 1 | pad 3 | interface index 4 | state 2 | flags 1 | type 1
rtattr     length 2 | type 2 | value: NDA_DST 1 is the address, NDA_LLADDR 2 the link-layer address
"""

import errno
import os
import socket
import struct
from collections.abc import Callable
from typing import Final

from herald.bfd.path import Address

FRESH_SECONDS: Final = 1.0
"""How long an answer is used: the peer may be replaced by another machine at any time."""

_RTM_NEWNEIGH: Final = 28
_RTM_GETNEIGH: Final = 30
_NLMSG_ERROR: Final = 2
_NLM_F_REQUEST: Final = 1
_NDA_DST: Final = 1
_NDA_LLADDR: Final = 2
_HEADER: Final = struct.Struct("=IHHII")
_NEIGHBOR: Final = struct.Struct("=B3xiHBB")
_ATTRIBUTE: Final = struct.Struct("=HH")
_BODY_AT: Final = _HEADER.size + _NEIGHBOR.size


class Cache:
    """The answers of the last second."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._known: dict[tuple[int, Address], tuple[bytes, float]] = {}

    def mac(self, interface_index: int, address: Address) -> bytes:
        """The link-layer address. Raises OSError where the kernel knows none."""
        now = self._clock()
        found = self._known.get((interface_index, address))
        if found is None or now - found[1] > FRESH_SECONDS:
            found = self._known[interface_index, address] = lookup(interface_index, address), now
        return found[0]


def lookup(interface_index: int, address: Address) -> bytes:
    """Ask the kernel. Raises OSError: ENOENT for a neighbour that it does not know."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE) as asking:
        asking.send(question(interface_index, address))
        return answer(asking.recv(8192))


def question(interface_index: int, address: Address) -> bytes:
    """The request for one neighbour."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    attribute = _ATTRIBUTE.pack(_ATTRIBUTE.size + len(address.packed), _NDA_DST) + address.packed
    length = _BODY_AT + len(attribute)
    head = _HEADER.pack(length, _RTM_GETNEIGH, _NLM_F_REQUEST, 1, 0)
    return head + _NEIGHBOR.pack(family, interface_index, 0, 0, 0) + attribute


def answer(data: bytes) -> bytes:
    """The link-layer address in what came back. Raises OSError if there is none."""
    if len(data) < _HEADER.size + 4:
        raise OSError(errno.EPROTO, "the kernel gave no answer about a neighbour")
    length, kind, _, _, _ = _HEADER.unpack_from(data)
    if kind == _NLMSG_ERROR:
        number = -struct.unpack_from("=i", data, _HEADER.size)[0]
        raise OSError(number, os.strerror(number))
    at, end = _BODY_AT, min(length, len(data))
    while kind == _RTM_NEWNEIGH and at + _ATTRIBUTE.size <= end:
        size, attribute = _ATTRIBUTE.unpack_from(data, at)
        if attribute == _NDA_LLADDR and size > _ATTRIBUTE.size:
            return data[at + _ATTRIBUTE.size : at + size]
        at += max(size + 3 & ~3, _ATTRIBUTE.size)
    raise OSError(errno.ENOENT, "the link-layer address of the neighbour is not known")
