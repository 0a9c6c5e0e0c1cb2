"""10,000 Services and as many EndpointSlices: created in one go, and cold starts on them; Herald and MetalLB.

Objects are put into etcd below the API, which needs 10 ms and more to create one; watches tell of them.
Each wait has an end: where not all came in time, it is said how many did, and the rates are compared instead.
"""

import json
import subprocess
import sys
import time
from dataclasses import dataclass, field

from benchmarks import kube_seed
from benchmarks.contestants import SPEAKER_PROBES
from benchmarks.figure import Figure
from benchmarks.footprint import members, memory, processor_seconds
from benchmarks.kube_ears import Ear
from benchmarks.kube_size import Size
from benchmarks.kube_stand import NODE, Contestant, Stand, standing
from herald.lab.kubernetes import bulk
from herald.lab.process import PROMPT, inside

SPEAKER_PATIENCE_S = 60.0
READY_S = 5.0
READY_WITHIN_S = 20.0


@dataclass(frozen=True, slots=True)
class Reached:
    """How many of `wanted` there were after `seconds`, which is when the last came or when the time was up."""

    wanted: int
    count: int
    seconds: float
    processor: float
    """Seconds of processor time of those that did it."""

    @property
    def each_ms(self) -> float:
        """Milliseconds for one of them."""
        return 1000 * self.seconds / max(1, self.count)


@dataclass
class Found:
    """Of one contestant. Memory: (process, MiB). `stalls`: see probe_client."""

    name: str
    addresses: Reached | None = None
    routes: Reached | None = None
    controller_start: Reached | None = None
    speaker_start: Reached | None = None
    memory: dict[str, list[tuple[str, float]]] = field(default_factory=dict)
    stalls: list[tuple[float, float, float]] = field(default_factory=list)


def run(contestant: Contestant, letter: str, size: Size, patience_s: float, *, ours: bool) -> Found:
    """All of it on a stand of its own. Only `ours` is asked for stalls."""
    found = Found(contestant.name)
    with standing(contestant, letter) as stand:
        try:
            _in_one_go(stand, found, size, patience_s)
            found.memory = {name: memory(running.pid) for name, running in stand.running.items()}
            _start_speaker(stand, found, size, ours=ours)
            _start_controller(stand, found, size, patience_s)
        except Exception:
            print(stand.last_words())
            raise
    return found


def _in_one_go(stand: Stand, found: Found, size: Size, patience_s: float) -> None:
    stand.say(f"{size.many:,} EndpointSlices")
    kube_seed.put(stand.server, "endpointslices", bulk.endpoint_slices(size.many, NODE))
    kube_seed.put(stand.server, "ipaddresses", kube_seed.cluster_ips(size.many))
    running = [stand.contestant.controller(stand).pid, stand.contestant.speaker(stand).pid]
    stand.writes.wait_calm(READY_WITHIN_S)
    used = _used(running)
    stand.say(f"{size.many:,} Services in one go")
    began = time.monotonic()
    _seed(stand, size.many, with_address=False)
    found.addresses = _reached(stand.status, size.many, began, patience_s, running, used)
    found.routes = _reached(stand.routes, found.addresses.count, began, patience_s, running, used)


def _start_speaker(stand: Stand, found: Found, size: Size, *, ours: bool) -> None:
    """All Services have an address, and no speaker ran before."""
    stand.say("all addresses, and the routes gone")
    for name in list(stand.running):
        stand.stop(name)
    _seed(stand, size.many, with_address=True)
    stand.routes.wait_at_most(0, 60)
    stand.status.wait_count(size.many, 60)
    stand.say("the speaker starts")
    began = time.monotonic()
    pid = stand.contestant.speaker(stand).pid
    probe = _probe(stand, pid) if ours else None
    found.speaker_start = _reached(stand.routes, size.many, began, SPEAKER_PATIENCE_S, [pid], 0)
    if probe is not None:
        time.sleep(READY_S)
        told, _ = probe.communicate(b"", timeout=60)
        if probe.returncode != 0:
            raise RuntimeError(f"the probe of {found.name}'s speaker ended with exit code {probe.returncode}")
        found.stalls = json.loads(told)["longest"]


def _start_controller(stand: Stand, found: Found, size: Size, patience_s: float) -> None:
    """No Service has an address, and no controller ran before."""
    stand.say("no addresses")
    for name in list(stand.running):
        stand.stop(name)
    _seed(stand, size.many, with_address=False)
    stand.status.wait_at_most(0, 60)
    stand.say("the controller starts")
    began = time.monotonic()
    pid = stand.contestant.controller(stand).pid
    found.controller_start = _reached(stand.status, size.many, began, patience_s, [pid], 0)


def _seed(stand: Stand, count: int, *, with_address: bool) -> None:
    """Put the Services there, new or over those that are there."""
    kube_seed.put(stand.server, "services/specs", kube_seed.services(count, with_address=with_address))


def _reached(ear: Ear, wanted: int, began: float, within: float, pids: list[int], used: float) -> Reached:
    count, last = ear.reached(wanted, within)
    return Reached(wanted, count, last - began, _used(pids) - used)


def _used(pids: list[int]) -> float:
    return sum(map(processor_seconds, pids))


def _probe(stand: Stand, pid: int) -> subprocess.Popen[bytes]:
    """Asks the event loop of control, a child of the speaker."""
    deadline = time.monotonic() + READY_S
    while not (found := [child for child, name in members(pid) if name == "control"]):
        if time.monotonic() > deadline:
            raise TimeoutError("the speaker has no control process")
        time.sleep(0.005)
    argv = [*PROMPT, sys.executable, "-m", "benchmarks.probe_client", str(SPEAKER_PROBES), str(found[0])]
    words = inside(stand.place.namespace(NODE), argv)
    with stand.place.log("probe").open("ab") as log:
        return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)


def figures(herald: Found, peer: Found | None) -> list[Figure]:
    """Rows of the table: ours, and those of a peer below each."""
    made = []
    for what, name in (
        ("created in one go → last address in status", "addresses"),
        ("created in one go → last route at FRR", "routes"),
        ("there, the controller starts → last address", "controller_start"),
        ("there, the speaker starts → last route", "speaker_start"),
    ):
        own: Reached = getattr(herald, name)
        made.append(_time(f"{own.wanted:,} Services {what}", own))
        if peer is not None:
            other: Reached = getattr(peer, name)
            ratio = f"Herald takes ×{own.each_ms / other.each_ms:.2f} of the time for each"
            made.append(_time(f"… {peer.name}", other, ratio))
    return made


def _time(what: str, reached: Reached, note: str = "") -> Figure:
    rate = f"{reached.count / reached.seconds:,.0f}/s" if reached.seconds > 0 else ""
    late = f"only {reached.count:,} when the time was up" if reached.count < reached.wanted else ""
    used = f"{reached.processor:.1f} s of processor time"
    return Figure(what, reached.seconds, "s", note=", ".join(filter(None, (late, rate, used, note))))
