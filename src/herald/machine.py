"""The shape of a protocol machine: bytes and the present time in, effects and a deadline out.

BGP, ARP, BFD and gossip each have one. A machine opens no socket, reads no clock, draws no number and logs nothing;
a thin shell (`driver.py` of the protocol) feeds it events, performs the effects it returns, and arms one timer for
`deadline()`. `now` is monotonic seconds. Chance (jitter, identifiers) is given in as a `random.Random` when the
machine is made.
"""

from typing import Protocol, TypeVar

Event_contra = TypeVar("Event_contra", contravariant=True)
Effect = TypeVar("Effect")
Snapshot_co = TypeVar("Snapshot_co", covariant=True)


class Machine(Protocol[Event_contra, Effect, Snapshot_co]):
    """What every protocol machine offers its shell."""

    def handle(self, event: Event_contra, now: float) -> list[Effect]:
        """What to do because `event` happened at `now`. Effects are to be performed in order."""
        ...

    def wake(self, now: float) -> list[Effect]:
        """What to do because `deadline()` has come. Called early, it does nothing."""
        ...

    def deadline(self) -> float | None:
        """The next instant at which `wake` has something to do, or None."""
        ...

    def snapshot(self) -> Snapshot_co:
        """The present state as a frozen value, for `herald show`, metrics and tests."""
        ...
