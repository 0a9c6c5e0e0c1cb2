"""The how-to "the same service by both Layer 2 and BGP": one router, three nodes, a client on either side of it.

client 192.168.1.100 ─┐
node-1 192.168.1.10  ─┤
node-2 192.168.1.11  ─┼─ lan ─── router ─── remote 198.51.100.100
node-3 192.168.1.12  ─┘      FRR, AS 64501
                       192.168.1.1  198.51.100.1
"""

from herald.lab import checks, kubectl_checks
from herald.lab.blueprint import Blueprint
from herald.lab.client import arping, curl
from herald.lab.daemons.router import Neighbor, Router
from herald.lab.data_centre import DataCentre
from herald.lab.howto import HowTo
from herald.lab.process import must
from herald.lab.proof import Proof, Seen
from herald.lab.scenario import Scenario, diagram
from herald.lab.topology import Host, Route, Topology, Wire, interface
from herald.lab.walk import Walk

ADDRESS = "192.168.1.200"
PREFIX = f"{ADDRESS}/32"
URL = f"http://{ADDRESS}"
NODES = {"node-1": "192.168.1.10", "node-2": "192.168.1.11", "node-3": "192.168.1.12"}
ROUTER = "192.168.1.1"
HOWTO = HowTo("dual")
CLIENTS = {"client": "the local client", "remote": "the remote client"}

TAKEOVER_WITHIN = 10.0
"""Seconds within which another node has to answer after the Layer 2 leader crashed; what it took is shown."""

LOGS = "kubectl logs -n metallb-system -l component=speaker"
GREP_SESSIONS = r'grep -i "bgp\|session"'
GREP_LEADER = r'grep -i "failover\|leader\|bgp"'

CUT_BGP = """\
table inet cut_bgp {
  chain in { type filter hook input priority 0; tcp dport 179 drop; tcp sport 179 drop; }
}
"""


def _on_lan(name: str, address: str, *, forwards: bool = False) -> Host:
    return Host(name, (interface("eth0", f"{address}/24", on="lan"),), (Route("default", (ROUTER,)),), forwards)


BLUEPRINT = Blueprint(
    Topology(
        segments=("lan",),
        hosts=(
            Host(
                "router",
                (interface("eth0", f"{ROUTER}/24", on="lan"), interface("eth1", "198.51.100.1/24")),
                forwards=True,
            ),
            *(_on_lan(name, address, forwards=True) for name, address in NODES.items()),
            _on_lan("client", "192.168.1.100"),
            Host("remote", (interface("eth0", "198.51.100.100/24"),), (Route("default", ("198.51.100.1",)),)),
        ),
        wires=(Wire(("router", "eth1"), ("remote", "eth0")),),
    ),
    segment="lan",
    nodes=tuple(NODES),
    frr=(Router("router", 64501, ROUTER, tuple(Neighbor(address, 64500) for address in NODES.values())),),
)


def tour(lab: DataCentre) -> list[tuple[str, str]]:
    """Commands to try in a lab that stands."""
    return [
        (lab.on("client", *curl(URL)).full, "the local client finds the service by ARP"),
        (lab.on("remote", *curl(URL)).full, "the remote client finds it through the router"),
        (lab.on("client", *arping(ADDRESS)).full, "who has the address on the segment"),
        (lab.vtysh("router", f"show bgp ipv4 unicast {PREFIX}").full, "what the router has learned"),
        (lab.on("router", "ip", "route", "show", ADDRESS).full, "what the router's kernel does with it"),
        (lab.showing("node-1", "l2"), "the addresses that node-1 answers ARP for"),
        (lab.showing("node-1", "bgp routes"), "what node-1 tells the router"),
    ]


async def prove(lab: DataCentre, proof: Proof) -> None:
    """Every claim of the how-to, in its order."""
    walk = Walk(lab, proof, HOWTO)
    for part in (_steps, _verification, _crash, _death, _leave, _bgp_breaks, _selective, _migration):
        await part(walk)


