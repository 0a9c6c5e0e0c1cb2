"""What a node does that was silent itself: whoever did not run for a while must not answer as if nothing had happened.

A process that is stopped, or a machine that is, wakes up with the requests of that time in its sockets, and believes
that it still owns what it owned. Its watchers may have taken over. They say so: their BFD sessions with it went down,
and the packets that tell it wait in the sockets too. So after a pause the BFD packets are read before anything else is
answered, and if a watcher has declared this node silent, nothing is answered until

    each of those watchers has its session up again, which it has when this node is back in its election,
    or is itself gone by gossip, or `LONGEST` seconds are over.

A declaration counts only if this node *was* away: by its own clock, which nobody else can set. So no packet, forged or
not, can silence a node that runs.
"""

from dataclasses import dataclass
from typing import Final

TICK: Final = 0.05
"""Seconds between two looks at the clock, when all is well."""
AWAY: Final = 0.11
"""Seconds between two looks that mean a pause: watchers count 150 ms from the last packet."""
REACTION: Final = 0.5
"""Seconds after a pause in which a declaration may still be on its way."""
LONGEST: Final = 3.0


@dataclass(frozen=True, slots=True)
class Absence:
    """This node did not run from `began` to `returned`, which the watchers `missed_by` have said, and is open again.

    `is_agreed`: each of them sees it again, or is gone; otherwise it was closed for `LONGEST` seconds.
    """

    began: float
    returned: float
    missed_by: frozenset[str]
    is_agreed: bool


class Fence:
    """Closed while this node must not answer. No clock: `now` is given in, in seconds."""

    def __init__(self, now: float) -> None:
        self._last = now
        self._began = self._returned_at = float("-inf")
        self._declared_by: set[str] = set()
        self._missed_by: set[str] = set()
        self._gone_since = self._closed_at = now
        self._is_agreed = True
        self.pauses = 0

    def tick(self, now: float) -> float | None:
        """Look at the clock. Gives the length of the pause that has just ended, if it was one."""
        passed, self._last = now - self._last, now
        if passed < AWAY:
            return None
        self._began, self._returned_at = now - passed, now
        self.pauses += 1
        return passed

    def declared_silent(self, watcher: str, now: float) -> bool:
        """A watcher says that it had not heard this node. Whether that closes the fence."""
        if now - self._returned_at > REACTION:
            return False
        if not self._declared_by:
            self._closed_at, self._gone_since, self._is_agreed = now, self._began, True
            self._missed_by = set()
        self._declared_by.add(watcher)
        self._missed_by.add(watcher)
        return True

    def up(self, watcher: str) -> None:
        """The session with a watcher is up."""
        self._declared_by.discard(watcher)

    def present(self, nodes: frozenset[str]) -> None:
        """These nodes are there by gossip."""
        self._declared_by &= nodes

    def is_closed(self, now: float) -> bool:
        """Whether nothing may be answered now."""
        if self._declared_by and now - self._closed_at >= LONGEST:
            self._declared_by.clear()
            self._is_agreed = False
        return bool(self._declared_by)

    def absence(self) -> Absence:
        """What it was closed for the last time; only for one that was, and is open again."""
        return Absence(self._gone_since, self._returned_at, frozenset(self._missed_by), self._is_agreed)
