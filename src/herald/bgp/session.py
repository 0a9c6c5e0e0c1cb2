"""One BGP session without I/O: RFC 4271 §8 for a speaker that dials, announces, and only counts what it hears.

`Session` has the shape of `herald.machine.Machine`. It drives the table of `fsm`, agrees by `negotiation`, and sends
what `adj_rib_out` finds. Its rules, where the RFC leaves room or Herald differs on purpose:

* The first attempt is immediate. The wait after a failure starts at 1 s and doubles up to 30 s (or `connect_time`),
  each shortened by up to a quarter. It starts over after a session that stood for 30 s; sessions that come up and fall
  sooner make it grow up to 2 minutes, since each costs the peer a whole table (RFC 4271 §8.1.1, DampPeerOscillations).
* An attempt (TCP and the peer's OPEN) has 10 s; RFC 4271's four minutes would only hide the reason from an operator.
* The hold timer is enforced on what we receive, and any whole message shows that the peer lives.
* Routes leave in `wake`, not in the call that changed them: changes of one turn of the loop are packed together, and a
  table of any size leaves in slices between which the shell can do other work.
* When BFD loses the peer the session ends at once; the next attempt is made when BFD sees it again, and at the latest
  after 5 s or the back-off: a peer that no longer speaks BFD is talked to without.
* `Down` comes exactly once for each `Up`; `Close` exactly once for each `Connect` that did not fail by itself.
* A session that ends by our own will and is to come back ends without a NOTIFICATION if the peer then keeps our routes
  (RFC 4724 §4). One that ends for good does with one, inside a Hard Reset if it must be (RFC 8538 §4).
"""

import random
from typing import assert_never

from herald.bgp import explanation, fsm, message
from herald.bgp.adj_rib_out import AdjRibOut
from herald.bgp.conversation import Conversation
from herald.bgp.diagnosis import Evidence, Finding, Obstacle, diagnose
from herald.bgp.event import (
    BfdDown,
    BfdUp,
    Close,
    Closed,
    Connect,
    Connected,
    ConnectFailed,
    Down,
    Effect,
    Event,
    Leaving,
    ParametersChanged,
    Received,
    RoutesChanged,
    RoutesComplete,
    Send,
    Start,
    Stop,
    Up,
    WayBack,
    WayLost,
    WritingPaused,
    WritingResumed,
)
from herald.bgp.family import family_by_number
from herald.bgp.fsm import Input, State
from herald.bgp.graceful_restart import Past, Standing
from herald.bgp.message import Keepalive, Message, MessageType, Open, RefreshSubtype, RouteRefresh, Update
from herald.bgp.notification import CeaseSubcode, Code, Notification, WireError, cease
from herald.bgp.parameters import Change, Password, PeerParameters, changed_fields
from herald.bgp.path_attribute import WireContext
from herald.bgp.record import Record
from herald.bgp.snapshot import Direction, FamilySnapshot, SessionError, SessionSnapshot
from herald.bgp.timers import Backoff, Timer, Timers

ATTEMPT_SECONDS = 10.0
RETRY_FIRST_SECONDS = 1.0
RETRY_LONGEST_SECONDS = 30
FLAP_LONGEST_SECONDS = 120
STABLE_SECONDS = 30.0
SEND_HOLD_LEAST_SECONDS = 480.0
BFD_PATIENCE_SECONDS = 5.0
SLICE_OCTETS = 16 * 1024


