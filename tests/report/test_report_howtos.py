"""The plans of the three how-tos, row by row."""

import pytest
from report_manifests import DUAL, ROUTERS, SUBSETS, bgp, l2, peer, planned, service

from herald.report.plan import Plan

NODES = ("node-1", "node-2", "node-3")
VIP = "192.168.1.200/32"


def routes(plan: Plan) -> list[tuple[str, str, str]]:
    return [(row.node, row.peer, str(row.route.prefix)) for row in plan.bgp]


def owners(plan: Plan) -> list[tuple[str, str]]:
    return [(str(row.ip), row.node) for row in plan.layer2]


def test_dual_one_node_answers_and_every_node_sends_the_route() -> None:
    document = planned(*DUAL).to_json()
    assert document["problems"] == []
    assert document["services"] == [
        {
            "namespace": "default",
            "name": "critical-app",
            "ips": ["192.168.1.200"],
            "pool": "dual-advertise-pool",
            "reason": None,
        }
    ]
    assert document["layer2"] == [
        {"ip": "192.168.1.200", "service": "default/critical-app", "node": "node-1", "interfaces": ["eth0"]}
    ]
    assert document["bgp"] == [
        {
            "node": node,
            "peer": "upstream-router",
            "prefix": VIP,
            "localPref": None,
            "communities": [],
            "asPath": [],
            "services": ["default/critical-app"],
        }
        for node in NODES
    ]


def test_dual_another_node_takes_over_when_the_owner_is_gone() -> None:
    plan = planned(*DUAL, members="node-2 node-3")
    assert owners(plan) == [("192.168.1.200", "node-3")]
    assert routes(plan) == [(node, "upstream-router", VIP) for node in ("node-2", "node-3")]


def test_dual_edge_nodes_only_for_bgp() -> None:
    edge = bgp("routed-bgp", "ipAddressPools: [dual-advertise-pool], nodeSelectors: [{matchLabels: {node-role: edge}}]")
    plan = planned(*DUAL[:2], l2("local-l2", "ipAddressPools: [dual-advertise-pool]"), edge, DUAL[4])
    assert owners(plan) == [("192.168.1.200", "node-1")]
    assert routes(plan) == [(node, "upstream-router", VIP) for node in ("node-1", "node-2")]


@pytest.mark.parametrize(
    ("kept", "by_layer2", "by_bgp"),
    [((0, 1, 2, 4), True, False), ((0, 1, 2, 3, 4), True, True), ((0, 1, 3, 4), False, True)],
    ids=["L2 only", "both", "BGP only"],
)
def test_dual_the_phases_of_migrating_from_layer2_to_bgp(kept: tuple[int, ...], by_layer2: bool, by_bgp: bool) -> None:
    plan = planned(*(DUAL[number] for number in kept))
    assert (bool(plan.layer2), bool(plan.bgp)) == (by_layer2, by_bgp)
    assert plan.addresses == planned(*DUAL).addresses


def test_subsets_each_router_hears_its_pool_only() -> None:
    assert routes(planned(*SUBSETS)) == sorted(
        [(node, "internal-router", "10.100.0.0/32") for node in NODES]
        + [(node, "internet-router", "203.0.113.0/32") for node in NODES]
    )


def test_subsets_one_pool_to_both_routers() -> None:
    both = bgp("shared", "ipAddressPools: [public-pool], peers: [internet-router, internal-router]")
    heard = {(row.peer, str(row.route.prefix)) for row in planned(*SUBSETS, both).bgp}
    assert heard == {
        ("internet-router", "203.0.113.0/32"),
        ("internal-router", "203.0.113.0/32"),
        ("internal-router", "10.100.0.0/32"),
    }


def test_subsets_a_peer_added_later_hears_nothing_and_is_warned_about() -> None:
    plan = planned(*SUBSETS, peer("late-router", "10.0.0.3", asn=64515, own=64512))
    assert "late-router" not in {row.peer for row in plan.bgp}
    assert [problem.rule for problem in plan.problems if problem.name == "late-router"] == ["HL005"]


def test_routers_attributes_and_aggregates_reach_the_routers_they_are_meant_for() -> None:
    plan = planned(*ROUTERS)
    found = {(row.peer, str(row.route.prefix), row.route.local_pref) for row in plan.bgp if row.node == "node-1"}
    assert found == {
        *((f"router-{n}", "192.168.1.240/32", 100) for n in (1, 2, 3)),
        *((f"router-{n}", "192.168.2.0/24", 50) for n in (1, 2)),
    }
    assert {tuple(c.text for c in row.route.communities) for row in plan.bgp} == {("64500:100",), ("64500:50",)}


def test_routers_one_peer_per_node_by_hostname() -> None:
    peers = [
        peer(
            f"node-{n}-router",
            f"192.168.9.{n}",
            f"nodeSelectors: [{{matchLabels: {{kubernetes.io/hostname: node-{n}}}}}]",
        )
        for n in (1, 2, 3)
    ]
    plan = planned(ROUTERS[0], ROUTERS[5], ROUTERS[7], *peers)
    assert routes(plan) == [(f"node-{n}", f"node-{n}-router", "192.168.1.240/32") for n in (1, 2, 3)]


def test_routers_prepending_makes_one_path_less_preferred() -> None:
    prepend = bgp(
        "prepend",
        "ipAddressPools: [production-pool], peers: [router-3], localPref: 50, asPrepend: {count: 2, asn: 64500}",
    )
    others = bgp("plain", "ipAddressPools: [production-pool], peers: [router-1, router-2]")
    plan = planned(ROUTERS[0], *ROUTERS[2:5], prepend, others, ROUTERS[7])
    assert {row.peer: row.to_json()["asPath"] for row in plan.bgp} == {
        "router-1": [],
        "router-2": [],
        "router-3": [64500, 64500],
    }


def test_routers_only_labelled_services_get_the_community_of_the_selective_advertisement() -> None:
    filtered = bgp(
        "filtered",
        'ipAddressPools: [production-pool], communities: ["64500:7"], '
        "serviceSelectors: [{matchLabels: {metallb-advertise: 'true'}}]",
    )
    chosen = service("chosen", "node-1", labels="metallb-advertise: 'true'", spec="loadBalancerIP: 192.168.1.245")
    plan = planned(*ROUTERS, filtered, chosen)
    found = {row.services[0].name: row.to_json()["communities"] for row in plan.bgp}
    assert found == {"shop": ["64500:100"], "test": ["64500:50"], "chosen": ["64500:7", "64500:100"]}


def test_routers_local_policy_announces_from_nodes_with_an_endpoint() -> None:
    pinned = service("pinned", "node-2", spec="externalTrafficPolicy: Local, loadBalancerIP: 192.168.1.241")
    plan = planned(*ROUTERS, pinned)
    assert {row.node for row in plan.bgp if row.services[0].name == "pinned"} == {"node-2"}
