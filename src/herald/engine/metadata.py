"""The metadata of a gossip member: its usable interfaces, and the note that its control writes. They travel with its
name, see `herald.engine.membership`.

    herald/1 eth0 eth1            the usable interfaces; only `herald/1` if there are none
    herald/0                      they are not known, or more names than memberlist carries
    starts/1 …, starts/0          the same of a node that has just started and answers for nothing yet
    … NUL note                    after either, if there is a note: octets that only control understands
    (nothing)                     a speaker of MetalLB

The number is the version. What another node sent may be anything; what cannot be believed counts as not known.
"""

from dataclasses import dataclass
from typing import Final

from herald.engine.membership import UsableNames
from herald.swim.member import LARGEST_META

LONGEST_NAME: Final = 15
"""Octets of an interface's name in the kernel."""
_KEYWORD: Final = b"herald/1"
_UNKNOWN: Final = b"herald/0"
_STARTING: Final = {_KEYWORD: b"starts/1", _UNKNOWN: b"starts/0"}
_STARTED: Final = {told: keyword for keyword, told in _STARTING.items()}
_END: Final = b"\0"


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a member tells. `note` is None for one that is not Herald's; `is_starting`: it answers for nothing yet."""

    interfaces: UsableNames = None
    note: bytes | None = None
    is_starting: bool = False


def encode(interfaces: UsableNames, note: bytes = b"", *, is_starting: bool = False) -> bytes:
    """The metadata that says so. More names than fit are told as not known: a part would be a lie.

    A note that does not fit beside the names (see `room_beside`) is left out.
    """
    whole = _names(interfaces)
    if is_starting:
        keyword = whole[: len(_KEYWORD)]
        whole = _STARTING[keyword] + whole[len(_KEYWORD) :]
    return whole + _END + note if 0 < len(note) <= LARGEST_META - len(whole) - len(_END) else whole


def room_beside(interfaces: UsableNames) -> int:
    """Octets that a note may have beside these."""
    return max(0, LARGEST_META - len(_names(interfaces)) - len(_END))


def _names(interfaces: UsableNames) -> bytes:
    if interfaces is None:
        return _UNKNOWN
    whole = b" ".join([_KEYWORD, *sorted(map(str.encode, interfaces))])
    return whole if len(whole) <= LARGEST_META else _UNKNOWN


def decode(meta: bytes) -> Metadata:
    """What a member tells."""
    text, _, note = meta.partition(_END)
    keyword, *names = text.split(b" ")
    is_starting, keyword = keyword in _STARTED, _STARTED.get(keyword, keyword)
    if keyword not in (_KEYWORD, _UNKNOWN):
        return Metadata()
    known = frozenset(map(_name, names))
    return Metadata(known if keyword == _KEYWORD and "" not in known else None, note, is_starting)


def _name(octets: bytes) -> str:
    """The name of an interface, or nothing. It goes on to control and to people, so it is text that can be written."""
    name = octets.decode("utf-8", "replace")
    is_one = 0 < len(octets) <= LONGEST_NAME and name not in (".", "..") and not set(name) & set("/\ufffd")
    return name if is_one and name.isprintable() else ""
