"""Holding: an address that this node answers for, and on which interfaces. The wish of Layer 2."""

from collections.abc import Iterable, Mapping
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


def differences(
    held: Mapping[Address, Holding], wanted: Iterable[Holding], dropped: Iterable[Address], whole: bool
) -> tuple[tuple[Holding, ...], tuple[Address, ...]]:
    """What must change so that `held` follows the wish: holdings that are new or different, addresses to release.

    `whole` says that `wanted` is everything: what it does not name is released. Otherwise only `dropped` is; an address
    in both `wanted` and `dropped` is wanted.
    """
    wish = {holding.address: holding for holding in wanted}
    changed = tuple(holding for address, holding in wish.items() if held.get(address) != holding)
    candidates = held if whole else dict.fromkeys(address for address in dropped if address in held)
    return changed, tuple(address for address in candidates if address not in wish)
