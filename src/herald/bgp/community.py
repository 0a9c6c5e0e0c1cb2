"""Communities as values and as words: standard (RFC 1997, 32 bit), large (RFC 8092, 3 × 32 bit) and extended (RFC 4360,
64 bit).

The first two sort together by `sort_key`: a standard one counts as `(A<<16|B, 0, 0)`. A large community is *written*
`large:A:B:C` in a manifest and *printed* `A:B:C`; an extended one likewise without its first word:

    written                            octets                   is
    extended:rt:65000:100              00 02 AS(2) value(4)     route target of an AS of two octets
    extended:rt:4200000000:100         02 02 AS(4) value(2)     … of four octets (RFC 5668), if it needs them
    extended:rt:192.0.2.1:100          01 02 IPv4(4) value(2)   … of an address
    extended:soo:…                     likewise with 03         site of origin
    extended:generic:0x…:0x…           as they are              anything, in two numbers of 32 bit

And one that nobody writes so: the bandwidth of a link.
"""

import re
import struct
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address
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


_TWO_OCTET_AS, _IPV4, _FOUR_OCTET_AS = 0x00, 0x01, 0x02
_SUBTYPES: Final = {"rt": 0x02, "soo": 0x03}
_HEXADECIMAL: Final = re.compile("0x[0-9A-Fa-f]{1,8}")
_SUBTYPE_NAMES: Final = {number: name for name, number in _SUBTYPES.items()}


@dataclass(frozen=True, slots=True)
class ExtendedCommunity:
    """An extended community; `value` is all of its eight octets, 0 to 2**64 - 1, the type in the highest."""

    value: int

    @property
    def wire(self) -> bytes:
        return self.value.to_bytes(8)

    @property
    def is_transitive(self) -> bool:
        """Whether it goes to other ASes (RFC 4360 §2)."""
        return not self.wire[0] & 0x40

    @property
    def text(self) -> str:
        """As it is written, without `extended:`; one that has a name goes by it, however it was written."""
        kind, subtype, rest = self.wire[0], self.wire[1], self.wire[2:]
        name = _SUBTYPE_NAMES.get(subtype)
        if name is not None and kind == _TWO_OCTET_AS:
            return f"{name}:{int.from_bytes(rest[:2])}:{int.from_bytes(rest[2:])}"
        if name is not None and kind == _IPV4:
            return f"{name}:{IPv4Address(rest[:4])}:{int.from_bytes(rest[4:])}"
        # A small AS in four octets would be read again as one in two.
        if name is not None and kind == _FOUR_OCTET_AS and rest[:2] != b"\0\0":
            return f"{name}:{int.from_bytes(rest[:4])}:{int.from_bytes(rest[4:])}"
        return f"generic:0x{self.value >> 32:08x}:0x{self.value & 0xFFFFFFFF:08x}"

    @property
    def sort_key(self) -> tuple[int, int, int]:
        return (self.value >> 32, self.value & 0xFFFFFFFF, 0)

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


AnyCommunity: TypeAlias = Community | LargeCommunity | ExtendedCommunity

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
    """The community that `text` writes: `A:B` (each 0–65535), `large:A:B:C` (each 0–4294967295), or `extended:…`.

    Raises `CommunityFormatError` for any other number of parts, where an alias may be meant, and
    `CommunityValueError` for two or four parts, or an `extended:`, that do not fit.
    """
    match text.split(":"):
        case ["extended", "generic", *words]:
            return ExtendedCommunity(_generic(words, text))
        case ["extended", *words] if words:
            return ExtendedCommunity(_named(words, text))
        case [high, low]:
            return Community(_number(high, 0xFFFF, text, _LONG_AS) << 16 | _number(low, 0xFFFF, text))
        case ["large", *parts] if len(parts) == 3:
            return LargeCommunity(*(_number(part, 0xFFFFFFFF, text) for part in parts))
        case [kind, _, _, _]:
            raise CommunityValueError(
                f'invalid community value: {text}: four parts begin with "large", as in large:A:B:C, or with '
                f'"extended", as in extended:rt:A:B, not with "{kind}"'
            )
        case _:
            raise CommunityFormatError(f"invalid community format: {text}: it is none of {_FORMS}{_meant(text)}")


_LONG_AS: Final = ": an AS above takes four octets, for which large:A:B:C has room"
_FORMS: Final = "A:B, large:A:B:C, extended:rt:A:B, extended:soo:A:B and extended:generic:0xA:0xB"


def _meant(text: str) -> str:
    """Whether only the first word is missing."""
    for written in (f"large:{text}", f"extended:{text}") if text.count(":") == 2 else ():
        try:
            parse_community(written)
        except CommunityValueError:
            continue  # not that one
        return f'; did you mean "{written}"?'
    return ""


def _named(words: list[str], text: str) -> int:
    """The octets of a route target or a site of origin, as a number."""
    subtype = _SUBTYPES.get(words[0])
    if subtype is None or len(words) != 3:
        raise CommunityValueError(
            f"invalid community value: {text}: an extended community is extended:rt:A:B (route target) or "
            "extended:soo:A:B (site of origin), A an AS number or an IPv4 address, or extended:generic:0xA:0xB"
        )
    _, administrator, assigned = words
    if "." in administrator:
        kind, who = _IPV4, _address(administrator, text)
    else:
        who = _number(administrator, 0xFFFFFFFF, text)
        kind = _TWO_OCTET_AS if who <= 0xFFFF else _FOUR_OCTET_AS
    bits = 32 if kind == _TWO_OCTET_AS else 16
    why = f": {'an address' if kind == _IPV4 else f'AS {who}'} takes four octets and leaves two to the number behind it"
    return kind << 56 | subtype << 48 | who << bits | _number(assigned, 2**bits - 1, text, why if bits == 16 else "")


def _generic(words: list[str], text: str) -> int:
    if len(words) != 2 or not all(_HEXADECIMAL.fullmatch(word) for word in words):
        raise CommunityValueError(
            f"invalid community value: {text}: generic is followed by two numbers of 32 bit in hexadecimal, as in "
            "extended:generic:0x0002fde8:0x00000064"
        )
    high, low = (int(word, 16) for word in words)
    return high << 32 | low


def _address(part: str, text: str) -> int:
    try:
        return int(IPv4Address(part))
    except AddressValueError as error:
        raise CommunityValueError(f'invalid community value: {text}: "{part[:20]}" is no IPv4 address') from error


def _number(part: str, highest: int, text: str, why: str = "") -> int:
    if not (part.isascii() and part.isdigit()):
        raise CommunityValueError(f'invalid community value: {text}: "{part}" is not a decimal number')
    significant = part.lstrip("0") or "0"
    # The length is compared first: int() of a text of thousands of digits is slow, then an error of its own kind.
    if len(significant) > 10 or int(significant) > highest:
        raise CommunityValueError(f"invalid community value: {text}: {part[:20]} is not within 0 to {highest}{why}")
    return int(significant)
