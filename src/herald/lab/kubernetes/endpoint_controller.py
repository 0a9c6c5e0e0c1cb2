"""What kube-controller-manager does for Services, as far as a lab needs it: their EndpointSlices.

    python -m herald.lab.kubernetes.endpoint_controller --folder DIR --address ADDRESS --port PORT

A Service with a selector and no EndpointSlice gets one with an endpoint on every node, since the lab's application runs
on every node; one whose Service is gone is deleted. Each endpoint is meant for the node on which it is, as with
`trafficDistribution: PreferSameNode`, so that it can be told who answers. Services in Herald's own namespace are left
to whoever runs its pods.
"""

import argparse
import http.client
import ssl
import sys
import time
from pathlib import Path

from herald.lab.cluster import Object
from herald.lab.kube_proxy import missing_slices, orphaned_slices
from herald.lab.kubernetes.client import Client, RequestRefusedError
from herald.lab.kubernetes.pod import NAMESPACE

LOOK_EVERY_S = 0.1
PATHS = {
    "Node": "/api/v1/nodes",
    "Service": "/api/v1/services",
    "EndpointSlice": "/apis/discovery.k8s.io/v1/endpointslices",
}


def slices_path(namespace: str) -> str:
    """Where the EndpointSlices of a namespace are."""
    return f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"


def sync(client: Client) -> None:
    """Look once, and write what differs. OSError and others of `Client.request` when the API server does not answer."""
    objects: list[Object] = []
    for kind, path in PATHS.items():
        objects += [dict(item, kind=kind) for item in client.request("GET", path)["items"]]
    objects = [one for one in objects if one["metadata"].get("namespace") != NAMESPACE]
    for one in orphaned_slices(objects):
        metadata = one["metadata"]
        client.request("DELETE", f"{slices_path(metadata['namespace'])}/{metadata['name']}")
    for one in missing_slices(objects):
        for endpoint in one["endpoints"]:
            endpoint["hints"] = {"forNodes": [{"name": endpoint["nodeName"]}]}
        client.request("POST", slices_path(one["metadata"]["namespace"]), one)
        print(f"endpoints for {one['metadata']['name']}", flush=True)  # noqa: T201


def follow(client: Client) -> None:
    """For ever. What cannot be done now is done when the API server is back."""
    trouble = ""
    while True:
        try:
            sync(client)
            told = ""
        except (OSError, http.client.HTTPException, RequestRefusedError) as error:
            told = f"{type(error).__name__}: {error}"
        if told not in ("", trouble):
            print(told, flush=True)  # noqa: T201
        trouble = told
        time.sleep(LOOK_EVERY_S)


def main() -> int:
    """Entry point of `python -m herald.lab.kubernetes.endpoint_controller`."""
    parser = argparse.ArgumentParser(prog="herald.lab.kubernetes.endpoint_controller", description="EndpointSlices")
    parser.add_argument("--folder", type=Path, required=True, help="the API server's files")
    parser.add_argument("--address", required=True)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    tls = ssl.create_default_context(cafile=str(options.folder / "ca.crt"))
    tls.load_cert_chain(options.folder / "admin.crt", options.folder / "admin.key")
    follow(Client(options.address, options.port, None, tls))
    return 0


if __name__ == "__main__":
    sys.exit(main())
