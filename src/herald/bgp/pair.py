"""The connections of one peering: the one in use, and beside it a contender, on which we have not said anything yet.

One was initiated by us, the other by the peer, and by that they are told apart. A contender is always in OpenSent, and
given up when its time is over, so a timer of its own is all that it needs.
"""

from herald.bgp.conversation import Conversation
from herald.bgp.event import Initiator
from herald.bgp.timers import Timer, Timers

_OF_THE_ONE_IN_USE = (Timer.HOLD, Timer.SEND_HOLD, Timer.RETRY, Timer.KEEPALIVE, Timer.FLUSH)


class Pair:
    """`used` is None without a connection, and then there is no contender either; `last` is who was used last."""

    def __init__(self, timers: Timers) -> None:
        self.used: Conversation | None = None
        self.contender: Conversation | None = None
        self.last: Conversation | None = None
        self._timers = timers

    @property
    def both(self) -> tuple[Conversation, ...]:
        """Those that there are, the one in use last: so to end all of them leaves none to take over."""
        return tuple(one for one in (self.contender, self.used) if one is not None)

    def on(self, initiator: Initiator) -> Conversation | None:
        """The one that was initiated by that end."""
        return next((one for one in (self.used, self.contender) if one and one.initiator is initiator), None)

    def beside(self, conversation: Conversation) -> Conversation | None:
        """The other one."""
        return self.contender if conversation is self.used else self.used

    def add(self, conversation: Conversation) -> None:
        """A connection has come up: it is used if it is the only one."""
        if self.used is None:
            self._use(conversation)
        else:
            assert self.contender is None
            self.contender = conversation
            self.used.collided = conversation.collided = True
            self._timers.set(Timer.CONTENDER, conversation.open_by)

    def drop(self, conversation: Conversation) -> None:
        """It is over. If it was in use the contender takes its place, if there is one."""
        contender, self.contender = self.contender, None
        self._timers.clear(Timer.CONTENDER)
        if conversation is contender:
            return
        self.used = None
        for timer in _OF_THE_ONE_IN_USE:
            self._timers.clear(timer)
        if contender is not None:
            self._use(contender)

    def _use(self, conversation: Conversation) -> None:
        self.used = self.last = conversation
        self._timers.clear(Timer.RETRY)
        self._timers.set(Timer.HOLD, conversation.open_by)
