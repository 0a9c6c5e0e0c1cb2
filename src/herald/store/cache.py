"""The objects that a watch has told of, by kind: what controller and speaker keep in memory."""

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Final, TypeVar

from herald.api.bfd_profile import BFDProfile
from herald.api.bgp_advertisement import BGPAdvertisement
from herald.api.bgp_peer import BGPPeer
from herald.api.community import Community
from herald.api.ip_address_pool import IPAddressPool
from herald.api.l2_advertisement import L2Advertisement
from herald.cluster.endpoints import EndpointSlice
from herald.cluster.meta import NamespacedName
from herald.cluster.namespace import Namespace
from herald.cluster.node import Node
from herald.cluster.secret import Secret
from herald.cluster.service import Service
from herald.config.findings import ObjectKey
from herald.config.problem import Problem
from herald.config.resources import Resources
from herald.store.store import Changes, ClusterObject, Synced

T = TypeVar("T")

SLICE: Final = 500
"""Objects between two moments in which others may run: two milliseconds."""


@dataclass(frozen=True, slots=True)
class Touched:
    """What a batch was about. `configuration`: any object that is neither a Service nor an EndpointSlice."""

    services: tuple[NamespacedName, ...] = ()
    slices: tuple[NamespacedName, ...] = ()
    configuration: bool = False


@dataclass(slots=True)
class Cache:
    """Everything that is known now."""

    services: dict[NamespacedName, Service] = field(default_factory=dict)
    slices: dict[NamespacedName, EndpointSlice] = field(default_factory=dict)
    others: dict[ObjectKey, ClusterObject] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    is_complete: bool = False

    def take(self, batch: Changes) -> Touched:
        """Take a batch over. A `Synced` replaces everything."""
        taking = self.taking(batch)
        while True:
            try:
                next(taking)
            except StopIteration as end:
                touched: Touched = end.value
                return touched

    def taking(self, batch: Changes) -> Generator[None, None, Touched]:
        """The same in slices of `SLICE` objects; to be read from only when it has ended."""
        services: dict[NamespacedName, None] = {}
        slices: dict[NamespacedName, None] = {}
        others: set[ObjectKey] = set()
        for key in () if isinstance(batch, Synced) else batch.deleted:
            self._remove(key, services, slices, others)
        present = Cache() if isinstance(batch, Synced) else self
        for number, item in enumerate(batch.objects, 1):  # ten thousands of them at the start: nothing is made twice
            if number % SLICE == 0:
                yield
            if isinstance(item, Service):
                name = item.key
                present.services[name] = item
                services[name] = None
            elif isinstance(item, EndpointSlice):
                name = item.key
                present.slices[name] = item
                slices[name] = None
            else:
                key = ObjectKey.of(item)
                present.others[key] = item
                others.add(key)
        if present is not self:
            services.update(dict.fromkeys(self.services.keys() - present.services.keys()))
            slices.update(dict.fromkeys(self.slices.keys() - present.slices.keys()))
            others |= self.others.keys()
            self.services, self.slices, self.others = present.services, present.slices, present.others
        self.problems, self.is_complete = batch.problems, batch.complete
        return Touched(tuple(services), tuple(slices), bool(others))

    def resources(self) -> Resources:
        """What a configuration is compiled from: all but Services and EndpointSlices."""
        return Resources(
            ip_address_pools=self._all(IPAddressPool),
            l2_advertisements=self._all(L2Advertisement),
            bgp_advertisements=self._all(BGPAdvertisement),
            bgp_peers=self._all(BGPPeer),
            bfd_profiles=self._all(BFDProfile),
            communities=self._all(Community),
            nodes=self._all(Node),
            namespaces=self._all(Namespace),
            secrets=self._all(Secret),
        )

    def _remove(
        self,
        key: ObjectKey,
        services: dict[NamespacedName, None],
        slices: dict[NamespacedName, None],
        others: set[ObjectKey],
    ) -> None:
        name = NamespacedName(key.namespace, key.name)
        if key.kind == Service.__name__:
            self.services.pop(name, None)
            services[name] = None
        elif key.kind == EndpointSlice.__name__:
            self.slices.pop(name, None)
            slices[name] = None
        else:
            self.others.pop(key, None)
            others.add(key)

    def _all(self, kind: type[T]) -> tuple[T, ...]:
        return tuple(item for item in self.others.values() if isinstance(item, kind))
