"""Herald in a cluster, measured on a real API server, beside MetalLB on another of the same kind in the same run.

    python -m benchmarks kube            all of it, some eight minutes
    python -m benchmarks.kube --small    little of it, in two, to see whether the benchmark works

MetalLB speaks its native BGP. Neither has a limit of requests that its manifests do not have; MetalLB's client has one
of its own, 20 requests a second, and it shows as soon as there is much to write.
"""

import signal
import sys
from collections.abc import Mapping, Sequence

from benchmarks import kube_bulk, kube_latency
from benchmarks.contestants import CannotBuildError, Herald, MetalLB
from benchmarks.figure import Figure, table
from benchmarks.kube_size import FULL, SMALL, Size

SPEAKER_BUDGET_MIB = {100: 80.0, 10_000: 150.0}
TERMINATED = 128 + signal.SIGTERM
Memory = Mapping[str, Sequence[tuple[str, float]]]


def measure(size: Size = FULL) -> list[Figure]:
    """All figures; without MetalLB, if it cannot be built here."""
    # So that namespaces and processes go also when the time is up for whoever started this.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    herald = Herald()
    peer: MetalLB | None = None
    missing = []
    try:
        peer = MetalLB()
    except CannotBuildError as error:
        missing.append(Figure("MetalLB beside it", 0, "", note=f"not measured: {error}"))
    soon = kube_latency.run(herald, "k", size)
    soon_peer = None if peer is None else kube_latency.run(peer, "m", size)
    much = kube_bulk.run(herald, "b", size, size.patience_s, ours=True)
    much_peer = None if peer is None else kube_bulk.run(peer, "c", size, size.peer_patience_s, ours=False)
    return [
        *missing,
        *kube_latency.figures(soon, soon_peer),
        *kube_bulk.figures(much, much_peer),
        *_stalls(much, size),
        *_rest(soon, soon_peer, size),
        *_memory(
            f"{size.standing:,}", soon.memory, None if soon_peer is None else soon_peer.memory, SPEAKER_BUDGET_MIB[100]
        ),
        *_memory(
            f"{size.many:,}", much.memory, None if much_peer is None else much_peer.memory, SPEAKER_BUDGET_MIB[10_000]
        ),
    ]


def _stalls(much: kube_bulk.Found, size: Size) -> list[Figure]:
    told = "; ".join(f"{wait:.0f} ms ({ran:.0f} running, {queued:.0f} queued)" for wait, ran, queued in much.stalls)
    what = f"control's longest stall in the first sync of {size.many:,} Services"
    return [Figure(what, much.stalls[0][0], "ms", note=f"asked every millisecond; the longest: {told}")]


def _rest(soon: kube_latency.Found, peer: kube_latency.Found | None, size: Size) -> list[Figure]:
    made = []
    when = f"when nothing changes, {size.standing:,} Services"
    for found in filter(None, (soon, peer)):
        note = ", ".join(f"{count} × {kind}" for kind, count in found.writes.most_common(4))
        what = f"API writes {when}" if found is soon else f"… {found.name}"
        rate = found.writes.total() * 60 / size.quiet_s
        made.append(Figure(what, rate, "a minute", note=note or "none but of leases"))
    for found in filter(None, (soon, peer)):
        what = f"processor {when}: controller and speaker" if found is soon else f"… {found.name}"
        shares = {name: 100 * seconds / size.quiet_s for name, seconds in found.processor.items()}
        note = ", ".join(f"{name} {share:.1f} %" for name, share in shares.items())
        made.append(Figure(what, sum(shares.values()), "% of a core", note=note))
    return made


def _memory(services: str, own: Memory, other: Memory | None, budget: float) -> list[Figure]:
    made = []
    for component in ("controller", "speaker"):
        size = _total(own[component])
        what = f"memory of the {component} at {services} Services"
        made.append(Figure(what, size, "MiB", budget if component == "speaker" else None, (), _parts(own[component])))
        if other is not None:
            ratio = f"Herald takes ×{size / _total(other[component]):.2f} of this"
            made.append(Figure("… MetalLB", _total(other[component]), "MiB", note=ratio))
    return made


def _total(parts: Sequence[tuple[str, float]]) -> float:
    return sum(size for _, size in parts)


def _parts(parts: Sequence[tuple[str, float]]) -> str:
    return ", ".join(f"{name} {size:.0f}" for name, size in parts) if len(parts) > 1 else ""


if __name__ == "__main__":
    print(table("Herald on Kubernetes", measure(SMALL if "--small" in sys.argv[1:] else FULL)))
