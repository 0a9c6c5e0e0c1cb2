"""Prefixes: the route that stands for an address, and what else it attracts."""

from collections.abc import Iterable
from ipaddress import ip_network

from herald.net.address_range import AddressRange, of_prefix
from herald.net.ip_family import IPAddress, IPPrefix


def aggregate(address: IPAddress, length_v4: int, length_v6: int) -> IPPrefix:
    """The prefix of `length_v4` or `length_v6` bits, by family, that contains `address`."""
    length = length_v4 if address.version == 4 else length_v6
    return ip_network((address.packed, length), strict=False)


def foreign_ranges(prefix: IPPrefix, own: Iterable[AddressRange]) -> tuple[AddressRange, ...]:
    """The parts of `prefix` that none of the ranges `own` covers, ascending: traffic for them is attracted too."""
    whole = of_prefix(prefix)
    covered = sorted(
        (max(int(r.first), int(whole.first)), min(int(r.last), int(whole.last))) for r in own if r.overlaps(whole)
    )
    make = type(whole.first)
    gaps: list[tuple[int, int]] = []
    next_free = int(whole.first)
    for first, last in covered:
        if first > next_free:
            gaps.append((next_free, first - 1))
        next_free = max(next_free, last + 1)
    if next_free <= int(whole.last):
        gaps.append((next_free, int(whole.last)))
    return tuple(AddressRange(make(a), make(b), f"{make(a)}-{make(b)}") for a, b in gaps)
