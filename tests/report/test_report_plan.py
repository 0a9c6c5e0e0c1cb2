"""The plan: what is listed, in which order, and what people read when nobody announces."""

from itertools import permutations

import pytest
from report_manifests import CLUSTER, DUAL, ROUTERS, bgp, l2, peer, planned, pool, service

from herald.report.plan import Plan
from herald.report.plan_table import plan_tables
from herald.report.table import plain


def text(plan: Plan) -> str:
    return plain(plan_tables(plan))


def test_the_document_has_the_members_of_the_contract() -> None:
    document = planned(*ROUTERS).to_json()
    assert list(document) == ["problems", "services", "layer2", "bgp"]
    assert list(document["problems"][0]) == [
        "severity",
        "rule",
        "kind",
        "namespace",
        "name",
        "field",
        "reason",
        "message",
    ]
    assert list(document["services"][0]) == ["namespace", "name", "ips", "pool", "reason"]
    assert list(document["bgp"][0]) == ["node", "peer", "prefix", "localPref", "communities", "asPath", "services"]


def test_the_order_of_the_input_does_not_matter() -> None:
    expected = planned(*DUAL).to_json()
    assert all(planned(*shuffled).to_json() == expected for shuffled in permutations(DUAL))


def test_services_of_another_class_are_listed_with_the_reason_and_other_types_are_not() -> None:
    other = service("other", "node-1", spec="loadBalancerClass: other.io/lb")
    inner = service("inner", "node-1").replace("LoadBalancer", "ClusterIP")
    rows = planned(*DUAL, other, inner).to_json()["services"]
    assert [(row["name"], row["ips"], row["reason"] and row["reason"].split(":")[0]) for row in rows] == [
        ("critical-app", ["192.168.1.200"], None),
        ("other", [], "OtherLoadBalancerClass"),
    ]


def test_a_service_without_an_address_has_code_and_words() -> None:
    rows = planned(pool("p", "10.0.0.0/32"), service("a", "node-1"), service("b", "node-1")).to_json()["services"]
    assert rows[0]["reason"] is None
    assert rows[1]["reason"].startswith("NoAvailableIPs: ")
    assert rows[1]["pool"] is None


def test_rows_are_sorted_by_number_and_not_by_text() -> None:
    services = [service(f"s{n:02}", "node-1") for n in range(12)]
    plan = planned(pool("p", "10.0.0.1-10.0.0.20"), l2("l"), bgp("b"), peer("r", "10.9.0.1"), *services)
    ips = [f"10.0.0.{n}" for n in range(1, 13)]
    assert [str(row.ip) for row in plan.layer2] == ips
    assert [str(row.route.prefix) for row in plan.bgp if row.node == "node-1"] == [f"{ip}/32" for ip in ips]


def test_services_that_share_an_address_have_a_row_each_in_layer2_and_one_route() -> None:
    shared = "metallb.io/allow-shared-ip: k"
    first = service("a", "node-1", annotations=shared, spec="loadBalancerIP: 10.0.0.1")
    second = service("b", "node-1", annotations=shared, spec="loadBalancerIP: 10.0.0.1").replace("port: 80", "port: 81")
    plan = planned(pool("p", "10.0.0.0/24"), l2("l"), bgp("b"), peer("r", "10.9.0.1"), first, second)
    assert [(str(row.ip), row.service.name) for row in plan.layer2] == [("10.0.0.1", "a"), ("10.0.0.1", "b")]
    assert [[s.name for s in row.services] for row in plan.bgp if row.node == "node-1"] == [["a", "b"]]


def test_unready_services_are_assumed_ready_only_on_request_and_only_without_any_slice() -> None:
    unready = service("sick", "node-1").replace("ready: true", "ready: false")
    parts = (pool("p", "10.0.0.0/24"), l2("l"), service("web"), unready)
    assert planned(*parts).layer2 == ()
    assert [row.service.name for row in planned(*parts, assume_ready=True).layer2] == ["web"]


BASE = (pool("p", "10.0.0.0/24"), service("web", "node-1"))
OTHER_SLICE = """---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: other-1, namespace: default, labels: {kubernetes.io/service-name: other}}
addressType: IPv4
endpoints: []
"""
SILENCES = {
    "no advertisement": (BASE, {}, "NoAdvertisementForPool", "no L2Advertisement or BGPAdvertisement covers pool p"),
    "no endpoint": ((BASE[0], l2("l"), service("web"), OTHER_SLICE), {}, "NoReadyEndpoint", "no endpoint"),
    "other services": (
        (*BASE, l2("l", "serviceSelectors: [{matchLabels: {a: b}}]")),
        {},
        "AdvertisementSelectsOtherServices",
        "L2Advertisement l ",
    ),
    "other nodes": (
        (*BASE, l2("l", "nodeSelectors: [{matchLabels: {a: b}}]")),
        {},
        "AdvertisementSelectsOtherNodes",
        "node-1, node-2, node-3",
    ),
    "nobody alive": ((*BASE, l2("l")), {"members": ""}, "SpeakerNotLive", "node-1, node-2, node-3"),
    "no peer": ((*BASE, bgp("b")), {}, "NoPeerOnNode", "no BGPPeer selects"),
    "the peer is left out": (
        (*BASE, bgp("b"), peer("pw", "10.9.0.1", "passwordSecret: {name: none}")),
        {},
        "NoPeerOnNode",
        "no BGPPeer selects node-1, node-2, node-3 (left out for an error: pw)",
    ),
    "peer misspelt": (
        (*BASE, bgp("b", "peers: [nope]"), peer("r1", "10.9.0.1")),
        {},
        "NoPeerForAdvertisement",
        "none of the peers of node-1, node-2, node-3 (r1) is in spec.peers of BGPAdvertisement",
    ),
    "local without endpoint": (
        (
            BASE[0],
            l2("l", "nodeSelectors: [{matchLabels: {node-role: edge}}]"),
            service("web", "node-3", spec="externalTrafficPolicy: Local"),
        ),
        {},
        "NoCandidate",
        "node-1, node-2 NoEndpointOnNode; node-3 AdvertisementSelectsOtherNodes",
    ),
    "sharing and selectors": (
        (
            BASE[0],
            l2("l", "serviceSelectors: [{matchLabels: {a: b}}]"),
            service("web", "node-1", labels="a: b", annotations="metallb.io/allow-shared-ip: k"),
        ),
        {},
        "SharedIPWithServiceSelector",
        "allow-shared-ip",
    ),
}


