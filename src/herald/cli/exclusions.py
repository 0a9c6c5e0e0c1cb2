"""The interfaces that speakers leave alone: MetalLB's exclusion list, read from its file.

    # /etc/metallb/excludel2.yaml, where the ConfigMap metallb-excludel2 is mounted
    announcedInterfacesToExclude: ["^docker.*", "^veth.*", "^lo$"]

It is read once, when a speaker starts. Patterns are regular expressions and match anywhere in a name. Without the file
the list that MetalLB ships is in force: on a plain host nobody has mounted one, and answering on bridges of containers
helps nobody. A file that cannot be understood ends the speaker before it announces anything on the wrong interface.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
import yaml

from herald.layer2.link import Exclusion

F = TypeVar("F", bound=Callable[..., Any])
DEFAULT_PATH = Path("/etc/metallb/excludel2.yaml")
KEY = "announcedInterfacesToExclude"

exclusions_option = click.option(
    "--exclude-interfaces-file",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help=f"List of interfaces that never answer ARP ({KEY}).  [default: {DEFAULT_PATH}, if it is there]",
)


class ExclusionFileError(click.ClickException):
    """The list cannot be used; exit code 2, as for other input that cannot be read."""

    exit_code = 2


def supervisor_words(path: Path | None) -> list[str]:
    """What the file says, as arguments of `herald.speaker.supervisor`; none to leave the default list in force."""
    patterns = read(path or DEFAULT_PATH, needed=path is not None)
    if patterns is None:
        return []
    return [f"--exclude-interface={pattern}" for pattern in patterns] or ["--exclude-no-interface"]


def read(path: Path, *, needed: bool) -> tuple[str, ...] | None:
    """The patterns in the file; None if there is no file and none is needed. Raises `ExclusionFileError`."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        if not needed:
            return None
        raise ExclusionFileError(f"{path}: there is no such file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ExclusionFileError(f"{path}: cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise ExclusionFileError(f"{path}: is not YAML: {' '.join(str(error).split())}") from error
    return _patterns(path, document)


def _patterns(path: Path, document: object) -> tuple[str, ...]:
    if document is None:
        return ()
    if not isinstance(document, dict):
        raise ExclusionFileError(f"{path}: a mapping with the key {KEY} is needed, not a {type(document).__name__}")
    patterns = document.get(KEY)
    if patterns is None:
        return ()
    if not isinstance(patterns, list) or not all(isinstance(one, str) for one in patterns):
        raise ExclusionFileError(f"{path}: {KEY} must be a list of regular expressions in quotes")
    try:
        return Exclusion(patterns).patterns
    except ValueError as error:
        raise ExclusionFileError(f"{path}: {error}") from error
