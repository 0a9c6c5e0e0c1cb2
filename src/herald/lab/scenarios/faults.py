"""What a cluster goes through: the API server dies and a node with it, etcd restarts, a Secret comes late.

client 192.168.1.100 ─┐
node-1 192.168.1.10  ─┤
node-2 192.168.1.11  ─┼─ lan ─┬─ router ─── remote 198.51.100.100
node-3 192.168.1.12  ─┘       │  FRR, AS 64501, with a password
                              │  192.168.1.1  198.51.100.1
                              └─ control-plane 192.168.1.5
                                 kube-apiserver, etcd, controller
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from herald.lab import checks, kubectl_checks
from herald.lab.arp_listener import READY
from herald.lab.client import Poller, curl
from herald.lab.daemons.router import Neighbor, Router
from herald.lab.data_centre import DataCentre
from herald.lab.howto import HowTo
from herald.lab.kubernetes_platform import KubernetesPlatform
from herald.lab.launch import Launch
from herald.lab.process import Result
from herald.lab.proof import Check, Command, Proof, Seen
from herald.lab.scenario import Scenario, diagram
from herald.lab.scenarios import dual
from herald.lab.walk import Walk

OUTAGE_S = float(os.environ.get("HERALD_LAB_OUTAGE", "60"))
"""Seconds for which the API server is away."""

QUIET_S = 5.0
"""Seconds for which nothing may happen after the API is back."""

SILENCE_S = 2.5
"""Who takes an address says so seven times, at most 1.1 s apart; after a pause of this length it has said all."""

ADDRESS, SECOND, THIRD = "192.168.1.200", "192.168.1.201", "192.168.1.202"
PREFIX = f"{ADDRESS}/32"
URL = f"http://{ADDRESS}"
NODES = dual.NODES
PASSWORD = "bgp-shared-secret"  # noqa: S105 (that of the manifests)
HOWTO = HowTo("faults")
NEIGHBORS = tuple(Neighbor(address, 64500, PASSWORD) for address in NODES.values())
BLUEPRINT = replace(dual.BLUEPRINT, frr=(Router("router", 64501, dual.ROUTER, NEIGHBORS),))
CLIENTS = ("client", "remote")
POLL_MS = 20.0


@dataclass(slots=True)
class Wire:
    """What has come over the wire so far: per node how many sessions and UPDATEs the router saw, and ARP to all."""

    lab: DataCentre
    updates: Mapping[str, tuple[int, int]]
    announcements: int

    @classmethod
    async def now(cls, lab: DataCentre) -> "Wire":
        """As of now."""
        self = cls(lab, {}, 0)
        await self.read_again()
        return self

    async def read_again(self) -> None:
        """What has happened is known; what happens from now on is news."""
        told = json.dumps(await self.lab.frr["router"].ask("show bgp neighbors json"))
        self.updates, self.announcements = _updates(told), _heard(self.lab)

    @property
    def question(self) -> Command:
        """Asks the router."""
        return self.lab.vtysh("router", "show bgp neighbors json")

    def unchanged(self, nodes: Collection[str]) -> Check:
        """No UPDATE and no new session from these nodes, and no ARP announcement from anybody."""

        def check(result: Result) -> Seen:
            found = _updates(result.stdout)
            changed = [node for node in nodes if found[NODES[node]] != self.updates[NODES[node]]]
            arp = _heard(self.lab) - self.announcements
            if changed or arp:
                return Seen(False, f"news from {checks.listed(changed)}; {arp} ARP announcements")
            return Seen(True, f"0 UPDATEs from {checks.listed(nodes)}, 0 ARP announcements")

        return check


def _updates(text: str) -> dict[str, tuple[int, int]]:
    """`show bgp neighbors json`: per neighbour, sessions that were established and UPDATEs received."""
    return {
        address: (int(one["connectionsEstablished"]), int(one["messageStats"]["updatesRecv"]))
        for address, one in json.loads(text).items()
        if isinstance(one, dict) and "messageStats" in one
    }


def _silent(result: Result) -> Seen:
    """`stat` says that the listener's log was written to some time ago."""
    silence = time.time() - float(result.stdout)
    return Seen(silence > SILENCE_S, f"silence for {silence:.1f} s")


def _heard(lab: DataCentre) -> int:
    """How many ARP announcements of the address the client has heard."""
    return len(lab.place.log("arp-listener").read_text().splitlines()) - 1


