"""What the how-to with multiple upstream routers does and claims, chapter by chapter."""

import asyncio
import json
from collections.abc import Iterable, Mapping
from typing import Any

from herald.lab import checks, namespace
from herald.lab.process import Result
from herald.lab.proof import Check, Seen
from herald.lab.scenarios.multi_router.plan import (
    AGGREGATE,
    CRITICAL,
    HOWTO,
    NODES,
    PINNED,
    PREVIEW,
    ROUTERS,
    UPLINKS,
    URL,
)
from herald.lab.walk import Walk

LINGER = 1.5
"""Seconds for which the failover test polls on after each change has taken effect."""

FAILED_AT_MOST = 0.02
"""The share of requests that may fail while a path moves; what was measured is shown."""


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


async def pools_and_peers(walk: Walk) -> None:
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


async def advertisements(walk: Walk) -> None:
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


async def failover_test(walk: Walk) -> None:
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


async def per_node(walk: Walk) -> None:
    walk.step("Node-specific peering", "Each node with a router of its own, instead of the peers above.")
    await walk.delete(*HOWTO.objects("bgp-peers"))
    await walk.apply("node-specific-peers")
    for router, address in zip(ROUTERS, NODES.values(), strict=True):
        await walk.bgp_route(f"{router} has the route by its node alone", router, f"{CRITICAL}/32", [address])
    await _core_shares(walk, "the core shares traffic between the routers", f"{CRITICAL}/32", ROUTERS)
    await walk.shared("so all nodes are used", "remote", URL, NODES)
    words = ("router-1", "peer")
    await walk.warned("Herald misses the peers that went", "BGPAdvertisement", "development-advertisement", *words)


async def ecmp(walk: Walk) -> None:
    walk.step("ECMP load balancing", "A plain advertisement instead of the tagged ones.")
    await walk.delete(*HOWTO.objects("bgp-advertisement"))
    await walk.apply("ecmp-config")
    for router, address in zip(ROUTERS, NODES.values(), strict=True):
        await walk.bgp_route(f"{router} has the route", router, f"{CRITICAL}/32", [address])
    plain = checks.every_path("communities", _communities, "")
    await _paths(walk, "router-1", f"{CRITICAL}/32", "without a community", plain, "no community")
    await _core_shares(walk, "the core has three equal paths", f"{CRITICAL}/32", ROUTERS)
    await walk.shared("all of them are used", "remote", URL, NODES)


async def graceful(walk: Walk) -> None:
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


async def bfd(walk: Walk) -> None:
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
    for node in NODES:
        asked = walk.lab.show(node, "bfd")
        await walk.follows(f"{node} tells the same", asked, "router-1 Up, down after 900 ms", _sees_router)
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


def _sees_router(result: Result) -> Seen:
    """`herald show bfd`: the only session is that with router-1, up, with the times of the how-to's profile."""
    (session,) = json.loads(result.stdout)["data"]["sessions"]
    state, after = session["state"], session["detectionTime"]
    right = session["address"] == ROUTERS["router-1"] and (state, after) == ("Up", 900)
    return Seen(right, f"{', '.join(session['peers'])} {state}, down after {after:g} ms")


def _lost(result: Result) -> Seen:
    """The session with router-1 is down, and BFD said so."""
    (session,) = (one for one in json.loads(result.stdout)["data"] if one["neighbor"]["address"] == ROUTERS["router-1"])
    said = str(session["lastError"])
    return Seen(session["state"] != "Established" and "BFD Down" in said, f"{session['state']}, {said}")


async def filtering(walk: Walk) -> None:
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


async def prepending(walk: Walk) -> None:
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


async def pinned(walk: Walk) -> None:
    walk.step("Load balancing strategies", "externalTrafficPolicy: Local, and the service's only pod on node-1.")
    await walk.apply("ecmp-config")
    await walk.bgp_route("router-1 has it by the node with the pod", "router-1", f"{PINNED}/32", [NODES["node-1"]])
    await walk.bgp_route("and the other service by all nodes", "router-1", f"{CRITICAL}/32", NODES.values())
    await walk.served("the remote client is served by that node", "remote", f"http://{PINNED}", {"node-1"})


async def inside(walk: Walk) -> None:
    walk.step("localPref where it counts", "It is for routers inside the nodes' own AS (iBGP); here is one.")
    await walk.apply("ibgp-peer", "ibgp-advertisement")
    await walk.sessions_up("every node has a session with it", "reflector", NODES.values())
    high = checks.every_path("local preference", lambda path: path.get("locPrf"), 150)
    await _paths(walk, "reflector", f"{CRITICAL}/32", "the highest localPref wins", high, "150")
    low = checks.every_path("local preference", lambda path: path.get("locPrf"), 100)
    await _paths(walk, "reflector", f"{PINNED}/32", "others have that of their advertisement", low, "100")
