"""The page of the interop matrix says what the registry has, no more and no less, and every cell has its test."""

import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import matrix_page
import pytest
from matrix_page import Key, Outcome, Said
from matrix_registry import DAEMONS, FEATURES, KERNEL_NEEDS, LACKS, NOTES

CELLS = [(daemon, feature.key) for feature in FEATURES for daemon in DAEMONS]
PASSED, FAILED = Said("passed"), Said("failed")
LACKING = Said("skipped", "Skipped: not offered by GoBGP 3.10.0: it has no BFD")
KERNEL = Said("skipped", "Skipped: this kernel lacks VRF devices")


def table(number: int) -> list[list[str]]:
    """The rows of a table of the page, with the head and without the line below it."""
    tables = re.findall(r"(?:^\|.*\n)+", matrix_page.PAGE.read_text(), re.MULTILINE)
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in tables[number].splitlines()]
    return [rows[0], *rows[2:]]


def test_the_page_has_exactly_the_features_and_the_daemons_of_the_registry() -> None:
    head, *rows = table(0)
    assert [name.split()[0] for name in head[1:]] == list(DAEMONS)
    assert [row[0] for row in rows] == [feature.title for feature in FEATURES]
    assert table(1)[1:] == [[feature.title, feature.seen] for feature in FEATURES]


@pytest.mark.parametrize("key", CELLS, ids="-".join)
def test_a_cell_of_the_page_is_as_in_the_registry_and_its_footnote_is_that_of_the_registry(key: Key) -> None:
    daemon, feature = key
    row = [one.key for one in FEATURES].index(feature)
    sign, _, number = table(0)[1 + row][1 + DAEMONS.index(daemon)].removesuffix("</sup>").partition(" <sup>")
    outcome = Outcome(sign)
    assert (outcome is Outcome.NOT_OFFERED) == (key in LACKS)
    assert outcome is not Outcome.KERNEL_LACKS or feature in KERNEL_NEEDS
    expected = matrix_page.footnote(key, outcome)
    found = re.search(rf"^{number}\. (.*)$", matrix_page.PAGE.read_text(), re.MULTILINE) if number else None
    assert (found[1] if found else None) == expected


def test_the_page_has_no_other_footnotes() -> None:
    text = matrix_page.PAGE.read_text()
    assert set(re.findall(r"^(\d+)\. ", text, re.MULTILINE)) == set(re.findall(r"<sup>(\d+)</sup>", text))


def test_notes_and_lacks_are_of_cells_that_there_are() -> None:
    assert {*LACKS, *NOTES} <= set(CELLS)
    assert not LACKS.keys() & NOTES.keys()


def marked() -> Iterator[Key]:
    """The cells that tests say they prove."""
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        if "mark.matrix(" not in path.read_text() or path == Path(__file__):
            continue
        for one in vars(importlib.import_module(path.stem)).values():
            for mark in getattr(one, "pytestmark", ()) if callable(one) else ():
                values = mark.args[1] if mark.name == "parametrize" else ()
                of_values = (inner for value in values for inner in getattr(value, "marks", ()))
                yield from (inner.args for inner in (mark, *of_values) if inner.name == "matrix")


def test_every_cell_has_a_test_and_every_mark_is_of_a_cell() -> None:
    assert set(marked()) == set(CELLS)


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ([], Outcome.NO_TEST),
        ([PASSED], Outcome.WORKS),
        ([PASSED, FAILED], Outcome.FAILED),
        ([PASSED, KERNEL], Outcome.WORKS),
        ([KERNEL], Outcome.KERNEL_LACKS),
        ([LACKING], Outcome.NOT_OFFERED),
        ([Said("skipped", "Skipped: needs root")], Outcome.NO_TEST),
    ],
)
def test_the_worst_decides_but_what_could_not_run_beside_what_could(said: list[Said], outcome: Outcome) -> None:
    assert matrix_page.outcomes({("FRR", "vrf"): said})["FRR", "vrf"] is outcome


def test_no_page_is_written_of_a_run_that_leaves_a_cell_open() -> None:
    said = {key: [PASSED] for key in CELLS}
    versions = dict.fromkeys(DAEMONS, "1")
    assert "| IPv4 routes over IPv4 | ✓ | ✓ | ✓ | ✓ |" in matrix_page.page(said, versions)
    with pytest.raises(ValueError, match="1 cells are not proven: BIRD-md5: failed"):
        matrix_page.page(said | {("BIRD", "md5"): [FAILED]}, versions)
