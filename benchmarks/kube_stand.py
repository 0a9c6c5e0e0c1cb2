"""A node with a real API server on it, a real FRR router and a client beside it, and the ears of the outside.

    node-0   etcd, kube-apiserver, controller, speaker        eth0 ── router   FRR, its kernel's routes are watched
                                                              eth1 ── client   asks by ARP

Who hands out addresses and announces them is a `Contestant`: Herald, or another implementation of the same API.
"""

import asyncio
import json
import os
import ssl
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from benchmarks import kube_writes
from benchmarks.kube_ears import Asker, RouteEar, StatusEar
from benchmarks.kube_writes import WriteLog
from herald.lab.daemons.frr import Frr
from herald.lab.daemons.router import Neighbor, Router
from herald.lab.kubernetes import nodes
from herald.lab.kubernetes.api_server import ApiServer
from herald.lab.kubernetes.client import Client
from herald.lab.namespace import build
from herald.lab.place import Place
from herald.lab.process import Process
from herald.lab.topology import Host, Topology, Wire, interface

NAMESPACE = "metallb-system"
NODE = "node-0"
ROUTER, SPEAKER = "10.50.0.1", "10.50.0.10"
TOPOLOGY = Topology(
    segments=(),
    hosts=(
        Host(NODE, (interface("eth0", f"{SPEAKER}/24"), interface("eth1", "10.51.0.10/24"))),
        Host("router", (interface("eth0", f"{ROUTER}/24"),)),
        Host("client", (interface("eth0", "10.51.0.20/24"),)),
    ),
    wires=(Wire((NODE, "eth0"), ("router", "eth0")), Wire((NODE, "eth1"), ("client", "eth0"))),
)
CONFIGURATION = f"""
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {{name: wide, namespace: {NAMESPACE}}}
spec: {{addresses: [10.64.0.0/16]}}
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: {{name: l2, namespace: {NAMESPACE}}}
spec: {{interfaces: [eth1]}}
---
apiVersion: metallb.io/v1beta1
kind: BGPAdvertisement
metadata: {{name: bgp, namespace: {NAMESPACE}}}
---
apiVersion: metallb.io/v1beta2
kind: BGPPeer
metadata: {{name: router, namespace: {NAMESPACE}}}
spec: {{myASN: 64500, peerASN: 64501, peerAddress: {ROUTER}}}
"""


class Contestant(Protocol):
    """An implementation of the API: its name, and what it needs to run."""

    name: str

    def install(self, stand: "Stand") -> None:
        """CRDs and rights."""

    def controller(self, stand: "Stand") -> Process:
        """Start what hands out addresses."""

    def speaker(self, stand: "Stand") -> Process:
        """Start what announces them."""


@dataclass
class Stand:
    """All of it. Processes are in `running`, by name."""

    contestant: Contestant
    place: Place
    server: ApiServer
    client: Client
    frr: Frr
    status: StatusEar
    routes: RouteEar
    asker: Asker
    running: dict[str, Process] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)

    @property
    def writes(self) -> WriteLog:
        """Every write, from the first on."""
        return WriteLog(_audit_log(self.place))

    def start(self, name: str, argv: list[str]) -> Process:
        """Start a process of the contestant on the node."""
        started = Process.start(name, argv, log=self.place.log(name), namespace=self.place.namespace(NODE))
        self.place.record_process(name, started.pid)
        self.running[name] = started
        return started

    def stop(self, name: str) -> None:
        """End a process and its children at once."""
        asyncio.run(self.running.pop(name).crash())

    def say(self, words: str) -> None:
        """For whoever waits for the figures."""
        print(f"  {self.contestant.name}, {time.monotonic() - self.began:.0f} s: {words}", file=sys.stderr, flush=True)

    def last_words(self) -> str:
        """The ends of the logs, for an error message."""
        return "\n".join(f"{name}: {self.place.log(name).read_text()[-1500:]}" for name in self.running)


@contextmanager
def standing(contestant: Contestant, letter: str) -> Iterator[Stand]:
    """The place with everything but the contestant's processes, whose CRDs and rights are installed."""
    place = Place(f"{letter}{os.getpid() % 1_000_000}")
    place.take("benchmark", keep=False)
    try:
        with ExitStack() as stack:
            asyncio.run(build(TOPOLOGY, place))
            router = Router("router", 64501, ROUTER, (Neighbor(SPEAKER, 64500),))
            frr = asyncio.run(Frr.start(router, place))
            server = stack.enter_context(_api_server(place))
            client = _client(server)
            stand = Stand(
                contestant,
                place,
                server,
                client,
                frr,
                stack.enter_context(closing(StatusEar(client))),
                stack.enter_context(closing(RouteEar(place.namespace("router")))),
                stack.enter_context(closing(asyncio.run(Asker.on(place.namespace("client"), "eth0")))),
            )
            _install(stand)
            yield stand
    finally:
        asyncio.run(place.clear())


def _api_server(place: Place) -> ApiServer:
    policy = place.directory / "audit-policy.json"
    policy.write_text(json.dumps(kube_writes.POLICY))
    options = {"audit-policy-file": str(policy), "audit-log-path": str(_audit_log(place))}
    return ApiServer(namespace=place.namespace(NODE), directory=place.directory / "kubernetes", options=options)


def _audit_log(place: Place) -> Path:
    return place.directory / "audit.log"


def _client(server: ApiServer) -> Client:
    """The administrator, for many requests over one connection."""
    tls = ssl.create_default_context(cafile=server.ca)
    tls.load_cert_chain(server.folder / "admin.crt", server.folder / "admin.key")
    return Client(server.address, server.port, server.namespace, tls)


def _install(stand: Stand) -> None:
    server = stand.server
    server.create_namespace(NAMESPACE)
    stand.contestant.install(stand)
    server.wait_crds_served()
    nodes.create(server, NODE, [SPEAKER])
    for name in ("controller", "speaker"):
        server.create_service_account(NAMESPACE, name)
        spec = {"serviceAccountName": name, "nodeName": NODE, "containers": [{"name": name, "image": name}]}
        labels = {"app": "metallb", "component": name}
        metadata = {"name": f"{name}-0", "labels": labels}
        server.request("POST", f"/api/v1/namespaces/{NAMESPACE}/pods", {"metadata": metadata, "spec": spec})
    server.kubectl("apply", "-f", "-", stdin=CONFIGURATION)
