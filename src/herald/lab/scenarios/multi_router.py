"""The how-to "BGP mode with multiple upstream routers": three routers of one AS, a core behind them.

    node-1 192.168.1.10 ─┐     ┌─ router-1 192.168.1.1 ─┐
    node-2 192.168.1.11 ─┼ lan ┼─ router-2 192.168.1.2 ─┼─ core ─── remote
    node-3 192.168.1.12 ─┘     ├─ router-3 192.168.1.3 ─┘ AS 64510  198.51.100.100
                               └─ reflector 192.168.1.4, in AS 64500 as the nodes

The routers are FRR in AS 64501; router-3 wants a TCP MD5 password
of 192.168.1.10, and of nobody else.
"""

import asyncio
import json
from collections.abc import Iterable, Mapping
from typing import Any

from herald.lab import checks, kubectl_checks, namespace
from herald.lab.blueprint import Blueprint
from herald.lab.client import curl
from herald.lab.daemons.router import Bfd, Neighbor, Router
from herald.lab.data_centre import DataCentre
from herald.lab.howto import HowTo
from herald.lab.process import Result
from herald.lab.proof import Check, Proof, Seen
from herald.lab.scenario import Scenario, diagram
from herald.lab.topology import Host, Route, Topology, Wire, interface
from herald.lab.walk import Walk

CRITICAL, PINNED, PREVIEW = "192.168.1.240", "192.168.1.241", "192.168.2.240"
AGGREGATE = "192.168.2.0/24"
NODES = {"node-1": "192.168.1.10", "node-2": "192.168.1.11", "node-3": "192.168.1.12"}
ROUTERS = {"router-1": "192.168.1.1", "router-2": "192.168.1.2", "router-3": "192.168.1.3"}
UPLINKS = {"router-1": "10.255.1.1", "router-2": "10.255.2.1", "router-3": "10.255.3.1"}
PASSWORD = "bgp-shared-secret"  # noqa: S105 (the how-to's)
HOWTO = HowTo("multi_router")
URL = f"http://{CRITICAL}"

LINGER = 1.5
"""Seconds for which the failover test polls on after each change has taken effect."""

FAILED_AT_MOST = 0.02
"""The share of requests that may fail while a path moves; what was measured is shown."""


Asked = tuple[str, str, str, Check]
"""What a line of the how-to is to show: the claim, the line, what is expected, the check."""

PEER_COLUMNS = "NAME:.metadata.name,ASN:.spec.myASN,PEER:.spec.peerAddress"
COLUMNS = "NAMESPACE:.metadata.namespace,NAME:.metadata.name,EXTERNAL-IP:.status.loadBalancer.ingress[0].ip"
EXTERNAL = {"critical-service": CRITICAL, "pinned-service": PINNED, "preview": PREVIEW}
MONITORING: tuple[Asked, ...] = (
    (
        "the controller's log is there",
        "kubectl logs -n metallb-system -l component=controller",
        "lines",
        checks.finds_lines,
    ),
    (
        "each peer tells how many of its sessions are up",
        "kubectl get bgppeers -n metallb-system",
        "router-1 3/3",
        kubectl_checks.column("SESSIONS", {"router-1": "3/3"}),
    ),
    (
        "the advertisements are listed",
        "kubectl get bgpadvertisements -n metallb-system",
        "those that were applied",
        kubectl_checks.names(("filtered-advertisement", "prepend-advertisement", "ecmp-advertisement")),
    ),
    (
        "and the services with their addresses",
        "kubectl get svc -A -o wide | grep LoadBalancer",
        CRITICAL,
        kubectl_checks.says(CRITICAL, PINNED, PREVIEW),
    ),
    (
        "monitoring script: BGP peers",
        f"kubectl get bgppeers -n metallb-system -o custom-columns={PEER_COLUMNS}",
        "addresses of all routers",
        kubectl_checks.column("PEER", ROUTERS),
    ),
    (
        "monitoring script: active services",
        f"kubectl get svc -A --field-selector spec.type=LoadBalancer -o custom-columns={COLUMNS}",
        "addresses of all services",
        kubectl_checks.column("EXTERNAL-IP", EXTERNAL),
    ),
    (
        "monitoring script: pools",
        'kubectl get ipaddresspools -n metallb-system -o yaml | grep -A 2 "addresses:"',
        "192.168.1.240-192.168.1.250",
        kubectl_checks.says("192.168.1.240-192.168.1.250", "192.168.2.240-192.168.2.250"),
    ),
    (
        "monitoring script: events",
        "kubectl get events -n metallb-system --sort-by='.lastTimestamp' | grep -i bgp | tail -10",
        "a session that is up",
        kubectl_checks.says("BGPSessionUp"),
    ),
)
TROUBLESHOOTING: tuple[Asked, ...] = (
    (
        "the controller's log speaks of BGP",
        'kubectl logs -n metallb-system -l component=controller | grep -i "bgp"',
        "a line",
        checks.finds_lines,
    ),
    (
        "the router is reachable from the controller",
        "kubectl exec -n metallb-system deploy/controller -- ping -c 3 192.168.1.1",
        "no packet lost",
        kubectl_checks.says("0% packet loss"),
    ),
    (
        "describe shows the peer, and how its sessions are",
        "kubectl describe bgppeer -n metallb-system router-1",
        "Sessions: 3/3",
        kubectl_checks.says("Sessions: 3/3", "Peer Address: 192.168.1.1"),
    ),
    (
        "vtysh in the controller shows all routes",
        'kubectl exec -n metallb-system deploy/controller -- vtysh -c "show ip bgp"',
        f"{CRITICAL}/32",
        kubectl_checks.says(f"{CRITICAL}/32", f"{PINNED}/32"),
    ),
    (
        "vtysh in a speaker those of its node",
        'kubectl exec -n metallb-system ds/speaker -- vtysh -c "show ip bgp"',
        f"{CRITICAL}/32",
        kubectl_checks.says(f"{CRITICAL}/32"),
    ),
    (
        "the speakers' log tells what they announce",
        'kubectl logs -n metallb-system -l component=speaker | grep "announcing"',
        "a line",
        checks.finds_lines,
    ),
)


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


