"""Since when the objects of a folder exist: `.herald/first-seen.jsonl`, so that "the older one wins" means something.

A manifest has no creation time. The controller notes when it first saw an object and when it found it gone; everybody
reads the notes. Later lines overrule earlier ones:

    {"object": "IPAddressPool metallb-system/production", "since": "2026-01-31T12:00:00Z"}
    {"object": "IPAddressPool metallb-system/production", "since": null}
"""

from collections.abc import Iterable

import msgspec

from herald.config.findings import ObjectKey
from herald.store.store import ClusterObject


class _Line(msgspec.Struct, frozen=True):
    object: str
    since: str | None = None


_decoder = msgspec.json.Decoder(_Line)


def decode(content: bytes) -> dict[ObjectKey, str | None]:
    """What the lines of `content` come to, the last line of each object counting.

    A line that is not ours (cut by a crash, edited) is passed over: only the order of age is lost with it.
    """
    notes: dict[ObjectKey, str | None] = {}
    for line in content.splitlines():
        try:
            entry = _decoder.decode(line)
        except msgspec.DecodeError:
            continue
        notes[_parse(entry.object)] = entry.since
    return notes


def encode(entries: Iterable[tuple[ObjectKey, str | None]]) -> bytes:
    """Lines for objects first seen at a time, or found gone (None)."""
    return b"".join(msgspec.json.encode({"object": _text(key), "since": since}) + b"\n" for key, since in entries)


def dated(item: ClusterObject, since: str | None) -> ClusterObject:
    """`item` with its creation time filled in where the manifest has none."""
    if since is None or item.metadata.creation_timestamp is not None:
        return item
    return msgspec.structs.replace(item, metadata=msgspec.structs.replace(item.metadata, creation_timestamp=since))


def _text(key: ObjectKey) -> str:
    return f"{key.kind} {key.namespace}/{key.name}"


def _parse(text: str) -> ObjectKey:
    kind, _, rest = text.partition(" ")
    namespace, _, name = rest.partition("/")
    return ObjectKey(kind, namespace, name)
