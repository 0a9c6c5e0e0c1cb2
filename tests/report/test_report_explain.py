"""Explanations: what they show, and the verdict with its exit code."""

from ipaddress import ip_address

import pytest
from report_manifests import DUAL, SUBSETS, bgp, l2, peer, planned, pool, service

from herald.cluster.meta import NamespacedName, NodeName, PeerName, PoolName
from herald.report.explain import Explanation
from herald.report.explain_config import explain_node, explain_peer, explain_pool
from herald.report.explain_service import explain_address, explain_service
from herald.report.plan import Plan
from herald.report.plan_table import plan_tables
from herald.report.table import plain

APP = NamespacedName("default", "critical-app")


def lines(explanation: Explanation) -> list[str]:
    return plain(explanation.pieces()).strip().splitlines()


def verdict(explanation: Explanation) -> tuple[int, str]:
    last = lines(explanation)[-1]
    assert last.startswith("VERDICT    ")
    return explanation.verdict.state.exit_code, last.removeprefix("VERDICT    ")


def of_service(plan: Plan, name: str = "web") -> Explanation:
    return explain_service(plan, NamespacedName("default", name))


def test_a_service_shows_address_endpoints_candidates_routes_and_verdict() -> None:
    assert lines(explain_service(planned(*DUAL), APP)) == [
        "Service default/critical-app  LoadBalancer  class (none)  externalTrafficPolicy Cluster  ports TCP/80",
        "ADDRESS    192.168.1.200 from pool dual-advertise-pool (IPv4 1 used, 10 free)",
        "           why: the first pool, by priority, that may serve the Service; its lowest free address",
        "ENDPOINTS  ready on node-1, node-3",
        "L2         node-1 answers on eth0",
        "           candidates, in the order in which they take over: node-1, node-3, node-2",
        "BGP        192.168.1.200/32 → upstream-router from node-1, node-2, node-3; attributes: -",
        "",
        "VERDICT    Announced: node-1 answers in Layer 2, 3 nodes by BGP (node-1, node-2, node-3)",
    ]


P = pool("p", "10.0.0.0/24")
WEB = service("web", "node-1")
DEAD = {"members": "node-1 node-2"}
VERDICTS = {
    "announced": ((P, WEB, l2("l")), {}, 0, "Announced: "),
    "no advertisement": ((P, WEB), {}, 1, "Not announced: NoAdvertisementForPool"),
    "no endpoint": ((P, service("web"), l2("l")), {}, 1, "Not announced: NoReadyEndpoint"),
    "no address": ((WEB, l2("l")), {}, 1, "Not announced: NoAddress: "),
    "another class": (
        (P, service("web", "node-1", spec="loadBalancerClass: x/y"), l2("l")),
        {},
        1,
        "Not announced: OtherLoadBalancerClass",
    ),
    "a dead speaker": ((P, WEB, l2("l")), DEAD, 2, "SpeakerNotLive: no live speaker on node-3"),
    "BGP wished for and silent": ((P, WEB, l2("l"), bgp("b")), {}, 2, "nobody announces it by BGP: NoPeerOnNode"),
    "wish not followed": (
        (
            P,
            service("web", "node-1", spec="loadBalancerIP: 10.7.0.1").replace(
                "\n---", "\nstatus: {loadBalancer: {ingress: [{ip: 10.0.0.9}]}}\n---"
            ),
            l2("l"),
        ),
        {},
        1,
        "Not announced: NoAddress",
    ),
    "one family has no session": (
        (
            pool("p", "10.0.0.0/24, fd00::/64"),
            service("web", "node-1", spec="ipFamilyPolicy: RequireDualStack"),
            bgp("b"),
            peer("r1", "10.9.0.1"),
        ),
        {},
        2,
        "no session carries a route for fd00::",
    ),
}


@pytest.mark.parametrize("name", VERDICTS)
def test_the_verdict_of_a_service_has_the_exit_code_and_the_cause(name: str) -> None:
    texts, options, code, words = VERDICTS[name]
    found, message = verdict(of_service(planned(*texts, **options)))
    assert (found, words in message) == (code, True), message


def test_nodes_that_are_kept_out_stand_with_their_reason() -> None:
    plan = planned(P, service("web", "node-1", spec="externalTrafficPolicy: Local"), l2("l"))
    text = "\n".join(lines(of_service(plan)))
    assert "not node-2, node-3. NoEndpointOnNode: " in text


def test_preferences_stand_beside_the_candidates() -> None:
    preferred = l2("l", "preferredNodeSelectors: [{weight: 7, preference: {matchLabels: {node-role: edge}}}]")
    assert "node-1 (preference 7)" in "\n".join(lines(of_service(planned(P, WEB, preferred))))


def test_a_service_that_is_not_there_is_answered_with_the_nearest() -> None:
    assert verdict(explain_service(planned(*DUAL), NamespacedName("default", "critical-ap"))) == (
        1,
        'Not announced: there is no Service default/critical-ap in the input; did you mean "default/critical-app"?',
    )


