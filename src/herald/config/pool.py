"""A pool as the allocator and the speakers understand it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from herald.cluster.meta import PoolName
from herald.cluster.selector import LabelSelector, matches_any
from herald.net.address_range import AddressRange, buggy_count, is_buggy
from herald.net.ip_family import IPAddress, IPFamily


@dataclass(frozen=True, slots=True)
class ServiceAllocation:
    """Whom a pool is pinned to. `namespaces` is resolved: those named and those selected when it was compiled.

    `namespaces` None means that neither names nor selectors were given: any namespace. An empty set means that
    selectors were given and match nothing today: no namespace. (The reference lets anybody ask for such a pool by
    name; a pool pinned to a tenant that does not exist yet must not be open to the others.)
    """

    priority: int = 0
    namespaces: frozenset[str] | None = None
    service_selectors: tuple[LabelSelector, ...] = ()

    @property
    def priority_order(self) -> tuple[int, int]:
        """Sorts positive priorities ascending, then everything else (0, absent, negative) alike."""
        return (0, self.priority) if self.priority > 0 else (1, 0)


@dataclass(frozen=True, slots=True)
class Pool:
    """An IPAddressPool that compiled. `ranges` are in the order of the manifest and overlap nothing."""

    name: PoolName
    ranges: tuple[AddressRange, ...]
    auto_assign: bool = True
    avoid_buggy_ips: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    allocation: ServiceAllocation | None = None

    def __contains__(self, address: IPAddress) -> bool:
        """Whether the pool may give `address` to a service: buggy addresses are outside where they are avoided."""
        return any(address in entry for entry in self.ranges) and not (self.avoid_buggy_ips and is_buggy(address))

    def families(self) -> frozenset[IPFamily]:
        """The single families that the pool has addresses of."""
        return frozenset(entry.family for entry in self.ranges)

    def capacity(self, family: IPFamily) -> int:
        """How many addresses of a single family it can give; exact, however large."""
        entries = [entry for entry in self.ranges if entry.family is family]
        excluded = sum(buggy_count(entry) for entry in entries) if self.avoid_buggy_ips else 0
        return sum(entry.size for entry in entries) - excluded

    def admits(self, namespace: str, labels: Mapping[str, str]) -> bool:
        """Whether a service of `namespace` with `labels` may have an address of this pool at all."""
        if self.allocation is None:
            return True
        namespaces = self.allocation.namespaces
        return (namespaces is None or namespace in namespaces) and matches_any(
            self.allocation.service_selectors, labels, if_empty=True
        )