async def prove(lab: DataCentre, proof: Proof) -> None:
    """Every fault, and what must not come of it."""
    walk = Walk(lab, proof, HOWTO)
    await _late_secret(walk)
    await _deleted_while_opening(walk)
    wire = await _listen(lab)
    leader, polling = await _outage(walk, wire)
    await _back(walk, wire, leader, polling)
    await _etcd(walk, wire, leader)


def _platform(walk: Walk) -> KubernetesPlatform:
    assert isinstance(walk.lab.platform, KubernetesPlatform)
    return walk.lab.platform


async def _listen(lab: DataCentre) -> Wire:
    argv = (sys.executable, "-m", "herald.lab.arp_listener", ADDRESS)
    Launch("arp-listener", argv, "client").start(lab.place)
    async with asyncio.timeout(20):
        while READY not in lab.place.log("arp-listener").read_text():  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.02)
    return await Wire.now(lab)


async def _late_secret(walk: Walk) -> None:
    walk.step("A Secret that appears late", "The peer's password is in a Secret that is not there yet.")
    await walk.apply("setup", "bgp-peer")
    await walk.logged("the speakers' log says what is missing", "no Secret .*router-password")
    await walk.service_gets("shop", ADDRESS)
    await asyncio.sleep(1.0)
    down = checks.sessions(dict.fromkeys(NODES.values(), "Active"))
    summary = walk.lab.vtysh("router", "show bgp summary json")
    await walk.claim("no session without the password", summary, "no session", down)
    await walk.apply("bgp-password")
    await walk.sessions_up("with it every session comes up", "router", NODES.values(), within=30)
    await walk.bgp_route("and the route is there", "router", PREFIX, NODES.values())
    up = kubectl_checks.column("SESSIONS", {"router": "3/3"})
    await walk.asked("kubectl says so", "kubectl get bgppeers -n metallb-system", "3/3", up, follows=True)


async def _deleted_while_opening(walk: Walk) -> None:
    walk.step("A BGPPeer deleted while its sessions are opening", "The other side accepts and never says a word.")
    argv = (sys.executable, "-m", "herald.lab.silent_listener", "179")
    Launch("silent-listener", argv, "client").start(walk.lab.place)
    wire = _updates(json.dumps(await walk.lab.frr["router"].ask("show bgp neighbors json")))
    await walk.apply("silent-peer")
    connections = walk.lab.on("client", "ss", "-Htn", "state", "established", "sport", "=", ":179")
    await walk.follows("every node has connected and waits", connections, "3 connections", _connections(len(NODES)))
    await walk.delete(*HOWTO.objects("silent-peer"))
    gone = walk.lab.on("client", "ss", "-Htn", "state", "established", "sport", "=", ":179")
    await walk.follows("all connections are closed", gone, "0 connections", _connections(0))
    for node in NODES:
        summary = walk.lab.show(node, "bgp", "summary")
        await walk.follows(f"{node} has forgotten the peer", summary, "no session silent", _forgotten("silent"))
    neighbors = walk.lab.vtysh("router", "show bgp neighbors json")
    await walk.claim("the other sessions did not notice", neighbors, "0 UPDATEs", _same_updates(wire))


async def _outage(walk: Walk, wire: Wire) -> tuple[str, list[Poller]]:
    """The leader that was killed, and the pollers that go on."""
    walk.step(f"The API server is dead for {OUTAGE_S:.0f} s", "And a node dies meanwhile.")
    leader = await walk.arp_owner("one node leads", "client", ADDRESS, NODES)
    others = {name: address for name, address in NODES.items() if name != leader}
    pollers = [await _poll(walk, host) for host in CLIENTS]
    await _all_announced(walk, wire)
    await _platform(walk).kill_api()
    died = time.monotonic()
    walk.did("› kill -KILL kube-apiserver")
    await asyncio.sleep(OUTAGE_S / 3)
    await _nothing_happened(walk, wire, NODES, "nothing changes on the wire")
    for poller in pollers:
        await walk.noticed_nothing(f"the {poller.host} noticed nothing", poller)
    before = await _poll(walk, "client")
    await walk.lab.destroy(leader)
    walk.did(f"› {leader}: cable pulled, all its processes killed (SIGKILL)")
    await walk.neighbour_moves("by gossip another takes over", "client", ADDRESS, others, within=dual.TAKEOVER_WITHIN)
    await walk.arp_owner("and it alone answers ARP", "client", ADDRESS, others)
    await walk.served("the local client is served", "client", URL, others)
    await _gap(walk, before)
    await walk.bgp_route("the router drops the dead node, by hold time", "router", PREFIX, others.values(), within=20)
    await walk.served("the remote client is served", "remote", URL, others)
    await _all_announced(walk, wire)
    polling = [await _poll(walk, host) for host in CLIENTS]
    await asyncio.sleep(max(0.0, died + OUTAGE_S - time.monotonic()))
    return leader, polling


