"""The echo function of one session, RFC 5880 §6.8.9 and RFC 5881 §4: packets to oneself, looped by the other end.

    +---------------------------------------------------------------+
    |                      my discriminator                         |
    +---------------------------------------------------------------+
    |                      sequence, from 1                         |
    +---------------------------------------------------------------+
    |          secret of this run, 8 octets, drawn at random        |
    +---------------------------------------------------------------+

What is inside is nobody else's business. The secret and a sequence that only goes up keep others from answering for
the peer: who has not seen the packet cannot return it, and it counts once.

The other end says that it loops echoes, and may be wrong: a router that does not forward, or a filter on the way. So
echoes are sent slowly until the first one comes back, and only from then on does their absence mean anything.
"""

import random
import struct
from typing import Final

PROBE_SECONDS: Final = 1.0
OCTETS: Final = 16
_ECHO: Final = struct.Struct("!IIQ")


class Echo:
    """Sends, counts what returns, and knows when it is missing. Instants are monotonic seconds."""

    def __init__(self, discriminator: int, rng: random.Random) -> None:
        self._discriminator = discriminator
        self._rng = rng
        self._interval = 0.0
        self._multiplier = 0
        self._secret = 0
        self._sent = 0
        self._returned = 0
        self._next: float | None = None
        self._detect_at: float | None = None
        self.round_trip: float | None = None
        self._sent_at = 0.0

    @property
    def running(self) -> bool:
        """Whether echoes are sent."""
        return self._next is not None

    @property
    def looped(self) -> bool:
        """Whether the other end has been seen to loop them: their absence is a failure from then on."""
        return self._detect_at is not None

    @property
    def detection_time(self) -> float:
        """Seconds without an echo that mean failure."""
        return self._interval * self._multiplier

    def run(self, interval: float, multiplier: int, now: float) -> None:
        """Send every `interval` seconds, beginning now if it does not run yet."""
        if self.running and (interval, multiplier) == (self._interval, self._multiplier):
            return
        self._interval, self._multiplier = interval, multiplier
        if not self.running:
            self._secret, self._sent, self._returned = self._rng.getrandbits(64), 0, 0
            self._next = now
        elif self.looped:
            self._next, self._detect_at = now, now + self.detection_time

    def stop(self) -> None:
        """Send no more."""
        self._next = self._detect_at = self.round_trip = None

    def due(self, now: float) -> bytes | None:
        """The next echo if its time has come."""
        if self._next is None or now < self._next:
            return None
        wait = self._interval if self.looped else PROBE_SECONDS
        self._next = max(self._next + wait * self._rng.uniform(0.75, 1.0), now + wait / 2)
        self._sent, self._sent_at = self._sent + 1, now
        return _ECHO.pack(self._discriminator, self._sent, self._secret)

    def returned(self, data: bytes, at: float, now: float) -> bool:
        """An echo came at `at`; False if it is not one of ours, or not for the first time."""
        if self._next is None or len(data) < OCTETS:
            return False
        discriminator, sequence, secret = _ECHO.unpack_from(data)
        if (discriminator, secret) != (self._discriminator, self._secret):
            return False
        if not self._returned < sequence <= self._sent:
            return False
        self._returned = sequence
        if sequence == self._sent:
            self.round_trip = max(0.0, at - self._sent_at)
        if not self.looped:
            self._next = now
        self._detect_at = at + self.detection_time
        return True

    def failed(self, now: float) -> bool:
        """Whether echoes that came are missing for too long."""
        return self._detect_at is not None and now >= self._detect_at

    def deadline(self) -> float | None:
        """When `due` or `failed` may say something else."""
        return min((at for at in (self._next, self._detect_at) if at is not None), default=None)


def discriminator_of(data: bytes) -> int | None:
    """The discriminator in an echo of ours, None if the octets are too few."""
    return None if len(data) < OCTETS else int.from_bytes(data[:4], "big")
