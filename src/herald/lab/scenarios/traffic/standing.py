"""The lab between two faults: what is up, and how it is brought up again."""

import json
import sys
from collections.abc import Callable, Collection

from herald.lab import checks
from herald.lab.data_centre import DataCentre
from herald.lab.launch import Launch
from herald.lab.process import PROMPT, Result
from herald.lab.proof import Check, Seen
from herald.lab.scenarios.traffic.plan import NODES, PREFIX, QUESTIONS
from herald.lab.walk import Walk

YOUNG_S = 31
"""Seconds after which the end of a session is no flapping, for which Herald would give the router a rest."""


def start_echo(lab: DataCentre, host: str) -> None:
    """Start the application of the service on a host."""
    argv = (*PROMPT, sys.executable, "-m", "herald.lab.echo", "--name", host, "--port", str(QUESTIONS))
    Launch(f"echo-{host}", argv, host).start(lab.place)


async def power_on(lab: DataCentre, node: str) -> None:
    """A node that was destroyed boots."""
    await lab.plug(node)
    lab.start_web(node)
    start_echo(lab, node)
    await lab.start_speaker(node)


async def ways(walk: Walk, nodes: Collection[str], *, within: float = 30.0) -> None:
    """The router's kernel comes to share the traffic between exactly these nodes."""
    title = f"the router's kernel has a way by {len(nodes)} nodes" if nodes else "it has no way"
    command = walk.lab.on("router", "ip", "-j", "route", "show", PREFIX, shown=f"ip route show {PREFIX}")
    wanted = sorted(NODES[node] for node in nodes)
    await walk.follows(title, command, checks.listed(nodes), checks.kernel_gateways(wanted), within=within)


async def bfd_up(walk: Walk, nodes: Collection[str], *, within: float = 30.0) -> None:
    """The router sees these nodes by BFD."""
    question = walk.lab.vtysh("router", "show bfd peers json")
    wanted = {NODES[node] for node in nodes}

    def check(result: Result) -> Seen:
        up = {one["peer"] for one in json.loads(result.stdout) if one["status"] == "up"}
        return Seen(wanted <= up, f"up: {checks.listed(sorted(up))}", obvious=wanted <= up)

    await walk.follows(f"BFD is up with {checks.listed(nodes)}", question, checks.listed(nodes), check, within=within)


async def times_established(lab: DataCentre, node: str) -> int:
    """How often the session with a node came up so far."""
    told = await lab.frr["router"].ask(f"show bgp neighbors {NODES[node]} json")
    return int(told[NODES[node]]["connectionsEstablished"])


async def established_again(walk: Walk, node: str, before: int, *, within: float = 150.0) -> None:
    """The session with a node is up, and not the one of before."""
    question = walk.lab.vtysh("router", f"show bgp neighbors {NODES[node]} json")

    def newer(told: dict[str, object]) -> bool:
        return told["bgpState"] == "Established" and int(str(told["connectionsEstablished"])) > before

    check = _neighbor(NODES[node], newer)
    await walk.follows(f"{node} has a session again", question, "a new session", check, within=within)


async def settled(walk: Walk) -> None:
    """All is up, and every session is old enough that its end is no flapping."""
    await ways(walk, NODES)
    await bfd_up(walk, list(NODES))
    summary = walk.lab.vtysh("router", "show bgp summary json")

    def check(result: Result) -> Seen:
        peers = json.loads(result.stdout)["ipv4Unicast"]["peers"].values()
        youngest = min(int(peer.get("peerUptimeMsec", 0)) for peer in peers) / 1000
        return Seen(youngest > YOUNG_S, f"the youngest session is {youngest:.0f} s old")

    expected = f"sessions that are {YOUNG_S} s old"
    await walk.claim("no session is young", summary, expected, check, within=180)


def _neighbor(address: str, wanted: Callable[[dict[str, object]], bool]) -> Check:
    def check(result: Result) -> Seen:
        told = json.loads(result.stdout)[address]
        holds = wanted(told)
        return Seen(holds, f"{told['bgpState']}", obvious=holds)

    return check
