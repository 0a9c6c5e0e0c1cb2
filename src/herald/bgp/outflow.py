"""What leaves over the connection in use: routes in slices, keepalives, and the pause while the peer is slow.

Routes leave in `wake`, not in the call that changed them: changes of one turn of the loop are packed together, and a
table of any size leaves in slices between which the shell can do other work.
"""

from herald.bgp import message
from herald.bgp.adj_rib_out import AdjRibOut
from herald.bgp.conversation import Conversation
from herald.bgp.event import Effect, Send
from herald.bgp.fsm import State
from herald.bgp.message import Keepalive, Message
from herald.bgp.path_attribute import WireContext
from herald.bgp.record import Record
from herald.bgp.timers import Timer, Timers

SEND_HOLD_LEAST_SECONDS = 480.0
SLICE_OCTETS = 16 * 1024


class Outflow:
    """The routes that are wished for, and what the peer has been sent. Counts what it writes in `record`."""

    def __init__(self, timers: Timers, record: Record) -> None:
        self.rib = AdjRibOut()
        self._timers = timers
        self._record = record

    def say(self, outgoing: Message, conversation: Conversation) -> Send:
        """One message, now."""
        self._record.messages_out[message.type_of(outgoing)] += 1
        return Send(message.encode(outgoing, WireContext()), conversation.initiator)

    def begin(self, conversation: Conversation, now: float) -> None:
        """The session is Established."""
        self.rib.begin(conversation.egress())
        self.schedule(conversation, now)

    def schedule(self, conversation: Conversation | None, now: float) -> None:
        """Have what waits sent, if it can be."""
        if conversation is None or conversation.state is not State.ESTABLISHED or conversation.writing_paused:
            return
        if self.rib.pending:
            self._timers.set(Timer.FLUSH, now)

    def flush(self, conversation: Conversation, now: float) -> list[Effect]:
        """The next slice of routes."""
        messages = self.rib.take(SLICE_OCTETS)
        self.schedule(conversation, now)
        if not messages:
            return []
        self._record.messages_out.update(map(message.type_of_wire, messages))
        self.restart_keepalive(conversation, now)
        return [Send(b"".join(messages), conversation.initiator)]

    def keepalive(self, conversation: Conversation, now: float) -> list[Effect]:
        """While bytes wait for the peer anyway, one more helps nobody; `resume` starts the timer again."""
        if conversation.writing_paused:
            return []
        self.restart_keepalive(conversation, now)
        return [self.say(Keepalive(), conversation)]

    def restart_keepalive(self, conversation: Conversation, now: float) -> None:
        """Something was sent: the next KEEPALIVE is a whole time away."""
        agreed = conversation.negotiated
        if agreed is not None and agreed.hold_time:
            self._timers.set_jittered(Timer.KEEPALIVE, now, agreed.keepalive_time)

    def pause(self, conversation: Conversation, now: float) -> None:
        """The peer is slow."""
        if not conversation.writing_paused:
            conversation.writing_paused = True
            self._timers.set(Timer.SEND_HOLD, now + max(SEND_HOLD_LEAST_SECONDS, 2.0 * conversation.hold_time))
            self._timers.clear(Timer.FLUSH)

    def resume(self, conversation: Conversation, now: float) -> None:
        """The bytes flow again."""
        if conversation.writing_paused:
            conversation.writing_paused = False
            self._timers.clear(Timer.SEND_HOLD)
            self.schedule(conversation, now)
            if self._timers.get(Timer.KEEPALIVE) is None:
                self.restart_keepalive(conversation, now)
