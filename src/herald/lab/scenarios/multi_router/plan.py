"""The plan of the how-to with multiple upstream routers: names, addresses, wires and what the routers are told."""

from herald.lab.blueprint import Blueprint
from herald.lab.daemons.router import Bfd, Neighbor, Router
from herald.lab.howto import HowTo
from herald.lab.topology import Host, Route, Topology, Wire, interface

CRITICAL, PINNED, PREVIEW = "192.168.1.240", "192.168.1.241", "192.168.2.240"
AGGREGATE = "192.168.2.0/24"
NODES = {"node-1": "192.168.1.10", "node-2": "192.168.1.11", "node-3": "192.168.1.12"}
ROUTERS = {"router-1": "192.168.1.1", "router-2": "192.168.1.2", "router-3": "192.168.1.3"}
UPLINKS = {"router-1": "10.255.1.1", "router-2": "10.255.2.1", "router-3": "10.255.3.1"}
PASSWORD = "bgp-shared-secret"  # noqa: S105 (the how-to's)
HOWTO = HowTo("multi_router")
URL = f"http://{CRITICAL}"


def _core_end(router: str) -> str:
    return UPLINKS[router].removesuffix("1") + "2"


def _router(name: str) -> Host:
    ports = (interface("eth0", f"{ROUTERS[name]}/24", on="lan"), interface("eth1", f"{UPLINKS[name]}/30"))
    return Host(name, ports, (Route("198.51.100.0/24", (_core_end(name),)),), forwards=True)


def _core() -> Host:
    links = (interface(f"eth{number}", f"{_core_end(name)}/30") for number, name in enumerate(UPLINKS, 1))
    return Host("core", (interface("eth0", "198.51.100.1/24"), *links), forwards=True)


def _bgp(name: str) -> Router:
    password = PASSWORD if name == "router-3" else None
    bfd = Bfd() if name == "router-1" else None
    nodes = (Neighbor(one, 64500, password if one == NODES["node-1"] else None, bfd=bfd) for one in NODES.values())
    return Router(name, 64501, ROUTERS[name], (*nodes, Neighbor(_core_end(name), 64510)))


BLUEPRINT = Blueprint(
    Topology(
        segments=("lan",),
        hosts=(
            *(_router(name) for name in ROUTERS),
            Host("reflector", (interface("eth0", "192.168.1.4/24", on="lan"),), forwards=True),
            _core(),
            *(
                Host(
                    name,
                    (interface("eth0", f"{address}/24", on="lan"),),
                    (Route("default", tuple(ROUTERS.values())),),
                    forwards=True,
                )
                for name, address in NODES.items()
            ),
            Host("remote", (interface("eth0", "198.51.100.100/24"),), (Route("default", ("198.51.100.1",)),)),
        ),
        wires=(
            Wire(("core", "eth0"), ("remote", "eth0")),
            *(Wire((name, "eth1"), ("core", f"eth{number}")) for number, name in enumerate(UPLINKS, 1)),
        ),
    ),
    segment="lan",
    nodes=tuple(NODES),
    frr=(
        *(_bgp(name) for name in ROUTERS),
        Router("core", 64510, "198.51.100.1", tuple(Neighbor(one, 64501, passive=False) for one in UPLINKS.values())),
        Router("reflector", 64500, "192.168.1.4", tuple(Neighbor(one, 64500) for one in NODES.values())),
    ),
)
