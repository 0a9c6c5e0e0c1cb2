"""Which members that answer for nothing yet are counted all the same: those that started when nobody was there.

A speaker that has just started says so, and is no candidate for those that run: they let go of no address for it (see
`herald.engine.membership.Membership.ready`). After a power cut nobody runs. There the first to be ready would take all,
and with `failback: never` keep it; so those that were seen to start while nobody was ready are candidates from the
first, for all the same ones. If one of them is not ready `PATIENCE_S` after the first was, it is waited for no longer.

The same begins anew when all that ran are so again: everybody's control was away, and they come back one by one.
"""

from typing import Final

PATIENCE_S: Final = 10.0


class Together:
    """Those that started with this node. No clock: `now` is given in, in seconds."""

    def __init__(self) -> None:
        self._seen: frozenset[str] = frozenset()
        self._until: float | None = None

    def see(self, starting: frozenset[str], *, is_anyone_ready: bool, now: float) -> None:
        """Of the members, this node among them, those are starting; tell it every change."""
        if not is_anyone_ready:
            self._seen, self._until = starting, None
            return
        self._until = now + PATIENCE_S if self._until is None else self._until
        self._seen &= starting

    def counted(self, now: float) -> frozenset[str]:
        """Those starting ones that are candidates."""
        return self._seen if self._until is None or now < self._until else frozenset()

    def deadline(self) -> float | None:
        """When `counted` becomes less without any news; None if it does not."""
        return self._until if self._seen else None
