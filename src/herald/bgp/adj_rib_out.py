"""Adj-RIB-Out (RFC 4271 §3.2): the routes wished for against those the peer has been sent, and the UPDATEs between.

One `FamilyRib` per family keeps two maps from a prefix to its attributes, `wanted` and `sent`. Whatever differs
between them is queued, grouped by attributes, so that `take` can pack many prefixes into one UPDATE. A change costs
what changed; a new session compares the whole table, but in slices. New and changed routes leave before withdrawals
do, and after the first complete table an End-of-RIB (RFC 4724 §2). It may make the peer forget what it has kept from
before, so it waits for `complete`: until all that is wished for is known here.

Prefixes are kept as the octets of their NLRI: that is what will be sent, and hashing octets costs a tenth of hashing an
`ipaddress` network.
"""

from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address

from herald.bgp import as_path, message, nlri, path_attribute
from herald.bgp.community import link_bandwidth
from herald.bgp.family import Address, Family, Prefix, family_of
from herald.bgp.message import (
    HEADER_OCTETS,
    MAX_OCTETS,
    MessageType,
    RefreshSubtype,
    RouteRefresh,
    frame,
    update_body,
)
from herald.bgp.path_attribute import (
    EXTENDED_LENGTH,
    MP_REACH_NLRI,
    MP_UNREACH_NLRI,
    OPTIONAL,
    Origin,
    PathAttributes,
    WireContext,
)
from herald.bgp.route import Route, RouteAttributes

DEFAULT_LOCAL_PREF = 100
# An UPDATE has 4 octets of lengths; 4 more head an MP attribute, then AFI, SAFI and the next hop's length and end.
_UPDATE_OCTETS = HEADER_OCTETS + 4
_ROOM = MAX_OCTETS - _UPDATE_OCTETS
_MP_HEADER_OCTETS = 4
_COMPARED_AT_ONCE = 1000
_BLOCKS_CACHED = 1024
_LONGEST_PREFIX_OCTETS = 17
_OUT_OF_DATE = RouteAttributes(local_pref=-1)  # what no route ever has


@dataclass(frozen=True, slots=True)
class Egress:
    """What of the session shapes what is sent. A family without a next hop here is not sent.

    A next hop is one address, or a global IPv6 address and the link-local one beside it (RFC 2545 §3). `largest` is the
    limit of a message's octets; more than 4096 are used only for a route that needs them. `marks_refresh`: the peer
    wants to be told begin and end of a refresh (RFC 7313). `only_to_customer`: an AS with which every route is marked
    (RFC 9234 §5), None for no mark.
    """

    local_asn: int
    wire: WireContext
    next_hops: Mapping[Family, tuple[Address, ...]]
    largest: int = MAX_OCTETS
    marks_refresh: bool = False
    only_to_customer: int | None = None


class AdjRibOut:
    """The wish of all families and what is left to be sent of it."""

    def __init__(self) -> None:
        self.families: dict[Family, FamilyRib] = {family: FamilyRib(family) for family in Family}

    @property
    def pending(self) -> bool:
        """Whether `take` has something to do."""
        return any(rib.pending for rib in self.families.values())

    def change(self, upserts: Iterable[Route], withdrawn: Iterable[Prefix]) -> None:
        """Add or replace some routes and drop others. Costs what is given, whatever the size of the table."""
        for route in upserts:
            self.families[family_of(route.prefix)].want(nlri.encode(route.prefix), route.attributes)
        for prefix in withdrawn:
            self.families[family_of(prefix)].want(nlri.encode(prefix), None)

    def begin(self, egress: Egress) -> None:
        """A session is up: the peer has nothing yet."""
        for rib in self.families.values():
            rib.begin(egress)

    def complete(self, *, now: bool) -> None:
        """Whether all routes that are wished for are known. Not yet: no End-of-RIB is sent."""
        for rib in self.families.values():
            rib.complete = now

    @property
    def converged(self) -> bool:
        """Whether the peer has been sent the End-of-RIB of every family that it is sent."""
        return not any(rib.end_of_rib_due for rib in self.families.values())

    def end(self) -> None:
        """The session is gone, and with it all that was sent."""
        for rib in self.families.values():
            rib.end()

    def take(self, octets: int) -> list[bytes]:
        """The next messages, about `octets` of them; what they say counts as sent. All of IPv4 comes before IPv6.

        Empty with `pending` still true means that it has been comparing; the next call goes on.
        """
        messages: list[bytes] = []
        for rib in self.families.values():
            octets -= rib.take(octets, messages)
            if rib.pending:
                break
        return messages


