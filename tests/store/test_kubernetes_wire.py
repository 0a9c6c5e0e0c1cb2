"""From the API server's JSON to small objects: what is kept, what is dropped, what is only a problem."""

import json
from typing import Any

import pytest

from herald.cluster.endpoints import EndpointSlice
from herald.cluster.meta import ObjectMeta
from herald.cluster.node import Node
from herald.cluster.secret import Secret
from herald.cluster.service import Service
from herald.store.kubernetes import wire
from herald.store.kubernetes.sources import Scope, kind_of, sources
from herald.store.store import KINDS

META = {
    "name": "web",
    "namespace": "default",
    "uid": "u",
    "resourceVersion": "7",
    "generation": 3,
    "managedFields": [{}],
}


def read(kind: str, **content: Any) -> wire.Reading:
    return wire.read(kind_of(kind), json.dumps({"metadata": META, **content}).encode())


def test_a_service_keeps_what_decides() -> None:
    annotations = {
        "metallb.io/address-pool": "a",
        "metallb.universe.tf/loadBalancerIPs": "b",
        "herald.metallb.io/claimed-addresses": "c",
        "metalb.io/address-pool": "misspelt",
        "kubectl.kubernetes.io/last-applied-configuration": "{}",
        "example.com/owner": "x",
    }
    meta = {**META, "labels": {"app": "x"}, "annotations": annotations}
    spec = {"type": "LoadBalancer", "clusterIPs": ["10.0.0.1"], "sessionAffinity": "None", "selector": {"app": "x"}}
    item = read("Service", metadata=meta, spec=spec, status={"loadBalancer": {}}).item
    assert isinstance(item, Service)
    assert item.metadata == ObjectMeta(
        name="web",
        namespace="default",
        labels={"app": "x"},
        annotations={key: annotations[key] for key in list(annotations)[:4]},
        resource_version="7",
        uid="u",
    )
    assert item.spec.cluster_ips == ("10.0.0.1",)
    assert item.is_load_balancer


def test_equal_ports_are_kept_once_and_a_node_port_is_no_news() -> None:
    def item(node_port: int) -> Service:
        ports = [{"port": 80, "name": "http", "nodePort": node_port, "targetPort": "web"}]
        found = read("Service", spec={"type": "LoadBalancer", "ports": ports}).item
        assert isinstance(found, Service)
        return found

    one, other = item(30001), item(30002)
    assert one == other
    assert one.spec.ports is other.spec.ports
    assert [str(port) for port in one.spec.ports] == ["TCP/80"]


def test_a_slice_keeps_which_nodes_can_serve_and_nothing_else() -> None:
    endpoint = {"nodeName": "n1", "conditions": {"ready": True, "terminating": False}, "targetRef": {"kind": "Pod"}}
    endpoints = [{**endpoint, "addresses": [address]} for address in ("10.0.0.1", "10.0.0.2")]
    meta = {**META, "labels": {"kubernetes.io/service-name": "web", "app": "x"}}
    item = read("EndpointSlice", metadata=meta, addressType="IPv4", endpoints=endpoints, ports=[]).item
    assert isinstance(item, EndpointSlice)
    assert item.endpoints[0] is item.endpoints[1], "how many, and not their addresses"
    assert item.address_type == "IPv4"
    assert item.metadata == ObjectMeta(name="web", namespace="default", labels={"kubernetes.io/service-name": "web"}), (
        "no version: ten thousand of them are of no use"
    )


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("EndpointSlice", {"endpoints": None}),
        ("EndpointSlice", {"endpoints": [{"addresses": ["10.0.0.1"], "conditions": None, "nodeName": None}]}),
        ("Service", {"spec": {"type": "LoadBalancer", "ports": None, "selector": None}}),
        ("Node", {"status": {"conditions": None}, "spec": {"podCIDRs": None}}),
        ("Secret", {"data": None}),
        ("Namespace", {"metadata": {"name": "a", "labels": None, "annotations": None}}),
    ],
)
def test_null_is_as_good_as_absent(kind: str, content: dict[str, Any]) -> None:
    reading = read(kind, **content)
    assert type(reading.item).__name__ == kind
    assert reading.problems == ()


