"""What `KubernetesStore` needs of whoever writes to the API server for it."""

from collections.abc import Mapping
from typing import Protocol

from herald.cluster.meta import NamespacedName
from herald.store.store import Claim, Event, StatusPatch


class Writer(Protocol):
    """The writing half of `herald.store.store.Store`; see there."""

    async def patch_status(self, patch: StatusPatch) -> str:
        """The version that the object has now. Raises StoreError."""
        ...

    async def read_claims(self) -> Mapping[NamespacedName, Claim]:
        """Raises StoreError."""
        ...

    async def write_claim(self, service: NamespacedName, claim: Claim) -> None:
        """Raises StoreError."""
        ...

    async def record_event(self, event: Event) -> None:
        """Raises StoreError."""
        ...
