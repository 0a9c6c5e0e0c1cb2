"""Taking the connections that BGP peers dial (`--bgp-listen`), and telling those that are none from those that are.

There is one `Door` for each place to listen at and each VRF of a peer. A connection from an address that is no peer's
is reset at once: counted, and told in the log every `TELL_EVERY` seconds at most, however many there are. So nobody but
a peer can have anything of ours half open, and a peer has one connection at a time (`Peering.accept`).
"""

import asyncio
import logging
import socket
import struct
from collections import Counter
from collections.abc import Callable
from enum import Enum
from typing import Any, Final

from herald.bgp.family import Address
from herald.bgp.parameters import PeerParameters
from herald.bgp.snapshot import SessionSnapshot
from herald.engine import tcp
from herald.engine.door import Caller, Door, Place
from herald.engine.listen_address import ListenAddress

TELL_EVERY: Final = 10.0
TRY_AGAIN_AFTER: Final = 3.0
"""Seconds until a door that could not be opened is tried again: whoever has the port may be gone."""
AT_ONCE: Final = 16
"""Connections that are looked at before it is somebody else's turn."""

OFF: Final = "this speaker takes no BGP connections; start it with --bgp-listen"

_log: Final = logging.getLogger("herald.engine.bgp")


class Refused(Enum):
    """Why a connection was reset; the value is what programs read."""

    UNKNOWN = "not a peer"
    OTHER_ADDRESS = "not to the sourceAddress of the peer"
    NOT_PREPARED = "could not be prepared"
    BUSY = "the one before it was not looked at yet"