def test_a_service_of_another_type_says_so() -> None:
    plan = planned(P, WEB.replace("LoadBalancer", "NodePort"))
    assert verdict(of_service(plan)) == (1, "Not announced: the Service is of type NodePort, not LoadBalancer")


def test_the_json_of_a_service_has_codes_and_log_words() -> None:
    plan = planned(P, service("web", "node-1", spec="externalTrafficPolicy: Local"), l2("l"))
    document = of_service(plan).to_json()
    assert document["layer2"]["owner"] == "node-1"
    assert document["layer2"]["excluded"]["node-2"]["code"] == "NoEndpointOnNode"
    assert document["layer2"]["excluded"]["node-2"]["logWord"] == "notOwner"
    assert document["bgp"]["reason"]["code"] == "NoAdvertisementForPool"
    assert document["verdict"]["state"] == "announced"


@pytest.mark.parametrize(
    ("address", "code", "words"),
    [
        ("192.168.1.200", 0, "node-1 answers"),
        ("192.168.1.201", 1, "no Service has it"),
        ("192.168.2.1", 1, "no IPAddressPool contains it; pools of that family: dual-advertise-pool"),
        ("fd00::1", 1, "no IPAddressPool contains it"),
    ],
)
def test_an_address_is_explained_by_its_service_or_its_pool(address: str, code: int, words: str) -> None:
    found, message = verdict(explain_address(planned(*DUAL), ip_address(address)))
    assert (found, words in message) == (code, True), message


@pytest.mark.parametrize(
    ("texts", "name", "code", "words"),
    [
        ((P, WEB, l2("l")), "p", 0, "advertised by l; 1 Service"),
        ((P, WEB), "p", 1, "no L2Advertisement or BGPAdvertisement covers the pool"),
        ((P, service("web"), l2("l")), "p", 1, "nobody announces 1 of 1 Service"),
        ((P, service("web"), WEB.replace("web", "api"), l2("l")), "p", 2, "nobody announces 1 of 2 Services"),
        ((P,), "q", 1, "there is no IPAddressPool q"),
        ((pool("bad", "10.0.0.1"),), "bad", 1, "left out: "),
    ],
    ids=["good", "no advertisement", "all silent", "one silent", "unknown", "invalid"],
)
def test_a_pool_is_explained(texts: tuple[str, ...], name: str, code: int, words: str) -> None:
    found, message = verdict(explain_pool(planned(*texts), PoolName(name)))
    assert (found, words in message) == (code, True), message


R1 = peer("r1", "10.9.0.1")
UNNUMBERED = R1.replace("peerAddress: 10.9.0.1", "interface: eth7")
EDGE = "nodeSelectors: [{matchLabels: {node-role: edge}}]"


@pytest.mark.parametrize(
    ("texts", "name", "code", "words"),
    [
        ((P, WEB, bgp("b"), R1), "r1", 0, "3 routes from node-1, node-2, node-3"),
        ((P, WEB, bgp("b", EDGE), R1), "r1", 2, "no route from node-3"),
        ((P, WEB, R1), "r1", 1, "it hears no route"),
        ((P, peer("r1", "10.9.0.1", "nodeSelectors: [{matchLabels: {a: b}}]")), "r1", 1, "no node keeps a session"),
        ((P, WEB, bgp("b"), peer("r1", "10.9.0.1", "vrf: red")), "r1", 0, "3 routes from node-1, node-2, node-3"),
        ((P, WEB, bgp("b"), UNNUMBERED), "r1", 0, "3 routes from node-1, node-2, node-3"),
        ((P, peer("router-1", "10.9.0.1")), "router-2", 1, 'did you mean "router-1"?'),
    ],
    ids=["good", "one node silent", "no advertisement", "no node", "VRF", "unnumbered", "unknown"],
)
def test_a_peer_is_explained(texts: tuple[str, ...], name: str, code: int, words: str) -> None:
    found, message = verdict(explain_peer(planned(*texts), PeerName(name)))
    assert (found, words in message) == (code, True), message


def test_a_peer_that_shares_its_session_names_the_other() -> None:
    text = "\n".join(lines(explain_peer(planned(P, WEB, bgp("b"), R1, peer("a", "10.9.0.1")), PeerName("r1"))))
    assert "the same session as a, with the values of a, which is older" in text


@pytest.mark.parametrize(
    ("node", "options", "code", "words"),
    [
        ("node-1", {}, 0, "answers for 1 address, sends 1 route"),
        ("node-2", {}, 0, "answers for 0 addresses, sends 1 route"),
        ("node-1", {"members": "node-2"}, 1, "SpeakerNotLive"),
        ("node-9", {}, 1, "there is no Node node-9"),
    ],
)
def test_a_node_is_explained(node: str, options: dict[str, str], code: int, words: str) -> None:
    found, message = verdict(explain_node(planned(*DUAL, **options), NodeName(node)))
    assert (found, words in message) == (code, True), message


