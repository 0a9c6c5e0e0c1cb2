"""News that is passed on a few times, in whatever packet has room for it."""

from dataclasses import dataclass
from itertools import count


@dataclass(slots=True)
class _News:
    octets: bytes
    serial: int
    sent: int = 0


class BroadcastQueue:
    """The latest news about each member, least often sent first."""

    def __init__(self) -> None:
        self._news: dict[str, _News] = {}
        self._serial = count()

    def __len__(self) -> int:
        return len(self._news)

    def put(self, name: str, octets: bytes) -> None:
        """News about the member of that name; what was said of it before is old."""
        self._news[name] = _News(octets, next(self._serial))

    def take(self, room: int, most: int, limit: int) -> list[bytes]:
        """Up to `most` messages that fit into `room` octets with 2 more each. After `limit` times news is old."""
        if not self._news:
            return []
        taken: list[bytes] = []
        ordered = sorted(self._news.items(), key=lambda item: (item[1].sent, -len(item[1].octets), -item[1].serial))
        for name, news in ordered:
            if len(taken) == most or room <= 2:
                break
            if len(news.octets) + 2 > room:
                continue
            room -= len(news.octets) + 2
            taken.append(news.octets)
            news.sent += 1
            if news.sent >= limit:
                del self._news[name]
        return taken
