"""The interface of every store: watch objects, write a status, keep a claim, record an event.

A watch yields `Synced` once, with everything there is, then `Changed` batches. Objects are typed; what could not be
decoded is in `problems`, which always lists *all* that is wrong at that moment. An object that can no longer be
decoded keeps its last good version: a key is among `deleted` only when the object is really gone.
"""

from collections.abc import AsyncGenerator, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from herald.allocator.convergence import EventType
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

ClusterObject: TypeAlias = (
    IPAddressPool
    | L2Advertisement
    | BGPAdvertisement
    | BGPPeer
    | BFDProfile
    | Community
    | Service
    | EndpointSlice
    | Node
    | Namespace
    | Secret
)
KINDS: Mapping[str, type[ClusterObject]] = {
    kind.__name__: kind
    for kind in (
        IPAddressPool,
        L2Advertisement,
        BGPAdvertisement,
        BGPPeer,
        BFDProfile,
        Community,
        Service,
        EndpointSlice,
        Node,
        Namespace,
        Secret,
    )
}
"""Every kind that Herald reads, by its name in manifests."""

Claim: TypeAlias = tuple[str, ...]
"""The addresses that a service has been given, as text, in the order of its status."""


def service_key(service: NamespacedName) -> ObjectKey:
    """The key of a Service."""
    return ObjectKey(Service.__name__, service.namespace, service.name)


@dataclass(frozen=True, slots=True)
class Synced:
    """Everything there is. `complete` is False while a part of the store cannot be read and was never read before.

    Then the absence of an object proves nothing, and nobody may conclude from it that something is to be withdrawn.
    """

    objects: tuple[ClusterObject, ...]
    problems: tuple[Problem, ...] = ()
    complete: bool = True


@dataclass(frozen=True, slots=True)
class Changed:
    """What became different since the batch before. `complete` as in `Synced`, as of now.

    A key may be deleted that was never listed: an object that was known to an earlier process and is now known to be
    gone.
    """

    objects: tuple[ClusterObject, ...] = ()
    deleted: tuple[ObjectKey, ...] = ()
    problems: tuple[Problem, ...] = ()
    complete: bool = True


Changes: TypeAlias = Synced | Changed


@dataclass(frozen=True, slots=True)
class Event:
    """Something that an operator would want to find beside the object: `reason` a CamelCase word, `message` prose.

    `stands`: it is a state that lasts. Who comes to see it later, after a restart for instance, tells nothing new.
    """

    about: ObjectKey
    type: EventType
    reason: str
    message: str
    stands: bool = False


@dataclass(frozen=True, slots=True)
class StatusPatch:
    """The status of one object as it shall read from now on.

    `status` replaces what was there. `annotations` are merged into those of the object; None removes one. A store that
    has versions refuses the patch unless the object is still at `resource_version`; empty means any.
    """

    about: ObjectKey
    status: Mapping[str, Any]
    annotations: Mapping[str, str | None] = field(default_factory=dict)
    resource_version: str = ""


class StoreError(Exception):
    """A write did not happen. It may be tried again."""


class StaleError(StoreError):
    """A write did not happen because the object is not what it was taken for. The watch will tell what it is now."""


class Store(Protocol):
    """Where objects come from. Several processes use one store at once; only the controller writes."""

    def watch(self, kinds: Collection[str]) -> AsyncGenerator[Changes, None]:
        """Objects of `kinds` (names in `KINDS`): a `Synced`, then `Changed` for as long as it is iterated.

        A batch holds what is true when it is asked for, the caller's own writes included. The iteration outlives
        every failure of the store: while it cannot be read nothing changes.
        """
        ...

    async def patch_status(self, patch: StatusPatch) -> str:
        """Write a status durably. Gives the version that the object has now, empty where a store has none.

        Raises StoreError, StaleError if the object is not at the version that the patch is for.
        """
        ...

    async def read_claims(self) -> Mapping[NamespacedName, Claim]:
        """What `write_claim` has kept, also for services that are not there (any more, or to be read)."""
        ...

    async def write_claim(self, service: NamespacedName, claim: Claim) -> None:
        """Keep durably which addresses a service has, apart from its status; an empty claim removes it.

        Raises StoreError.
        """
        ...

    async def record_event(self, event: Event) -> None:
        """Tell the operator. Raises StoreError."""
        ...
