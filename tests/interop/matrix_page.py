"""`docs/interoperability.md`: the interop matrix as a page, made from what its tests said when they ran."""

import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from matrix_registry import DAEMONS, FEATURES, KERNEL_NEEDS, LACKS, NOTES

PAGE = Path(__file__).parents[2] / "docs" / "interoperability.md"
Key = tuple[str, str]


class Outcome(Enum):
    """How a cell stands on the page."""

    WORKS = "✓"
    NOT_OFFERED = "–"
    KERNEL_LACKS = "not run"
    FAILED = "failed"
    NO_TEST = "no test"


@dataclass(frozen=True, slots=True)
class Said:
    """What one test said of a cell: how it ended, and why if it was skipped."""

    ended: str
    why: str = ""


def outcomes(said: Mapping[Key, Iterable[Said]]) -> dict[Key, Outcome]:
    """Of every cell of the registry."""
    keys = ((daemon, feature.key) for feature in FEATURES for daemon in DAEMONS)
    return {key: _outcome(list(said.get(key, ()))) for key in keys}


def _outcome(said: list[Said]) -> Outcome:
    """The worst decides, but for tests that could not run beside one that could."""
    if any(one.ended == "failed" for one in said):
        return Outcome.FAILED
    if any(one.ended == "passed" for one in said):
        return Outcome.WORKS
    if any("not offered by" in one.why for one in said):
        return Outcome.NOT_OFFERED
    return Outcome.KERNEL_LACKS if any("kernel" in one.why for one in said) else Outcome.NO_TEST


def page(said: Mapping[Key, Iterable[Said]], versions: Mapping[str, str]) -> str:
    """The page. Raises `ValueError` naming the cells that have failed or did not run."""
    found = outcomes(said)
    bad = [f"{'-'.join(key)}: {one.value}" for key, one in found.items() if one in (Outcome.FAILED, Outcome.NO_TEST)]
    if bad:
        raise ValueError(f"no page is written of a run in which {len(bad)} cells are not proven: {', '.join(bad)}")
    footnotes = Footnotes()
    rows = [
        [f"{feature.title}", *(footnotes.cell((daemon, feature.key), found) for daemon in DAEMONS)]
        for feature in FEATURES
    ]
    head = ["", *(f"{daemon} {versions[daemon]}" for daemon in DAEMONS)]
    seen = [[feature.title, feature.seen] for feature in FEATURES]
    return _TEXT.format(
        kernel=f"Linux {platform.release().partition('-')[0]}",
        matrix=_table(head, rows),
        footnotes="\n".join(footnotes.lines),
        seen=_table(["Feature", "What the daemon is asked for"], seen),
    )


class Footnotes:
    """The sentences below the table, each once, in the order of their first cell."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def cell(self, key: Key, found: Mapping[Key, Outcome]) -> str:
        """A cell as it stands in the table, with the number of its footnote."""
        text = footnote(key, found[key])
        if text is None:
            return found[key].value
        if text not in self.texts:
            self.texts.append(text)
        return f"{found[key].value} <sup>{self.texts.index(text) + 1}</sup>"

    @property
    def lines(self) -> list[str]:
        return [f"{number}. {text}" for number, text in enumerate(self.texts, 1)]


def footnote(key: Key, outcome: Outcome) -> str | None:
    """The sentence about a cell, if there is one."""
    daemon, feature = key
    if outcome is Outcome.KERNEL_LACKS:
        return f"The kernel of this run lacks {KERNEL_NEEDS[feature]}; the test runs where it has them."
    said = LACKS[key].why if outcome is Outcome.NOT_OFFERED else NOTES.get(key)
    return f"{daemon}: {said}." if said else None


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


_TEXT = """# Interoperability

Herald's BGP and BFD are tried against four real daemons, as Debian packages them, each in a network namespace of its
own beside one with Herald. A cell is a test: Herald is configured for the feature, and the test asks the daemon, by its
own command line, what it sees. What Herald believes does not count.

✓ works; – the daemon does not offer it; *not run*: the kernel lacks it. Kernel of this run: {kernel}.

{matrix}

{footnotes}

## What is looked at

{seen}

The tests are `tests/interop/test_interop_matrix.py` and those with the marker `matrix`. This page is written by a run
of them and is not to be edited:

```console
pytest tests/interop -m matrix --write-interoperability
```
"""