class Session:
    """The machine of one peer. The shell drops what comes late from a connection that was given up.

    `host_name` is told to the peer, for people to read in its tables.
    """

    def __init__(self, parameters: PeerParameters, rng: random.Random, host_name: str = "") -> None:
        self._host_name = host_name
        self._past = Past.NOTHING
        self._parameters = parameters
        self._attempted = parameters  # those of the present attempt or session
        self._conversation: Conversation | None = None  # the present one, or the last
        self._timers = Timers(rng)
        self._rib = AdjRibOut()
        self._state = State.IDLE
        self._backoff = Backoff(RETRY_FIRST_SECONDS)
        self._waits_for_bfd = False  # until the next attempt
        self._record = Record()

    @property
    def state(self) -> State:
        return self._state

    @property
    def last_error(self) -> SessionError | None:
        return self._record.last_error

    def handle(self, event: Event, now: float) -> list[Effect]:
        """What follows from `event`. An event that comes too late for the present state does nothing."""
        match event:
            case Start(past, complete):
                return self._start(past, now, complete=complete) if self._idle else []
            case Stop(reason, leaving):
                return self._stop(CeaseSubcode.ADMINISTRATIVE_SHUTDOWN, leaving, reason, now)
            case Connected():
                return self._connected(event, now)
            case ConnectFailed(reason, finding):
                return self._lost(reason, now, finding) if self._state is State.CONNECT else []
            case Received(data):
                return self._received(data, now)
            case Closed(reason):
                return self._closed(reason, now) if self._state in fsm.CONNECTED else []
            case WritingPaused():
                return self._writing_paused(now)
            case WritingResumed():
                return self._writing_resumed(now)
            case RoutesChanged(upserts, withdrawn):
                self._rib.change(upserts, withdrawn)
            case RoutesComplete():
                self._rib.complete(now=True)
            case ParametersChanged(parameters):
                return self._parameters_changed(parameters, now)
            case WayLost(reason):
                return self._way_lost(reason, now)
            case WayBack():
                if self._timers.get(Timer.RETRY) is not None:
                    self._record.pinned_error = None  # it tells of how things were
                    self._timers.set(Timer.RETRY, now)
                return []
            case BfdDown(reason):
                return self._bfd_down(reason, now)
            case BfdUp():
                return self._bfd_up(now)
            case _ as never:
                assert_never(never)
        self._schedule_flush(now)
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
        retry = self._timers.get(Timer.RETRY)
        return self._record.snapshot(
            self._state,
            self._parameters,
            self._attempted,
            self._talking,
            self._rib,
            last=self._conversation,
            next_retry=retry,
        )

    # Getting a connection

    @property
    def _idle(self) -> bool:
        """Whether nothing is under way: not started, or stopped."""
        return self._state is State.IDLE and self._timers.get(Timer.RETRY) is None

    @property
    def _talking(self) -> Conversation | None:
        """The conversation, while there is a connection."""
        return self._conversation if self._state in fsm.CONNECTED else None

    def _start(self, past: Past, now: float, *, complete: bool) -> list[Effect]:
        self._past = past
        self._rib.complete(now=complete)
        return self._connect(Input.START, now)

    def _connect(self, happened: Input, now: float) -> list[Effect]:
        self._advance(happened, now)
        self._attempted = self._parameters
        self._waits_for_bfd = False
        self._timers.clear_all()
        self._timers.set(Timer.HOLD, now + ATTEMPT_SECONDS)
        return [Connect(self._attempted)]

    def _connected(self, event: Connected, now: float) -> list[Effect]:
        if self._state is not State.CONNECT:
            # `Close` would mean the connection that is in use, and the shell has one at a time.
            return [] if self._talking else [Close("no connection was asked for")]
        self._advance(Input.TCP_CONFIRMED, now)
        self._conversation = Conversation(self._attempted, event, self._standing, self._host_name)
        return [self._send(self._conversation.offered)]

    @property
    def _standing(self) -> Standing:
        """What the peer is told of our past: for a session of which it has heard the end of the table, nothing."""
        return Standing(restarting=self._past is not Past.NOTHING, forwarding=self._past is not Past.REBOOTED)

    # Receiving

    def _received(self, data: bytes, now: float) -> list[Effect]:
        conversation = self._talking
        effects: list[Effect] = []
        try:
            for kind, body in conversation.framer.feed(data) if conversation else ():
                effects.extend(self._message(kind, body, now))
                if self._talking is None:
                    break
        except WireError as error:
            effects.extend(self._refuse(Input.MESSAGE_ERROR, error.notification, error.reason, now))
        return effects

    def _message(self, kind: MessageType, body: bytes, now: float) -> list[Effect]:
        conversation = self._talking
        assert conversation is not None
        self._record.messages_in[kind] += 1
        happened = fsm.INPUT_OF[kind]
        if (self._state, happened) not in fsm.TRANSITIONS:
            note = Notification(Code.FINITE_STATE_MACHINE_ERROR, fsm.CONNECTED[self._state])
            return self._refuse(Input.FSM_ERROR, note, f"{kind.name} is not allowed now", now)
        received = conversation.decode(kind, body)
        if isinstance(received, Notification):
            finding = explanation.they_sent(received, self._attempted)
            error = SessionError(Direction.THEY_SENT, received.text, now, finding)
            return [Close(error.text), *self._fail(happened, error, now)]
        effects = self._accept(received, conversation, now)
        self._advance(happened, now)
        self._restart_hold(conversation, now)
        if self._state is State.ESTABLISHED and self._record.established_at is None:
            effects.extend(self._established(conversation, now))
        return effects

    def _accept(self, received: Message, conversation: Conversation, now: float) -> list[Effect]:
        """Take in a message that the state allows and that is not a NOTIFICATION."""
        match received:
            case Open():
                conversation.agree(received)
                self._restart_keepalive(conversation, now)
                return [self._send(Keepalive())]
            case Update():
                self._record.updates_with_errors += bool(received.problems)
                conversation.count(received)
            case RouteRefresh(afi, safi, subtype):
                # The others mark begin and end of a refresh that we never asked for.
                family = family_by_number(afi, safi)
                if subtype == RefreshSubtype.REQUEST and family is not None:
                    self._rib.families[family].refresh()
                    self._schedule_flush(now)
            case Keepalive() | Notification():
                pass
        return []

    def _established(self, conversation: Conversation, now: float) -> list[Effect]:
        self._record.up(now)
        self._rib.begin(conversation.egress())
        self._schedule_flush(now)
        return [Up()]

    # Sending

    def _send(self, outgoing: Message) -> Send:
        self._record.messages_out[message.type_of(outgoing)] += 1
        return Send(message.encode(outgoing, WireContext()))

    def _schedule_flush(self, now: float) -> None:
        conversation = self._conversation
        if self._state is State.ESTABLISHED and conversation and not conversation.writing_paused and self._rib.pending:
            self._timers.set(Timer.FLUSH, now)

    def _flush(self, conversation: Conversation, now: float) -> list[Effect]:
        messages = self._rib.take(SLICE_OCTETS)
        self._schedule_flush(now)
        if self._rib.converged:
            self._past = Past.NOTHING
        if not messages:
            return []
        self._record.messages_out.update(map(message.type_of_wire, messages))
        self._restart_keepalive(conversation, now)
        return [Send(b"".join(messages))]

    def _restart_keepalive(self, conversation: Conversation, now: float) -> None:
        agreed = conversation.negotiated
        if agreed is not None and agreed.hold_time:
            self._timers.set_jittered(Timer.KEEPALIVE, now, agreed.keepalive_time)

    def _restart_hold(self, conversation: Conversation, now: float) -> None:
        """The peer lives. With a hold time of 0, only the steps to Established have a deadline."""
        if conversation.hold_time:
            self._timers.set(Timer.HOLD, now + conversation.hold_time)
        elif self._state is State.ESTABLISHED:
            self._timers.clear(Timer.HOLD)

    def _writing_paused(self, now: float) -> list[Effect]:
        conversation = self._talking
        if conversation is not None and not conversation.writing_paused:
            conversation.writing_paused = True
            self._timers.set(Timer.SEND_HOLD, now + max(SEND_HOLD_LEAST_SECONDS, 2.0 * conversation.hold_time))
            self._timers.clear(Timer.FLUSH)
        return []

    def _writing_resumed(self, now: float) -> list[Effect]:
        conversation = self._talking
        if conversation is not None and conversation.writing_paused:
            conversation.writing_paused = False
            self._timers.clear(Timer.SEND_HOLD)
            self._schedule_flush(now)
            if self._timers.get(Timer.KEEPALIVE) is None:
                self._restart_keepalive(conversation, now)
        return []

    # Timers

    def _expired(self, timer: Timer, now: float) -> list[Effect]:
        if timer is Timer.RETRY:
            return self._connect(Input.RETRY_EXPIRES, now)
        conversation = self._talking
        if conversation is None:
            return self._attempt_expired(now)
        match timer:
            case Timer.HOLD:
                return self._hold_expired(conversation, now)
            case Timer.SEND_HOLD:
                note = Notification(Code.SEND_HOLD_TIMER_EXPIRED)
                return self._refuse(Input.MESSAGE_ERROR, note, "the peer has stopped taking our messages", now)
            case Timer.KEEPALIVE:
                # While bytes wait for the peer anyway, one more helps nobody; `WritingResumed` starts the timer again.
                if conversation.writing_paused:
                    return []
                self._restart_keepalive(conversation, now)
                return [self._send(Keepalive())]
            case Timer.FLUSH:
                return self._flush(conversation, now)

    def _attempt_expired(self, now: float) -> list[Effect]:
        reason = explanation.no_answer(self._attempted, ATTEMPT_SECONDS)
        finding = diagnose(Obstacle.SILENCE, self._attempted, Evidence())
        error = SessionError(Direction.LOCAL, reason, now, finding)
        return [Close(error.text), *self._fail(Input.HOLD_EXPIRES, error, now)]

    def _hold_expired(self, conversation: Conversation, now: float) -> list[Effect]:
        if conversation.negotiated is None:
            reason = explanation.no_open(self._attempted, ATTEMPT_SECONDS)
        elif self._state is State.OPEN_CONFIRM:
            reason = explanation.no_keepalive(self._attempted, conversation.hold_time or ATTEMPT_SECONDS)
        else:
            reason = f"nothing received for {conversation.hold_time or ATTEMPT_SECONDS:g} s"
        return self._refuse(Input.HOLD_EXPIRES, Notification(Code.HOLD_TIMER_EXPIRED), reason, now)

    # What BFD says (RFC 5882 §4.2)

    def _bfd_down(self, reason: str, now: float) -> list[Effect]:
        """End the session, and give BFD a while to see the peer again before the next attempt."""
        if self._talking is None:
            return []
        effects = self._refuse(Input.BFD_DOWN, cease(CeaseSubcode.BFD_DOWN), reason, now)
        self._timers.set(Timer.RETRY, max(self._timers.get(Timer.RETRY) or now, now + BFD_PATIENCE_SECONDS))
        self._waits_for_bfd = True
        return effects

    def _bfd_up(self, now: float) -> list[Effect]:
        """What is waited for has come, unless the peer flaps and is given a rest."""
        retry = self._timers.get(Timer.RETRY)
        if self._waits_for_bfd and retry is not None and self._record.short_sessions <= 1:
            self._timers.set(Timer.RETRY, min(retry, now + RETRY_FIRST_SECONDS))
        return []

    # Ending

    def _refuse(self, happened: Input, note: Notification, reason: str, now: float) -> list[Effect]:
        """End the session with a NOTIFICATION of our own."""
        finding = explanation.we_sent(note, self._attempted)
        error = SessionError(Direction.WE_SENT, f"{note.text}: {reason}", now, finding)
        return [self._send(note), Close(error.text), *self._fail(happened, error, now)]

    def _closed(self, reason: str, now: float) -> list[Effect]:
        if self._state is State.OPEN_SENT and self._conversation is not None:
            finding = explanation.why_closed_before_open(self._attempted, self._conversation.local_address)
            return self._lost(explanation.closed_before_open(reason), now, finding)
        return self._lost(reason, now)

    def _way_lost(self, reason: str, now: float) -> list[Effect]:
        if self._state not in fsm.CONNECTED and self._state is not State.CONNECT:
            return []
        return [Close(reason), *self._lost(reason, now)]

    def _lost(self, reason: str, now: float, finding: Finding | None = None) -> list[Effect]:
        """The connection is gone, or never came: there is nothing to close."""
        return self._fail(Input.TCP_FAILS, SessionError(Direction.LOCAL, reason, now, finding), now)

    def _fail(self, happened: Input, error: SessionError, now: float) -> list[Effect]:
        """Leave the present state because of `error`, and try again later."""
        effects = self._leave(happened, error.text, now)
        self._record.failed(error)
        longest = FLAP_LONGEST_SECONDS if self._record.short_sessions > 1 else RETRY_LONGEST_SECONDS
        self._timers.set_jittered(Timer.RETRY, now, self._backoff.next_wait(self._parameters.connect_time or longest))
        return effects

    def _leave(self, happened: Input, reason: str, now: float) -> list[Effect]:
        """Go to Idle or Active. No timer runs then, and the peer has none of our routes."""
        effects: list[Effect] = []
        if self._record.established_at is not None:
            effects.append(Down(reason))
            stable = now - self._record.established_at >= STABLE_SECONDS
            if stable:
                self._backoff.reset()
            self._record.down(now, stable=stable)
        self._advance(happened, now)
        self._timers.clear_all()
        self._rib.end()
        return effects

    def _stop(self, subcode: CeaseSubcode, leaving: Leaving, reason: str, now: float) -> list[Effect]:
        """End by our own will: no error, no further attempt."""
        conversation, farewell = self._talking, list[Effect]()
        if conversation is not None:
            note = conversation.farewell(cease(subcode, reason), leaving)
            farewell += [self._send(note)] if note is not None else []
        if self._state in fsm.CONNECTED or self._state is State.CONNECT:
            farewell.append(Close(reason))
        self._backoff.reset()
        return farewell + self._leave(Input.STOP, reason, now)

    def _parameters_changed(self, parameters: PeerParameters, now: float) -> list[Effect]:
        before, self._parameters = self._parameters, parameters
        retry = self._timers.get(Timer.RETRY)
        if retry is not None:
            self._timers.set(Timer.RETRY, min(retry, now + (parameters.connect_time or RETRY_LONGEST_SECONDS)))
        changed = changed_fields(before, parameters, Change.RESET)
        if not changed or self._idle:
            return []
        reason = f"configuration changed: {', '.join(changed)}"
        same_peer = (before.remote, before.vrf) == (parameters.remote, parameters.vrf)
        leaving = Leaving.TO_RETURN if same_peer else Leaving.FOR_GOOD
        effects = self._stop(CeaseSubcode.ADMINISTRATIVE_RESET, leaving, reason, now)
        self._record.pinned_error = None
        return effects + self._connect(Input.START, now)

    def _advance(self, happened: Input, now: float) -> None:
        following = fsm.next_state(self._state, happened)
        if following is not self._state:
            self._state, self._record.since = following, now


# The names of the machine's whole vocabulary, for those who run or test one.
# fmt: off
__all__ = [
    "BfdDown", "BfdUp", "Close", "Closed", "Connect", "ConnectFailed", "Connected", "Down", "Effect", "Event",
    "FamilySnapshot", "Leaving", "ParametersChanged", "Password", "Past", "PeerParameters", "Received", "RoutesChanged",
    "RoutesComplete", "Send", "Session", "SessionError", "SessionSnapshot", "Start", "State", "Stop", "Up", "WayBack",
    "WayLost", "WritingPaused", "WritingResumed",
]
# fmt: on
