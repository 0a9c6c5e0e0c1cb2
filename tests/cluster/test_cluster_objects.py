"""The core objects as Herald reads them: names on the wire, and what each says about itself."""

import base64

import msgspec
import pytest

from herald.cluster.endpoints import EndpointSlice
from herald.cluster.meta import NamespacedName, ObjectMeta, is_dns_subdomain
from herald.cluster.node import Node
from herald.cluster.secret import Secret
from herald.cluster.service import Service, with_cluster_ip_defaults
from herald.cluster.wire import wire_name


@pytest.mark.parametrize(
    ("field", "wire"),
    [
        ("hold_time", "holdTime"),
        ("peer_asn", "peerASN"),
        ("load_balancer_ip", "loadBalancerIP"),
        ("load_balancer_class", "loadBalancerClass"),
        ("cluster_ips", "clusterIPs"),
        ("ip_family_policy", "ipFamilyPolicy"),
        ("external_traffic_policy", "externalTrafficPolicy"),
        ("aggregation_length_v6", "aggregationLengthV6"),
        ("minimum_ttl", "minimumTtl"),
        ("avoid_buggy_ips", "avoidBuggyIPs"),
        ("name", "name"),
    ],
)
def test_fields_are_spelt_as_kubernetes_spells_them(field: str, wire: str) -> None:
    assert wire_name(field) == wire


def test_names_of_namespaced_objects() -> None:
    assert NamespacedName.parse("lb/web") == NamespacedName("lb", "web")
    assert NamespacedName.parse("web") == NamespacedName("default", "web")
    assert str(NamespacedName("lb", "web")) == "lb/web"


@pytest.mark.parametrize(
    ("text", "good"),
    [
        *((text, True) for text in ("web", "a.b-c.d", "0", "x" * 253)),
        *((text, False) for text in ("x" * 254, "Web", "", "-a", "a-", "a..b", "a_b", "a\n")),
    ],
)
def test_names_of_objects_are_dns_subdomains(text: str, good: bool) -> None:
    assert is_dns_subdomain(text) is good


def test_older_objects_come_first_and_those_not_applied_yet_last() -> None:
    old = ObjectMeta(name="z", creation_timestamp="2026-01-01T00:00:00Z")
    young = ObjectMeta(name="a", creation_timestamp="2026-02-01T00:00:00Z")
    unborn = ObjectMeta(name="a")
    assert sorted([unborn, young, old], key=lambda meta: meta.age_order) == [old, young, unborn]


def service(**raw: object) -> Service:
    return msgspec.convert({"metadata": {"name": "web"}, **raw}, Service)


ANNOTATIONS = [
    ({"metallb.io/allow-shared-ip": "k"}, "k", True),
    ({"metallb.universe.tf/allow-shared-ip": "k"}, "k", True),
    ({"metallb.io/allow-shared-ip": "", "metallb.universe.tf/allow-shared-ip": "k"}, "", True),
    ({}, "", False),
]


@pytest.mark.parametrize(("annotations", "key", "wants"), ANNOTATIONS)
def test_the_current_annotation_prefix_wins_even_when_empty(annotations: dict[str, str], key: str, wants: bool) -> None:
    subject = service(metadata={"name": "web", "annotations": annotations})
    assert (subject.sharing_key, subject.wants_sharing) == (key, wants)


def test_a_service_says_what_decides() -> None:
    subject = service(
        spec={"type": "LoadBalancer", "externalTrafficPolicy": "Local", "ports": [{"port": 80}]},
        status={"loadBalancer": {"ingress": [{"hostname": "h"}, {"ip": "10.0.0.1"}]}},
    )
    assert subject.is_load_balancer
    assert subject.is_local
    assert subject.ingress_ips == ("10.0.0.1",)
    assert str(subject.spec.ports[0]) == "TCP/80"


CLUSTER_IPS = [
    ("no wish", {}, ("192.0.2.1",)),
    ("IPv6", {"ipFamilies": ["IPv6"]}, ("2001:db8::1",)),
    ("dual by policy", {"ipFamilyPolicy": "RequireDualStack"}, ("192.0.2.1", "2001:db8::1")),
    ("prefers dual", {"ipFamilyPolicy": "PreferDualStack"}, ("192.0.2.1", "2001:db8::1")),
    ("dual, IPv6 first", {"ipFamilyPolicy": "RequireDualStack", "ipFamilies": ["IPv6"]}, ("2001:db8::1", "192.0.2.1")),
    ("dual by families", {"ipFamilies": ["IPv6", "IPv4"]}, ("2001:db8::1", "192.0.2.1")),
    ("single", {"ipFamilyPolicy": "SingleStack"}, ("192.0.2.1",)),
    ("present", {"clusterIPs": ["10.96.0.1"]}, ("10.96.0.1",)),
    ("present and empty", {"clusterIPs": []}, ()),
    ("headless", {"clusterIP": "None"}, None),
]


