"""Nodes of a cluster that has no kubelet: what each kubelet would write into the API about its node."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from herald.lab.kubernetes.api_server import ApiServer
from herald.lab.kubernetes.client import MERGE

NODES = "/api/v1/nodes"


def create(
    server: ApiServer, name: str, addresses: Sequence[str] = (), labels: Mapping[str, str] | None = None
) -> None:
    """Make a node that is ready, with its internal addresses and the labels that a kubelet sets."""
    metadata = {
        "name": name,
        "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", **(labels or {})},
    }
    told = [{"type": "Hostname", "address": name}, *({"type": "InternalIP", "address": each} for each in addresses)]
    status = {"addresses": told, **_conditions(ready=True)}
    server.request("POST", NODES, {"metadata": metadata, "status": status})
    # Admission gives every new node the taint not-ready, which the node controller takes away later.
    server.request("PATCH", f"{NODES}/{name}", {"spec": {"taints": None}}, content_type=MERGE)


def set_ready(server: ApiServer, name: str, *, ready: bool) -> None:
    """Say whether the node's kubelet is well. A real cluster says so itself, 40 s after a node has died."""
    body = {"status": _conditions(ready=ready)}
    server.request("PATCH", f"{NODES}/{name}/status", body, content_type=MERGE)


def _conditions(*, ready: bool) -> dict[str, Any]:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    reason = "KubeletReady" if ready else "NodeStatusUnknown"
    condition = {
        "type": "Ready",
        "status": "True" if ready else "Unknown",
        "reason": reason,
        "message": "",
        "lastHeartbeatTime": now,
        "lastTransitionTime": now,
    }
    return {"conditions": [condition]}
