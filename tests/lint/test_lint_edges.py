"""Where a rule begins and ends: cases beside the fixtures, each a handful of manifests."""

import pytest
from lint_fixture import problems_of

from herald.allocator.assign import assign_all
from herald.cluster.service import with_cluster_ip_defaults
from herald.config.collect import collect
from herald.config.compile import compile_config
from herald.config.problem import Problem, Severity
from herald.lint import LintInputs, lint

_API = {"BGPPeer": "metallb.io/v1beta2", "Service": "v1"}


def manifest(text: str) -> str:
    """`Kind name {rest}` as a manifest; custom resources in Herald's namespace, Services in `shop`."""
    kind, name, rest = [*text.split(" ", 2), "{}"][:3]
    api = _API.get(kind, "metallb.io/v1beta1")
    namespace = f", namespace: {'shop' if kind == 'Service' else 'metallb-system'}"
    if kind == "Node":
        return f"{{apiVersion: v1, kind: Node, metadata: {{name: {name}, labels: {rest}}}}}"
    return f"{{apiVersion: {api}, kind: {kind}, metadata: {{name: {name}{namespace}}}, spec: {rest}}}"


def found(rule: str, *texts: str) -> list[Problem]:
    collected = collect([("case", "\n---\n".join(map(manifest, texts)))])
    assert collected.problems == ()
    return [problem for problem in problems_of(collected.resources) if problem.rule == rule]


POOL = "IPAddressPool p {addresses: [10.0.0.0/24]}"
PEERS = (
    "BGPPeer r {myASN: 64500, peerASN: 64501, peerAddress: 10.9.0.1}",
    "BGPPeer s {myASN: 64500, peerASN: 64501, peerAddress: 10.9.0.2}",
)
NODES = ("Node a {edge: yes-please}", "Node b {rack: r1}", "Node c {rack: r1}")
EDGE = "nodeSelectors: [{matchLabels: {edge: yes-please}}]"

# The narrow and the wide advertisement: whether the wide one undoes the narrow one's restriction.
UNDONE: dict[str, tuple[str, str, bool]] = {
    "all peers": (f"{{{EDGE}}}", "{}", True),
    "a common peer": (f"{{{EDGE}, peers: [r]}}", "{peers: [r, s]}", True),
    "other peers": (f"{{{EDGE}, peers: [r]}}", "{peers: [s]}", False),
    "another length": (f"{{{EDGE}}}", "{aggregationLength: 24}", False),
    "other pools": (f"{{{EDGE}}}", "{ipAddressPoolSelectors: [{matchLabels: {x: z}}]}", False),
    "both restricted": (f"{{{EDGE}}}", f"{{{EDGE}, peers: [r]}}", False),
    "only for some services": (f"{{{EDGE}}}", "{serviceSelectors: [{matchLabels: {x: z}}]}", False),
}


@pytest.mark.parametrize("case", UNDONE)
def test_a_second_bgp_advertisement_undoes_a_restriction_only_for_the_same_routes(case: str) -> None:
    narrow, wide, expected = UNDONE[case]
    problems = found(
        "HL081", POOL, *PEERS, *NODES, f"BGPAdvertisement narrow {narrow}", f"BGPAdvertisement wide {wide}"
    )
    assert [problem.name for problem in problems] == (["narrow"] if expected else [])


def test_a_peer_is_reached_by_any_name_of_its_session() -> None:
    twin = "BGPPeer twin {myASN: 64500, peerASN: 64501, peerAddress: 10.9.0.1}"
    assert found("HL005", POOL, PEERS[0], twin, *NODES, "BGPAdvertisement b {peers: [twin]}") == []


def test_a_peer_of_other_nodes_than_the_advertisement_hears_nothing() -> None:
    on_b = "BGPPeer r {myASN: 1, peerASN: 2, peerAddress: 10.9.0.1, nodeSelectors: [{matchLabels: {rack: r1}}]}"
    assert [p.name for p in found("HL005", POOL, on_b, *NODES, f"BGPAdvertisement b {{{EDGE}}}")] == ["r"]


def test_a_single_candidate_is_helped_by_another_advertisement_for_its_pools() -> None:
    narrow = f"L2Advertisement narrow {{{EDGE}}}"
    rest = "L2Advertisement rest {nodeSelectors: [{matchLabels: {rack: r1}}]}"
    assert [p.name for p in found("HL012", POOL, *NODES, narrow)] == ["narrow"]
    assert found("HL012", POOL, *NODES, narrow, rest) == []


def test_a_cluster_of_one_node_is_not_told_that_it_has_one_node() -> None:
    assert found("HL012", POOL, "L2Advertisement l", "Node only") == []


def test_nothing_is_said_about_selectors_where_nothing_is_known_to_select_from() -> None:
    assert found("HL080", POOL, f"L2Advertisement l {{{EDGE}}}") == []
    assert found("HL010", POOL, f"L2Advertisement l {{{EDGE}}}") == []


def test_one_selector_of_several_that_matches_nothing_is_named() -> None:
    both = "{nodeSelectors: [{matchLabels: {rack: r1}}, {matchLabels: {zone: z1}}]}"
    assert [p.field for p in found("HL080", POOL, *NODES, f"L2Advertisement l {both}")] == ["spec.nodeSelectors[1]"]


