"""Which streams of others are kept, while nobody knows yet whether they have the key.

Whoever reaches the port can open streams, say nothing, or say that four megabytes are coming. So there are only so
many streams, so many from one address, and so many octets in all; where there are too many, the oldest that has not
yet brought its message is closed. Who means it brings its message at once, so it is not the oldest for long.

    streams        `MOST_STREAMS`, at most half of them of strangers
    of an address  `MOST_OF_STRANGER`, of an address where a member is or should be `MOST_OF_KNOWN`
    octets         `MOST_OCTETS`; of strangers first, whoever holds most
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from herald.swim.member import Address

MOST_STREAMS: Final = 128
MOST_OF_STRANGERS: Final = MOST_STREAMS // 2
MOST_OF_STRANGER: Final = 8
MOST_OF_KNOWN: Final = 32
MOST_OCTETS: Final = 8 * 1024 * 1024


@dataclass(slots=True)
class _Stream:
    number: int
    address: Address
    is_known: bool
    octets: int = 0
    has_said: bool = False


class Door:
    """The streams that are open now, by number. Nothing is closed here: it is said which are to be."""

    def __init__(self) -> None:
        self._streams: dict[int, _Stream] = {}
        self._octets = 0

    def __len__(self) -> int:
        return len(self._streams)

    @property
    def octets(self) -> int:
        """Held for all that have not yet brought their message."""
        return self._octets

    def open(self, number: int, address: Address, *, is_known: bool) -> list[int]:
        """A new one from there. Which are to be closed for it: they are forgotten; it may be this one itself."""
        new = self._streams[number] = _Stream(number, address, is_known)
        closed = []
        while crowd := self._crowd(new):
            # Those who have said what they want are few and soon gone; the new one is always among the others.
            victim = next(one for one in crowd if not one.has_said)
            self.close(victim.number)
            closed.append(victim.number)
            if victim is new:
                break
        return closed

    def _crowd(self, new: _Stream) -> list[_Stream]:
        """Streams of which there are too many because of the new one, the oldest first."""
        own = [one for one in self._streams.values() if one.address == new.address]
        if len(own) > (MOST_OF_KNOWN if new.is_known else MOST_OF_STRANGER):
            return own
        strangers = [one for one in self._streams.values() if not one.is_known]
        if len(strangers) > MOST_OF_STRANGERS and not new.is_known:
            return strangers
        return list(self._streams.values()) if len(self._streams) > MOST_STREAMS else []

    def hold(self, number: int, octets: int) -> list[int]:
        """So much is held for it now. Which are to be closed for that: they are forgotten; it may be this one."""
        stream = self._streams.get(number)
        if stream is None:
            return []
        self._octets += octets - stream.octets
        stream.octets = octets
        closed = []
        while self._octets > MOST_OCTETS:
            victim = max(self._waiting(), key=lambda one: (not one.is_known, one.octets))
            self.close(victim.number)
            closed.append(victim.number)
        return closed

    def _waiting(self) -> Iterable[_Stream]:
        return (one for one in self._streams.values() if not one.has_said)

    def said(self, number: int) -> None:
        """It has brought a message, and nothing more is taken from it."""
        stream = self._streams.get(number)
        if stream is not None:
            stream.has_said = True
            self._octets -= stream.octets
            stream.octets = 0

    def close(self, number: int) -> None:
        """It is gone, if it was there."""
        stream = self._streams.pop(number, None)
        if stream is not None:
            self._octets -= stream.octets
