"""What belongs to one connection with a peer: its byte stream, both OPENs, the agreement, and what was heard since."""

from collections import Counter
from typing import assert_never

from herald.bgp import graceful_restart, message
from herald.bgp.adj_rib_out import Egress
from herald.bgp.collision import Verdict, dominant, judge
from herald.bgp.event import Connected, Initiator, Leaving
from herald.bgp.family import Family
from herald.bgp.fsm import State
from herald.bgp.graceful_restart import NO_AGREEMENT, Standing
from herald.bgp.message import MAX_EXTENDED_OCTETS, MAX_OCTETS, Framer, Message, MessageType, Open, Update
from herald.bgp.negotiation import Negotiated, negotiate, offer
from herald.bgp.next_hop import NextHop, missing, next_hops
from herald.bgp.notification import Notification, hard_reset
from herald.bgp.parameters import PeerParameters
from herald.bgp.path_attribute import WireContext


class Conversation:
    """One connection from `Connected` to its end. `negotiated` is None until the peer's OPEN was accepted.

    Its state is OpenSent, OpenConfirm or Established. `open_by` is when the peer's OPEN must have come.
    """

    def __init__(
        self,
        parameters: PeerParameters,
        local: Connected,
        standing: Standing,
        host_name: str,
        *,
        initiator: Initiator = Initiator.US,
        open_by: float = 0.0,
    ) -> None:
        self.parameters = parameters
        self.initiator = initiator
        self.open_by = open_by
        self.state = State.OPEN_SENT
        self.has_spoken = False  # our OPEN is on its way
        self.collided = False  # there was another one beside it
        self.local_address = local.local_address
        self.offered = offer(parameters, local.router_id, standing, host_name)
        self.theirs: Open | None = None
        self.negotiated: Negotiated | None = None
        self.framer = Framer()
        self.writing_paused = False
        self.received: Counter[Family] = Counter()
        self.received_withdrawn: Counter[Family] = Counter()
        self.ends_of_rib: set[Family] = set()
        self._local = local

    @property
    def hold_time(self) -> int:
        """The agreed one; 0 while there is no agreement, or agreement on none."""
        return self.negotiated.hold_time if self.negotiated is not None else 0

    @property
    def may_restart(self) -> bool:
        """Whether the peer has said that it forwards on while it restarts: then it may dial before we miss it."""
        said = graceful_restart.said(self.theirs) if self.theirs is not None else None
        return said is not None and bool(said.families)

    @property
    def keeps_for(self) -> int:
        """For how many seconds the peer keeps our routes if the connection is lost; 0 if it does not."""
        kept = self.negotiated is not None and bool(self.negotiated.graceful_restart.kept)
        return (self.parameters.restart_time or 0) if kept else 0

    @property
    def wins(self) -> bool:
        """Whether, in a collision, it would be the one to keep. The peer's OPEN must be known."""
        assert self.theirs is not None
        return dominant(self.offered, self.theirs) is self.initiator

    @property
    def agrees_last(self) -> bool:
        """Whether our first KEEPALIVE waits for the peer's: after a collision that was ours to decide (`collision`)."""
        return self.collided and self.initiator is Initiator.US and self.wins

    def against(self, other: "Conversation | None") -> Verdict:
        """Which of the two is kept, at the peer's OPEN on this one."""
        assert self.theirs is not None
        if other is None:
            return Verdict.KEEP_OPENED
        return judge(self.initiator, other.state, self.offered, self.theirs)

    def decode(self, kind: MessageType, body: bytes) -> Message:
        """A message of the peer, read by what was agreed. Raises `WireError`."""
        return message.decode(kind, body, self.negotiated.wire if self.negotiated is not None else WireContext())

    def agree(self, theirs: Open) -> None:
        """Settle with the peer's OPEN. Raises `WireError` where that is not possible."""
        self.theirs = theirs
        self.negotiated = negotiate(self.parameters, self.offered, theirs)
        if self.negotiated.extended_messages:
            self.framer.largest = MAX_EXTENDED_OCTETS

    def count(self, update: Update) -> None:
        """Count what the peer announces and withdraws."""
        if update.end_of_rib is not None:
            self.ends_of_rib.add(update.end_of_rib)
        attributes = update.attributes
        reachable = [update.nlri] + ([attributes.mp_reach.nlri] if attributes.mp_reach else [])
        gone = [update.withdrawn] + ([attributes.mp_unreach.nlri] if attributes.mp_unreach else [])
        if update.treat_as_withdraw:
            reachable, gone = [], reachable + gone
        for prefixes in reachable:
            self.received[prefixes.family] += len(prefixes)
        for prefixes in gone:
            self.received_withdrawn[prefixes.family] += len(prefixes)

    def egress(self) -> Egress:
        """How routes are to be written for this peer."""
        assert self.negotiated is not None
        largest = MAX_EXTENDED_OCTETS if self.negotiated.extended_messages else MAX_OCTETS
        role = self.parameters.role
        return Egress(
            self.parameters.local_asn,
            self.negotiated.wire,
            self._next_hops(),
            largest=largest,
            marks_refresh=self.negotiated.enhanced_refresh,
            only_to_customer=self.parameters.local_asn if role is not None and role.marks_routes else None,
        )

    def farewell(self, note: Notification, leaving: Leaving) -> Notification | None:
        """What is said at the end: `note`, `note` in a Hard Reset, or nothing, so that the peer keeps our routes."""
        agreed = self.negotiated.graceful_restart if self.negotiated is not None else NO_AGREEMENT
        match leaving:
            case Leaving.TO_RETURN:
                return None if agreed.kept else note
            case Leaving.FOR_GOOD:
                return hard_reset(note) if agreed.notification else note
            case _ as never:
                assert_never(never)

    def next_hop(self, family: Family) -> NextHop:
        """What the peer is told as next hop of `family`; nothing if it gets no routes of it."""
        return self._next_hops().get(family, ())

    def why_not_sent(self, family: Family) -> str | None:
        """Why the peer gets no routes of `family`, or None if it does, or if that is not known yet."""
        if self.negotiated is None:
            return None
        if family not in self.negotiated.families:
            return f"the peer does not offer {family.text}"
        return None if self.next_hop(family) else missing(family, self._local)

    def _next_hops(self) -> dict[Family, NextHop]:
        """Of the families that are exchanged and have one."""
        agreed = self.negotiated
        if agreed is None:
            return {}
        found = next_hops(self._local, agreed.extended_next_hop, multihop=self.parameters.multihop)
        return {family: hop for family, hop in found.items() if family in agreed.families}