@pytest.mark.parametrize(
    ("services", "severities"),
    [(15, []), (16, [Severity.INFO]), (18, [Severity.INFO]), (19, [Severity.WARNING]), (20, [Severity.WARNING])],
)
def test_a_pool_is_nearly_full_from_80_percent_and_a_warning_from_95(services: int, severities: list[Severity]) -> None:
    many = [f"Service s{number} {{type: LoadBalancer, ports: [{{port: 80}}]}}" for number in range(services)]
    problems = found("HL093", "IPAddressPool p {addresses: [10.0.0.1-10.0.0.20]}", "L2Advertisement l", *many)
    assert [problem.severity for problem in problems] == severities


@pytest.mark.parametrize(("ignore", "expected"), [(False, ["l"]), (True, [])])
def test_exclusion_counts_unless_it_is_ignored(ignore: bool, expected: list[str]) -> None:
    label = '{node.kubernetes.io/exclude-from-external-load-balancers: ""}'
    texts = map(manifest, (POOL, "L2Advertisement l", f"Node a {label}"))
    resources = collect([("case", "\n---\n".join(texts))]).resources
    compiled = compile_config(resources)
    inputs = LintInputs(resources, compiled, assign_all(compiled.config, ()), ignore_exclude_lb=ignore)
    assert [problem.name for problem in lint(inputs) if problem.rule == "HL010"] == expected


@pytest.mark.parametrize(
    ("ours", "written", "expected"),
    [(None, "", 0), (None, "loadBalancerClass: x", 1), ("x", "loadBalancerClass: x", 0), ("x", "", 1)],
)
def test_a_class_that_is_not_ours_is_said(ours: str | None, written: str, expected: int) -> None:
    text = f"{{type: LoadBalancer, ports: [{{port: 80}}], {written}}}"
    resources = collect([("case", manifest(f"Service s {text}"))]).resources
    compiled = compile_config(resources)
    services = [with_cluster_ip_defaults(service) for service in resources.services]
    assignments = assign_all(compiled.config, services, load_balancer_class=ours)
    problems = lint(LintInputs(resources, compiled, assignments, load_balancer_class=ours))
    assert [problem.rule for problem in problems] == ["HL052"] * expected


def test_a_service_that_is_no_load_balancer_is_left_in_peace() -> None:
    plain = "Service s {type: ClusterIP, loadBalancerClass: x, externalTrafficPolicy: Local}"
    collected = collect([("case", manifest(plain))])
    assert problems_of(collected.resources) == ()


def test_lint_says_the_same_in_any_order() -> None:
    texts = [
        manifest(text)
        for text in (POOL, *PEERS, *NODES, "L2Advertisement l", f"BGPAdvertisement b {{{EDGE}}}", "BGPAdvertisement c")
    ]
    forward = problems_of(collect([("case", "\n---\n".join(texts))]).resources)
    assert problems_of(collect([("case", "\n---\n".join(reversed(texts)))]).resources) == forward
    assert forward


def test_an_address_that_somebody_has_is_a_wrong_request_unless_sharing_was_meant() -> None:
    holder = "Service a {type: LoadBalancer, loadBalancerIP: 10.0.0.1, ports: [{port: 80}]}"
    wants = "Service b {type: LoadBalancer, loadBalancerIP: 10.0.0.1, ports: [{port: 81}]}"
    (problem,) = found("HL092", POOL, holder, wants)
    assert (problem.name, problem.field) == ("b", "spec.loadBalancerIP")
    assert found("HL061", POOL, holder, wants) == []


def test_whatever_keeps_all_nodes_from_announcing_is_told_with_the_nodes() -> None:
    cut_off = "conditions: [{type: NetworkUnavailable, status: 'True'}]"
    node = f"{{apiVersion: v1, kind: Node, metadata: {{name: a}}, status: {{{cut_off}}}}}"
    collected = collect([("case", "\n---\n".join((node, manifest(POOL), manifest("L2Advertisement l {}"))))])
    (problem,) = (problem for problem in problems_of(collected.resources) if problem.rule == "HL010")
    assert problem.message == "1 node matches, and none may announce: condition NetworkUnavailable is True on a."


def test_a_sharing_key_is_named_by_the_prefix_it_is_written_with() -> None:
    text = manifest("Service a {type: LoadBalancer, ports: [{port: 80}]}").replace(
        "namespace: shop", "namespace: shop, annotations: {metallb.universe.tf/allow-shared-ip: k}"
    )
    problems = problems_of(collect([("case", text)]).resources)
    fields = [problem.field for problem in problems if problem.rule == "HL062"]
    assert fields == ["metadata.annotations[metallb.universe.tf/allow-shared-ip]"]


def test_a_misspelt_type_is_answered_with_the_right_one_and_a_foreign_one_with_all() -> None:
    (near,) = found("HL065", "Service a {type: Loadbalancer, ports: [{port: 80}]}")
    assert 'did you mean "LoadBalancer"?' in near.message
    (far,) = found("HL065", "Service a {type: Xyz, ports: [{port: 80}]}")
    assert "there are LoadBalancer, ClusterIP, NodePort, ExternalName" in far.message
