"""The BGP session with one peer without I/O: RFC 4271 §8 for a speaker that announces, and only counts what it hears.

`Session` has the shape of `herald.machine.Machine`. Its parts:

    approach        the way to a connection: attempts, and the waits between them (`reconnection`)
    connections     what is said on the connections, of which there are two for a moment if both ends dial (`collision`)
    outflow         the routes that are wished for, and their way out
    record          what is remembered for people

Its rules, where the RFC leaves room or Herald differs on purpose:

* There are two connections at most: the one in use, and a contender, which has sent its OPEN and waits for the peer's.
  One of them was dialled by us, the other by the peer. When the one in use falls, the contender is used.
* While an accepted connection waits for the peer's OPEN an attempt of our own goes on; at the OPEN it is given up.
* An attempt (TCP and the peer's OPEN) has 10 s.
* The hold timer is enforced on what we receive, and any whole message shows that the peer lives.
* `Down` comes exactly once for each `Up`; `Close` exactly once for each `Connect` that did not fail by itself and each
  `Take`, unless `Closed` came first.
* A session that ends by our own will and is to come back ends without a NOTIFICATION if the peer then keeps our routes
  (RFC 4724 §4). One that ends for good does with one, inside a Hard Reset if it must be (RFC 8538 §4).
"""

import random
from typing import assert_never

from herald.bgp import failure, message
from herald.bgp.approach import Approach
from herald.bgp.connections import Connections
from herald.bgp.event import (
    BfdDown,
    BfdPaused,
    BfdUp,
    Close,
    Closed,
    Connect,
    Connected,
    ConnectFailed,
    Down,
    Effect,
    Event,
    Incoming,
    Initiator,
    Leaving,
    ParametersChanged,
    Received,
    RoutesChanged,
    RoutesComplete,
    Send,
    Start,
    Stop,
    Take,
    TurnAway,
    Up,
    WayBack,
    WayLost,
    WritingPaused,
    WritingResumed,
)
from herald.bgp.fsm import Input, State
from herald.bgp.graceful_restart import Past
from herald.bgp.message import MessageType
from herald.bgp.notification import CeaseSubcode, Code, Notification, cease
from herald.bgp.parameters import Change, Password, PeerParameters, changed_fields
from herald.bgp.path_attribute import WireContext
from herald.bgp.record import Record
from herald.bgp.snapshot import FamilySnapshot, SessionError, SessionSnapshot
from herald.bgp.timers import Timer, Timers


