"""The how-to "announce services to a subset of peers": two routers, each with a world of its own behind it.

                         10.0.0.1    198.51.100.1
node-1 10.0.0.10 ─┐     ┌─── internet-router ─── visitor 198.51.100.100
node-2 10.0.0.11 ─┼ lan ┤    FRR, AS 64513
node-3 10.0.0.12 ─┘     └─── internal-router ─── employee 172.16.0.100
                         10.0.0.2    172.16.0.1
                             BIRD, AS 64514
"""

from collections.abc import Collection, Mapping

from herald.lab import checks, kubectl_checks
from herald.lab.blueprint import Blueprint
from herald.lab.client import curl
from herald.lab.daemons.router import Neighbor, Router
from herald.lab.data_centre import DataCentre
from herald.lab.howto import HowTo
from herald.lab.process import Result
from herald.lab.proof import Proof, Seen
from herald.lab.scenario import Scenario, diagram
from herald.lab.topology import Host, Route, Topology, Wire, interface
from herald.lab.walk import Walk

SHOP, PAYROLL = "203.0.113.0", "10.100.0.0"
NODES = {"node-1": "10.0.0.10", "node-2": "10.0.0.11", "node-3": "10.0.0.12"}
INTERNET, INTERNAL = "10.0.0.1", "10.0.0.2"
HOWTO = HowTo("subsets")


def _router(name: str, address: str, world: str) -> Host:
    return Host(name, (interface("eth0", f"{address}/24", on="lan"), interface("eth1", world)), forwards=True)


def _client(name: str, address: str, gateway: str) -> Host:
    return Host(name, (interface("eth0", address),), (Route("default", (gateway,)),))


def _node(name: str, address: str) -> Host:
    routes = (Route("default", (INTERNET,)), Route("172.16.0.0/24", (INTERNAL,)))
    return Host(name, (interface("eth0", f"{address}/24", on="lan"),), routes, forwards=True)


BLUEPRINT = Blueprint(
    Topology(
        segments=("lan",),
        hosts=(
            _router("internet-router", INTERNET, "198.51.100.1/24"),
            _router("internal-router", INTERNAL, "172.16.0.1/24"),
            *(_node(name, address) for name, address in NODES.items()),
            _client("visitor", "198.51.100.100/24", "198.51.100.1"),
            _client("employee", "172.16.0.100/24", "172.16.0.1"),
        ),
        wires=(
            Wire(("internet-router", "eth1"), ("visitor", "eth0")),
            Wire(("internal-router", "eth1"), ("employee", "eth0")),
        ),
    ),
    segment="lan",
    nodes=tuple(NODES),
    frr=(Router("internet-router", 64513, INTERNET, tuple(Neighbor(one, 64512) for one in NODES.values())),),
    bird=(Router("internal-router", 64514, INTERNAL, tuple(Neighbor(one, 64512) for one in NODES.values())),),
)


def tour(lab: DataCentre) -> list[tuple[str, str]]:
    """Commands to try in a lab that stands."""
    return [
        (lab.on("visitor", *curl(f"http://{SHOP}")).full, "a visitor from the internet reaches the shop"),
        (lab.on("employee", *curl(f"http://{PAYROLL}")).full, "an employee reaches the payroll"),
        (lab.vtysh("internet-router", "show bgp ipv4 unicast").full, "what the internet router was told"),
        (lab.birdc("internal-router", "show route").full, "what the internal router was told"),
        (lab.showing("node-1", "bgp summary"), "the sessions of node-1"),
        (lab.showing("node-1", "bgp routes"), "what node-1 tells each router"),
    ]


async def prove(lab: DataCentre, proof: Proof) -> None:
    """Every claim of the how-to, in its order."""
    walk = Walk(lab, proof, HOWTO)
    for part in (_peers, _pools, _targeted, _both, _verify, _typo, _late_peer, _cleanup):
        await part(walk)


async def _internet_has(walk: Walk, title: str, prefixes: Collection[str]) -> None:
    question = walk.lab.vtysh("internet-router", "show bgp ipv4 unicast json")
    await walk.follows(title, question, f"exactly {checks.listed(prefixes)}", checks.prefixes(prefixes))


async def _internal_has(walk: Walk, title: str, routes: Mapping[str, Collection[str]]) -> None:
    question = walk.lab.birdc("internal-router", "show route where source = RTS_BGP")
    await walk.follows(title, question, f"exactly {checks.listed(routes)}", checks.bird_routes(routes))


async def _peers(walk: Walk) -> None:
    walk.step("Step 1  Define multiple BGP peers")
    await walk.apply("bgp-peers")
    await walk.sessions_up("the internet router has a session with every node", "internet-router", NODES.values())
    protocols = walk.lab.birdc("internal-router", "show protocols")
    check = checks.bird_sessions(len(NODES))
    await walk.follows("the internal router (BIRD) too", protocols, "3 protocols Established", check)


async def _pools(walk: Walk) -> None:
    walk.step("Step 2  Create separate IP address pools")
    await walk.apply("ip-pools", "services")
    await walk.service_gets("shop", SHOP)
    await walk.service_gets("payroll", PAYROLL)


