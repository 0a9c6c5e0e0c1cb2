"""What somebody may have meant: the nearest of the names that exist."""

import difflib
from collections.abc import Iterable

_SIMILAR = 0.6


def nearest(wrong: str, known: Iterable[str], similarity: float = _SIMILAR) -> str | None:
    """The known name most like `wrong`, ignoring case, or None if none is alike (0 to 1: how alike it must be)."""
    by_folded: dict[str, str] = {}
    for name in sorted(known):
        by_folded.setdefault(name.casefold(), name)
    close = difflib.get_close_matches(wrong.casefold(), by_folded, n=1, cutoff=similarity)
    return by_folded[close[0]] if close else None


def suggestion(wrong: str, known: Iterable[str]) -> str:
    """`; did you mean "x"?`, or nothing."""
    name = nearest(wrong, known)
    return f'; did you mean "{name}"?' if name is not None and name != wrong else ""
