"""Short ways to write the manifests of a case. Each returns one object as the dict that a YAML file would hold."""

from typing import Any

Manifest = dict[str, Any]
NAMESPACE = "metallb-system"


def _custom(kind: str, name: str, spec: dict[str, Any], version: str = "v1beta1", **meta: Any) -> Manifest:
    metadata = {"name": name, "namespace": NAMESPACE, **meta}
    return {"apiVersion": f"metallb.io/{version}", "kind": kind, "metadata": metadata, "spec": spec}


def pool(name: str, *addresses: str, meta: dict[str, Any] | None = None, **spec: Any) -> Manifest:
    return _custom("IPAddressPool", name, {"addresses": list(addresses), **spec}, **(meta or {}))


def l2(name: str, meta: dict[str, Any] | None = None, **spec: Any) -> Manifest:
    return _custom("L2Advertisement", name, spec, **(meta or {}))


def bgp(name: str, meta: dict[str, Any] | None = None, **spec: Any) -> Manifest:
    return _custom("BGPAdvertisement", name, spec, **(meta or {}))


def peer(name: str, address: str | None = "10.9.0.1", meta: dict[str, Any] | None = None, **spec: Any) -> Manifest:
    base: dict[str, Any] = {"myASN": 64500, "peerASN": 64501}
    if address is not None:
        base["peerAddress"] = address
    merged = {key: value for key, value in {**base, **spec}.items() if value is not None}
    return _custom("BGPPeer", name, merged, "v1beta2", **(meta or {}))


def community(name: str, meta: dict[str, Any] | None = None, **aliases: str) -> Manifest:
    entries = [{"name": alias, "value": value} for alias, value in aliases.items()]
    return _custom("Community", name, {"communities": entries}, **(meta or {}))


def bfd(name: str, **spec: Any) -> Manifest:
    return _custom("BFDProfile", name, spec)


def secret(
    name: str, password: str = "c2VjcmV0", kind: str = "kubernetes.io/basic-auth", key: str = "password"
) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "type": kind,
        "data": {key: password},
    }


def node(name: str, condition: tuple[str, str] | None = None, **labels: str) -> Manifest:
    status = {"conditions": [{"type": condition[0], "status": condition[1]}]} if condition else {}
    metadata = {"name": name, "labels": {"kubernetes.io/hostname": name, **labels}}
    return {"apiVersion": "v1", "kind": "Node", "metadata": metadata, "status": status}


def namespace(name: str, **labels: str) -> Manifest:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def service(
    name: str,
    *,
    ns: str = "default",
    status: list[dict[str, str]] | None = None,
    labels: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None,
    cluster_ips: list[str] | None = None,
    ports: list[tuple[str, int]] | None = None,
    created: str | None = None,
    **spec: Any,
) -> Manifest:
    """A Service of type LoadBalancer with cluster IP 10.96.0.1, TCP/80 and selector app=NAME unless told otherwise."""
    ips = ["10.96.0.1"] if cluster_ips is None else cluster_ips
    wire_ports = [{"protocol": protocol, "port": port} for protocol, port in ports or [("TCP", 80)]]
    full = {
        "type": "LoadBalancer",
        "clusterIPs": ips,
        "clusterIP": ips[0] if ips else "",
        "ports": wire_ports,
        "selector": {"app": name},
        **spec,
    }
    metadata: dict[str, Any] = {"name": name, "namespace": ns, "labels": labels or {}, "annotations": annotations or {}}
    if created:
        metadata["creationTimestamp"] = created
    manifest = {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": full}
    if status is not None:
        manifest["status"] = {"loadBalancer": {"ingress": status}}
    return manifest


def slice_of(name: str, *endpoints: tuple[str | None, bool | None, bool | None], ns: str = "default") -> Manifest:
    """An EndpointSlice of service `name`; each endpoint is (node name, ready, serving)."""
    wire = []
    for number, (node_name, ready, serving) in enumerate(endpoints, start=1):
        conditions = {key: value for key, value in (("ready", ready), ("serving", serving)) if value is not None}
        entry: dict[str, Any] = {"addresses": [f"10.244.0.{number}"], "conditions": conditions}
        if node_name is not None:
            entry["nodeName"] = node_name
        wire.append(entry)
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": f"{name}-1", "namespace": ns, "labels": {"kubernetes.io/service-name": name}},
        "addressType": "IPv4",
        "endpoints": wire,
    }


def ready(name: str, *nodes: str, ns: str = "default") -> Manifest:
    """An EndpointSlice of service `name` with one ready endpoint on each of `nodes`."""
    return slice_of(name, *((node_name, True, None) for node_name in nodes), ns=ns)