def test_of_a_secret_only_type_and_password_are_kept() -> None:
    data = {"password": "aGVyYWxk", "username": "YWRtaW4=", "token": "x"}
    item = read("Secret", type="kubernetes.io/basic-auth", data=data).item
    assert isinstance(item, Secret)
    assert item.data == {"password": "aGVyYWxk"}
    assert item.type == "kubernetes.io/basic-auth"
    assert "aGVyYWxk" not in repr(item)


def test_of_a_node_only_the_network_condition_is_kept() -> None:
    conditions = [{"type": "Ready", "status": "False"}, {"type": "NetworkUnavailable", "status": "True"}]
    item = read("Node", status={"conditions": conditions}).item
    assert isinstance(item, Node)
    assert item.is_network_unavailable
    assert [condition.type for condition in item.status.conditions] == ["NetworkUnavailable"]


def test_of_a_node_that_shuts_down_that_is_kept_and_nothing_that_changes_with_every_heartbeat() -> None:
    ready = {"type": "Ready", "status": "False", "reason": "KubeletNotReady"}
    said = [{**ready, "message": f"[no CNI for {seconds} s, node is shutting down]"} for seconds in (3, 4)]
    items = [read("Node", status={"conditions": [condition]}).item for condition in said]
    assert items[0] == items[1]
    assert isinstance(items[0], Node)
    assert items[0].is_shutting_down


def test_of_a_node_the_drain_annotation_is_kept() -> None:
    meta = {"name": "n", "annotations": {"herald.metallb.io/drain": "30s", "volumes.kubernetes.io/attach": "true"}}
    item = read("Node", metadata=meta).item
    assert isinstance(item, Node)
    assert (item.drain, len(item.metadata.annotations)) == ("30s", 1)


def test_what_the_schema_refuses_is_a_problem_that_names_the_object() -> None:
    reading = read("BGPPeer", spec={"peerASN": "many"})
    assert reading.item is None
    assert {(each.rule, each.kind, each.namespace, each.name) for each in reading.problems} == {
        ("HL202", "BGPPeer", "default", "web")
    }


def test_an_unknown_field_is_a_problem_and_the_object_counts() -> None:
    reading = read("IPAddressPool", spec={"addresses": ["192.0.2.0/24"], "autoasign": False})
    assert reading.item is not None
    assert [each.rule for each in reading.problems] == ["HL203"]


def test_where_the_kinds_are_read() -> None:
    found = sources(Scope.of_speaker("system"), KINDS)
    assert {name: source.path for name, source in found.items()} == {
        "IPAddressPool": "/apis/metallb.io/v1beta1/namespaces/system/ipaddresspools",
        "L2Advertisement": "/apis/metallb.io/v1beta1/namespaces/system/l2advertisements",
        "BGPAdvertisement": "/apis/metallb.io/v1beta1/namespaces/system/bgpadvertisements",
        "BGPPeer": "/apis/metallb.io/v1beta2/namespaces/system/bgppeers",
        "BFDProfile": "/apis/metallb.io/v1beta1/namespaces/system/bfdprofiles",
        "Community": "/apis/metallb.io/v1beta1/namespaces/system/communities",
        "Service": "/api/v1/services",
        "EndpointSlice": "/apis/discovery.k8s.io/v1/endpointslices",
        "Node": "/api/v1/nodes",
        "Namespace": "/api/v1/namespaces",
        "Secret": "/api/v1/namespaces/system/secrets",
    }
    assert found["Service"].selectors == {"fieldSelector": "spec.type=LoadBalancer"}
    assert {name: source.fallback for name, source in found.items() if source.fallback is not None} == {"Service": {}}
    assert sources(Scope.of_controller("system"), ("Service",))["Service"].selectors == {}
