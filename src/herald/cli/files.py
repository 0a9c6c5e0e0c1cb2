"""What `-f` names, read: files, folders (all YAML and JSON below, in order), and `-` for standard input."""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import click

SUFFIXES = (".yaml", ".yml", ".json")
STANDARD_INPUT = "-"


class UnreadableInputError(click.ClickException):
    """Input that cannot be read at all; exit code 2, as for wrong usage."""

    exit_code = 2


def read(paths: Sequence[str]) -> list[tuple[str, str]]:
    """(source, text) of everything that `paths` name, each file once. Raises UnreadableInputError."""
    seen: set[Path] = set()
    texts: list[tuple[str, str]] = []
    for path in paths:
        if path == STANDARD_INPUT:
            texts.append(("<stdin>", _decode(sys.stdin.buffer.read())))
            continue
        for file in files_below(Path(path)):
            if file.resolve() not in seen:
                seen.add(file.resolve())
                texts.append((str(file), _text(file)))
    return texts


def files_below(path: Path) -> Iterable[Path]:
    """The file itself, or every manifest file in the folder, sorted by path. Hidden folders and files are left out."""
    if not path.is_dir():
        return (path,)
    found = sorted(_walk(path))
    if not found:
        raise UnreadableInputError(
            f"{path}: no {', '.join('*' + suffix for suffix in SUFFIXES)} file is in this folder"
        )
    return found


def _walk(folder: Path) -> Iterator[Path]:
    for directory, subfolders, names in os.walk(folder, onerror=_refuse):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        for name in names:
            if name.endswith(SUFFIXES) and not name.startswith("."):
                yield Path(directory) / name


def _refuse(error: OSError) -> None:
    raise UnreadableInputError(f"{error.filename}: {error.strerror}") from error


def _text(file: Path) -> str:
    try:
        return _decode(file.read_bytes())
    except FileNotFoundError:
        raise UnreadableInputError(f"{file}: there is no such file or folder") from None
    except OSError as error:
        raise UnreadableInputError(f"{file}: {error.strerror}") from error


def _decode(data: bytes) -> str:
    # What is not UTF-8 stays in the text as lone surrogates, which no YAML may hold: the reader names file and place.
    return data.decode("utf-8-sig", errors="surrogateescape")
