"""What happens on the connections of a peering, from the first OPEN to the last word: messages in, collision, endings.

A connection that is not needed is closed, and one that ends leaves its place to the other one if there is one, then to
the attempt, then to the wait for the next attempt (`approach`).
"""

from dataclasses import replace
from typing import assert_never

from herald.bgp import failure, fsm
from herald.bgp.approach import COLLISION, Approach
from herald.bgp.collision import Verdict
from herald.bgp.conversation import Conversation
from herald.bgp.event import Close, Closed, Connected, Down, Effect, Initiator, Leaving, Up
from herald.bgp.family import family_by_number
from herald.bgp.fsm import Input, State
from herald.bgp.graceful_restart import Past, Standing
from herald.bgp.message import Keepalive, Message, MessageType, Open, RefreshSubtype, RouteRefresh, Update
from herald.bgp.notification import Code, Notification, WireError
from herald.bgp.outflow import Outflow
from herald.bgp.pair import Pair
from herald.bgp.reconnection import STABLE_SECONDS
from herald.bgp.record import Record
from herald.bgp.snapshot import SessionError
from herald.bgp.timers import Timer, Timers


class Connections:
    """Those that there are. `past` is what the peer may still have of us, until it has been sent all anew."""

    def __init__(self, approach: Approach, timers: Timers, record: Record, host_name: str) -> None:
        self.past = Past.NOTHING
        self.pair = Pair(timers)
        self.outflow = Outflow(timers, record)
        self._approach = approach
        self._timers = timers
        self._record = record
        self._host_name = host_name

    def converse(self, local: Connected, initiator: Initiator, open_by: float, now: float) -> list[Effect]:
        """Say who we are, on a connection that has come up."""
        used = self.pair.used
        if used is not None:  # by which the two are compared
            local = replace(local, router_id=used.offered.router_id)
        standing = Standing(restarting=self.past is not Past.NOTHING, forwarding=self.past is not Past.REBOOTED)
        made = Conversation(
            self._approach.attempted, local, standing, self._host_name, initiator=initiator, open_by=open_by
        )
        if used is None:
            happened = Input.TCP_CONFIRMED if initiator is Initiator.US else Input.TCP_ACCEPTED
            made.state = fsm.next_state(self._approach.state, happened)
            self._record.since = now
        self.pair.add(made)
        return self._speak_up(now)

    def _speak_up(self, now: float) -> list[Effect]:
        """Our OPEN, on the connection that is in use now; and more, if the peer's has come already."""
        used = self.pair.used
        if used is None or used.has_spoken:
            return []
        used.has_spoken = True
        said: list[Effect] = [self.outflow.say(used.offered, used)]
        return said if used.theirs is None else said + self._confirm(used, now)

    def flush(self, conversation: Conversation, now: float) -> list[Effect]:
        """The next slice of routes."""
        effects = self.outflow.flush(conversation, now)
        if self.outflow.rib.converged:
            self.past = Past.NOTHING
        return effects

    # Receiving

    def received(self, data: bytes, on: Initiator, now: float) -> list[Effect]:
        conversation = self.pair.on(on)
        effects: list[Effect] = []
        if conversation is None:
            return effects
        try:
            for kind, body in conversation.framer.feed(data):
                effects.extend(self._message(kind, body, conversation, now))
                if self.pair.on(on) is not conversation:
                    break
        except WireError as error:
            effects.extend(self.refuse(conversation, Input.MESSAGE_ERROR, error.notification, error.reason, now))
        return effects

    def _message(self, kind: MessageType, body: bytes, conversation: Conversation, now: float) -> list[Effect]:
        self._record.messages_in[kind] += 1
        happened = fsm.INPUT_OF[kind]
        if (conversation.state, happened) not in fsm.TRANSITIONS:
            note = Notification(Code.FINITE_STATE_MACHINE_ERROR, fsm.CONNECTED[conversation.state])
            return self.refuse(conversation, Input.FSM_ERROR, note, f"{kind.name} is not allowed now", now)
        received = conversation.decode(kind, body)
        match received:
            case Notification():
                error = failure.told(received, conversation.parameters, now)
                close = Close(error.text, conversation.initiator)
                is_loser = failure.is_collision(received)
                return [close, *self._end(conversation, happened, error, now, is_loser=is_loser)]
            case Open():
                return self._opened(received, conversation, now)
            case _:
                return self._heard(received, conversation, happened, now)

    def _opened(self, theirs: Open, conversation: Conversation, now: float) -> list[Effect]:
        """The peer's OPEN: from here on this is the connection in use, unless the other one is to be kept."""
        if conversation.theirs is not None:
            note = Notification(Code.FINITE_STATE_MACHINE_ERROR, fsm.CONNECTED[conversation.state])
            return self.refuse(conversation, Input.FSM_ERROR, note, "a second OPEN", now)
        conversation.agree(theirs)
        other, effects = self.pair.beside(conversation), self._approach.give_up("the peer has dialled us")
        match conversation.against(other):
            case Verdict.KEEP_OTHER:
                return [*effects, *self.dump(conversation, now)]
            case Verdict.KEEP_OPENED:
                effects += self.dump(other, now) if other is not None else []
            case Verdict.KEEP_BOTH:
                pass
            case _ as never:
                assert_never(never)
        waits = conversation is not self.pair.used or conversation.state is not State.OPEN_SENT
        return effects if waits else effects + self._confirm(conversation, now)

    def _confirm(self, conversation: Conversation, now: float) -> list[Effect]:
        """Agree to the peer's OPEN."""
        self._advance(conversation, Input.OPEN, now)
        self.outflow.restart_keepalive(conversation, now)
        self._restart_hold(conversation, now)
        return [] if conversation.agrees_last else [self.outflow.say(Keepalive(), conversation)]

    def _heard(self, received: Message, conversation: Conversation, happened: Input, now: float) -> list[Effect]:
        """A message of the connection in use, which is in OpenConfirm or Established."""
        match received:
            case Update():
                self._record.updates_with_errors += bool(received.problems)
                conversation.count(received)
            case RouteRefresh(afi, safi, subtype):
                # The others mark begin and end of a refresh that we never asked for.
                family = family_by_number(afi, safi)
                if subtype == RefreshSubtype.REQUEST and family is not None:
                    self.outflow.rib.families[family].refresh()
                    self.outflow.schedule(conversation, now)
            case _:
                pass
        self._advance(conversation, happened, now)
        self._restart_hold(conversation, now)
        if conversation.state is not State.ESTABLISHED or self._record.established_at is not None:
            return []
        contender = self.pair.contender
        effects = self.dump(contender, now) if contender is not None else []
        effects += [self.outflow.say(Keepalive(), conversation)] if conversation.agrees_last else []
        self._record.up(now)
        self.outflow.begin(conversation, now)
        return [*effects, Up(conversation.initiator)]

    def _restart_hold(self, conversation: Conversation, now: float) -> None:
        """The peer lives. With a hold time of 0, only the steps to Established have a deadline."""
        if conversation.hold_time:
            self._timers.set(Timer.HOLD, now + conversation.hold_time)
        elif conversation.state is State.ESTABLISHED:
            self._timers.clear(Timer.HOLD)

    def closed(self, event: Closed, now: float) -> list[Effect]:
        """Without our doing. Before its OPEN the peer may do that for the sake of the other connection."""
        conversation = self.pair.on(event.on)
        if conversation is None:
            return []
        is_loser = conversation.state is State.OPEN_SENT
        up_at = self._record.established_at
        is_young = up_at is None or now - up_at < STABLE_SECONDS
        error = failure.closed(conversation, event, now, is_young=is_young)
        return self._end(conversation, Input.TCP_FAILS, error, now, is_loser=is_loser)

    # Ending

    def end_all(self, note: Notification, leaving: Leaving, reason: str, now: float) -> list[Effect]:
        """By our own will; no error."""
        effects: list[Effect] = []
        for one in self.pair.both:
            farewell = one.farewell(note, leaving)
            effects += [self.outflow.say(farewell, one)] if farewell is not None else []
            effects += [Close(reason, one.initiator), *self._leave(one, Input.STOP, reason, now)]
        return effects

    def lose_all(self, error: SessionError, now: float) -> list[Effect]:
        """They are of no use any more, and nothing said over them would arrive."""
        effects: list[Effect] = []
        for one in self.pair.both:
            effects += [Close(error.text, one.initiator), *self._end(one, Input.TCP_FAILS, error, now)]
        return effects

    def refuse_all(self, happened: Input, note: Notification, reason: str, now: float) -> list[Effect]:
        """End all for one reason, for which the peer is to forget our routes at once (RFC 8538 §4)."""
        effects: list[Effect] = []
        for one in self.pair.both:
            last = one.farewell(note, Leaving.FOR_GOOD)
            assert last is not None
            effects += self.refuse(one, happened, last, reason, now)
        return effects

    def refuse(
        self, conversation: Conversation, happened: Input, note: Notification, reason: str, now: float
    ) -> list[Effect]:
        """End a connection with a NOTIFICATION of our own."""
        error = failure.refused(note, reason, self._approach.attempted, now)
        close = Close(error.text, conversation.initiator)
        return [self.outflow.say(note, conversation), close, *self._end(conversation, happened, error, now)]

    def dump(self, conversation: Conversation, now: float) -> list[Effect]:
        """End a connection in favour of the other one. Of one that the peer has forgotten it is told nothing."""
        reason = "another connection with the peer is kept"
        is_stale = conversation.state is State.ESTABLISHED
        farewell = [] if is_stale else [self.outflow.say(COLLISION, conversation)]
        close = Close(reason, conversation.initiator)
        return [*farewell, close, *self._leave(conversation, Input.COLLISION, reason, now)]

    def _end(
        self, conversation: Conversation, happened: Input, error: SessionError, now: float, *, is_loser: bool = False
    ) -> list[Effect]:
        """A connection is over because of `error`: go on with the other one, or with the attempt, or try again later.

        The loser of a collision fails nothing.
        """
        was_used = conversation is self.pair.used
        effects = self._leave(conversation, happened, error.text, now)
        goes_on = self.pair.used is not None or self._approach.dialling
        if was_used and not (is_loser and goes_on):
            self._record.failed(error)
        if not goes_on:
            self._approach.try_later(now)
        return effects

    def _leave(self, conversation: Conversation, happened: Input, reason: str, now: float) -> list[Effect]:
        """The connection is gone. If it was the one in use, the peer has none of our routes."""
        following = fsm.next_state(conversation.state, happened)
        if conversation is self.pair.contender:
            self.pair.drop(conversation)
            return []
        effects: list[Effect] = []
        if self._record.established_at is not None:
            effects.append(Down(reason))
            self._approach.awaited_until = now + conversation.keeps_for
            stable = now - self._record.established_at >= STABLE_SECONDS
            if stable:
                self._approach.reconnection.start_over()
            self._record.down(now, stable=stable)
        self.pair.drop(conversation)
        self.outflow.rib.end()
        self._approach.state = State.CONNECT if self._approach.dialling else following
        self._record.since = now
        if self.pair.used is not None:
            self._timers.set(Timer.HOLD, now + failure.ATTEMPT_SECONDS)
        return effects + self._speak_up(now)

    def _advance(self, conversation: Conversation, happened: Input, now: float) -> None:
        following = fsm.next_state(conversation.state, happened)
        if following is not conversation.state:
            conversation.state, self._record.since = following, now
