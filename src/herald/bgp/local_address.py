"""Which of this host's addresses a session speaks for: next hops of the other family, and the router ID.

The kernel lists its addresses by rtnetlink (rtnetlink(7), RTM_GETADDR), and the devices of a VRF (RTM_GETLINK); this
module writes the questions, reads the answers, and chooses. The shell does the asking.

    nlmsghdr    length 4 | type 2 | flags 2 | sequence 4 | port 4          (host byte order)
    ifaddrmsg   family 1 | prefix length 1 | flags 1 | scope 1 | interface index 4
    ifinfomsg   family 1 | 0 1 | type 2 | interface index 4 | flags 4 | change 4
    rtattr      length 2 | type 2 | value, padded to 4 octets
"""

import errno
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TypeVar

from herald.bgp.family import Address, Prefix

_AddressT = TypeVar("_AddressT", IPv4Address, IPv6Address)

_RTM_NEWLINK, _RTM_GETLINK, _RTM_NEWADDR, _RTM_GETADDR, _NLMSG_DONE, _NLMSG_ERROR = 16, 18, 20, 22, 3, 2
_NLM_F_REQUEST_DUMP = 0x301
_HEADER_OCTETS, _INDEX_AT = 16, 20
_IFA_ADDRESS, _IFA_LOCAL, _IFA_FLAGS = 1, 2, 8
_IFINFO_OCTETS, _IFLA_MASTER = 16, 10
_SCOPE_UNIVERSE = 0
_TEMPORARY, _UNUSABLE = 0x01, 0x08 | 0x20 | 0x40  # unusable: failed DAD, deprecated, tentative

# All families (0), all interfaces.
ADDRESS_DUMP_REQUEST = struct.pack("=IHHII8x", 24, _RTM_GETADDR, _NLM_F_REQUEST_DUMP, 1, 0)


def members_request(device: int) -> bytes:
    """The question for the interfaces that belong to the VRF (or bridge) of that index."""
    return struct.pack("=IHHII16xHHI", 40, _RTM_GETLINK, _NLM_F_REQUEST_DUMP, 1, 0, 8, _IFLA_MASTER, device)


@dataclass(frozen=True, slots=True)
class HostAddress:
    """An address on an interface of this host, and the subnet that is reached there by it."""

    address: Address
    interface_index: int
    scope: int = _SCOPE_UNIVERSE
    flags: int = 0
    subnet: Prefix | None = None


@dataclass(frozen=True, slots=True)
class LocalAddresses:
    """The addresses of the interface that a connection leaves by: one global per family where there is one, and a
    link-local one. `subnets` are reached there without a router.
    """

    ipv4: IPv4Address | None
    ipv6: IPv6Address | None
    link_local: IPv6Address | None = None
    subnets: tuple[Prefix, ...] = ()

    def on_link(self, peer: Address) -> bool:
        """Whether `peer` is in one of the subnets, or link-local, which cannot be anywhere else."""
        return peer.is_link_local or any(peer.version == net.version and peer in net for net in self.subnets)


