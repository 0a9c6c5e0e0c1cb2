"""How numbers and lists of names read in messages to people."""

from collections.abc import Iterable

MOST_NAMES = 5
"""So many names of a list stand in a message; nobody reads a hundred."""


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """`1 node`, `3 nodes`; `plural` where it is not the noun with an s."""
    return f"{number} {noun if number == 1 else plural or f'{noun}s'}"


def some(names: Iterable[object]) -> str:
    """The names in their order; of more than a few only the first ones, and the number of the others."""
    texts = [str(name) for name in names]
    hidden = len(texts) - MOST_NAMES
    # "and 1 more" would be as long as the name.
    return ", ".join(texts) if hidden <= 1 else f"{', '.join(texts[:MOST_NAMES])} and {hidden} more"


def listed(names: Iterable[object]) -> str:
    """`some` of the names, sorted."""
    return some(sorted(map(str, names)))