async def _steps(walk: Walk) -> None:
    walk.step("Step 1  Configure the IP address pool")
    await walk.apply("ip-pool")
    walk.step("Step 2  Configure the BGP peer")
    await walk.apply("bgp-peer")
    await walk.sessions_up("every node has a BGP session with the router", "router", NODES.values())
    walk.step("Step 3  Create both advertisements")
    await walk.apply("dual-advertisements")
    await walk.manifests_accepted()
    line = "kubectl get ipaddresspools,bgppeers,l2advertisements,bgpadvertisements -n metallb-system"
    made = ("dual-advertise-pool", "upstream-router", "local-l2", "routed-bgp")
    await walk.asked("kubectl lists what was made", line, checks.listed(made), kubectl_checks.names(made))
    sessions = kubectl_checks.column("SESSIONS", {"upstream-router": "3/3"})
    await walk.asked("and how many sessions are up", line, "upstream-router 3/3", sessions)
    walk.step("Step 4  Create a Service")
    await walk.apply("service")
    await walk.service_gets("critical-app", ADDRESS)
    external = kubectl_checks.column("EXTERNAL-IP", {"critical-app": ADDRESS})
    await walk.asked("kubectl shows it", "kubectl get svc critical-app", f"EXTERNAL-IP {ADDRESS}", external)


async def _verification(walk: Walk) -> None:
    walk.step("Verifying both advertisements are active")
    await walk.bgp_route("the router has a route by every node", "router", PREFIX, NODES.values())
    await walk.kernel_route("its kernel shares traffic between them", "router", PREFIX, NODES.values())
    await walk.arp_owner("exactly one node answers ARP", "client", ADDRESS, NODES, count=3)
    for host, who in CLIENTS.items():
        await walk.served(f"{who} is served", host, URL, NODES)
    await walk.kernels_do_not_own("the address is not in the kernel", NODES, ADDRESS)
    walk.step("What the speakers' log says")
    await walk.logged("it tells of BGP sessions", "bgp session")
    await walk.logged("and of what is announced by whom", "announc")
    await walk.asked("as the how-to asks for it", f"{LOGS} --tail=50 | {GREP_SESSIONS}", "a line", checks.finds_lines)


async def _crash(walk: Walk) -> None:
    walk.step("The Layer 2 leader's speaker crashes", "Its node still passes on what arrives: nothing is lost.")
    leader, others = await _leader(walk)
    pollers = [await walk.poll(host, URL) for host in CLIENTS]
    await walk.lab.speakers[leader].crash()
    walk.did(f"› kill -KILL the speaker of {leader}")
    await walk.kernel_route("the router stops using its route", "router", PREFIX, others.values())
    await walk.neighbour_moves("the local client learns of the next", "client", ADDRESS, others, within=TAKEOVER_WITHIN)
    await walk.arp_owner("and it alone answers ARP", "client", ADDRESS, others)
    for poller in pollers:
        await walk.noticed_nothing(f"{CLIENTS[poller.host]} noticed nothing", poller)
    await _back_to_normal(walk, leader)


async def _death(walk: Walk) -> None:
    walk.step("The Layer 2 leader's node dies", "Its cable is pulled and its speaker killed in the same instant.")
    leader, others = await _leader(walk)
    poller = await walk.poll("client", URL)
    await walk.lab.power_off(leader)
    walk.did(f"› power off {leader}")
    await walk.neighbour_moves("the local client learns of the next", "client", ADDRESS, others, within=TAKEOVER_WITHIN)
    await walk.arp_owner("and it alone answers ARP", "client", ADDRESS, others)
    await walk.served("the local client is served by it", "client", URL, others)
    told = kubectl_checks.lines_with("leader")
    await walk.asked("the speakers' log tells of the leader", f"timeout 2 {LOGS} -f | {GREP_LEADER}", "leader", told)
    tally = await walk.polled(poller)
    gap = tally.longest_gap_ms / 1000
    failed = f", {tally.failed} requests failed" if tally.failed else ""
    fine = Seen(0 < gap < TAKEOVER_WITHIN, f"{gap:.2f} s{failed}")
    expected = f"less than {TAKEOVER_WITHIN:.0f} s"
    walk.proof.measured("the local client was without an answer", poller.command, expected, fine, gap)
    await walk.lab.plug(leader)
    walk.did(f"› plug the cable of {leader} in again")
    await _back_to_normal(walk, leader)


async def _leave(walk: Walk) -> None:
    walk.step("The Layer 2 leader's speaker is stopped for an update", "It hands over before it goes.")
    leader, others = await _leader(walk)
    pollers = [await walk.poll(host, URL) for host in CLIENTS]
    await walk.lab.stop_speaker(leader)
    walk.did(f"› kill -TERM the speaker of {leader}")
    await walk.neighbour_moves("another node takes the address over", "client", ADDRESS, others, within=TAKEOVER_WITHIN)
    await walk.arp_owner("and it alone answers ARP", "client", ADDRESS, others)
    await walk.kernel_route("the router stops using its route", "router", PREFIX, others.values())
    for poller in pollers:
        await walk.noticed_nothing(f"{CLIENTS[poller.host]} noticed nothing", poller)
    await _back_to_normal(walk, leader)


