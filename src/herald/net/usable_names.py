"""The names of usable interfaces, as speakers tell each other: a set of words, one for each interface.

    eth0            it answers for both IP versions
    eth0/4          for IPv4 only: there is no IPv6 on it. No interface can have a slash in its name
    eth0/6          for IPv6 only: it has no broadcast
    :21:1f3a02      an interface by its mark, where there are too many to name: the first 21 bits of the SHA-256 of
    :21:1f3a02/4    `interface#name`, in hexadecimal. No interface can have a colon in its name

A mark may be that of another name too. That is rare, the same for all who read it, and matters only where it is a name
that an advertisement asks for.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from hashlib import sha256
from typing import Final, TypeAlias

from herald.marks import WIDTH

UsableNames: TypeAlias = frozenset[str]
"""Such words."""
Families: TypeAlias = frozenset[int]
"""IP versions: 4, 6."""

BOTH: Final[Families] = frozenset({4, 6})
ENDINGS: Final[Mapping[Families, str]] = {BOTH: "", frozenset({4}): "/4", frozenset({6}): "/6"}
_MARK: Final = ":"


def digest(name: str) -> int:
    """The 32 bits of which marks are made."""
    return int.from_bytes(sha256(f"interface#{name}".encode()).digest()[: WIDTH // 8])


def mark_word(mark: int, bits: int) -> str:
    """The word for a mark, without an ending."""
    return f"{_MARK}{bits}{_MARK}{mark:x}"


def words(families: Mapping[str, Families]) -> UsableNames:
    """The words for interfaces that answer for these families; those that answer for none are left out."""
    return frozenset(name + ENDINGS[found] for name, found in families.items() if found)


def split(word: str) -> tuple[str, Families]:
    """The name or mark, and the families. Whatever else the word is, it is taken for a name."""
    name, _, ending = word.rpartition("/")
    return (name, frozenset({int(ending)})) if ending in ("4", "6") and name else (word, BOTH)


def is_mark(word: str) -> bool:
    """Whether the word stands for an interface by its mark."""
    return word.startswith(_MARK)


def mark_of(word: str) -> tuple[int, int]:
    """The mark and its bits; of a word that is one."""
    _, bits, mark = split(word)[0].split(_MARK)
    return int(mark, 16), int(bits)


def can_answer(usable: UsableNames, wanted: Iterable[str] | None, family: int) -> bool:
    """Whether one of the interfaces named `wanted` (None: any at all) is usable for the family."""
    if wanted is None:
        return any(family in split(word)[1] for word in usable)
    return any(_has(usable, name, family) for name in wanted)


def is_there(usable: UsableNames, wanted: Iterable[str] | None) -> bool:
    """Whether one of the interfaces named `wanted` (None: any at all) is usable for any family."""
    return any(can_answer(usable, wanted, family) for family in sorted(BOTH))


def for_people(usable: UsableNames) -> str:
    """In plain words, on one line; nothing for none."""
    named = [_said(word) for word in sorted(usable) if not is_mark(word)]
    marked = len(usable) - len(named)
    return " ".join(named + ([f"{marked} interfaces, too many to name"] if marked else []))


def _said(word: str) -> str:
    name, families = split(word)
    return name if families == BOTH else f"{name} (IPv{min(families)} only)"


def _has(usable: UsableNames, name: str, family: int) -> bool:
    if name in usable or f"{name}/{family}" in usable:
        return True
    return any(
        word in usable or f"{word}/{family}" in usable
        for bits in _mark_bits(usable)
        for word in (mark_word(digest(name) >> (WIDTH - bits), bits),)
    )


@lru_cache(maxsize=1024)
def _mark_bits(usable: UsableNames) -> frozenset[int]:
    return frozenset(mark_of(word)[1] for word in usable if is_mark(word))