def test_every_explanation_is_json_as_well() -> None:
    plan = planned(*SUBSETS)
    explanations = [
        explain_service(plan, NamespacedName("default", "shop")),
        explain_address(plan, ip_address("203.0.113.0")),
        explain_pool(plan, PoolName("public-pool")),
        explain_peer(plan, PeerName("internet-router")),
        explain_node(plan, NodeName("node-1")),
    ]
    documents = [explanation.to_json() for explanation in explanations]
    assert [document["kind"] for document in documents] == ["svc", "ip", "pool", "peer", "node"]
    assert [document["verdict"]["state"] for document in documents] == ["announced"] * 5


SUSPECTS = {
    "a pool that is left out": (
        (P.replace("10.0.0.0/24", "10.0.0.0/99"), WEB, l2("l")),
        "error HL301 IPAddressPool metallb-system/p: spec.addresses[0]: ",
    ),
    "a pool in another namespace": (
        (P.replace("metallb-system", "default"), WEB, l2("l")),
        "error HL030 IPAddressPool default/p: metadata.namespace: ",
    ),
    "an advertisement for a pool that is not there": (
        (P, WEB, l2("l", "ipAddressPools: [q]")),
        "warning HL002 L2Advertisement metallb-system/l: spec.ipAddressPools[0]: ",
    ),
    "an advertisement that is left out": (
        (P, WEB, bgp("b", "communities: [nope]"), peer("r", "10.9.0.1")),
        "error HL102 BGPAdvertisement metallb-system/b: spec.communities[0]: ",
    ),
    "a peer without its Secret": (
        (P, WEB, bgp("b"), peer("r", "10.9.0.1", "passwordSecret: {name: gone}")),
        "error HL072 BGPPeer metallb-system/r: spec.passwordSecret.name: ",
    ),
    "a peer of no node": (
        (P, WEB, bgp("b"), peer("r", "10.9.0.1", "nodeSelectors: [{matchLabels: {rack: r9}}]")),
        "warning HL080 BGPPeer metallb-system/r: spec.nodeSelectors[0]: ",
    ),
}


@pytest.mark.parametrize("name", SUSPECTS)
def test_a_silent_service_shows_what_is_wrong_with_the_objects_it_lacks(name: str) -> None:
    texts, words = SUSPECTS[name]
    found = of_service(planned(*texts))
    assert found.verdict.state.exit_code == 1
    assert any(words in line for line in lines(found)), lines(found)


def test_the_faults_of_others_are_no_business_of_an_announced_service() -> None:
    found = of_service(planned(P, WEB, l2("l"), l2("m", "ipAddressPools: [q]"), pool("q2", "bad")))
    assert [problem.rule for problem in found.problems] == ["HL107"]


def test_a_service_names_the_advertisement_that_misspells_its_pool_although_another_one_announces_it() -> None:
    misspelt = l2("local-l2", "ipAddressPools: [dual-advertise-pol]")
    found = explain_service(planned(*DUAL[:2], misspelt, *DUAL[3:]), APP)
    assert found.verdict.state.exit_code == 0
    assert [(problem.rule, problem.name) for problem in found.problems] == [("HL002", "local-l2")]
    assert '           closest: L2Advertisement "local-l2" selects "dual-advertise-pol"' in lines(found)


def test_without_a_node_a_peer_says_so_and_nothing_false() -> None:
    found = explain_peer(planned(*DUAL, cluster=""), PeerName("upstream-router"))
    text = "\n".join(lines(found))
    assert verdict(found)[1].startswith("Not announced: there is no Node in the input: use --members")
    assert "ADVERTISED by BGPAdvertisement routed-bgp" in text
    assert "nodeSelectors" not in text


@pytest.mark.parametrize(
    ("cluster", "nodes", "words"),
    [
        ("", (), "neither Nodes nor EndpointSlices are in the input; expected: Layer 2"),
        ("", ("node-1",), "no Node is in the input; expected: Layer 2"),
    ],
)
def test_the_verdict_says_what_the_input_lacks_and_what_is_expected(
    cluster: str, nodes: tuple[str, ...], words: str
) -> None:
    code, message = verdict(of_service(planned(P, service("web", *nodes), l2("l"), cluster=cluster)))
    assert (code, message.endswith(words)) == (1, True), message


def test_who_watches_an_owner_is_said_with_what_it_needs() -> None:
    plan = planned(pool("p", "10.0.0.0/24"), l2("l", "fastFailover: true"), service("web", "node-1"))
    (said,) = [line for line in lines(of_service(plan)) if "is watched by" in line]
    assert said.endswith(", if the speakers gossip")
    assert " if they gossip" in plain(plan_tables(plan))


def test_who_is_alone_is_watched_by_nobody() -> None:
    plan = planned(pool("p", "10.0.0.0/24"), l2("l", "fastFailover: true"), service("web", "node-1"), members="node-1")
    (said,) = [line for line in lines(of_service(plan)) if "is watched by" in line]
    assert said.endswith("is watched by nobody, for there is no other candidate")
