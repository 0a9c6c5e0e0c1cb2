"""Address ranges: what one entry of a pool's `addresses` says.

An entry is a CIDR (`10.0.0.0/24`, host bits are masked off) or a range (`10.0.0.5-10.0.0.9`, blanks around the `-`
allowed). Both become an `AddressRange`, which can be counted, searched and walked without ever being listed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network, summarize_address_range

from herald.net.ip_family import IPAddress, IPFamily, IPPrefix, family_of, parse_address

_MAPPED_BITS = 96
"""What `::ffff:0:0/96` puts before an IPv4 address (RFC 4291 §2.5.5.2)."""


class AddressRangeError(ValueError):
    """An entry that is neither a CIDR nor a range. The text says what is wrong and what would be right."""


@dataclass(frozen=True, slots=True)
class AddressRange:
    """All addresses from `first` to `last`, both included, of one family; `text` is the entry as written."""

    first: IPAddress
    last: IPAddress
    text: str

    @property
    def family(self) -> IPFamily:
        return family_of(self.first)

    @property
    def size(self) -> int:
        """How many addresses; up to 2**128, so not `len()`."""
        return int(self.last) - int(self.first) + 1

    def __contains__(self, address: IPAddress) -> bool:
        return address.version == self.first.version and int(self.first) <= int(address) <= int(self.last)

    def overlaps(self, other: "AddressRange") -> bool:
        """Whether the two have an address in common."""
        return (
            self.first.version == other.first.version
            and int(self.first) <= int(other.last)
            and int(other.first) <= int(self.last)
        )

    def prefixes(self) -> tuple[IPPrefix, ...]:
        """The fewest prefixes that cover exactly this range, ascending."""
        return tuple(summarize_address_range(self.first, self.last))

    @property
    def shortest_prefix_length(self) -> int:
        """The length of the widest of `prefixes()`, in bits."""
        return min(prefix.prefixlen for prefix in self.prefixes())

    def walk(self) -> Iterator[IPAddress]:
        """Every address, ascending, one at a time."""
        make = type(self.first)
        for number in range(int(self.first), int(self.last) + 1):
            yield make(number)


def parse(text: str) -> AddressRange:
    """The range that one entry of `addresses` names. Raises AddressRangeError."""
    return _parse_range(text) if "-" in text else _parse_cidr(text)


def of_prefix(prefix: IPPrefix) -> AddressRange:
    """A prefix as a range; network and broadcast address included."""
    return AddressRange(prefix[0], prefix[-1], str(prefix))


def _parse_cidr(text: str) -> AddressRange:
    address, slash, length = text.partition("/")
    if not slash:
        raise AddressRangeError(f"invalid CIDR {text!r}: a prefix length is missing{_host_prefix_hint(text)}")
    # A dotted netmask, a hostmask or blanks would pass the standard library's parser.
    if not (length.isascii() and length.isdigit()):
        raise AddressRangeError(f"invalid CIDR {text!r}: {length!r} is not a prefix length; write e.g. 10.0.0.0/24")
    if "%" in address:
        raise AddressRangeError(f"invalid CIDR {text!r}: a zone identifier has no place in a pool")
    try:
        prefix = ip_network(text, strict=False)
    except ValueError as error:
        raise AddressRangeError(f"invalid CIDR {text!r}: {_cidr_fault(address, length) or error}") from error
    mapped = getattr(prefix.network_address, "ipv4_mapped", None)
    if mapped is not None and prefix.prefixlen >= _MAPPED_BITS:
        plain = f"{mapped}/{prefix.prefixlen - _MAPPED_BITS}"
        raise AddressRangeError(f"invalid CIDR {text!r}: these are IPv4 addresses in IPv6 form; write {plain}")
    return AddressRange(prefix[0], prefix[-1], text)


def _cidr_fault(address: str, length: str) -> str:
    """What is wrong with `address` or with the prefix length, if it can be told."""
    try:
        longest = ip_address(address).max_prefixlen
    except ValueError:
        return _octet_fault(address)
    return f"prefix length {length}; at most {longest}" if int(length[:4]) > longest else ""


def _octet_fault(text: str) -> str:
    """Which parts of four are above 255, the slip that people make most, or nothing."""
    parts = text.split(".")
    if len(parts) != 4 or not all(part.isascii() and part.isdigit() and len(part) <= 4 for part in parts):
        return ""
    return ", ".join(f"{part} is above 255" for part in parts if int(part) > 255)


def _host_prefix_hint(text: str) -> str:
    try:
        address = parse_address(text)
    except ValueError:
        return "; write a CIDR such as 10.0.0.0/24 or a range such as 10.0.0.1-10.0.0.9"
    return f"; for this one address write {address}/{address.max_prefixlen}"


def _parse_range(text: str) -> AddressRange:
    start_text, _, end_text = text.partition("-")
    start, end = _range_end(text, "start", start_text), _range_end(text, "end", end_text)
    if start.version != end.version:
        raise AddressRangeError(f"invalid IP range {text!r}: {start} and {end} are not of the same family")
    if int(start) > int(end):
        raise AddressRangeError(f"invalid IP range {text!r}: start IP {start} is after the end IP {end}; swap the two")
    return AddressRange(start, end, text)


def _range_end(text: str, which: str, end: str) -> IPAddress:
    try:
        return parse_address(end.strip())
    except ValueError as error:
        fault = _octet_fault(end.strip())
        why = f": {fault}" if fault else ""
        raise AddressRangeError(f"invalid IP range {text!r}: invalid {which} IP {end.strip()!r}{why}") from error


def is_buggy(address: IPAddress) -> bool:
    """Whether the last octet is 0 or 255, which some old equipment drops; never for IPv6."""
    return isinstance(address, IPv4Address) and int(address) & 0xFF in (0, 0xFF)


def buggy_count(entry: AddressRange) -> int:
    """How many addresses of the range `is_buggy` says yes to, without walking it."""
    if isinstance(entry.first, IPv6Address):
        return 0
    return _ending_in(entry, 0) + _ending_in(entry, 0xFF)


def _ending_in(entry: AddressRange, octet: int) -> int:
    first, last = int(entry.first), int(entry.last)
    return (last - octet) // 256 - (first - 1 - octet) // 256
