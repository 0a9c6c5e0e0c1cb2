"""The asyncio shell of BFD: moves packets in and out, and keeps one timer per session.

Before any timer is served, all packets that wait are read, each with the time at which the kernel had it: a process
that was held up for a moment finds that its peers were there all along. Sockets that cannot be opened are tried again
after `RETRY` seconds, and the sessions that need them say why they are down.
"""

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, assert_never

from herald.bfd.control_packet import State, diagnostic_text
from herald.bfd.echo_ports import EchoPorts
from herald.bfd.network import EchoWay, Listener, Network, Transmitter
from herald.bfd.path import Address, Datagram, Lane, Path
from herald.bfd.profile import BFDProfile
from herald.bfd.reception import Meant, Reason, Reception
from herald.bfd.session import (
    Cause,
    Changed,
    EchoReceived,
    Event,
    ForwardingKnown,
    ProfileChanged,
    Received,
    Send,
    SendEcho,
    Session,
    Shutdown,
)
from herald.bfd.snapshot import SessionSnapshot

RETRY: Final = 1.0
PACKETS_PER_WAKEUP: Final = 128
"""Packets read before other work gets its turn, about five milliseconds of it."""
FAREWELLS: Final = 3
FAREWELL_SPACING: Final = 0.02
"""A shutdown is told this often, for a packet may be lost and silence would mean failure."""

_log: Final = logging.getLogger("herald.bfd")

OnChange = Callable[[Path, Changed], None]


@dataclass(frozen=True, slots=True)
class Watched:
    """A session, where its packets come in, and `problem`: what keeps it from working here, in words."""

    session: SessionSnapshot
    way: EchoWay | None
    problem: str | None


