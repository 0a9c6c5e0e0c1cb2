"""Short ways to ask the webhook: objects as JSON, requests about them, and the world in which they are judged."""

import json
from typing import Any

from herald.config.collect import collect
from herald.controller.webhook.admission_review import AdmissionRequest, GroupVersionKind
from herald.controller.webhook.world import World

NAMESPACE = "metallb-system"
VERSIONS = {"BGPPeer": "metallb.io/v1beta2"}
CORE = {"Service": "v1", "Node": "v1", "Namespace": "v1", "Secret": "v1"}


def thing(kind: str, name: str, spec: Any = None, *, namespace: str = NAMESPACE, **metadata: Any) -> dict[str, Any]:
    """An object as JSON."""
    version = CORE.get(kind) or VERSIONS.get(kind, "metallb.io/v1beta1")
    stated = {"name": name, **({} if kind in ("Node", "Namespace") else {"namespace": namespace}), **metadata}
    return {"apiVersion": version, "kind": kind, "metadata": stated, **({} if spec is None else {"spec": spec})}


def pool(name: str, *addresses: str, **spec: Any) -> dict[str, Any]:
    return thing("IPAddressPool", name, {"addresses": list(addresses), **spec})


def l2(name: str, **spec: Any) -> dict[str, Any]:
    return thing("L2Advertisement", name, spec)


def bgp(name: str, **spec: Any) -> dict[str, Any]:
    return thing("BGPAdvertisement", name, spec)


def peer(name: str, **spec: Any) -> dict[str, Any]:
    return thing("BGPPeer", name, {"myASN": 64500, "peerASN": 64501, "peerAddress": "10.9.0.1", **spec})


def profile(name: str, **spec: Any) -> dict[str, Any]:
    return thing("BFDProfile", name, spec)


def community(name: str, **aliases: str) -> dict[str, Any]:
    entries = [{"name": alias, "value": value} for alias, value in aliases.items()]
    return thing("Community", name, {"communities": entries})


def node(name: str, **labels: str) -> dict[str, Any]:
    return thing("Node", name, labels=labels)


def service(name: str, *ips: str, namespace: str = "shop") -> dict[str, Any]:
    spec = {"type": "LoadBalancer", "clusterIPs": ["10.96.0.9"], "clusterIP": "10.96.0.9", "ports": [{"port": 80}]}
    made = thing("Service", name, spec, namespace=namespace)
    return {**made, "status": {"loadBalancer": {"ingress": [{"ip": ip} for ip in ips]}}}


def world(*objects: dict[str, Any], **known: Any) -> World:
    """What is stored already."""
    collected = collect((f"{index}.json", json.dumps(each)) for index, each in enumerate(objects))
    assert collected.problems == ()
    return World(collected.resources, **known)


def request(
    operation: str, new: dict[str, Any] | None, old: dict[str, Any] | None = None, **fields: Any
) -> AdmissionRequest:
    shown = new if new is not None else old
    assert shown is not None
    group, _, version = shown["apiVersion"].rpartition("/")
    kind = GroupVersionKind(group=group, version=version, kind=shown["kind"])
    return AdmissionRequest(
        uid="u-1",
        kind=kind,
        operation=operation,
        name=shown["metadata"]["name"],
        namespace=shown["metadata"]["namespace"],
        object=new,
        old_object=old,
        **fields,
    )


def create(new: dict[str, Any], **fields: Any) -> AdmissionRequest:
    return request("CREATE", new, **fields)


def update(old: dict[str, Any], new: dict[str, Any], **fields: Any) -> AdmissionRequest:
    return request("UPDATE", new, old, **fields)


def delete(old: dict[str, Any], **fields: Any) -> AdmissionRequest:
    return request("DELETE", None, old, **fields)
