"""A node in a network namespace with a real engine, a router beside it, and control against a real API server.

Control runs outside of the namespace, where the API server is; it and the engine meet at a Unix socket as always.
"""

import asyncio
import json
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from herald.api import crd
from herald.lab.kubernetes.api_server import ApiServer
from herald.lab.kubernetes.client import RequestRefusedError

sys.path.append(str(Path(__file__).parents[1] / "interop"))  # the segment and the router of the other tests

from segment import EngineProcess, Network, answers, arp_socket, arping, drain, eventually, inside, ip, mac_of
from small_router import Router

NAMESPACE = "metallb-system"
NODE = "node-1"
ROUTER, HERALD = "10.50.0.1", "10.50.0.2"
APPLY_CRDS = ("apply", "--server-side", "-f", "-"), crd.dump_yaml()
BASE = Path(__file__).parents[2] / "deploy" / "kustomize" / "base"
STATUSES = f"/apis/metallb.io/v1beta1/namespaces/{NAMESPACE}"
L2, BGP, SESSIONS = "servicel2statuses", "servicebgpstatuses", "bgpsessionstatuses"
STATES = "configurationstates"

CONFIGURATION = f"""
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {{name: prod, namespace: {NAMESPACE}}}
spec: {{addresses: [10.50.0.128/25]}}
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: {{name: l2, namespace: {NAMESPACE}}}
---
apiVersion: metallb.io/v1beta1
kind: BGPAdvertisement
metadata: {{name: bgp, namespace: {NAMESPACE}}}
---
apiVersion: metallb.io/v1beta2
kind: BGPPeer
metadata: {{name: tor, namespace: {NAMESPACE}}}
spec: {{myASN: 64500, peerASN: 64501, peerAddress: {ROUTER}, connectTime: 1s}}
---
apiVersion: v1
kind: Node
metadata: {{name: {NODE}, labels: {{kubernetes.io/hostname: {NODE}}}}}
---
apiVersion: v1
kind: Pod
metadata: {{name: speaker-1, namespace: {NAMESPACE}, labels: {{app: metallb, component: speaker}}}}
spec: {{nodeName: {NODE}, serviceAccountName: speaker, containers: [{{name: speaker, image: herald}}]}}
"""


def slice_of(name: str, *nodes: str) -> str:
    return f"""
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: {name}-1, namespace: default, labels: {{kubernetes.io/service-name: {name}}}}}
addressType: IPv4
ports: [{{port: 80}}]
endpoints: [{", ".join(f"{{addresses: [10.1.0.1], conditions: {{ready: true}}, nodeName: {node}}}" for node in nodes)}]
"""