def tour(lab: DataCentre) -> list[tuple[str, str]]:
    """Commands to try in a lab that stands."""
    return [
        (lab.on("remote", *curl(URL)).full, "the remote client, through the core and any of three routers"),
        (
            lab.vtysh("router-1", f"show bgp ipv4 unicast {CRITICAL}/32").full,
            "what a router was told",
        ),
        (lab.on("core", "ip", "route", "show", CRITICAL).full, "equal paths in the core's kernel"),
        (lab.showing("node-1", "bgp summary"), "the sessions of node-1"),
        (lab.showing("node-1", "bgp routes"), "what node-1 tells each router"),
    ]


async def prove(lab: DataCentre, proof: Proof) -> None:
    """Every claim of the how-to, in its order."""
    walk = Walk(lab, proof, HOWTO)
    for part in (
        _installed,
        _pools_and_peers,
        _advertisements,
        _failover_test,
        _per_node,
        _ecmp,
        _graceful,
        _bfd,
        _filtering,
        _prepending,
        _pinned,
        _inside,
        _monitoring,
        _troubleshooting,
    ):
        await part(walk)


async def _routers(walk: Walk, what: str, prefix: str, via: Iterable[str], routers: Iterable[str] = ROUTERS) -> None:
    for router in routers:
        await walk.bgp_route(f"{router} {what}", router, prefix, via)


async def _paths(walk: Walk, router: str, prefix: str, title: str, check: Check, expected: str) -> None:
    question = walk.lab.vtysh(router, f"show ip bgp {prefix} json")
    await walk.follows(title, question, expected, check)


async def _core_shares(walk: Walk, title: str, prefix: str, routers: Iterable[str]) -> None:
    await walk.kernel_route(title, "core", prefix, [UPLINKS[router] for router in routers])


def _communities(path: dict[str, Any]) -> str:
    return str((path.get("community") or {}).get("string", ""))


async def _installed(walk: Walk) -> None:
    walk.step("Installing", "Herald's own manifests; its names are MetalLB's.")
    pods = dict.fromkeys(("controller-0", *(f"speaker-{node}" for node in NODES)), "Running")
    running = kubectl_checks.column("STATUS", pods)
    await walk.asked("all pods run", "kubectl get pods -n metallb-system", "Running", running)
    kinds = ("bgppeers.metallb.io", "ipaddresspools.metallb.io", "bgpadvertisements.metallb.io")
    await walk.asked("the kinds are there", "kubectl get crd | grep metallb", "CRDs", kubectl_checks.says(*kinds))


