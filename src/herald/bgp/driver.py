"""The asyncio shell of one session: it dials and accepts, moves bytes, performs effects, keeps one timer.

Nothing here decides anything about BGP. What it does own is the life of a connection: an attempt is one task, given up
by cancelling it; a connection that is given up sends what was written, closes its half, and is cut off a second later
if the peer does not close its own.
"""

import asyncio
import random
import socket
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from typing import assert_never

from herald.bgp import local_address
from herald.bgp.diagnosis import DiagnosedError

# fmt: off
from herald.bgp.event import (  # isort: skip
    BfdDown, BfdPaused, BfdUp, Close, Closed, Connect, Connected, ConnectFailed, Down, Effect, Event, Incoming,
    Initiator, Leaving, ParametersChanged, Received, RoutesChanged, RoutesComplete, Send, Start, Stop, Take, TurnAway,
    Up, WayBack, WayLost, WritingPaused, WritingResumed,
)
# fmt: on
from herald.bgp.family import Address, Prefix
from herald.bgp.graceful_restart import Past
from herald.bgp.parameters import PeerParameters
from herald.bgp.route import Route
from herald.bgp.session import Session
from herald.bgp.snapshot import SessionSnapshot

LINGER_SECONDS = 1.0
PROVING_SECONDS = 8.0
"""How long after the session is up it is seen whether the peer takes in what it is sent."""
_DEAF_AFTER_RESENDING = 5  # in a row, with twice the time between them each time: for 6 s at the least
_DEAF = "the peer acknowledges nothing that we send"
WRITE_BUFFER_OCTETS = 256 * 1024
# One read is about one full message, so that a peer that floods us with small ones holds the loop for a millisecond or
# two at a time; between reads it is the turn of ARP and of the other peers.
READ_OCTETS = 4 * 1024

Dial = Callable[[PeerParameters], Awaitable[socket.socket]]
OnChange = Callable[[SessionSnapshot, str | None], None]


