"""A beat: what a node's heartbeat file contains.

    7f3a9c21 1042                an instance of this node's speaker, and a counter
    interfaces/1 eth0 eth1/4     its usable interfaces, in the words of `herald.net.usable_names`; only `interfaces/1`
                                 if it has none; no line if it does not know
    note/1 0001                  the note of its control, in hexadecimal; no line if there is none

or, after a farewell, only

    left

The number after `interfaces/` is the version of that line. A first line alone is what speakers wrote that did not tell
their interfaces yet. What another node wrote may be anything: it is bounded by `LARGEST_BEAT`, and a line that cannot
be believed spoils itself only, since the change of the file shows that the node lives whatever it says.
"""

from typing import Final

from herald.engine.membership import UsableNames
from herald.net.usable_names import split

LARGEST_BEAT: Final = 16 * 1024
"""Octets: some thousand interfaces."""
LONGEST_NAME: Final = 48
"""Characters. The kernel allows 15 octets; one that is no UTF-8 is replaced by a character when it is read."""
LEFT: Final = "left"
_INTERFACES: Final = "interfaces/1"
_KEYWORD: Final = "interfaces/"
_NOTE: Final = "note/1 "


class GarbledBeatError(ValueError):
    """The interfaces of a beat cannot be believed; the text says why."""


def encode(instance: str, count: int, interfaces: UsableNames, note: bytes = b"") -> str:
    """The content of a file. More interfaces than fit are told as not known: a part would be a lie."""
    first, last = f"{instance} {count}\n", f"{_NOTE}{note.hex()}\n" if note else ""
    if interfaces is None:
        return first + last
    whole = f"{first}{' '.join([_INTERFACES, *sorted(interfaces)])}\n{last}"
    return whole if len(whole.encode()) <= LARGEST_BEAT else first + last


def is_farewell(content: str) -> bool:
    """Whether the node of that file has left."""
    return content.strip() == LEFT


def interfaces_of(content: str) -> UsableNames:
    """The usable interfaces that a content tells, None if it tells none. Raises `GarbledBeatError`."""
    if len(content.encode()) > LARGEST_BEAT:
        raise GarbledBeatError(f"it is longer than {LARGEST_BEAT} octets")
    lines = [line for line in content.rstrip().split("\n") if not line.startswith(_NOTE)]
    if len(lines) == 1:
        return None
    if len(lines) > 2:
        raise GarbledBeatError(f"it has {len(lines)} lines, a beat has one or two, and a note")
    keyword, *names = lines[1].split(" ")
    if keyword != _INTERFACES:
        raise GarbledBeatError(_not_the_keyword(keyword))
    for name in names:
        if not _is_a_name(name):
            raise GarbledBeatError(f"{name[:LONGEST_NAME]!r} cannot be the name of an interface")
    return frozenset(names)


def note_of(content: str) -> bytes:
    """The note that a content tells; nothing if there is none, or none that can be read."""
    found = next((line.removeprefix(_NOTE) for line in content.split("\n") if line.startswith(_NOTE)), "")
    try:
        return bytes.fromhex(found)
    except ValueError:
        return b""


def _not_the_keyword(found: str) -> str:
    if found.startswith(_KEYWORD):
        return f"{found[:LONGEST_NAME]!r} is of another version, this speaker reads {_INTERFACES}"
    return f"its second line begins with {found[:LONGEST_NAME]!r} instead of {_INTERFACES}"


def _is_a_name(word: str) -> bool:
    text = split(word)[0]
    is_plain = text.isprintable() and not set(text) & set("/:")
    return 0 < len(text) <= LONGEST_NAME and is_plain and text not in (".", "..")
