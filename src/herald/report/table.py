"""Tables and notes: what is shown, before anybody decides how it is drawn. `plain` draws it as bare text."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

GAP = "  "


class Tone(Enum):
    """What a cell or a note tells; a terminal may colour it."""

    PLAIN = "plain"
    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"
    FAINT = "faint"


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


def plain(pieces: Iterable[Piece]) -> str:
    """All pieces as text, a blank line between them."""
    blocks = [block for piece in pieces if (block := _block(piece))]
    return "\n\n".join(blocks) + "\n" if blocks else ""


def _block(piece: Piece) -> str:
    if isinstance(piece, Note):
        return piece.text
    if not piece.rows:
        return f"{piece.title}\n{GAP}{piece.empty}" if piece.empty else ""
    lines = [piece.header, *(tuple(cell.text for cell in cells) for cells in piece.rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(piece.header))]
    return "\n".join([piece.title, *(_line(line, widths) for line in lines)])


def _line(texts: tuple[str, ...], widths: list[int]) -> str:
    cells = (text.ljust(width) for text, width in zip(texts, widths, strict=True))
    return (GAP + GAP.join(cells)).rstrip()
