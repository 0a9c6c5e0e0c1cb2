"""How answers reach people and programs: tables, JSON or YAML on standard output, progress on standard error."""

import json
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import click

from herald.report.table import Note, Piece, Table, Tone, plain

if TYPE_CHECKING:
    from rich.console import Console

PATIENCE_S = 1.0
"""After so long somebody at a terminal is told that work goes on."""


class Format(StrEnum):
    """What `-o` takes."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


output_option = click.option(
    "-o",
    "--output",
    type=click.Choice(Format, case_sensitive=False),
    default=Format.TABLE,
    show_default=True,
    help="How to print the answer.",
)

_STYLES = {Tone.PLAIN: "", Tone.GOOD: "green", Tone.WARNING: "yellow", Tone.BAD: "red", Tone.FAINT: "dim"}


def show(output: Format, pieces: Iterable[Piece], document: dict[str, Any]) -> None:
    """Print the answer in the format that was asked for; colour only on a terminal."""
    match output:
        case Format.JSON:
            click.echo(json.dumps(document, indent=2, ensure_ascii=False))
        case Format.YAML:
            click.echo(_yaml(document), nl=False)
        case Format.TABLE if sys.stdout.isatty():
            _draw(pieces)
        case Format.TABLE:
            click.echo(plain(pieces), nl=False)


def _yaml(document: dict[str, Any]) -> str:
    import yaml

    text: str = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, default_flow_style=False)
    return text


def _draw(pieces: Iterable[Piece]) -> None:
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=False)
    first = True
    for piece in pieces:
        if isinstance(piece, Table) and not (piece.rows or piece.empty):
            continue
        if not first:
            console.print()
        first = False
        _draw_piece(console, piece)


def _draw_piece(console: "Console", piece: Piece) -> None:
    from rich import box, table, text

    if isinstance(piece, Note):
        console.print(text.Text(piece.text, style=_STYLES[piece.tone]))
        return
    console.print(text.Text(piece.title, style="bold"))
    if not piece.rows:
        console.print(f"  {piece.empty}", markup=False)
        return
    drawn = table.Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=True, header_style="dim")
    for title in piece.header:
        drawn.add_column(title, overflow="fold")
    for cells in piece.rows:
        drawn.add_row(*(text.Text(cell.text, style=_STYLES[cell.tone]) for cell in cells))
    console.print(drawn)


@contextmanager
def progress(words: str) -> Iterator[None]:
    """Say on a terminal's standard error that `words` is under way, once it takes long; wipe it afterwards."""
    if not sys.stderr.isatty():
        yield
        return
    line = f"herald: {words} …"
    shown = threading.Event()

    def tell() -> None:
        shown.set()
        click.echo(f"\r{line}", nl=False, err=True)

    timer = threading.Timer(PATIENCE_S, tell)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        if shown.is_set():
            click.echo(f"\r{' ' * len(line)}\r", nl=False, err=True)
