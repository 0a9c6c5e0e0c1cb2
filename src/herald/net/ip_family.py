"""IPv4, IPv6, or both: the family of an address and of a set of addresses."""

from collections.abc import Sequence
from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TypeAlias

IPAddress: TypeAlias = IPv4Address | IPv6Address
IPPrefix: TypeAlias = IPv4Network | IPv6Network


class IPFamily(Enum):
    """What addresses a service needs or has."""

    IPV4 = "ipv4"
    IPV6 = "ipv6"
    DUAL = "dual"

    @property
    def single(self) -> tuple["IPFamily", ...]:
        """The single families it is made of, IPv4 first."""
        return (IPFamily.IPV4, IPFamily.IPV6) if self is IPFamily.DUAL else (self,)


class IPFamilyError(ValueError):
    """A set of addresses that is neither one IPv4, one IPv6, nor one of each."""


def parse_address(text: str) -> IPAddress:
    """The address that `text` spells; an IPv4-mapped IPv6 address is the IPv4 address (as in Kubernetes).

    Refuses zone identifiers, blanks and leading zeros. Raises ValueError.
    """
    if "%" in text:
        raise ValueError(f"{text!r} carries a zone identifier; an address without one is needed")
    address = ip_address(text)
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def family_of(address: IPAddress) -> IPFamily:
    """IPV4 or IPV6."""
    return IPFamily.IPV4 if address.version == 4 else IPFamily.IPV6


def family_of_all(addresses: Sequence[IPAddress]) -> IPFamily:
    """The family of one address, or DUAL for two of different families.

    Raises IPFamilyError for none, for two of one family, and for more than two.
    """
    families = [family_of(address) for address in addresses]
    text = ", ".join(map(str, addresses)) or "none"
    if len(families) == 1:
        return families[0]
    if len(families) == 2 and families[0] is not families[1]:
        return IPFamily.DUAL
    if len(families) == 2:
        raise IPFamilyError(f"two addresses of the same family: {text}; one IPv4 and one IPv6 are possible")
    raise IPFamilyError(f"{len(families)} addresses ({text}); one, or one IPv4 and one IPv6, are possible")
