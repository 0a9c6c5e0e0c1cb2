"""Capabilities of an OPEN (RFC 5492): what each side can do, and how that stands on the wire.

    +------------+------------+------------------+
    | Code (1)   | Length (1) | Value (variable) |
    +------------+------------+------------------+

A capability that Herald does not know, or whose length is not what its RFC says, is kept raw: it is then simply not
in use between the two (RFC 5492 §5 forbids ending a session for it).
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from herald.bgp.family import Family, family_by_number
from herald.bgp.role import role_text

MULTIPROTOCOL = 1
ROUTE_REFRESH = 2
EXTENDED_NEXT_HOP = 5
EXTENDED_MESSAGE = 6
GRACEFUL_RESTART = 64
FOUR_OCTET_AS = 65
ENHANCED_ROUTE_REFRESH = 70
ROLE = 9
HOST_NAME = 73

_IPV6_AFI = Family.IPV6_UNICAST.afi
_LONGEST_NAME = 64
_NAMES = {
    69: "add-path",
    71: "long-lived-graceful-restart",
    128: "route-refresh-cisco",
}


class CapabilityError(ValueError):
    """The list of capabilities is cut off."""


@dataclass(frozen=True, slots=True)
class Multiprotocol:
    """Routes of one family can be exchanged (RFC 4760 §8)."""

    family: Family

    @property
    def text(self) -> str:
        return f"multiprotocol {self.family.text}"


@dataclass(frozen=True, slots=True)
class RouteRefresh:
    """The sender answers ROUTE-REFRESH (RFC 2918)."""

    text = "route-refresh"


@dataclass(frozen=True, slots=True)
class EnhancedRouteRefresh:
    """The sender marks begin and end of a refresh (RFC 7313)."""

    text = "enhanced-route-refresh"


@dataclass(frozen=True, slots=True)
class ExtendedNextHop:
    """Routes of `families` may have a next hop of IPv6 (RFC 8950 §4): six octets for each, AFI, SAFI, next hop's AFI.

    Entries of families that Herald does not speak, and of another next hop than IPv6, are left out on decoding.
    """

    families: tuple[Family, ...]

    @property
    def text(self) -> str:
        return " ".join(("extended-next-hop", *(family.text for family in self.families)))


@dataclass(frozen=True, slots=True)
class ExtendedMessage:
    """The sender accepts messages of up to 65,535 octets (RFC 8654)."""

    text = "extended-message"


@dataclass(frozen=True, slots=True)
class FourOctetAs:
    """AS numbers have four octets; `asn` is the sender's own (RFC 6793 §3)."""

    asn: int

    @property
    def text(self) -> str:
        return f"four-octet-as {self.asn}"


@dataclass(frozen=True, slots=True)
class RestartFamily:
    """A family whose routes survive a restart; `forwarding` says that they were kept through the last one."""

    family: Family
    forwarding: bool


@dataclass(frozen=True, slots=True)
class GracefulRestart:
    """Routes of `families` are to be kept `restart_time` seconds (0–4095) after the session is lost (RFC 4724 §3).

    `notification` is the N bit of RFC 8538. Families that Herald does not speak are left out on decoding.
    """

    restart_time: int
    families: tuple[RestartFamily, ...] = ()
    restarting: bool = False
    notification: bool = False

    @property
    def text(self) -> str:
        return f"graceful-restart {self.restart_time}s" if self.families else "graceful-restart helper"


@dataclass(frozen=True, slots=True)
class Role:
    """What the sender is to its peer (RFC 9234 §4.1), as a number: a peer may send one that no RFC knows.

    Herald offers one only if it is told to: a wrong word costs the session.
    """

    role: int

    @property
    def text(self) -> str:
        return f"bgp-role {role_text(self.role)}"


@dataclass(frozen=True, slots=True)
class HostName:
    """The sender's name for people (draft-walton-bgp-hostname-capability): length, name, length, domain.

    Names are UTF-8 of at most 64 octets.
    """

    host: str
    domain: str = ""

    @property
    def text(self) -> str:
        name = ".".join(part for part in (self.host, self.domain) if part)
        return f"fqdn {''.join(character if character.isprintable() else '�' for character in name)}"


@dataclass(frozen=True, slots=True)
class UnknownCapability:
    """A capability kept as it came: unknown, of a family not spoken, or of a wrong length."""

    code: int
    value: bytes = b""

    @property
    def text(self) -> str:
        return _NAMES.get(self.code, f"capability-{self.code}")


Capability: TypeAlias = (
    Multiprotocol
    | RouteRefresh
    | EnhancedRouteRefresh
    | ExtendedNextHop
    | ExtendedMessage
    | FourOctetAs
    | GracefulRestart
    | Role
    | HostName
    | UnknownCapability
)


def encode(capability: Capability) -> bytes:
    """Code, length and value."""
    code, value = _code_and_value(capability)
    return bytes((code, len(value))) + value


