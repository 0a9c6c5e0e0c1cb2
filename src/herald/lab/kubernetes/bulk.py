"""Many objects at once: what the API would need minutes for, since it takes 10 ms and more to create one Service."""

import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

PORT = {"name": "http", "protocol": "TCP", "port": 80, "targetPort": 8080}


def entry(folder: str, document: dict[str, Any]) -> tuple[bytes, bytes]:
    """Key and value of an object in etcd. kube-apiserver writes protobuf for its own kinds, and reads JSON as well."""
    metadata = document["metadata"]
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    stored = {"uid": str(uuid.uuid4()), "creationTimestamp": now, **metadata}
    parts = ["", "registry", folder, *([metadata["namespace"]] if "namespace" in metadata else []), metadata["name"]]
    return "/".join(parts).encode(), json.dumps({**document, "metadata": stored}).encode()


def services(count: int, namespace: str = "default") -> Iterator[dict[str, Any]]:
    """LoadBalancer Services svc-0, svc-1, … without an address, as the API would have stored them. At most 65,000."""
    for index in range(count):
        address = f"10.96.{(index + 256) // 256}.{index % 256}"
        spec = {
            "type": "LoadBalancer",
            "ports": [PORT],
            "selector": {"app": f"svc-{index}"},
            "clusterIP": address,
            "clusterIPs": [address],
            "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack",
            "externalTrafficPolicy": "Cluster",
            "internalTrafficPolicy": "Cluster",
            "sessionAffinity": "None",
            "allocateLoadBalancerNodePorts": False,
        }
        yield {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": f"svc-{index}", "namespace": namespace},
            "spec": spec,
            "status": {"loadBalancer": {}},
        }


def endpoint_slices(count: int, node: str, namespace: str = "default") -> Iterator[dict[str, Any]]:
    """One EndpointSlice for each of `services`, with one ready endpoint on a node."""
    for index in range(count):
        endpoint = {
            "addresses": [f"10.244.{(index + 256) // 256}.{index % 256}"],
            "conditions": {"ready": True, "serving": True, "terminating": False},
            "nodeName": node,
        }
        yield {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": f"svc-{index}-1",
                "namespace": namespace,
                "labels": {"kubernetes.io/service-name": f"svc-{index}"},
            },
            "addressType": "IPv4",
            "endpoints": [endpoint],
            "ports": [{"name": "http", "protocol": "TCP", "port": 8080}],
        }