@pytest.mark.parametrize("name", SILENCES)
def test_an_address_that_nobody_announces_says_why(name: str) -> None:
    texts, options, code, words = SILENCES[name]
    plan = planned(*texts, **options)
    (row,) = plan.services
    assert row.reason is None
    assert row.silence is not None
    assert (row.silence.code.value, words in row.silence.words) == (code, True), row.silence
    assert f"by nobody: {row.silence}" in text(plan)


@pytest.mark.parametrize(
    ("texts", "cluster", "hints"),
    [
        ((BASE[0], service("web")), CLUSTER, ["no EndpointSlice"]),
        ((BASE[0], service("web")), "{}", ["no Node", "no EndpointSlice"]),
        (BASE, "{}", ["no Node"]),
        (BASE, CLUSTER, []),
        ((BASE[0],), "{}", []),
    ],
    ids=["no slice", "neither", "no node", "both there", "no service"],
)
def test_the_table_hints_at_what_the_input_lacks(texts: tuple[str, ...], cluster: str, hints: list[str]) -> None:
    lines = [line for line in text(planned(*texts, cluster=cluster)).splitlines() if line.startswith("Hint:")]
    assert len(lines) == len(hints)
    assert all(hint in line for hint, line in zip(hints, lines, strict=True))


@pytest.mark.parametrize(
    ("texts", "cluster", "expected"),
    [
        ((l2("l"),), CLUSTER, "expected: Layer 2 by node-1"),
        ((l2("l"),), "{}", "expected: Layer 2"),
        ((bgp("b"), peer("r1", "10.9.0.1")), "{}", "expected: BGP to r1"),
        ((bgp("b", "peers: [r2]"), peer("r1", "10.9.0.1")), "{}", "by nobody: no BGPPeer hears BGPAdvertisement b"),
        ((l2("l"), bgp("b"), peer("r1", "10.9.0.1")), "{}", "expected: Layer 2 and BGP to r1"),
        ((l2("l", "nodeSelectors: [{matchLabels: {a: b}}]"),), CLUSTER, "by nobody: AdvertisementSelectsOtherNodes"),
        ((), "{}", "by nobody: NoAdvertisementForPool"),
    ],
    ids=[
        "no slice",
        "no node",
        "no node, BGP",
        "no peer to send to",
        "both ways",
        "no node selected",
        "not advertised",
    ],
)
def test_where_the_input_lacks_nodes_or_endpoints_the_table_says_what_is_to_be_expected(
    texts: tuple[str, ...], cluster: str, expected: str
) -> None:
    plan = planned(BASE[0], service("web"), *texts, cluster=cluster)
    assert expected in text(plan)
    assert (plan.layer2, plan.bgp) == ((), ())


def test_without_a_service_the_pools_are_shown() -> None:
    shown = text(
        planned(
            pool("p", "10.0.0.0/24"), pool("q", "10.1.0.0/24", "autoAssign: false"), bgp("b", "ipAddressPools: [p]")
        )
    )
    rows = [line.split() for line in shown.splitlines()]
    assert ["p", "10.0.0.0/24", "automatically", "BGPAdvertisement", "b"] in rows
    assert ["q", "10.1.0.0/24", "on", "request", "nothing"] in rows
    assert "POOLS" not in text(planned(*BASE))


def test_the_table_names_the_secret_that_a_peer_lacks() -> None:
    shown = text(planned(peer("r", "10.9.0.1", "passwordSecret: {name: bgp}")))
    assert "Hint: the password in Secret metallb-system/bgp is not in the input" in shown


def test_the_table_names_the_namespace_that_all_resources_are_in() -> None:
    elsewhere = pool("p", "10.0.0.0/24").replace("metallb-system", "metal-lb")
    assert "--namespace metal-lb" in text(planned(elsewhere)).splitlines()[-1]
    assert "Hint:" not in text(planned(elsewhere, pool("q", "10.1.0.0/24")))


def test_lint_knows_the_flags_that_herald_runs_with() -> None:
    excluded = 'labels: {node.kubernetes.io/exclude-from-external-load-balancers: ""}'
    alone = f"{{apiVersion: v1, kind: Node, metadata: {{name: node-1, {excluded}}}}}"
    texts = (pool("p", "10.0.0.0/24"), l2("l"), service("web", "node-1", spec="loadBalancerClass: example.com/ours"))
    found = planned(*texts, cluster=alone, load_balancer_class="example.com/ours", ignore_exclude_lb=True)
    assert {problem.rule for problem in found.problems}.isdisjoint({"HL010", "HL052"})
    assert [row.node for row in found.layer2] == ["node-1"]
    plain = planned(*texts, cluster=alone)
    assert {"HL010", "HL052"} <= {problem.rule for problem in plain.problems}
