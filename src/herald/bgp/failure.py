"""Why a session ended or an attempt failed, as the value that is kept of it: what happened, in words, and its cause."""

from herald.bgp import explanation
from herald.bgp.conversation import Conversation
from herald.bgp.diagnosis import Evidence, Finding, Obstacle, diagnose
from herald.bgp.event import Closed
from herald.bgp.fsm import State
from herald.bgp.notification import CeaseSubcode, Code, Notification, cause_of
from herald.bgp.parameters import PeerParameters
from herald.bgp.snapshot import Direction, SessionError

ATTEMPT_SECONDS = 10.0
"""What an attempt has, TCP and the peer's OPEN. RFC 4271's four minutes would only hide the reason from an operator."""


def of_connection(reason: str, now: float, finding: Finding | None = None) -> SessionError:
    """The connection is gone, or never came."""
    return SessionError(Direction.LOCAL, reason, now, finding)


def no_answer(parameters: PeerParameters, now: float) -> SessionError:
    """TCP did not come up in time."""
    finding = diagnose(Obstacle.SILENCE, parameters, Evidence())
    return of_connection(explanation.no_answer(parameters, ATTEMPT_SECONDS), now, finding)


def closed(conversation: Conversation, event: Closed, now: float, *, is_young: bool) -> SessionError:
    """The peer has closed the connection, or it broke; `is_young`: the session has not stood for long."""
    reason = event.reason
    if event.unacknowledged and is_young:
        return of_connection(reason, now, explanation.why_unacknowledged(conversation.parameters))
    if conversation.state is not State.OPEN_SENT:
        return of_connection(reason, now)
    finding = explanation.why_closed_before_open(conversation.parameters, conversation.local_address)
    return of_connection(explanation.closed_before_open(reason), now, finding)


def told(received: Notification, parameters: PeerParameters, now: float) -> SessionError:
    """The peer has ended it with this."""
    return SessionError(Direction.THEY_SENT, received.text, now, explanation.they_sent(received, parameters))


def refused(note: Notification, reason: str, parameters: PeerParameters, now: float) -> SessionError:
    """We have ended it with `note`."""
    return SessionError(Direction.WE_SENT, f"{note.text}: {reason}", now, explanation.we_sent(note, parameters))


def silence(conversation: Conversation) -> str:
    """What to say of a peer whose hold timer, or the deadline for whose OPEN, has expired."""
    parameters, seconds = conversation.parameters, conversation.hold_time or ATTEMPT_SECONDS
    match conversation.state:
        case State.OPEN_SENT:
            return explanation.no_open(parameters, ATTEMPT_SECONDS)
        case State.OPEN_CONFIRM:
            return explanation.no_keepalive(parameters, seconds)
        case _:
            return f"nothing received for {seconds:g} s"


def is_collision(note: Notification) -> bool:
    """Whether it ends one of two connections, and not the session."""
    meant = cause_of(note) or note
    return (meant.code, meant.subcode) == (Code.CEASE, CeaseSubcode.CONNECTION_COLLISION_RESOLUTION)