async def _pools_and_peers(walk: Walk) -> None:
    walk.step("Configuring IP address pools")
    await walk.apply("ipaddresspool")
    walk.step("Setting up multiple BGP peers", "All from 192.168.1.10, which is node-1; router-3 with a password.")
    await walk.apply("bgp-peers")
    for router in ROUTERS:
        await walk.sessions_up(f"node-1 has a session with {router}", router, [NODES["node-1"]])
    sockets = walk.lab.on("node-1", "ss", "-Htni", "dst", ROUTERS["router-3"], shown="ss -ti dst 192.168.1.3")
    await walk.claim("that with router-3 is signed (TCP MD5)", sockets, "md5keys", checks.mentions("md5keys"))
    for router in ROUTERS:
        question = walk.lab.vtysh(router, f"show bgp neighbors {NODES['node-1']} json")
        check = checks.neighbor_timers(NODES["node-1"], 90, 30)
        await walk.claim(f"{router} negotiated the times", question, "hold 90 s, keepalive 30 s", check)
    others = dict.fromkeys([NODES["node-2"], NODES["node-3"]], "Active")
    summary = walk.lab.vtysh("router-1", "show bgp summary json")
    await walk.claim("other nodes do not have the source address", summary, "no session", checks.sessions(others))
    await walk.warned("Herald warns of it", "BGPPeer", "router-1", "sourceAddress", "192.168.1.10")


async def _advertisements(walk: Walk) -> None:
    first = [NODES["node-1"]]
    walk.step("Configuring BGP advertisements")
    await walk.apply("bgp-advertisement", "critical-service", "development-service")
    await walk.service_gets("critical-service", CRITICAL)
    await walk.service_gets("preview", PREVIEW)
    await _routers(walk, "has the host route", f"{CRITICAL}/32", first)
    await _routers(walk, "has the development pool as one /24", AGGREGATE, first, ("router-1", "router-2"))
    await walk.bgp_route("router-3, not among its peers, does not", "router-3", AGGREGATE, via=())
    await walk.bgp_route("nobody sees the address inside the aggregate", "router-1", f"{PREVIEW}/32", via=())
    tagged = checks.every_path("communities", _communities, "64500:100")
    await _paths(walk, "router-1", f"{CRITICAL}/32", "production routes are tagged", tagged, "64500:100")
    tagged = checks.every_path("communities", _communities, "64500:50")
    await _paths(walk, "router-1", AGGREGATE, "development routes too", tagged, "64500:50")
    unset = checks.every_path("local preference", lambda path: path.get("locPrf"), None)
    await _paths(
        walk, "router-1", f"{CRITICAL}/32", "localPref does not cross the AS border", unset, "no local preference"
    )
    await _core_shares(walk, "the core shares traffic between the routers", f"{CRITICAL}/32", ROUTERS)
    await walk.served("the remote client is served", "remote", URL, {"node-1"})
    await walk.served("also inside the aggregate", "remote", f"http://{PREVIEW}", {"node-1"})
    await walk.warned(
        "Herald says that localPref has no effect here", "BGPAdvertisement", "production-advertisement", "localPref"
    )
    await walk.manifests_accepted()
    attracted = ("aggregationLength", "192.168.2.0-192.168.2.239")
    await walk.warned("Herald tells what else it attracts", "BGPAdvertisement", "development-advertisement", *attracted)


async def _failover_test(walk: Walk) -> None:
    walk.step("Failover test", "router-1 is looked for at a wrong address, then at its own again.")
    poller = await walk.poll("remote", URL)
    await walk.patch_peer("router-1", "peerAddress", "192.168.1.99")
    await walk.bgp_route("router-1 has lost the route", "router-1", f"{CRITICAL}/32", via=())
    await _core_shares(walk, "the core uses the other two", f"{CRITICAL}/32", ("router-2", "router-3"))
    await walk.served("the remote client is served", "remote", URL, {"node-1"})
    await asyncio.sleep(LINGER)
    await walk.patch_peer("router-1", "peerAddress", ROUTERS["router-1"])
    await walk.sessions_up("router-1 has its session again", "router-1", [NODES["node-1"]], within=40)
    await _core_shares(walk, "the core uses all three again", f"{CRITICAL}/32", ROUTERS)
    await asyncio.sleep(LINGER)
    tally = await poller.stop()
    seen = Seen(tally.failed <= FAILED_AT_MOST * tally.requests, str(tally))
    expected = f"at most {FAILED_AT_MOST:.0%} of the requests fail"
    walk.proof.measured("the loss", poller.command, expected, seen, tally.longest_gap_ms / 1000)


