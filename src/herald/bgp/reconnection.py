"""When a session is tried again: the growing wait after failures, the damping of one that flaps, and what BFD says.

* The first attempt is immediate. The wait after a failure starts at 1 s and doubles up to 30 s (or `connect_time`). It
  starts over after a session that stood for 30 s; sessions that come up and fall sooner make it grow up to 2 minutes,
  since each costs the peer a whole table (RFC 4271 §8.1.1, DampPeerOscillations). In the wait that follows such a
  session the peer's own attempts are turned away too. Only in that one: else two that damp each other never meet.
* When BFD has lost the peer the next attempt is made when BFD sees it again, and at the latest after 5 s or the
  back-off: a peer that no longer speaks BFD is talked to without (RFC 5882 §4.2).
* Whatever the wait is for, BFD that comes up ends it: a router that is back need not be tried at random. Not so for a
  session that flaps.
* Not so in strict mode: there is no connection, of either end, before BFD is up (RFC 5882 §4.1).
"""

from herald.bgp.parameters import PeerParameters
from herald.bgp.timers import Backoff

RETRY_FIRST_SECONDS = 1.0
RETRY_LONGEST_SECONDS = 30
FLAP_LONGEST_SECONDS = 120
STABLE_SECONDS = 30.0
BFD_PATIENCE_SECONDS = 5.0
BFD_UP_SECONDS = 0.2
"""The peer's BGP is to hear of it, too."""


class Reconnection:
    """What is known of the time until the next attempt. The instant itself is a timer of the session."""

    def __init__(self) -> None:
        self._backoff = Backoff(RETRY_FIRST_SECONDS)
        self._waits_for_bfd = False  # until the next attempt
        self._bfd_is_up = False
        self._rests_until = 0.0

    def begins(self) -> None:
        """An attempt is made, or a connection of the peer is taken."""
        self._waits_for_bfd = False

    def start_over(self) -> None:
        """The next failure is the first one."""
        self._backoff.reset()

    def wait_after_failure(self, parameters: PeerParameters, short_sessions: int) -> float:
        """Seconds, before jitter."""
        longest = FLAP_LONGEST_SECONDS if short_sessions > 1 else RETRY_LONGEST_SECONDS
        return self._backoff.next_wait(parameters.connect_time or longest)

    def rest(self, until: float) -> None:
        """A session has fallen that had only just come up, and not for the first time."""
        self._rests_until = until

    def is_held(self, parameters: PeerParameters) -> bool:
        """Whether there must be no session for now, because BFD is not up.

        An unnumbered peer whose neighbour is not known has no BFD that could be up, and nobody to dial: the attempt
        comes to nothing and tells why there is no neighbour.
        """
        wants_bfd = parameters.bfd_strict and parameters.bfd is not None and parameters.peer_address is not None
        return wants_bfd and not self._bfd_is_up

    def rejection(self, parameters: PeerParameters, now: float, *, waiting: bool) -> str | None:
        """Why a connection of the peer is not wanted now, if so; `waiting`: for the instant of the next attempt."""
        if self.is_held(parameters):
            return "waiting for BFD (strict mode)"
        if waiting and self._waits_for_bfd:
            return "BFD has just lost you"
        if waiting and now < self._rests_until:
            return "sessions fall soon after they come up; waiting before the next"
        return None

    def bfd_down(self) -> None:
        """BFD has lost the peer, or sees it no longer for another reason."""
        self._bfd_is_up = False

    def retry_without_bfd(self, retry: float | None, now: float) -> float:
        """The instant of the next attempt after BFD has ended a session; `retry` is that without BFD."""
        self._waits_for_bfd = True
        return max(retry or now, now + BFD_PATIENCE_SECONDS)

    def bfd_up(self) -> None:
        """BFD sees the peer, which may dial now: once turned away it might not come again for minutes."""
        self._bfd_is_up = True
        self._waits_for_bfd = False

    def retry_with_bfd(self, retry: float, short_sessions: int, now: float) -> float:
        """The peer is there, and so is no reason to wait, unless it flaps and is given a rest."""
        return min(retry, now + BFD_UP_SECONDS) if short_sessions <= 1 else retry
