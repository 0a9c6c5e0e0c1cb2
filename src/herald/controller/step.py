"""What is to be written for one service, in an order in which every prefix is safe.

* An address is published for one service only after every status that still shows it for another (who no longer has
  it) has been emptied.
* So a step that gives away an address which a status in flight still shows waits for that one (`after`).
* A claim is written before the status that shows it, and removed after it: a status that is lost in between, or later,
  is restored from the claim.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from herald.allocator.convergence import StatusChange
from herald.cluster.meta import NamespacedName
from herald.cluster.service import ALLOCATED_FROM_POOL, Service
from herald.controller.words import LogLine
from herald.store.store import Claim, Event, StatusPatch, service_key


@dataclass(frozen=True, slots=True)
class WriteStatus:
    """The status of a service becomes `change`, if it is still at that version (empty: whatever it is at)."""

    service: NamespacedName
    change: StatusChange
    version: str = ""

    @property
    def patch(self) -> StatusPatch:
        load_balancer: Mapping[str, Any] = {}
        if self.change.ingress:
            load_balancer = {"ingress": [{"ip": text} for text in self.change.ingress]}
        return StatusPatch(
            service_key(self.service),
            {"loadBalancer": load_balancer},
            {ALLOCATED_FROM_POOL: self.change.pool},
            self.version,
        )


@dataclass(frozen=True, slots=True)
class WriteClaim:
    """The claim of a service becomes `claim`; an empty one removes it."""

    service: NamespacedName
    claim: Claim


Write: TypeAlias = WriteStatus | WriteClaim
EMPTY = StatusChange((), None)


@dataclass(frozen=True, slots=True)
class Step:
    """Everything that follows from looking at one service once: writes in order, then what people are told.

    `after`: services in flight that must be written first, else this step must not be. `restores`: the service was
    right already, and somebody else has changed it.
    """

    service: NamespacedName
    writes: tuple[Write, ...] = ()
    events: tuple[Event, ...] = ()
    lines: tuple[LogLine, ...] = ()
    after: frozenset[NamespacedName] = frozenset()
    restores: bool = False

    @property
    def services(self) -> frozenset[NamespacedName]:
        """Everybody who is written."""
        return frozenset(write.service for write in self.writes)

    @property
    def given(self) -> tuple[WriteStatus, ...]:
        """The writes that give addresses."""
        return tuple(write for write in self.writes if isinstance(write, WriteStatus) and write.change.ingress)


def ordered(
    present: Mapping[NamespacedName, Service],
    service: NamespacedName,
    change: StatusChange | None,
    claim: Claim | None,
    to_empty: tuple[NamespacedName, ...],
) -> tuple[Write, ...]:
    """The writes of a step. `claim` None: it stands already. `to_empty`: services whose status shows what is given."""
    emptied: tuple[Write, ...] = tuple(WriteStatus(other, EMPTY, _version(present, other)) for other in to_empty)
    status: tuple[Write, ...] = ()
    if change is not None:
        status = (WriteStatus(service, change, _version(present, service)),)
    kept: tuple[Write, ...] = () if claim is None else (WriteClaim(service, claim),)
    return emptied + (kept + status if claim else status + kept)


def _version(present: Mapping[NamespacedName, Service], service: NamespacedName) -> str:
    return present[service].metadata.resource_version if service in present else ""