def decode_all(data: bytes) -> tuple[Capability, ...]:
    """The capabilities of one optional parameter, in order. Raises `CapabilityError`."""
    found: list[Capability] = []
    at = 0
    while at < len(data):
        if len(data) - at < 2 or at + 2 + data[at + 1] > len(data):
            raise CapabilityError(f"capability at octet {at} of {len(data)} is cut off")
        end = at + 2 + data[at + 1]
        found.append(_decode(data[at], data[at + 2 : end]))
        at = end
    return tuple(found)


def _code_and_value(capability: Capability) -> tuple[int, bytes]:
    match capability:
        case Multiprotocol(family):
            return MULTIPROTOCOL, struct.pack("!HBB", family.afi, 0, family.safi)
        case RouteRefresh():
            return ROUTE_REFRESH, b""
        case EnhancedRouteRefresh():
            return ENHANCED_ROUTE_REFRESH, b""
        case ExtendedNextHop(next_hop_families):
            entries = (struct.pack("!HHH", *family.value, _IPV6_AFI) for family in next_hop_families)
            return EXTENDED_NEXT_HOP, b"".join(entries)
        case ExtendedMessage():
            return EXTENDED_MESSAGE, b""
        case FourOctetAs(asn):
            return FOUR_OCTET_AS, struct.pack("!I", asn)
        case GracefulRestart():
            return GRACEFUL_RESTART, _encode_graceful_restart(capability)
        case Role(role):
            return ROLE, bytes((role,))
        case HostName(host, domain):
            return HOST_NAME, _length_and_name(host) + _length_and_name(domain)
        case UnknownCapability(code, value):
            return code, value


def _decode(code: int, value: bytes) -> Capability:
    decoder = _DECODERS.get(code)
    decoded = decoder(value) if decoder is not None else None
    return decoded if decoded is not None else UnknownCapability(code, value)


def _decode_multiprotocol(value: bytes) -> Capability | None:
    if len(value) != 4:
        return None
    afi, _, safi = struct.unpack("!HBB", value)
    family = family_by_number(afi, safi)
    return Multiprotocol(family) if family is not None else None


def _decode_extended_next_hop(value: bytes) -> Capability | None:
    if len(value) % 6:
        return None
    found = {
        family_by_number(afi, safi): None
        for afi, safi, next_hop_afi in struct.iter_unpack("!HHH", value)
        if next_hop_afi == _IPV6_AFI
    }
    return ExtendedNextHop(tuple(family for family in found if family is not None))


def _decode_four_octet_as(value: bytes) -> Capability | None:
    return FourOctetAs(int.from_bytes(value)) if len(value) == 4 else None


def _encode_graceful_restart(capability: GracefulRestart) -> bytes:
    flags = capability.restarting << 15 | capability.notification << 14
    families = (
        struct.pack("!HBB", entry.family.afi, entry.family.safi, entry.forwarding << 7) for entry in capability.families
    )
    return struct.pack("!H", flags | capability.restart_time) + b"".join(families)


def _decode_graceful_restart(value: bytes) -> Capability | None:
    if len(value) < 2 or len(value) % 4 != 2:
        return None
    first = int.from_bytes(value[:2])
    families = []
    for afi, safi, flags in struct.iter_unpack("!HBB", value[2:]):
        family = family_by_number(afi, safi)
        if family is not None:
            families.append(RestartFamily(family, bool(flags & 0x80)))
    return GracefulRestart(first & 0x0FFF, tuple(families), bool(first & 0x8000), bool(first & 0x4000))


def _length_and_name(name: str) -> bytes:
    octets = name.encode("utf-8", "replace")[:_LONGEST_NAME].decode("utf-8", "ignore").encode()
    return bytes((len(octets),)) + octets


def _decode_host_name(value: bytes) -> Capability | None:
    at, names = 0, []
    while at < len(value):
        end = at + 1 + value[at]
        names.append(value[at + 1 : end])
        at = end
    if len(names) != 2 or at != len(value):
        return None
    try:
        return HostName(*(name.decode() for name in names))
    except UnicodeDecodeError:
        return None


def _decode_role(value: bytes) -> Capability | None:
    return Role(value[0]) if len(value) == 1 else None


def _decode_empty(capability: Capability) -> Callable[[bytes], Capability | None]:
    return lambda value: capability if not value else None


_DECODERS: dict[int, Callable[[bytes], Capability | None]] = {
    MULTIPROTOCOL: _decode_multiprotocol,
    ROUTE_REFRESH: _decode_empty(RouteRefresh()),
    EXTENDED_NEXT_HOP: _decode_extended_next_hop,
    EXTENDED_MESSAGE: _decode_empty(ExtendedMessage()),
    GRACEFUL_RESTART: _decode_graceful_restart,
    FOUR_OCTET_AS: _decode_four_octet_as,
    ROLE: _decode_role,
    HOST_NAME: _decode_host_name,
    ENHANCED_ROUTE_REFRESH: _decode_empty(EnhancedRouteRefresh()),
}
