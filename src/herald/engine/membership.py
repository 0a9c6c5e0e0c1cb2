"""Membership: which speakers are alive and where they could answer, as the engine sees it.

The seam that gossip fills as the heartbeat does now. With a node travel the names of its usable interfaces (see
`herald.engine.usable`), because every speaker must come to the same election: where an L2Advertisement names `eth1`, a
node without it is no candidate, and all must know that. For the same reason a note of control travels with it, octets
that the engine does not understand (`herald.announcement.told`).
"""

from collections.abc import Callable, Mapping
from typing import Protocol, TypeAlias

UsableNames: TypeAlias = frozenset[str] | None
"""A node's usable interfaces, in the words of `herald.net.usable_names`; None: not known, and then none is taken to be
missing."""

Members: TypeAlias = Mapping[str, UsableNames]
"""The live speakers by node name."""

Notes: TypeAlias = Mapping[str, bytes | None]
"""What the control of each live speaker tells all others; None: that speaker is not Herald's."""


class Membership(Protocol):
    """The live speakers. Whoever makes one gives it a callback for "the members or their interfaces have changed"."""

    def members(self) -> Members:
        """The nodes whose speaker is alive; this node always among them, with what was offered last."""
        ...

    def has_left(self, node: str) -> bool:
        """Whether that node has gone by its own word, and is not back. False: it died, or nothing is known of it."""
        ...

    def offer(self, interfaces: frozenset[str]) -> None:
        """Tell the others that these are the usable interfaces of this node. Before the first time nobody knows."""
        ...

    def notes(self) -> Notes:
        """The notes of the same nodes; of this node what was told last."""
        ...

    def tell(self, note: bytes) -> None:
        """Tell the others this instead of what was told before."""
        ...

    def ready(self) -> None:
        """From now on this node answers for what it is elected for.

        Before that others take it that it has no usable interface, so that nobody lets go of an address for a node that
        does not know yet what there is to answer for. Nodes that start together count each other from the first.
        """
        ...

    def away(self) -> None:
        """Until it is `ready` again nobody is to count on this node, as before it was for the first time."""
        ...

    def join(self, addresses: tuple[str, ...]) -> None:
        """Other speakers may be found at these, see `herald.engine.link.Join`; those given before count no longer."""
        ...

    async def leave(self) -> None:
        """Tell the others that this node is going, and return when they can know it. To be called once, at the end."""
        ...


class Alone:
    """The membership of a node that knows of no others."""

    def __init__(self, node: str, on_change: Callable[[], None]) -> None:
        self._node = node
        self._on_change = on_change
        self._offered: UsableNames = None
        self._note = b""

    def members(self) -> Members:
        """This node."""
        return {self._node: self._offered}

    def has_left(self, node: str) -> bool:
        """There is nobody who could."""
        return False

    def notes(self) -> Notes:
        """See `Membership.notes`."""
        return {self._node: self._note}

    def tell(self, note: bytes) -> None:
        """See `Membership.tell`."""
        if note != self._note:
            self._note = note
            self._on_change()

    def offer(self, interfaces: frozenset[str]) -> None:
        """See `Membership.offer`."""
        if interfaces != self._offered:
            self._offered = interfaces
            self._on_change()

    def ready(self) -> None:
        """There is nobody who could wait for it."""

    def away(self) -> None:
        """There is nobody who could count on it."""

    def join(self, addresses: tuple[str, ...]) -> None:
        """Alone is alone."""

    async def leave(self) -> None:
        """There is nobody to tell."""
