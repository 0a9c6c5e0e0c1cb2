"""The decision core: full recompute, one change, allocation. CPU time of this process."""

import gc
import time
from collections.abc import Callable
from dataclasses import replace

import msgspec

from benchmarks.figure import Figure, median
from benchmarks.population import resources
from herald.allocator.assign import assign_all
from herald.announcement.incremental import Upkeep
from herald.announcement.view import View
from herald.cluster.meta import NodeName
from herald.config.compile import compile_config
from herald.config.resources import Resources
from herald.observe import collector

NODES = 100
SIZES = (100, 1_000, 10_000)
RUNS = 5


def _cpu(work: Callable[[], object]) -> float:
    gc.collect()
    start = time.process_time()
    work()
    return time.process_time() - start


def _filled(everything: Resources) -> tuple[Upkeep, View]:
    upkeep = Upkeep(NodeName("node-7"))
    upkeep.fill(everything.services, everything.endpoint_slices)
    return upkeep, View(compile_config(everything).config, members=frozenset(n.name for n in everything.nodes))


def _recompute(everything: Resources) -> tuple[float, float]:
    """CPU seconds of one full pass, and the longest slice of it in seconds of wall time."""
    longest = 0.0

    def run() -> None:
        nonlocal longest
        upkeep, view = _filled(everything)
        last = time.perf_counter()
        for _ in upkeep.look_again(view):
            now = time.perf_counter()
            longest = max(longest, now - last)
            last = now

    return _cpu(run), longest


def _one_change(everything: Resources) -> float:
    """CPU milliseconds for one service that loses its label and gets it back, averaged."""
    upkeep, view = _filled(everything)
    for _ in upkeep.look_again(view):
        pass
    service = everything.services[len(everything.services) // 2]
    silent = msgspec.structs.replace(service, spec=msgspec.structs.replace(service.spec, type="ClusterIP"))
    rounds = 200

    def run() -> None:
        for _ in range(rounds):
            upkeep.put_service(silent)
            upkeep.put_service(service)

    return _cpu(run) / (2 * rounds) * 1000


def _on_terms(everything: Resources, **terms: str) -> Resources:
    """The same with these fields of every L2Advertisement."""
    return replace(
        everything,
        l2_advertisements=tuple(
            msgspec.structs.replace(each, spec=msgspec.structs.replace(each.spec, **terms))
            for each in everything.l2_advertisements
        ),
    )


def _terms(everything: Resources) -> list[Figure]:
    """What `spread: even` and `failback` cost, which are off by default."""
    figures = []
    for words, terms in (("spread even", {"spread": "even"}), ("failback never", {"failback": "never"})):
        asked = _on_terms(everything, **terms)
        figures.append(median(f"… with {words}", [_recompute(asked)[0] for _ in range(RUNS)], "s"))
        figures.append(median(f"… one Service changed, with {words}", [_one_change(asked) for _ in range(RUNS)], "ms"))
    return figures


def measure() -> list[Figure]:
    figures: list[Figure] = []
    previous: float | None = None
    collector.calm()  # as the processes do
    for size in SIZES:
        everything = resources(size, NODES)
        collector.set_aside()
        runs = [_recompute(everything) for _ in range(RUNS)]
        figure = median(
            f"full recompute, {size:,} Services × {NODES} nodes, one speaker's view",
            [cpu for cpu, _ in runs],
            "s",
            1.0 if size == max(SIZES) else None,
        )
        note = "" if previous is None else f"×{figure.value / previous:.1f} for ten times as many"
        figures.append(Figure(figure.what, figure.value, "s", figure.budget, figure.runs, note))
        previous = figure.value
        figures.append(median(f"… its longest slice, {size:,}", [longest * 1000 for _, longest in runs], "ms", 5.0))
        figures.append(
            median(f"one Service changed, {size:,}", [_one_change(everything) for _ in range(RUNS)], "ms", 1.0)
        )
        if size == max(SIZES):
            figures += _terms(everything)
        config = compile_config(everything).config
        waiting = resources(size, NODES, assigned=False).services
        runs_of_allocation = [_cpu(lambda: assign_all(config, waiting)) for _ in range(RUNS)]  # noqa: B023  # called at once
        figures.append(median(f"allocation of {size:,} Services", runs_of_allocation, "s"))
    return figures
