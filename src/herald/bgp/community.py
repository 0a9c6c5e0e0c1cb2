"""Communities as values and as words: standard (RFC 1997, 32 bit) and large (RFC 8092, 3 × 32 bit). And one extended
community (RFC 4360), which nobody writes: the bandwidth of a link.

Both kinds sort together by `sort_key`: a standard one counts as `(A<<16|B, 0, 0)`. A large community is *written*
`large:A:B:C` in a manifest and *printed* `A:B:C`.
"""

import struct
from dataclasses import dataclass
from typing import Final, TypeAlias


class CommunityFormatError(ValueError):
    """The text has not the shape of a community. It may be the name of an alias."""


class CommunityValueError(ValueError):
    """The text has the shape of a community, but a part is no number or out of its range."""


@dataclass(frozen=True, slots=True)
class Community:
    """A standard community; `value` is 0 to 2**32 - 1, the AS in the upper half."""

    value: int

    @property
    def text(self) -> str:
        return f"{self.value >> 16}:{self.value & 0xFFFF}"

    @property
    def sort_key(self) -> tuple[int, int, int]:
        return (self.value, 0, 0)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class LargeCommunity:
    """A large community; each part is 0 to 2**32 - 1."""

    global_admin: int
    local1: int
    local2: int

    @property
    def text(self) -> str:
        return f"{self.global_admin}:{self.local1}:{self.local2}"

    @property
    def sort_key(self) -> tuple[int, int, int]:
        return (self.global_admin, self.local1, self.local2)

    def __str__(self) -> str:
        return self.text


_LINK_BANDWIDTH: Final = b"\x40\x04"  # non-transitive, two-octet AS specific
_AS_TRANS: Final = 23456


def link_bandwidth(asn: int, mbps: int) -> bytes:
    """The extended community of that bandwidth (draft-ietf-idr-link-bandwidth §2), in octets per second on the wire.

    +-------------+-----------------+--------------------------------+
    | 40 04 (2)   | our AS (2)      | IEEE float, octets/s (4)       |
    +-------------+-----------------+--------------------------------+

    An AS that does not fit is said to be AS_TRANS (RFC 6793): the AS plays no part in what a router does with it.
    """
    return _LINK_BANDWIDTH + struct.pack("!Hf", asn if asn <= 0xFFFF else _AS_TRANS, mbps * 1_000_000 / 8)


AnyCommunity: TypeAlias = Community | LargeCommunity

GRACEFUL_SHUTDOWN = Community(0xFFFF0000)  # RFC 8326
ACCEPT_OWN = Community(0xFFFF0001)  # RFC 7611
LLGR_STALE = Community(0xFFFF0006)  # RFC 9494
NO_LLGR = Community(0xFFFF0007)  # RFC 9494
BLACKHOLE = Community(0xFFFF029A)  # RFC 7999
NO_EXPORT = Community(0xFFFFFF01)  # RFC 1997
NO_ADVERTISE = Community(0xFFFFFF02)  # RFC 1997
NO_EXPORT_SUBCONFED = Community(0xFFFFFF03)  # RFC 1997
NO_PEER = Community(0xFFFFFF04)  # RFC 3765


def parse_community(text: str) -> AnyCommunity:
    """The community that `text` writes: `A:B` (each 0–65535) or `large:A:B:C` (each 0–4294967295).

    Raises `CommunityFormatError` for any other number of parts, where an alias may be meant, and
    `CommunityValueError` for two or four parts that do not fit.
    """
    match text.split(":"):
        case [high, low]:
            return Community(_number(high, 0xFFFF, text) << 16 | _number(low, 0xFFFF, text))
        case ["large", *parts] if len(parts) == 3:
            return LargeCommunity(*(_number(part, 0xFFFFFFFF, text) for part in parts))
        case [kind, _, _, _]:
            raise CommunityValueError(
                f'invalid community value: {text}: four parts begin with "large", as in large:A:B:C, not with "{kind}"'
            )
        case _:
            raise CommunityFormatError(f"invalid community format: {text}")


def _number(part: str, highest: int, text: str) -> int:
    if not (part.isascii() and part.isdigit()):
        raise CommunityValueError(f'invalid community value: {text}: "{part}" is not a decimal number')
    significant = part.lstrip("0") or "0"
    # The length is compared first: int() of a text of thousands of digits is slow, then an error of its own kind.
    if len(significant) > 10 or int(significant) > highest:
        raise CommunityValueError(f"invalid community value: {text}: {part[:20]} is not within 0 to {highest}")
    return int(significant)