class FamilyRib:
    """The routes of one family."""

    def __init__(self, family: Family) -> None:
        self.family = family
        self.wanted: dict[bytes, RouteAttributes] = {}
        self.sent: dict[bytes, RouteAttributes] = {}
        self.refused: set[bytes] = set()  # attributes that fit into no UPDATE
        self.complete = True
        self.end_of_rib_due = False
        self._groups: OrderedDict[RouteAttributes, dict[bytes, None]] = OrderedDict()
        self._group_of: dict[bytes, RouteAttributes] = {}
        self._withdrawals: dict[bytes, None] = {}
        self._uncompared: deque[bytes] = deque()
        self._refresh_due = False
        self._end_of_refresh_due = False
        self._encoder: _Encoder | None = None

    @property
    def pending(self) -> bool:
        return self._differs or self._refresh_due

    @property
    def _differs(self) -> bool:
        """Whether the peer has not been sent, or may not have been sent, all that is wished for."""
        ending = self._end_of_refresh_due or (self.end_of_rib_due and self.complete)
        return bool(self._groups or self._withdrawals or self._uncompared or ending)

    @property
    def in_session(self) -> bool:
        """Whether there is a session that carries the family."""
        return self._encoder is not None

    @property
    def queued(self) -> int:
        """How many prefixes are still to be announced, withdrawn or compared."""
        return len(self._group_of) + len(self._withdrawals) + len(self._uncompared)

    def want(self, prefix: bytes, attributes: RouteAttributes | None) -> None:
        """Wish for a route, or with None for its absence."""
        if attributes is None:
            self.wanted.pop(prefix, None)
        else:
            self.wanted[prefix] = attributes
        if self._encoder is not None:
            self._compare(prefix)

    def begin(self, egress: Egress) -> None:
        self.end()
        next_hop = egress.next_hops.get(self.family)
        if next_hop is not None:
            self._encoder = _Encoder(self.family, next_hop, egress)
            self._uncompared.extend(self.wanted)
            self.end_of_rib_due = True

    def end(self) -> None:
        self._encoder = None
        self.end_of_rib_due = self._refresh_due = self._end_of_refresh_due = False
        for queue in (self.sent, self.refused, self._groups, self._group_of, self._withdrawals, self._uncompared):
            queue.clear()

    def refresh(self) -> None:
        """Send every wanted route again (RFC 2918), once what is under way has been sent.

        However often a peer asks meanwhile, it gets them once: what it costs us is bounded by what the peer reads.
        """
        self._refresh_due = self._encoder is not None

    def take(self, octets: int, messages: list[bytes]) -> int:
        """Append UPDATEs to `messages` until about `octets` are there. Gives how many octets they are.

        As long as prefixes wait to be compared it only compares a slice of them, so that routes of equal attributes
        meet before they are packed.
        """
        if octets <= 0 or self._encoder is None:
            return 0
        if self._refresh_due and not self._differs:
            self._begin_again(self._encoder, messages)
        if self._uncompared:
            self._compare_some()
            return 0
        taken = 0
        while taken < octets:
            message = self._next_message(self._encoder)
            if message is None:
                break
            messages.append(message)
            taken += len(message)
        return taken

    def _begin_again(self, encoder: "_Encoder", messages: list[bytes]) -> None:
        """As if something else had been sent for every prefix: it is sent again, or withdrawn if it goes meanwhile.

        The begin is not marked before the End-of-RIB has been sent (RFC 7313 §4).
        """
        self._refresh_due = False
        self.sent = dict.fromkeys(self.sent, _OUT_OF_DATE)
        self._uncompared.extend(self.wanted)
        if encoder.marks_refresh and not self.end_of_rib_due:
            self._end_of_refresh_due = True
            messages.append(encoder.mark(RefreshSubtype.BEGIN))

    def _compare_some(self) -> None:
        for _ in range(min(_COMPARED_AT_ONCE, len(self._uncompared))):
            self._compare(self._uncompared.popleft())

    def _compare(self, prefix: bytes) -> None:
        """Queue what the difference between wish and sent of one prefix needs, in place of what was queued before."""
        self._unqueue(prefix)
        wanted = self.wanted.get(prefix)
        if wanted == self.sent.get(prefix):
            return
        if wanted is None:
            self._withdrawals[prefix] = None
            return
        self._group_of[prefix] = wanted
        group = self._groups.get(wanted)
        if group is None:
            self._groups[wanted] = {prefix: None}
        else:
            group[prefix] = None

    def _unqueue(self, prefix: bytes) -> None:
        self._withdrawals.pop(prefix, None)
        self.refused.discard(prefix)
        attributes = self._group_of.pop(prefix, None)
        if attributes is not None:
            group = self._groups[attributes]
            del group[prefix]
            if not group:
                del self._groups[attributes]

    def _next_message(self, encoder: "_Encoder") -> bytes | None:
        while self._groups:
            message = self._pack_group(encoder)
            if message is not None:
                return message
        if self._withdrawals:
            return encoder.withdrawal(self._fill(self._withdrawals, encoder.withdrawal_room, None))
        if self._end_of_refresh_due:
            self._end_of_refresh_due = False
            return encoder.mark(RefreshSubtype.END)
        if self.end_of_rib_due and self.complete:
            self.end_of_rib_due = False
            return encoder.end_of_rib
        return None

    def _pack_group(self, encoder: "_Encoder") -> bytes | None:
        """One UPDATE of the oldest group, or None if not even one prefix fits beside its attributes."""
        attributes, group = next(iter(self._groups.items()))
        block = encoder.block(attributes)
        prefixes = self._fill(group, encoder.room(block), attributes)
        if not prefixes:
            self._refuse(group)
        if not group:
            del self._groups[attributes]
        return encoder.announcement(block, prefixes) if prefixes else None

    def _fill(self, queue: dict[bytes, None], room: int, attributes: RouteAttributes | None) -> list[bytes]:
        """Take prefixes from `queue` for as many octets as there is room, and count them as sent."""
        prefixes: list[bytes] = []
        while queue:
            # popitem, and once per message back: finding the first or last key of a shrinking dict takes ever longer.
            prefix, _ = queue.popitem()
            room -= len(prefix)
            if room < 0:
                queue[prefix] = None
                break
            prefixes.append(prefix)
            if attributes is None:
                self.sent.pop(prefix, None)
            else:
                self.sent[prefix] = attributes
                del self._group_of[prefix]
        return prefixes

    def _refuse(self, group: dict[bytes, None]) -> None:
        """The routes of a group cannot be said; what the peer still has of them is out of date and must go."""
        for prefix in group:
            del self._group_of[prefix]
            self.refused.add(prefix)
            if prefix in self.sent:
                self._withdrawals[prefix] = None
        group.clear()


