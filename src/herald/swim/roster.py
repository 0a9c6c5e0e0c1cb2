"""Everybody who is known, in the order in which they are probed."""

import random
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from herald.swim.member import Endpoint, Member, State

MOST_MEMBERS: Final = 8192
DRAWS: Final = 3
"""For each member to be picked, before the whole roster is gone through."""


class Roster:
    """The members by name, this node among them; those that are dead or left stay for a while."""

    def __init__(self, own: str, rng: random.Random) -> None:
        self._own = own
        self._rng = rng
        self._members: dict[str, Member] = {}
        self._order: list[str] = []
        self._next = 0

    def __len__(self) -> int:
        return len(self._members)

    def __iter__(self) -> Iterator[Member]:
        return iter(self._members.values())

    def get(self, name: str) -> Member | None:
        """The member of that name."""
        return self._members.get(name)

    def add(self, member: Member) -> None:
        """A member that is new; it is probed at a random place of the round."""
        self._members[member.name] = member
        place = self._rng.randrange(len(self._order) + 1)
        self._order.insert(place, member.name)

    def replace(self, member: Member) -> None:
        """Another one bears that name now; its turn to be probed stays."""
        self._members[member.name] = member

    def add_all(self, members: Iterable[Member]) -> None:
        """Many at once that are new; the round begins anew."""
        self._members |= {one.name: one for one in members}
        self._order = list(self._members)
        self._rng.shuffle(self._order)
        self._next = 0

    def next_to_probe(self, forgotten_before: float) -> tuple[Member | None, list[Member]]:
        """Who is to be probed next, and who was forgotten because a round ended.

        Forgotten are those dead or left since before `forgotten_before`. One round at most is looked through.
        """
        forgotten: list[Member] = []
        for _ in range(len(self._order) + 1):
            if self._next >= len(self._order):
                forgotten += self._begin_round(forgotten_before)
            name = self._order[self._next]
            self._next += 1
            member = self._members[name]
            if name != self._own and member.state.present:
                return member, forgotten
        return None, forgotten

    def _begin_round(self, forgotten_before: float) -> list[Member]:
        gone = [one for one in self if not one.state.present and one.since < forgotten_before]
        for one in gone:
            del self._members[one.name]
        self._order = list(self._members)
        self._rng.shuffle(self._order)
        self._next = 0
        return gone

    def pick(self, most: int, wanted: Callable[[Member], bool]) -> list[Member]:
        """Up to `most` members at random that are wanted; never this node."""
        if most * DRAWS * 4 < len(self._order):
            drawn = self._draw(most, wanted)
            if len(drawn) == most:
                return drawn
        found = [one for one in self if one.name != self._own and wanted(one)]
        return found if len(found) <= most and most > 1 else self._rng.sample(found, min(most, len(found)))

    def _draw(self, most: int, wanted: Callable[[Member], bool]) -> list[Member]:
        """In a large group nearly everybody is wanted: a few draws find enough, and nobody looks at all of them."""
        drawn: dict[str, Member] = {}
        for _ in range(most * DRAWS):
            name = self._rng.choice(self._order)
            member = self._members[name]
            if name != self._own and name not in drawn and wanted(member):
                drawn[name] = member
                if len(drawn) == most:
                    break
        return list(drawn.values())

    def at(self, endpoint: Endpoint) -> Member | None:
        """The present member that listens there."""
        return next((one for one in self if one.endpoint == endpoint and one.state.present), None)

    def alive(self) -> list[Member]:
        """Those that are alive, this node among them."""
        return [one for one in self if one.state is State.ALIVE]
