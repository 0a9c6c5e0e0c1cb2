"""The way to a connection: the attempt, the wait for the next one, and what a connection of the peer's is met with.

It is the state machine of a peering while there is no connection (Idle, Connect, Active). An attempt may go on beside a
connection that the peer has dialled, until one of the two comes to the peer's OPEN.
"""

from herald.bgp import fsm
from herald.bgp.conversation import Conversation
from herald.bgp.event import Close, Connect, Effect, Initiator
from herald.bgp.failure import ATTEMPT_SECONDS
from herald.bgp.fsm import Input, State
from herald.bgp.notification import CeaseSubcode, Notification, cease
from herald.bgp.parameters import PeerParameters
from herald.bgp.reconnection import RETRY_LONGEST_SECONDS, Reconnection
from herald.bgp.record import Record
from herald.bgp.snapshot import SessionError
from herald.bgp.timers import Timer, Timers

COLLISION = cease(CeaseSubcode.CONNECTION_COLLISION_RESOLUTION)


class Approach:
    """`wanted` is whether there is to be a session, `state` what it is in without a connection.

    `parameters` are those of now, `attempted` those of the present attempt or session. Until `awaited_until` the peer
    may keep our routes for our return (RFC 4724), and is dialled even if it is passive: FRR leaves it to us to come
    back as long as it keeps them, and both would wait until they are lost.
    """

    def __init__(self, parameters: PeerParameters, timers: Timers, record: Record) -> None:
        self.parameters = parameters
        self.attempted = parameters
        self.wanted = False
        self.awaited_until = 0.0
        self.dialling = False
        self.state = State.IDLE
        self.reconnection = Reconnection()
        self._timers = timers
        self._record = record

    @property
    def is_held(self) -> bool:
        """Whether there must be no session for now, because BFD is not up (strict mode)."""
        return self.reconnection.is_held(self.parameters)

    @property
    def waits_for(self) -> str | None:
        """What must come before there is a connection, other than time; said while there is none."""
        if not self.wanted or self.dialling:
            return None
        if self.is_held:
            return "waiting for BFD (strict mode)"
        return "waiting for the peer to dial (passive)" if self.parameters.passive else None

    def begin(self, happened: Input, now: float) -> list[Effect]:
        """Dial, unless something else must come first: BFD, or the peer itself."""
        self._timers.clear_all()
        if self.is_held:
            return []
        self.attempted = self.parameters
        self.reconnection.begins()
        if self.parameters.passive and now >= self.awaited_until:
            self.rest(Input.PASSIVE_START, now)
            return []
        self.rest(happened, now)
        self.dialling = True
        self._timers.set(Timer.ATTEMPT, now + ATTEMPT_SECONDS)
        return [Connect(self.attempted)]

    def go_on(self, now: float) -> list[Effect]:
        """There is no connection, and what kept us from dialling may be over."""
        waits = self.wanted and not self.dialling and self._timers.get(Timer.RETRY) is None
        return self.begin(Input.RETRY_EXPIRES, now) if waits else []

    def arrived(self, now: float) -> float:
        """The attempt has come to a connection. Gives the instant by which the peer's OPEN must have come too."""
        self.dialling = False
        open_by = self._timers.get(Timer.ATTEMPT) or now
        self._timers.clear(Timer.ATTEMPT)
        return open_by

    def accepts(self, *, has_another: bool) -> None:
        """A connection of the peer is taken; `has_another`: there is one already."""
        self.reconnection.begins()
        if not has_another and not self.dialling:
            self.attempted = self.parameters

    def give_up(self, reason: str) -> list[Effect]:
        """No attempt goes on."""
        if not self.dialling:
            return []
        self.dialling = False
        self._timers.clear(Timer.ATTEMPT)
        return [Close(reason)]

    def failed(self, error: SessionError, now: float) -> None:
        """The attempt has come to nothing, and there is no connection either."""
        self.give_up(error.text)
        self.rest(Input.TCP_FAILS, now)
        self._record.failed(error)
        self.try_later(now)

    def try_later(self, now: float) -> None:
        """Wait, longer each time."""
        wait = self.reconnection.wait_after_failure(self.parameters, self._record.short_sessions)
        self._timers.set_jittered(Timer.RETRY, now, wait)
        if self._record.down_at == now and self._record.short_sessions > 1:
            self.reconnection.rest(self._timers.get(Timer.RETRY) or now)

    def shorten_wait(self, now: float) -> None:
        """The parameters are others, and may say a shorter time."""
        retry = self._timers.get(Timer.RETRY)
        if retry is not None:
            longest = self.parameters.connect_time or RETRY_LONGEST_SECONDS
            self._timers.set(Timer.RETRY, min(retry, now + longest))

    def bfd_up(self, now: float) -> None:
        """What is waited for may have come."""
        self.reconnection.bfd_up()
        retry = self._timers.get(Timer.RETRY)
        if retry is not None:
            soon = self.reconnection.retry_with_bfd(retry, self._record.short_sessions, now)
            self._timers.set(Timer.RETRY, soon)

    def rejection(self, used: Conversation | None, now: float) -> tuple[Notification, str] | None:
        """With what and why a connection of the peer is turned away now, if it is; `used` is the one that there is."""
        if used is None:
            reason = self._unwanted(now)
            return None if reason is None else (cease(CeaseSubcode.CONNECTION_REJECTED), reason)
        if used.state is State.ESTABLISHED and not used.may_restart:
            return COLLISION, "the session is established"
        if used.state is State.OPEN_CONFIRM and used.initiator is Initiator.US and used.wins:
            return COLLISION, "our own connection is the one to keep (RFC 4271 §6.8)"
        return None

    def _unwanted(self, now: float) -> str | None:
        if not self.wanted:
            return "there is to be no session"
        waiting = self._timers.get(Timer.RETRY) is not None
        return self.reconnection.rejection(self.parameters, now, waiting=waiting)

    def rest(self, happened: Input, now: float) -> None:
        """The state without a connection is another one."""
        following = fsm.next_state(self.state, happened)
        if following is not self.state:
            self.state, self._record.since = following, now
