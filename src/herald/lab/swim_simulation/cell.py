"""One cell of the table of figures: a profile, a size and a loss, measured, and as it is kept in a file."""

import gc
import statistics
import time
from collections.abc import Sequence
from typing import Final, TypeAlias

import msgspec

from herald.lab.swim_simulation.measure import Calm, Detection, calm, detection, healing
from herald.swim.profile import PROFILES

Key: TypeAlias = tuple[str, int, float]

MOST_RUNS: Final = 40
MEMBER_RUNS: Final = 1000
"""Crashes times members: fewer crashes where there are more members."""
CALM_MEMBER_SECONDS: Final = 2000.0
SHORTEST_CALM_S: Final = 2.0
LARGEST_HEALED: Final = 100
MOST_LOST_HEALED: Final = 0.1
"""Members, and share of packets: beyond, a partition means so much news that its simulation takes hours."""


class Cell(msgspec.Struct, frozen=True, rename="camel"):
    """Seconds, octets and packets each second and member. `healing` is None where it was not measured.

    `wronged`: live members that somebody declared dead in `member_seconds` seconds of members, crashes included.
    """

    profile: str
    members: int
    loss: float
    runs: int
    first: float
    last: float
    last_worst: float
    octets: float
    packets: float
    suspicions: int
    wronged: int
    member_seconds: float
    healing: float | None
    took: float

    @property
    def key(self) -> Key:
        """What it is about."""
        return self.profile, self.members, self.loss


def measure(key: Key) -> Cell:
    """Takes minutes for thousands of members. In a process of its own: it leaves the garbage collector off."""
    gc.disable()  # millions of objects, none of them garbage; the process ends with the cell
    name, size, loss = key
    profile, began = PROFILES[name], time.monotonic()
    runs = max(1, min(MOST_RUNS, MEMBER_RUNS // size))
    found = [detection(size, profile, seed=seed, loss=loss) for seed in range(1, runs + 1)]
    quiet = calm(size, profile, seed=1, loss=loss, seconds=max(SHORTEST_CALM_S, CALM_MEMBER_SECONDS / size))
    heals = size <= LARGEST_HEALED and loss <= MOST_LOST_HEALED
    healed = healing(size, profile, seed=1, loss=loss).last if heals else None
    return _cell(key, found, quiet, healed, time.monotonic() - began)


def _cell(key: Key, found: Sequence[Detection], quiet: Calm, healed: float | None, took: float) -> Cell:
    return Cell(
        *key,
        runs=len(found),
        first=round(statistics.median(one.first for one in found), 3),
        last=round(statistics.median(one.last for one in found), 3),
        last_worst=round(max(one.last for one in found), 3),
        octets=round(quiet.octets),
        packets=round(quiet.packets, 1),
        suspicions=quiet.suspicions,
        wronged=quiet.false_deaths + sum(one.wronged for one in found),
        member_seconds=round(quiet.member_seconds + sum(one.last * key[1] for one in found)),
        healing=None if healed is None else round(healed, 2),
        took=round(took, 1),
    )