class Cluster:
    """The API server with the shipped rights and the configuration above."""

    def __init__(self, server: ApiServer) -> None:
        self.server = server
        server.create_namespace(NAMESPACE)
        for name in ("controller", "speaker"):
            server.create_service_account(NAMESPACE, name)
        for name in ("roles", "bindings"):
            self.apply((BASE / f"{name}.yaml").read_text())
        self.apply(CONFIGURATION)

    def apply(self, text: str) -> None:
        self.server.kubectl("apply", "-f", "-", stdin=text)

    def add_service(self, name: str, address: str) -> None:
        """A load balancer whose endpoint is ready on the node, with its address in the status."""
        spec = {"type": "LoadBalancer", "ports": [{"port": 80}]}
        path = "/api/v1/namespaces/default/services"
        self.server.request("POST", path, {"metadata": {"name": name}, "spec": spec})
        self.assign(name, address)
        self.apply(slice_of(name, NODE))

    def assign(self, name: str, address: str) -> None:
        status = {"status": {"loadBalancer": {"ingress": [{"ip": address}]}}}
        path = f"/api/v1/namespaces/default/services/{name}/status"
        self.server.request("PATCH", path, status, content_type="application/merge-patch+json")

    def statuses(self, plural: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self.server.request("GET", f"{STATUSES}/{plural}")["items"]
        return items

    def status(self, plural: str) -> dict[str, Any] | None:
        """The status of the only object of a kind, if there is exactly one."""
        found = self.statuses(plural)
        return found[0].get("status") if len(found) == 1 else None

    def versions(self) -> dict[str, str]:
        """The versions of all status objects."""
        found = [item for plural in (L2, BGP, SESSIONS, STATES) for item in self.statuses(plural)]
        return {item["metadata"]["uid"]: item["metadata"]["resourceVersion"] for item in found}

    def events(self, namespace: str) -> list[tuple[str, str, str, int]]:
        """Object, reason, message and count of each."""
        found = self.server.request("GET", f"/api/v1/namespaces/{namespace}/events")["items"]
        return sorted(
            (f"{e['involvedObject']['kind']}/{e['involvedObject']['name']}", e["reason"], e["message"], e["count"])
            for e in found
        )


class ControlProcess:
    """`herald.speaker.control_process` with the speaker's service account."""

    def __init__(self, cluster: Cluster, link: Path, log: Path, *more: str) -> None:
        self.log = log
        kubeconfig = cluster.server.service_account_kubeconfig(NAMESPACE, "speaker")
        words = [sys.executable, "-m", "herald.speaker.control_process", "--node-name", NODE, "--link", str(link)]
        words += ["--kubeconfig", str(kubeconfig), "--namespace", NAMESPACE, "--pod-name", "speaker-1", *more]
        with log.open("ab") as file:
            self._process = subprocess.Popen(words, stdout=file, stderr=subprocess.STDOUT)

    @property
    def text(self) -> str:
        return self.log.read_text()

    def lines(self, event: str) -> list[dict[str, Any]]:
        """The lines of an event."""
        found = [json.loads(line) for line in self.text.splitlines() if line.startswith("{")]
        return [line for line in found if line.get("event") == event]

    async def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        self._process.send_signal(number)
        return await asyncio.to_thread(self._process.wait, 10)

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


class Stand:
    """All of it."""

    def __init__(self, cluster: Cluster, network: Network, directory: Path) -> None:
        self.cluster = cluster
        self._directory = directory
        self.node, self.peer = network.host("node"), network.host("router")
        network.wire(self.node, "eth0", self.peer, "eth0")
        ip("-n", self.node, "addr", "add", f"{HERALD}/24", "dev", "eth0")
        ip("-n", self.peer, "addr", "add", f"{ROUTER}/24", "dev", "eth0")
        listener = inside(self.peer, lambda: socket.create_server((ROUTER, 179)))
        listener.setblocking(False)
        self.router = Router(listener)
        self.arp = arp_socket(self.peer)
        self.engine = EngineProcess(self.node, directory, NODE)
        self.controls: list[ControlProcess] = []

    def control(self, *more: str) -> ControlProcess:
        """Another control, after the one before has ended."""
        log = self._directory / f"control-{len(self.controls)}.log"
        self.controls.append(ControlProcess(self.cluster, self.engine.link, log, *more))
        return self.controls[-1]

    async def accept_session(self) -> None:
        """The router takes the session, once control has come up and asked for it."""
        await comes_true(lambda: '"peerAdded"' in self.engine.log.read_text(), "control asks for the session")
        await self.router.accept_session()

    async def close(self) -> None:
        for control in self.controls:
            control.close()
        await self.engine.close()
        self.router.close()
        self.arp.close()


@asynccontextmanager
async def stand(server: ApiServer, directory: Path) -> AsyncIterator[Stand]:
    """Everything is taken away at the end; the logs are shown if the test fails."""
    network = Network()
    made: Stand | None = None
    try:
        made = Stand(Cluster(server), network, directory)
        yield made
    except BaseException:
        show_logs(directory)
        raise
    finally:
        if made is not None:
            await made.close()
        network.close()


def show_logs(directory: Path) -> None:
    """On standard error."""
    for log in sorted(directory.glob("*.log")):
        sys.stderr.write(f"{log.name}:\n{log.read_text()}")


async def comes_true(condition: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    """Wait for it; the questions are put to the API server, and not too often. One that refuses is asked again."""
    refusal = ""
    for _ in range(int(seconds / 0.1)):
        try:
            if await asyncio.to_thread(condition):
                return
        except RequestRefusedError as error:  # for a moment after its start
            refusal = f"; refused last: {error}"
        await asyncio.sleep(0.1)
    raise AssertionError(f"did not come true within {seconds} s: {what}{refusal}")


__all__ = [
    "APPLY_CRDS",
    "Cluster",
    "ControlProcess",
    "EngineProcess",
    "Network",
    "Stand",
    "answers",
    "arping",
    "comes_true",
    "drain",
    "eventually",
    "ip",
    "mac_of",
    "show_logs",
    "stand",
]