async def _per_node(walk: Walk) -> None:
    walk.step("Node-specific peering", "Each node with a router of its own, instead of the peers above.")
    await walk.delete(*HOWTO.objects("bgp-peers"))
    await walk.apply("node-specific-peers")
    for router, address in zip(ROUTERS, NODES.values(), strict=True):
        await walk.bgp_route(f"{router} has the route by its node alone", router, f"{CRITICAL}/32", [address])
    await _core_shares(walk, "the core shares traffic between the routers", f"{CRITICAL}/32", ROUTERS)
    await walk.shared("so all nodes are used", "remote", URL, NODES)
    words = ("router-1", "peer")
    await walk.warned("Herald misses the peers that went", "BGPAdvertisement", "development-advertisement", *words)


async def _ecmp(walk: Walk) -> None:
    walk.step("ECMP load balancing", "A plain advertisement instead of the tagged ones.")
    await walk.delete(*HOWTO.objects("bgp-advertisement"))
    await walk.apply("ecmp-config")
    for router, address in zip(ROUTERS, NODES.values(), strict=True):
        await walk.bgp_route(f"{router} has the route", router, f"{CRITICAL}/32", [address])
    plain = checks.every_path("communities", _communities, "")
    await _paths(walk, "router-1", f"{CRITICAL}/32", "without a community", plain, "no community")
    await _core_shares(walk, "the core has three equal paths", f"{CRITICAL}/32", ROUTERS)
    await walk.shared("all of them are used", "remote", URL, NODES)


async def _graceful(walk: Walk) -> None:
    walk.step("Graceful shutdown", "With gracefulRestart and the built-in BFD profile.")
    await walk.delete(*HOWTO.objects("node-specific-peers"))
    await walk.apply("bgp-peers", "graceful-shutdown")
    await walk.sessions_up("without a source address every node meets router-1", "router-1", NODES.values())
    await walk.bgp_route("and announces by itself", "router-1", f"{CRITICAL}/32", NODES.values())
    neighbors = walk.lab.vtysh("router-1", "show bgp neighbors json")
    await walk.follows("router-1 would wait for each of them", neighbors, "graceful restart", _restarts_gracefully)


def _restarts_gracefully(result: Result) -> Seen:
    """Every node has told the router that it keeps its routes over a restart (RFC 4724)."""
    found = json.loads(result.stdout)
    told = [node for node, address in NODES.items() if _may_restart(found[address])]
    return checks.exactly(NODES, told, "graceful restart with")


def _may_restart(neighbor: Mapping[str, Any]) -> bool:
    return str(neighbor["neighborCapabilities"].get("gracefulRestart", "")).lower().endswith("received")


async def _bfd(walk: Walk) -> None:
    walk.step("BFD for fast failover", "A second BGPPeer for router-1: one session, two names.")
    await walk.apply("bfd-profile")
    await walk.sessions_up("router-1 has one session per node", "router-1", NODES.values())
    await walk.bgp_route("and its routes", "router-1", f"{CRITICAL}/32", NODES.values())
    await walk.warned("Herald tells that it is the same session", "BGPPeer", "router-1-bfd", "router-1", "same session")
    await walk.delete(HOWTO.object("bfd-profile", "router-1-bfd"))
    watched = walk.lab.vtysh("router-1", "show bfd peers json")
    await walk.follows(
        "router-1 and every node see each other by BFD", watched, f"up: {checks.listed(NODES.values())}", _up
    )
    await namespace.unplug(walk.lab.place, walk.lab.blueprint.segment, "router-1")
    walk.did("› pull the cable of router-1")
    for node in NODES:
        sessions = walk.lab.show(node, "bgp", "summary")
        await walk.follows(f"{node} ends its session, long before the hold time", sessions, "Cease/BFD Down", _lost)
    await namespace.plug(walk.lab.place, walk.lab.blueprint.segment, "router-1")
    walk.did("› plug the cable of router-1 in again")
    await walk.sessions_up("every node is back", "router-1", NODES.values(), within=30.0)
    await walk.follows("and is seen", watched, f"up: {checks.listed(NODES.values())}", _up)


def _up(result: Result) -> Seen:
    """The nodes that router-1 sees by BFD."""
    up = [one["peer"] for one in json.loads(result.stdout) if one["status"] == "up"]
    return checks.exactly(NODES.values(), up, "up:")


