"""Holding: an address that this node answers for, and on which interfaces. The wish of Layer 2."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Holding:
    """`address` is answered for on the named `interfaces`; None means on every one that is eligible.

    A named interface that does not exist, or is not eligible, is answered for as soon as it is.
    """

    address: Address
    interfaces: frozenset[str] | None = None

    def covers(self, interface: str) -> bool:
        """Whether the holding is wanted on the interface of that name."""
        return self.interfaces is None or interface in self.interfaces