class _Encoder:
    """Attributes and prefixes of one family into UPDATEs, for one session."""

    def __init__(self, family: Family, next_hop: tuple[Address, ...], egress: Egress) -> None:
        self._egress = egress
        self._family = family
        first, octets = next_hop[0], b"".join(address.packed for address in next_hop)
        # IPv4 unicast with an IPv4 next hop travels in the fields of RFC 4271; everything else in MP attributes.
        self._multiprotocol = family is not Family.IPV4_UNICAST or first.version == 6
        self._ipv4_next_hop = first if isinstance(first, IPv4Address) and not self._multiprotocol else None
        self._unreach = family.wire
        self._reach = family.wire + bytes((len(octets),)) + octets + b"\0"
        # The End-of-RIB of IPv4 unicast is an UPDATE with nothing in it, however its routes travel (RFC 4724 §2).
        self.end_of_rib = _end_of_rib(family)
        self._blocks: dict[RouteAttributes, bytes] = {}

    @property
    def withdrawal_room(self) -> int:
        return _ROOM - (_MP_HEADER_OCTETS + len(self._unreach) if self._multiprotocol else 0)

    def room(self, block: bytes) -> int:
        """Octets left for prefixes beside an attribute block."""
        taken = len(block) + (_MP_HEADER_OCTETS + len(self._reach) if self._multiprotocol else 0)
        if _ROOM - taken >= _LONGEST_PREFIX_OCTETS:
            return _ROOM - taken
        return self._egress.largest - _UPDATE_OCTETS - taken

    @property
    def marks_refresh(self) -> bool:
        return self._egress.marks_refresh

    def mark(self, subtype: RefreshSubtype) -> bytes:
        """The begin or end of a refresh."""
        afi, safi = self._family.value
        return message.encode(RouteRefresh(afi, safi, subtype), self._egress.wire)

    def block(self, attributes: RouteAttributes) -> bytes:
        """The attributes of a route, encoded, without any MP attribute."""
        block = self._blocks.get(attributes)
        if block is None:
            if len(self._blocks) >= _BLOCKS_CACHED:
                self._blocks.clear()
            wanted = path_attributes(attributes, self._egress, self._ipv4_next_hop)
            block = self._blocks[attributes] = path_attribute.encode_all(wanted, self._egress.wire)
        return block

    def announcement(self, block: bytes, prefixes: list[bytes]) -> bytes:
        reachable = b"".join(prefixes)
        if not self._multiprotocol:
            return frame(MessageType.UPDATE, update_body(b"", block, reachable))
        return frame(
            MessageType.UPDATE, update_body(b"", _extended(MP_REACH_NLRI, self._reach + reachable) + block, b"")
        )

    def withdrawal(self, prefixes: list[bytes]) -> bytes:
        """One UPDATE that withdraws."""
        withdrawn = b"".join(prefixes)
        if not self._multiprotocol:
            return frame(MessageType.UPDATE, update_body(withdrawn, b"", b""))
        return frame(MessageType.UPDATE, update_body(b"", _extended(MP_UNREACH_NLRI, self._unreach + withdrawn), b""))


