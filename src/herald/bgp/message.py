"""The five messages of BGP, and how they are cut out of a stream of bytes.

    +------------------------+-------------+-----------+------------------+
    | Marker (16 × ff)       | Length (2)  | Type (1)  | Body             |
    +------------------------+-------------+-----------+------------------+
    OPEN           version 1 | my AS 2 | hold time 2 | router ID 4 | parameters length 1 | parameters
    UPDATE         withdrawn length 2 | withdrawn | attributes length 2 | attributes | NLRI
    NOTIFICATION   code 1 | subcode 1 | data            KEEPALIVE   nothing
    ROUTE-REFRESH  AFI 2 | subtype 1 | SAFI 1

RFC 4271 §4 and §6, RFC 2918 and 7313 (ROUTE-REFRESH), RFC 9072 (parameters longer than 255 octets, received only),
RFC 8654 (messages of up to 65,535 octets, between two that have both offered them; OPEN and KEEPALIVE stay short). The
buffer of a stream never holds more than one message that is not complete.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv4Address
from typing import TypeAlias

from herald.bgp import capability, nlri, notification, path_attribute
from herald.bgp.as_path import AS_TRANS
from herald.bgp.capability import Capability, FourOctetAs
from herald.bgp.family import Family
from herald.bgp.nlri import PrefixList
from herald.bgp.notification import (
    Code,
    HeaderSubcode,
    Notification,
    OpenSubcode,
    RouteRefreshSubcode,
    UpdateSubcode,
    WireError,
)
from herald.bgp.path_attribute import AttributeProblem, PathAttributes, Severity, WireContext

MARKER = b"\xff" * 16
HEADER_OCTETS = 19
MAX_OCTETS = 4096
MAX_EXTENDED_OCTETS = 65535
VERSION = 4
_CAPABILITIES_PARAMETER = 2
_DATA_KEPT = 1024  # of a message that is too long to be quoted whole
_EXTENDED_PARAMETERS = 255


class MessageType(IntEnum):
    OPEN = 1
    UPDATE = 2
    NOTIFICATION = 3
    KEEPALIVE = 4
    ROUTE_REFRESH = 5


_LEAST_OCTETS = {
    MessageType.OPEN: 29,
    MessageType.UPDATE: 23,
    MessageType.NOTIFICATION: 21,
    MessageType.KEEPALIVE: 19,
    MessageType.ROUTE_REFRESH: 23,
}
_EXACT = {MessageType.KEEPALIVE}
_NEVER_EXTENDED = {MessageType.OPEN, MessageType.KEEPALIVE}


@dataclass(frozen=True, slots=True)
class Open:
    """Who the sender is. `asn` is the true one, from the four-octet capability if there is one; times in seconds."""

    asn: int
    hold_time: int
    router_id: IPv4Address
    capabilities: tuple[Capability, ...] = ()

    @property
    def four_octet_as(self) -> bool:
        return any(isinstance(entry, FourOctetAs) for entry in self.capabilities)


_NO_PREFIXES = PrefixList(Family.IPV4_UNICAST, b"", 0)
_NO_ATTRIBUTES = PathAttributes()


@dataclass(frozen=True, slots=True)
class Update:
    """Routes that come and go. `problems` are the errors of its attributes that did not end the session."""

    withdrawn: PrefixList = _NO_PREFIXES
    attributes: PathAttributes = _NO_ATTRIBUTES
    nlri: PrefixList = _NO_PREFIXES
    problems: tuple[AttributeProblem, ...] = ()

    @property
    def treat_as_withdraw(self) -> bool:
        """Whether its routes count as withdrawn for an error in their attributes (RFC 7606 §2)."""
        return any(problem.severity is Severity.TREAT_AS_WITHDRAW for problem in self.problems)

    @property
    def end_of_rib(self) -> Family | None:
        """The family whose End-of-RIB this is (RFC 4724 §2), or None."""
        if self.withdrawn or self.nlri or self.problems:
            return None
        if self.attributes == _NO_ATTRIBUTES:
            return Family.IPV4_UNICAST
        unreach = self.attributes.mp_unreach
        if unreach is not None and not unreach.nlri and self.attributes == PathAttributes(mp_unreach=unreach):
            return unreach.nlri.family
        return None


@dataclass(frozen=True, slots=True)
class Keepalive:
    """The sender is there."""


class RefreshSubtype(IntEnum):
    """What a ROUTE-REFRESH says (RFC 7313 §3.2)."""

    REQUEST = 0
    BEGIN = 1
    END = 2


@dataclass(frozen=True, slots=True)
class RouteRefresh:
    """A wish to have all routes of a family again, or the begin or end of what is sent for such a wish.

    Numbers, as the family may be one not spoken, and the subtype one not known (RFC 7313 §5: to be ignored).
    """

    afi: int
    safi: int
    subtype: int = RefreshSubtype.REQUEST


Message: TypeAlias = Open | Update | Notification | Keepalive | RouteRefresh


class Framer:
    """Cuts messages out of a stream. It keeps only the octets of one message that is not complete yet.

    `largest` is the limit of a message's octets; it may be raised between two messages.
    """

    def __init__(self) -> None:
        self.largest = MAX_OCTETS
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[tuple[MessageType, bytes]]:
        """Type and body of each message that `data` completes. Raises `WireError` at a wrong header (RFC 4271 §6.1).

        After an error, the stream has no more meaning and the framer must not be used again.
        """
        buffer = self._rest + data if self._rest else data
        at, self._rest = 0, b""
        while len(buffer) - at >= HEADER_OCTETS:
            kind, length = _check_header(buffer, at, self.largest)
            if len(buffer) - at < length:
                break
            yield kind, buffer[at + HEADER_OCTETS : at + length]
            at += length
        rest = buffer[at:]
        if not MARKER.startswith(rest[:16]):
            raise _not_synchronized()
        self._rest = rest


def encode(message: Message, context: WireContext) -> bytes:
    """The message with its header. `context` matters to an UPDATE only. The caller keeps it within `MAX_OCTETS`."""
    return frame(type_of(message), _encode_body(message, context))


def type_of(message: Message) -> MessageType:
    """The type octet of a message."""
    match message:
        case Open():
            return MessageType.OPEN
        case Update():
            return MessageType.UPDATE
        case Notification():
            return MessageType.NOTIFICATION
        case Keepalive():
            return MessageType.KEEPALIVE
        case RouteRefresh():
            return MessageType.ROUTE_REFRESH


def type_of_wire(wire: bytes) -> MessageType:
    """The type of a whole message of ours."""
    return MessageType(wire[HEADER_OCTETS - 1])


def decode(kind: MessageType, body: bytes, context: WireContext) -> Message:
    """The message of a body that `Framer` cut out. Raises `WireError` where the session must end."""
    match kind:
        case MessageType.OPEN:
            return _decode_open(body)
        case MessageType.UPDATE:
            return _decode_update(body, context)
        case MessageType.NOTIFICATION:
            return notification.decode(body)
        case MessageType.KEEPALIVE:
            return Keepalive()
        case MessageType.ROUTE_REFRESH:
            return _decode_route_refresh(body)


def frame(kind: MessageType, body: bytes) -> bytes:
    """Header and body."""
    return MARKER + struct.pack("!HB", HEADER_OCTETS + len(body), kind) + body


def _check_header(buffer: bytes, at: int, largest: int) -> tuple[MessageType, int]:
    if buffer[at : at + 16] != MARKER:
        raise _not_synchronized()
    length, number = struct.unpack_from("!HB", buffer, at + 16)
    if not HEADER_OCTETS <= length <= largest:
        raise _bad_length(length)
    if number not in _LEAST_OCTETS:
        reason = f"message type {number} is unknown"
        raise WireError(Code.MESSAGE_HEADER_ERROR, HeaderSubcode.BAD_MESSAGE_TYPE, reason, bytes((number,)))
    kind = MessageType(number)
    least, most = _LEAST_OCTETS[kind], MAX_OCTETS if kind in _NEVER_EXTENDED else largest
    if not least <= length <= most or (kind in _EXACT and length != least):
        raise _bad_length(length, kind)
    return kind, length


def _not_synchronized() -> WireError:
    reason = "the marker is not all ones: this is not BGP, or the stream got out of step"
    return WireError(Code.MESSAGE_HEADER_ERROR, HeaderSubcode.CONNECTION_NOT_SYNCHRONIZED, reason)


def _bad_length(length: int, kind: MessageType | None = None) -> WireError:
    reason = f"{kind.name.replace('_', '-') if kind else 'a message'} of {length} octets"
    return WireError(Code.MESSAGE_HEADER_ERROR, HeaderSubcode.BAD_MESSAGE_LENGTH, reason, struct.pack("!H", length))


def _encode_body(message: Message, context: WireContext) -> bytes:
    match message:
        case Open():
            return _encode_open(message)
        case Update():
            return _encode_update(message, context)
        case Notification():
            return notification.encode(message)
        case Keepalive():
            return b""
        case RouteRefresh(afi, safi, subtype):
            return struct.pack("!HBB", afi, subtype, safi)


def _encode_open(message: Open) -> bytes:
    """All capabilities in one optional parameter, as most speakers do."""
    capabilities = b"".join(capability.encode(entry) for entry in message.capabilities)
    parameters = bytes((_CAPABILITIES_PARAMETER, len(capabilities))) + capabilities if capabilities else b""
    asn = message.asn if message.asn <= 0xFFFF else AS_TRANS
    fixed = struct.pack("!BHH4sB", VERSION, asn, message.hold_time, message.router_id.packed, len(parameters))
    return fixed + parameters


def _decode_open(body: bytes) -> Open:
    version, asn, hold_time, router_id, length = struct.unpack_from("!BHH4sB", body)
    if version != VERSION:
        reason = f"the peer speaks BGP version {version}, not {VERSION}"
        raise _open_error(OpenSubcode.UNSUPPORTED_VERSION_NUMBER, reason, struct.pack("!H", VERSION))
    if hold_time in {1, 2}:
        reason = f"the peer's hold time is {hold_time} s; 0 or at least 3 s is allowed"
        raise _open_error(OpenSubcode.UNACCEPTABLE_HOLD_TIME, reason, struct.pack("!H", hold_time))
    capabilities = tuple(_capabilities(body[10:], length))
    wide = next((entry.asn for entry in capabilities if isinstance(entry, FourOctetAs)), asn)
    if wide == 0:
        raise _open_error(OpenSubcode.BAD_PEER_AS, "the peer says that it is AS 0")
    if router_id == b"\0\0\0\0":
        raise _open_error(OpenSubcode.BAD_BGP_IDENTIFIER, "the peer's router ID is 0.0.0.0")
    return Open(wide, hold_time, IPv4Address(router_id), capabilities)


def _open_error(subcode: OpenSubcode, reason: str, data: bytes = b"") -> WireError:
    return WireError(Code.OPEN_MESSAGE_ERROR, subcode, reason, data)


def _capabilities(parameters: bytes, length: int) -> Iterator[Capability]:
    """The capabilities of all optional parameters; no other parameter is in use today."""
    header = 2
    # The type that comes first decides; the length before it then means nothing, but that it is not 0 (RFC 9072 §2).
    if length and len(parameters) >= 3 and parameters[0] == _EXTENDED_PARAMETERS:
        length, parameters, header = int.from_bytes(parameters[1:3]), parameters[3:], 3
    if length != len(parameters):
        reason = f"OPEN promises {length} octets of optional parameters and has {len(parameters)}"
        raise _open_error(OpenSubcode.UNSPECIFIC, reason)
    at = 0
    while at < length:
        end = at + header + int.from_bytes(parameters[at + 1 : at + header])
        if length - at < header or end > length:
            raise _open_error(OpenSubcode.UNSPECIFIC, f"the optional parameter at octet {at} is cut off")
        if parameters[at] != _CAPABILITIES_PARAMETER:
            reason = f"optional parameter {parameters[at]} is unknown"
            raise _open_error(OpenSubcode.UNSUPPORTED_OPTIONAL_PARAMETER, reason)
        try:
            yield from capability.decode_all(parameters[at + header : end])
        except capability.CapabilityError as error:
            raise _open_error(OpenSubcode.UNSPECIFIC, str(error)) from error
        at = end


def _encode_update(message: Update, context: WireContext) -> bytes:
    return update_body(
        message.withdrawn.wire, path_attribute.encode_all(message.attributes, context), message.nlri.wire
    )


def update_body(withdrawn: bytes, attributes: bytes, reachable: bytes) -> bytes:
    """The body of an UPDATE from its three fields."""
    return b"".join(
        (len(withdrawn).to_bytes(2), withdrawn, len(attributes).to_bytes(2), attributes, reachable),
    )


def _decode_update(body: bytes, context: WireContext) -> Update:
    withdrawn_end = 2 + int.from_bytes(body[:2])
    attributes_at = withdrawn_end + 2
    attributes_end = attributes_at + int.from_bytes(body[withdrawn_end:attributes_at])
    if attributes_at > len(body) or attributes_end > len(body):
        reason = "the lengths inside the UPDATE exceed the message"
        raise WireError(Code.UPDATE_MESSAGE_ERROR, UpdateSubcode.MALFORMED_ATTRIBUTE_LIST, reason)
    try:
        withdrawn = nlri.parse(Family.IPV4_UNICAST, body[2:withdrawn_end])
        reachable = nlri.parse(Family.IPV4_UNICAST, body[attributes_end:])
    except nlri.NlriError as error:
        raise WireError(Code.UPDATE_MESSAGE_ERROR, UpdateSubcode.INVALID_NETWORK_FIELD, str(error)) from error
    attributes, problems = path_attribute.decode_all(body[attributes_at:attributes_end], context)
    update = Update(withdrawn, attributes, reachable, problems)
    return _with_missing(update, context)


def _with_missing(update: Update, context: WireContext) -> Update:
    """Add what well-known attributes are missing (RFC 7606 §3 d), and see that a withdrawal has something to withdraw.

    An error that costs the routes needs routes to cost: with no reachable prefix in sight, they may be hidden in what
    could not be read, and only a reset is safe (RFC 7606 §5.2).
    """
    attributes = update.attributes
    reachable = bool(update.nlri) or bool(attributes.mp_reach is not None)
    if reachable:
        wrong = {problem.code for problem in update.problems}
        missing = tuple(_missing(row) for row in _mandatory(update, context) if row.code not in wrong)
        return Update(update.withdrawn, attributes, update.nlri, update.problems + missing)
    if update.treat_as_withdraw:
        worst = next(problem for problem in update.problems if problem.severity is Severity.TREAT_AS_WITHDRAW)
        raise WireError(Code.UPDATE_MESSAGE_ERROR, worst.subcode, f"{worst.reason}, and no route to withdraw for it")
    return update


def _mandatory(update: Update, context: WireContext) -> Iterator[path_attribute.Row]:
    """The rows of mandatory attributes that are absent."""
    fields = ["origin", "as_path"]
    if update.nlri:
        fields.append("next_hop")
    if context.internal:
        fields.append("local_pref")
    return (
        row for row in path_attribute.TABLE if row.field in fields and getattr(update.attributes, row.field) is None
    )


def _missing(row: path_attribute.Row) -> AttributeProblem:
    subcode = UpdateSubcode.MISSING_WELL_KNOWN_ATTRIBUTE
    return AttributeProblem(Severity.TREAT_AS_WITHDRAW, row.code, f"{row.name} is missing", subcode)


def _decode_route_refresh(body: bytes) -> RouteRefresh:
    if len(body) < 4:
        raise _bad_length(HEADER_OCTETS + len(body), MessageType.ROUTE_REFRESH)
    afi, subtype, safi = struct.unpack_from("!HBB", body)
    # A request may be longer: it may bring filters (RFC 5291).
    if subtype in {RefreshSubtype.BEGIN, RefreshSubtype.END} and len(body) != 4:
        reason = f"a ROUTE-REFRESH of subtype {subtype} has a body of {len(body)} octets, not 4"
        subcode = RouteRefreshSubcode.INVALID_MESSAGE_LENGTH
        raise WireError(
            Code.ROUTE_REFRESH_MESSAGE_ERROR, subcode, reason, frame(MessageType.ROUTE_REFRESH, body)[:_DATA_KEPT]
        )
    return RouteRefresh(afi, safi, subtype)
