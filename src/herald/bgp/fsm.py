"""The finite state machine of RFC 4271 §8.2.2 as one table, which the session obeys.

Each connection has its own state (§8.2.1). A peering has two at most, one that it dialled and one that it accepted; it
shows the state of the one that is further. What becomes of the two is the matter of `collision`. Three readings are our
own:

* Connect falls to Active, not to Idle, when TCP fails. RFC 4271 does so only while DelayOpenTimer runs; every router
  shows Active for a peer that cannot be reached, and operators look for that word.
* An error after TCP falls to Idle and leaves it by event 13 (IdleHoldTimer_Expires), with the same back-off.
* A connection of the peer is accepted in Idle too, while the next attempt is waited for: that the peer dials shows that
  it is back. RFC 4271 refuses it; so does Herald where a session keeps falling.

A pair that is not in the table is a protocol error if the peer caused it (NOTIFICATION code 5, RFC 6608), and a broken
invariant if we did.
"""

from enum import Enum, auto

from herald.bgp.message import MessageType
from herald.bgp.notification import FsmSubcode


class State(Enum):
    """The state, as every router prints it."""

    IDLE = "Idle"
    CONNECT = "Connect"
    ACTIVE = "Active"
    OPEN_SENT = "OpenSent"
    OPEN_CONFIRM = "OpenConfirm"
    ESTABLISHED = "Established"


class Input(Enum):
    """What can happen; the numbers are those of RFC 4271 §8.1."""

    START = auto()  # 1 ManualStart
    PASSIVE_START = auto()  # 4 ManualStart_with_PassiveTcpEstablishment
    STOP = auto()  # 2 ManualStop
    RETRY_EXPIRES = auto()  # 9 ConnectRetryTimer_Expires, in Idle 13 IdleHoldTimer_Expires
    HOLD_EXPIRES = auto()  # 10 HoldTimer_Expires
    TCP_CONFIRMED = auto()  # 17 TcpConnectionConfirmed
    TCP_ACCEPTED = auto()  # 17 too, of a connection that the peer has initiated
    TCP_FAILS = auto()  # 18 TcpConnectionFails; in Connect also that it has not come up in time
    OPEN = auto()  # 19 BGPOpen
    MESSAGE_ERROR = auto()  # 21 BGPHeaderErr, 22 BGPOpenMsgErr, 28 UpdateMsgErr
    COLLISION = auto()  # 23 OpenCollisionDump
    NOTIFICATION = auto()  # 24, 25 NotifMsg
    KEEPALIVE = auto()  # 26 KeepAliveMsg
    UPDATE = auto()  # 27 UpdateMsg
    ROUTE_REFRESH = auto()  # RFC 2918
    BFD_DOWN = auto()  # 8 AutomaticStop, for the reason of RFC 9384
    FSM_ERROR = auto()  # a message that the state does not allow


class UnexpectedInputError(Exception):
    """The table has no row for this pair."""

    def __init__(self, state: State, happened: Input) -> None:
        super().__init__(f"{happened.name} is not possible in state {state.value}")
        self.state = state
        self.happened = happened


INPUT_OF = {
    MessageType.OPEN: Input.OPEN,
    MessageType.UPDATE: Input.UPDATE,
    MessageType.NOTIFICATION: Input.NOTIFICATION,
    MessageType.KEEPALIVE: Input.KEEPALIVE,
    MessageType.ROUTE_REFRESH: Input.ROUTE_REFRESH,
}

