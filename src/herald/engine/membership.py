"""Membership: which speakers are alive, as the engine sees it. The seam that gossip fills as the heartbeat does now."""

from typing import Protocol


class Membership(Protocol):
    """The live speakers by node name. Whoever makes one gives it a callback for "the members have changed"."""

    def members(self) -> frozenset[str]:
        """The nodes whose speaker is alive; this node always among them."""
        ...

    async def leave(self) -> None:
        """Tell the others that this node is going, and return when they can know it. To be called once, at the end."""
        ...


class Alone:
    """The membership of a node that knows of no others."""

    def __init__(self, node: str) -> None:
        self._members = frozenset({node})

    def members(self) -> frozenset[str]:
        """This node."""
        return self._members

    async def leave(self) -> None:
        """There is nobody to tell."""
