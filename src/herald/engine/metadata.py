"""The metadata of a gossip member: its usable interfaces, and the note that its control writes. They travel with its
name, see `herald.engine.membership`.

    herald/1 eth0 eth1/4          the usable interfaces in the words of `herald.net.usable_names`; only `herald/1` if
                                  there are none
    herald/0 …                    as many as cannot be named in `NAMES_ROOM` octets: by their marks
    herald/0                      they are not known, or more than even marks can tell
    starts/1 …, starts/0 …        the same of a node that has just started and answers for nothing yet
    … NUL note                    after either, if there is a note: octets that only control understands
    (nothing)                     a speaker of MetalLB

The number is the version; who reads no marks takes such interfaces for not known. What another node sent may be
anything; what cannot be believed counts as not known.

**Marks.** For each of the three kinds of words, those for both IP versions, for IPv4 and for IPv6: two octets of
length, and that many octets of a set (`herald.marks`), all with the same bits. As a metadata octet may not be NUL here,
the whole of that is one large number, after a 1 octet, written in base 255 with digits from 1 to 255. There are as many
bits as fit into `NAMES_ROOM`, 32 for 60 interfaces, and never so few that more than one name in `MISTAKEN` counts as
usable by mistake.

**Room.** The note is written for the room that is left beside the interfaces (`room_beside`), and these may change
before the next note is there. So `RESERVE` octets stay free for them; and where that is not enough they are told
shorter, not the note left out: with it would go all that this node keeps.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, log2
from typing import Final

from herald import marks as codec
from herald.engine.membership import UsableNames
from herald.marks import WIDTH, MarksError
from herald.net.usable_names import ENDINGS, Families, digest, is_mark, mark_of, mark_word, split
from herald.swim.member import LARGEST_META

LONGEST_NAME: Final = 15
"""Octets of an interface's name in the kernel."""
NAMES_ROOM: Final = 320
"""Octets that interfaces may have before they are told shorter, if that makes them shorter."""
RESERVE: Final = 64
"""Octets that neither the interfaces nor the note use of their own."""
MISTAKEN: Final = 64
_KEYWORD: Final = b"herald/1"
_UNKNOWN: Final = b"herald/0"
_STARTING: Final = {_KEYWORD: b"starts/1", _UNKNOWN: b"starts/0"}
_STARTED: Final = {told: keyword for keyword, told in _STARTING.items()}
_END: Final = b"\0"
_LENGTH: Final = 2
_KINDS: Final = tuple(ENDINGS)


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a member tells. `note` is None for one that is not Herald's; `is_starting`: it answers for nothing yet."""

    interfaces: UsableNames = None
    note: bytes | None = None
    is_starting: bool = False


def encode(interfaces: UsableNames, note: bytes = b"", *, is_starting: bool = False) -> bytes:
    """The metadata that says so, with the longest form of the interfaces that leaves room for the note.

    More than fit are told as not known: a part would be a lie. Only a note that fits beside nothing is left out.
    """
    tail = _END + note if note else b""
    if len(_UNKNOWN) + len(tail) > LARGEST_META:
        tail = b""
    whole = next(form for form in _forms(interfaces) if len(form) + len(tail) <= LARGEST_META)
    if is_starting:
        keyword = whole[: len(_KEYWORD)]
        whole = _STARTING[keyword] + whole[len(_KEYWORD) :]
    return whole + tail


def room_beside(interfaces: UsableNames) -> int:
    """Octets that a note may have beside these, and leave a reserve for more of them."""
    return max(0, LARGEST_META - len(_forms(interfaces)[0]) - len(_END) - RESERVE)


def can_be_told(interfaces: UsableNames) -> bool:
    """Whether these can be told at all. If not, all others take it that no interface is missing here."""
    return interfaces is None or _forms(interfaces)[0] != _UNKNOWN


@lru_cache(maxsize=64)
def _forms(interfaces: UsableNames) -> tuple[bytes, ...]:
    """How these can be told, the best first; the last one is that they are not known."""
    return (*_known_forms(interfaces), _UNKNOWN) if interfaces is not None else (_UNKNOWN,)