_S, _I = State, Input
TRANSITIONS: dict[tuple[State, Input], State] = {
    (_S.IDLE, _I.START): _S.CONNECT,
    (_S.IDLE, _I.PASSIVE_START): _S.ACTIVE,
    (_S.IDLE, _I.STOP): _S.IDLE,
    (_S.IDLE, _I.RETRY_EXPIRES): _S.CONNECT,
    (_S.IDLE, _I.TCP_ACCEPTED): _S.OPEN_SENT,
    (_S.CONNECT, _I.STOP): _S.IDLE,
    (_S.CONNECT, _I.TCP_CONFIRMED): _S.OPEN_SENT,
    (_S.CONNECT, _I.TCP_ACCEPTED): _S.OPEN_SENT,
    (_S.CONNECT, _I.TCP_FAILS): _S.ACTIVE,
    (_S.ACTIVE, _I.STOP): _S.IDLE,
    (_S.ACTIVE, _I.RETRY_EXPIRES): _S.CONNECT,
    (_S.ACTIVE, _I.PASSIVE_START): _S.ACTIVE,
    (_S.ACTIVE, _I.TCP_ACCEPTED): _S.OPEN_SENT,
    (_S.OPEN_SENT, _I.STOP): _S.IDLE,
    (_S.OPEN_SENT, _I.TCP_FAILS): _S.ACTIVE,
    (_S.OPEN_SENT, _I.HOLD_EXPIRES): _S.IDLE,
    (_S.OPEN_SENT, _I.OPEN): _S.OPEN_CONFIRM,
    (_S.OPEN_SENT, _I.MESSAGE_ERROR): _S.IDLE,
    (_S.OPEN_SENT, _I.COLLISION): _S.IDLE,
    (_S.OPEN_SENT, _I.NOTIFICATION): _S.IDLE,
    (_S.OPEN_SENT, _I.BFD_DOWN): _S.IDLE,
    (_S.OPEN_SENT, _I.FSM_ERROR): _S.IDLE,
    (_S.OPEN_CONFIRM, _I.STOP): _S.IDLE,
    (_S.OPEN_CONFIRM, _I.TCP_FAILS): _S.IDLE,
    (_S.OPEN_CONFIRM, _I.HOLD_EXPIRES): _S.IDLE,
    (_S.OPEN_CONFIRM, _I.MESSAGE_ERROR): _S.IDLE,
    (_S.OPEN_CONFIRM, _I.COLLISION): _S.IDLE,
    (_S.OPEN_CONFIRM, _I.NOTIFICATION): _S.IDLE,
    (_S.OPEN_CONFIRM, _I.BFD_DOWN): _S.IDLE,
    (_S.OPEN_CONFIRM, _I.FSM_ERROR): _S.IDLE,
    (_S.OPEN_CONFIRM, _I.KEEPALIVE): _S.ESTABLISHED,
    (_S.ESTABLISHED, _I.STOP): _S.IDLE,
    (_S.ESTABLISHED, _I.TCP_FAILS): _S.IDLE,
    (_S.ESTABLISHED, _I.HOLD_EXPIRES): _S.IDLE,
    (_S.ESTABLISHED, _I.MESSAGE_ERROR): _S.IDLE,
    (_S.ESTABLISHED, _I.COLLISION): _S.IDLE,
    (_S.ESTABLISHED, _I.NOTIFICATION): _S.IDLE,
    (_S.ESTABLISHED, _I.BFD_DOWN): _S.IDLE,
    (_S.ESTABLISHED, _I.FSM_ERROR): _S.IDLE,
    (_S.ESTABLISHED, _I.KEEPALIVE): _S.ESTABLISHED,
    (_S.ESTABLISHED, _I.UPDATE): _S.ESTABLISHED,
    (_S.ESTABLISHED, _I.ROUTE_REFRESH): _S.ESTABLISHED,
}

# The states with a TCP connection, and the FSM error subcode of an unexpected message in each (RFC 6608 §3).
CONNECTED: dict[State, FsmSubcode] = {
    State.OPEN_SENT: FsmSubcode.UNEXPECTED_MESSAGE_IN_OPEN_SENT,
    State.OPEN_CONFIRM: FsmSubcode.UNEXPECTED_MESSAGE_IN_OPEN_CONFIRM,
    State.ESTABLISHED: FsmSubcode.UNEXPECTED_MESSAGE_IN_ESTABLISHED,
}


def next_state(state: State, happened: Input) -> State:
    """The state that follows. Raises `UnexpectedInputError` for a pair that the table does not have."""
    following = TRANSITIONS.get((state, happened))
    if following is None:
        raise UnexpectedInputError(state, happened)
    return following
