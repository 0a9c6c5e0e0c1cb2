"""The plan: one router with ECMP between a client and three nodes, BFD at 50 ms × 3 between the router and each."""

from herald.lab.blueprint import Blueprint
from herald.lab.daemons.router import Bfd, Neighbor, Router
from herald.lab.howto import HowTo
from herald.lab.topology import Host, Route, Topology, Wire, interface

ADDRESS = "203.0.113.10"
PREFIX = f"{ADDRESS}/32"
URL = f"http://{ADDRESS}"
QUESTIONS = 7000
"""The UDP port of the service, and of the answerer on the router that no fault touches."""

NODES = {"node-1": "192.168.1.10", "node-2": "192.168.1.11", "node-3": "192.168.1.12"}
NAMES = {address: node for node, address in NODES.items()}
ROUTER, UPSTREAM, CLIENT = "192.168.1.1", "198.51.100.1", "198.51.100.100"
HOWTO = HowTo("traffic")
BFD = Bfd(interval_ms=50, multiplier=3)


def _node(name: str, address: str) -> Host:
    return Host(name, (interface("eth0", f"{address}/24", on="lan"),), (Route("default", (ROUTER,)),), forwards=True)


BLUEPRINT = Blueprint(
    Topology(
        segments=("lan",),
        hosts=(
            Host(
                "router",
                (interface("eth0", f"{ROUTER}/24", on="lan"), interface("eth1", f"{UPSTREAM}/24")),
                forwards=True,
            ),
            *(_node(name, address) for name, address in NODES.items()),
            Host("client", (interface("eth0", f"{CLIENT}/24"),), (Route("default", (UPSTREAM,)),)),
        ),
        wires=(Wire(("router", "eth1"), ("client", "eth0")),),
    ),
    segment="lan",
    nodes=tuple(NODES),
    frr=(Router("router", 64501, ROUTER, tuple(Neighbor(one, 64500, bfd=BFD) for one in NODES.values())),),
)
