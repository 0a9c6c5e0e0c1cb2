"""Ways between speakers on which gossip does not arrive: named by nodes, and told as events and in the status.

The engine finds them (`herald.swim.paths`) and logs them. Where nobody is a member it knows an address only; which node
has it, the Nodes say. Until those have been listed nothing is told: the engine may have found it before a new control.
"""

from collections.abc import Iterable
from dataclasses import replace

from herald.cluster.node import Node
from herald.engine.link import ClosedWay
from herald.speaker import happening
from herald.speaker.decider import Decider
from herald.speaker.publisher import Publisher


class Reachability:
    """Tells `publisher` what has changed."""

    def __init__(self, decider: Decider, publisher: Publisher) -> None:
        self._decider = decider
        self._publisher = publisher
        self._seen: tuple[ClosedWay, ...] = ()
        self._known: dict[str, ClosedWay] = {}

    def see(self, ways: Iterable[ClosedWay]) -> None:
        """The engine sees that these are closed, and no others."""
        self._seen = tuple(ways)
        self.look_again()

    def look_again(self) -> None:
        """The Nodes may be others."""
        view, node = self._decider.view, self._decider.options.node
        if view is None or not (self._seen or self._known):
            return
        present = {way.ends: way for way in named(self._seen, view.landscape.nodes.values())}
        for ends in present.keys() - self._known.keys():
            self._publisher.tell(happening.unreachable(node, present[ends]))
        for ends in self._known.keys() - present.keys():
            self._publisher.tell(happening.reachable(node, self._known[ends]))
        if present != self._known:
            self._known = present
            self._publisher.reach(tuple(present[ends] for ends in sorted(present)))


def named(ways: Iterable[ClosedWay], nodes: Iterable[Node]) -> tuple[ClosedWay, ...]:
    """The same with names of nodes in place of addresses."""
    names = {one.address: node.name for node in nodes for one in node.status.addresses}
    return tuple(
        replace(way, source=names.get(way.source, way.source), target=names.get(way.target, way.target)) for way in ways
    )
