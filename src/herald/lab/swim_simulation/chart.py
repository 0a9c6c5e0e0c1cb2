"""A chart as SVG: lines over two logarithmic axes. Values in, text out."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

WIDTH: Final = 460
HEIGHT: Final = 340
LEFT, RIGHT, TOP, BOTTOM = 62, 14, 34, 46
_STEPS: Final = (1, 2, 5)
_FONT: Final = 'font-family="sans-serif" font-size="12"'


@dataclass(frozen=True, slots=True)
class Line:
    """`points` ascend in x; both above zero."""

    name: str
    colour: str
    dashes: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Chart:
    """`ticks_x` are marked below; those of y are found."""

    title: str
    unit_x: str
    unit_y: str
    ticks_x: Sequence[float]
    lines: Sequence[Line]


def svg(charts: Sequence[Chart]) -> str:
    """All charts side by side, the names of the lines below; a white ground, so that it is read in the dark too."""
    lines = {line.name: line for chart in charts for line in chart.lines}
    rows = math.ceil(len(lines) / 3)
    width, height = WIDTH * len(charts), HEIGHT + 8 + 18 * rows
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" {_FONT}>',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
    ]
    for place, chart in enumerate(charts):
        parts += [f'<g transform="translate({place * WIDTH} 0)">', *_drawn(chart), "</g>"]
    for place, line in enumerate(lines.values()):
        x, y = 24 + (place % 3) * (width - 40) / 3, HEIGHT + 6 + 18 * (place // 3)
        parts.append(f'<path d="M{x:.0f} {y} h28" {_stroke(line)}/>')
        parts.append(f'<text x="{x + 34:.0f}" y="{y + 4}">{escape(line.name)}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _drawn(chart: Chart) -> Iterator[str]:
    xs = _Axis(min(chart.ticks_x), max(chart.ticks_x), LEFT, WIDTH - RIGHT)
    values = [y for line in chart.lines for _, y in line.points]
    ticks = tuple(_ticks(min(values), max(values)))
    ys = _Axis(ticks[0], ticks[-1], HEIGHT - BOTTOM, TOP)
    yield f'<text x="{LEFT}" y="18" font-weight="bold">{escape(chart.title)}</text>'
    for tick in chart.ticks_x:
        x = xs.at(tick)
        yield f'<path d="M{x:.1f} {TOP} V{HEIGHT - BOTTOM}" stroke="#ddd"/>'
        yield f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 17}" text-anchor="middle">{tick:,g}</text>'
    for tick in ticks:
        y = ys.at(tick)
        yield f'<path d="M{LEFT} {y:.1f} H{WIDTH - RIGHT}" stroke="#ddd"/>'
        yield f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{tick:,g}</text>'
    yield f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 10}" text-anchor="middle">{escape(chart.unit_x)}</text>'
    middle = (TOP + HEIGHT - BOTTOM) / 2
    yield f'<text transform="translate(14 {middle}) rotate(-90)" text-anchor="middle">{escape(chart.unit_y)}</text>'
    for line in chart.lines:
        points = [(xs.at(x), ys.at(y)) for x, y in line.points]
        yield f'<path d="M{" L".join(f"{x:.1f} {y:.1f}" for x, y in points)}" {_stroke(line)}/>'
        yield from (f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{line.colour}"/>' for x, y in points)


def _stroke(line: Line) -> str:
    dashes = f' stroke-dasharray="{line.dashes}"' if line.dashes else ""
    return f'fill="none" stroke="{line.colour}" stroke-width="1.8"{dashes}'


@dataclass(frozen=True, slots=True)
class _Axis:
    """From `low` to `high`, at these places."""

    low: float
    high: float
    begins: float
    ends: float

    def at(self, value: float) -> float:
        span = math.log(self.high / self.low) or 1.0
        return self.begins + (self.ends - self.begins) * math.log(value / self.low) / span


def _ticks(low: float, high: float) -> Iterable[float]:
    """1, 2, 5, 10, …: from the last that is not above `low` to the first that is not below `high`."""
    steps = [step * 10.0**power for power in range(-4, 10) for step in _STEPS]
    first = max(place for place, step in enumerate(steps) if step <= low)
    last = min(place for place, step in enumerate(steps) if step >= high)
    return steps[first : max(last, first + 1) + 1]
