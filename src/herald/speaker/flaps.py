"""Which other nodes come and go too often, as this one sees it: the working out of `flapDamping`.

    lost once           nothing
    lost again, within WITHIN_S    it stands aside for FIRST_S from then on
    and again           for twice as long as the last time, up to LONGEST_S
    calm for WITHIN_S after that   forgotten

A loss is a speaker that is gone, whatever the reason, or a node without any usable interface. Nobody is damped by this
alone: what this node finds is one voice of many (`herald.announcement.told`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from herald.cluster.meta import NodeName

WITHIN_S: Final = 600.0
FIRST_S: Final = 60.0
LONGEST_S: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Record:
    """How often a node was lost, when last, and until when it stands aside for that."""

    losses: int
    last_at: float
    until: float

    def again(self, now: float) -> "Record":
        """With one loss more."""
        if now >= max(self.last_at, self.until) + WITHIN_S:
            return Record(1, now, now)
        return Record(self.losses + 1, now, now + min(LONGEST_S, FIRST_S * 2 ** min(self.losses - 1, 10)))


class Flaps:
    """Seen from `node`, which is not judged. No clock: `now` is given in, in seconds."""

    def __init__(self, node: NodeName) -> None:
        self._node = node
        self._usable: frozenset[NodeName] = frozenset()
        self._records: dict[NodeName, Record] = {}

    def see(self, members: Mapping[NodeName, frozenset[str] | None], now: float, *, counts: bool = True) -> None:
        """These are alive, with these usable interfaces (None: not known).

        `counts`: whether anybody asks for damping. What was lost before that is not held against a node: to ask for it
        would take away its addresses at once, however well it is by then.
        """
        usable = frozenset(node for node, names in members.items() if names is None or names)
        for node in self._usable - usable - {self._node} if counts else ():
            before = self._records.get(node)
            self._records[node] = Record(1, now, now) if before is None else before.again(now)
        self._usable = usable
        self._records = {
            node: one for node, one in self._records.items() if now < max(one.last_at, one.until) + WITHIN_S
        }

    def forget(self) -> None:
        """Nobody asks for damping any more."""
        self._records.clear()

    def damped(self, now: float) -> Mapping[NodeName, Record]:
        """Those that are to stand aside, by name."""
        return {node: one for node, one in sorted(self._records.items()) if now < one.until}

    def deadline(self, now: float) -> float | None:
        """When there is one less, if nothing happens."""
        return min((one.until for one in self.damped(now).values()), default=None)
