"""A cluster of any size as manifests would say it: pools, advertisements, peers, nodes, services, endpoints."""

from ipaddress import IPv4Address

from herald.cluster.endpoints import SERVICE_NAME_LABEL
from herald.config.collect import collect
from herald.config.resources import Resources

FIRST_ADDRESS = int(IPv4Address("10.64.0.0"))

_CONFIGURATION = """
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: wide, namespace: metallb-system}
spec: {addresses: [10.64.0.0/16]}
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: {name: l2, namespace: metallb-system}
---
apiVersion: metallb.io/v1beta1
kind: BGPAdvertisement
metadata: {name: bgp, namespace: metallb-system}
spec: {communities: ["64500:100"]}
---
apiVersion: metallb.io/v1beta2
kind: BGPPeer
metadata: {name: r1, namespace: metallb-system}
spec: {myASN: 64500, peerASN: 64501, peerAddress: 10.50.0.1}
---
apiVersion: metallb.io/v1beta2
kind: BGPPeer
metadata: {name: r2, namespace: metallb-system}
spec: {myASN: 64500, peerASN: 64501, peerAddress: 10.50.0.2}
"""


def node_manifest(number: int) -> str:
    name = f"node-{number}"
    return f"apiVersion: v1\nkind: Node\nmetadata: {{name: {name}, labels: {{kubernetes.io/hostname: {name}}}}}\n"


def service_manifest(number: int, *, assigned: bool) -> str:
    """Service `number`; with its address in the status, or still waiting for one."""
    address = IPv4Address(FIRST_ADDRESS + number)
    status = f"status: {{loadBalancer: {{ingress: [{{ip: {address}}}]}}}}\n" if assigned else ""
    return (
        "apiVersion: v1\nkind: Service\n"
        f"metadata: {{name: s{number}, namespace: default, labels: {{app: s{number}}}}}\n"
        f"spec: {{type: LoadBalancer, clusterIP: 10.96.0.1, clusterIPs: [10.96.0.1], ports: [{{port: 80}}],"
        f" selector: {{app: s{number}}}}}\n{status}"
    )


def slice_manifest(number: int, nodes: int) -> str:
    """Three ready endpoints of service `number` on three of the nodes."""
    endpoints = ", ".join(
        f"{{addresses: [10.244.0.{k}], conditions: {{ready: true}}, nodeName: node-{(number + k) % nodes}}}"
        for k in range(3)
    )
    return (
        "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n"
        f"metadata: {{name: s{number}-x, namespace: default, labels: {{{SERVICE_NAME_LABEL}: s{number}}}}}\n"
        f"addressType: IPv4\nendpoints: [{endpoints}]\n"
    )


def manifests(services: int, nodes: int, *, assigned: bool = True) -> list[tuple[str, str]]:
    """(file name, text) of the whole cluster."""
    files = [("config.yaml", _CONFIGURATION)]
    files += [(f"node-{number}.yaml", node_manifest(number)) for number in range(nodes)]
    for number in range(services):
        files.append((f"service-{number}.yaml", service_manifest(number, assigned=assigned)))
        files.append((f"slice-{number}.yaml", slice_manifest(number, nodes)))
    return files


def resources(services: int, nodes: int, *, assigned: bool = True) -> Resources:
    """The same, decoded. Raises ValueError if anything in it is wrong, which would spoil the measurement."""
    collected = collect(manifests(services, nodes, assigned=assigned))
    if collected.problems:
        raise ValueError(str(collected.problems[0]))
    return collected.resources
