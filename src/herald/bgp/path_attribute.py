"""Path attributes: one table row per attribute holds its flags, its codec and what an error in it costs.

    +-------------+------------+------------------------------+------------------+
    | Flags (1)   | Type (1)   | Length (1, or 2 if flag 10)  | Value (variable) |
    +-------------+------------+------------------------------+------------------+
      flags: 80 optional, 40 transitive, 20 partial, 10 extended length

RFC 4271 §4.3 and §5 (1–7), 1997 (8), 4456 (9, 10), 4760 (14, 15), 4360 (16), 6793 (17, 18), 8092 (32), 9234 (35).
Errors are graded where they are found, by RFC 7606: an attribute is discarded, the routes are treated as withdrawn, or
the session is reset. Attributes without a row, and families that Herald does not speak, are kept raw.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from herald.bgp import as_path, nlri
from herald.bgp.as_path import AsPath
from herald.bgp.community import Community, LargeCommunity
from herald.bgp.family import Address, Family, family_by_number
from herald.bgp.nlri import PrefixList
from herald.bgp.notification import Code, UpdateSubcode, WireError

OPTIONAL, TRANSITIVE, PARTIAL, EXTENDED_LENGTH = 0x80, 0x40, 0x20, 0x10

# There are 256 types, so a message with more is not worth reading to its end: a long one (RFC 8654) has room for 21,000
# attributes, which would take a tenth of a second, again and again.
_MOST_PROBLEMS = 256


class Severity(IntEnum):
    """What a malformed attribute costs (RFC 7606 §2), the least first."""

    DISCARD = 1
    TREAT_AS_WITHDRAW = 2
    RESET = 3


class Origin(IntEnum):
    IGP = 0
    EGP = 1
    INCOMPLETE = 2


@dataclass(frozen=True, slots=True)
class WireContext:
    """What of the session decides how attributes are written: four-octet ASNs (RFC 6793), and an internal peer."""

    four_octet_as: bool = True
    internal: bool = False

    @property
    def asn_octets(self) -> int:
        return 4 if self.four_octet_as else 2


@dataclass(frozen=True, slots=True)
class Aggregator:
    asn: int
    router_id: IPv4Address


@dataclass(frozen=True, slots=True)
class MpReach:
    """Reachable prefixes of one family with their next hop; an IPv6 one may bring a link-local address as second."""

    next_hops: tuple[Address, ...]
    nlri: PrefixList


@dataclass(frozen=True, slots=True)
class MpUnreach:
    """Withdrawn prefixes of one family. No prefix at all is the End-of-RIB of that family (RFC 4724 §2)."""

    nlri: PrefixList


@dataclass(frozen=True, slots=True)
class RawAttribute:
    """An attribute as it came."""

    flags: int
    code: int
    value: bytes


@dataclass(frozen=True, slots=True)
class PathAttributes:
    """The attributes of one UPDATE; None or empty where absent."""

    mp_reach: MpReach | None = None
    mp_unreach: MpUnreach | None = None
    origin: Origin | None = None
    as_path: AsPath | None = None
    next_hop: IPv4Address | None = None
    multi_exit_disc: int | None = None
    local_pref: int | None = None
    atomic_aggregate: bool | None = None
    aggregator: Aggregator | None = None
    communities: tuple[Community, ...] | None = None
    originator_id: IPv4Address | None = None
    cluster_list: tuple[IPv4Address, ...] | None = None
    extended_communities: tuple[bytes, ...] | None = None
    as4_path: AsPath | None = None
    as4_aggregator: Aggregator | None = None
    large_communities: tuple[LargeCommunity, ...] | None = None
    only_to_customer: int | None = None
    unknown: tuple[RawAttribute, ...] = ()


@dataclass(frozen=True, slots=True)
class AttributeProblem:
    """Something wrong in an attribute that does not end the session by itself."""

    severity: Severity
    code: int
    reason: str
    subcode: UpdateSubcode


class MalformedError(ValueError):
    """A value that is not what the attribute's RFC says. The row of the attribute knows what that costs."""


@dataclass(frozen=True, slots=True)
class Row:
    """One attribute: its number, the field of `PathAttributes`, its name, flags, codec and the price of an error.

    `decode` raises `MalformedError`, and gives None for what is to be kept raw. `subcode` goes into the NOTIFICATION
    if the session is reset. `internal_only` attributes are discarded when an external peer sends them.
    """

    code: int
    field: str
    name: str
    flags: int
    severity: Severity
    subcode: UpdateSubcode
    decode: Callable[[bytes, WireContext], Any]
    encode: Callable[[Any, WireContext], bytes]
    internal_only: bool = False


