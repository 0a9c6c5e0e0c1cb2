"""The link between control and engine: its messages and how they travel.

Control decides, the engine owns the network; this is all they say to each other.

    control → engine     Apply    what this node is to announce: a change, or the whole wish
                         Join     where other speakers may be found
                         Leave    withdraw everything in good order and exit
                         Moved    why addresses came here or went, for the history
                         Tell     what every other speaker is to know of this one (failback, flapDamping)
                         Watch    which nodes this one and they are to watch closely (fastFailover)
                         Pulse    that it lives
                         Departing    whether a signal that ends the engine means that its routes are to go
    engine → control     Ready    the engine of this node is there and has no wish from this connection yet
                         Facts    what it sees: live speakers, interfaces, sessions, conflicts, addresses not answered

The engine listens on a Unix stream socket whose listening end the supervisor made and keeps open (see
`herald.speaker.supervisor`), so that a restarted engine finds the connections that waited meanwhile. Control connects
by path (`connect`) and after a loss connects again; the newest connection is the one that counts. After `Ready` control
sends the whole wish, `Apply(reset=True)`: what is already so costs nothing on the wire. When a connection ends the
engine keeps the last wish.

    +-----------------------+------------------------------------------+
    |  length, 4 octets,    |  one message in msgpack, see             |
    |  most significant 1st |  `herald.engine.codec`                   |
    +-----------------------+------------------------------------------+

A large `Apply` travels in parts (`complete=False` on all but the last), so that the engine reads it in slices and
answers ARP in between. A part is never acted upon before the last has come. Passwords cross this link and no other.
"""

import asyncio
import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from herald.bgp.event import Leaving
from herald.bgp.family import Prefix
from herald.bgp.parameters import PeerParameters
from herald.bgp.route import Route
from herald.engine.codec import Codec, DecodeError
from herald.layer2.conflict import Conflict
from herald.layer2.holding import Address, Holding

PART: Final = 100
"""Holdings, routes and withdrawals in one part of an `Apply`; the engine takes in each in a millisecond or two."""
LARGEST_MESSAGE: Final = 4 * 1024 * 1024
PULSE_S: Final = 2.0

_LENGTH: Final = struct.Struct("!I")


class LinkError(Exception):
    """The other end sent what is not a message, or is not who may talk. The connection is of no further use."""


@dataclass(frozen=True, slots=True)
class PeerRoutes:
    """A change to the routes towards the peer of that name; `replace`: `upserts` are all there is to be."""

    peer: str
    upserts: tuple[Route, ...] = ()
    withdrawn: tuple[Prefix, ...] = ()
    replace: bool = False


@dataclass(frozen=True, slots=True)
class Handover:
    """The address is the node `to`'s from now on, and answered for until that one announces it."""

    address: Address
    to: str


@dataclass(frozen=True, slots=True)
class Apply:
    """A change to the wish; with `reset`, the whole wish: what it does not name is to be gone.

    Of an address that is dropped `handovers` may say who has it next; without that it is gone at once.
    `holdings` and `peers` are new or changed ones, keyed by address and name. `routes` may name one peer several times;
    then the entries count in order. Routes for a peer that is not known are kept until the peer comes.
    """

    reset: bool = False
    holdings: tuple[Holding, ...] = ()
    holdings_dropped: tuple[Address, ...] = ()
    peers: tuple[PeerParameters, ...] = ()
    peers_dropped: tuple[str, ...] = ()
    routes: tuple[PeerRoutes, ...] = ()
    complete: bool = True
    handovers: tuple[Handover, ...] = ()


@dataclass(frozen=True, slots=True)
class Leave:
    """Mark this node as left, stop answering, close the sessions with a Cease, exit."""

    reason: str


@dataclass(frozen=True, slots=True)
class Departing:
    """How the engine is to leave its peers when a signal ends it: what is known of the time after, and why, in words.

    Until it is told, it takes it that it comes back.
    """

    leaving: Leaving
    reason: str


@dataclass(frozen=True, slots=True)
class Moved:
    """Why this node took addresses, or let them go: who led before, who leads now (None: nobody), and why in words.

    `previous_gone`: control counted the speaker that led before as gone when it decided. For the history only; it may
    come late, or not at all.
    """

    addresses: tuple[Address, ...]
    previous: str | None
    owner: str | None
    cause: str
    previous_gone: bool = False


