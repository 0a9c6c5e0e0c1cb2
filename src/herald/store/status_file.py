"""Statuses beside the manifests: `.herald/status/<kind>.<namespace>.<name>.yaml`, kind in lower case.

    metadata:
      annotations:
        metallb.io/ip-allocated-from-pool: production      # null: the manifest's own is taken away
    status:
      loadBalancer:
        ingress: [{ip: 192.168.1.200}]

What stands there is laid over the object when it is read: annotations are merged, `status` replaces. A file without
`status` (`herald drain` writes such for a Node) leaves the object's own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import msgspec
import yaml

from herald.config.findings import ObjectKey
from herald.store.store import KINDS, ClusterObject, StatusPatch

_KINDS_BY_FILE_NAME = {kind.lower(): kind for kind in KINDS}


@dataclass(frozen=True, slots=True)
class Overlay:
    """What a status file says."""

    status: Mapping[str, Any] | None = field(default_factory=dict)
    annotations: Mapping[str, str | None] = field(default_factory=dict)

    def patched(self, patch: StatusPatch) -> "Overlay":
        return Overlay(patch.status, {**self.annotations, **patch.annotations})


class StatusFileError(ValueError):
    """The file is not what `encode` writes. The message names what is wrong with it."""


def file_name(key: ObjectKey) -> str:
    """The status file of an object. Names are quoted, so that none leads out of the folder."""
    return f"{key.kind.lower()}.{quote(key.namespace, safe='')}.{quote(key.name, safe='')}.yaml"


def key_of(path: Path) -> ObjectKey | None:
    """The object whose status file this is; None for any other file."""
    parts = path.name.removesuffix(".yaml").split(".", 2)
    if path.suffix != ".yaml" or len(parts) != 3 or parts[0] not in _KINDS_BY_FILE_NAME:
        return None
    return ObjectKey(_KINDS_BY_FILE_NAME[parts[0]], unquote(parts[1]), unquote(parts[2]))


def encode(overlay: Overlay) -> bytes:
    content: dict[str, Any] = {"metadata": {"annotations": dict(overlay.annotations)}}
    if overlay.status is not None:
        content["status"] = dict(overlay.status)
    return yaml.dump(content, Dumper=yaml.CSafeDumper, sort_keys=True).encode()


def decode(content: bytes) -> Overlay:
    """What a status file says. Raises StatusFileError."""
    try:
        read = yaml.load(content, Loader=yaml.CSafeLoader)
        return _to_overlay(msgspec.convert(read or {}, _StatusFile))
    except (yaml.YAMLError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise StatusFileError(" ".join(str(error).split())) from error


class _Metadata(msgspec.Struct, frozen=True):
    annotations: dict[str, str | None] = {}


class _StatusFile(msgspec.Struct, frozen=True):
    metadata: _Metadata = _Metadata()
    status: dict[str, Any] | None = None


def _to_overlay(read: _StatusFile) -> Overlay:
    return Overlay(read.status, read.metadata.annotations)


def laid_over(item: ClusterObject, overlay: Overlay) -> ClusterObject:
    """`item` as it reads with the status file laid over it. Raises StatusFileError if the status is not of its kind."""
    annotations = {**item.metadata.annotations, **overlay.annotations}
    kept = {name: value for name, value in annotations.items() if value is not None}
    changes: dict[str, Any] = {"metadata": msgspec.structs.replace(item.metadata, annotations=kept)}
    status = next((entry for entry in msgspec.structs.fields(item) if entry.name == "status"), None)
    if status is not None and overlay.status is not None:
        try:
            changes["status"] = msgspec.convert(overlay.status, status.type) if overlay.status else status.default
        except msgspec.ValidationError as error:
            raise StatusFileError(str(error)) from error
    return msgspec.structs.replace(item, **changes)
