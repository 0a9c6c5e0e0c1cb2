"""What a watch says of the objects of one kind, where one thing of each is all that matters."""

from collections.abc import Callable
from typing import Generic, TypeVar

from herald.store.kubernetes.refusals import Refusals
from herald.store.kubernetes.watch_events import NO_JSON, Fact, ListBegun, ListEnded, Present, Put, Remove

T = TypeVar("T")


class Listed(Generic[T]):
    """What `read` makes of each object, by name; `unreadable` stands for one that cannot be understood.

    A list that has not ended replaces nothing, and trouble takes nothing away: what was known stays known.
    """

    def __init__(self, read: Callable[[bytes], T], unreadable: T, refusals: Refusals) -> None:
        self.items: dict[str, T] = {}
        self.is_known = False
        """Whether all were listed at least once."""
        self._seen: set[str] = set()
        self._read = read
        self._unreadable = unreadable
        self._refusals = refusals

    def take(self, fact: Fact) -> None:
        """One thing that the watch says."""
        self._refusals.take(fact)
        match fact:
            case ListBegun():
                self._seen = set()
            case Present() | Put():
                self._seen.add(fact.identity.name)
                self.items[fact.identity.name] = self._understood(fact.raw)
            case Remove():
                self.items.pop(fact.identity.name, None)
            case ListEnded():
                self.items = {name: item for name, item in self.items.items() if name in self._seen}
                self.is_known = True

    def _understood(self, raw: bytes) -> T:
        try:
            return self._read(raw)
        except NO_JSON:
            return self._unreadable