def _lost(result: Result) -> Seen:
    """The session with router-1 is down, and BFD said so."""
    (session,) = (one for one in json.loads(result.stdout)["data"] if one["neighbor"]["address"] == ROUTERS["router-1"])
    said = str(session["lastError"])
    return Seen(session["state"] != "Established" and "BFD Down" in said, f"{session['state']}, {said}")


async def _filtering(walk: Walk) -> None:
    every, first = list(NODES.values()), [NODES["node-1"]]
    walk.step("Route filtering", "Only Services with the label metallb-advertise=true, only to two routers.")
    await walk.apply("pinned-endpoints", "pinned-service")
    await walk.service_gets("pinned-service", PINNED)
    await walk.apply("route-filtering")
    await walk.delete(*HOWTO.objects("ecmp-config"))
    await walk.bgp_route("router-3 has no route", "router-3", f"{CRITICAL}/32", via=())
    await walk.bgp_route("router-1 has the labelled service", "router-1", f"{CRITICAL}/32", every)
    await walk.bgp_route("router-2 too", "router-2", f"{CRITICAL}/32", first)
    tagged = checks.every_path("communities", _communities, "64500:100")
    await _paths(walk, "router-1", f"{CRITICAL}/32", "with its community", tagged, "64500:100")
    await _routers(walk, "has no other", f"{PINNED}/32", via=())


async def _prepending(walk: Walk) -> None:
    first = [NODES["node-1"]]
    walk.step("AS path prepending", "router-3 learns a longer path, so that it comes last.")
    await walk.apply("as-path-prepending")
    await walk.bgp_route("router-3 has the route", "router-3", f"{CRITICAL}/32", first)
    longer = checks.every_path("AS path", lambda path: path["aspath"]["string"], "64500 64500 64500")
    await _paths(walk, "router-3", f"{CRITICAL}/32", "prepended twice", longer, "64500 64500 64500")
    plain = checks.every_path("AS path", lambda path: path["aspath"]["string"], "64500")
    await _paths(walk, "router-1", f"{CRITICAL}/32", "router-1 sees the plain path", plain, "64500")
    await _core_shares(walk, "so the core prefers the other two", f"{CRITICAL}/32", ("router-1", "router-2"))
    await walk.served("the remote client is served", "remote", URL, NODES)


async def _pinned(walk: Walk) -> None:
    walk.step("Load balancing strategies", "externalTrafficPolicy: Local, and the service's only pod on node-1.")
    await walk.apply("ecmp-config")
    await walk.bgp_route("router-1 has it by the node with the pod", "router-1", f"{PINNED}/32", [NODES["node-1"]])
    await walk.bgp_route("and the other service by all nodes", "router-1", f"{CRITICAL}/32", NODES.values())
    await walk.served("the remote client is served by that node", "remote", f"http://{PINNED}", {"node-1"})


async def _inside(walk: Walk) -> None:
    walk.step("localPref where it counts", "It is for routers inside the nodes' own AS (iBGP); here is one.")
    await walk.apply("ibgp-peer", "ibgp-advertisement")
    await walk.sessions_up("every node has a session with it", "reflector", NODES.values())
    high = checks.every_path("local preference", lambda path: path.get("locPrf"), 150)
    await _paths(walk, "reflector", f"{CRITICAL}/32", "the highest localPref wins", high, "150")
    low = checks.every_path("local preference", lambda path: path.get("locPrf"), 100)
    await _paths(walk, "reflector", f"{PINNED}/32", "others have that of their advertisement", low, "100")


async def _monitoring(walk: Walk) -> None:
    walk.step("Monitoring BGP sessions")
    for router in ROUTERS:
        summary = walk.lab.show("node-1", "bgp", "summary")
        check = checks.speaks_with(router)
        await walk.claim(f"node-1 tells of {router}", summary, f"{router} Established", check)
    await walk.logged("the speakers' log tells what is announced", "announcing")
    await walk.logged("and of sessions", "bgp session")
    for title, line, expected, check in MONITORING:
        await walk.asked(title, line, expected, check)


async def _troubleshooting(walk: Walk) -> None:
    walk.step("Troubleshooting BGP issues")
    for title, line, expected, check in TROUBLESHOOTING:
        await walk.asked(title, line, expected, check)


SCENARIO = Scenario(
    name="multi-router",
    title="BGP with multiple upstream routers",
    picture=diagram(__doc__),
    blueprint=BLUEPRINT,
    howto=HOWTO,
    first=("ipaddresspool", "bgp-peers", "bgp-advertisement", "critical-service", "development-service"),
    tour=tour,
    prove=prove,
)