def path_attributes(attributes: RouteAttributes, egress: Egress, next_hop: IPv4Address | None) -> PathAttributes:
    """The attributes as this peer gets them.

    An internal peer gets LOCAL_PREF always (100 when unset: MetalLB's native mode says 0 then, the lowest of all
    preferences, which is nobody's intention) and only the prepended ASNs; an external one gets our ASN after them.
    """
    asns = attributes.prepend if egress.wire.internal else (*attributes.prepend, egress.local_asn)
    path = as_path.sequence(asns)
    local_pref = DEFAULT_LOCAL_PREF if attributes.local_pref is None else attributes.local_pref
    return PathAttributes(
        origin=Origin.IGP,
        as_path=path,
        next_hop=next_hop,
        multi_exit_disc=attributes.med,
        local_pref=local_pref if egress.wire.internal else None,
        communities=attributes.communities or None,
        as4_path=path if not egress.wire.four_octet_as and as_path.needs_as4_path(path) else None,
        extended_communities=_extended_communities(attributes, egress) or None,
        large_communities=attributes.large_communities or None,
        only_to_customer=egress.only_to_customer,
    )


def _extended_communities(attributes: RouteAttributes, egress: Egress) -> tuple[bytes, ...]:
    """Those that are not transitive stay within the AS (RFC 4360 §6), but for a bandwidth: it is meant for the peer."""
    told = tuple(each.wire for each in attributes.extended_communities if each.is_transitive or egress.wire.internal)
    mbps = attributes.link_bandwidth
    return told if mbps is None else (*told, link_bandwidth(egress.local_asn, mbps))


def _end_of_rib(family: Family) -> bytes:
    attributes = b"" if family is Family.IPV4_UNICAST else _extended(MP_UNREACH_NLRI, family.wire)
    return frame(MessageType.UPDATE, update_body(b"", attributes, b""))


def _extended(code: int, value: bytes) -> bytes:
    """An optional attribute that always has the extended length, so that its room is known beforehand."""
    return bytes((OPTIONAL | EXTENDED_LENGTH, code)) + len(value).to_bytes(2) + value
