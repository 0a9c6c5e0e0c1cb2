"""Draining this node in good order (RFC 8326): its routes are marked as the last choice, and go some seconds later.

    Node annotated ──▶ departing ──after a while──▶ drained ──annotation gone──▶ in service
                       │ routes with GRACEFUL_SHUTDOWN, LOCAL_PREF 0
                       └ Layer 2: others take over at once

The annotation says how long routers have to turn to other nodes: `30s`; anything else means `DEFAULT_WAIT_S`. A speaker
that finds the annotation when it starts has nothing to take leave of: it announces nothing.
"""

from typing import Final

from herald.api import duration

DEFAULT_WAIT_S: Final = 10.0
LONGEST_WAIT_S: Final = 3600.0


class Drain:
    """Where this node is on its way. No clock: `now` is given in, in seconds."""

    def __init__(self) -> None:
        self._seen_in_service = False
        self._wish: str | None = None
        self._gone_at = 0.0

    def see(self, wish: str | None, now: float) -> None:
        """What the annotation of this node says; None if it is to be in service."""
        if wish is None:
            self._seen_in_service = True
        elif self._wish is None:
            self._gone_at = now + (wait_s(wish) if self._seen_in_service else 0.0)
        self._wish = wish

    def is_departing(self, now: float) -> bool:
        """Whether the routes are still sent, marked."""
        return self._wish is not None and now < self._gone_at

    def deadline(self, now: float) -> float | None:
        """When `is_departing` ceases to be true, or None."""
        return self._gone_at if self.is_departing(now) else None


def wait_s(wish: str) -> float:
    """The seconds between mark and withdrawal that an annotation asks for."""
    try:
        return min(LONGEST_WAIT_S, max(0.0, duration.parse(wish.strip())))
    except duration.DurationError:
        return DEFAULT_WAIT_S
