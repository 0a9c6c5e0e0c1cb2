"""Events beside the manifests: `.herald/events.jsonl`, one JSON object a line, the newest last.

The file is turned over once to `events.1.jsonl` when it is full, so at most two files of `LIMIT_OCTETS` stand there.
"""

from datetime import datetime
from pathlib import Path

import msgspec

from herald.store import durable
from herald.store.store import Event

LIMIT_OCTETS = 1 << 20


def encode(event: Event, when: datetime) -> bytes:
    """One line, with its line end."""
    return (
        msgspec.json.encode(
            {
                "time": when.isoformat(timespec="milliseconds"),
                "type": event.type.value,
                "reason": event.reason,
                "kind": event.about.kind,
                "namespace": event.about.namespace,
                "name": event.about.name,
                "message": event.message,
            }
        )
        + b"\n"
    )


def append(path: Path, line: bytes) -> None:
    """Add a line, turning the file over if it is full. Raises OSError."""
    if path.exists() and path.stat().st_size + len(line) > LIMIT_OCTETS:
        path.replace(path.with_name(f"{path.stem}.1{path.suffix}"))
    durable.append(path, line)