@dataclass(frozen=True, slots=True)
class Join:
    """Where other speakers may be found: all the addresses known now, each time; the engine joins whom it misses.

    IPv4 or IPv6 addresses as text; another port than the group's is appended as in `10.0.0.1:7000`, `[fc00::1]:7000`.
    """

    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tell:
    """What control tells the control of every other speaker, see `herald.announcement.told`: all of it, each time."""

    note: bytes = b""


@dataclass(frozen=True, slots=True)
class Watch:
    """The nodes that this one is to watch closely, and they it: all of them, each time, sorted."""

    nodes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pulse:
    """Control decides and sends: told every `PULSE_S` by the task that does so, see `herald.engine.attendance`."""


@dataclass(frozen=True, slots=True)
class Ready:
    """The first message of the engine on a connection."""

    node: str
    pid: int


@dataclass(frozen=True, slots=True)
class Member:
    """A live speaker and the names of its usable interfaces, None if they are not known.

    `note` is what its control told last; None if that speaker is not Herald's.
    """

    node: str
    interfaces: frozenset[str] | None = None
    note: bytes | None = b""


@dataclass(frozen=True, slots=True)
class InterfaceFact:
    """An interface of this node. One that is `excluded` by name counts as not there.

    `eligible`: ARP is answered on it. `verdict` says it in words (`answers ARP`, `is down`, …). `ndp_eligible` and
    `ndp_verdict` say the same of NDP.
    """

    name: str
    up: bool
    carrier: bool
    excluded: bool
    eligible: bool
    verdict: str
    ndp_eligible: bool
    ndp_verdict: str


@dataclass(frozen=True, slots=True)
class SessionFact:
    """A BGP session. `reason` says why it is not established, in words, if anything is known.

    `since`: when it was established, or when the last one ended or the peer was configured; seconds since 1970. So
    long as it is the same, `established` has not changed meanwhile. `last_error` is the error that
    tells most of those since the session was up last; it outlives the next establishment. While a
    session waits for something that must come first, such as BFD in strict mode, it is that.
    `prefixes_sent` is told every few seconds while it changes. `bfd` is the state of the BFD session that watches over
    it (`Up`, `Down`, `Init`), empty without one. `unsent` says which routes an established session does not carry, and
    why; empty if it carries all.
    """

    peer: str
    established: bool
    state: str
    reason: str | None = None
    endpoint: str = ""
    since: float = 0.0
    last_error: str | None = None
    prefixes_sent: int = 0
    bfd: str = ""
    unsent: str = ""


@dataclass(frozen=True, slots=True)
class UnansweredHolding:
    """An address that was wished for and is answered on no interface, with the reason in words."""

    address: Address
    reason: str


@dataclass(frozen=True, slots=True)
class ClosedWay:
    """A way from one node to another, one of them this one, on which gossip does not arrive; by `udp` or `tcp`.

    `port` is the target's. Where the other is no member, its address stands for its name. `reason` in words.
    """

    source: str
    target: str
    protocol: str
    port: int
    reason: str

    @property
    def ends(self) -> str:
        """`node-a → node-b udp/7946`."""
        return f"{self.source} → {self.target} {self.protocol}/{self.port}"


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything the engine sees, whole each time; sent when something of it changed.

    `members` are the live speakers, sorted by node, this one included. `holdings` are those that are *not* answered;
    every other holding of the wish is. `closed` are the ways to and from this node on which gossip does not arrive.
    `left` are nodes that went by their own word, and are not back.

    `absent_at`: when the others last may have taken it that this node answers for nothing, without its knowing, in
    seconds of the monotonic clock; infinite: they do so now. None: never.
    """

    members: tuple[Member, ...] = ()
    interfaces: tuple[InterfaceFact, ...] = ()
    sessions: tuple[SessionFact, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    holdings: tuple[UnansweredHolding, ...] = ()
    closed: tuple[ClosedWay, ...] = ()
    left: frozenset[str] = frozenset()
    absent_at: float | None = None


Downward = Apply | Departing | Join | Leave | Moved | Pulse | Tell | Watch
Upward = Ready | Facts

Sent = TypeVar("Sent")
Received = TypeVar("Received")


class Channel(Generic[Sent, Received]):
    """One end of a connection."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, sent: Codec[Sent], received: Codec[Received]
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._sent = sent
        self._received = received

    async def send(self, message: Sent) -> None:
        """Give the message to the other end, waiting while that is slow. Raises ConnectionError when it is gone.

        An `Apply` goes in parts. Two tasks must not send at the same time.
        """
        for part in parts(message) if isinstance(message, Apply) else (message,):
            data = self._sent.encode(part)  # type: ignore[arg-type]  # a part of an Apply is an Apply
            self._writer.write(_LENGTH.pack(len(data)) + data)
            await self._writer.drain()

    async def receive(self) -> Received | None:
        """The next message, or None when the other end has closed. Raises `LinkError` and ConnectionError.

        Parts of an `Apply` are given one by one, see `Assembly`.
        """
        try:
            (length,) = _LENGTH.unpack(await self._reader.readexactly(_LENGTH.size))
            if length > LARGEST_MESSAGE:
                raise LinkError(f"a message of {length} octets; the largest is {LARGEST_MESSAGE}")
            data = await self._reader.readexactly(length)
        except asyncio.IncompleteReadError:
            return None
        try:
            return self._received.decode(data)
        except DecodeError as error:
            raise LinkError(str(error)) from error

    def close(self) -> None:
        """Close without waiting; what was sent is still delivered."""
        self._writer.close()

    def abort(self) -> None:
        """Close at once. Who waits in `send` gets a ConnectionError, even if the other end never reads again."""
        self._writer.transport.abort()


