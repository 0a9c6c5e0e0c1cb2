"""A pod without a kubelet: the object in the API, what its container finds in files, and its command.

Everything comes from the shipped Deployment and DaemonSet: arguments, environment, service account. The container is a
process in a network namespace of the lab with a mount namespace of its own, in which `/run` is the pod's: the service
account is at /var/run/secrets/kubernetes.io/serviceaccount, and the sockets of Herald are in /run/herald.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from herald.cli import manifests
from herald.lab.kubernetes.api_server import ApiServer
from herald.lab.kubernetes.client import APPLY, MERGE

NAMESPACE = "metallb-system"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
SERVICE_ACCOUNT = Path("secrets/kubernetes.io/serviceaccount")
"""Below /run."""

CONDITIONS = ("PodScheduled", "Initialized", "ContainersReady", "Ready")
KINDS = {"controller": "Deployment", "speaker": "DaemonSet"}

SCRIPT = """\
inside="$1/${2#/run/}"
mkdir -p "$inside" && mount --rbind "$2" "$inside" && mount --rbind "$1" /run || exit
shift 2 && exec "$@"
"""
"""The lab's own folder stays where it is: logs, and folders that are mounted into pods."""

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Pod:
    """One pod of Herald. `component` is controller or speaker; `address` is that of its host network."""

    component: str
    name: str
    node: str
    address: str
    folder: Path

    @property
    def labels(self) -> dict[str, str]:
        """What selectors find it by."""
        return dict(template(self.component)["metadata"]["labels"])

    @property
    def run(self) -> Path:
        """The folder that is /run in the pod."""
        return self.folder / "run"

    @property
    def sockets(self) -> Path:
        """Where Herald's sockets are, seen from outside."""
        return self.run / "herald"

    def create(self, server: ApiServer) -> None:
        """Make the object as a workload controller does, and let it run and be ready as a kubelet does."""
        spec = dict(template(self.component)["spec"], nodeName=self.node)
        metadata = {"name": self.name, "labels": self.labels}
        body = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
        server.request("PATCH", f"{PODS}/{self.name}?fieldManager=lab", body, content_type=APPLY)
        server.request("PATCH", f"{PODS}/{self.name}/status", {"status": self._status()}, content_type=MERGE)

    def write_files(self, server: ApiServer) -> None:
        """Write what the pod finds under /run; again: rotate the token."""
        self.sockets.mkdir(parents=True, exist_ok=True)
        server.service_account_folder(NAMESPACE, self.component, self.run / SERVICE_ACCOUNT)

    def command(self, lab: Path, api: tuple[str, int], mounts: Mapping[str, str]) -> tuple[str, ...]:
        """The container's command, to be run in its network namespace by `ip netns exec`, which unshares mounts.

        `lab` is the lab's folder below /run, `api` where the pod is told the API server is. `mounts` has the folder of
        the lab for each mount path that the environment names.
        """
        container = template(self.component)["spec"]["containers"][0]
        environment = [f"{name}={value}" for name, value in self._environment(container, api, mounts).items()]
        herald = (sys.executable, "-m", "herald.cli.main", *container["args"])
        return ("sh", "-c", SCRIPT, "sh", str(self.run), str(lab), "env", "-i", *environment, *herald)

    def _environment(self, container: Object, api: tuple[str, int], mounts: Mapping[str, str]) -> dict[str, str]:
        fields = {
            "metadata.name": self.name,
            "spec.nodeName": self.node,
            "status.hostIP": self.address,
            "status.podIP": self.address,
        }
        found = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/"}
        found |= {"KUBERNETES_SERVICE_HOST": api[0], "KUBERNETES_SERVICE_PORT": str(api[1])}
        for one in container["env"]:
            value = one["value"] if "value" in one else fields[one["valueFrom"]["fieldRef"]["fieldPath"]]
            found[one["name"]] = mounts.get(value, value)
        return found

    def _status(self) -> Object:
        ready = [
            {"type": kind, "status": "True"} for kind in ("PodScheduled", "Initialized", "ContainersReady", "Ready")
        ]
        container = template(self.component)["spec"]["containers"][0]
        state = {
            "name": container["name"],
            "image": container["image"],
            "imageID": "",
            "ready": True,
            "started": True,
            "restartCount": 0,
            "state": {"running": {}},
        }
        addresses = {"hostIP": self.address, "podIP": self.address, "podIPs": [{"ip": self.address}]}
        return {"phase": "Running", "conditions": ready, "containerStatuses": [state], **addresses}


@cache
def template(component: str) -> Object:
    """The pod template of the shipped workload."""
    for document in manifests.everything():
        if (document["kind"], document["metadata"]["name"]) == (KINDS[component], component):
            found: Object = document["spec"]["template"]
            return found
    raise KeyError(f"the manifests have no {KINDS[component]} {component}")
