"""Raw objects into typed ones: what an API server would do, and every fault by path and value."""

from typing import Any

import pytest

from herald.api.bfd_profile import BFDProfile
from herald.api.bgp_advertisement import BGPAdvertisement
from herald.api.bgp_peer import BGPPeer
from herald.api.decode import Decoded, decode
from herald.api.finding import Fault
from herald.api.ip_address_pool import IPAddressPool
from herald.cluster.node import Node
from herald.cluster.secret import Secret
from herald.cluster.selector import LabelSelector
from herald.cluster.service import Service

VERSIONS = {"BGPPeer": "metallb.io/v1beta2", "Service": "v1", "Node": "v1", "Secret": "v1", "Namespace": "v1"}


def raw(kind: str, spec: object = None, **rest: Any) -> dict[str, Any]:
    version = VERSIONS.get(kind, "metallb.io/v1beta1")
    return {"apiVersion": version, "kind": kind, "metadata": {"name": "x", "namespace": "lb"}, "spec": spec, **rest}


def peer(**spec: Any) -> dict[str, Any]:
    return raw("BGPPeer", {"myASN": 64500, "peerASN": 64501, "peerAddress": "10.0.0.1", **spec})


def l2(**spec: Any) -> dict[str, Any]:
    return raw("L2Advertisement", {"failback": "delay", **spec})


def decoded(item: object) -> Decoded:
    return decode(item, "a.yaml:1")


def faults(item: object) -> list[tuple[str, str, str]]:
    return [(f.fault.value, f.field, f.message) for f in decoded(item).findings]


def spec_of(item: object) -> Any:
    result = decoded(item)
    assert result.findings == ()
    assert result.object is not None
    return result.object.spec  # type: ignore[union-attr]  # every kind asked for here has one


def test_a_peer_is_read_with_its_defaults() -> None:
    spec = spec_of(peer())
    assert (spec.my_asn, spec.peer_asn, spec.peer_address, spec.peer_port) == (64500, 64501, "10.0.0.1", 179)
    assert (spec.hold_time, spec.keepalive_time, spec.connect_time) == (None, None, None)
    assert (spec.enable_graceful_restart, spec.graceful_restart, spec.password_secret) == (None, None, None)
    assert (spec.disable_mp, spec.dual_stack_address_family, spec.ebgp_multi_hop) == (False, False, False)
    assert spec.node_selectors == ()


def test_every_field_of_a_peer_is_read() -> None:
    spec = spec_of(
        raw(
            "BGPPeer",
            {
                "myASN": 1,
                "dynamicASN": "external",
                "localASN": 4294967295,
                "interface": "eth0",
                "sourceAddress": "10.0.0.2",
                "peerPort": 1179,
                "holdTime": "90s",
                "keepaliveTime": "30s",
                "connectTime": "10s",
                "routerID": "10.0.0.3",
                "nodeSelectors": [{"matchLabels": {"a": "b"}}],
                "password": "p",
                "passwordSecret": {"name": "s", "namespace": "n"},
                "bfdProfile": "fast",
                "enableGracefulRestart": True,
                "ebgpMultiHop": True,
                "vrf": "red",
                "disableMP": True,
                "dualStackAddressFamily": True,
                "gracefulRestart": {"enabled": True, "restartTime": "60s"},
                "passive": True,
                "bfdStrict": True,
                "tcpAO": {"sendID": 0, "receiveID": 255, "secretRef": {"name": "k"}},
            },
        )
    )
    assert (spec.dynamic_asn, spec.local_asn, spec.interface, spec.source_address) == (
        "external",
        4294967295,
        "eth0",
        "10.0.0.2",
    )
    assert (spec.peer_port, spec.hold_time, spec.keepalive_time, spec.connect_time) == (1179, "90s", "30s", "10s")
    assert (spec.router_id, spec.password, spec.bfd_profile, spec.vrf) == ("10.0.0.3", "p", "fast", "red")
    assert (spec.password_secret.name, spec.password_secret.namespace) == ("s", "n")
    assert spec.node_selectors == (LabelSelector(match_labels={"a": "b"}),)
    assert spec.enable_graceful_restart
    assert spec.ebgp_multi_hop
    assert spec.passive
    assert spec.bfd_strict
    assert spec.disable_mp
    assert spec.dual_stack_address_family
    assert (spec.graceful_restart.enabled, spec.graceful_restart.restart_time) == (True, "60s")
    assert (spec.tcp_ao.send_id, spec.tcp_ao.receive_id, spec.tcp_ao.secret_ref.name) == (0, 255, "k")
    assert spec.tcp_ao.algorithm == "hmac-sha-1-96"


