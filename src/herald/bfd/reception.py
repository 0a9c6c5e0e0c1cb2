"""To which session a packet belongs, or why none gets it: RFC 5880 §6.3 and §6.8.6, RFC 5881 §3 and §5, RFC 5883 §4.

Whatever comes is hostile until it is found to belong to a session: it has come over one hop where that is so
configured, it is a packet, and it names a discriminator of ours, or comes from an end that is configured. Over several
hops the sender's address must be the configured one as well: there, nothing else tells a neighbor from a stranger.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from herald.bfd import control_packet, echo
from herald.bfd.control_packet import ControlPacket, PacketError, Refusal
from herald.bfd.path import HIGHEST_TTL, Address, Datagram, Hops, Lane, Path
from herald.bfd.session import Session


class Drop(Enum):
    """Why a packet that could be read goes to no session."""

    TTL = "TTL too low"
    NO_SESSION = "no session"
    OTHER_PATH = "another path"


Reason: TypeAlias = Drop | Refusal
InterfaceIndex: TypeAlias = Callable[[str], int | None]
"""The present index of an interface, None if there is none of that name."""


@dataclass(frozen=True, slots=True)
class Meant:
    """The packet and the session that it is for."""

    session: Session
    packet: ControlPacket


class Reception:
    """All sessions, as packets find them; counts what finds none."""

    def __init__(self, rng: random.Random, interface_index: InterfaceIndex) -> None:
        self._rng = rng
        self._interface_index = interface_index
        self._by_discriminator: dict[int, Session] = {}
        self._by_ends: dict[tuple[Lane, Address], list[Session]] = {}
        self.dropped: Counter[Reason] = Counter()
        self.below_minimum_ttl: dict[int, int] = {}
        """The TTL of the last packet that a session refused for it, by discriminator."""

    def new_discriminator(self) -> int:
        """One that no session has: random, so that an old packet does not find a new session."""
        while True:
            drawn = self._rng.getrandbits(32)
            if drawn and drawn not in self._by_discriminator:
                return drawn

    def add(self, session: Session) -> None:
        """Packets may be for this session from now on."""
        self._by_discriminator[session.discriminator] = session
        self._by_ends.setdefault(_ends(session.path), []).append(session)

    def remove(self, session: Session) -> None:
        """No more packets are for this one."""
        del self._by_discriminator[session.discriminator]
        same = self._by_ends[_ends(session.path)]
        same.remove(session)
        if not same:
            del self._by_ends[_ends(session.path)]
        self.below_minimum_ttl.pop(session.discriminator, None)

    def sessions(self) -> Iterator[Session]:
        """All of them."""
        return iter(self._by_discriminator.values())

    def of_echo(self, data: bytes) -> Session | None:
        """The session that an echo names, if there is one; whether the echo is its own it will find out."""
        discriminator = echo.discriminator_of(data)
        return None if discriminator is None else self._by_discriminator.get(discriminator)

    def find(self, lane: Lane, datagram: Datagram) -> Meant | Reason:
        """Whose packet this is. What is nobody's is counted."""
        found = self._find(lane, datagram)
        if not isinstance(found, Meant):
            self.dropped[found] += 1
        return found

    def _find(self, lane: Lane, datagram: Datagram) -> Meant | Reason:
        if lane.hops is Hops.SINGLE and datagram.ttl != HIGHEST_TTL:
            return Drop.TTL
        try:
            packet = control_packet.decode(datagram.data)
        except PacketError as error:
            return error.refusal
        named = packet.your_discriminator
        session = self._by_discriminator.get(named) if named else self._by_sender(lane, datagram)
        if session is None:
            return Drop.NO_SESSION
        if not self._is_on_path(session.path, lane, datagram):
            return Drop.OTHER_PATH
        if lane.hops is Hops.MULTI and datagram.ttl < session.profile.minimum_ttl:
            self.below_minimum_ttl[session.discriminator] = datagram.ttl
            return Drop.TTL
        return Meant(session, packet)

    def _by_sender(self, lane: Lane, datagram: Datagram) -> Session | None:
        """The session with the sender; one that is bound to the interface before one that is not."""
        candidates = self._by_ends.get((lane, datagram.source), ())
        fitting = [one for one in candidates if self._is_on_path(one.path, lane, datagram)]
        return next((one for one in fitting if one.path.interface is not None), next(iter(fitting), None))

    def _is_on_path(self, path: Path, lane: Lane, datagram: Datagram) -> bool:
        if Lane.of(path) != lane:
            return False
        if path.interface is not None and self._interface_index(path.interface) != datagram.interface_index:
            return False
        if path.local is not None and datagram.destination not in (None, path.local):
            return False
        return lane.hops is Hops.SINGLE or datagram.source == path.peer


def _ends(path: Path) -> tuple[Lane, Address]:
    return Lane.of(path), path.peer
