"""The figures of gossip: what is written is what was measured, and the chart is SVG that holds every point."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from herald.lab.swim_simulation import __main__ as command
from herald.lab.swim_simulation import figures
from herald.lab.swim_simulation.cell import Cell
from herald.lab.swim_simulation.chart import Chart, Line, svg
from herald.lab.swim_simulation.measure import calm, healing
from herald.swim.profile import HERALD

DOCS = Path(__file__).parents[2] / "docs"
SVG = "{http://www.w3.org/2000/svg}"
CELLS = [
    Cell("herald", 10, 0.0, 40, 0.52, 0.55, 0.76, 1600, 20.0, 0, 0, 7200, 0.04, 9.0),
    Cell("herald", 1000, 0.0, 1, 1.39, 1.51, 1.51, 2700, 20.0, 0, 0, 3600, None, 90.0),
    Cell("lan", 10, 0.05, 40, 5.4, 5.6, 7.6, 370, 2.5, 4, 1, 3600, 1.2, 9.0),
]


def test_the_page_and_the_chart_are_those_of_the_kept_cells() -> None:
    cells = figures.load(DOCS)
    assert {one.members for one in cells} >= {10, 100, 1000, 5000}
    page = (DOCS / figures.PAGE).read_text()
    assert figures.with_figures(page, cells) == page
    assert (DOCS / figures.CHART).read_text() == figures.chart(cells)


def test_the_kept_cells_meet_what_the_default_profile_promises() -> None:
    ours = {one.key: one for one in figures.load(DOCS) if one.profile == "herald" and one.loss <= 0.05}
    assert all(one.last_worst < 1.0 for one in ours.values() if one.members <= 10)
    assert all(one.last_worst < 2.0 for one in ours.values() if one.members <= 100)
    assert [one.key for one in ours.values() if one.wronged] == []


def test_what_is_written_is_read_again_and_a_page_without_a_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / figures.PAGE).write_text(f"# Before\n\n{figures.BEGIN}\nold\n{figures.END}\n\nafter\n")
    figures.write(tmp_path, CELLS)
    figures.write(tmp_path, CELLS)
    assert figures.load(tmp_path) == CELLS
    page = (tmp_path / figures.PAGE).read_text()
    assert page.startswith("# Before\n")
    assert page.endswith("\nafter\n")
    assert "| herald | 1,000 | 0% | 1.39 s | 1.51 s | 1.51 s (1) | 0 in 1.0 h | 2,700 | 20 | – |" in page
    assert "old" not in page
    with pytest.raises(ValueError, match="lacks the lines"):
        figures.with_figures("# Nothing", CELLS)


def test_a_chart_draws_every_point_within_its_frame_and_smaller_values_lower() -> None:
    line = Line("a < b", "#123456", "2 2", [(1, 0.5), (10, 5.0), (100, 50.0)])
    root = ElementTree.fromstring(svg([Chart("title", "x", "y", [1, 10, 100], [line])]))
    dots = [(float(one.attrib["cx"]), float(one.attrib["cy"])) for one in root.iter(f"{SVG}circle")]
    assert len(dots) == 3
    assert dots == sorted(dots, key=lambda dot: (dot[0], -dot[1]))
    assert dots[1][1] == pytest.approx((dots[0][1] + dots[2][1]) / 2, abs=0.2), "both axes are logarithmic"
    assert "a < b" in {one.text for one in root.iter(f"{SVG}text")}


def test_a_small_group_is_measured() -> None:
    assert healing(5, HERALD, seed=1, loss=0.0).last < 2.0
    quiet = calm(5, HERALD, seed=1, loss=0.0, seconds=5.0)
    assert 500 < quiet.octets < 5000
    assert quiet.false_deaths == 0


def test_the_command_takes_profiles_and_refuses_what_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(["--profile", "fast"])
    assert "invalid choice" in capsys.readouterr().err
