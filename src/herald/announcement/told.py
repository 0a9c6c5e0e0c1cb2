"""What speakers tell each other for elections, beyond that they live: claims, and which nodes come and go too often.

A note travels with the name of its speaker (`herald.engine.metadata`); it is the only thing beside the configuration
and the list of those alive that decides under `failback` and `flapDamping`, so all nodes come to the same.

    +-----------+-----------+------------------------------------+---------------------------+
    | flags, 1  | d, 1      | d × 4 octets: the first 32 bits of | claims, the rest; see     |
    | octet     | octet     | the SHA-256 of names of nodes      | `herald.announcement.claims`
    +-----------+-----------+------------------------------------+---------------------------+

    flags     1: the claims yield to those of others

No octets at all: a speaker that has nothing to tell. No note (None): a speaker that knows nothing of all this, such as
MetalLB's; it follows the plain election, so what that gives it is its own.

**Damping.** A node counts as damped if more than half of the other speakers of Herald say so. One of them alone may be
the one that comes and goes.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from hashlib import sha256
from typing import Final

from herald.announcement import claims as codec
from herald.announcement.claims import Claims, claims_of, digest
from herald.cluster.meta import NodeName
from herald.marks import WIDTH, MarksError
from herald.net.ip_family import IPAddress

MOST_DAMPED: Final = 16
"""Nodes that one note can name."""
_YIELDS: Final = 1
_NAME: Final = 4
_HEAD: Final = 2


@dataclass(frozen=True, slots=True)
class Note:
    """What one speaker tells. `damped` are digests of names."""

    claims: Claims = field(default_factory=Claims)
    damped: frozenset[int] = frozenset()


SILENT: Final = Note()
_NO_CLAIMS: Final = Claims()


@lru_cache(maxsize=4096)
def name_digest(node: NodeName) -> int:
    """The 32 bits that stand for a node."""
    return int.from_bytes(sha256(f"node#{node}".encode()).digest()[:_NAME])


def compose(held: Iterable[IPAddress], damped: Iterable[NodeName], room: int, *, yields: bool = False) -> Note:
    """The note of a speaker that keeps `held` and finds that `damped` come and go, in at most `room` octets."""
    names = frozenset(sorted(map(name_digest, damped))[: min(MOST_DAMPED, max(0, room - _HEAD) // _NAME)])
    return Note(claims_of(held, room - _HEAD - _NAME * len(names), yields=yields), names)


def encode(note: Note) -> bytes:
    """The octets; none if there is nothing to tell."""
    if not (note.claims or note.damped):
        return b""
    names = b"".join(each.to_bytes(_NAME) for each in sorted(note.damped))
    flags = _YIELDS if note.claims.yields else 0
    return bytes((flags, len(note.damped))) + names + codec.encode(note.claims)


@lru_cache(maxsize=8192)
def decode(octets: bytes) -> Note:
    """The note. What cannot be read tells nothing: all nodes read the same octets and come to the same."""
    if len(octets) < _HEAD:
        return SILENT
    flags, count = octets[0], octets[1]
    end = _HEAD + _NAME * count
    if end > len(octets):
        return SILENT
    names = (octets[at : at + _NAME] for at in range(_HEAD, end, _NAME))
    try:
        claims = codec.decode(octets[end:])
    except MarksError:
        return SILENT
    return Note(replace(claims, yields=bool(flags & _YIELDS)), frozenset(map(int.from_bytes, names)))


@dataclass(frozen=True)
class Told:
    """What all live speakers tell together. `claims` of those that have any; `foreign` know nothing of all this."""

    # No slots: what is worked out once for 10,000 addresses is kept beside the fields.

    claims: Mapping[NodeName, Claims] = field(default_factory=dict)
    damped: frozenset[NodeName] = frozenset()
    foreign: frozenset[NodeName] = frozenset()

    def claimants(self, address: IPAddress) -> list[NodeName]:
        """Those that claim the address, by name."""
        whole = digest(address)
        return sorted(node for bits, known in self._marks.items() for node in known.get(whole >> (WIDTH - bits), ()))

    @cached_property
    def _marks(self) -> Mapping[int, Mapping[int, list[NodeName]]]:
        """Who has which mark, by the length of the mark: there are few different ones."""
        found: dict[int, dict[int, list[NodeName]]] = {}
        for node, claims in self.claims.items():
            known = found.setdefault(claims.bits, {})
            for mark in claims.marks:
                known.setdefault(mark, []).append(node)
        return found


def claimed_otherwise(before: Told, after: Told) -> Callable[[IPAddress], bool]:
    """A test whether the claims to an address differ between the two."""
    nodes = before.claims.keys() | after.claims.keys()
    pairs = [(before.claims.get(node, _NO_CLAIMS), after.claims.get(node, _NO_CLAIMS)) for node in sorted(nodes)]
    changed = [(old, new) for old, new in pairs if old != new]

    def differs(address: IPAddress) -> bool:
        for old, new in changed:
            was, now = old.cover(address), new.cover(address)
            if was != now or (now and old.yields != new.yields):
                return True
        return False

    return differs


def told_by(notes: Mapping[NodeName, Note | None]) -> Told:
    """What follows from the notes of all live speakers."""
    ours = {node: note for node, note in notes.items() if note is not None}
    return Told(
        {node: note.claims for node, note in ours.items() if note.claims},
        _damped(ours, notes),
        frozenset(notes.keys() - ours.keys()),
    )


def _damped(ours: Mapping[NodeName, Note], everyone: Iterable[NodeName]) -> frozenset[NodeName]:
    if not any(note.damped for note in ours.values()):
        return frozenset()
    found = set()
    for node in everyone:
        judges = [note for judge, note in ours.items() if judge != node]
        if 2 * sum(name_digest(node) in note.damped for note in judges) > len(judges):
            found.add(node)
    return frozenset(found)
