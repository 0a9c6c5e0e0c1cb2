"""What an operator does on purpose: none of it may cost a request."""

import json

from herald.lab.data_centre import DataCentre
from herald.lab.process import Result
from herald.lab.proof import Check, Command, Proof, Seen
from herald.lab.scenarios.traffic import standing
from herald.lab.scenarios.traffic.measuring import Fault, measured
from herald.lab.scenarios.traffic.plan import HOWTO, NODES, PREFIX
from herald.lab.walk import Walk

DRAIN_WAIT = "1s"


async def rolling_restart(lab: DataCentre, proof: Proof) -> None:
    """Every speaker is replaced, one after the other, as a rollout of the DaemonSet does it."""
    walk = Walk(lab, proof, HOWTO)
    walk.step("Rolling restart of all speakers", "Graceful restart: the router keeps the routes meanwhile.")
    await measured(walk, "rolling restart of all speakers", _restart_all, loses_nothing=True)


async def _restart_all(fault: Fault) -> None:
    lab = fault.walk.lab
    for node in NODES:
        before = await standing.times_established(lab, node)
        fault.does(f"the speaker of {node} is replaced (SIGTERM)")
        await lab.stop_speaker(node)
        if not await lab.speakers[node].ended(15):
            raise RuntimeError(f"the speaker of {node} did not end")
        await lab.start_speaker(node)
        await standing.established_again(fault.walk, node, before)
        question = lab.vtysh("router", f"show bgp ipv4 unicast {PREFIX} json")
        await fault.walk.follows("its route is fresh again", question, "no stale path", _fresh(len(NODES)), within=30)
        await standing.bfd_up(fault.walk, [node])


def _fresh(count: int) -> Check:
    def check(result: Result) -> Seen:
        paths = json.loads(result.stdout).get("paths", [])
        stale = [path for path in paths if path.get("stale")]
        return Seen(len(paths) == count and not stale, f"{len(paths)} paths, {len(stale)} stale")

    return check


async def drain(lab: DataCentre, proof: Proof) -> None:
    """Every node is drained and put back, one after the other."""
    walk = Walk(lab, proof, HOWTO)
    walk.step("Every node is drained", "Its routes are everybody's last choice first, and gone after that.")

    async def drain_all(fault: Fault) -> None:
        for node in NODES:
            await _drain(fault, node)
            await _undo(fault, node)

    await measured(walk, "drain of each node in turn", drain_all, loses_nothing=True)


async def reboot(lab: DataCentre, proof: Proof) -> None:
    """Every node is drained, rebooted and put back, one after the other."""
    walk = Walk(lab, proof, HOWTO)
    walk.step("Every node is drained and rebooted", "A reboot is all processes killed and the cable pulled.")

    async def reboot_all(fault: Fault) -> None:
        for node in NODES:
            await _drain(fault, node)
            fault.does(f"{node} is rebooted")
            await lab.destroy(node)
            await standing.power_on(lab, node)
            await standing.bfd_up(walk, [node])
            await _undo(fault, node)

    await measured(walk, "drain and reboot of each node in turn", reboot_all, loses_nothing=True)


async def _drain(fault: Fault, node: str) -> None:
    fault.does(f"herald drain {node} --wait {DRAIN_WAIT}")
    command = _herald_drain(fault.walk.lab, node, "--wait", DRAIN_WAIT)
    await fault.walk.claim("herald says when it may be rebooted", command, "it is drained", _rebootable, within=0)


async def _undo(fault: Fault, node: str) -> None:
    fault.does(f"herald drain {node} --undo")
    command = _herald_drain(fault.walk.lab, node, "--undo")
    await fault.walk.claim("it is put back", command, "it is back in service", _in_service, within=0)
    await standing.ways(fault.walk, NODES)


def _herald_drain(lab: DataCentre, node: str, *words: str) -> Command:
    options = ("--config", str(lab.place.config), "--socket", str(lab.place.show_socket(node)))
    return lab.herald("drain", node, *words, *options, shown=" ".join(("drain", node, *words)))


def _rebootable(result: Result) -> Seen:
    return Seen(result.ok and "It may be rebooted" in result.stdout, (result.stdout or result.stderr).strip(), True)


def _in_service(result: Result) -> Seen:
    return Seen(result.ok, (result.stdout or result.stderr).strip(), obvious=True)
