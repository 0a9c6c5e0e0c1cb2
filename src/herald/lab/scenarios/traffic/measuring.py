"""One fault under traffic: a quiet phase, the fault, and what became of every request.

client ── 1,000 requests/s over UDP, a fresh port each ──┐
       ── 100 TCP connections/s ─────────────────────────┼── router ── node-1, node-2, node-3
       ── 50 requests/s to the router itself ────────────┘   (answers the 50 itself)

Three things tell losses of the network from those of a machine that has too much to do: nothing may be lost in the
quiet phase; nothing of what the router itself answers; nothing in a socket's full buffer. Any of them refutes the
measurement, not Herald. An answer counts however late it comes.
"""

import asyncio
import re
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from herald.lab import cause, process, timeline
from herald.lab.client import Poller, Tally
from herald.lab.launch import Launch
from herald.lab.load import READY
from herald.lab.load_trace import LoadTrace, complaints
from herald.lab.process import PROMPT
from herald.lab.proof import Command, Seen, Table
from herald.lab.scenarios.traffic.plan import ADDRESS, NAMES, NODES, QUESTIONS, UPSTREAM, URL
from herald.lab.timeline import LAB, Moment
from herald.lab.walk import Walk

QUIET_S, SETTLE_S = 1.5, 1.0
"""Seconds of traffic before a fault, and after all is well again."""

RATE, CONTROL_RATE, POLL_MS = 1000, 50, 10.0
SERVICE, CONTROL = "service", "control"
HEAD = ("Fault", "Requests", "Lost", "Converged after", "TCP connections", "Why")
RECEIVE_ERRORS = re.compile(r"^Udp: \d+ \d+ \d+ \d+ (\d+)", re.MULTILINE)