def test_an_advertisement_without_a_spec_has_the_defaults() -> None:
    result = decoded(raw("BGPAdvertisement"))
    assert isinstance(result.object, BGPAdvertisement)
    assert (result.object.spec.aggregation_length, result.object.spec.aggregation_length_v6) == (32, 128)
    assert result.object.spec.local_pref == 0


def test_the_prepend_of_an_advertisement_is_read() -> None:
    prepend = spec_of(raw("BGPAdvertisement", {"asPrepend": {"count": 3, "asn": 64999}})).as_prepend
    assert (prepend.count, prepend.asn) == (3, 64999)


@pytest.mark.parametrize("med", [0, 4294967295])
def test_the_metric_of_an_advertisement_is_read(med: int) -> None:
    assert spec_of(raw("BGPAdvertisement", {"med": med})).med == med
    assert spec_of(raw("BGPAdvertisement", {})).med is None


@pytest.mark.parametrize(("raw_value", "mbps"), [({}, 1000), ({"perEndpointMbps": 25}, 25)], ids=["default", "given"])
def test_the_link_bandwidth_of_an_advertisement_is_read(raw_value: dict[str, int], mbps: int) -> None:
    assert spec_of(raw("BGPAdvertisement", {"linkBandwidth": raw_value})).link_bandwidth.per_endpoint_mbps == mbps
    assert spec_of(raw("BGPAdvertisement", {})).link_bandwidth is None


def test_preferences_and_pins_are_read() -> None:
    preference = {"weight": 7, "preference": {"matchExpressions": [{"key": "rack", "operator": "Exists"}]}}
    spec = spec_of(raw("L2Advertisement", {"preferredNodeSelectors": [preference], "interfaces": ["eth0"]}))
    assert spec.preferred_node_selectors[0].weight == 7
    assert spec.preferred_node_selectors[0].preference.match_expressions[0].key == "rack"
    pin = {"priority": 3, "namespaces": ["a"], "namespaceSelectors": [{}], "serviceSelectors": [{}]}
    allocation = spec_of(raw("IPAddressPool", {"addresses": [], "serviceAllocation": pin})).service_allocation
    assert (allocation.priority, allocation.namespaces) == (3, ("a",))
    assert allocation.namespace_selectors == allocation.service_selectors == (LabelSelector(),)


