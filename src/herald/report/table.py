"""Tables and notes: what is shown, and how it is laid out as text; colours are the business of who prints it."""

import textwrap
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

GAP = "  "
ROOM = 30
"""The last column is wrapped only if so many columns are left to it."""


class Tone(Enum):
    """What a cell or a note tells; a terminal may colour it."""

    PLAIN = "plain"
    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"
    FAINT = "faint"
    TITLE = "title"


@dataclass(frozen=True, slots=True)
class Cell:
    """One entry of a table."""

    text: str
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True, slots=True)
class Table:
    """A titled table; without rows `empty` stands in its place, and without that nothing at all."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    empty: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    """A line of prose between tables."""

    text: str
    tone: Tone = Tone.PLAIN


Piece = Table | Note


def row(*texts: str | Cell) -> tuple[Cell, ...]:
    """The cells of a row; a bare text is a plain one."""
    return tuple(text if isinstance(text, Cell) else Cell(text) for text in texts)


Style = Callable[[str, Tone], str]
"""Makes a piece of text look like its tone, without changing how wide it is."""


def plain(pieces: Iterable[Piece]) -> str:
    """All pieces as bare text, a blank line between them; lines are as long as they are."""
    return draw(pieces, None, lambda text, tone: text)


def draw(pieces: Iterable[Piece], width: int | None, style: Style) -> str:
    """All pieces as text. The last column, and notes, wrap at `width` columns where that leaves them some room."""
    blocks = [block for piece in pieces if (block := "\n".join(_block(piece, width, style)))]
    return "\n\n".join(blocks) + "\n" if blocks else ""


def _block(piece: Piece, width: int | None, style: Style) -> Iterator[str]:
    if isinstance(piece, Note):
        for line in piece.text.split("\n"):
            yield from (style(part, piece.tone) for part in _wrapped(line, width, _hanging(line)))
    elif piece.rows:
        yield style(piece.title, Tone.TITLE)
        yield from _lines(piece, width, style)
    elif piece.empty:
        yield style(piece.title, Tone.TITLE)
        yield GAP + piece.empty


def _lines(table: Table, width: int | None, style: Style) -> Iterator[str]:
    rows = [tuple(Cell(text, Tone.FAINT) for text in table.header), *table.rows]
    widths = [max(len(cells[column].text) for cells in rows) for column in range(len(table.header))]
    indent = sum(len(GAP) + w for w in widths[:-1]) + len(GAP)
    for cells in rows:
        *fixed, last = cells
        start = "".join(GAP + style(cell.text.ljust(w), cell.tone) for cell, w in zip(fixed, widths, strict=False))
        first, *more = _wrapped(last.text, None if width is None else width - indent, 0)
        yield (start + GAP + style(first, last.tone)).rstrip()
        yield from (" " * indent + style(part, last.tone) for part in more)


def _wrapped(text: str, width: int | None, hanging: int) -> list[str]:
    if width is None or width - hanging < ROOM or len(text) <= width:
        return [text]
    return textwrap.wrap(text, width, subsequent_indent=" " * hanging, break_long_words=False, break_on_hyphens=False)


def _hanging(line: str) -> int:
    """Where the words of a titled line (`L2         node-1 answers`) begin: further lines start there too."""
    title, gap, _ = line.partition("  ")
    return len(line) - len(line[len(title) :].lstrip()) if gap and title.isupper() else len(line) - len(line.lstrip())
