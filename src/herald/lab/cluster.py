"""The Kubernetes of the lab: a folder of manifests, one object per file, changed the way kubectl changes a cluster.

Herald reads the folder as its directory store. What the API server does on the way in (`metadata.namespace`,
`creationTimestamp`, `status` left alone) is done here; nothing is validated, so that Herald sees what a user wrote.
Files are replaced in one step, so that nobody ever reads half of one.
"""

import copy
import datetime
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from herald.api import yaml_value

Object = dict[str, Any]

CLUSTER_SCOPED = frozenset({"Node", "Namespace"})


class NoSuchObjectError(Exception):
    """kubectl would have said `NotFound`."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A folder of manifests. `scratch` is a folder of the same file system in which files are written first."""

    directory: Path
    scratch: Path

    def apply(self, text: str) -> list[str]:
        """`kubectl apply -f -`: create or replace every object in `text`; their names, as `kind/name`."""
        return [self.put(document) for document in documents(text)]

    def put(self, given: Object) -> str:
        """Create or replace one object; its name, as `kind/name`."""
        document = copy.deepcopy(given)
        metadata = document.setdefault("metadata", {})
        if document["kind"] not in CLUSTER_SCOPED:
            metadata.setdefault("namespace", "default")
        path = self._path(document["kind"], metadata.get("namespace"), metadata["name"])
        before = documents(path.read_text())[0] if path.exists() else {}
        metadata["creationTimestamp"] = before.get("metadata", {}).get("creationTimestamp") or _now()
        self._write(path, document)
        return f"{document['kind'].lower()}/{metadata['name']}"

    def get(self, kind: str, namespace: str | None, name: str) -> Object:
        """One object as it stands. NoSuchObjectError when there is none."""
        path = self._path(kind, namespace, name)
        if not path.exists():
            raise NoSuchObjectError(f"there is no {kind} {name} in {self.directory}")
        return documents(path.read_text())[0]

    def delete(self, kind: str, namespace: str | None, *names: str) -> None:
        """`kubectl delete KIND NAME…`. NoSuchObjectError when one does not exist."""
        for name in names:
            self.get(kind, namespace, name)
            self._path(kind, namespace, name).unlink()

    def patch(self, kind: str, namespace: str | None, name: str, operations: Iterable[Mapping[str, Any]]) -> None:
        """`kubectl patch --type=json`: `add`, `replace` and `remove` of object members (RFC 6902)."""
        document = self.get(kind, namespace, name)
        for operation in operations:
            patched(document, operation)
        self._write(self._path(kind, namespace, name), document)

    def label_node(self, name: str, **labels: str | None) -> None:
        """`kubectl label node NAME key=value…`; None removes a label. Underscores in keys stand for hyphens."""
        self.label("Node", None, name, {key.replace("_", "-"): value for key, value in labels.items()})

    def label(self, kind: str, namespace: str | None, name: str, labels: Mapping[str, str | None]) -> None:
        """`kubectl label KIND NAME key=value…`; None removes a label."""
        document = self.get(kind, namespace, name)
        present = document["metadata"].setdefault("labels", {})
        for key, value in labels.items():
            if value is None:
                present.pop(key, None)
            else:
                present[key] = value
        self._write(self._path(kind, namespace, name), document)

    def add_nodes(self, addresses: Mapping[str, str]) -> None:
        """The Node objects of a cluster whose nodes have these names and addresses, and its usual namespaces."""
        for name, address in addresses.items():
            self.put(node(name, address))
        for name in ("default", "metallb-system"):
            self.put(namespace(name))

    def status(self, kind: str, namespace: str | None, name: str) -> Object:
        """The `status` that Herald's controller keeps for an object beside the folder; empty when there is none yet."""
        path = self.directory / ".herald" / "status" / f"{kind.lower()}.{namespace or ''}.{name}.yaml"
        try:
            document = yaml.safe_load(path.read_text())
        except FileNotFoundError:
            return {}
        return dict((document or {}).get("status") or {})

    def _path(self, kind: str, namespace: str | None, name: str) -> Path:
        words = (kind.lower(), name) if kind in CLUSTER_SCOPED else (kind.lower(), namespace or "default", name)
        return self.directory / (".".join(words) + ".yaml")

    def _write(self, path: Path, document: Object) -> None:
        draft = self.scratch / f"{path.name}.{os.getpid()}.draft"
        draft.write_text(yaml.safe_dump(document, sort_keys=False))
        draft.replace(path)


def documents(text: str) -> list[Object]:
    """The objects in a manifest, read as Kubernetes reads YAML: `64500:50` is a string, not a number to the base 60."""
    return [value for _, value in yaml_value.documents(text) if value is not None]


def patched(document: Object, operation: Mapping[str, Any]) -> None:
    """Perform one JSON patch operation on the members of objects. ValueError for operations the lab does not need."""
    *parents, last = [part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]]
    place: Any = document
    for part in parents:
        place = place[part]
    match operation["op"]:
        case "add":
            place[last] = operation["value"]
        case "replace":
            if last not in place:
                raise ValueError(f"nothing to replace at {operation['path']}")
            place[last] = operation["value"]
        case "remove":
            del place[last]
        case other:
            raise ValueError(f"the lab's cluster knows no patch operation {other}")


def node(name: str, address: str) -> Object:
    """The Node object that a kubelet would have registered."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}},
        "status": {
            "addresses": [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": name}],
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }


def namespace(name: str) -> Object:
    """The Namespace object that the API server would have made."""
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}},
    }


def endpoint_slice(service: Object, nodes: Mapping[str, str], *, managed_by: str = "herald-lab") -> Object:
    """An EndpointSlice for a service: one ready endpoint on each of `nodes` (name → address)."""
    metadata = service["metadata"]
    ports = service["spec"].get("ports") or []
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{metadata['name']}-lab",
            "namespace": metadata.get("namespace", "default"),
            "labels": {
                "kubernetes.io/service-name": metadata["name"],
                "endpointslice.kubernetes.io/managed-by": managed_by,
            },
        },
        "addressType": "IPv4",
        "ports": [
            {"name": port.get("name", ""), "protocol": port.get("protocol", "TCP"), "port": _target(port)}
            for port in ports
        ],
        "endpoints": [
            {
                "addresses": [address],
                "nodeName": name,
                "conditions": {"ready": True, "serving": True, "terminating": False},
            }
            for name, address in nodes.items()
        ],
    }


def _target(port: Mapping[str, Any]) -> int:
    target = port.get("targetPort")
    return target if isinstance(target, int) else int(port["port"])


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