async def _back(walk: Walk, wire: Wire, leader: str, polling: list[Poller]) -> None:
    survivors = {name: address for name, address in NODES.items() if name != leader}
    walk.step("The API server is back", "Everybody lists and watches again; nobody announces anything again.")
    await _platform(walk).start_api()
    walk.did("› start kube-apiserver")
    await asyncio.sleep(QUIET_S)
    await _nothing_happened(walk, wire, survivors, "nothing was withdrawn or announced again")
    for poller in polling:
        await walk.noticed_nothing(f"the {poller.host} noticed nothing", poller)
    await walk.apply("second-service")
    await walk.service_gets("second", SECOND)
    await walk.bgp_route("a new Service is announced", "router", f"{SECOND}/32", survivors.values())
    # A Service more is an UPDATE more, and nothing else.
    await wire.read_again()


async def _etcd(walk: Walk, wire: Wire, leader: str) -> None:
    survivors = {name: address for name, address in NODES.items() if name != leader}
    walk.step("etcd is killed and started again")
    polling = [await _poll(walk, host) for host in CLIENTS]
    await _platform(walk).restart_etcd()
    walk.did("› kill -KILL etcd, and start it")
    await asyncio.sleep(QUIET_S)
    await _nothing_happened(walk, wire, survivors, "nothing changes on the wire")
    for poller in polling:
        await walk.noticed_nothing(f"the {poller.host} noticed nothing", poller)
    await walk.apply("third-service")
    await walk.service_gets("third", THIRD)
    await walk.bgp_route("a new Service is announced", "router", f"{THIRD}/32", survivors.values())


async def _poll(walk: Walk, host: str) -> Poller:
    return await Poller.start(walk.lab.place, host, URL, every_ms=POLL_MS)


async def _all_announced(walk: Walk, wire: Wire) -> None:
    """The announcements of a change are over; what comes from now on has no reason."""
    log = str(walk.lab.place.log("arp-listener"))
    command = Command(("stat", "--format=%.3Y", log), f"client$ herald.lab.arp_listener {ADDRESS}")
    await walk.claim("announced long enough", command, f"silence for {SILENCE_S} s", _silent)
    await wire.read_again()


async def _nothing_happened(walk: Walk, wire: Wire, nodes: Collection[str], title: str) -> None:
    expected = "the counts of before"
    await walk.claim(title, wire.question, expected, wire.unchanged(nodes), within=0)


async def _gap(walk: Walk, poller: Poller) -> None:
    tally = await walk.polled(poller)
    gap = tally.longest_gap_ms / 1000
    fine = Seen(0 < gap < dual.TAKEOVER_WITHIN, f"{gap:.2f} s, {tally.failed} of {tally.requests} requests failed")
    expected = f"less than {dual.TAKEOVER_WITHIN:.0f} s"
    walk.proof.measured("the local client was without an answer", poller.command, expected, fine, gap)


def _connections(count: int) -> Check:
    def check(result: Result) -> Seen:
        found = len(result.stdout.splitlines())
        return Seen(result.ok and found == count, f"{found} connections")

    return check


def _forgotten(peer: str) -> Check:
    def check(result: Result) -> Seen:
        document = json.loads(result.stdout)
        sessions = document["data"] if isinstance(document, dict) else document
        names = [str(one["peer"]) for one in sessions]
        return Seen(peer not in names, f"sessions with {checks.listed(names)}")

    return check


def _same_updates(before: Mapping[str, tuple[int, int]]) -> Check:
    def check(result: Result) -> Seen:
        found = _updates(result.stdout)
        changed = [address for address in before if found.get(address) != before[address]]
        return Seen(not changed, f"news from {checks.listed(changed)}" if changed else "0 UPDATEs, no new session")

    return check


def tour(lab: DataCentre) -> list[tuple[str, str]]:
    """Commands to try in a lab that stands."""
    return [(lab.on("client", *curl(URL)).full, "the local client finds the service by ARP")]


SCENARIO = Scenario(
    name="faults",
    title="What a cluster goes through, and what nobody notices",
    picture=diagram(__doc__),
    blueprint=BLUEPRINT,
    howto=HOWTO,
    first=("bgp-password", "bgp-peer", "setup"),
    tour=tour,
    prove=prove,
    needs_kubernetes=True,
)
