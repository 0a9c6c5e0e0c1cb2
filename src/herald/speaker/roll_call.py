"""Who is alive, as the engine reports it, without mistaking the first moments of an engine for the truth.

An engine that has just started has heard of nobody yet. Were it believed at once, this node would take every address
for a moment and give most of them back. So for `SETTLE_S` after a connection nobody is missed: at the very first
nothing is concluded at all, later those who were known before are taken to be alive still, with the interfaces that
they had, and the notes.
"""

from herald.engine.membership import Members, Notes, UsableNames

SETTLE_S = 0.6
"""Longer than a speaker needs to be seen alive, once it is known where to look for it."""
UNKNOWN_S = 3.0
"""How long to wait for being told where to look. Without an end: who may not list pods must announce all the same."""


class RollCall:
    """The live speakers. No clock: `now` is given in, in seconds."""

    def __init__(self) -> None:
        self._reported: Members | None = None
        self._remembered: Members = {}
        self._notes: Notes = {}
        self._remembered_notes: Notes = {}
        self._settled_at: float | None = None

    def connected(self, now: float, settle_s: float = SETTLE_S) -> None:
        """An engine is there, perhaps a new one."""
        self._remembered = self._with_remembered(self._reported or {})
        self._remembered_notes = {**self._remembered_notes, **self._notes}
        self._settled_at = now + settle_s

    def joined(self, now: float) -> None:
        """The engine has just been told where the others may be found."""
        if self._settled_at is not None:
            self._settled_at = now + SETTLE_S

    def report(self, members: Members, notes: Notes | None = None) -> None:
        """The engine sees these, and their notes."""
        self._reported, self._notes = members, notes or {}

    def deadline(self) -> float | None:
        """When `members` may be different without a report, or None: before the first one it may not."""
        return None if self._reported is None else self._settled_at

    def members(self, now: float) -> Members | None:
        """Those to be taken for alive, or None while nothing can be said."""
        if self._reported is None:
            return None
        if self._settled_at is not None and now < self._settled_at:
            return self._with_remembered(self._reported) if self._remembered else None
        self._settled_at, self._remembered, self._remembered_notes = None, {}, {}
        return self._reported

    def notes(self) -> Notes:
        """The notes of those that `members` gave: as long as it remembers, what is not told anew still counts."""
        return {**self._remembered_notes, **self._notes}

    def _with_remembered(self, reported: Members) -> Members:
        def usable(node: str) -> UsableNames:
            known = reported.get(node)
            return self._remembered.get(node) if known is None else known

        return {node: usable(node) for node in self._remembered.keys() | reported.keys()}