DOWNWARD: Final[Codec[Downward]] = Codec(Downward)
UPWARD: Final[Codec[Upward]] = Codec(Upward)


async def connect(path: Path) -> Channel[Downward, Upward]:
    """Control's end. Raises OSError while there is no engine."""
    reader, writer = await asyncio.open_unix_connection(path)
    return Channel(reader, writer, DOWNWARD, UPWARD)


def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Channel[Upward, Downward]:
    """The engine's end of a connection that came in. Raises `LinkError` if it is of another user than ours or root."""
    peer: socket.socket = writer.get_extra_info("socket")
    _, uid, _ = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    if uid not in (0, os.geteuid()):
        raise LinkError(f"user {uid} may not command the engine")
    return Channel(reader, writer, UPWARD, DOWNWARD)


def parts(apply: Apply, size: int = PART) -> Iterator[Apply]:
    """`apply` as one or more messages of about `size` things each; only the last is `complete`."""
    slices = list(_slices(apply, size)) or [Apply()]
    for number, one in enumerate(slices, start=1):
        yield replace(one, reset=apply.reset, complete=apply.complete and number == len(slices))


def _slices(apply: Apply, size: int) -> Iterator[Apply]:
    if apply.peers or apply.peers_dropped:
        yield Apply(peers=apply.peers, peers_dropped=apply.peers_dropped)
    for holdings in _batches(apply.holdings, size):
        yield Apply(holdings=holdings)
    handovers = {one.address: one for one in apply.handovers}
    for dropped in _batches(apply.holdings_dropped, size):
        handed_over = tuple(handovers[address] for address in dropped if address in handovers)
        yield Apply(holdings_dropped=dropped, handovers=handed_over)
    for routes in apply.routes:
        if routes.replace:  # first of all empty the table, then fill it
            yield Apply(routes=(PeerRoutes(routes.peer, replace=True),))
        for upserts in _batches(routes.upserts, size):
            yield Apply(routes=(PeerRoutes(routes.peer, upserts=upserts),))
        for withdrawn in _batches(routes.withdrawn, size):
            yield Apply(routes=(PeerRoutes(routes.peer, withdrawn=withdrawn),))


def _batches(items: tuple[Any, ...], size: int) -> Iterator[tuple[Any, ...]]:
    iterator = iter(items)
    while batch := tuple(islice(iterator, size)):
        yield batch


@dataclass(slots=True)
class Assembly:
    """Collects the parts of an `Apply`. One per connection: what is unfinished dies with it."""

    _parts: list[Apply] = field(default_factory=list)

    def add(self, part: Apply) -> tuple[Apply, ...] | None:
        """All parts, if this one completes the message."""
        self._parts.append(part)
        if not part.complete:
            return None
        collected, self._parts = self._parts, []
        return tuple(collected)