SCHEMA_FAULTS = [
    (peer(peerPort=70000), "spec.peerPort", "70000 is out of range; 1 to 16384 is possible"),
    (peer(peerPort=0), "spec.peerPort", "0 is out of range; 1 to 16384 is possible"),
    (peer(peerASN="64501"), "spec.peerASN", '"64501" is a string, a number is needed'),
    (peer(peerASN=4294967296), "spec.peerASN", "4294967296 is out of range; 0 to 4294967295 is possible"),
    (peer(peerASN=10**5000), "spec.peerASN", "a number of very many digits is out of range"),
    (peer(peerASN=float("inf")), "spec.peerASN", "a whole number is needed"),
    (peer(peerASN=float("nan")), "spec.peerASN", "a whole number is needed"),
    (peer(peerASN=1e300), "spec.peerASN", "is out of range; 0 to 4294967295 is possible"),
    (peer(localASN=0), "spec.localASN", "0 is out of range; 1 to 4294967295 is possible"),
    (peer(peerASN=1.5), "spec.peerASN", "1.5 is a number, a whole number is needed"),
    (peer(peerASN=True), "spec.peerASN", "true is a boolean, a number is needed"),
    (peer(peerAddress=10.0), "spec.peerAddress", "10.0 is a number, a string is needed: quote it"),
    (
        l2(failbackDelay=-5),
        "spec.failbackDelay",
        "-5 is a number, a string is needed: write a duration above 0, such as 5m",
    ),
    (
        l2(failbackDelay=0),
        "spec.failbackDelay",
        "0 is a number, a string is needed: write a duration above 0, such as 5m",
    ),
    (l2(failbackDelay=0.5), "spec.failbackDelay", "write a duration above 0, such as 5m"),
    (l2(failbackDelay=90), "spec.failbackDelay", "90 is a number, a string is needed: write 90s"),
    (l2(failbackDelay="-5"), "spec.failbackDelay", '"-5" has no unit; write a duration above 0, such as 5m'),
    (l2(failbackDelay="soon"), "spec.failbackDelay", '"soon" is not a duration; write a number and a unit'),
    (peer(peerAddress=["10.0.0.1"]), "spec.peerAddress", "the value is a list, a string is needed"),
    (peer(ebgpMultiHop="yes"), "spec.ebgpMultiHop", '"yes" is a string, true or false is needed'),
    (peer(dynamicASN="auto"), "spec.dynamicASN", '"auto" is not possible; write external or internal'),
    (peer(dynamicASN="Internal"), "spec.dynamicASN", "write external or internal; did you mean internal?"),
    (peer(dynamicASN=False), "spec.dynamicASN", 'false is a boolean, "external" or "internal" is needed'),
    (peer(role="rs_server"), "spec.role", "did you mean rs-server?"),
    (
        peer(tcpAO={"secretRef": {"name": "s"}, "sendID": 1, "receiveID": 1, "algorithm": "AES-128-CMAC-96"}),
        "spec.tcpAO.algorithm",
        "did you mean aes-128-cmac-96?",
    ),
    (
        raw("L2Advertisement", {"failback": "Never"}),
        "spec.failback",
        '"Never" is not possible; write delay, immediate or never; did you mean never?',
    ),
    (raw("L2Advertisement", {"spread": "evenly"}), "spec.spread", "write even or hash; did you mean even?"),
    (peer(holdTime="90"), "spec.holdTime", '"90" is not a duration'),
    (peer(holdTime=90), "spec.holdTime", "90 is a number, a string is needed: write 90s"),
    (peer(connectTime="0s"), "spec.connectTime", '"0s" is out of range; 1s to 65535s is possible'),
    (peer(connectTime="65536s"), "spec.connectTime", '"65536s" is out of range'),
    (peer(connectTime="1500ms"), "spec.connectTime", '"1500ms" is not a whole number of seconds'),
    (peer(connectTime="-5s"), "spec.connectTime", '"-5s" is out of range'),
    (peer(connectTime="soon"), "spec.connectTime", '"soon" is not a duration'),
    (peer(gracefulRestart={"restartTime": "60s"}), "spec.gracefulRestart.enabled", "is missing; it must be set"),
    (
        peer(gracefulRestart={"enabled": True, "restartTime": "4096s"}),
        "spec.gracefulRestart.restartTime",
        "1s to 4095s",
    ),
    (peer(nodeSelectors={}), "spec.nodeSelectors", "the value is an object, a list is needed"),
    (peer(nodeSelectors=[None]), "spec.nodeSelectors[0]", "it is null, an object is needed"),
    (
        peer(nodeSelectors=[{}, {"matchLabels": {"a": True}}]),
        "spec.nodeSelectors[1].matchLabels[a]",
        "true is a boolean, a string is needed: quote it",
    ),
    (
        peer(nodeSelectors=[{"matchExpressions": [{"operator": "Exists"}]}]),
        "spec.nodeSelectors[0].matchExpressions[0].key",
        "is missing",
    ),
    (raw("BGPPeer", {}), "spec.myASN", "is missing; it must be set"),
    (raw("BGPPeer"), "spec", "is missing; it must be set"),
    (raw("IPAddressPool", {}), "spec.addresses", "is missing; it must be set"),
    (raw("IPAddressPool", "10.0.0.0/24"), "spec", '"10.0.0.0/24" is a string, an object is needed'),
    (raw("IPAddressPool", {"addresses": "10.0.0.0/24"}), "spec.addresses", "is a string, a list is needed"),
    (raw("BGPAdvertisement", {"aggregationLength": 0}), "spec.aggregationLength", "0 is out of range"),
    (raw("BGPAdvertisement", {"localPref": -1}), "spec.localPref", "-1 is out of range; 0 to 2147483647 is possible"),
    (raw("BGPAdvertisement", {"med": -1}), "spec.med", "-1 is out of range; 0 to 4294967295 is possible"),
    (raw("BGPAdvertisement", {"asPrepend": {"count": 11}}), "spec.asPrepend.count", "11 is out of range; 1 to 10"),
    (
        raw("BGPAdvertisement", {"linkBandwidth": {"perEndpointMbps": 0}}),
        "spec.linkBandwidth.perEndpointMbps",
        "0 is out of range; 1 to 1000000",
    ),
    (raw("BFDProfile", {"receiveInterval": 9}), "spec.receiveInterval", "9 is out of range; 10 to 60000 is possible"),
    (raw("BFDProfile", {"minimumTtl": 255}), "spec.minimumTtl", "255 is out of range; 1 to 254 is possible"),
    (
        raw("L2Advertisement", {"preferredNodeSelectors": [{"weight": 101, "preference": {}}]}),
        "spec.preferredNodeSelectors[0].weight",
        "101 is out of range; 1 to 100 is possible",
    ),
    (
        raw("BGPAdvertisement", {"serviceSelectors": [{}], "aggregationLength": 24}),
        "spec",
        "serviceSelectors and aggregationLength are mutually exclusive",
    ),
    (
        raw("BGPAdvertisement", {"serviceSelectors": [{}], "aggregationLengthV6": 64}),
        "spec",
        "serviceSelectors and aggregationLengthV6 are mutually exclusive",
    ),
    (raw("Service", {"ports": [{"port": "http"}]}), "spec.ports[0].port", '"http" is a string, a number is needed'),
    (
        {**raw("Service"), "metadata": {"name": "x", "labels": {"public": True}}},
        "metadata.labels[public]",
        "true is a boolean, a string is needed: quote it",
    ),
    (
        {**raw("Service"), "metadata": {"name": "x", "labels": {"a": "b c"}}},
        "metadata.labels[a]",
        "invalid label value 'b c'",
    ),
    ({**raw("Service"), "metadata": {"name": "x", "annotations": {"a": 1}}}, "metadata.annotations[a]", "quote it"),
    ({**raw("Service"), "metadata": {"name": "My_Web"}}, "metadata.name", '"My_Web" is not a name'),
    ({**raw("Service"), "metadata": {"name": 5}}, "metadata.name", "5 is a number, a string is needed: quote it"),
    ({**raw("Service"), "metadata": {}}, "metadata.name", "is missing; every object needs a name"),
    ({**raw("Service"), "metadata": {"generateName": "x-"}}, "metadata.name", "is missing"),
    ({"apiVersion": "v1", "kind": "Node"}, "metadata.name", "is missing"),
    ({**raw("Service"), "metadata": "web"}, "metadata", '"web" is a string, an object is needed'),
]


