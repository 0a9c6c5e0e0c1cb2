"""Families of metrics as text: the Prometheus text format 0.0.4, and OpenMetrics 1.0 for scrapers that ask for it.

Written by hand, because MetalLB's names are dashboards' contracts and break the rules of client libraries: counters
without `_total`, gauges with it. The text format takes them as they are. OpenMetrics does not know a counter of such a
name: there it is of type `unknown`, so that its name stays.

A node may have tens of thousands of samples. They are written in slices between which the loop does other work.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from enum import Enum
from itertools import islice
from typing import Final, NamedTuple, TypeAlias

SLICE: Final = 250
"""Samples between two returns to the loop: half a millisecond."""


class Kind(Enum):
    """What a family holds; the value is its word in both formats."""

    GAUGE = "gauge"
    COUNTER = "counter"


class Format(Enum):
    """The value is the media type of an answer."""

    TEXT = "text/plain; version=0.0.4; charset=utf-8"
    OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Family:
    """One name, what it means, and the labels of its samples in their order."""

    name: str
    kind: Kind
    words: str
    labels: tuple[str, ...] = ()


class Sample(NamedTuple):
    """Values of the labels, one for each, and the number."""

    labels: tuple[str, ...]
    value: float


Samples: TypeAlias = Iterable[Sample]
Page: TypeAlias = Iterable[tuple[Family, Samples]]
"""Everything that a process tells; a family without samples is left out."""


def single(value: float) -> tuple[Sample, ...]:
    """The samples of a family without labels."""
    return (Sample((), value),)


def wanted_format(accept: str) -> Format:
    """What a scraper gets that sends this Accept header."""
    offers = [_offer(item) for item in accept.split(",")]
    wants_open = max((quality for media, quality in offers if media == "application/openmetrics-text"), default=0.0)
    wants_text = max((quality for media, quality in offers if media in ("text/plain", "text/*", "*/*")), default=0.0)
    return Format.OPENMETRICS if wants_open > 0 and wants_open >= wants_text else Format.TEXT


def _offer(item: str) -> tuple[str, float]:
    media, *parameters = (part.strip() for part in item.split(";"))
    quality = next((text[2:] for text in parameters if text.startswith("q=")), "1")
    try:
        return media.lower(), float(quality)
    except ValueError:
        return media.lower(), 0.0


async def write(page: Page, form: Format) -> bytes:
    """The whole answer."""
    return b"".join([piece.encode() async for piece in _pieces(page, form)])


async def _pieces(page: Page, form: Format) -> AsyncIterator[str]:
    for family, samples in page:
        remaining = iter(samples)
        head = _head(family, form)
        template = _template(family)
        while some := list(islice(remaining, SLICE)):
            yield head + "".join([template % (*map(_escaped, labels), _number(value)) for labels, value in some])
            head = ""
            await asyncio.sleep(0)
    if form is Format.OPENMETRICS:
        yield "# EOF\n"


def _head(family: Family, form: Format) -> str:
    words = family.words.replace("\\", r"\\").replace("\n", r"\n")
    name, kind = family.name, family.kind.value
    if form is Format.OPENMETRICS and family.kind is Kind.COUNTER:
        name, kind = (name.removesuffix("_total"), kind) if name.endswith("_total") else (name, "unknown")
    return f"# HELP {name} {words}\n# TYPE {name} {kind}\n"


def _template(family: Family) -> str:
    labels = ",".join(f'{name}="%s"' for name in family.labels)
    return f"{family.name}{{{labels}}} %s\n" if labels else f"{family.name} %s\n"


def _escaped(value: str) -> str:
    if "\\" in value or '"' in value or "\n" in value:
        return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
    return value


def _number(value: float) -> str:
    return str(int(value)) if isinstance(value, bool) else repr(value)