class Peering:
    """One peer for as long as it is configured.

    `dial` gives a connected, non-blocking socket or raises `OSError` with words for people. `on_change` is called when
    the state changes or an attempt fails, with the new snapshot and, where something went wrong, the reason. Made and
    called in the thread of the running loop.
    """

    def __init__(
        self,
        parameters: PeerParameters,
        *,
        dial: Dial,
        rng: random.Random,
        on_change: OnChange,
        host_name: str = "",
    ) -> None:
        self._session = Session(parameters, rng, host_name)
        self._dial = dial
        self._on_change = on_change
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._attempt: asyncio.Task[None] | None = None
        self._used: dict[Initiator, _Connection] = {}
        self._offered: _Connection | None = None  # what the peer has dialled, while the session thinks about it
        self._accepting: asyncio.Task[None] | None = None
        self._connections: set[_Connection] = set()  # those that were given up too, until they are gone

    def start(self, past: Past = Past.NOTHING, *, complete: bool = True) -> None:
        """Connect now, and again whenever the session is lost. See `Start` for the arguments."""
        self._handle(Start(past, complete))

    def routes_complete(self) -> None:
        """All routes that are wished for at present have been told."""
        self._handle(RoutesComplete())

    def apply_routes(self, upserts: tuple[Route, ...], withdrawn: tuple[Prefix, ...]) -> None:
        """Change the wish by some routes. Costs what is given."""
        self._handle(RoutesChanged(upserts, withdrawn))

    def update(self, parameters: PeerParameters) -> None:
        """The peer is configured differently; the session is reset where that needs it."""
        if self._accepting is not None:
            self._accepting.cancel()  # it has come in by the rules of before
        self._handle(ParametersChanged(parameters))

    def tell(self, event: BfdDown | BfdUp | BfdPaused | WayLost | WayBack) -> None:
        """What is known from elsewhere about the peer, or about the way to it."""
        self._handle(event)

    def accept(self, sock: socket.socket, parameters: PeerParameters) -> bool:
        """The peer has dialled us: `sock` is a non-blocking connection, prepared by `parameters`.

        False, and the connection is closed, if the one before it has not got so far yet.
        """
        if self._accepting is not None:
            sock.close()
            return False
        self._accepting = self._loop.create_task(self._take_over(sock, parameters), name=f"bgp {parameters.name} in")
        self._accepting.add_done_callback(self._accepted)
        return True

    def snapshot(self) -> SessionSnapshot:
        return self._session.snapshot()

    async def stop(self, reason: str, leaving: Leaving = Leaving.FOR_GOOD) -> None:
        """End the session, telling the peer why, and wait until every task and connection is gone.

        The peer is told nothing if we return and it keeps our routes meanwhile.

        A peer that does not close its half, or takes no bytes, is cut off after `LINGER_SECONDS`; so is everybody when
        this is cancelled.
        """
        if self._accepting is not None:
            self._accepting.cancel()
        tasks = [task for task in (self._attempt, self._accepting) if task is not None]
        self._handle(Stop(reason, leaving))
        try:
            if tasks:
                await asyncio.wait(tasks)
            if self._connections:
                await asyncio.wait([connection.lost for connection in self._connections], timeout=LINGER_SECONDS)
        finally:
            for connection in self._connections:
                connection.abort()

    def _handle(self, event: Event) -> None:
        before = self._session.state, self._session.last_error
        self._perform(self._session.handle(event, self._loop.time()))
        self._tell(before)

    def _wake(self) -> None:
        self._timer = None
        before = self._session.state, self._session.last_error
        self._perform(self._session.wake(self._loop.time()))
        self._tell(before)

    def _tell(self, before: tuple[object, object]) -> None:
        error = self._session.last_error
        if (self._session.state, error) != before:
            self._on_change(self.snapshot(), error.text if error is not None and error is not before[1] else None)

    def _perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Connect(parameters):
                    self._attempt = self._loop.create_task(self._connect(parameters), name=f"bgp {parameters.name}")
                    self._attempt.add_done_callback(self._attempted)
                case Take():
                    assert self._offered is not None
                    self._used[Initiator.PEER], self._offered = self._offered, None
                case TurnAway(data):
                    assert self._offered is not None
                    self._offered.write(data)
                    self._offered.retire()
                    self._offered = None
                case Send(data, on):
                    self._used[on].write(data)
                case Close(_, on):
                    self._give_up(on)
                case Up(on):
                    self._used[on].expect_acknowledgement_within(self._session.snapshot().hold_time or 0)
                case Down():
                    pass  # `on_change` tells it, as it tells `Up`, by the state
                case _ as never:
                    assert_never(never)
        self._arm()

    def _arm(self) -> None:
        """One timer. One that fires early finds nothing to do and arms the right one, so it need not be moved back."""
        deadline = self._session.deadline()
        if self._timer is not None:
            if deadline is not None and self._timer.when() <= deadline:
                return
            self._timer.cancel()
        self._timer = None if deadline is None else self._loop.call_at(deadline, self._wake)

    async def _connect(self, parameters: PeerParameters) -> None:
        attempt = asyncio.current_task()
        sock = await self._dial(parameters)
        await self._loop.create_connection(lambda: _Connection(self, attempt, parameters), sock=sock)

    async def _take_over(self, sock: socket.socket, parameters: PeerParameters) -> None:
        made = _Connection(self, None, parameters, Initiator.PEER)
        try:
            await self._loop.connect_accepted_socket(lambda: made, sock)
        except asyncio.CancelledError:
            sock.close()
            raise

    def _accepted(self, accepting: asyncio.Task[None]) -> None:
        self._accepting = None
        if not accepting.cancelled():
            accepting.result()

    def _attempted(self, attempt: asyncio.Task[None]) -> None:
        """An attempt has ended. One that was given up has nothing to say any more."""
        current = attempt is self._attempt
        if current:
            self._attempt = None
        if attempt.cancelled():
            return
        error = attempt.exception()
        if isinstance(error, OSError) and current:
            self._handle(ConnectFailed(str(error), error.finding if isinstance(error, DiagnosedError) else None))
        elif error is not None and not isinstance(error, OSError):
            raise error  # a mistake of ours: the loop reports it, and the deadline of the attempt goes on from here

    def _give_up(self, on: Initiator) -> None:
        if on is Initiator.US and self._attempt is not None:
            self._attempt.cancel()
            self._attempt = None
        connection = self._used.pop(on, None)
        if connection is not None:
            connection.retire()

    # Called by the connection

    def connected(self, connection: "_Connection", sock: socket.socket) -> None:
        self._connections.add(connection)
        if connection.initiator is Initiator.PEER:
            self._offer(connection, sock)
            return
        if connection.attempt is not self._attempt:
            # Given up in the very turn in which it came up. The attempt after it may already be under way, and must not
            # be taken for this one: it may be to another peer.
            connection.abort()
            return
        self._used[Initiator.US] = connection
        try:
            event: Event = _connected(sock, connection.parameters)
        except OSError as error:  # the device went away just now
            connection.abort()
            del self._used[Initiator.US]
            event = ConnectFailed(f"the addresses of this end cannot be found: {error.strerror}")
        self._handle(event)

    def _offer(self, connection: "_Connection", sock: socket.socket) -> None:
        try:
            event = Incoming(_connected(sock, connection.parameters))
        except OSError:  # the device went away just now: the peer will try again, if it comes back
            connection.abort()
            return
        self._offered = connection
        self._handle(event)

    def happened(self, connection: "_Connection", event: Event) -> None:
        """Something came from a connection; from one that was given up it is dropped."""
        if connection is self._used.get(connection.initiator):
            if isinstance(event, Closed):
                del self._used[connection.initiator]
            self._handle(event)

    def gone(self, connection: "_Connection") -> None:
        self._connections.discard(connection)


