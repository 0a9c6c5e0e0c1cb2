"""Controllers as real processes on a real API server, with exactly the rights that are shipped, and what they wrote."""

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from herald.lab.kubernetes.api_server import ApiServer

BASE = Path(__file__).parents[2] / "deploy" / "kustomize" / "base"
NAMESPACE = "metallb-system"
POOLS = f"/apis/metallb.io/v1beta1/namespaces/{NAMESPACE}/ipaddresspools"
SERVICES = "/api/v1/namespaces/default/services"
CLAIM = "herald.metallb.io/claimed-addresses"
PATIENCE_S = 40.0


class Stand:
    """The cluster with the shipped rights and one pool."""

    def __init__(self, cluster: ApiServer, folder: Path, addresses: str = "192.0.2.0/24") -> None:
        self.cluster = cluster
        self.folder = folder
        for name in ("namespace", "service-accounts", "roles", "bindings"):
            cluster.kubectl("apply", "-f", str(BASE / f"{name}.yaml"))
        self.kubeconfig = cluster.service_account_kubeconfig(NAMESPACE, "controller")
        self.put_pool(addresses)

    def put_pool(self, addresses: str, name: str = "prod") -> None:
        """Create a pool."""
        body = {"apiVersion": "metallb.io/v1beta1", "kind": "IPAddressPool", "metadata": {"name": name}}
        self.cluster.request("POST", POOLS, {**body, "spec": {"addresses": [addresses]}})

    def put_service(self, name: str, **spec: Any) -> None:
        """Create a Service of type LoadBalancer."""
        body = {"metadata": {"name": name}, "spec": {"type": "LoadBalancer", "ports": [{"port": 80}], **spec}}
        self.cluster.request("POST", SERVICES, body)

    def patch(self, path: str, body: Mapping[str, Any]) -> None:
        """Merge something into an object."""
        self.cluster.request("PATCH", path, body, content_type="application/merge-patch+json")

    def service(self, name: str) -> dict[str, Any]:
        """One Service."""
        found: dict[str, Any] = self.cluster.request("GET", f"{SERVICES}/{name}")
        return found

    def shown(self) -> dict[str, tuple[str, ...]]:
        """The addresses in every status that has some."""
        items = self.cluster.request("GET", SERVICES)["items"]
        found = {item["metadata"]["name"]: item["status"]["loadBalancer"].get("ingress", []) for item in items}
        return {name: tuple(entry.get("ip", "") for entry in ingress) for name, ingress in found.items() if ingress}

    def events(self, reason: str) -> list[dict[str, Any]]:
        """The events with this reason."""
        items = self.cluster.request("GET", "/api/v1/namespaces/default/events")["items"]
        return [item for item in items if item["reason"] == reason]

    def versions(self) -> dict[str, str]:
        """The version of everything that a controller writes, but for its Lease.

        kube-apiserver writes events as well: when it looks at all cluster IPs, every three minutes, one for each of the
        Services that were put into etcd past it.
        """
        paths = (SERVICES, POOLS, f"{POOLS.rsplit('/', 1)[0]}/configurationstates")
        items = [item for path in paths for item in self.cluster.request("GET", path)["items"]]
        told = self.cluster.request("GET", "/api/v1/events")["items"]
        items += [item for item in told if item["source"].get("component") == "metallb-controller"]
        return {item["metadata"]["uid"]: item["metadata"]["resourceVersion"] for item in items}

    @contextmanager
    def controller(self, pod: str = "controller-a", *words: str) -> Iterator["Process"]:
        """A controller process of this name; killed at the end."""
        self._put_pod(pod)
        process = Process(self, pod, words)
        try:
            yield process
        finally:
            process.kill()

    def _put_pod(self, name: str) -> None:
        """The pod that owns what the controller makes; there is no kubelet that would start it."""
        path = f"/api/v1/namespaces/{NAMESPACE}/pods"
        if name not in [item["metadata"]["name"] for item in self.cluster.request("GET", path)["items"]]:
            containers = [{"name": "controller", "image": "herald"}]
            spec = {"serviceAccountName": "controller", "containers": containers}
            self.cluster.request("POST", path, {"metadata": {"name": name}, "spec": spec})


class Process:
    """`python -m herald.controller.process` on the stand's cluster."""

    def __init__(self, stand: Stand, pod: str, words: tuple[str, ...]) -> None:
        self.log = stand.folder / f"{pod}.log"
        self._begins = self.log.stat().st_size if self.log.exists() else 0
        module = [sys.executable, "-m", "herald.controller.process", f"--kubeconfig={stand.kubeconfig}"]
        given = [f"--namespace={NAMESPACE}", f"--pod-name={pod}", "--port=0", "--health-probe-port=0", *words]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([*module, *given], stdout=log, stderr=log)

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait()

    def terminate(self) -> int:
        """SIGTERM; gives the exit code."""
        self.process.terminate()
        return self.process.wait(timeout=20)

    def lines(self, event: str) -> list[dict[str, Any]]:
        """The lines of the log about this event: this process's, not those of one before it of the same name."""
        text = self.log.read_bytes()[self._begins :].decode()
        lines = (json.loads(line) for line in text.splitlines() if line.startswith("{"))
        return [line for line in lines if line.get("event") == event]


def comes_true(condition: Callable[[], bool], what: str, within: float = PATIENCE_S) -> None:
    """Wait for it; an API server that is away is waited for as well."""
    deadline = time.monotonic() + within
    while True:
        try:
            if condition():
                return
        except (OSError, http.client.HTTPException):
            pass
        assert time.monotonic() < deadline, f"waited in vain for: {what}"
        time.sleep(0.02)