@pytest.mark.parametrize(("spec", "expected"), [c[1:] for c in CLUSTER_IPS], ids=[c[0] for c in CLUSTER_IPS])
def test_absent_cluster_ips_are_completed_as_a_server_would(
    spec: dict[str, object], expected: tuple[str, ...] | None
) -> None:
    assert with_cluster_ip_defaults(service(spec=spec)).spec.cluster_ips == expected


CONDITIONS = [
    ("no conditions", None, True),
    ("nothing said", {}, True),
    ("ready", {"ready": True}, True),
    ("ready, not serving", {"ready": True, "serving": False}, True),
    ("not ready", {"ready": False}, False),
    ("terminating but serving", {"ready": False, "serving": True}, True),
    ("neither", {"ready": False, "serving": False}, False),
]


@pytest.mark.parametrize(("conditions", "serves"), [c[1:] for c in CONDITIONS], ids=[c[0] for c in CONDITIONS])
def test_an_endpoint_serves_when_ready_or_still_serving(conditions: dict[str, bool] | None, serves: bool) -> None:
    endpoints = [{"addresses": ["10.1.0.1"], "nodeName": "n1", "conditions": conditions}, {"addresses": ["10.1.0.2"]}]
    piece = msgspec.convert({"metadata": {"name": "web-x"}, "endpoints": endpoints}, EndpointSlice)
    assert [endpoint.can_serve for endpoint in piece.endpoints] == [serves, True]


def test_a_slice_belongs_to_the_service_of_its_label() -> None:
    labelled = {"name": "web-x", "namespace": "lb", "labels": {"kubernetes.io/service-name": "web"}}
    assert msgspec.convert({"metadata": labelled}, EndpointSlice).service == NamespacedName("lb", "web")
    assert EndpointSlice().service is None


@pytest.mark.parametrize(("status", "unavailable"), [("True", True), ("False", False), ("Unknown", False)])
def test_a_node_without_network_says_so(status: str, unavailable: bool) -> None:
    conditions = [{"type": "Ready", "status": "True"}, {"type": "NetworkUnavailable", "status": status}]
    node = msgspec.convert({"metadata": {"name": "n"}, "status": {"conditions": conditions}}, Node)
    assert node.is_network_unavailable is unavailable


def test_a_node_is_excluded_by_the_presence_of_the_label() -> None:
    label = "node.kubernetes.io/exclude-from-external-load-balancers"
    assert Node(metadata=ObjectMeta(name="n", labels={label: "false"})).is_excluded
    assert not Node(metadata=ObjectMeta(name="n")).is_excluded


def encoded(text: bytes) -> str:
    return base64.b64encode(text).decode()


def secret(**fields: dict[str, str]) -> Secret:
    return Secret(metadata=ObjectMeta(name="s", namespace="lb"), **fields)  # type: ignore[arg-type]  # data, string_data


SECRETS = [
    ("plain", secret(data={"password": encoded(b"hunter2")}), "hunter2"),
    (
        "wrapped lines",
        secret(data={"password": encoded(b"hunter2")[:5] + "\r\n" + encoded(b"hunter2")[5:] + "\n"}),
        "hunter2",
    ),
    ("string data wins", secret(data={"password": encoded(b"old")}, string_data={"password": "new"}), "new"),
    ("absent", secret(data={"other": "eA=="}), None),
    ("empty", secret(data={"password": ""}), ""),
]


@pytest.mark.parametrize(("subject", "value"), [c[1:] for c in SECRETS], ids=[c[0] for c in SECRETS])
def test_a_secret_gives_its_plain_text(subject: Secret, value: str | None) -> None:
    assert subject.value("password") == value


@pytest.mark.parametrize("data", ["not base64!", "hunter2", encoded(b"\xff\xfe"), "pässwörd"])
def test_a_secret_that_cannot_be_read_does_not_show_its_bytes(data: str) -> None:
    with pytest.raises(ValueError, match="is not base64 of UTF-8 text") as raised:
        secret(data={"password": data}).value("password")
    assert data not in str(raised.value)
    assert raised.value.__suppress_context__


def test_a_secret_never_shows_what_it_holds() -> None:
    text = repr(secret(data={"password": encoded(b"hunter2")}, string_data={"user": "root"}))
    assert "password" in text
    assert encoded(b"hunter2") not in text
    assert "root" not in text
