"""What running processes have written beside the manifests of a folder, laid over what was read from it.

The addresses that Services have, and the mark of `herald drain` on a Node, stand in `.herald/status` of the folder: see
`herald.store.status_file`. Without them a plan would be about a folder that nobody has run.
"""

from collections.abc import Iterable, Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import click

from herald.config.collect import Collected
from herald.config.findings import ObjectKey
from herald.store import status_file
from herald.store.folder import Layout
from herald.store.status_file import Overlay, StatusFileError


def with_statuses(found: Collected, paths: Iterable[str]) -> Collected:
    """`found` as the processes that run on the folders among `paths` see it. What cannot be read is warned of."""
    overlays = {key: one for path in map(Path, paths) if path.is_dir() for key, one in _statuses(Layout(path))}
    if not overlays:
        return found
    kinds = {
        kind.name: tuple(_laid_over(item, overlays) for item in getattr(found.resources, kind.name))
        for kind in fields(found.resources)
    }
    return replace(found, resources=replace(found.resources, **kinds))


def _statuses(layout: Layout) -> Iterator[tuple[ObjectKey, Overlay]]:
    for path in sorted(layout.statuses.glob("*.yaml")):
        key = status_file.key_of(path) if layout.is_status(path) else None
        if key is None:
            continue
        try:
            yield key, status_file.decode(path.read_bytes())
        except (OSError, StatusFileError) as error:
            click.echo(f"Warning: {path} cannot be read, so it does not count: {error}", err=True)


def _laid_over(item: Any, overlays: dict[ObjectKey, Overlay]) -> Any:
    key = ObjectKey.of(item)
    if key not in overlays:
        return item
    try:
        return status_file.laid_over(item, overlays[key])
    except StatusFileError as error:
        click.echo(f"Warning: the status of {key.kind} {key.name} does not count: {error}", err=True)
        return item
