"""Router Solicitation and Router Advertisement, as an ICMPv6 socket gives and takes them: without the IPv6 header.

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +---------------+---------------+-------------------------------+
    |   type 133    |    code 0     |           checksum            |    solicitation, 8 octets (RFC 4861 §4.1)
    +---------------+---------------+-------------------------------+
    |                             zero                              |
    +---------------------------------------------------------------+

    +---------------+---------------+-------------------------------+
    |   type 134    |    code 0     |           checksum            |    advertisement, 16 octets (§4.2)
    +---------------+-+-+-----------+-------------------------------+
    | cur hop limit |M|O|   zero    |   router lifetime, seconds    |
    +---------------+-+-+-----------+-------------------------------+
    |                   reachable time, ms, 0: unsaid               |
    |                   retransmission timer, ms, 0: unsaid         |
    +---------------+---------------+-------------------------------+
    |  option type  |  octets / 8   |  value …                      |    1: the sender's MAC; others are stepped over
    +---------------+---------------+-------------------------------+

`decode` applies every test of §6.1.1 and §6.1.2 but the checksum, which the kernel verifies, and computes where it is
left zero (RFC 3542 §3.1). An advertisement of ours says nothing but that we are here: a lifetime of 0 means that we are
nobody's default router, and no prefix or parameter is announced.
"""

import enum
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Final

from herald.net.interface import Mac

HOP_LIMIT: Final = 255
"""What was sent on this very link still has it; a router on the way would have taken one off."""
ALL_NODES: Final = IPv6Address("ff02::1")
ALL_ROUTERS: Final = IPv6Address("ff02::2")
LONGEST_OCTETS: Final = 1500
"""What a reader takes in of a message; a longer one comes cut short."""

_UNSPECIFIED: Final = IPv6Address("::")
_SOLICITATION: Final = struct.Struct("!BBH4x")
_ADVERTISEMENT: Final = struct.Struct("!BBHBBHII")
_SOURCE_LINK_LAYER_ADDRESS: Final = 1


class RouterDiscoveryError(ValueError):
    """Octets that are no valid solicitation or advertisement of a router; the text says in what."""


class MessageType(enum.IntEnum):
    """ICMPv6 types."""

    ROUTER_SOLICITATION = 133
    ROUTER_ADVERTISEMENT = 134


@dataclass(frozen=True, slots=True)
class RouterSolicitation:
    """Which routers are there? `source_mac` is that of the station that asks, if it says so."""

    source_mac: Mac | None = None


@dataclass(frozen=True, slots=True)
class RouterAdvertisement:
    """A router is here. `lifetime` is how long, in seconds (0 to 65535), it serves as a default router."""

    lifetime: int = 0
    source_mac: Mac | None = None


Message = RouterSolicitation | RouterAdvertisement


def encode(message: Message) -> bytes:
    """The ICMPv6 message with a checksum of zero."""
    match message:
        case RouterSolicitation(mac):
            head = _SOLICITATION.pack(MessageType.ROUTER_SOLICITATION, 0, 0)
        case RouterAdvertisement(lifetime, mac):
            head = _ADVERTISEMENT.pack(MessageType.ROUTER_ADVERTISEMENT, 0, 0, 0, 0, lifetime, 0, 0)
    return head + (b"" if mac is None else bytes((_SOURCE_LINK_LAYER_ADDRESS, 1)) + mac)


def decode(data: bytes, source: IPv6Address, hop_limit: int) -> Message:
    """The message in `data`, which came from `source`. Raises `RouterDiscoveryError`."""
    if hop_limit != HOP_LIMIT:
        raise RouterDiscoveryError(f"hop limit {hop_limit}; what was not sent on this link has less than {HOP_LIMIT}")
    if len(data) < _SOLICITATION.size:
        raise RouterDiscoveryError(f"{len(data)} octets; a message has at least {_SOLICITATION.size}")
    kind, code, _ = _SOLICITATION.unpack_from(data)
    if code != 0:
        raise RouterDiscoveryError(f"code {code}; it must be 0")
    if kind == MessageType.ROUTER_SOLICITATION:
        return _solicitation(data, source)
    if kind == MessageType.ROUTER_ADVERTISEMENT:
        return _advertisement(data, source)
    raise RouterDiscoveryError(f"ICMPv6 type {kind}; 133 asks for routers and 134 tells of one")


def _solicitation(data: bytes, source: IPv6Address) -> RouterSolicitation:
    mac = _source_mac(data, _SOLICITATION.size)
    if source == _UNSPECIFIED and mac is not None:
        raise RouterDiscoveryError("a solicitation from no address that names a MAC")
    return RouterSolicitation(mac)


def _advertisement(data: bytes, source: IPv6Address) -> RouterAdvertisement:
    if len(data) < _ADVERTISEMENT.size:
        raise RouterDiscoveryError(f"{len(data)} octets; an advertisement has at least {_ADVERTISEMENT.size}")
    if not source.is_link_local:
        raise RouterDiscoveryError(f"an advertisement from {source}, which is not link-local")
    lifetime = _ADVERTISEMENT.unpack_from(data)[5]
    return RouterAdvertisement(lifetime, _source_mac(data, _ADVERTISEMENT.size))


def _source_mac(data: bytes, at: int) -> Mac | None:
    """The first one that has six octets: other kinds of links have others, which says nothing against the message."""
    macs = (value for kind, value in _options(data, at) if kind == _SOURCE_LINK_LAYER_ADDRESS and len(value) == 6)
    found = [Mac(value) for value in macs]
    return found[0] if found else None


def _options(data: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    while at < len(data):
        if len(data) - at < 2:
            raise RouterDiscoveryError(f"{len(data) - at} octets after the options; one has at least 8")
        kind, eights = data[at], data[at + 1]
        if eights == 0:
            raise RouterDiscoveryError(f"option {kind} of length 0")
        if len(data) - at < eights * 8:
            raise RouterDiscoveryError(f"option {kind} says {eights * 8} octets, {len(data) - at} are there")
        yield kind, data[at + 2 : at + eights * 8]
        at += eights * 8
