"""AS paths: segments, both widths of AS numbers, and the AS4_PATH of peers that know two octets only.

A segment on the wire (RFC 4271 §4.3, RFC 5065 §3):

    +------------+-------------+----------------------------+
    | Type (1)   | Count (1)   | ASNs, 2 or 4 octets each   |
    +------------+-------------+----------------------------+

RFC 6793 in short: towards a peer without the four-octet capability every ASN above 65535 is written as AS_TRANS and
the true path goes along as AS4_PATH; what such a peer sends is put together again by `merge`.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from itertools import islice

AS_TRANS = 23456
_LONGEST_SEGMENT = 255
MOST_SEGMENTS = 256


class SegmentType(IntEnum):
    AS_SET = 1
    AS_SEQUENCE = 2
    AS_CONFED_SEQUENCE = 3
    AS_CONFED_SET = 4


class AsPathError(ValueError):
    """The attribute is no list of segments: unknown type, empty segment, or cut off (RFC 7606 §7.2)."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment of 1 to 255 ASNs."""

    kind: SegmentType
    asns: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class AsPath:
    """Segments from the nearest AS to the origin. An empty path is one of a route of our own AS."""

    segments: tuple[Segment, ...] = ()

    @property
    def asns(self) -> tuple[int, ...]:
        return tuple(asn for segment in self.segments for asn in segment.asns)

    @property
    def length(self) -> int:
        """The length that decides between routes: a set counts 1, confederation segments 0 (RFC 4271 §9.1.2.2)."""
        return sum(_segment_length(segment) for segment in self.segments)


def sequence(asns: tuple[int, ...]) -> AsPath:
    """The path that is `asns` in order, cut into segments of at most 255."""
    starts = range(0, len(asns), _LONGEST_SEGMENT)
    return AsPath(tuple(Segment(SegmentType.AS_SEQUENCE, asns[at : at + _LONGEST_SEGMENT]) for at in starts))


def encode(path: AsPath, asn_octets: int) -> bytes:
    """The segments with ASNs of `asn_octets` (2 or 4); with 2, an ASN that does not fit is written as AS_TRANS."""
    return b"".join(_encode_segment(segment, asn_octets) for segment in path.segments)


def decode(data: bytes, asn_octets: int) -> AsPath:
    """The path in `data`. Raises `AsPathError`, also for one of more segments than anybody's path has."""
    segments = tuple(islice(_segments(data, asn_octets), MOST_SEGMENTS + 1))
    if len(segments) > MOST_SEGMENTS:
        raise AsPathError(f"more than {MOST_SEGMENTS} segments")
    return AsPath(segments)


def needs_as4_path(path: AsPath) -> bool:
    """Whether two octets cannot say this path."""
    return any(asn > 0xFFFF for segment in path.segments for asn in segment.asns)


def without_confederations(path: AsPath) -> AsPath:
    """The path as AS4_PATH may carry it (RFC 6793 §3)."""
    return AsPath(tuple(s for s in path.segments if s.kind in {SegmentType.AS_SET, SegmentType.AS_SEQUENCE}))


def merge(path: AsPath, as4_path: AsPath) -> AsPath:
    """The true path behind an AS_PATH of two-octet ASNs and its AS4_PATH (RFC 6793 §4.2.3).

    The leading ASNs that AS4_PATH does not know are kept from AS_PATH. An AS4_PATH longer than AS_PATH is not used.
    """
    surplus = path.length - as4_path.length
    if surplus < 0:
        return path
    return AsPath((*_leading(path, surplus), *without_confederations(as4_path).segments))


def _leading(path: AsPath, length: int) -> Iterator[Segment]:
    """The first segments of `path` that count `length` together."""
    for segment in path.segments:
        own = _segment_length(segment)
        if own == 0:
            yield segment
        elif length <= 0:
            return
        elif segment.kind is SegmentType.AS_SEQUENCE and own > length:
            yield Segment(segment.kind, segment.asns[:length])
            return
        else:
            yield segment
        length -= own


def _segment_length(segment: Segment) -> int:
    match segment.kind:
        case SegmentType.AS_SEQUENCE:
            return len(segment.asns)
        case SegmentType.AS_SET:
            return 1
        case _:
            return 0


def _encode_segment(segment: Segment, asn_octets: int) -> bytes:
    asns = segment.asns
    if asn_octets == 2:
        asns = tuple(asn if asn <= 0xFFFF else AS_TRANS for asn in asns)
    return struct.pack(f"!BB{len(asns)}{'H' if asn_octets == 2 else 'I'}", segment.kind, len(asns), *asns)


def _segments(data: bytes, asn_octets: int) -> Iterator[Segment]:
    at = 0
    while at < len(data):
        if len(data) - at < 2:
            raise AsPathError("one octet is left over after the last segment")
        kind, count = data[at], data[at + 1]
        if not 1 <= kind <= 4:
            raise AsPathError(f"segment type {kind} is unknown")
        if count == 0:
            raise AsPathError("a segment without ASNs")
        end = at + 2 + count * asn_octets
        if end > len(data):
            raise AsPathError(f"a segment of {count} ASNs is cut off by {end - len(data)} octets")
        asns = struct.unpack_from(f"!{count}{'H' if asn_octets == 2 else 'I'}", data, at + 2)
        yield Segment(SegmentType(kind), asns)
        at = end
