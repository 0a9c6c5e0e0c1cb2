"""The how-to's `kubectl exec deploy/controller -- vtysh -c "show ip bgp"`: routes of all nodes, no speaker at hand."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from herald.lab.kubernetes.api_server import ApiServer

NAMESPACE = "metallb-system"
BASE = Path(__file__).parents[2] / "deploy" / "kustomize" / "base"
READER = """
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: vtysh, namespace: metallb-system}
rules:
  - apiGroups: [metallb.io]
    resources: [servicebgpstatuses]
    verbs: [list]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: vtysh, namespace: metallb-system}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: vtysh}
subjects:
  - {kind: ServiceAccount, name: controller, namespace: metallb-system}
"""
"""What vtysh needs beside the rights that the controller itself has."""
SHIPPED = ("namespace", "service-accounts", "roles", "bindings")
OBJECTS: list[dict[str, Any]] = [
    {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1"}},
    {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-2"}},
    {
        "apiVersion": "metallb.io/v1beta1",
        "kind": "IPAddressPool",
        "metadata": {"name": "pool", "namespace": NAMESPACE},
        "spec": {"addresses": ["192.168.1.200-192.168.1.210"]},
    },
    {
        "apiVersion": "metallb.io/v1beta2",
        "kind": "BGPPeer",
        "metadata": {"name": "router-1", "namespace": NAMESPACE},
        "spec": {"myASN": 64500, "peerASN": 64501, "peerAddress": "192.168.1.1"},
    },
    {
        "apiVersion": "metallb.io/v1beta1",
        "kind": "BGPAdvertisement",
        "metadata": {"name": "ad", "namespace": NAMESPACE},
        "spec": {"ipAddressPools": ["pool"], "localPref": 150, "communities": ["64500:100"]},
    },
    {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]},
    },
]


def status_of(node: str, state: str) -> list[dict[str, Any]]:
    """What a speaker of that node says."""
    meta = {"namespace": NAMESPACE}
    since = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return [
        {
            "apiVersion": "metallb.io/v1beta1",
            "kind": "BGPSessionStatus",
            "metadata": {**meta, "name": f"{node}-router-1"},
            "status": {"node": node, "peer": "router-1", "state": state, "since": since, "prefixesSent": 1},
        },
        {
            "apiVersion": "metallb.io/v1beta1",
            "kind": "ServiceBGPStatus",
            "metadata": {**meta, "name": f"bgp-{node}"},
            "status": {"node": node, "serviceName": "web", "serviceNamespace": "default", "peers": ["router-1"]},
        },
    ]


def prepare(cluster: ApiServer, second: str) -> Path:
    """Two nodes, one of them with its session up and the other `second`; gives who asks: the shipped controller."""
    for name in SHIPPED:
        cluster.kubectl("apply", "-f", str(BASE / f"{name}.yaml"))
    cluster.kubectl("apply", "-f", "-", stdin=READER)
    for document in OBJECTS:
        cluster.kubectl("create", "-f", "-", stdin=json.dumps(document))
    ingress = {"status": {"loadBalancer": {"ingress": [{"ip": "192.168.1.200"}]}}}
    patch = ("patch", "service", "web", "--subresource=status", "--type=merge", "-p")
    cluster.kubectl(*patch, json.dumps(ingress))
    for document in (*status_of("node-1", "Established"), *status_of("node-2", second)):
        kind, name = document["kind"], document["metadata"]["name"]
        cluster.kubectl("create", "-f", "-", stdin=json.dumps(document))
        written = json.dumps({"status": document["status"]})
        where = ("patch", kind, name, "-n", NAMESPACE, "--subresource=status", "--type=merge", "-p")
        cluster.kubectl(*where, written)
    return cluster.service_account_kubeconfig(NAMESPACE, "controller")


def vtysh(kubeconfig: Path, command: str) -> str:
    words = [sys.executable, "-m", "herald.cli.main", "vtysh", "--kubeconfig", str(kubeconfig), "-c", command]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, env=dict(os.environ), check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_controller_shows_the_routes_and_sessions_of_all_nodes(cluster: ApiServer) -> None:
    kubeconfig = prepare(cluster, "Established")
    assert "\n*> 192.168.1.200/32 0.0.0.0                  0    150  32768 i\n" in vtysh(kubeconfig, "show ip bgp")
    peer = json.loads(vtysh(kubeconfig, "show bgp summary json"))["ipv4Unicast"]["peers"]["192.168.1.1"]
    assert (peer["state"], peer["pfxSnt"], peer["desc"]) == ("Established", 1, "router-1 (2/2 nodes)")
    entry = vtysh(kubeconfig, "show bgp ipv4 unicast 192.168.1.200/32")
    assert "  Advertised to non peer-group peers:\n  192.168.1.1\n" in entry
    assert "Community: 64500:100" in entry


def test_a_peer_that_one_node_does_not_reach_is_not_established(cluster: ApiServer) -> None:
    kubeconfig = prepare(cluster, "Down")
    peer = json.loads(vtysh(kubeconfig, "show bgp summary json"))["ipv4Unicast"]["peers"]["192.168.1.1"]
    assert (peer["state"], peer["desc"]) == ("Active", "router-1 (1/2 nodes)")