class Session:
    """The machine of one peer. The shell drops what comes late from a connection that was given up.

    `host_name` is told to the peer, for people to read in its tables.
    """

    def __init__(self, parameters: PeerParameters, rng: random.Random, host_name: str = "") -> None:
        self._timers = Timers(rng)
        self._record = Record()
        self._approach = Approach(parameters, self._timers, self._record)
        self._connections = Connections(self._approach, self._timers, self._record, host_name)
        self._pair = self._connections.pair
        self._outflow = self._connections.outflow

    @property
    def state(self) -> State:
        return self._approach.state if self._pair.used is None else self._pair.used.state

    @property
    def last_error(self) -> SessionError | None:
        return self._record.last_error

    def handle(self, event: Event, now: float) -> list[Effect]:
        """What follows from `event`. An event that comes too late for the present state does nothing."""
        match event:
            case Start(past, complete):
                return self._start(past, now, complete=complete)
            case Stop(reason, leaving):
                return self._stop(CeaseSubcode.ADMINISTRATIVE_SHUTDOWN, leaving, reason, now)
            case Connected():
                return self._connected(event, now)
            case Incoming(local):
                return self._incoming(local, now)
            case ConnectFailed(reason, finding):
                self._attempt_failed(failure.of_connection(reason, now, finding), now)
            case Received(data, on):
                return self._connections.received(data, on, now)
            case Closed():
                return self._connections.closed(event, now)
            case WritingPaused() | WritingResumed():
                self._writing(event, now)
            case RoutesChanged(upserts, withdrawn):
                self._outflow.rib.change(upserts, withdrawn)
                self._outflow.schedule(self._pair.used, now)
            case RoutesComplete():
                self._outflow.rib.complete(now=True)
                self._outflow.schedule(self._pair.used, now)
            case ParametersChanged(parameters):
                return self._parameters_changed(parameters, now)
            case WayLost(reason):
                return self._way_lost(reason, now)
            case WayBack():
                self._way_back(now)
            case BfdDown(reason):
                return self._bfd_down(reason, now)
            case BfdPaused():
                self._approach.reconnection.bfd_down()
            case BfdUp():
                return self._bfd_up(now)
            case _ as never:
                assert_never(never)
        return []

    def wake(self, now: float) -> list[Effect]:
        """Serve the timers that are due."""
        effects: list[Effect] = []
        # Each timer once at most: FLUSH asks for its next turn at this very instant.
        for _ in Timer:
            timer = self._timers.pop_due(now)
            if timer is None:
                break
            effects.extend(self._expired(timer, now))
            if timer is Timer.FLUSH:
                break
        return effects

    def deadline(self) -> float | None:
        return self._timers.deadline()

    def snapshot(self) -> SessionSnapshot:
        waits_for = self._approach.waits_for if self._pair.used is None else None
        return self._record.snapshot(
            self.state,
            self._approach.parameters,
            self._approach.attempted,
            self._pair.used,
            self._outflow.rib,
            last=self._pair.last,
            next_retry=None if waits_for else self._timers.get(Timer.RETRY),
            waits_for=waits_for,
        )

    # Getting a connection

    def _start(self, past: Past, now: float, *, complete: bool) -> list[Effect]:
        if self._approach.wanted:
            return []
        self._approach.wanted = True
        self._record.since = now
        self._connections.past = past
        if past is not Past.NOTHING:
            self._approach.awaited_until = now + (self._approach.parameters.restart_time or 0)
        self._outflow.rib.complete(now=complete)
        return self._approach.begin(Input.START, now)

    def _connected(self, local: Connected, now: float) -> list[Effect]:
        if not self._approach.dialling:
            # `Close` would mean the connection that is in use, if it is ours, and the shell has one of ours at a time.
            return [] if self._pair.on(Initiator.US) else [Close("no connection was asked for")]
        return self._connections.converse(local, Initiator.US, self._approach.arrived(now), now)

    def _incoming(self, local: Connected, now: float) -> list[Effect]:
        rejected = self._approach.rejection(self._pair.used, now)
        if rejected is not None:
            return self._turn_away(*rejected, now)
        before = self._pair.on(Initiator.PEER)
        # The peer has given that one up, whatever has become of its farewell.
        effects = self._connections.dump(before, now) if before is not None else []
        self._approach.accepts(has_another=self._pair.used is not None)
        open_by = now + failure.ATTEMPT_SECONDS
        return [*effects, Take(), *self._connections.converse(local, Initiator.PEER, open_by, now)]

    def _turn_away(self, note: Notification, reason: str, now: float) -> list[Effect]:
        self._record.turned_away += 1
        self._record.messages_out[MessageType.NOTIFICATION] += 1
        turned = TurnAway(message.encode(note, WireContext()), reason)
        used = self._pair.used
        if used is None or used.state is not State.ESTABLISHED:
            return [turned]
        # If the peer has forgotten the session that we still believe in, this makes its kernel say so.
        return [turned, *self._outflow.keepalive(used, now)]

    def _attempt_failed(self, error: SessionError, now: float) -> None:
        if not self._approach.dialling:
            return
        if self._pair.used is None:
            self._approach.failed(error, now)
        else:
            self._approach.give_up(error.text)

    # Timers

    def _expired(self, timer: Timer, now: float) -> list[Effect]:
        match timer:
            case Timer.RETRY:
                return self._approach.begin(Input.RETRY_EXPIRES, now)
            case Timer.ATTEMPT:
                error = failure.no_answer(self._approach.attempted, now)
                self._attempt_failed(error, now)
                return [Close(error.text)]
            case Timer.CONTENDER | Timer.HOLD:
                silent = self._pair.used if timer is Timer.HOLD else self._pair.contender
                assert silent is not None
                note, reason = Notification(Code.HOLD_TIMER_EXPIRED), failure.silence(silent)
                return self._connections.refuse(silent, Input.HOLD_EXPIRES, note, reason, now)
        used = self._pair.used
        assert used is not None
        match timer:
            case Timer.SEND_HOLD:
                note, reason = Notification(Code.SEND_HOLD_TIMER_EXPIRED), "the peer has stopped taking our messages"
                return self._connections.refuse(used, Input.MESSAGE_ERROR, note, reason, now)
            case Timer.KEEPALIVE:
                return self._outflow.keepalive(used, now)
            case Timer.FLUSH:
                return self._connections.flush(used, now)
            case _ as never:
                assert_never(never)

    def _writing(self, event: WritingPaused | WritingResumed, now: float) -> None:
        """A contender sends no more than an OPEN, which does not fill any buffer."""
        used = self._pair.used
        if used is not None and used.initiator is event.on:
            change = self._outflow.pause if isinstance(event, WritingPaused) else self._outflow.resume
            change(used, now)

    # What BFD says (RFC 5882), and what is known of the way

    def _bfd_down(self, reason: str, now: float) -> list[Effect]:
        """End the session, and give BFD a while to see the peer again before the next attempt.

        The way between us is broken, in one direction at least: a peer that keeps our routes would send requests into
        nothing for as long as it does.
        """
        self._approach.reconnection.bfd_down()
        if self._pair.used is None:
            return self._way_lost(reason, now) if self._approach.is_held else []
        effects = self._approach.give_up(reason)
        note = cease(CeaseSubcode.BFD_DOWN)
        effects += self._connections.refuse_all(Input.BFD_DOWN, note, reason, now)
        retry = self._approach.reconnection.retry_without_bfd(self._timers.get(Timer.RETRY), now)
        self._timers.set(Timer.RETRY, retry)
        return effects

    def _bfd_up(self, now: float) -> list[Effect]:
        self._approach.bfd_up(now)
        return self._go_on(now)

    def _way_lost(self, reason: str, now: float) -> list[Effect]:
        error = failure.of_connection(reason, now)
        if self._pair.used is None and self._approach.dialling:
            self._approach.failed(error, now)
            return [Close(reason)]
        return self._approach.give_up(reason) + self._connections.lose_all(error, now)

    def _way_back(self, now: float) -> None:
        if self._timers.get(Timer.RETRY) is not None:
            self._record.pinned_error = None  # it tells of how things were
            self._timers.set(Timer.RETRY, now)

    def _go_on(self, now: float) -> list[Effect]:
        return self._approach.go_on(now) if self._pair.used is None else []

    # By our own will

    def _stop(self, subcode: CeaseSubcode, leaving: Leaving, reason: str, now: float) -> list[Effect]:
        """No error, no further attempt."""
        self._approach.wanted = False
        effects = self._approach.give_up(reason)
        effects += self._connections.end_all(cease(subcode, reason), leaving, reason, now)
        self._approach.rest(Input.STOP, now)
        self._timers.clear_all()
        self._approach.reconnection.start_over()
        return effects

    def _parameters_changed(self, parameters: PeerParameters, now: float) -> list[Effect]:
        before, self._approach.parameters = self._approach.parameters, parameters
        self._approach.shorten_wait(now)
        changed = changed_fields(before, parameters, Change.RESET)
        if not changed or not self._approach.wanted:
            return self._go_on(now)
        reason = f"configuration changed: {', '.join(changed)}"
        same_peer = (before.remote, before.vrf) == (parameters.remote, parameters.vrf)
        leaving = Leaving.TO_RETURN if same_peer else Leaving.FOR_GOOD
        effects = self._stop(CeaseSubcode.ADMINISTRATIVE_RESET, leaving, reason, now)
        self._approach.wanted = True
        self._record.pinned_error = None
        return effects + self._approach.begin(Input.START, now)


# The names of the machine's whole vocabulary, for those who run or test one.
# fmt: off
__all__ = [
    "BfdDown", "BfdPaused", "BfdUp", "Close", "Closed", "Connect", "ConnectFailed", "Connected", "Down", "Effect",
    "Event", "FamilySnapshot", "Incoming", "Initiator", "Leaving", "ParametersChanged", "Password", "Past",
    "PeerParameters", "Received", "RoutesChanged", "RoutesComplete", "Send", "Session", "SessionError",
    "SessionSnapshot", "Start", "State", "Stop", "Take", "TurnAway", "Up", "WayBack", "WayLost", "WritingPaused",
    "WritingResumed",
]
# fmt: on
