"""How tables and notes are laid out."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from herald.report.table import GAP, Cell, Entries, Entry, Note, Table, Tone, draw, plain, row

TABLE = Table("TITLE", ("A", "LONGER"), (row("1", "x"), row("four", "y")))


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert plain([TABLE]) == "TITLE\n  A     LONGER\n  1     x\n  four  y\n"


def test_a_table_without_rows_says_so_or_is_left_out() -> None:
    assert plain([Table("NONE", ("A",), (), "nothing here"), Table("GONE", ("A",), ()), Note("end")]) == (
        "NONE\n  nothing here\n\nend\n"
    )


def test_no_pieces_are_no_text() -> None:
    assert plain([]) == ""


def test_only_the_last_column_wraps_and_only_if_there_is_room() -> None:
    words = " ".join(["word"] * 12)
    table = Table("T", ("A", "B"), (row("left", words),))
    wrapped = draw([table], 48, lambda text, tone: text).splitlines()
    assert wrapped[2].startswith("  left  word")
    assert wrapped[3].startswith("        word")


def test_a_table_that_is_too_wide_shows_its_rows_one_below_the_other() -> None:
    table = Table("T", ("A", "NODES", "C"), (row("first", "node-1", " ".join(["word"] * 8)), row("second", "", "x")))
    assert draw([table], 40, lambda text, tone: text).splitlines() == [
        "T",
        "  first",
        "    NODES  node-1",
        "    C      word word word word word word",
        "           word word",
        "  second",
        "    C      x",
    ]


def test_entries_wrap_below_their_heads_at_any_width() -> None:
    entries = Entries("PROBLEMS", (Entry(row("warning", "HL002", "L2Advertisement ns/l", "(a.yaml:7)"), "word " * 9),))
    assert draw([entries], 42, lambda text, tone: text).splitlines() == [
        "PROBLEMS",
        "  warning HL002 L2Advertisement ns/l",
        "    (a.yaml:7)",
        "    word word word word word word word",
        "    word word",
    ]
    assert draw([Entries("NONE", ())], 42, lambda text, tone: text) == ""


def test_titled_lines_wrap_below_their_words() -> None:
    note = Note("L2         " + " ".join(["word"] * 20))
    first, second, *_ = draw([note], 60, lambda text, tone: text).splitlines()
    assert first.startswith("L2         word")
    assert second.startswith("           word")


@given(st.lists(st.tuples(st.text("ab ", max_size=30), st.text("ab ", max_size=90)), max_size=5), st.integers(10, 100))
def test_wrapping_loses_no_word(cells: list[tuple[str, str]], width: int) -> None:
    table = Table("T", ("A", "B"), tuple(row(*texts) for texts in cells))
    drawn = Counter(draw([table], width, lambda text, tone: text).split())
    assert Counter(word for texts in cells for text in texts for word in text.split()) <= drawn


def test_colours_do_not_move_columns() -> None:
    table = Table("T", ("A", "B"), ((Cell("x", Tone.BAD), Cell("y")), row("xx", "y")))
    coloured = draw([table], None, lambda text, tone: f"<{text}>").replace("<", "").replace(">", "")
    assert [line.rstrip() for line in coloured.splitlines()] == plain([table]).splitlines()
    assert GAP in coloured