def encode_all(attributes: PathAttributes, context: WireContext) -> bytes:
    """The path attributes field: MP_REACH_NLRI and MP_UNREACH_NLRI first (RFC 7606 §5.1), the others by number."""
    parts = []
    for row in TABLE:
        value = getattr(attributes, row.field)
        if value is not None:
            parts.append(encode_one(row.flags, row.code, row.encode(value, context)))
    parts.extend(encode_one(raw.flags, raw.code, raw.value) for raw in attributes.unknown)
    return b"".join(parts)


def encode_one(flags: int, code: int, value: bytes) -> bytes:
    """Flags, type, length and value; the extended length is used when it is needed, and only then."""
    if len(value) > 255:
        return struct.pack("!BBH", flags | EXTENDED_LENGTH, code, len(value)) + value
    return bytes((flags & ~EXTENDED_LENGTH, code, len(value))) + value


def decode_all(data: bytes, context: WireContext) -> tuple[PathAttributes, tuple[AttributeProblem, ...]]:
    """The attributes and what was wrong with some of them. Raises `WireError` where the session must end."""
    values: dict[str, Any] = {}
    unknown: list[RawAttribute] = []
    problems: list[AttributeProblem] = []
    seen: set[int] = set()
    try:
        for flags, code, value in _split(data):
            if code in seen:
                problems.append(_duplicate(code, len(problems)))
                continue
            seen.add(code)
            row = BY_CODE.get(code)
            if row is None:
                unknown.append(_unknown(flags, code, value))
                continue
            problem = _decode_row(row, flags, value, context, values, unknown)
            if problem is not None:
                problems.append(problem)
    except MalformedError as error:
        severity, subcode = Severity.TREAT_AS_WITHDRAW, UpdateSubcode.MALFORMED_ATTRIBUTE_LIST
        problems.append(AttributeProblem(severity, 0, str(error), subcode))
    return PathAttributes(**values, unknown=tuple(unknown)), tuple(problems)