async def _targeted(walk: Walk) -> None:
    every = list(NODES.values())
    walk.step("Step 3  Create targeted BGP advertisements")
    await walk.apply("bgp-advertisements")
    await _internet_has(walk, "the internet router has the public route alone", [f"{SHOP}/32"])
    await walk.bgp_route("by every node", "internet-router", f"{SHOP}/32", every)
    await _internal_has(walk, "the internal router has the internal route alone", {f"{PAYROLL}/32": every})
    await walk.kernel_route("its kernel shares traffic between the nodes", "internal-router", f"{PAYROLL}/32", every)
    await walk.served("a visitor reaches the shop", "visitor", f"http://{SHOP}", NODES)
    await walk.not_served("but not the payroll", "visitor", f"http://{PAYROLL}")
    await walk.served("an employee reaches the payroll", "employee", f"http://{PAYROLL}", NODES)
    await walk.not_served("but not the shop, as long as nobody tells the router", "employee", f"http://{SHOP}")
    await walk.manifests_accepted()


async def _both(walk: Walk) -> None:
    every = list(NODES.values())
    walk.step("Step 4  Announcing to multiple peers")
    await walk.apply("bgp-advert-multi-peer")
    both = {f"{PAYROLL}/32": every, f"{SHOP}/32": every}
    await _internal_has(walk, "the internal router has the public route as well", both)
    await _internet_has(walk, "the internet router has what it had", [f"{SHOP}/32"])
    await walk.served("an employee reaches the shop", "employee", f"http://{SHOP}", NODES)


async def _verify(walk: Walk) -> None:
    walk.step("Step 5  Verify peer-specific announcements")
    line = "kubectl describe bgpadvertisement public-advert -n metallb-system"
    await walk.asked(
        "the advertisement names its peer", line, "internet-router", kubectl_checks.says("internet-router")
    )
    await walk.logged("the speakers' log tells which address is announced", "announce")
    line = 'kubectl logs -n metallb-system -l component=speaker --all-containers | grep "announce"'
    await walk.asked("also as the how-to asks", line, f"{SHOP}", kubectl_checks.lines_with(SHOP))
    sessions = kubectl_checks.column("SESSIONS", {"internet-router": "3/3", "internal-router": "3/3"})
    line = "kubectl get bgppeer -n metallb-system"
    await walk.asked("both peers have all their sessions", line, "3/3 and 3/3", sessions)
    for peer in ("internet-router", "internal-router"):
        summary = walk.lab.show("node-1", "bgp", "summary")
        check = checks.speaks_with(peer)
        await walk.claim(f"node-1 tells of its session with {peer}", summary, f"{peer} Established", check)


async def _typo(walk: Walk) -> None:
    walk.step("A mistake: a wrong peer name", "MetalLB says nothing; Herald names the peer that was meant.")
    await walk.apply("typo")
    words = ("internal-routr", "internal-router")
    await _internal_has(walk, "its route is announced to nobody", {f"{SHOP}/32": NODES.values()})
    await _internet_has(walk, "and everything else stays as it was", [f"{SHOP}/32"])
    walk.heard("kubectl warned of it when it was applied", "HL004", "internal-router")
    await walk.warned("the advertisement is warned of", "BGPAdvertisement", "internal-advert", *words)
    await walk.apply_one("bgp-advertisements", "internal-advert")
    both = {f"{PAYROLL}/32": NODES.values(), f"{SHOP}/32": NODES.values()}
    await _internal_has(walk, "put right, it is back", both)


async def _late_peer(walk: Walk) -> None:
    walk.step("A mistake: a peer added later", "Every advertisement names its peers, so the new one gets nothing.")
    await walk.apply("late-peer")
    await walk.warned("the peer is warned of", "BGPPeer", "backup-router", "BGPAdvertisement", "no route")
    await walk.delete(*HOWTO.objects("late-peer"))


async def _cleanup(walk: Walk) -> None:
    walk.step("Cleaning up")
    for file in ("bgp-advertisements", "bgp-advert-multi-peer"):
        await walk.delete(*HOWTO.objects(file))
    await _internet_has(walk, "the internet router has no route left", [])
    await _internal_has(walk, "the internal router neither", {})
    await walk.delete(*HOWTO.objects("bgp-peers"))
    gone = checks.sessions(dict.fromkeys(NODES.values(), "Active"))
    summary = walk.lab.vtysh("internet-router", "show bgp summary json")
    await walk.follows("the sessions have ended", summary, "no session Established", gone)
    await walk.delete(*HOWTO.objects("ip-pools"))
    walk.heard("kubectl warned who loses an address", SHOP)
    line = "kubectl get ipaddresspools,bgppeers,bgpadvertisements -n metallb-system"
    await walk.asked("nothing is left", line, "No resources found", _nothing)


def _nothing(result: Result) -> Seen:
    left = result.stdout.strip()
    return Seen(result.ok and not left, left or "nothing", obvious=not left)


SCENARIO = Scenario(
    name="subsets",
    title="Services announced to a subset of BGP peers",
    picture=diagram(__doc__),
    blueprint=BLUEPRINT,
    howto=HOWTO,
    first=("bgp-peers", "ip-pools", "services", "bgp-advertisements"),
    tour=tour,
    prove=prove,
)
