"""`python -m herald.lab.swim_simulation`: measure groups of members, and write the figures into the documentation."""

import argparse
import itertools
import multiprocessing
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from herald.lab.swim_simulation import figures
from herald.lab.swim_simulation.cell import measure
from herald.swim.profile import PROFILES


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is asked for; with `--docs`, keep it there, beside what was measured before."""
    parser = argparse.ArgumentParser(prog="python -m herald.lab.swim_simulation", description=__doc__)
    parser.add_argument("--members", type=int, nargs="+", default=[3, 10, 100])
    parser.add_argument("--loss", type=float, nargs="+", default=[0.0, 0.05, 0.3], help="share of packets, 0 to 1")
    parser.add_argument("--profile", choices=sorted(PROFILES), nargs="+", default=["herald"])
    parser.add_argument("--docs", type=Path, help="write gossip.md and images/gossip.svg in this folder")
    parser.add_argument("--processes", type=int, default=1)
    given = parser.parse_args(arguments)
    known = {one.key: one for one in figures.load(given.docs)} if given.docs else {}
    keys = list(itertools.product(given.profile, sorted(given.members, reverse=True), given.loss))
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(given.processes, mp_context=fresh, max_tasks_per_child=1) as pool:
        for done in as_completed([pool.submit(measure, key) for key in keys]):
            cell = done.result()
            known[cell.key] = cell
            sys.stdout.write(f"{cell}\n")
            sys.stdout.flush()
            if given.docs:
                figures.write(given.docs, known.values())


if __name__ == "__main__":
    main()
