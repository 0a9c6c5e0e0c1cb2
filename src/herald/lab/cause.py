"""Why requests were lost: between which observed moments they were sent, and what ended each of these phases.

    fault          bgpd: NOTIFICATION      kernel: via node-2, node-3
      ├──────────────────┼───────────────────────┤
          71 lost in 142 ms    7 lost in 70 ms            0 lost from here on

A phase ends with the moment that is named for it. Requests that are lost after the last moment have no reason that
anybody wrote down; they are counted as unexplained. Nothing here waits or looks: it is all in the arguments.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from herald.lab.timeline import BGPD, KERNEL, LAB, Moment

MOST_PHASES = 4
"""Of more phases than these, what the router's kernel had is told first, and then the costliest of them."""

COSTLIEST = 3

BOUNDARIES = (LAB, BGPD, KERNEL)
"""Who decides what becomes of a request: the lab, and the router. What Herald notices acts through these."""


@dataclass(frozen=True, slots=True)
class Phase:
    """`lost` requests within `seconds`, until the moment `until`; None when no moment came after."""

    lost: int
    seconds: float
    until: Moment | None

    def __str__(self) -> str:
        if self.until is None:
            return f"{self.lost:,} later, for which nothing was observed"
        return f"{self.lost:,} in {milliseconds(self.seconds)} until {self.until}"


def milliseconds(seconds: float) -> str:
    """`142 ms`, also where it is many."""
    return f"{seconds * 1000:,.0f} ms"


def phases(lost: Sequence[float], moments: Sequence[Moment], began: float) -> list[Phase]:
    """The phases in which something was lost, in order. `lost` are the instants at which requests were sent."""
    borders = sorted(moment for moment in moments if moment.at > began and moment.where in BOUNDARIES)
    instants = [began, *(moment.at for moment in borders)]
    counts = Counter(max(1, bisect_right(instants, at)) for at in lost)
    found = []
    for index in sorted(counts):
        until = borders[index - 1] if index <= len(borders) else None
        seconds = until.at - instants[index - 1] if until else 0.0
        found.append(Phase(counts[index], seconds, until))
    return found


def unexplained(lost: Sequence[float], moments: Sequence[Moment], began: float) -> int:
    """How many were lost after the last moment."""
    return sum(phase.lost for phase in phases(lost, moments, began) if phase.until is None)


def reason(lost: Sequence[float], moments: Sequence[Moment], began: float) -> str:
    """In words, why requests were lost; why none was, if none was."""
    if not lost:
        return _unharmed(moments, began)
    found = phases(lost, moments, began)
    if len(found) <= MOST_PHASES:
        return "; ".join(map(str, found))
    routes = _by_route(lost, moments).most_common()
    told = "; ".join(f"{count:,} while {KERNEL} had {state}" for state, count in routes)
    return f"{told} ({_costliest(found)})"


def _costliest(found: Sequence[Phase]) -> str:
    """The phases that cost most, in order of time, and how much the others cost."""
    costly = sorted(range(len(found)), key=lambda index: -found[index].lost)[:COSTLIEST]
    rest = sum(phase.lost for index, phase in enumerate(found) if index not in costly)
    told = [str(found[index]) for index in sorted(costly)]
    return "; ".join([*told, f"{rest:,} in {len(found) - len(costly)} other phases"])


def _unharmed(moments: Sequence[Moment], began: float) -> str:
    changes = sum(moment.at > began and moment.where == KERNEL for moment in moments)
    if not changes:
        return f"{KERNEL} kept its route all the time"
    often = "once" if changes == 1 else f"{changes} times"
    return f"{KERNEL} changed its route {often}, and always had a way"


def _by_route(lost: Sequence[float], moments: Sequence[Moment]) -> Counter[str]:
    """How many were lost while the kernel had which route."""
    routes = sorted(moment for moment in moments if moment.where == KERNEL)
    instants = [moment.at for moment in routes]
    indices = (bisect_right(instants, at) - 1 for at in lost)
    return Counter("an unknown route" if index < 0 else routes[index].what for index in indices)
