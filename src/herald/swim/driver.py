"""The shell of the gossip machine: one UDP socket, a TCP listener, and a timer.

All packets that wait are read before any timer is looked at, so that an answer that came in time counts as such even
if this process was late. What a stream brings is decoded in a thread when it is long, so that it holds up nobody. Whose
streams are kept while they have not said anything yet is up to `herald.swim.door`.
"""

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Callable, Coroutine
from ipaddress import ip_address
from itertools import count
from typing import Final, assert_never

from herald.swim.door import MOST_STREAMS, Door
from herald.swim.event import (
    Answer,
    Answered,
    Ask,
    Changed,
    Departed,
    Effect,
    Event,
    JoinAt,
    Kind,
    Note,
    PacketReceived,
    Reached,
    SendPacket,
    StreamAsked,
    StreamRefused,
    ThoughtDead,
    Unanswered,
)
from herald.swim.gossip import Gossip
from herald.swim.keyring import Key, UnauthenticatedError
from herald.swim.member import Address, Endpoint, plain_address
from herald.swim.message import DecodeError, Message
from herald.swim.packet import Drop, Wrapping
from herald.swim.stream import Reading

LARGEST_PACKET: Final = 65536
PACKETS_AT_A_TIME: Final = 256
RECEIVE_BUFFER: Final = 2 * 1024 * 1024
SAY_AGAIN: Final = 60.0
ACCEPTS_AT_A_TIME: Final = 8
ACCEPT_AGAIN: Final = 1.0
"""Seconds in which nobody is let in where the system has no room for one more socket."""
_CHUNK: Final = 65536
_LONG: Final = _CHUNK // 4
"""Octets from which on a message is read in a thread, one at a time."""
_LOUD: Final = frozenset(
    {Kind.CONFLICT, Kind.CLOSED, Kind.ACCUSED, Kind.HELD_UP, Kind.JOIN_FAILED, Kind.OTHER_KEY, Kind.DIED}
)
_QUIET: Final = frozenset({Kind.SUSPECTED, Kind.REFUTED, Kind.ONLY_BY_TCP})

_log: Final = logging.getLogger("herald.swim")


