"""How much the benchmarks on a real API server measure: all of it, or little, while they are being changed."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Size:
    """`standing` Services are there while `created` others are made and one turns ready `turned` times; `many` come
    at once. Seconds: `quiet_s` in which nothing changes, `pace_s` between two creations, `round_s` the most for all
    creations, and the most that `patience_s` (Herald) and `peer_patience_s` (its peer) are waited for when many
    come."""

    standing: int
    created: int
    turned: int
    many: int
    quiet_s: float
    pace_s: float
    round_s: float
    patience_s: float
    peer_patience_s: float


FULL = Size(
    standing=100,
    created=80,
    turned=50,
    many=10_000,
    quiet_s=30,
    pace_s=0.15,
    round_s=25,
    patience_s=90,
    peer_patience_s=20,
)
SMALL = Size(
    standing=50, created=30, turned=20, many=500, quiet_s=10, pace_s=0.15, round_s=25, patience_s=60, peer_patience_s=10
)