@pytest.mark.parametrize(("item", "field", "why"), SCHEMA_FAULTS, ids=[f"{f}: {w}"[:70] for _, f, w in SCHEMA_FAULTS])
def test_a_fault_names_the_field_the_value_and_what_would_be_right(item: object, field: str, why: str) -> None:
    assert decoded(item).object is None
    found = faults(item)
    assert [(rule, path) for rule, path, _ in found] == [("HL202", field)]
    assert why in found[0][2]


def test_all_faults_of_an_object_are_named_at_once() -> None:
    item = peer(peerPort=0, holdTime="x", nodeSelectors=[1], pasword="p")
    fields = [(rule, field) for rule, field, _ in faults(item)]
    assert fields == [
        ("HL202", "spec.peerPort"),
        ("HL202", "spec.holdTime"),
        ("HL202", "spec.nodeSelectors[0]"),
        ("HL203", "spec.pasword"),
    ]


@pytest.mark.parametrize("value", [12345, True, ["hunter2"], 1.5])
def test_a_password_is_never_repeated(value: object) -> None:
    told = faults(peer(password=value)) + faults({**raw("Secret"), "data": {"password": value}})
    assert [path for _, path, _ in told] == ["spec.password", "data[password]"]
    assert all("the value is" in message for _, _, message in told)
    assert "hunter2" not in repr(decoded(peer(password="hunter2")).object)


