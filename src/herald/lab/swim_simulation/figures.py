"""The figures of `docs/gossip.md`: the table and the chart, made from measured cells."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from herald.lab.swim_simulation.cell import Cell
from herald.lab.swim_simulation.chart import Chart, Line, svg
from herald.swim.profile import PROFILES

BEGIN: Final = "<!-- figures: written by `python -m herald.lab.swim_simulation` -->"
END: Final = "<!-- end of the figures -->"
PAGE: Final = Path("gossip.md")
CHART: Final = Path("images", "gossip.svg")
KEPT: Final = Path("images", "gossip.json")
_COLOURS: Final = {"herald": "#1b6ac9", "lan": "#c96a1b", "wan": "#5b9a3c"}
_DASHES: Final = ("", "7 4", "2 3")


def load(docs: Path) -> list[Cell]:
    """What was measured before; nothing if there is none."""
    path = docs / KEPT
    return msgspec.json.decode(path.read_bytes(), type=list[Cell]) if path.exists() else []


def write(docs: Path, cells: Iterable[Cell]) -> None:
    """The page's figures, the chart, and the cells themselves."""
    ordered = sorted(cells, key=lambda one: (list(PROFILES).index(one.profile), one.members, one.loss))
    (docs / KEPT.parent).mkdir(exist_ok=True)
    lines = b",\n".join(msgspec.json.encode(one) for one in ordered)
    (docs / KEPT).write_bytes(b"[\n" + lines + b"\n]\n")
    (docs / CHART).write_text(chart(ordered), encoding="utf-8")
    page = docs / PAGE
    page.write_text(with_figures(page.read_text(encoding="utf-8"), ordered), encoding="utf-8")


def with_figures(page: str, cells: list[Cell]) -> str:
    """The page with this table in it. Raises ValueError if it has no place for one."""
    before, begun, rest = page.partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not (begun and ended):
        raise ValueError(f"the page lacks the lines {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{table(cells)}\n{END}{after}"


def table(cells: Iterable[Cell]) -> str:
    """One row for each cell, in Markdown."""
    head = (
        "Profile",
        "Members",
        "Loss",
        "Known to the first",
        "to all",
        "to all, slowest (crashes)",
        "Live members called dead",
        "Octets/s",
        "Packets/s",
        "One group again",
    )
    rows = (" | ".join(_row(one)) for one in cells)
    return "\n".join([f"| {' | '.join(head)} |", "|---" * len(head) + "|", *(f"| {row} |" for row in rows), ""])


def _row(one: Cell) -> Iterator[str]:
    yield one.profile
    yield f"{one.members:,}"
    yield f"{one.loss:.0%}"
    yield f"{one.first:.2f} s"
    yield f"{one.last:.2f} s"
    yield f"{one.last_worst:.2f} s ({one.runs})"
    yield f"{one.wronged} in {_span(one.member_seconds)}"
    yield f"{one.octets:,.0f}"
    yield f"{one.packets:,.0f}"
    yield "–" if one.healing is None else f"{one.healing:.1f} s"


def _span(member_seconds: float) -> str:
    return f"{member_seconds / 3600:.1f} h"


def chart(cells: Iterable[Cell]) -> str:
    """Detection and cost over the number of members, as SVG."""
    by_line: dict[tuple[str, float], list[Cell]] = {}
    for one in cells:
        by_line.setdefault((one.profile, one.loss), []).append(one)
    losses = sorted({loss for _, loss in by_line})
    sizes = sorted({one.members for some in by_line.values() for one in some})

    def lines(read: str) -> list[Line]:
        return [
            Line(
                f"{profile}, {loss:.0%} lost",
                _COLOURS[profile],
                _DASHES[losses.index(loss) % len(_DASHES)],
                [(one.members, getattr(one, read)) for one in some],
            )
            for (profile, loss), some in by_line.items()
        ]

    return svg(
        [
            Chart("A crash is known to all members after …", "members", "seconds", sizes, lines("last")),
            Chart(
                "Each member sends, while nothing happens, …", "members", "octets per second", sizes, lines("octets")
            ),
        ]
    )
