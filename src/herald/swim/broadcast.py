"""News that is passed on a few times, in whatever packet has room for it."""

from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Final, TypeAlias

SPARE: Final = 256
"""Ranks of news that is old already, kept before they are swept out."""


@dataclass(slots=True)
class _News:
    octets: bytes
    serial: int
    sent: int = 0


_Rank: TypeAlias = tuple[int, int, int, str]
"""How often it was sent, the longer first, the newer first; whom it is about."""


class BroadcastQueue:
    """The latest news about each member, least often sent first.

    A node that has just joined a large group has news of everybody: what does not go out is not looked at.
    """

    def __init__(self) -> None:
        self._news: dict[str, _News] = {}
        self._ranks: list[_Rank] = []
        self._serial = count()

    def __len__(self) -> int:
        return len(self._news)

    def put(self, name: str, octets: bytes) -> None:
        """News about the member of that name; what was said of it before is old."""
        self._news[name] = news = _News(octets, next(self._serial))
        self._rank(name, news)

    def take(self, room: int, most: int, limit: int, *, counts: bool = True) -> list[bytes]:
        """Up to `most` messages that fit into `room` octets with 2 more each. After `limit` times news is old.

        Not `counts`: they stay as fresh as they are.
        """
        taken: list[tuple[str, _News]] = []
        too_long: list[_Rank] = []
        while self._ranks and len(taken) < most and room > 2:
            rank = heappop(self._ranks)
            name = rank[3]
            news = self._news.get(name)
            if news is None or (news.sent, -news.serial) != (rank[0], rank[2]):
                continue  # there is later news of that member
            if len(news.octets) + 2 > room:
                too_long.append(rank)
                continue
            room -= len(news.octets) + 2
            taken.append((name, news))
        for rank in too_long:
            heappush(self._ranks, rank)
        for name, news in taken:
            news.sent += counts
            if news.sent >= limit:
                del self._news[name]
            else:
                self._rank(name, news)
        return [news.octets for _, news in taken]

    def _rank(self, name: str, news: _News) -> None:
        heappush(self._ranks, (news.sent, -len(news.octets), -news.serial, name))
        if len(self._ranks) > 2 * len(self._news) + SPARE:  # somebody changes faster than news goes out
            self._ranks = [(one.sent, -len(one.octets), -one.serial, each) for each, one in self._news.items()]
            heapify(self._ranks)