class Listener:
    """The doors, and who is expected at them. Without places it only says that there is none."""

    def __init__(
        self,
        places: tuple[ListenAddress, ...],
        on_connection: Callable[[socket.socket, PeerParameters], bool],
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        """`on_connection` is given a connection of a peer, prepared, and says whether it takes it.

        `on_change` is called when doors that were shut are opened.
        """
        self._places = places
        self._on_connection = on_connection
        self._on_change = on_change
        self._peers: dict[str, PeerParameters] = {}
        self._doors: dict[Place, Door] = {}
        self._shut: dict[Place, str] = {}
        self._again: asyncio.TimerHandle | None = None
        self.accepted = 0
        self.refused: Counter[Refused] = Counter()
        self._untold = 0
        self._tell_at = 0.0

    def follow(self, parameters: PeerParameters) -> None:
        """Expect this peer as it is configured now, or no longer, where it has no address."""
        if self._peers.get(parameters.name) != parameters:
            self._peers[parameters.name] = parameters
            self._settle()

    def drop(self, name: str) -> None:
        """Expect this peer no longer."""
        if self._peers.pop(name, None) is not None:
            self._settle()

    def look_again(self) -> None:
        """Devices or addresses of this host are others now."""
        self._settle()

    def refusal(self, name: str) -> str | None:
        """Why no connection of this peer would be taken, or None if one would be."""
        if not self._places:
            return OFF
        peer = self._peers.get(name)
        if peer is None or peer.peer_address is None:
            return "its address is not known"
        places = [place for place in self._wanted() if _is_for(place, peer)]
        reasons = [self._shut.get(place) or self._doors[place].refusals.get(name) for place in places]
        if not reasons:
            return (
                f"no address of --bgp-listen is one that it could dial: {', '.join(one.text for one in self._places)}"
            )
        return None if None in reasons else reasons[0]

    def document(self) -> Any:
        """Where it listens, and what it has counted; None without."""
        if not self._places:
            return None
        return {
            "at": [_text(place) for place in self._doors],
            "shut": sorted(self._shut.values()),
            "accepted": self.accepted,
            "refused": {reason.value: count for reason, count in self.refused.items()},
        }

    def counts(self) -> Any:
        """What metrics are made of: every reason, also one that was never needed; None without places."""
        if not self._places:
            return None
        refused = {reason.value: self.refused[reason] for reason in Refused}
        return {"accepted": self.accepted, "refused": refused, "shut": len(self._shut)}

    def close(self) -> None:
        """Take nothing any more."""
        self._peers = {}
        self._settle()

    def _wanted(self) -> list[Place]:
        known = [peer for peer in self._peers.values() if peer.peer_address is not None]
        vrfs = dict.fromkeys(peer.vrf for peer in known)
        places = [(where, vrf) for vrf in vrfs for where in self._places]
        return [place for place in places if any(_is_for(place, peer) for peer in known)]

    def _settle(self) -> None:
        """Have the doors that are needed, and let in by each who is expected there."""
        wanted = self._wanted()
        for place in tuple(self._doors):
            if place not in wanted:
                self._shut_door(place)
        self._shut = {place: why for place, why in self._shut.items() if place in wanted}
        for place in wanted:
            peers = tuple(peer for _, peer in sorted(self._peers.items()) if _is_for(place, peer))
            self._open(place, peers)
        if self._again is not None:
            self._again.cancel()
        again = asyncio.get_running_loop().call_later(TRY_AGAIN_AFTER, self._try_again) if self._shut else None
        self._again = again

    def _open(self, place: Place, peers: tuple[PeerParameters, ...]) -> None:
        door = self._doors.get(place)
        refused = door.refusals if door is not None else {}
        if door is not None and door.checks(peers):
            door.admit(peers)
        else:
            door = self._replace(place, peers)
        for name, why in door.refusals.items() if door is not None else ():
            if refused.get(name) != why:
                extra = {"event": "peerNotAccepted", "peer": name, "reason": why}
                _log.warning("BGP peer %s: %s", name, why, extra=extra)

    def _replace(self, place: Place, peers: tuple[PeerParameters, ...]) -> Door | None:
        """A new door, in the place of the one that there is, if there is one; None if it cannot be had."""
        was_open = place in self._doors
        if was_open:
            self._shut_door(place)
        try:
            door = Door(place, peers)
        except OSError as error:
            self._note_shut(place, error.strerror or str(error))
            return None
        self._doors[place] = door
        self._shut.pop(place, None)
        self._watch(door)
        if not was_open:
            where = _text(place)
            _log.info("BGP connections are taken at %s", where, extra={"event": "bgpListening", "at": where})
        return door

    def _watch(self, door: Door) -> None:
        if self._doors.get(door.place) is door:
            asyncio.get_running_loop().add_reader(door.fileno(), self._take, door)

    def _note_shut(self, place: Place, why: str) -> None:
        if self._shut.get(place) != why:
            self._shut[place] = why
            _log.error("%s", why, extra={"event": "bgpNotListening", "reason": why})

    def _shut_door(self, place: Place) -> None:
        door = self._doors.pop(place)
        asyncio.get_running_loop().remove_reader(door.fileno())
        door.close()

    def _try_again(self) -> None:
        self._again = None
        before = tuple(self._shut)
        self._settle()
        if tuple(self._shut) != before:
            self._on_change()

    def _take(self, door: Door) -> None:
        """Look at who waits, some at a time."""
        for _ in range(AT_ONCE):
            try:
                found = door.accept()
            except OSError as error:  # no descriptors: who waits goes on waiting
                _log.warning("a BGP connection cannot be taken: %s", error, extra={"event": "bgpNotAccepted"})
                asyncio.get_running_loop().remove_reader(door.fileno())
                asyncio.get_running_loop().call_later(TRY_AGAIN_AFTER, self._watch, door)
                return
            if found is None:
                return
            sock, caller, own = found
            reason = self._look_at(sock, door.expects.get(caller), own)
            if reason is not None:
                _reset(sock)
                self._note_refused(reason, caller)

    def _look_at(self, sock: socket.socket, peer: PeerParameters | None, own: Address) -> Refused | None:
        if peer is None:
            return Refused.UNKNOWN
        if peer.source_address is not None and own != peer.source_address:
            return Refused.OTHER_ADDRESS
        try:
            tcp.prepare(sock, peer)
        except OSError:
            return Refused.NOT_PREPARED
        if not self._on_connection(sock, peer):
            return Refused.BUSY
        self.accepted += 1
        return None

    def _note_refused(self, reason: Refused, caller: Caller) -> None:
        self.refused[reason] += 1
        self._untold += 1
        now = asyncio.get_running_loop().time()
        if now < self._tell_at:
            return
        count, self._untold, self._tell_at = self._untold, 0, now + TELL_EVERY
        extra = {"event": "bgpRefused", "ip": caller[0], "reason": reason.value, "count": count}
        more = f" ({count} since the last line like this)" if count > 1 else ""
        _log.warning("a BGP connection from %s was refused: %s%s", caller[0], reason.value, more, extra=extra)


def why_waiting(session: SessionSnapshot, refusal: str | None) -> str | None:
    """What a session waits for, and of a passive one why it waits in vain; None if for nothing but time.

    `refusal`: why connections of the peer are not taken, if so.
    """
    waits_for = session.waits_for
    if waits_for is None or not session.neighbor.passive or refusal is None:
        return waits_for
    if waits_for.startswith("waiting for BFD"):
        return f"{waits_for}, and the peer, which must dial (passive), could not: {refusal}"
    return f"{waits_for}: {refusal}"


def _is_for(place: Place, peer: PeerParameters) -> bool:
    """Whether the peer may come in there: it is of the family and the VRF, and its sourceAddress is not another one."""
    where, vrf = place
    if peer.peer_address is None or vrf != peer.vrf or peer.peer_address.version != where.address.version:
        return False
    return peer.source_address is None or where.takes(peer.source_address)


def _text(place: Place) -> str:
    where, vrf = place
    return where.text if vrf is None else f"{where.text} in VRF {vrf}"


def _reset(sock: socket.socket) -> None:
    """Without waiting for anything: the other end learns at once, and nothing of it stays here."""
    if sock.fileno() >= 0:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