def _known_forms(interfaces: frozenset[str]) -> Iterator[bytes]:
    if any(map(is_mark, interfaces)):
        (bits,) = {mark_of(word)[1] for word in interfaces}
        yield _in_marks(_sets({word: mark_of(word)[0] for word in interfaces}), bits)
        return
    named = b" ".join([_KEYWORD, *sorted(map(str.encode, interfaces))])
    if len(named) <= NAMES_ROOM:
        yield named
    count, digests = len(interfaces), {word: digest(split(word)[0]) for word in interfaces}
    if not count:
        return
    fewest = min(WIDTH, ceil(log2(MISTAKEN * count)))
    guess = min(WIDTH, ceil(8 * NAMES_ROOM / count + log2(count)))  # a mark takes at least its bits less log2(count)
    most = next((bits for bits in range(guess, fewest, -1) if len(_marked(digests, bits)) <= NAMES_ROOM), fewest)
    for bits in sorted({most, fewest}, reverse=True):
        marked = _marked(digests, bits)
        if len(marked) <= LARGEST_META - RESERVE:
            yield marked


def _marked(digests: dict[str, int], bits: int) -> bytes:
    return _in_marks(_sets({word: whole >> (WIDTH - bits) for word, whole in digests.items()}), bits)


def _sets(marks: dict[str, int]) -> dict[Families, frozenset[int]]:
    return {kind: frozenset(mark for word, mark in marks.items() if split(word)[1] == kind) for kind in _KINDS}


def _in_marks(sets: dict[Families, frozenset[int]], bits: int) -> bytes:
    parts = [codec.encode(sets[kind], bits) if sets[kind] else b"" for kind in _KINDS]
    whole = b"".join(len(part).to_bytes(_LENGTH) + part for part in parts)
    return _UNKNOWN + b" " + _without_nul(whole)


def _without_nul(octets: bytes) -> bytes:
    number, digits = int.from_bytes(b"\1" + octets), bytearray()
    while number:
        number, digit = divmod(number, 255)
        digits.append(digit + 1)
    return bytes(reversed(digits))


def _with_nul(digits: bytes) -> bytes:
    number = 0
    for digit in digits:
        number = number * 255 + digit - 1
    return number.to_bytes(len(digits) + 1).lstrip(b"\0")[1:]


@lru_cache(maxsize=4096)
def decode(meta: bytes) -> Metadata:
    """What a member tells."""
    text, _, note = meta.partition(_END)
    keyword, space, rest = text.partition(b" ")
    is_starting, keyword = keyword in _STARTED, _STARTED.get(keyword, keyword)
    if keyword == _KEYWORD:
        return Metadata(_named(rest.split(b" ") if space else []), note, is_starting)
    if keyword == _UNKNOWN:
        return Metadata(_by_marks(rest) if rest else None, note, is_starting)
    return Metadata()


def _named(words: list[bytes]) -> UsableNames:
    known = frozenset(map(_word, words))
    return None if "" in known else known


def _word(octets: bytes) -> str:
    """A word for an interface, or nothing. It goes on to control and to people, so it is text that can be written."""
    word = octets.decode("utf-8", "replace")
    name, families = split(word)
    size = len(octets) - len(ENDINGS[families])
    is_one = 0 < size <= LONGEST_NAME and name not in (".", "..") and not set(name) & set("/:\ufffd")
    return word if is_one and name.isprintable() else ""


def _by_marks(digits: bytes) -> UsableNames:
    octets, found = _with_nul(digits), set[str]()
    for kind in _KINDS:
        end = _LENGTH + int.from_bytes(octets[:_LENGTH])
        part, octets = octets[_LENGTH:end], octets[end:]
        try:
            marks, bits = codec.decode(part) if part else (frozenset[int](), 0)
        except MarksError:
            return None
        found |= {mark_word(mark, bits) + ENDINGS[kind] for mark in marks}
    return frozenset(found) if len({mark_of(word)[1] for word in found}) == 1 and not octets else None