@dataclass(slots=True)
class Fault:
    """A fault under way; whoever brings it about says here what he does."""

    walk: Walk
    acts: list[Moment] = field(default_factory=list)

    def does(self, text: str) -> None:
        """The lab is about to do something. The first such moment is when the fault begins."""
        self.acts.append(Moment(time.time(), LAB, text))
        self.walk.did(f"› {text}")

    @property
    def began(self) -> float:
        """Seconds since 1970."""
        return self.acts[0].at


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that was written down of one fault."""

    title: str
    began: float
    trace: LoadTrace
    tally: Tally
    moments: tuple[Moment, ...]
    receive_errors: int

    @property
    def service(self) -> LoadTrace:
        """The requests since the fault began."""
        return self.trace.of(SERVICE, since=self.began)

    @property
    def instants(self) -> list[float]:
        """When the lost ones were sent."""
        return [one.at for one in self.service.lost]

    @property
    def converged_s(self) -> float:
        """From the fault to the last request that was lost."""
        return max(self.instants, default=self.began) - self.began

    @property
    def reason(self) -> str:
        """See `cause`."""
        return cause.reason(self.instants, self.moments, self.began) + complaints(self.service.lost)

    @property
    def row(self) -> tuple[str, ...]:
        """Of the table."""
        tally = self.tally
        tcp = f"{tally.requests:,}: {tally.failed:,} failed, {tally.repeated} repeated"
        converged = cause.milliseconds(self.converged_s) if self.instants else "-"
        service = self.service
        return self.title, f"{len(service.requests):,}", f"{len(service.lost):,}", converged, tcp, self.reason


async def measured(
    walk: Walk, title: str, fault: Callable[[Fault], Awaitable[None]], *, loses_nothing: bool
) -> Evidence:
    """Traffic before, during and after a fault, and what is claimed of it. `fault` ends when all is well again."""
    load, poller = await _started(walk)
    errors = await _receive_errors(walk)
    await asyncio.sleep(QUIET_S)
    under_way = Fault(walk)
    try:
        await fault(under_way)
        await asyncio.sleep(SETTLE_S)
    finally:
        load.send(signal.SIGTERM)
        tally = await poller.stop()
    if not await load.ended(15):
        raise RuntimeError("the load did not end when told to")
    trace = LoadTrace.parse(_trace_file(walk).read_text())
    errors = await _receive_errors(walk) - errors
    found = Evidence(title, under_way.began, trace, tally, _moments(walk, under_way), errors)
    _claim(walk, found, Command(load.argv, f"client$ load {ADDRESS} at {RATE:,} requests/s"), poller, loses_nothing)
    return found


async def _started(walk: Walk) -> tuple[process.Process, Poller]:
    place = walk.lab.place
    streams = (f"{SERVICE}={ADDRESS}:{QUESTIONS}@{RATE}", f"{CONTROL}={UPSTREAM}:{QUESTIONS}@{CONTROL_RATE}")
    words = [word for stream in streams for word in ("--stream", stream)]
    argv = (*PROMPT, sys.executable, "-m", "herald.lab.load", "--trace", str(_trace_file(walk)), *words)
    place.log("load").write_text("")
    load = Launch("load", argv, "client").start(place)
    poller = await Poller.start(place, "client", URL, every_ms=POLL_MS)
    async with asyncio.timeout(20):
        while READY not in place.log("load").read_text():  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.01)
    return load, poller


def _trace_file(walk: Walk) -> Path:
    return walk.lab.place.directory / "load.trace"


async def _receive_errors(walk: Walk) -> int:
    """Datagrams that found a socket full, on all machines of the lab."""
    hosts = ("client", "router", *NODES)
    looks = [process.must(["cat", "/proc/net/snmp"], namespace=walk.lab.place.namespace(host)) for host in hosts]
    found = [RECEIVE_ERRORS.search(look.stdout) for look in await asyncio.gather(*looks)]
    return sum(int(one[1]) for one in found if one)


def _moments(walk: Walk, fault: Fault) -> tuple[Moment, ...]:
    place = walk.lab.place
    kernel = timeline.of_kernel(place.log("monitor").read_text(), ADDRESS, NAMES)
    bgpd = timeline.of_bgpd(place.log("router-bgpd").read_text(), NAMES)
    herald = [moment for node in NODES for moment in timeline.of_herald(place.log(f"speaker-{node}").read_text(), node)]
    return tuple(sorted([*fault.acts, *kernel, *bgpd, *herald]))


def _claim(walk: Walk, found: Evidence, command: Command, poller: Poller, loses_nothing: bool) -> None:
    proof = walk.proof
    for moment in found.moments:
        if moment.at >= found.began and moment.where != LAB:
            proof.act(f"{(moment.at - found.began) * 1000:+9,.0f} ms  {moment}")
    _claim_of_the_measurement(walk, found, command)
    service, lost = found.service, len(found.instants)
    seconds = found.service.requests[-1].at - found.began
    told = f"{lost:,} of {len(service.requests):,} requests lost"
    if lost:
        told += f", the last after {cause.milliseconds(found.converged_s)}: {found.reason}"
    if loses_nothing:
        proof.measured(found.title, command, "0 requests lost", Seen(lost == 0, told), seconds)
    else:
        unexplained = cause.unexplained(found.instants, found.moments, found.began)
        expected = "every request that is lost has a reason"
        proof.measured(found.title, command, expected, Seen(unexplained == 0, told), seconds)
    failed = Seen(found.tally.failed == 0 or not loses_nothing, str(found.tally))
    proof.measured("new TCP connections meanwhile", poller.command, "what is lost, if any", failed, seconds)
    proof.table = proof.table or Table(HEAD)
    proof.table.rows.append(found.row)


def _claim_of_the_measurement(walk: Walk, found: Evidence, command: Command) -> None:
    quiet = found.trace.of(SERVICE, until=found.began)
    control = found.trace.of(CONTROL)
    told = (
        f"{len(quiet.requests):,} requests before it, {len(quiet.lost)} lost; {len(control.requests):,} to the router "
        f"itself, {len(control.lost)} lost; {found.receive_errors} in full buffers; "
        f"longest wait {control.longest_wait_ms:.0f} ms, longest stall {found.trace.longest_stall_ms:.0f} ms"
    )
    holds = not quiet.lost and not control.lost and not found.receive_errors and bool(quiet.requests)
    seconds = found.began - quiet.requests[0].at if quiet.requests else 0.0
    walk.proof.measured("the measurement itself loses nothing", command, "0 lost", Seen(holds, told), seconds)
