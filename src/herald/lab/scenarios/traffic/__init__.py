"""A thousand requests a second through a router with ECMP, and what goes wrong meanwhile.

node-1 192.168.1.10 ─┐
node-2 192.168.1.11 ─┼─ lan ─── router ─── client 198.51.100.100
node-3 192.168.1.12 ─┘      FRR, AS 64501
                       192.168.1.1  198.51.100.1

Each node answers for 203.0.113.10, over UDP and TCP, and keeps BGP and BFD (50 ms × 3) with the router.
"""

from herald.lab.client import curl
from herald.lab.data_centre import DataCentre
from herald.lab.launch import Launch
from herald.lab.proof import Proof
from herald.lab.scenario import Part, Scenario, diagram
from herald.lab.scenarios.traffic import faults, standing, upkeep
from herald.lab.scenarios.traffic.page import page
from herald.lab.scenarios.traffic.plan import ADDRESS, BLUEPRINT, HOWTO, NODES, PREFIX, URL
from herald.lab.walk import Walk


def tour(lab: DataCentre) -> list[tuple[str, str]]:
    """Commands to try in a lab that stands."""
    return [
        (lab.on("client", *curl(URL)).full, "the client is served by one of three nodes"),
        (lab.on("router", "ip", "route", "show", ADDRESS).full, "equal paths in the router's kernel"),
        (lab.vtysh("router", "show bfd peers brief").full, "who the router watches over"),
        (lab.showing("node-1", "bfd"), "the same seen by node-1"),
    ]


async def prove(lab: DataCentre, proof: Proof) -> None:
    """The service stands on three nodes."""
    walk = Walk(lab, proof, HOWTO)
    Launch("monitor", ("ip", "-ts", "-o", "monitor", "route"), "router").start(lab.place)
    for host in (*NODES, "router"):
        standing.start_echo(lab, host)
    walk.step("A service on three nodes")
    await walk.apply("bfd-profile", "bgp-peer", "ip-pool", "bgp-advertisement", "service")
    await walk.manifests_accepted()
    await walk.service_gets("shop", ADDRESS)
    await walk.sessions_up("every node has a BGP session with the router", "router", NODES.values())
    await standing.bfd_up(walk, list(NODES))
    await walk.kernel_route("its kernel shares traffic between them", "router", PREFIX, NODES.values())
    await walk.shared("a client's connections spread over them", "client", URL, list(NODES))


SCENARIO = Scenario(
    name="traffic",
    title="1,000 requests a second, and what goes wrong meanwhile",
    picture=diagram(__doc__),
    blueprint=BLUEPRINT,
    howto=HOWTO,
    first=("bfd-profile", "bgp-peer", "ip-pool", "bgp-advertisement", "service"),
    tour=tour,
    prove=prove,
    needs_folder=True,
    parts=(
        Part("rolling-restart", upkeep.rolling_restart),
        Part("drain", upkeep.drain),
        Part("reboot", upkeep.reboot),
        Part("power-off", faults.power_off),
        Part("link-down", faults.link_down),
        Part("lossy", faults.lossy),
        Part("router-frozen", faults.router_frozen),
        Part("router-restart", faults.router_restart),
    ),
    page=page,
)
