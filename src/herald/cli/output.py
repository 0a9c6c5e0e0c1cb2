"""How answers reach people and programs: tables, JSON or YAML on standard output, progress on standard error."""

import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Any, assert_never

import click

from herald.report.table import Piece, Tone, draw, plain

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
    default=Format.TABLE.value,
    show_default=True,
    help="How to print the answer.",
)


def show(output: Format, pieces: Callable[[], Iterable[Piece]], document: Callable[[], dict[str, Any]]) -> None:
    """Print the answer in the format that was asked for, and make no other; colour only on a terminal."""
    match output:
        case Format.JSON:
            click.echo(_json(document()))
        case Format.YAML:
            click.echo(_yaml(document()), nl=False)
        case Format.TABLE if sys.stdout.isatty():
            click.echo(_draw(pieces()), nl=False)
        case Format.TABLE:
            click.echo(plain(pieces()), nl=False)


def _json(document: dict[str, Any]) -> bytes:
    # The standard library's encoder needs seconds for the routes of some thousand Services when it is to indent them.
    import msgspec

    return msgspec.json.format(msgspec.json.encode(document), indent=2)


def _yaml(document: dict[str, Any]) -> str:
    import yaml

    text: str = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, default_flow_style=False)
    return text


def _draw(pieces: Iterable[Piece]) -> str:
    return draw(pieces, shutil.get_terminal_size().columns, _bare if os.environ.get("NO_COLOR") else _coloured)


def _bare(text: str, tone: Tone) -> str:
    return text


def _coloured(text: str, tone: Tone) -> str:
    match tone:
        case Tone.PLAIN:
            return text
        case Tone.TITLE:
            return click.style(text, bold=True)
        case Tone.FAINT:
            return click.style(text, dim=True)
        case Tone.GOOD:
            return click.style(text, fg="green")
        case Tone.WARNING:
            return click.style(text, fg="yellow")
        case Tone.BAD:
            return click.style(text, fg="red")
    assert_never(tone)


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
