"""Ways between speakers on which gossip does not arrive: named by nodes, and told as events and in the status.

The engine finds them (`herald.swim.paths`) and logs them. Where nobody is a member it knows an address only; which node
has it, the Nodes say.
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
        self._known: dict[str, ClosedWay] = {}

    def see(self, ways: Iterable[ClosedWay]) -> None:
        """The engine sees that these are closed, and no others."""
        view, node = self._decider.view, self._decider.options.node
        present = {way.ends: way for way in named(ways, view.landscape.nodes.values() if view else ())}
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
