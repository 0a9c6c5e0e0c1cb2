"""The address families Herald speaks: IPv4 and IPv6 unicast (RFC 4760 §8 numbers)."""

from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Prefix: TypeAlias = IPv4Network | IPv6Network


class Family(Enum):
    """An address family and subsequent address family, as `(AFI, SAFI)`."""

    IPV4_UNICAST = (1, 1)
    IPV6_UNICAST = (2, 1)

    @property
    def afi(self) -> int:
        return self.value[0]

    @property
    def safi(self) -> int:
        return self.value[1]

    @property
    def wire(self) -> bytes:
        """AFI (two octets) and SAFI (one), as MP_REACH_NLRI and MP_UNREACH_NLRI begin."""
        return bytes((0, self.afi, self.safi))

    @property
    def text(self) -> str:
        """The word for people: `ipv4-unicast` or `ipv6-unicast`."""
        return self.name.lower().replace("_", "-")

    @property
    def word(self) -> str:
        """`IPv4` or `IPv6`."""
        return "IPv4" if self is Family.IPV4_UNICAST else "IPv6"

    @property
    def bits(self) -> int:
        """The length of an address."""
        return 32 if self is Family.IPV4_UNICAST else 128


BOTH_FAMILIES = frozenset(Family)


def family_of(prefix: Prefix | Address) -> Family:
    """The family that carries `prefix`."""
    return Family.IPV4_UNICAST if prefix.version == 4 else Family.IPV6_UNICAST


def family_by_number(afi: int, safi: int) -> Family | None:
    """The family of these numbers, or None for one that Herald does not speak."""
    return _BY_NUMBER.get((afi, safi))


_BY_NUMBER = {family.value: family for family in Family}