def _split(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Flags (but for the extended length), type and value of each attribute.

    Raises `MalformedError` at one that is cut off (RFC 7606 §4).
    """
    at, size = 0, len(data)
    while at < size:
        header = 4 if data[at] & EXTENDED_LENGTH else 3
        if size - at < header:
            raise MalformedError(f"{size - at} octets are left over after the last attribute")
        length = int.from_bytes(data[at + 2 : at + header])
        end = at + header + length
        if end > size:
            raise MalformedError(f"{attribute_name(data[at + 1])} is cut off by {end - size} octets")
        yield data[at] & ~EXTENDED_LENGTH, data[at + 1], data[at + header : end]
        at = end


def _decode_row(
    row: Row, flags: int, value: bytes, context: WireContext, values: dict[str, Any], unknown: list[RawAttribute]
) -> AttributeProblem | None:
    """Put the decoded value into `values`, or keep it raw, or say what is wrong."""
    if row.internal_only and not context.internal:
        reason = f"{row.name} from an external peer"
        return AttributeProblem(Severity.DISCARD, row.code, reason, UpdateSubcode.OPTIONAL_ATTRIBUTE_ERROR)
    if (flags ^ row.flags) & (OPTIONAL | TRANSITIVE):
        reason = f"{row.name} with flags {flags:02x} in place of {row.flags:02x}"
        return _graded(row, max(row.severity, Severity.TREAT_AS_WITHDRAW), reason, UpdateSubcode.ATTRIBUTE_FLAGS_ERROR)
    try:
        decoded = row.decode(value, context)
    except (MalformedError, as_path.AsPathError, nlri.NlriError) as error:
        return _graded(row, row.severity, f"{row.name}: {error}", row.subcode, value)
    if decoded is None:
        unknown.append(RawAttribute(flags, row.code, value))
    else:
        values[row.field] = decoded
    return None


def _graded(row: Row, severity: Severity, reason: str, subcode: UpdateSubcode, value: bytes = b"") -> AttributeProblem:
    if severity is Severity.RESET:
        raise WireError(Code.UPDATE_MESSAGE_ERROR, subcode, reason, encode_one(row.flags, row.code, value))
    return AttributeProblem(severity, row.code, reason, subcode)


def _duplicate(code: int, others: int) -> AttributeProblem:
    """Only the first counts, but two of the multiprotocol attributes end the session (RFC 7606 §3 g).

    Raises `MalformedError` if there were too many `others`.
    """
    if others >= _MOST_PROBLEMS:
        raise MalformedError(f"more than {_MOST_PROBLEMS} attributes are wrong")
    reason, subcode = f"{attribute_name(code)} stands twice", UpdateSubcode.MALFORMED_ATTRIBUTE_LIST
    if code in {MP_REACH_NLRI, MP_UNREACH_NLRI}:
        raise WireError(Code.UPDATE_MESSAGE_ERROR, subcode, reason)
    return AttributeProblem(Severity.DISCARD, code, reason, subcode)


def _unknown(flags: int, code: int, value: bytes) -> RawAttribute:
    if not flags & OPTIONAL:
        reason = f"well-known attribute {code} is unknown"
        subcode = UpdateSubcode.UNRECOGNIZED_WELL_KNOWN_ATTRIBUTE
        raise WireError(Code.UPDATE_MESSAGE_ERROR, subcode, reason, encode_one(flags, code, value))
    return RawAttribute(flags, code, value)


def attribute_name(code: int) -> str:
    """The RFC's name of an attribute."""
    row = BY_CODE.get(code)
    return row.name if row is not None else f"attribute {code}"


def _sized(value: bytes, octets: int) -> bytes:
    if len(value) != octets:
        raise MalformedError(f"{len(value)} octets in place of {octets}")
    return value


def _count(value: bytes, octets: int) -> int:
    """How many pieces of `octets` there are in `value`, at least one."""
    if not value or len(value) % octets:
        raise MalformedError(f"{len(value)} octets, which is no multiple of {octets}")
    return len(value) // octets


def _pieces(value: bytes, octets: int) -> Iterator[bytes]:
    """`value` cut into pieces of `octets`, at least one."""
    return (value[at : at + octets] for at in range(0, _count(value, octets) * octets, octets))


def _decode_origin(value: bytes, _: WireContext) -> Origin:
    if _sized(value, 1)[0] > Origin.INCOMPLETE:
        raise MalformedError(f"{value[0]} is not 0 (IGP), 1 (EGP) or 2 (incomplete)")
    return Origin(value[0])


def _decode_number(value: bytes, _: WireContext) -> int:
    return int.from_bytes(_sized(value, 4))


def _encode_number(value: int, _: WireContext) -> bytes:
    return value.to_bytes(4)


def _decode_address(value: bytes, _: WireContext) -> IPv4Address:
    return IPv4Address(_sized(value, 4))


def _encode_address(value: IPv4Address, _: WireContext) -> bytes:
    return value.packed


def _decode_atomic_aggregate(value: bytes, _: WireContext) -> bool:
    return _sized(value, 0) == b""


def _decode_aggregator(value: bytes, context: WireContext) -> Aggregator:
    octets = context.asn_octets
    _sized(value, octets + 4)
    return Aggregator(int.from_bytes(value[:octets]), IPv4Address(value[octets:]))


def _encode_aggregator(value: Aggregator, context: WireContext) -> bytes:
    asn = value.asn if context.four_octet_as or value.asn <= 0xFFFF else as_path.AS_TRANS
    return asn.to_bytes(context.asn_octets) + value.router_id.packed


def _decode_communities(value: bytes, _: WireContext) -> tuple[Community, ...]:
    return tuple(map(Community, struct.unpack(f"!{_count(value, 4)}I", value)))


def _encode_communities(value: tuple[Community, ...], _: WireContext) -> bytes:
    return struct.pack(f"!{len(value)}I", *(community.value for community in value))


def _decode_large_communities(value: bytes, _: WireContext) -> tuple[LargeCommunity, ...]:
    _count(value, 12)
    return tuple(LargeCommunity(*parts) for parts in struct.iter_unpack("!III", value))


def _encode_large_communities(value: tuple[LargeCommunity, ...], _: WireContext) -> bytes:
    return b"".join(struct.pack("!III", *large.sort_key) for large in value)


def _decode_mp_reach(value: bytes, _: WireContext) -> MpReach | None:
    """AFI (2), SAFI (1), next hop length (1), next hops, a reserved octet, prefixes."""
    if len(value) < 5 or len(value) < 5 + value[3]:
        raise MalformedError(f"{len(value)} octets are too few")
    family = family_by_number(int.from_bytes(value[:2]), value[2])
    if family is None:
        return None
    end = 4 + value[3]
    return MpReach(_decode_next_hops(family, value[4:end]), nlri.parse(family, value[end + 1 :]))


def _decode_next_hops(family: Family, value: bytes) -> tuple[Address, ...]:
    """An IPv4 next hop, or an IPv6 one with or without its link-local twin (RFC 2545 §3, RFC 8950 for IPv4 routes)."""
    if len(value) == 4 and family is Family.IPV4_UNICAST:
        return (IPv4Address(value),)
    if len(value) not in {16, 32}:
        raise MalformedError(f"a next hop of {len(value)} octets for {family.text}")
    return tuple(IPv6Address(piece) for piece in _pieces(value, 16))


def _encode_mp_reach(value: MpReach, _: WireContext) -> bytes:
    next_hops = b"".join(address.packed for address in value.next_hops)
    return value.nlri.family.wire + bytes((len(next_hops),)) + next_hops + b"\0" + value.nlri.wire


def _decode_mp_unreach(value: bytes, _: WireContext) -> MpUnreach | None:
    if len(value) < 3:
        raise MalformedError(f"{len(value)} octets are too few")
    family = family_by_number(int.from_bytes(value[:2]), value[2])
    return MpUnreach(nlri.parse(family, value[3:])) if family is not None else None


_WELL_KNOWN, _OPTIONAL, _BOTH = TRANSITIVE, OPTIONAL, OPTIONAL | TRANSITIVE
_WITHDRAW, _DISCARD, _RESET = Severity.TREAT_AS_WITHDRAW, Severity.DISCARD, Severity.RESET
_LENGTH, _OPT_ERROR = UpdateSubcode.ATTRIBUTE_LENGTH_ERROR, UpdateSubcode.OPTIONAL_ATTRIBUTE_ERROR
MP_REACH_NLRI, MP_UNREACH_NLRI = 14, 15

# fmt: off
TABLE = (
    Row(14, "mp_reach", "MP_REACH_NLRI", _OPTIONAL, _RESET, _OPT_ERROR, _decode_mp_reach, _encode_mp_reach),
    Row(15, "mp_unreach", "MP_UNREACH_NLRI", _OPTIONAL, _RESET, _OPT_ERROR, _decode_mp_unreach,
        lambda v, _: v.nlri.family.wire + v.nlri.wire),
    Row(1, "origin", "ORIGIN", _WELL_KNOWN, _WITHDRAW, UpdateSubcode.INVALID_ORIGIN_ATTRIBUTE, _decode_origin,
        lambda v, _: bytes((v,))),
    Row(2, "as_path", "AS_PATH", _WELL_KNOWN, _WITHDRAW, UpdateSubcode.MALFORMED_AS_PATH,
        lambda v, c: as_path.decode(v, c.asn_octets), lambda v, c: as_path.encode(v, c.asn_octets)),
    Row(3, "next_hop", "NEXT_HOP", _WELL_KNOWN, _WITHDRAW, UpdateSubcode.INVALID_NEXT_HOP_ATTRIBUTE,
        _decode_address, _encode_address),
    Row(4, "multi_exit_disc", "MULTI_EXIT_DISC", _OPTIONAL, _WITHDRAW, _LENGTH, _decode_number, _encode_number),
    Row(5, "local_pref", "LOCAL_PREF", _WELL_KNOWN, _WITHDRAW, _LENGTH, _decode_number, _encode_number,
        internal_only=True),
    Row(6, "atomic_aggregate", "ATOMIC_AGGREGATE", _WELL_KNOWN, _DISCARD, _LENGTH, _decode_atomic_aggregate,
        lambda _, __: b""),
    Row(7, "aggregator", "AGGREGATOR", _BOTH, _DISCARD, _OPT_ERROR, _decode_aggregator, _encode_aggregator),
    Row(8, "communities", "COMMUNITIES", _BOTH, _WITHDRAW, _OPT_ERROR, _decode_communities, _encode_communities),
    Row(9, "originator_id", "ORIGINATOR_ID", _OPTIONAL, _WITHDRAW, _OPT_ERROR, _decode_address, _encode_address,
        internal_only=True),
    Row(10, "cluster_list", "CLUSTER_LIST", _OPTIONAL, _WITHDRAW, _OPT_ERROR,
        lambda v, _: tuple(IPv4Address(piece) for piece in _pieces(v, 4)),
        lambda v, _: b"".join(address.packed for address in v), internal_only=True),
    Row(16, "extended_communities", "EXTENDED COMMUNITIES", _BOTH, _WITHDRAW, _OPT_ERROR,
        lambda v, _: tuple(_pieces(v, 8)), lambda v, _: b"".join(v)),
    Row(17, "as4_path", "AS4_PATH", _BOTH, _DISCARD, _OPT_ERROR,
        lambda v, _: as_path.decode(v, 4), lambda v, _: as_path.encode(v, 4)),
    Row(18, "as4_aggregator", "AS4_AGGREGATOR", _BOTH, _DISCARD, _OPT_ERROR,
        lambda v, _: _decode_aggregator(v, WireContext()), lambda v, _: _encode_aggregator(v, WireContext())),
    Row(32, "large_communities", "LARGE_COMMUNITY", _BOTH, _WITHDRAW, _OPT_ERROR,
        _decode_large_communities, _encode_large_communities),
    Row(35, "only_to_customer", "ONLY_TO_CUSTOMER", _BOTH, _WITHDRAW, _OPT_ERROR, _decode_number, _encode_number),
)
# fmt: on
BY_CODE = {row.code: row for row in TABLE}
