"""Speakers that appear, and those that are gone. When one appears held addresses are announced again.

After a partition both sides own every address. The election ends that as soon as they see each other, but the loser
falls silent without a word, and whoever believed it goes on doing so until the owner speaks up. So does the owner when
any speaker appears, for it cannot know which of them are back from a partition. The loser needs a moment to let go.
"""

from collections.abc import Callable, Iterable
from typing import Final

LET_GO_S: Final = 0.3
"""What the other one has to let go, before the owner speaks up for the first of three times."""


class Newcomers:
    """Compares who is there with who was."""

    def __init__(
        self,
        present: Callable[[], Iterable[str]],
        on_new: Callable[[], None],
        on_gone: Callable[[frozenset[str]], None],
    ) -> None:
        """`present` gives the nodes whose speaker is alive; `on_new` is called when there is another one.

        `on_gone` is told those that are there no longer.
        """
        self._present = present
        self._on_new = on_new
        self._on_gone = on_gone
        self._known: frozenset[str] = frozenset()

    def look(self) -> None:
        """The members may be others now."""
        before, self._known = self._known, frozenset(self._present())
        if before - self._known:
            self._on_gone(before - self._known)
        if before and self._known - before:
            self._on_new()
