"""Which key to seal with, towards whom, while the secret changes.

Everybody seals towards another with the newest key that it has heard from there: that one can read it.

    heard from there lately        packets                         streams that we open
    with a key                     that key                        that key
    nothing                        once with each key              the last heard before; after a stream that failed
                                                                   any by chance: who cannot read it hangs up, and is
                                                                   asked again before long

*Lately*: since it last left a question of ours unanswered; it may have been started again, and with another key. Lost
packets look the same, and there a stream is what still gets through: it has one try, so it takes the likeliest. What
is known is forgotten too when another key begins to seal. So those who only had not used the new key yet are asked with
both, and answer with the newer; those who have only the old one go on to be told with that, as long as it is known.

With one key, which is nearly always, there is nothing to choose.
"""

import random
from dataclasses import replace
from typing import Final

from herald.swim.keyring import Key, Keyring
from herald.swim.member import Endpoint
from herald.swim.packet import Wrapping

MOST_KEPT: Final = 8192
"""Endpoints; of the oldest nothing is known any more."""


class KeysHeard:
    """See the head of the module. `wrapping` holds the keys that count."""

    def __init__(self, wrapping: Wrapping, rng: random.Random) -> None:
        self.wrapping = wrapping
        self._rng = rng
        self._heard: dict[Endpoint, Key] = {}
        self._before: dict[Endpoint, Key] = {}
        self._with: dict[Key, Wrapping] = {}

    def set_wrapping(self, wrapping: Wrapping) -> None:
        """These keys count from now on."""
        before, after = self.wrapping.keyring, wrapping.keyring
        self.wrapping = wrapping
        self._with.clear()
        if before is None or after is None or before.sealing != after.sealing:
            self._heard.clear()
            self._before.clear()
        elif before.keys != after.keys:
            self._heard = {place: key for place, key in self._heard.items() if key in after.keys}
            self._before = {place: key for place, key in self._before.items() if key in after.keys}

    def heard(self, source: Endpoint, key: Key | None) -> None:
        """What came from there was sealed with that key; None: it was not sealed."""
        ring, known = self.wrapping.keyring, self._heard.get(source)
        if ring is None or key is None or key is known or key not in ring.keys:
            return
        if known is None or ring.keys.index(key) <= ring.keys.index(known):
            _keep(self._heard, source, key)

    def silent(self, place: Endpoint) -> None:
        """A packet there was not answered."""
        key = self._heard.pop(place, None)
        if key is not None:
            _keep(self._before, place, key)

    def unread(self, place: Endpoint) -> None:
        """A stream that we opened to there failed."""
        self._heard.pop(place, None)
        self._before.pop(place, None)

    def for_packet(self, to: Endpoint) -> tuple[Wrapping, ...]:
        """How to wrap a packet to there: it is sent once with each."""
        ring = self._several()
        if ring is None:
            return (self.wrapping,)
        key = self._heard.get(to)
        return tuple(self.sealed_with(one) for one in (ring.keys if key is None else (key,)))

    def for_stream(self, to: Endpoint) -> Wrapping:
        """How to wrap what is said first on a stream to there."""
        ring = self._several()
        if ring is None:
            return self.wrapping
        return self.sealed_with(self._heard.get(to) or self._before.get(to) or self._rng.choice(ring.keys))

    def sealed_with(self, key: Key | None) -> Wrapping:
        """How to answer what was sealed with that key."""
        ring = self._several()
        if ring is None or key is None or key not in ring.keys:
            return self.wrapping
        if key not in self._with:
            self._with[key] = replace(self.wrapping, keyring=ring.sealed_with(key))
        return self._with[key]

    def _several(self) -> Keyring | None:
        ring = self.wrapping.keyring
        return ring if ring is not None and len(ring.keys) > 1 and self.wrapping.verify_outgoing else None


def _keep(known: dict[Endpoint, Key], place: Endpoint, key: Key) -> None:
    known[place] = key
    if len(known) > MOST_KEPT:
        del known[next(iter(known))]
