"""What belongs to one connection with a peer: its byte stream, both OPENs, the agreement, and what was heard since."""

from collections import Counter
from ipaddress import IPv4Address

from herald.bgp import message
from herald.bgp.adj_rib_out import Egress
from herald.bgp.event import Connected
from herald.bgp.family import Address, Family
from herald.bgp.message import Framer, Message, MessageType, Open, Update
from herald.bgp.negotiation import Negotiated, negotiate, offer
from herald.bgp.parameters import PeerParameters
from herald.bgp.path_attribute import WireContext


class Conversation:
    """One connection from `Connected` to its end. `negotiated` is None until the peer's OPEN was accepted."""

    def __init__(self, parameters: PeerParameters, local: Connected) -> None:
        self.parameters = parameters
        self.local_address = local.local_address
        self.offered = offer(parameters, local.router_id)
        self.negotiated: Negotiated | None = None
        self.framer = Framer()
        self.writing_paused = False
        self.received: Counter[Family] = Counter()
        self.received_withdrawn: Counter[Family] = Counter()
        self._next_hops = _next_hops(local)

    @property
    def hold_time(self) -> int:
        """The agreed one; 0 while there is no agreement, or agreement on none."""
        return self.negotiated.hold_time if self.negotiated is not None else 0

    def decode(self, kind: MessageType, body: bytes) -> Message:
        """A message of the peer, read by what was agreed. Raises `WireError`."""
        return message.decode(kind, body, self.negotiated.wire if self.negotiated is not None else WireContext())

    def agree(self, theirs: Open) -> None:
        """Settle with the peer's OPEN. Raises `WireError` where that is not possible."""
        self.negotiated = negotiate(self.parameters, self.offered, theirs)

    def count(self, update: Update) -> None:
        """Count what the peer announces and withdraws."""
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
        usable = {family: hop for family, hop in self._next_hops.items() if family in self.negotiated.families}
        return Egress(self.parameters.local_asn, self.negotiated.wire, usable)

    def next_hop(self, family: Family) -> Address | None:
        """What the peer is told as next hop of `family`; None if it gets no routes of it."""
        agreed = self.negotiated is not None and family in self.negotiated.families
        return self._next_hops.get(family) if agreed else None

    def why_not_sent(self, family: Family) -> str | None:
        """Why the peer gets no routes of `family`, or None if it does, or if that is not known yet."""
        if self.negotiated is None:
            return None
        if family not in self.negotiated.families:
            return f"the peer does not offer {family.text}"
        if family not in self._next_hops:
            return f"no {family.word} address beside {self.local_address} to be the next hop"
        return None


def _next_hops(local: Connected) -> dict[Family, Address]:
    """The next hop of each family for which we have an address; a link-local one is none."""
    ipv4, ipv6 = local.local_ipv4, local.local_ipv6
    if isinstance(local.local_address, IPv4Address):
        ipv4 = local.local_address
    elif not local.local_address.is_link_local:
        ipv6 = local.local_address
    hops: dict[Family, Address | None] = {Family.IPV4_UNICAST: ipv4, Family.IPV6_UNICAST: ipv6}
    return {family: address for family, address in hops.items() if address is not None}