class _Connection(asyncio.BufferedProtocol):
    """One TCP connection with `parameters`; one of ours was made by `attempt`."""

    def __init__(
        self,
        peering: Peering,
        attempt: asyncio.Task[None] | None,
        parameters: PeerParameters,
        initiator: Initiator = Initiator.US,
    ) -> None:
        self.attempt = attempt
        self.initiator = initiator
        self.parameters = parameters
        self._peering = peering
        self._buffer = bytearray(READ_OCTETS)
        self._transport: asyncio.Transport | None = None
        self._cut_off: asyncio.TimerHandle | None = None
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.set_write_buffer_limits(high=WRITE_BUFFER_OCTETS)
        self._peering.connected(self, transport.get_extra_info("socket"))

    def get_buffer(self, sizehint: int) -> bytearray:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self._peering.happened(self, Received(bytes(self._buffer[:nbytes]), self.initiator))

    def eof_received(self) -> bool:
        self._peering.happened(self, Closed("the peer closed the connection", self.initiator))
        self._limit_lingering()
        return False  # the transport closes once it has written what it holds

    def connection_lost(self, exc: Exception | None) -> None:
        self._peering.happened(self, Closed(_lost_text(exc), self.initiator, isinstance(exc, TimeoutError)))
        self._peering.gone(self)
        if self._cut_off is not None:
            self._cut_off.cancel()
        if not self.lost.done():
            self.lost.set_result(None)

    def pause_writing(self) -> None:
        self._peering.happened(self, WritingPaused(self.initiator))

    def resume_writing(self) -> None:
        self._peering.happened(self, WritingResumed(self.initiator))

    def write(self, data: bytes) -> None:
        assert self._transport is not None
        self._transport.write(data)

    def expect_acknowledgement_within(self, seconds: int) -> None:
        """A peer that takes in nothing for so long is gone: TCP says so then, and not after a quarter of an hour.

        It is the hold time as agreed, which may be shorter than the one that the connection was made with. With 0 the
        kernel's own patience counts.
        """
        assert self._transport is not None
        sock = self._transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, seconds * 1000)
        asyncio.get_running_loop().call_later(PROVING_SECONDS, self._give_up_if_deaf)

    def _give_up_if_deaf(self) -> None:
        """A router that minds TTLs begins with it only when the session may be up already; from then on it is deaf.

        One that reads slowly acknowledges, and is probed instead.
        """
        if self._transport is None or self._transport.is_closing():
            return
        info = self._transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 3)
        if info[2] >= _DEAF_AFTER_RESENDING:
            self._peering.happened(self, Closed(_DEAF, self.initiator, unacknowledged=True))
            self.abort()

    def retire(self) -> None:
        """Send what is written, close our half, and wait a little for the peer to close its own.

        Closing at once while bytes of the peer are unread would make the kernel send a reset, and the peer might never
        see our NOTIFICATION.
        """
        assert self._transport is not None
        try:
            self._transport.write_eof()
        except OSError:  # the peer has reset the connection, and `connection_lost` is on its way
            self._transport.abort()
        self._limit_lingering()

    def abort(self) -> None:
        assert self._transport is not None
        self._transport.abort()

    def _limit_lingering(self) -> None:
        if self._cut_off is None:
            self._cut_off = asyncio.get_running_loop().call_later(LINGER_SECONDS, self.abort)


def _connected(sock: socket.socket, parameters: PeerParameters) -> Connected:
    """What the session is told of a connection that came up. Raises `OSError`."""
    name = sock.getsockname()
    local = ip_address(name[0].split("%")[0])
    # The kernel says by which interface a link-local end is; only in a VRF another one may have the same address.
    among = frozenset({name[3]}) if len(name) == 4 and name[3] else _devices_of(parameters.vrf)
    addresses = local_address.choose(local, addresses_beside(local, among))
    router_id = local_address.router_id(parameters.router_id, addresses, socket.gethostname())
    assert parameters.peer_address is not None
    on_link = addresses.on_link(parameters.peer_address)
    return Connected(local, addresses.ipv6, addresses.ipv4, router_id, addresses.link_local, on_link)


def addresses_beside(local: Address, among: frozenset[int] | None = None) -> list[local_address.HostAddress]:
    """The addresses of the interface (in this network namespace) that has `local`; see `Listing.beside`.

    Raises `OSError`.
    """
    return _listing(local_address.ADDRESS_DUMP_REQUEST).beside(local, among)


def _devices_of(vrf: str | None) -> frozenset[int] | None:
    if vrf is None:
        return None
    index = socket.if_nametoindex(vrf)
    return _listing(local_address.members_request(index)).members(index) | {index}


def _listing(request: bytes) -> local_address.Listing:
    listing = local_address.Listing()
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as sock:
        sock.send(request)
        while not listing.complete:
            listing.take(sock.recv(65536))
    return listing


def _lost_text(exc: Exception | None) -> str:
    match exc:
        case None:
            return "the connection was closed"
        case ConnectionResetError():
            return "the peer reset the connection"
        case TimeoutError():
            return _DEAF
        case _:
            return f"the connection failed: {exc}"
