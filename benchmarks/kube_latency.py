"""From a Service or an endpoint in the API to the address, the route and the ARP answer; Herald and MetalLB.

The clock begins when the request leaves for the API server, so that what the API server itself needs to take it counts
as well. Other Services stand there. With unrest, 50 changes per second are made to these and to their EndpointSlices.
Services that are made stay, since MetalLB writes all others anew when one is deleted.

Of the time to a route 50 ms are FRR's: its BGP daemon keeps what it receives for that long. Under unrest MetalLB
writes a status for each change of a Service, as the API server adds `ipMode` to what MetalLB compares with; its
client may send 20 requests a second, so the queue becomes longer as long as there is unrest.
"""

import random
import time
from collections import Counter
from dataclasses import dataclass, field

from benchmarks import kube_changes
from benchmarks.figure import Figure, beside
from benchmarks.footprint import memory, processor_seconds
from benchmarks.kube_changes import connected, unrest
from benchmarks.kube_size import Size
from benchmarks.kube_stand import Contestant, Stand, standing

UNREST = 50.0
BUDGET_MS = 100.0
SETTLING_S = 60.0
LAST_UNREST_S = 1.0
PATIENCE_S = 60.0
FEWEST = 5
"""Services that are made in a round, however long it takes."""


@dataclass
class Round:
    """Milliseconds of each Service or endpoint, and the changes per second meanwhile."""

    create: list[float] = field(default_factory=list)
    address: list[float] = field(default_factory=list)
    route: list[float] = field(default_factory=list)
    answer: list[float] = field(default_factory=list)
    ready: list[float] = field(default_factory=list)
    rate: float = 0.0
    writes: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    """Of the contestant, and in how long."""


@dataclass
class Found:
    """Of one contestant. Memory: (process, MiB) of the controller and of the speaker."""

    name: str
    idle: Round = field(default_factory=Round)
    busy: Round = field(default_factory=Round)
    memory: dict[str, list[tuple[str, float]]] = field(default_factory=dict)
    writes: Counter[str] = field(default_factory=Counter)
    processor: dict[str, float] = field(default_factory=dict)
    """Seconds of processor time. Both: in `quiet_s` without any change."""


def run(contestant: Contestant, letter: str, size: Size) -> Found:
    """All of it on a stand of its own."""
    found = Found(contestant.name)
    with standing(contestant, letter) as stand:
        try:
            names = _populate(stand, size)
            _rest(stand, found, size)
            _measure(stand, found.idle, names, 0, size)
            _measure(stand, found.busy, names, UNREST, size)
        except Exception:
            print(stand.last_words())
            raise
    return found


def figures(herald: Found, peer: Found | None) -> list[Figure]:
    """Rows of the table: ours, and those of a peer below each."""
    made = []
    for own, other, words in (
        (herald.idle, None if peer is None else peer.idle, "idle"),
        (herald.busy, None if peer is None else peer.busy, f"{herald.busy.rate:.0f} changes/s"),
    ):
        label = _label(peer, other)
        for what, name, budget in (
            ("Service created → address in status", "address", BUDGET_MS),
            ("Service created → route at FRR", "route", None),
            ("Service created → first ARP answer", "answer", None),
            ("endpoint ready → route at FRR", "ready", BUDGET_MS),
        ):
            theirs: list[float] | None = getattr(other, name) if other else None
            made += beside(f"{what}, {words}", getattr(own, name), label, theirs, "ms", budget)
        made += beside(
            f"of this the API server's answer, {words}",
            own.create,
            label,
            None if other is None else other.create,
            "ms",
        )
        made += [_written(f"API writes meanwhile, {words}", own), *([_written(f"… {label}", other)] if other else [])]
    return made


def _label(peer: Found | None, other: Round | None) -> str:
    name = peer.name if peer else ""
    return f"{name}, {other.rate:.0f} changes/s" if other and other.rate else name


def _written(what: str, during: Round) -> Figure:
    most = ", ".join(f"{count} × {kind}" for kind, count in during.writes.most_common(4))
    return Figure(what, during.writes.total() / during.seconds, "a second", note=most)


def _populate(stand: Stand, size: Size) -> list[str]:
    """The Services that stand there, with addresses and routes, and nothing is left to be done."""
    stand.say(f"makes {size.standing} Services")
    names = [f"standing-{number}" for number in range(size.standing)]
    stand.contestant.controller(stand)
    stand.contestant.speaker(stand)
    with connected(stand.client) as connection:
        for name in names:
            kube_changes.create_slice(connection, name)
            kube_changes.create_service(connection, name)
    stand.status.wait_count(size.standing, 60)
    stand.routes.wait_count(size.standing, 60)
    stand.writes.wait_calm(SETTLING_S)
    return names


def _rest(stand: Stand, found: Found, size: Size) -> None:
    """Look on while nothing changes."""
    stand.say("nothing changes")
    running = {name: process.pid for name, process in stand.running.items()}
    found.memory = {name: memory(pid) for name, pid in running.items()}
    writes = stand.writes
    writes.fresh()
    used = {name: processor_seconds(pid) for name, pid in running.items()}
    time.sleep(size.quiet_s)
    found.processor = {name: processor_seconds(pid) - used[name] for name, pid in running.items()}
    found.writes = writes.fresh()


def _measure(stand: Stand, found: Round, names: list[str], per_second: float, size: Size) -> None:
    chance = random.Random(1)
    word = "busy" if per_second else "idle"
    writes, began = stand.writes, time.monotonic()
    writes.fresh()
    stand.say(f"latency, {word}")
    with connected(stand.client) as connection, unrest(stand.client, names, per_second) as changing:
        time.sleep(LAST_UNREST_S if per_second else 0)
        _turn(stand, connection, found, f"{word}-turning", size, chance)
        until = time.monotonic() + size.round_s
        for number in range(size.created):
            if time.monotonic() > until and number >= FEWEST:
                break
            time.sleep(size.pace_s * chance.uniform(0.5, 1.5))
            _create(stand, connection, found, f"{word}-{number}")
        found.rate = changing.rate if per_second else 0.0
        found.writes, found.seconds = writes.fresh(), time.monotonic() - began


def _create(stand: Stand, connection: kube_changes.Connection, found: Round, name: str) -> None:
    kube_changes.create_slice(connection, name)
    began = time.monotonic()
    kube_changes.create_service(connection, name)
    created = time.monotonic()
    since, address = stand.status.wait(name, PATIENCE_S)
    answered = stand.asker.answered(address, PATIENCE_S)
    routed, _ = stand.routes.wait(address, PATIENCE_S)
    for values, until in (
        (found.create, created),
        (found.address, since),
        (found.route, routed),
        (found.answer, answered),
    ):
        values.append(1000 * (until - began))


def _turn(
    stand: Stand, connection: kube_changes.Connection, found: Round, name: str, size: Size, chance: random.Random
) -> None:
    """A Service whose only endpoint goes and comes."""
    kube_changes.create_slice(connection, name)
    kube_changes.create_service(connection, name)
    _, address = stand.status.wait(name, PATIENCE_S)
    for _ in range(size.turned):
        stand.routes.wait(address, PATIENCE_S)
        kube_changes.set_ready(connection, name, ready=False)
        stand.routes.wait_gone(address)
        time.sleep(chance.uniform(0.01, 0.03))
        began = time.monotonic()
        kube_changes.set_ready(connection, name, ready=True)
        found.ready.append(1000 * (stand.routes.wait(address)[0] - began))
