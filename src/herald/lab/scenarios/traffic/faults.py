"""What nobody does on purpose: requests may be lost until it is noticed, and each that is has its reason."""

import asyncio
import signal
from dataclasses import replace

from herald.lab import namespace, process
from herald.lab.data_centre import DataCentre
from herald.lab.proof import Proof
from herald.lab.scenarios.traffic import standing
from herald.lab.scenarios.traffic.measuring import Fault, measured
from herald.lab.scenarios.traffic.plan import BLUEPRINT, HOWTO, NODES
from herald.lab.walk import Walk

LOSSY_S, FROZEN_S = 20.0, 5.0
LOSS_PERCENT = 30
DAEMONS = ("zebra", "bgpd", "bfdd")

LOSSY = """\
table netdev lossy {{
  chain in {{ type filter hook ingress device eth0 priority 0; numgen random mod 100 < {percent} drop; }}
  chain out {{ type filter hook egress device eth0 priority 0; numgen random mod 100 < {percent} drop; }}
}}
"""
"""In both directions, of everything, ARP and BFD as well. (The kernel of a lab need not have netem.)"""


def others(*gone: str) -> list[str]:
    """The nodes without these."""
    return [node for node in NODES if node not in gone]


async def power_off(lab: DataCentre, proof: Proof) -> None:
    """A node without power: no farewell, no FIN."""
    walk = Walk(lab, proof, HOWTO)

    async def off(fault: Fault) -> None:
        fault.does("node-3: cable pulled, all processes killed (SIGKILL)")
        await lab.destroy("node-3")
        await standing.ways(walk, others("node-3"))

    async def on(fault: Fault) -> None:
        fault.does("node-3 has power again")
        await standing.power_on(lab, "node-3")
        await standing.ways(walk, NODES)

    walk.step("A node loses its power", "BFD at 50 ms × 3: after 150 ms without a packet its routes are gone.")
    await measured(walk, "power-off of a node", off, loses_nothing=False)
    await measured(walk, "power is back", on, loses_nothing=True)


async def link_down(lab: DataCentre, proof: Proof) -> None:
    """A node whose cable is pulled between it and the switch; the router's own port stays up."""
    walk = Walk(lab, proof, HOWTO)

    async def down(fault: Fault) -> None:
        fault.does("node-1: cable pulled at the switch")
        await namespace.unplug(lab.place, BLUEPRINT.segment, "node-1")
        await standing.ways(walk, others("node-1"))

    async def up(fault: Fault) -> None:
        fault.does("node-1: cable plugged in")
        await namespace.plug(lab.place, BLUEPRINT.segment, "node-1")
        await standing.ways(walk, NODES)

    walk.step("A node's link goes down", "The node itself lives on.")
    await standing.settled(walk)
    await measured(walk, "link down", down, loses_nothing=False)
    await measured(walk, "link up again", up, loses_nothing=True)


async def lossy(lab: DataCentre, proof: Proof) -> None:
    """A cable that loses three packets of ten, each way."""
    walk = Walk(lab, proof, HOWTO)
    inside = lab.place.namespace("node-2")

    async def lose(fault: Fault) -> None:
        fault.does(f"node-2: its link loses {LOSS_PERCENT} % each way")
        await process.must(["nft", "-f", "-"], namespace=inside, text=LOSSY.format(percent=LOSS_PERCENT))
        await asyncio.sleep(LOSSY_S)
        await process.must(["nft", "delete", "table", "netdev", "lossy"], namespace=inside)
        # Said when it is done: until then requests were lost.
        fault.does("node-2: its link is whole again")
        await standing.ways(walk, NODES, within=150)

    note = f"For {LOSSY_S:.0f} s; half of all requests by that node are lost as long as the router uses it."
    walk.step(f"A node's link loses {LOSS_PERCENT} %", note)
    await standing.settled(walk)
    await measured(walk, f"link loses {LOSS_PERCENT} % for {LOSSY_S:.0f} s", lose, loses_nothing=False)


async def router_frozen(lab: DataCentre, proof: Proof) -> None:
    """All daemons of the router stop; its kernel does not."""
    walk, router = Walk(lab, proof, HOWTO), lab.frr["router"]

    async def freeze(fault: Fault) -> None:
        fault.does(f"the router's {', '.join(DAEMONS)} freeze (SIGSTOP)")
        router.signal(lab.place, signal.SIGSTOP, *DAEMONS)
        await asyncio.sleep(FROZEN_S)
        await standing.ways(walk, NODES)

    async def thaw(fault: Fault) -> None:
        fault.does("they go on (SIGCONT)")
        router.signal(lab.place, signal.SIGCONT, *reversed(DAEMONS))
        for node in NODES:
            await standing.established_again(walk, node, established[node])
        await standing.bfd_up(walk, list(NODES))
        await standing.ways(walk, NODES)

    walk.step("The router freezes", "Its kernel forwards on; BFD and BGP of Herald notice the silence.")
    await standing.settled(walk)
    established = {node: await standing.times_established(lab, node) for node in NODES}
    try:
        await measured(walk, f"router frozen for {FROZEN_S:.0f} s", freeze, loses_nothing=True)
        await measured(walk, "router goes on", thaw, loses_nothing=False)
    finally:
        router.signal(lab.place, signal.SIGCONT, *DAEMONS)


async def router_restart(lab: DataCentre, proof: Proof) -> None:
    """The router's bgpd is killed and started again, first without and then with graceful restart of the router."""
    walk = Walk(lab, proof, HOWTO)
    walk.step("The router's bgpd is killed and started again", "Its zebra takes the routes out of the kernel.")
    await standing.settled(walk)
    await measured(walk, "router restart", _restart, loses_nothing=False)
    walk.step("The same with graceful restart of the router", "bgp graceful-restart, preserve-fw-state")
    router = lab.frr["router"]
    lab.frr["router"] = router.reconfigured(replace(router.router, graceful_restart=True))
    await _reload(walk)
    await standing.settled(walk)
    await measured(walk, "router restart, graceful", _restart, loses_nothing=False)
    lab.frr["router"] = router.reconfigured(router.router)
    await _reload(walk)


async def _reload(walk: Walk) -> None:
    """A bgpd with the configuration as it is now."""
    lab = walk.lab
    lab.frr["router"].signal(lab.place, signal.SIGTERM, "bgpd")
    while lab.place.process("router-bgpd") is not None:  # noqa: ASYNC110 - another process
        await asyncio.sleep(0.01)
    await lab.frr["router"].start_bgpd(lab.place)
    walk.did("› another bgpd")


async def _restart(fault: Fault) -> None:
    walk, lab = fault.walk, fault.walk.lab
    fault.does("bgpd is killed (SIGKILL)")
    lab.frr["router"].signal(lab.place, signal.SIGKILL, "bgpd")
    while lab.place.process("router-bgpd") is not None:  # noqa: ASYNC110 - another process
        await asyncio.sleep(0.01)
    await lab.frr["router"].start_bgpd(lab.place)
    fault.does("bgpd runs again")
    for node in NODES:
        await standing.established_again(walk, node, 0)
    await standing.ways(walk, NODES)