class GossipDriver:
    """Runs a machine. Made and used in one loop."""

    def __init__(
        self,
        machine: Gossip,
        wrapping: Wrapping,
        udp: socket.socket,
        tcp: socket.socket,
        *,
        stream_patience: float,
        on_change: Callable[[], None],
        on_reached: Callable[[str], None] = lambda _: None,
        on_thought_dead: Callable[[], None] = lambda: None,
    ) -> None:
        """The sockets are bound to the machine's endpoint, `tcp` listens; they are closed with the driver.

        `on_reached` is told the name of a member that has answered an `AskNow`; `on_thought_dead` see `ThoughtDead`.
        """
        self._machine = machine
        self._wrapping = wrapping
        self._udp = udp
        self._tcp = tcp
        self._patience = stream_patience
        self._on_change = on_change
        self._on_reached = on_reached
        self._on_thought_dead = on_thought_dead
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._answers: dict[int, asyncio.Future[bytes | None]] = {}
        self._door = Door()
        self._serving: dict[int, asyncio.Task[None]] = {}
        self._number = count()
        self._known: frozenset[Address] | None = None
        self._reading_long = asyncio.Lock()
        self._accept_again: asyncio.TimerHandle | None = None
        self._departed: asyncio.Future[None] = self._loop.create_future()
        self._said: dict[tuple[Kind, str], float] = {}
        self.send_failures = 0

    async def start(self) -> None:
        """Take part from now on."""
        self._loop.add_reader(self._tcp, self._accept)
        self._loop.add_reader(self._udp, self._read_packets)
        self._arm()

    def tell(self, event: Event) -> None:
        """Something happened."""
        if isinstance(event, JoinAt):
            self._known = None
        self._perform(self._machine.handle(event, self._loop.time()))

    def drain(self) -> None:
        """Read all packets that wait, now; what they change is told before this returns."""
        self._read_packets()

    def set_wrapping(self, wrapping: Wrapping) -> None:
        """Streams are read like this from now on; the machine is to be told too."""
        self._wrapping = wrapping

    async def wait_departed(self) -> None:
        """Return when the others know that we left; to be called after `Leave` was told."""
        await self._departed

    def close(self) -> None:
        """Take no more part. What was sent is sent."""
        if self._timer is not None:
            self._timer.cancel()
        self._loop.remove_reader(self._udp)
        self._udp.close()
        if self._accept_again is not None:
            self._accept_again.cancel()
        self._loop.remove_reader(self._tcp)
        self._tcp.close()
        for task in self._tasks:
            task.cancel()

    def _arm(self) -> None:
        deadline = self._machine.deadline()
        if self._timer is not None:
            if deadline is not None and self._timer.when() == deadline and not self._timer.cancelled():
                return
            self._timer.cancel()
        self._timer = None if deadline is None else self._loop.call_at(deadline, self._wake)

    def _wake(self) -> None:
        self._timer = None
        self._read_packets()
        self._perform(self._machine.wake(self._loop.time()))

    def _read_packets(self) -> None:
        for _ in range(PACKETS_AT_A_TIME):
            try:
                data, source = self._udp.recvfrom(LARGEST_PACKET)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:  # of a packet sent before; the socket is as good as it was
                _log.debug("UDP: %s", error, extra={"event": "gossipSocket"})
                continue
            self.tell(PacketReceived(Endpoint(plain_address(ip_address(source[0])), source[1]), data))

    def _perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case SendPacket(to, data):
                    self._send(to, data)
                case Ask():
                    self._begin(self._ask(effect))
                case Answer(stream, data):
                    waiting = self._answers.pop(stream, None)
                    if waiting is not None and not waiting.done():
                        waiting.set_result(data)
                case Changed():
                    self._known = None
                    self._on_change()
                case Departed():
                    if not self._departed.done():
                        self._departed.set_result(None)
                case Note():
                    self._write(effect)
                case Reached(member):
                    self._on_reached(member)
                case ThoughtDead():
                    self._on_thought_dead()
                case _:
                    assert_never(effect)
        self._arm()

    def _send(self, to: Endpoint, data: bytes) -> None:
        try:
            self._udp.sendto(data, (str(to.address), to.port))
        except OSError:  # no route, no buffer: as if the network had lost it, which the protocol is made for
            self.send_failures += 1

    def _write(self, note: Note) -> None:
        """To the log; a warning that comes again within `SAY_AGAIN` seconds is for those who look closely."""
        level = logging.WARNING if note.kind in _LOUD else logging.DEBUG if note.kind in _QUIET else logging.INFO
        if level == logging.WARNING:
            now = self._loop.time()
            self._said = {what: at for what, at in self._said.items() if now - at < SAY_AGAIN}
            if (note.kind, note.member) in self._said:
                level = logging.INFO if note.kind is Kind.DIED else logging.DEBUG
            else:
                self._said[note.kind, note.member] = now
        extra = {"event": note.kind.value, "member": note.member}
        _log.log(level, "%s: %s", note.member, note.text, extra=extra)

    def _begin(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _ask(self, ask: Ask) -> None:
        try:
            async with asyncio.timeout(ask.timeout):
                answered = await self._converse(ask)
        except TimeoutError:
            self.tell(Unanswered(ask.ask, "no answer in time"))
        except (OSError, DecodeError, UnauthenticatedError) as error:
            self.tell(Unanswered(ask.ask, _why(error)))
        else:
            self.tell(answered)

    async def _converse(self, ask: Ask) -> Answered:
        with socket.socket(self._udp.family, socket.SOCK_STREAM) as stream:
            stream.setblocking(False)
            stream.bind((self._udp.getsockname()[0], 0))
            await self._loop.sock_connect(stream, (str(ask.to.address), ask.to.port))
            await self._loop.sock_sendall(stream, ask.data)
            message, key = await self._receive(stream, lambda _: None)
            return Answered(ask.ask, message, key)

    async def _receive(self, stream: socket.socket, hold: Callable[[int], None]) -> tuple[Message, Key | None]:
        """The message that comes, and with which key it was sealed. `hold` is told how much is kept for it."""
        reading = Reading(self._wrapping)
        while True:
            data = await self._loop.sock_recv(stream, _CHUNK)
            if not data:
                raise DecodeError("the stream ended before the message did")
            hold(reading.held + len(data))
            if not reading.add(data):
                await asyncio.sleep(0)  # where more has come already, nothing else here waits
                continue
            if reading.held > _LONG:
                async with self._reading_long:
                    message = await asyncio.to_thread(reading.read)
            else:
                message = reading.read()
            if message is not None:
                return message, reading.key

    def _accept(self) -> None:
        for _ in range(ACCEPTS_AT_A_TIME):
            try:
                stream, source = self._tcp.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                _log.warning("nobody can connect: %s", error, extra={"event": "gossipSocket"})
                self._loop.remove_reader(self._tcp)
                self._accept_again = self._loop.call_later(ACCEPT_AGAIN, self._loop.add_reader, self._tcp, self._accept)
                return
            self._let_in(stream, plain_address(ip_address(source[0].partition("%")[0])))

    def _let_in(self, stream: socket.socket, source: Address) -> None:
        if self._known is None:
            self._known = self._machine.addresses()
        number = next(self._number)
        closed = self._door.open(number, source, is_known=source in self._known)
        if number in closed:
            stream.close()
        else:
            stream.setblocking(False)
            self._serving[number] = task = self._begin(self._serve(number, stream, source))
            task.add_done_callback(lambda _: stream.close())  # also where it is closed before it began
        self._shut(closed)

    def _shut(self, numbers: list[int]) -> None:
        for number in numbers:
            task = self._serving.pop(number, None)
            if task is not None:
                task.cancel()

    async def _serve(self, number: int, stream: socket.socket, source: Address) -> None:
        waiting = self._loop.create_future()
        try:
            async with asyncio.timeout(self._patience):
                message, key = await self._receive(stream, lambda held: self._shut(self._door.hold(number, held)))
                self._door.said(number)
                self._answers[number] = waiting
                self.tell(StreamAsked(number, message, key, source))
                answer = await waiting
                if answer is not None:
                    await self._loop.sock_sendall(stream, answer)
        except UnauthenticatedError:
            self.tell(StreamRefused(Drop.UNAUTHENTICATED))
        except DecodeError:
            self.tell(StreamRefused(Drop.MALFORMED))
        except (OSError, TimeoutError) as error:
            _log.debug("stream dropped: %s", error, extra={"event": "gossipStreamDropped"})
        finally:
            self._door.close(number)
            self._serving.pop(number, None)
            self._answers.pop(number, None)


def _why(error: Exception) -> str:
    """In the kernel's words, where it is the kernel's error; asyncio's hide them behind its own."""
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno).lower()
    return str(error) or type(error).__name__


def open_sockets(at: Endpoint) -> tuple[socket.socket, socket.socket]:
    """A UDP socket and a listening TCP socket at that place. Raises OSError, then none is left open."""
    family = socket.AF_INET if at.address.version == 4 else socket.AF_INET6
    with contextlib.ExitStack() as undo:
        udp = undo.enter_context(socket.socket(family, socket.SOCK_DGRAM))
        tcp = undo.enter_context(socket.socket(family, socket.SOCK_STREAM))
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for one in (udp, tcp):
            one.setblocking(False)
            if family == socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            one.bind((str(at.address), at.port))
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        tcp.listen(MOST_STREAMS)
        undo.pop_all()
    return udp, tcp