class _Watch:
    """A session and what belongs to it. `way` is where its packets come in, by which its echoes go out."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.transmitter: Transmitter | None = None
        self.not_before = 0.0
        self.timer: asyncio.TimerHandle | None = None
        self.way: EchoWay | None = None
        self.problem: str | None = None


class BfdDriver:
    """All sessions of a host. Made and used in one loop."""

    def __init__(self, network: Network, rng: random.Random, on_change: OnChange) -> None:
        """`on_change` hears of every change of a session's state."""
        self._network = network
        self._rng = rng
        self._on_change = on_change
        self._loop = asyncio.get_running_loop()
        self._reception = Reception(rng, network.interface_index)
        self._watches: dict[Path, _Watch] = {}
        self._by_session: dict[int, _Watch] = {}
        self._listeners: dict[Lane, Listener] = {}
        self._deaf: dict[Lane, str] = {}
        self._complaints: set[str] = set()
        self._retry: asyncio.TimerHandle | None = None
        self._farewells: set[asyncio.Task[None]] = set()
        self._echoes = EchoPorts(network, self._loop, self._echo_returned, self._may_reflect)
        self.send_failures = 0

    def watch(self, path: Path, profile: BFDProfile) -> None:
        """Keep a session on this path, or let the one there is go on with another profile."""
        watch = self._watches.get(path)
        if watch is None:
            session = Session(path, profile, self._reception.new_discriminator(), self._rng, self._loop.time())
            watch = self._watches[path] = self._by_session[session.discriminator] = _Watch(session)
            self._reception.add(session)
            self._open_sockets()
            self._arm(watch)
        else:
            self._tell(watch, ProfileChanged(profile))
            self._open_sockets()

    def unwatch(self, path: Path) -> None:
        """End the session; the peer is told that nothing has failed."""
        task = self._loop.create_task(self._end(self._watches.pop(path)), name=f"bfd farewell to {path.peer}")
        self._farewells.add(task)
        task.add_done_callback(self._farewells.discard)

    async def wait_farewells(self) -> None:
        """Return when all peers have been told of the sessions that were ended."""
        await asyncio.gather(*self._farewells)

    def drain(self) -> None:
        """Read all packets that wait, now; what they change is told before this returns."""
        for lane in tuple(self._listeners):
            self._read(lane)
        self._echoes.drain()

    async def stop(self) -> None:
        """End all sessions, telling the peers, and close everything."""
        for path in tuple(self._watches):
            self.unwatch(path)
        try:
            await self.wait_farewells()
        finally:
            self.close()

    def close(self) -> None:
        """Close everything at once, without a word."""
        if self._retry is not None:
            self._retry.cancel()
        for task in self._farewells:
            task.cancel()
        for watch in self._by_session.values():
            _release(watch)
        for listener in self._listeners.values():
            self._loop.remove_reader(listener.fileno())
            listener.close()
        self._watches, self._by_session, self._listeners = {}, {}, {}
        self._echoes.close()

    def snapshots(self) -> dict[Path, Watched]:
        """All sessions."""
        return {
            path: Watched(watch.session.snapshot(), watch.way, self._problem(watch))
            for path, watch in self._watches.items()
        }

    def state(self, path: Path) -> State:
        """The state of a session that is kept."""
        return self._watches[path].session.state

    def dropped(self) -> dict[Reason, int]:
        """Packets that no session got, by reason."""
        return dict(self._reception.dropped)

    # Opening

    def _open_sockets(self) -> None:
        """Have the sockets that the sessions need, and no others."""
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        wanted = {Lane.of(watch.session.path) for watch in self._by_session.values()}
        for lane in self._listeners.keys() - wanted:
            self._stop_listening(lane)
        self._deaf = {}
        for lane in wanted - self._listeners.keys():
            self._listen(lane)
        loops = (watch.session for watch in self._watches.values() if watch.session.profile.echo_mode)
        try:
            self._echoes.keep_reflectors(frozenset((one.path.version, one.path.vrf) for one in loops))
        except OSError as error:
            _log.warning("echoes of BFD peers are not returned: %s", error, extra={"event": "bfdSocket"})
        if self._deaf:
            self._retry = self._loop.call_later(RETRY, self._open_sockets)

    def _listen(self, lane: Lane) -> None:
        try:
            listener = self._network.listen(lane)
        except OSError as error:
            if str(error) not in self._complaints:
                self._complaints.add(str(error))
                _log.warning("no BFD packet can be received: %s", error, extra={"event": "bfdSocket"})
            self._deaf[lane] = str(error)
            return
        self._complaints.clear()
        self._listeners[lane] = listener
        self._loop.add_reader(listener.fileno(), self._read, lane)

    def _stop_listening(self, lane: Lane) -> None:
        listener = self._listeners.pop(lane)
        self._loop.remove_reader(listener.fileno())
        listener.close()

    def _problem(self, watch: _Watch) -> str | None:
        session = watch.session
        ttl = self._reception.below_minimum_ttl.get(session.discriminator)
        if ttl is not None and session.state is not State.UP:
            least = session.profile.minimum_ttl
            return f"packets of the peer come with TTL {ttl}, below minimumTtl {least} of the BFDProfile"
        return self._deaf.get(Lane.of(session.path)) or watch.problem

    # Receiving

    def _read(self, lane: Lane) -> None:
        for _ in range(PACKETS_PER_WAKEUP):
            listener = self._listeners.get(lane)
            if listener is None:
                return
            try:
                datagram = listener.receive()
            except OSError as error:  # of a packet sent before, or the VRF is gone: then it is opened anew
                _log.debug("BFD: %s", error, extra={"event": "bfdSocket"})
                self._stop_listening(lane)
                self._open_sockets()
                return
            if datagram is None:
                return
            self._take(lane, datagram)

    def _take(self, lane: Lane, datagram: Datagram) -> None:
        found = self._reception.find(lane, datagram)
        if not isinstance(found, Meant):
            return
        watch = self._by_session[found.session.discriminator]
        if datagram.destination is not None:
            watch.way = EchoWay(datagram.interface_index, datagram.source, datagram.destination)
        if watch.session.profile.echo_mode and watch.session.state is not State.UP:
            self._tell(watch, ForwardingKnown(self._network.forwards(watch.session.path.version)))
        self._tell(watch, Received(found.packet, datagram.at))

    def _echo_returned(self, data: bytes, at: float) -> None:
        session = self._reception.of_echo(data)
        if session is not None:
            self._tell(self._by_session[session.discriminator], EchoReceived(data, at))

    def _may_reflect(self, source: Address, interface_index: int) -> bool:
        return any(
            watch.session.profile.echo_mode
            and watch.session.state is State.UP
            and watch.way is not None
            and (watch.way.peer, watch.way.interface_index) == (source, interface_index)
            for watch in self._watches.values()
        )

    # Acting

    def _tell(self, watch: _Watch, event: Event) -> None:
        self._perform(watch, watch.session.handle(event, self._loop.time()))

    def _wake(self, watch: _Watch) -> None:
        watch.timer = None
        self.drain()
        self._perform(watch, watch.session.wake(self._loop.time()))

    def _perform(self, watch: _Watch, effects: list[Send | SendEcho | Changed]) -> None:
        for effect in effects:
            match effect:
                case Send(data):
                    self._send(watch, data)
                case SendEcho(data):
                    if watch.way is not None:
                        self._echoes.send(watch.way, data)
                case Changed():
                    _write(watch.session, effect)
                    if watch.session.path in self._watches:
                        self._on_change(watch.session.path, effect)
                case _ as never:
                    assert_never(never)
        self._arm(watch)

    def _send(self, watch: _Watch, data: bytes) -> None:
        now = self._loop.time()
        try:
            if watch.transmitter is None:
                if now < watch.not_before:
                    return
                watch.not_before = now + RETRY
                watch.transmitter = self._network.transmit(watch.session.path)
            watch.transmitter.send(data)
            watch.problem = None
        except OSError as error:
            self.send_failures += 1
            watch.problem = f"cannot send: {error}"
            if watch.transmitter is not None:
                watch.transmitter.close()
                watch.transmitter = None

    def _arm(self, watch: _Watch) -> None:
        """One timer. One that fires early finds nothing to do and arms the right one, so it need not be moved back."""
        deadline = watch.session.deadline()
        if watch.timer is not None:
            if deadline is not None and watch.timer.when() <= deadline:
                return
            watch.timer.cancel()
        watch.timer = None if deadline is None else self._loop.call_at(deadline, self._wake, watch)

    async def _end(self, watch: _Watch) -> None:
        try:
            for number in range(FAREWELLS):
                if number:
                    await asyncio.sleep(FAREWELL_SPACING)
                self._tell(watch, Shutdown())
        finally:
            self._reception.remove(watch.session)
            self._by_session.pop(watch.session.discriminator, None)
            _release(watch)
            if self._watches or self._listeners:
                self._open_sockets()


def reason(change: Changed) -> str:
    """Why a session went down, in words."""
    match change.cause:
        case Cause.PEERS_WILL:
            return "shut down by the peer"
        case Cause.BEGAN_ANEW:
            return "the peer has begun anew"
        case Cause.NONE | Cause.FAILURE | Cause.OUR_WILL:
            return diagnostic_text(change.diagnostic)
        case _ as never:
            assert_never(never)


def _release(watch: _Watch) -> None:
    if watch.timer is not None:
        watch.timer.cancel()
    if watch.transmitter is not None:
        watch.transmitter.close()


def _write(session: Session, change: Changed) -> None:
    peer = str(session.path.peer)
    extra = {"event": f"bfd{change.after.text}", "peer": peer, "state": change.after.text}
    if change.before is State.UP:
        extra["reason"] = why = reason(change)
        _log.info("BFD session with %s down: %s", peer, why, extra=extra)
    elif change.after is State.UP:
        _log.info("BFD session with %s up", peer, extra=extra)
    else:
        _log.debug("BFD session with %s is in state %s", peer, change.after.text, extra=extra)
