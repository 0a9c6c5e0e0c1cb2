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


def beside(
    what: str, own: Sequence[float], peer: str, other: Sequence[float] | None, unit: str, budget: float | None = None
) -> list[Figure]:
    """The p99 of ours and of a peer's of the same run, with the p50 in the note and the ratio of both."""
    figures = [Figure(f"{what}, p99", percentile(own, 99), unit, budget, (), _spread(own, unit))]
    if other is not None:
        ratios = (percentile(own, part) / percentile(other, part) for part in (50, 99))
        note = f"{_spread(other, unit)}; Herald takes ×{next(ratios):.2f} of the p50, ×{next(ratios):.2f} of the p99"
        figures.append(Figure(f"… {peer}", percentile(other, 99), unit, None, (), note))
    return figures


def _spread(values: Sequence[float], unit: str) -> str:
    return f"p50 {percentile(values, 50):.1f} {unit}, worst {max(values):.0f} {unit} of {len(values)}"


def table(title: str, figures: Sequence[Figure]) -> str:
    """A section of the results."""
    head = "| What | Measured | Budget | Used | Range | Note |\n|---|---|---|---|---|---|"
    return "\n".join([f"## {title}", "", head, *(figure.row() for figure in figures), ""])
