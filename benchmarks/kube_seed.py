"""Thousands of objects put into etcd below the API, one transaction for each, as the API would have written them.

Several in one transaction would be quicker still, but they share a resourceVersion, and whoever goes on with a watch
from there would never hear of the rest.
"""

import base64
import socket
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address
from typing import Any
from uuid import UUID

from benchmarks.population import FIRST_ADDRESS
from herald.lab.kubernetes import bulk, etcd
from herald.lab.kubernetes.api_server import ApiServer
from herald.lab.kubernetes.client import exchange, over

CONNECTIONS = 4
LONG_AGO = "2026-01-01T00:00:00Z"


def cluster_ips(count: int) -> Iterator[dict[str, Any]]:
    """What says that the cluster IPs of `services` are taken, or the API server would repair them one by one."""
    for document in bulk.services(count):
        name, namespace = document["metadata"]["name"], document["metadata"]["namespace"]
        labels = {"ipaddress.kubernetes.io/ip-family": "IPv4", "ipaddress.kubernetes.io/managed-by": "ipallocator"}
        yield {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "IPAddress",
            "metadata": {"name": document["spec"]["clusterIP"], "labels": labels},
            "spec": {"parentRef": {"group": "", "resource": "services", "namespace": namespace, "name": name}},
        }


def services(count: int, *, with_address: bool) -> Iterator[dict[str, Any]]:
    """The same objects whenever they are written again, with an address or without one."""
    for number, document in enumerate(bulk.services(count)):
        metadata = document["metadata"] | {"uid": str(UUID(int=number + 1)), "creationTimestamp": LONG_AGO}
        ingress = [{"ip": str(IPv4Address(FIRST_ADDRESS + number)), "ipMode": "VIP"}]
        status = {"loadBalancer": {"ingress": ingress} if with_address else {}}
        yield document | {"metadata": metadata, "status": status}


def put(server: ApiServer, folder: str, documents: Iterable[dict[str, Any]]) -> None:
    """Write each, as fast as etcd takes them. See `ApiServer.seed` for `folder`."""
    entries = [bulk.entry(folder, document) for document in documents]
    path = str(server.folder / etcd.CLIENTS.removeprefix("unix://"))
    with ThreadPoolExecutor(CONNECTIONS) as threads:
        for done in [threads.submit(_put, path, entries[first::CONNECTIONS]) for first in range(CONNECTIONS)]:
            done.result()


def _put(path: str, entries: list[tuple[bytes, bytes]]) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.settimeout(30)
        made.connect(path)
        connection = over(made)
        for key, value in entries:
            exchange(connection, "POST", "/v3/kv/put", {"key": _text(key), "value": _text(value)})


def _text(octets: bytes) -> str:
    return base64.b64encode(octets).decode()
