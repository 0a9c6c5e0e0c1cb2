"""Finding the neighbour on one link: the machine, without I/O.

Routers that peer by interface know each other by their Router Advertisements, so each side sends some: ours say that we
are here and no default router (RFC 4861 §6.2.1, AdvDefaultLifetime 0). Where the RFC leaves room, or has hosts and
default routers in mind rather than two peers:

* Advertisements: three at intervals of a second, then one each 7.5 to 10 s. One is sent soon when a router is heard for
  the first time or somebody solicits, but not more often than each 3 s (§6.2.6).
* Solicitations: at once, then after 1, 2, 4, 8, 10, 10, … s for as long as nobody is in use; each is answered by every
  router. So who has not been heard for `FORGET_SECONDS` has left several of them unanswered, and is gone.
* The first router that is heard is the neighbour. Another one beside it is told (`Crowded`), and the neighbour stays;
  but it may be the new one in the old one's place. So all are solicited, and a neighbour that is silent for
  `DOUBT_SECONDS` while nobody uses it gives way, to the lowest address of those that spoke.
* A neighbour in use is never dropped for silence: a session that stands is the better witness. When it ends, the
  neighbour has to speak up as if there were doubt.
* The router lifetime of what is heard does not count: 0 only says "no default router", which a peer need not be.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Final, assert_never

from herald.router_discovery import message
from herald.router_discovery.event import (
    Crowded,
    Effect,
    Event,
    Found,
    InUse,
    Link,
    LinkLost,
    LinkReady,
    Lost,
    Received,
    Send,
)
from herald.router_discovery.message import (
    ALL_NODES,
    ALL_ROUTERS,
    RouterAdvertisement,
    RouterDiscoveryError,
    RouterSolicitation,
)

INITIAL_ADVERTISEMENTS: Final = 3
INITIAL_SECONDS: Final = 1.0
ADVERTISE_SECONDS: Final = 10.0
LEAST_SPACING_SECONDS: Final = 3.0
LONGEST_ANSWER_DELAY_SECONDS: Final = 0.5
SOLICIT_FIRST_SECONDS: Final = 1.0
SOLICIT_LONGEST_SECONDS: Final = 10.0
FORGET_SECONDS: Final = 35.0
DOUBT_SECONDS: Final = 7.0
MOST_NEIGHBOURS: Final = 16
"""Routers that are remembered: a host that makes up addresses must not fill our memory."""

UNHEARD: Final = "no router has advertised itself there; the neighbour must send IPv6 router advertisements"


@dataclass(frozen=True, slots=True)
class DiscoverySnapshot:
    """A link as it stands. `reason` says why there is no neighbour; `others` are further routers, by address."""

    neighbour: IPv6Address | None
    others: tuple[IPv6Address, ...]
    reason: str | None
    sent: int
    received: int
    invalid: int


class Discovery:
    """The machine of one link; it has the shape of `herald.machine.Machine`."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._link: Link | None = None
        self._reason = "not looked at yet"
        self._neighbour: IPv6Address | None = None
        self._heard: dict[IPv6Address, float] = {}  # when each router was last heard
        self._in_use = False
        self._suspects: frozenset[IPv6Address] = frozenset()  # have not been heard since there is doubt
        self._doubt_until: float | None = None
        self._advertise_at: float | None = None
        self._advertised_at: float | None = None
        self._initial_left = 0
        self._solicit_at: float | None = None
        self._solicit_wait = SOLICIT_FIRST_SECONDS
        self._sent = self._received = self._invalid = 0

    @property
    def neighbour(self) -> IPv6Address | None:
        return self._neighbour

    def handle(self, event: Event, now: float) -> list[Effect]:
        """What follows from `event`."""
        match event:
            case LinkReady(link):
                return [] if link == self._link else self._link_ready(link, now)
            case LinkLost(reason):
                return self._link_lost(reason)
            case Received():
                return self._take(event, now) if self._link is not None else []
            case InUse(in_use):
                self._note_use(now, in_use=in_use)
                return []
            case _ as never:
                assert_never(never)

    def wake(self, now: float) -> list[Effect]:
        """Send what is due, and drop who is gone."""
        effects: list[Effect] = []
        if self._advertise_at is not None and self._advertise_at <= now:
            effects.append(self._advertise(now))
        if self._solicit_at is not None and self._solicit_at <= now:
            effects.append(self._solicit(now))
        return effects + self._drop_the_silent(now)

    def deadline(self) -> float | None:
        silent = [] if self._in_use else [at + FORGET_SECONDS for at in self._heard.values()]
        others = [at for at in (self._advertise_at, self._solicit_at, self._doubt_until) if at is not None]
        return min(silent + others, default=None)

    def snapshot(self) -> DiscoverySnapshot:
        reason = self._reason if self._neighbour is None else None
        return DiscoverySnapshot(self._neighbour, self._others(), reason, self._sent, self._received, self._invalid)

    # The link

    def _link_ready(self, link: Link, now: float) -> list[Effect]:
        effects = self._link_lost("our end of the link is another one now")
        self._link, self._reason = link, UNHEARD
        self._initial_left = INITIAL_ADVERTISEMENTS
        self._advertise_at = now
        self._solicit_from(now)
        return effects

    def _link_lost(self, reason: str) -> list[Effect]:
        self._link, self._reason = None, reason
        self._heard.clear()
        self._doubt_until = self._advertise_at = self._advertised_at = self._solicit_at = None
        if self._neighbour is None:
            return []
        self._neighbour = None
        return [Lost(reason)]

    def _note_use(self, now: float, *, in_use: bool) -> None:
        if in_use == self._in_use:
            return
        self._in_use = in_use
        if in_use:
            self._doubt_until = self._solicit_at = None
        elif self._link is not None:
            if self._neighbour is not None:
                self._heard[self._neighbour] = now
            self._solicit_from(now)
            self._doubt(self._heard.keys(), now)

    # Hearing

    def _take(self, event: Received, now: float) -> list[Effect]:
        assert self._link is not None
        if event.source == self._link.address:
            return []
        try:
            heard = message.decode(event.data, event.source, event.hop_limit)
        except RouterDiscoveryError:
            self._invalid += 1
            return []
        self._received += 1
        match heard:
            case RouterSolicitation():
                self._advertise_soon(now)
                return []
            case RouterAdvertisement():
                return self._router(event.source, now)

    def _router(self, source: IPv6Address, now: float) -> list[Effect]:
        new = source not in self._heard
        if new and len(self._heard) >= MOST_NEIGHBOURS:
            return []
        self._heard[source] = now
        self._suspects -= {source}
        if not new:
            return []
        self._advertise_soon(now)
        if self._neighbour is None:
            self._neighbour = source
            return [Found(source)]
        self._doubt(self._heard.keys() - {source}, now)
        return [Crowded(self._neighbour, self._others())]

    # Doubting

    def _doubt(self, suspects: Iterable[IPv6Address], now: float) -> None:
        """Is the neighbour still there, now that there is another router? Whoever is answers solicitations."""
        if self._in_use or not self._others():
            return
        self._suspects, self._doubt_until = frozenset(suspects), now + DOUBT_SECONDS
        self._solicit_from(now)

    def _drop_the_silent(self, now: float) -> list[Effect]:
        if self._in_use:
            return []
        gone_by_now = {router for router, at in self._heard.items() if at + FORGET_SECONDS <= now}
        if self._doubt_until is not None and self._doubt_until <= now:
            self._doubt_until = None
            gone_by_now |= self._suspects
        for router in gone_by_now:
            self._heard.pop(router, None)
        if self._neighbour is None or self._neighbour in self._heard:
            return []
        gone, self._neighbour = self._neighbour, min(self._heard, default=None)
        self._reason = f"the neighbour {gone} has stopped to advertise itself"
        follows = [Found(self._neighbour)] if self._neighbour is not None else []
        return [Lost(self._reason), *follows]

    def _others(self) -> tuple[IPv6Address, ...]:
        return tuple(sorted(self._heard.keys() - {self._neighbour}))

    # Sending

    def _advertise(self, now: float) -> Effect:
        assert self._link is not None
        self._advertised_at = now
        self._initial_left = max(0, self._initial_left - 1)
        wait = INITIAL_SECONDS if self._initial_left else ADVERTISE_SECONDS * self._rng.uniform(0.75, 1.0)
        self._advertise_at = now + wait
        return self._send(ALL_NODES, RouterAdvertisement(0, self._link.mac))

    def _advertise_soon(self, now: float) -> None:
        """After a random delay, so that several routers do not answer at once (RFC 4861 §6.2.6)."""
        at = now + self._rng.uniform(0, LONGEST_ANSWER_DELAY_SECONDS)
        if self._advertised_at is not None:
            at = max(at, self._advertised_at + LEAST_SPACING_SECONDS)
        self._advertise_at = at if self._advertise_at is None else min(self._advertise_at, at)

    def _solicit_from(self, now: float) -> None:
        self._solicit_at, self._solicit_wait = now, SOLICIT_FIRST_SECONDS

    def _solicit(self, now: float) -> Effect:
        assert self._link is not None
        self._solicit_at = now + self._solicit_wait
        self._solicit_wait = min(2 * self._solicit_wait, SOLICIT_LONGEST_SECONDS)
        return self._send(ALL_ROUTERS, RouterSolicitation(self._link.mac))

    def _send(self, destination: IPv6Address, outgoing: message.Message) -> Send:
        self._sent += 1
        return Send(destination, message.encode(outgoing))
