"""Tables, entries and notes: what is shown, and how it is laid out; colours are the business of who prints it.

A table that is too wide becomes a list of its rows, one below the other. Entries are for texts that no column holds.
"""

import textwrap
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

GAP = "  "
ROOM = 30
"""So many columns must be left to the last column of a table, or to words that are wrapped."""


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
class Entry:
    """A line of a few words, and the sentences below it."""

    head: tuple[Cell, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Entries:
    """A titled list; nothing at all without entries."""

    title: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Note:
    """A line of prose between tables."""

    text: str
    tone: Tone = Tone.PLAIN


Piece = Table | Entries | Note


def row(*texts: str | Cell) -> tuple[Cell, ...]:
    """The cells of a row; a bare text is a plain one."""
    return tuple(text if isinstance(text, Cell) else Cell(text) for text in texts)


Style = Callable[[str, Tone], str]
"""Makes a piece of text look like its tone, without changing how wide it is."""


def plain(pieces: Iterable[Piece]) -> str:
    """All pieces as bare text, a blank line between them; lines are as long as they are."""
    return draw(pieces, None, lambda text, tone: text)


def draw(pieces: Iterable[Piece], width: int | None, style: Style) -> str:
    """All pieces as text that keeps within `width` columns, as far as single words and a few columns allow."""
    blocks = [block for piece in pieces if (block := "\n".join(_block(piece, width, style)))]
    return "\n\n".join(blocks) + "\n" if blocks else ""


def _block(piece: Piece, width: int | None, style: Style) -> Iterator[str]:
    match piece:
        case Note():
            for line in piece.text.split("\n"):
                yield from (style(part, piece.tone) for part in _wrapped(line, width, _hanging(line)))
        case Entries() if piece.entries:
            yield style(piece.title, Tone.TITLE)
            for entry in piece.entries:
                yield from _head(entry.head, width, style)
                yield from _indented(Cell(entry.text), 2 * GAP, width, style)
        case Table() if piece.rows:
            yield style(piece.title, Tone.TITLE)
            yield from _lines(piece, width, style)
        case Table() if piece.empty:
            yield style(piece.title, Tone.TITLE)
            yield GAP + piece.empty


def _lines(table: Table, width: int | None, style: Style) -> Iterator[str]:
    rows = [tuple(Cell(text, Tone.FAINT) for text in table.header), *table.rows]
    widths = [max(len(cells[column].text) for cells in rows) for column in range(len(table.header))]
    indent = sum(len(GAP) + w for w in widths[:-1]) + len(GAP)
    if width is not None and width - indent < min(ROOM, widths[-1]):
        yield from _one_below_the_other(table, width, style)
        return
    for cells in rows:
        *fixed, last = cells
        start = "".join(GAP + style(cell.text.ljust(w), cell.tone) for cell, w in zip(fixed, widths, strict=False))
        first, *more = _wrapped(last.text, None if width is None else width - indent, 0)
        yield (start + GAP + style(first, last.tone)).rstrip()
        yield from (" " * indent + style(part, last.tone) for part in more)


def _head(cells: Iterable[Cell], width: int | None, style: Style) -> Iterator[str]:
    """The cells side by side; one that does not fit any more begins a line."""
    first, *others = cells
    line, used = GAP + style(first.text, first.tone), len(GAP + first.text)
    for cell in others:
        if width is not None and used + 1 + len(cell.text) > width:
            yield line
            line, used = 2 * GAP + style(cell.text, cell.tone), len(2 * GAP + cell.text)
        else:
            line, used = f"{line} {style(cell.text, cell.tone)}", used + 1 + len(cell.text)
    yield line


def _one_below_the_other(table: Table, width: int, style: Style) -> Iterator[str]:
    """Each row as its first cell, and below it the others, each behind the name of its column."""
    _, *names = table.header
    longest = max((len(name) for name in names), default=0)
    for first, *others in table.rows:
        yield GAP + style(first.text, first.tone)
        for name, cell in zip(names, others, strict=True):
            if cell.text:
                start = f"{2 * GAP}{name.ljust(longest)}{GAP}"
                head, *more = _indented(cell, " " * len(start), width, style)
                yield style(start, Tone.FAINT) + head.lstrip()
                yield from more


def _indented(cell: Cell, indent: str, width: int | None, style: Style) -> Iterator[str]:
    for part in _wrapped(cell.text, None if width is None else max(width - len(indent), ROOM), 0):
        yield indent + style(part, cell.tone)


def _wrapped(text: str, width: int | None, hanging: int) -> list[str]:
    if width is None or width - hanging < ROOM or len(text) <= width:
        return [text]
    indent = " " * hanging
    return textwrap.wrap(text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False) or [""]


def _hanging(line: str) -> int:
    """Where the words of a titled line (`L2         node-1 answers`) begin: further lines start there too."""
    title, gap, _ = line.partition("  ")
    return len(line) - len(line[len(title) :].lstrip()) if gap and title.isupper() else len(line) - len(line.lstrip())
