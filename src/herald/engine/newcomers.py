"""Speakers that appear, and those that are gone. When one appears held addresses are announced again.

After a partition both sides own every address. The election ends that as soon as they see each other, but the loser
falls silent without a word, and whoever believed it goes on doing so until the owner speaks up. So does the owner when
any speaker appears, for it cannot know which of them are back from a partition. The loser needs a moment to let go. One
that has just started answers for nothing, and offers no interface yet: there is no haste then.
"""

from collections.abc import Callable
from typing import Final

from herald.engine.membership import Members

LET_GO_S: Final = 0.3
"""What the other one has to let go, before the owner speaks up for the first of three times."""


class Newcomers:
    """Compares who is there with who was."""

    def __init__(
        self,
        present: Callable[[], Members],
        on_new: Callable[[bool], None],
        on_gone: Callable[[frozenset[str]], None],
    ) -> None:
        """`present` gives the nodes whose speaker is alive, with their interfaces.

        `on_new` is called when there is another one, and is told whether it may answer for anything already. `on_gone`
        is told those that are there no longer.
        """
        self._present = present
        self._on_new = on_new
        self._on_gone = on_gone
        self._known: frozenset[str] = frozenset()

    def look(self) -> None:
        """The members may be others now."""
        present = self._present()
        before, self._known = self._known, frozenset(present)
        if before - self._known:
            self._on_gone(before - self._known)
        if before and self._known - before:
            self._on_new(any(present[node] is None or present[node] for node in self._known - before))