ALLOWED = [
    ("whole floats are integers", peer(peerPort=179.0), "peer_port", 179),
    ("null is absent", peer(peerPort=None), "peer_port", 179),
    ("a null list is absent", peer(nodeSelectors=None), "node_selectors", ()),
    ("an empty selector is one", peer(nodeSelectors=[{}]), "node_selectors", (LabelSelector(),)),
    ("myASN 0 passes the schema", peer(myASN=0), "my_asn", 0),
    ("timers may be zero", peer(holdTime="0s"), "hold_time", "0s"),
    ("below a millisecond passes the rule", peer(connectTime="1.0000005s"), "connect_time", "1.0000005s"),
    ("V6 lengths have no bound", raw("BGPAdvertisement", {"aggregationLengthV6": 129}), "aggregation_length_v6", 129),
    (
        "explicit host lengths go with service selectors",
        raw("BGPAdvertisement", {"serviceSelectors": [{}], "aggregationLength": 32, "aggregationLengthV6": 128}),
        "aggregation_length",
        32,
    ),
    (
        "no service selectors, any length",
        raw("BGPAdvertisement", {"serviceSelectors": [], "aggregationLength": 24}),
        "aggregation_length",
        24,
    ),
]


@pytest.mark.parametrize(("item", "field", "value"), [c[1:] for c in ALLOWED], ids=[c[0] for c in ALLOWED])
def test_what_an_api_server_lets_pass_passes(item: object, field: str, value: object) -> None:
    assert getattr(spec_of(item), field) == value


UNKNOWN = [
    (raw("L2Advertisement", {"ipAdressPools": ["a"]}), "spec.ipAdressPools", "; did you mean ipAddressPools?"),
    (raw("L2Advertisement", {"IPAddressPools": ["a"]}), "spec.IPAddressPools", "; did you mean ipAddressPools?"),
    (raw("L2Advertisement", {"colour": "red"}), "spec.colour", "unknown field spec.colour"),
    (peer(nodeSelectors=[{"matchLabel": {}}]), "spec.nodeSelectors[0].matchLabel", "; did you mean matchLabels?"),
    (raw("Community", {}, data={}), "data", "unknown field data"),
    (
        {**raw("Community"), "metadata": {"name": "x", "namepace": "lb"}},
        "metadata.namepace",
        "; did you mean namespace?",
    ),
    (raw("Community", {1: "x"}), "spec.1", "unknown field spec.1"),
    (raw("Community", {10**5000: "x"}), "spec.a number of very many digits", "unknown field"),
]


@pytest.mark.parametrize(("item", "field", "why"), UNKNOWN, ids=[f for _, f, _ in UNKNOWN])
def test_an_unknown_field_is_pruned_with_a_warning(item: object, field: str, why: str) -> None:
    result = decoded(item)
    assert result.object is not None
    assert [(f.fault, f.field) for f in result.findings] == [(Fault.UNKNOWN_FIELD, field)]
    assert why in result.findings[0].message


def test_fields_that_herald_does_not_read_are_no_matter_in_core_kinds() -> None:
    item = raw("Service", {"type": "LoadBalancer", "sessionAffinity": "None", "typ": 1}, extra={"a": [1]})
    result = decoded(item)
    assert result.findings == ()
    assert isinstance(result.object, Service)
    assert result.object.spec.type == "LoadBalancer"


def test_what_kubectl_prints_is_read_back_without_a_word() -> None:
    meta = {
        "name": "x",
        "uid": "u",
        "resourceVersion": "5",
        "generation": 1,
        "creationTimestamp": None,
        "managedFields": [{"manager": "kubectl", "fieldsV1": {}}],
        "ownerReferences": [],
        "finalizers": [],
        "labels": {"empty": None},
    }
    status = {"assignedIPv4": 1, "assignedIPv6": 0, "availableIPv4": 255, "availableIPv6": 0}
    result = decoded({**raw("IPAddressPool", {"addresses": ["10.0.0.0/24"]}, status=status), "metadata": meta})
    assert result.findings == ()
    assert isinstance(result.object, IPAddressPool)
    assert result.object.status is not None
    assert result.object.status.available_ipv4 == 255
    assert result.object.metadata.labels == {"empty": ""}


