"""A measured figure, its budget, and how both are printed."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """`value` in `unit`; `budget` in the same unit, or None where there is none. `runs` are all measurements."""

    what: str
    value: float
    unit: str
    budget: float | None = None
    runs: tuple[float, ...] = ()
    note: str = ""

    @property
    def ratio(self) -> str:
        """The share of the budget that is used, or nothing."""
        return "" if self.budget is None else f"{self.value / self.budget:.2f}"

    def row(self) -> str:
        """A line of a Markdown table."""
        spread = f"{min(self.runs):.3g}–{max(self.runs):.3g} (n={len(self.runs)})" if len(self.runs) > 1 else ""
        budget = "" if self.budget is None else f"≤ {self.budget:g} {self.unit}"
        return f"| {self.what} | {self.value:.3g} {self.unit} | {budget} | {self.ratio} | {spread} | {self.note} |"


def median(what: str, runs: Sequence[float], unit: str, budget: float | None = None, note: str = "") -> Figure:
    """The median of several runs."""
    return Figure(what, statistics.median(runs), unit, budget, tuple(runs), note)


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least `percent` of 100 are not above."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def table(title: str, figures: Sequence[Figure]) -> str:
    """A section of the results."""
    head = "| What | Measured | Budget | Used | Range | Note |\n|---|---|---|---|---|---|"
    return "\n".join([f"## {title}", "", head, *(figure.row() for figure in figures), ""])
