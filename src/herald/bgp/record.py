"""What is remembered of a session for people: what was said and heard, what went wrong, and the snapshot made of it.

The machine writes into it and never decides by it, with one exception: `established_at` is the one place that knows
whether the session stands.
"""

from collections import Counter

from herald.bgp.adj_rib_out import AdjRibOut, FamilyRib
from herald.bgp.capability import Capability
from herald.bgp.conversation import Conversation
from herald.bgp.family import Family
from herald.bgp.fsm import State
from herald.bgp.graceful_restart import NO_AGREEMENT, said
from herald.bgp.message import MessageType
from herald.bgp.parameters import Change, PeerParameters, changed_fields
from herald.bgp.snapshot import FamilySnapshot, Neighbor, RestartSnapshot, SessionError, SessionSnapshot

CAUSE_SECONDS = 60.0
"""How long a cause is shown that shows no more."""


class Record:
    """The history of one peer since it was configured. Instants are monotonic seconds."""

    def __init__(self) -> None:
        self.since = 0.0  # in the present state
        self.established_at: float | None = None
        self.down_at: float | None = None
        self.flaps = 0
        self.ups = 0
        self.short_sessions = 0  # how many in a row were not stable
        self.last_error: SessionError | None = None
        self.pinned_error: SessionError | None = None  # the most telling one since the session was last Established
        self.messages_in: Counter[MessageType] = Counter()
        self.messages_out: Counter[MessageType] = Counter()
        self.updates_with_errors = 0
        self.turned_away = 0  # connections of the peer that were not wanted

    def up(self, now: float) -> None:
        """The session is Established."""
        self.established_at = now
        self.ups += 1
        self.pinned_error = None

    def down(self, now: float, *, stable: bool) -> None:
        """The session was Established and is no more; `stable` if it stood for long."""
        self.short_sessions = 0 if stable else self.short_sessions + 1
        self.established_at = None
        self.down_at = now
        self.flaps += 1

    def failed(self, error: SessionError) -> None:
        """A session or an attempt ended for `error`."""
        self.last_error = error
        if _tells_more(error, self.pinned_error):
            self.pinned_error = error

    def snapshot(
        self,
        state: State,
        parameters: PeerParameters,
        attempted: PeerParameters,
        conversation: Conversation | None,
        rib: AdjRibOut,
        *,
        last: Conversation | None,
        next_retry: float | None,
        waits_for: str | None,
    ) -> SessionSnapshot:
        """The whole session as a value. `attempted` are the parameters of the present attempt or session,
        `last` is the conversation that was there last.
        """
        agreed = conversation.negotiated if conversation else None
        return SessionSnapshot(
            name=parameters.name,
            endpoint=parameters.endpoint,
            state=state,
            since=self.since,
            established_at=self.established_at,
            down_at=self.down_at,
            local_asn=parameters.local_asn,
            remote_asn=agreed.remote_asn if agreed else None,
            remote_router_id=agreed.remote_router_id if agreed else None,
            hold_time=agreed.hold_time if agreed else None,
            keepalive_time=agreed.keepalive_time if agreed else None,
            capabilities_offered=_texts(conversation.offered.capabilities) if conversation else (),
            capabilities_received=_texts(agreed.capabilities) if agreed else (),
            families=tuple(_family(one, attempted, conversation) for one in rib.families.values()),
            last_error=self.last_error,
            pinned_error=self.pinned_error,
            next_retry=next_retry,
            messages_in=dict(self.messages_in),
            messages_out=dict(self.messages_out),
            updates_with_errors=self.updates_with_errors,
            flaps=self.flaps,
            ups=self.ups,
            pending_changes=changed_fields(attempted, parameters, Change.NEXT_SESSION) if conversation else (),
            neighbor=_neighbor(parameters, conversation or last),
            short_sessions=self.short_sessions,
            graceful_restart=_restart(conversation) if conversation else None,
            initiator=conversation.initiator if conversation else None,
            waits_for=waits_for,
            turned_away=self.turned_away,
        )


def _tells_more(error: SessionError, than: SessionError | None) -> bool:
    """Whether `error` is to be shown in the place of an earlier one.

    After a NOTIFICATION that says all, many routers just close what comes next, so a known cause stays. Not for ever:
    one that was not seen again for so long may be cured, and another may keep the session down now.
    """
    if than is None or _is_definite(error):
        return True
    if _is_definite(than):
        return error.at - than.at > CAUSE_SECONDS
    return error.finding is not None and than.finding is None


def _is_definite(error: SessionError) -> bool:
    return error.finding is not None and error.finding.cause.is_definite


def _neighbor(parameters: PeerParameters, last: Conversation | None) -> Neighbor:
    return Neighbor(
        address=parameters.peer_address,
        port=parameters.peer_port,
        peer_asn=parameters.peer_asn,
        families=tuple(family for family in Family if family in parameters.families),
        internal=parameters.internal,
        multihop=parameters.multihop,
        hold_time=parameters.hold_time,
        keepalive_time=parameters.keepalive_time,
        connect_time=parameters.connect_time,
        local_address=last.local_address if last else None,
        local_router_id=last.offered.router_id if last else parameters.router_id,
        interface=parameters.interface,
        vrf=parameters.vrf,
        ttl_security=parameters.ttl_security,
        passive=parameters.passive,
        role=parameters.role,
        role_strict=parameters.role_strict,
    )


def _restart(conversation: Conversation) -> RestartSnapshot:
    theirs, agreed = conversation.theirs, conversation.negotiated
    agreement = agreed.graceful_restart if agreed else NO_AGREEMENT
    return RestartSnapshot(
        offered=said(conversation.offered),
        received=said(theirs) if theirs else None,
        kept=tuple(family for family in Family if family in agreement.kept),
        notification=agreement.notification,
    )


def _family(rib: FamilyRib, attempted: PeerParameters, conversation: Conversation | None) -> FamilySnapshot:
    family = rib.family
    agreed = conversation.negotiated if conversation else None
    reason = conversation.why_not_sent(family) if conversation else None
    if family not in attempted.families:
        reason = f"{family.text} is not configured for this peer"
    elif rib.refused:
        reason = f"{len(rib.refused)} routes have more attributes than fit into a message"
    return FamilySnapshot(
        family=family,
        negotiated=agreed is not None and family in agreed.families,
        wanted=len(rib.wanted),
        advertised=len(rib.sent),
        pending=rib.queued,
        reason=reason,
        received=conversation.received[family] if conversation else 0,
        received_withdrawn=conversation.received_withdrawn[family] if conversation else 0,
        next_hop=conversation.next_hop(family) if conversation else (),
        end_of_rib_sent=agreed is not None and rib.in_session and not rib.end_of_rib_due,
        end_of_rib_received=conversation is not None and family in conversation.ends_of_rib,
    )


def _texts(capabilities: tuple[Capability, ...]) -> tuple[str, ...]:
    return tuple(entry.text for entry in capabilities)