@pytest.mark.parametrize(
    ("kind", "metadata", "namespace"),
    [
        ("Service", {"name": "x"}, "default"),
        ("Service", {"name": "x", "namespace": None}, "default"),
        ("Service", {"name": "x", "namespace": ""}, "default"),
        ("Service", {"name": "x", "namespace": "lb"}, "lb"),
        ("BFDProfile", {"name": "x"}, "default"),
        ("Node", {"name": "x"}, ""),
        ("Node", {"name": "x", "namespace": "lb"}, ""),
        ("Namespace", {"name": "x"}, ""),
    ],
)
def test_the_namespace_is_what_kubectl_apply_makes_it(kind: str, metadata: dict[str, Any], namespace: str) -> None:
    result = decoded({**raw(kind), "metadata": metadata})
    assert result.object is not None
    assert result.object.metadata.namespace == namespace


@pytest.mark.parametrize(
    ("item", "why"),
    [
        (5, "5 is a number, not a Kubernetes object"),
        (None, "it is null, not a Kubernetes object"),
        (["a"], "the value is a list"),
        ({}, "apiVersion is missing"),
        ({"apiVersion": "v1"}, "kind is missing"),
        ({"apiVersion": 1, "kind": "Service"}, "apiVersion: 1 is a number, a string is needed"),
        ({"apiVersion": "v1", "kind": ""}, "kind is missing"),
        ({"apiVersion": "v1", "kind": "List", "items": "x"}, 'items: "x" is a string, a list is needed'),
    ],
)
def test_what_is_no_object_is_said_to_be_none(item: object, why: str) -> None:
    (finding,) = decoded(item).findings
    assert (finding.fault, finding.kind, finding.name) == (Fault.NOT_AN_OBJECT, "File", "a.yaml:1")
    assert not finding.names_object
    assert why in finding.message


@pytest.mark.parametrize(
    "item",
    [
        {"controller": {"enabled": True}, "speaker": {}},
        {"apiVersion": "v2", "name": "lb", "version": "0.1.0"},
        [{"op": "add", "path": "/spec/x", "value": 1}],
    ],
    ids=["Helm values", "chart", "patch"],
)
def test_what_lies_beside_manifests_is_no_fault_of_an_object(item: object) -> None:
    (finding,) = decoded(item).findings
    assert (finding.fault, finding.kind, finding.name) == (Fault.OTHER_DOCUMENT, "File", "a.yaml:1")
    assert not finding.fault.spoils_object


@pytest.mark.parametrize(
    "item",
    [{"spec": {}}, {"metadata": {"name": "a"}}, {"kind": "Service"}, [{"kind": "Service"}], [{"a": 1}, "b"]],
    ids=["spec", "metadata", "kind", "list of objects", "list of anything"],
)
def test_an_object_that_lacks_its_type_is_still_a_fault(item: object) -> None:
    (finding,) = decoded(item).findings
    assert finding.fault is Fault.NOT_AN_OBJECT


@pytest.mark.parametrize(
    ("data", "is_legacy"),
    [
        ({"config": "address-pools:\n- name: a\n"}, True),
        ({"config": "peers: []\naddress-pools: []\n"}, True),
        ({"config": '{\n  "address-pools": []\n}'}, True),
        ({"config": "# address-pools: none\n"}, False),
        ({"other": "address-pools: []"}, False),
        ({"config": 5}, False),
        (None, False),
    ],
)
def test_the_config_map_of_old_metallb_is_pointed_out(data: object, is_legacy: bool) -> None:
    metadata = {"name": "config", "namespace": "metallb-system"}
    result = decoded({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})
    assert result.object is None
    found = [(f.fault, f.kind, f.namespace, f.name) for f in result.findings]
    assert found == ([(Fault.LEGACY_CONFIGURATION, "ConfigMap", "metallb-system", "config")] if is_legacy else [])