async def _leader(walk: Walk) -> tuple[str, dict[str, str]]:
    """The present leader, and the other nodes."""
    leader = await walk.arp_owner("one node leads", "client", ADDRESS, NODES)
    return leader, {name: address for name, address in NODES.items() if name != leader}


async def _back_to_normal(walk: Walk, leader: str) -> None:
    await walk.lab.start_speaker(leader)
    walk.did(f"› start the speaker of {leader}")
    await walk.arp_owner(f"{leader} leads again", "client", ADDRESS, {leader}, since=walk.changed_at)
    await walk.kernel_route("the router has all routes again", "router", PREFIX, NODES.values())


async def _bgp_breaks(walk: Walk) -> None:
    walk.step("The BGP sessions break", "The local client finds the service by ARP, and should not even notice.")
    leader, _ = await _leader(walk)
    poller = await walk.poll("client", URL)
    router = walk.lab.place.namespace("router")
    await must(["nft", "-f", "-"], namespace=router, text=CUT_BGP)
    await must(walk.lab.frr["router"].asking("clear bgp *"))
    walk.did("› the router drops TCP port 179 (nft) and resets all sessions (clear bgp *)")
    await walk.bgp_route("the router has lost its routes", "router", PREFIX, via=())
    await walk.arp_owner("the leader is the same", "client", ADDRESS, {leader})
    await walk.served("the local client is served", "client", URL, {leader})
    await walk.served("the remote one too: its router now asks by ARP", "remote", URL, {leader})
    await walk.noticed_nothing("the local client noticed nothing", poller)
    await must(["nft", "delete", "table", "inet", "cut_bgp"], namespace=router)
    walk.did("› the router lets TCP port 179 through again")
    await walk.sessions_up("the sessions come back", "router", NODES.values(), within=60)
    await walk.bgp_route("and so do the routes", "router", PREFIX, NODES.values())
    await walk.logged("the speakers' log tells of the sessions", "bgp session")


async def _selective(walk: Walk) -> None:
    walk.step("Selective node participation", "Every node for Layer 2, only the edge nodes for BGP.")
    edge = ("node-1", "node-2")
    for node in edge:
        await walk.label_node(node, "node-role", "edge")
    await walk.apply("selective-advertisements")
    await walk.delete(*HOWTO.objects("dual-advertisements"))
    await walk.bgp_route("BGP: only the edge nodes", "router", PREFIX, [NODES[node] for node in edge])
    await walk.kernel_route("the router's kernel agrees", "router", PREFIX, [NODES[node] for node in edge])
    await walk.arp_owner("Layer 2: one of all nodes, as before", "client", ADDRESS, NODES)
    for host, who in CLIENTS.items():
        await walk.served(f"{who} is served", host, URL, NODES)


async def _migration(walk: Walk) -> None:
    walk.step("Migrating from L2 to BGP, phase 1: L2 only", "The remote client polls every 10 ms until the end.")
    await walk.apply_one("dual-advertisements", "local-l2")
    await walk.delete(*HOWTO.objects("selective-advertisements"))
    await walk.bgp_route("the router has no route", "router", PREFIX, via=())
    leader = await walk.arp_owner("one node answers ARP", "client", ADDRESS, NODES)
    poller = await walk.poll("remote", URL)
    await walk.served("the remote client is served by it", "remote", URL, {leader})

    walk.step("Phase 2: BGP beside L2")
    await walk.apply_one("dual-advertisements", "routed-bgp")
    await walk.bgp_route("BGP routes appear", "router", PREFIX, NODES.values())
    await walk.kernel_route("and reach the kernel", "router", PREFIX, NODES.values())

    walk.step("Phase 3: test the BGP path")
    await walk.shared("traffic is shared by all nodes", "remote", URL, NODES)
    await walk.arp_owner("L2 stands by", "client", ADDRESS, {leader})

    walk.step("Phase 4: remove L2")
    await walk.delete(HOWTO.object("dual-advertisements", "local-l2"))
    await walk.arp_silence("nobody answers ARP any more", "client", ADDRESS)
    await walk.kernel_route("the routes stand", "router", PREFIX, NODES.values())
    await walk.served("the remote client is served", "remote", URL, NODES)
    await walk.noticed_nothing("the remote client noticed none of the four phases", poller)


SCENARIO = Scenario(
    name="dual",
    title="The same service by both Layer 2 and BGP",
    picture=diagram(__doc__),
    blueprint=BLUEPRINT,
    howto=HOWTO,
    first=("ip-pool", "bgp-peer", "dual-advertisements", "service"),
    tour=tour,
    prove=prove,
)
