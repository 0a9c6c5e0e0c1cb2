"""Services and EndpointSlices of the stand: made one by one as a user makes them, and changed without a pause."""

import http.client
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.kube_ears import SERVICES
from benchmarks.kube_stand import NODE
from herald.lab.kubernetes.client import MERGE, Client, exchange

Connection = http.client.HTTPConnection
SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"


@contextmanager
def connected(client: Client) -> Iterator[Connection]:
    """A connection for many small requests, none of which waits for an acknowledgement of the one before (Nagle)."""
    with client.connection() as connection:
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield connection


def create_service(connection: Connection, name: str) -> None:
    """A Service of type LoadBalancer."""
    spec = {"type": "LoadBalancer", "allocateLoadBalancerNodePorts": False, "ports": [{"port": 80}]}
    exchange(connection, "POST", SERVICES, {"metadata": {"name": name}, "spec": spec})


def create_slice(connection: Connection, name: str) -> None:
    """The ready endpoint of a Service."""
    labels = {"kubernetes.io/service-name": name}
    body = {"metadata": {"name": name, "labels": labels}, "addressType": "IPv4", "ports": [{"port": 80}]}
    exchange(connection, "POST", SLICES, {**body, "endpoints": [_endpoint(ready=True)]})


def set_ready(connection: Connection, name: str, *, ready: bool) -> None:
    """Let the only endpoint of a Service become ready, or unready."""
    exchange(connection, "PATCH", f"{SLICES}/{name}", {"endpoints": [_endpoint(ready=ready)]}, MERGE)


def delete(connection: Connection, name: str) -> None:
    """Remove a Service and its EndpointSlice."""
    exchange(connection, "DELETE", f"{SERVICES}/{name}")
    exchange(connection, "DELETE", f"{SLICES}/{name}")


class Unrest:
    """A thread that changes Services one after the other, every second change a route that comes or goes."""

    def __init__(self, client: Client, names: list[str], per_second: float) -> None:
        self._client = client
        self._names = names
        self._pause = 1 / per_second
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._began = time.monotonic()
        self._changes = 0

    @property
    def rate(self) -> float:
        """Changes per second that the API server took."""
        return self._changes / (time.monotonic() - self._began)

    def start(self) -> None:
        """Begin."""
        self._began = time.monotonic()
        self._thread.start()

    def stop(self) -> None:
        """End; every endpoint is ready again."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        with connected(self._client) as connection:
            due = time.monotonic()
            while not self._over.is_set():
                self._change(connection)
                due += self._pause
                self._over.wait(max(0.0, due - time.monotonic()))
            for name in self._names:
                set_ready(connection, name, ready=True)

    def _change(self, connection: Connection) -> None:
        number = self._changes
        self._changes += 1
        name = self._names[number // 2 % len(self._names)]
        if number % 2:
            ready = number // 2 // len(self._names) % 2 == 1
            set_ready(connection, name, ready=ready)
        else:
            body: dict[str, Any] = {"metadata": {"labels": {"round": f"r{number}"}}}
            exchange(connection, "PATCH", f"{SERVICES}/{name}", body, MERGE)


@contextmanager
def unrest(client: Client, names: list[str], per_second: float) -> Iterator[Unrest]:
    """Changes while the body runs; none if `per_second` is 0."""
    changing = Unrest(client, names, per_second or 1)
    if not per_second:
        yield changing
        return
    changing.start()
    try:
        yield changing
    finally:
        changing.stop()


def _endpoint(*, ready: bool) -> dict[str, Any]:
    return {"addresses": ["10.244.0.1"], "conditions": {"ready": ready}, "nodeName": NODE}