class Listing:
    """The answer of the kernel, taken in datagram by datagram, each address or link as it came.

    A node with kube-proxy in IPVS mode has 10,000 addresses, of which a session wants to know a few: those on the
    interface that has its own end. Only these are read.
    """

    def __init__(self) -> None:
        self.complete = False
        self._bodies: dict[int, list[bytes]] = {}  # by index of the interface

    def take(self, data: bytes) -> None:
        """Take in one datagram. Raises `OSError` if it says that the kernel refuses, or cannot be read."""
        try:
            self._take(data)
        except struct.error as error:
            raise _unreadable() from error

    def _take(self, data: bytes) -> None:
        at = 0
        while at + _HEADER_OCTETS <= len(data):
            length, kind = struct.unpack_from("=IH", data, at)
            if kind == _NLMSG_DONE:
                self.complete = True
                return
            if kind == _NLMSG_ERROR:
                number = -struct.unpack_from("=i", data, at + _HEADER_OCTETS)[0]
                raise OSError(number, "the kernel does not list its addresses")
            if kind in (_RTM_NEWADDR, _RTM_NEWLINK):  # both have the index of the interface at the same place
                (index,) = struct.unpack_from("=I", data, at + _INDEX_AT)
                self._bodies.setdefault(index, []).append(data[at + _HEADER_OCTETS : at + length])
            at += max(length + 3 & ~3, _HEADER_OCTETS)

    def beside(self, local: Address, among: frozenset[int] | None = None) -> list[HostAddress]:
        """The addresses on the interface that has `local`, or none if there is no such interface.

        The same address may be on several: a link-local one on any, and others in VRFs. `among` are the indexes of
        those that are meant; None: all. Raises `OSError` if they cannot be read.
        """
        for index, bodies in self._bodies.items():
            if (among is None or index in among) and any(local.packed in body for body in bodies):
                found = _host_addresses(bodies)
                if any(host.address == local for host in found):
                    return found
        return []

    def members(self, device: int) -> frozenset[int]:
        """The indexes of the links that belong to `device`."""
        return frozenset(
            index
            for index, bodies in self._bodies.items()
            if any((_IFLA_MASTER, struct.pack("=I", device)) in _attributes(body[_IFINFO_OCTETS:]) for body in bodies)
        )


def _unreadable() -> OSError:
    return OSError(errno.EPROTO, "the kernel's list of addresses cannot be read")


def choose(local: Address, addresses: Sequence[HostAddress]) -> LocalAddresses:
    """`local` itself, and of the other family the best address on the interface that owns it.

    Only addresses of global scope that are in use count; a stable one is preferred to a temporary one, then the
    kernel's order.
    """
    index = next((host.interface_index for host in addresses if host.address == local), None)
    in_use = [host for host in addresses if host.interface_index == index and not host.flags & _UNUSABLE]
    usable = sorted(
        (host for host in in_use if host.scope == _SCOPE_UNIVERSE),
        key=lambda host: host.address.version == 6 and bool(host.flags & _TEMPORARY),
    )
    global_ipv6 = isinstance(local, IPv6Address) and not local.is_link_local
    return LocalAddresses(
        local if isinstance(local, IPv4Address) else next(_of(usable, IPv4Address), None),
        local if isinstance(local, IPv6Address) and global_ipv6 else next(_of(usable, IPv6Address), None),
        next((one for one in _of(in_use, IPv6Address) if one.is_link_local), None),
        tuple(host.subnet for host in in_use if host.subnet is not None),
    )


def router_id(configured: IPv4Address | None, local: LocalAddresses, host_name: str) -> IPv4Address:
    """The configured one; else the IPv4 address of the session's interface; else one made from the name of the host.

    The last is the CRC-32 of the name, written least significant octet first, as MetalLB does: the same host keeps it.
    """
    if configured is not None:
        return configured
    return local.ipv4 or IPv4Address(zlib.crc32(host_name.encode()).to_bytes(4, "little"))


def _of(hosts: Sequence[HostAddress], kind: type[_AddressT]) -> Iterator[_AddressT]:
    return (host.address for host in hosts if isinstance(host.address, kind))


def _host_addresses(bodies: Sequence[bytes]) -> list[HostAddress]:
    try:
        return [_host_address(body) for body in bodies]
    except (struct.error, KeyError, ValueError) as error:
        raise _unreadable() from error


def _host_address(body: bytes) -> HostAddress:
    """One RTM_NEWADDR. IFA_LOCAL is our own end where IFA_ADDRESS is the other one of a point-to-point link."""
    _, length, flags, scope, index = struct.unpack_from("=BBBBI", body)
    attributes = dict(_attributes(body[8:]))
    packed = attributes.get(_IFA_LOCAL) or attributes[_IFA_ADDRESS]
    if _IFA_FLAGS in attributes:
        flags = struct.unpack("=I", attributes[_IFA_FLAGS])[0]
    subnet = ip_network((attributes.get(_IFA_ADDRESS, packed), length), strict=False)
    return HostAddress(ip_address(packed), index, scope, flags, subnet)


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, at)
        if length < 4:
            return
        yield kind, data[at + 4 : at + length]
        at += length + 3 & ~3