def test_kinds_of_others_are_no_problem() -> None:
    result = decoded({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}})
    assert result == Decoded(None, (), "Deployment")
    assert result.is_foreign


def test_a_misspelt_kind_is_named_with_its_object() -> None:
    (finding,) = decoded({**raw("IPAddressPools"), "apiVersion": "metallb.io/v1beta1"}).findings
    assert (finding.fault, finding.kind, finding.namespace, finding.name) == (
        Fault.UNKNOWN_KIND,
        "IPAddressPools",
        "lb",
        "x",
    )
    assert finding.names_object


def test_an_object_without_a_name_is_found_by_its_place() -> None:
    (finding,) = decoded({"apiVersion": "v1", "kind": "Service", "metadata": {}}).findings
    assert finding.name == "(in a.yaml:1)"
    assert not finding.names_object


V1BETA1 = {
    "apiVersion": "metallb.io/v1beta1",
    "kind": "BGPPeer",
    "metadata": {"name": "x", "namespace": "lb"},
    "spec": {"myASN": 64500, "peerASN": 64501, "peerAddress": "10.0.0.1"},
}


def v1beta1(**spec: Any) -> dict[str, Any]:
    return {**V1BETA1, "spec": {**V1BETA1["spec"], **spec}}  # type: ignore[dict-item]  # the spec is a dict


def test_an_old_peer_becomes_one_of_the_stored_version_with_its_timers_off() -> None:
    selector = {"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "c", "operator": "In", "values": ["d"]}]}
    result = decoded(v1beta1(nodeSelectors=[{}, selector], password="p", ebgpMultiHop=True, bfdProfile="fast"))
    assert result.findings == ()
    assert isinstance(result.object, BGPPeer)
    spec = result.object.spec
    assert (spec.hold_time, spec.keepalive_time, spec.connect_time) == ("0s", "0s", None)
    assert (spec.peer_port, spec.password, spec.ebgp_multi_hop, spec.bfd_profile) == (179, "p", True, "fast")
    assert spec.node_selectors[0] == LabelSelector()
    assert spec.node_selectors[1].match_labels == {"a": "b"}
    assert spec.node_selectors[1].match_expressions[0].values == ("d",)


def test_an_old_peer_keeps_the_timers_and_the_port_that_it_has() -> None:
    spec = spec_of(v1beta1(holdTime="90s", keepaliveTime="30s", peerPort=1179))
    assert (spec.hold_time, spec.keepalive_time, spec.peer_port) == ("90s", "30s", 1179)


@pytest.mark.parametrize(
    ("item", "rule", "field"),
    [
        (v1beta1(vrf="red"), "HL203", "spec.vrf"),
        (v1beta1(peerASN=None), "HL202", "spec.peerASN"),
        (
            v1beta1(nodeSelectors=[{"matchExpressions": [{"key": "a", "operator": "Exists"}]}]),
            "HL202",
            "spec.nodeSelectors[0].matchExpressions[0].values",
        ),
        (
            v1beta1(nodeSelectors=[{"matchExpressions": [{"key": "a", "operator": "Exists", "values": []}]}]),
            "HL202",
            "spec.nodeSelectors[0].matchExpressions[0].values",
        ),
    ],
    ids=["field of the new version", "peerASN required", "values required", "values not empty"],
)
def test_an_old_peer_is_checked_by_its_own_schema(item: object, rule: str, field: str) -> None:
    assert [(r, f) for r, f, _ in faults(item)] == [(rule, field)]


def test_core_objects_are_typed() -> None:
    assert isinstance(decoded(raw("Node", {"podCIDRs": ["10.1.0.0/24"]})).object, Node)
    secret = decoded({**raw("Secret"), "type": "kubernetes.io/basic-auth", "stringData": {"password": "p"}}).object
    assert isinstance(secret, Secret)
    assert secret.value("password") == "p"
    profile = decoded(raw("BFDProfile", {"receiveInterval": 50})).object
    assert isinstance(profile, BFDProfile)
    assert (profile.spec.receive_interval, profile.spec.transmit_interval) == (50, None)
