"""What to look for in what kubectl prints: functions from a command's result to `Seen`.

A table has a line of headings and cells below their headings, some of them empty; several tables follow each other
after an empty line.
"""

import re
from collections.abc import Collection, Iterator, Mapping

from herald.lab.checks import finds_lines, listed
from herald.lab.process import Result
from herald.lab.proof import Check, Seen

HEADING = re.compile(r"\S+(?: \S+)*")


def rows(text: str) -> Iterator[dict[str, str]]:
    """Every row of every table, as heading → cell."""
    for table in text.split("\n\n"):
        heading, *lines = table.splitlines() or [""]
        found = list(HEADING.finditer(heading))
        starts = [one.start() for one in found]
        ends = [*starts[1:], None]
        for line in lines:
            yield {one[0]: line[start:end].strip() for one, start, end in zip(found, starts, ends, strict=True)}


def column(heading: str, wanted: Mapping[str, str]) -> Check:
    """The rows called `NAME` or `kind/NAME` have these cells under `heading`."""

    def check(result: Result) -> Seen:
        cells = {row["NAME"].rpartition("/")[2]: row.get(heading, "") for row in rows(result.stdout)}
        seen = {name: cells.get(name, "no such row") for name in wanted}
        return Seen(seen == dict(wanted), listed(f"{name} {cell}" for name, cell in seen.items()))

    return check


def names(wanted: Collection[str]) -> Check:
    """There are rows of all these names."""

    def check(result: Result) -> Seen:
        found = {row["NAME"].rpartition("/")[2] for row in rows(result.stdout)}
        missing = sorted(set(wanted) - found)
        return Seen(not missing, f"no {listed(missing)}" if missing else listed(sorted(wanted)))

    return check


def says(*words: str) -> Check:
    """The output has all these words; what was seen is the first line that has the first of them."""

    def check(result: Result) -> Seen:
        lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
        if not all(word in " ".join(lines) for word in words):
            return Seen(False, (result.stdout + result.stderr).strip() or "nothing")
        return Seen(True, next((line for line in lines if words[0] in line), listed(words)))

    return check


def lines_with(*words: str) -> Check:
    """At least one line, and each of `words` is somewhere."""

    def check(result: Result) -> Seen:
        seen = finds_lines(result)
        missing = [word for word in words if word not in result.stdout]
        return Seen(False, f"no {listed(missing)} in: {result.stdout.strip()}") if missing and seen.holds else seen

    return check
