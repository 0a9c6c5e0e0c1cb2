"""Network Layer Reachability Information: lists of prefixes as they stand on the wire (RFC 4271 §4.3, RFC 4760 §5).

    +---------------------------+
    |   Length in bits (1)      |
    +---------------------------+
    |   Prefix (0 to 4 or 16)   |  just enough octets for Length bits; bits beyond them mean nothing
    +---------------------------+

A received list stays in its wire form, checked and counted: Herald counts what it receives and keeps none of it, and
a router may well send a full table.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

from herald.bgp.family import Family, Prefix


class NlriError(ValueError):
    """The field is no list of prefixes: a length beyond the family's, or a prefix cut off."""


def encode(prefix: Prefix) -> bytes:
    """One prefix as length and octets. Prefixes are equal exactly when this is, within a family."""
    length = prefix.prefixlen
    return bytes((length,)) + prefix.network_address.packed[: (length + 7) >> 3]


@dataclass(frozen=True, slots=True)
class PrefixList:
    """A checked NLRI field of one family. `count` is derived from `wire`; make one with `parse` or `of`."""

    family: Family
    wire: bytes
    count: int

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Prefix]:
        wire, at, octets = self.wire, 0, self.family.bits >> 3
        kind = IPv4Network if self.family is Family.IPV4_UNICAST else IPv6Network
        while at < len(wire):
            length = wire[at]
            end = at + 1 + (length + 7 >> 3)
            packed = wire[at + 1 : end].ljust(octets, b"\0")
            yield kind((packed, length), strict=False)
            at = end


# How many octets a prefix takes, by its length; 0 for a length that the family does not have.
_STEPS = {
    family: bytes(1 + (length + 7 >> 3) if length <= family.bits else 0 for length in range(256)) for family in Family
}


def parse(family: Family, wire: bytes) -> PrefixList:
    """Check and count the prefixes of `wire`. Raises `NlriError` where the field is malformed.

    A message of 65,535 octets may have as many prefixes, so each costs as little as it can.
    """
    steps = wire.translate(_STEPS[family])
    at, count, size = 0, 0, len(wire)
    while at < size:
        step = steps[at]
        if not step:
            text = f"a prefix length of {wire[at]} in {family.text} NLRI; at most {family.bits} is possible"
            raise NlriError(text)
        at += step
        count += 1
    if at > size:
        raise NlriError(f"the last {family.text} prefix is cut off by {at - size} octets")
    return PrefixList(family, wire, count)


def of(family: Family, prefixes: Iterable[Prefix]) -> PrefixList:
    """The list of these prefixes."""
    encoded = [encode(prefix) for prefix in prefixes]
    return PrefixList(family, b"".join(encoded), len(encoded))
