"""All objects of a cluster at one moment, and how to come back to it: what makes a test's cluster as good as new.

It works below the API, in etcd: whatever was written since is deleted or put back in a few transactions, of any kind,
in any namespace, finalizers or not. The API server sees it as writes of somebody else (its watches tell everybody), so
it is as if another administrator had done it. Leases of the API server itself are left alone.
"""

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from herald.lab.kubernetes.etcd import Etcd

FIRST, LAST = b"/registry/", b"/registry0"
ITS_OWN = (b"/registry/leases/kube-system/", b"/registry/masterleases/", b"/registry/peerserverleases/")
"""What kube-apiserver writes about itself all the time."""

OPERATIONS = 200
"""In one transaction, for which `Etcd` allows as many; the request has to stay below 1.5 MiB."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Key to value, and the revision of each key's last write."""

    values: dict[bytes, bytes]
    revisions: dict[bytes, int]


def take(etcd: Etcd) -> Snapshot:
    """What is in etcd now."""
    found = list(_entries(etcd, keys_only=False))
    return Snapshot({key: value for key, _, value in found}, {key: revision for key, revision, _ in found})


def restore(etcd: Etcd, wanted: Snapshot) -> tuple[Snapshot, list[bytes]]:
    """Bring etcd back to a snapshot. The snapshot with the revisions of now, and the keys that were touched."""
    current = {key: revision for key, revision, _ in _entries(etcd, keys_only=True)}
    gone = [key for key in current if key not in wanted.values]
    changed = [key for key in wanted.values if current.get(key) != wanted.revisions[key]]
    touched = gone + changed
    written = write(etcd, {key: wanted.values.get(key) for key in touched})
    return Snapshot(wanted.values, wanted.revisions | {key: written[key] for key in changed}), touched


def write(etcd: Etcd, values: Mapping[bytes, bytes | None]) -> dict[bytes, int]:
    """Write values, or delete where there is None, many in one transaction; the revision of each write."""
    revisions: dict[bytes, int] = {}
    keys = list(values)
    for first in range(0, len(keys), OPERATIONS):
        some = keys[first : first + OPERATIONS]
        answer = etcd.ask("/v3/kv/txn", {"success": [_operation(key, values[key]) for key in some]})
        revisions |= dict.fromkeys(some, int(answer["header"]["revision"]))
    return revisions


def _operation(key: bytes, value: bytes | None) -> dict[str, Any]:
    if value is None:
        return {"request_delete_range": {"key": _text(key)}}
    return {"request_put": {"key": _text(key), "value": _text(value)}}


def _entries(etcd: Etcd, *, keys_only: bool) -> Iterator[tuple[bytes, int, bytes]]:
    """Key, revision of its last write, value."""
    request: dict[str, Any] = {"key": _text(FIRST), "range_end": _text(LAST), "keys_only": keys_only}
    for entry in etcd.ask("/v3/kv/range", request).get("kvs", []):
        key = base64.b64decode(entry["key"])
        if not key.startswith(ITS_OWN):
            yield key, int(entry["mod_revision"]), base64.b64decode(entry.get("value", ""))


def _text(octets: bytes) -> str:
    return base64.b64encode(octets).decode()
