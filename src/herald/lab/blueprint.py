"""What a data centre consists of, before any of it exists."""

from dataclasses import dataclass, replace

from herald.lab.daemons.router import Router
from herald.lab.topology import Host, Topology


@dataclass(frozen=True, slots=True)
class Blueprint:
    """What a data centre consists of. Routers and nodes are hosts of the topology; nodes are on `segment`."""

    topology: Topology
    segment: str
    nodes: tuple[str, ...]
    frr: tuple[Router, ...] = ()
    bird: tuple[Router, ...] = ()

    @property
    def node_addresses(self) -> dict[str, str]:
        """Node → its address on the segment."""
        return {node: self.topology.host(node).address for node in self.nodes}

    def with_host(self, host: Host) -> "Blueprint":
        """The same with one more host."""
        return replace(self, topology=replace(self.topology, hosts=(*self.topology.hosts, host)))
