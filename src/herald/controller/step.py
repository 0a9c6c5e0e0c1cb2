"""What is to be written for one service, in an order in which every prefix is safe.

* An address is published for one service only after every status that still shows it for another (who no longer has
  it) has been emptied.
* A claim is written before the status that shows it, and removed after it: a status that is lost in between, or later,
  is restored from the claim.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from herald.allocator.convergence import StatusChange
from herald.cluster.meta import NamespacedName
from herald.cluster.service import ALLOCATED_FROM_POOL
from herald.controller.words import LogLine
from herald.store.store import Claim, Event, StatusPatch, service_key


@dataclass(frozen=True, slots=True)
class WriteStatus:
    """The status of a service becomes `change`."""

    service: NamespacedName
    change: StatusChange

    @property
    def patch(self) -> StatusPatch:
        load_balancer: Mapping[str, Any] = {}
        if self.change.ingress:
            load_balancer = {"ingress": [{"ip": text} for text in self.change.ingress]}
        return StatusPatch(
            service_key(self.service), {"loadBalancer": load_balancer}, {ALLOCATED_FROM_POOL: self.change.pool}
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
    """Everything that follows from looking at one service once: writes in order, then what people are told."""

    service: NamespacedName
    writes: tuple[Write, ...] = ()
    events: tuple[Event, ...] = ()
    lines: tuple[LogLine, ...] = ()


def ordered(
    service: NamespacedName, change: StatusChange | None, claim: Claim | None, to_empty: tuple[NamespacedName, ...]
) -> tuple[Write, ...]:
    """The writes of a step. `claim` None: it stands already. `to_empty`: services whose status shows what is given."""
    emptied: tuple[Write, ...] = tuple(WriteStatus(other, EMPTY) for other in to_empty)
    status: tuple[Write, ...] = () if change is None else (WriteStatus(service, change),)
    kept: tuple[Write, ...] = () if claim is None else (WriteClaim(service, claim),)
    return emptied + (kept + status if claim else status + kept)
