"""The part of rtnetlink that Herald reads: links and addresses (rtnetlink(7)), and the table they add up to.

    +---------------+-------+-------+---------------+---------------+    all in the byte order of this machine
    | length        | type  | flags | sequence      | port          |    nlmsghdr, 16 octets
    +-------+-------+-------+-------+---------------+---------------+
    | family, …     | index                                         |    ifinfomsg, 16 octets / ifaddrmsg, 8 octets
    +---------------+-----------------------------------------------+
    | length | type | value, padded to a multiple of 4 …            |    attributes
    +---------------------------------------------------------------+

Everything is checked against the length around it: what does not fit is a `NetlinkError`, never a read beyond the end.
Nothing here opens a socket; that is `herald.engine.netlink`.
"""

import enum
import struct
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from ipaddress import IPv4Interface, IPv6Address, IPv6Interface
from typing import Final

from herald.net.interface import Interface, LinkFlag, Mac

RTM_NEWLINK: Final = 16
RTM_DELLINK: Final = 17
RTM_GETLINK: Final = 18
RTM_NEWADDR: Final = 20
RTM_DELADDR: Final = 21
RTM_GETADDR: Final = 22
NLMSG_ERROR: Final = 2
NLMSG_DONE: Final = 3
NLM_F_REQUEST: Final = 1
NLM_F_DUMP: Final = 0x300
NLM_F_DUMP_INTR: Final = 0x10

_AF_UNSPEC: Final = 0
_AF_INET: Final = 2
_AF_INET6: Final = 10
_IFLA_ADDRESS: Final = 1
_IFLA_IFNAME: Final = 3
_IFLA_MASTER: Final = 10
_IFLA_EXT_MASK: Final = 29
_SKIP_STATISTICS: Final = 8
_IFA_ADDRESS: Final = 1
_IFA_LOCAL: Final = 2
_IFA_F_UNREADY: Final = 0x40 | 0x08  # tentative, duplicate
_TYPE_MASK: Final = 0x3FFF  # the two upper bits mark nesting and byte order

_HEADER: Final = struct.Struct("=IHHII")
_IFINFO: Final = struct.Struct("=BxHiII")
_IFADDR: Final = struct.Struct("=BBBBI")
_ATTRIBUTE: Final = struct.Struct("=HH")
_KNOWN_FLAGS: Final = sum(LinkFlag)

IPInterface = IPv4Interface | IPv6Interface


class NetlinkError(ValueError):
    """Octets that are no rtnetlink message; the text says where they break."""


class Change(enum.Enum):
    """Whether a message says that a thing is there or that it is gone."""

    PRESENT = "present"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class LinkMessage:
    """`interface` (without its addresses) is there now or gone."""

    change: Change
    interface: Interface


@dataclass(frozen=True, slots=True)
class AddressMessage:
    """An address of the interface of that index is there now or gone; `octets` are 4 or 16, in network order.

    `ready`: neither looked for in duplicate nor found so.
    """

    change: Change
    index: int
    octets: bytes
    prefix_length: int
    ready: bool = True


@dataclass(frozen=True, slots=True)
class DumpEnd:
    """The dump that was asked for is over; `errno` is not 0 if the kernel refused or broke it off."""

    errno: int


Content = LinkMessage | AddressMessage | DumpEnd | None


@dataclass(frozen=True, slots=True)
class Message:
    """One message; `content` is None for what is not read here.

    `port` and `sequence` are those of the request that caused it. That need not be ours: an event carries those of
    whoever changed the thing. `inconsistent`: something changed while the dump was made, which must be asked for again.
    """

    port: int
    sequence: int
    inconsistent: bool
    content: Content


def request(message_type: int, sequence: int) -> bytes:
    """The octets that ask for a dump of all links (RTM_GETLINK) or addresses (RTM_GETADDR)."""
    if message_type == RTM_GETLINK:
        body = (
            _IFINFO.pack(_AF_UNSPEC, 0, 0, 0, 0)
            + _ATTRIBUTE.pack(8, _IFLA_EXT_MASK)
            + struct.pack("=I", _SKIP_STATISTICS)
        )
    else:
        body = _IFADDR.pack(_AF_UNSPEC, 0, 0, 0, 0)
    return _HEADER.pack(_HEADER.size + len(body), message_type, NLM_F_REQUEST | NLM_F_DUMP, sequence, 0) + body


def decode(data: bytes) -> Iterator[Message]:
    """The messages in one datagram. Raises `NetlinkError` at the one that is broken, after those before it."""
    offset = 0
    while offset < len(data):
        if len(data) - offset < _HEADER.size:
            raise NetlinkError(f"{len(data) - offset} octets after message at {offset}; a header has {_HEADER.size}")
        length, kind, flags, sequence, port = _HEADER.unpack_from(data, offset)
        if not _HEADER.size <= length <= len(data) - offset:
            raise NetlinkError(f"message at {offset} says {length} octets, {len(data) - offset} are there")
        body = data[offset + _HEADER.size : offset + length]
        yield Message(port, sequence, bool(flags & NLM_F_DUMP_INTR), _content(kind, body))
        offset += _aligned(length)


def _content(kind: int, body: bytes) -> Content:
    match kind:
        case 16 | 17:
            return _link(Change.PRESENT if kind == RTM_NEWLINK else Change.GONE, body)
        case 20 | 21:
            return _address(Change.PRESENT if kind == RTM_NEWADDR else Change.GONE, body)
        case 2 | 3:
            return DumpEnd(-struct.unpack_from("=i", body)[0] if len(body) >= 4 else 0)
        case _:
            return None


def _link(change: Change, body: bytes) -> LinkMessage | None:
    if len(body) < _IFINFO.size:
        raise NetlinkError(f"link message of {len(body)} octets; it has at least {_IFINFO.size}")
    family, _, index, flags, _ = _IFINFO.unpack_from(body)
    if family != _AF_UNSPEC:
        # A bridge tells of its ports in messages of family AF_BRIDGE; RTM_DELLINK there means "left the bridge".
        return None
    found = dict(_attributes(body[_IFINFO.size :]))
    name = found.get(_IFLA_IFNAME, b"").split(b"\0")[0].decode("utf-8", "replace")
    if index <= 0 or not name:
        raise NetlinkError(f"link message with index {index} and name {name!r}")
    mac = found.get(_IFLA_ADDRESS, b"")
    master = found.get(_IFLA_MASTER, b"")
    interface = Interface(
        index,
        name,
        LinkFlag(flags & _KNOWN_FLAGS),
        Mac(mac) if len(mac) == 6 else None,
        struct.unpack("=I", master)[0] if len(master) == 4 else None,
    )
    return LinkMessage(change, interface)


def _address(change: Change, body: bytes) -> AddressMessage | None:
    if len(body) < _IFADDR.size:
        raise NetlinkError(f"address message of {len(body)} octets; it has at least {_IFADDR.size}")
    family, prefix_length, flags, _, index = _IFADDR.unpack_from(body)
    if family not in (_AF_INET, _AF_INET6):
        return None
    found = dict(_attributes(body[_IFADDR.size :]))
    octets = found.get(_IFA_LOCAL) or found.get(_IFA_ADDRESS) or b""  # on point-to-point links IFA_ADDRESS is the peer
    size = 4 if family == _AF_INET else 16
    if len(octets) != size or prefix_length > size * 8:
        raise NetlinkError(f"address of {len(octets)} octets with prefix length {prefix_length} in family {family}")
    return AddressMessage(change, index, octets, prefix_length, not flags & _IFA_F_UNREADY)


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    offset = 0
    while len(data) - offset >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(data, offset)
        if not _ATTRIBUTE.size <= length <= len(data) - offset:
            raise NetlinkError(f"attribute at {offset} says {length} octets, {len(data) - offset} are there")
        yield kind & _TYPE_MASK, data[offset + _ATTRIBUTE.size : offset + length]
        offset += _aligned(length)


def _aligned(length: int) -> int:
    return (length + 3) & ~3


class InterfaceTable:
    """Messages taken in, in the order in which they came, add up to the interfaces there are."""

    def __init__(self) -> None:
        self._links: dict[int, Interface] = {}
        self._addresses: dict[int, _SortedAddresses] = {}
        self._complete: dict[int, Interface] = {}

    def take(self, message: LinkMessage | AddressMessage) -> None:
        """Addresses of an interface that is not (yet) known are kept: the dump of links may come later."""
        match message:
            case LinkMessage(Change.PRESENT, interface):
                self._links[interface.index] = interface
                self._complete.pop(interface.index, None)
            case LinkMessage(Change.GONE, interface):
                for table in (self._links, self._addresses, self._complete):
                    table.pop(interface.index, None)
            case AddressMessage(change, index, octets, prefix_length, ready):
                addresses = self._addresses.setdefault(index, _SortedAddresses())
                take = addresses.add if change is Change.PRESENT else addresses.discard
                take(octets, prefix_length)
                addresses.note_readiness(octets, ready or change is Change.GONE)
                self._complete.pop(index, None)

    def interfaces(self) -> tuple[Interface, ...]:
        """All of them with their addresses, by index."""
        for index in self._links.keys() - self._complete.keys():
            addresses = self._addresses.get(index)
            link = self._links[index]
            if addresses is not None:
                link = replace(link, addresses=tuple(addresses.values), unready=frozenset(addresses.unready))
            self._complete[index] = link
        return tuple(self._complete[index] for index in sorted(self._links))


class _SortedAddresses:
    """The addresses of one interface by family and value, kept sorted.

    A device may have 10,000 of them (kube-proxy in IPVS mode) and changes with every Service; sorting them anew each
    time would take tens of milliseconds.
    """

    def __init__(self) -> None:
        self._keys: list[tuple[int, bytes, int]] = []
        self.values: list[IPInterface] = []
        self.unready: set[IPv6Address] = set()

    def add(self, octets: bytes, prefix_length: int) -> None:
        at, found = self._find(octets, prefix_length)
        if not found:
            self._keys.insert(at, (len(octets), octets, prefix_length))
            self.values.insert(at, _ip_interface(octets, prefix_length))

    def discard(self, octets: bytes, prefix_length: int) -> None:
        at, found = self._find(octets, prefix_length)
        if found:
            del self._keys[at], self.values[at]

    def note_readiness(self, octets: bytes, ready: bool) -> None:
        if len(octets) != 16 or (ready and not self.unready):
            return
        address = IPv6Address(octets)
        if ready:
            self.unready.discard(address)
        else:
            self.unready.add(address)

    def _find(self, octets: bytes, prefix_length: int) -> tuple[int, bool]:
        key = (len(octets), octets, prefix_length)
        at = bisect_left(self._keys, key)
        return at, at < len(self._keys) and self._keys[at] == key


@lru_cache(maxsize=1 << 15)
def _ip_interface(octets: bytes, prefix_length: int) -> IPInterface:
    """Cached, so that the same address in the next dump is the same object: comparing these is slow."""
    build = IPv4Interface if len(octets) == 4 else IPv6Interface
    return build((octets, prefix_length))
