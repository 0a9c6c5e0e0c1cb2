"""Which address each service gets, through the real command line: cases written from the specification alone."""

from typing import Any

import pytest
from manifests import namespace, pool, secret, service

POOL12 = [
    pool("pool1", "1.2.3.0/31"),
    pool("pool2", "3.4.5.6/32", autoAssign=False),
    pool("pool3", "1000::/127"),
    pool("pool4", "2000::1/128", autoAssign=False),
    pool("pool6", "7.8.9.0/31", serviceAllocation={"namespaces": ["test-ns1"], "priority": 10}),
    pool("pool7", "10.11.12.0/31", serviceAllocation={"namespaces": ["test-ns1"], "priority": 11}),
    pool(
        "pool8",
        "13.14.15.0/31",
        serviceAllocation={"serviceSelectors": [{"matchLabels": {"team": "metallb"}}], "priority": 9},
    ),
    pool("pool9", "16.17.18.0/31", serviceAllocation={"namespaces": ["test-ns2"]}),
    pool(
        "pool10",
        "19.20.21.0/31",
        serviceAllocation={"serviceSelectors": [{"matchLabels": {"other": "x"}}], "priority": 8},
    ),
    pool(
        "pool12",
        "25.26.27.0/31",
        serviceAllocation={
            "namespaces": ["test-ns1"],
            "serviceSelectors": [{"matchLabels": {"team": "metallb"}}],
            "priority": 5,
        },
    ),
]
DUAL = pool("dual", "1.2.3.0/31", "1000::/127")
DUAL_IPS = ["10.96.0.1", "fd00::1"]


def only(document: dict[str, Any]) -> dict[str, Any]:
    assert len(document["services"]) == 1
    entry: dict[str, Any] = document["services"][0]
    return entry


CASES: dict[str, tuple[list[dict[str, Any]], dict[str, Any], list[str], str | None]] = {
    "no wishes: the lowest address of the open pool": (POOL12, service("s"), ["1.2.3.0"], "pool1"),
    "loadBalancerIP": (POOL12, service("s", loadBalancerIP="1.2.3.1"), ["1.2.3.1"], "pool1"),
    "annotation loadBalancerIPs": (
        POOL12,
        service("s", annotations={"metallb.io/loadBalancerIPs": "1.2.3.1"}),
        ["1.2.3.1"],
        "pool1",
    ),
    "deprecated annotation": (
        POOL12,
        service("s", annotations={"metallb.universe.tf/loadBalancerIPs": "1.2.3.1"}),
        ["1.2.3.1"],
        "pool1",
    ),
    "current prefix wins even when empty": (
        POOL12,
        service("s", annotations={"metallb.universe.tf/address-pool": "pool2", "metallb.io/address-pool": ""}),
        ["1.2.3.0"],
        "pool1",
    ),
    "both forms of request": (
        POOL12,
        service("s", loadBalancerIP="1.2.3.1", annotations={"metallb.io/loadBalancerIPs": "1.2.3.1"}),
        [],
        None,
    ),
    "nonsense request": (POOL12, service("s", annotations={"metallb.io/loadBalancerIPs": "nonsense"}), [], None),
    "two v4 requested": (POOL12, service("s", annotations={"metallb.io/loadBalancerIPs": "1.2.3.0,1.2.3.1"}), [], None),
    "status emptied by an infeasible wish": (
        POOL12,
        service("s", status=[{"ip": "1.2.3.1"}], loadBalancerIP="1.2.3.4"),
        [],
        None,
    ),
    "request and pool disagree": (
        POOL12,
        service("s", annotations={"metallb.io/loadBalancerIPs": "1.2.3.1", "metallb.io/address-pool": "pool2"}),
        [],
        None,
    ),
    "pool change moves it": (
        POOL12,
        service("s", status=[{"ip": "1.2.3.0"}], annotations={"metallb.io/address-pool": "pool2"}),
        ["3.4.5.6"],
        "pool2",
    ),
    "manual pool by address": (POOL12, service("s", loadBalancerIP="3.4.5.6"), ["3.4.5.6"], "pool2"),
    "manual pool by name": (
        POOL12,
        service("s", annotations={"metallb.io/address-pool": "pool2"}),
        ["3.4.5.6"],
        "pool2",
    ),
    "foreign status is replaced": (POOL12, service("s", status=[{"ip": "2.3.4.5"}]), ["1.2.3.0"], "pool1"),
    "hostname and foreign status": (
        POOL12,
        service("s", status=[{"hostname": "h"}, {"ip": "10.10.10.10"}]),
        ["1.2.3.0"],
        "pool1",
    ),
    "kept status": (POOL12, service("s", status=[{"ip": "1.2.3.1"}]), ["1.2.3.1"], "pool1"),
    "v4 cluster IP with v6 status": (POOL12, service("s", status=[{"ip": "1000::"}]), ["1.2.3.0"], "pool1"),
    "v6 cluster IP with v4 status": (
        POOL12,
        service("s", status=[{"ip": "1.2.3.0"}], cluster_ips=["fd00::1"]),
        ["1000::"],
        "pool3",
    ),
    "require dual": (
        [DUAL],
        service("s", cluster_ips=DUAL_IPS, ipFamilyPolicy="RequireDualStack"),
        ["1.2.3.0", "1000::"],
        "dual",
    ),
    "require dual, v6 first, still v4 first in status": (
        [DUAL],
        service(
            "s",
            cluster_ips=["fd00::1", "10.96.0.1"],
            ipFamilyPolicy="RequireDualStack",
            status=[{"hostname": "x"}, {"ip": "1000::"}],
        ),
        ["1.2.3.0", "1000::"],
        "dual",
    ),
    "prefer dual in a v4 pool": (
        POOL12,
        service(
            "s",
            cluster_ips=DUAL_IPS,
            ipFamilyPolicy="PreferDualStack",
            annotations={"metallb.io/address-pool": "pool1"},
        ),
        ["1.2.3.0"],
        "pool1",
    ),
    "prefer dual, v6 cluster IP only": (
        POOL12,
        service(
            "s",
            cluster_ips=["fd00::1"],
            ipFamilyPolicy="PreferDualStack",
            annotations={"metallb.io/address-pool": "pool3"},
        ),
        ["1000::"],
        "pool3",
    ),
    "prefer dual, v4 cluster IP only, dual pool: no flapping": (
        [DUAL],
        service("s", ipFamilyPolicy="PreferDualStack"),
        ["1.2.3.0"],
        "dual",
    ),
    "require dual with one cluster IP": ([DUAL], service("s", ipFamilyPolicy="RequireDualStack"), [], None),
    "dual cluster IPs, one requested": (
        [DUAL],
        service("s", cluster_ips=DUAL_IPS, ipFamilyPolicy="PreferDualStack", loadBalancerIP="1.2.3.0"),
        [],
        None,
    ),
    "dual cluster IPs, both requested": (
        [DUAL],
        service(
            "s",
            cluster_ips=DUAL_IPS,
            ipFamilyPolicy="RequireDualStack",
            annotations={"metallb.io/loadBalancerIPs": "1000::1, 1.2.3.1"},
        ),
        ["1000::1", "1.2.3.1"],
        "dual",
    ),
    "dual cluster IPs with SingleStack policy": (
        [DUAL],
        service("s", cluster_ips=DUAL_IPS, ipFamilyPolicy="SingleStack"),
        [],
        None,
    ),
    "prefer dual adds the second family to a kept address": (
        [DUAL],
        service("s", cluster_ips=DUAL_IPS, ipFamilyPolicy="PreferDualStack", status=[{"ip": "1.2.3.1"}]),
        ["1.2.3.1", "1000::"],
        "dual",
    ),
    "prefer dual appends v4 after v6": (
        [DUAL],
        service("s", cluster_ips=DUAL_IPS, ipFamilyPolicy="PreferDualStack", status=[{"ip": "1000::1"}]),
        ["1000::1", "1.2.3.0"],
        "dual",
    ),
    "require dual is not satisfied by two pools": (
        [pool("a", "1.2.3.0/31"), pool("b", "1000::/127")],
        service("s", cluster_ips=DUAL_IPS, ipFamilyPolicy="RequireDualStack"),
        [],
        None,
    ),
    "prefer dual falls back to the primary family": (
        [pool("a", "1.2.3.0/31"), pool("b", "1000::/127")],
        service(
            "s", cluster_ips=["fd00::1", "10.96.0.1"], ipFamilies=["IPv6", "IPv4"], ipFamilyPolicy="PreferDualStack"
        ),
        ["1000::"],
        "b",
    ),
    "pinned to a namespace, best priority": (POOL12, service("s", ns="test-ns1"), ["7.8.9.0"], "pool6"),
    "pinned to another namespace": (POOL12, service("s", ns="test-ns2"), ["16.17.18.0"], "pool9"),
    "pinned by label": (POOL12, service("s", labels={"team": "metallb"}), ["13.14.15.0"], "pool8"),
    "namespace and label": (POOL12, service("s", ns="test-ns1", labels={"team": "metallb"}), ["25.26.27.0"], "pool12"),
    "never against pinning, even by address": (POOL12, service("s", loadBalancerIP="7.8.9.0"), [], None),
    "never against pinning, even by pool": (
        POOL12,
        service("s", annotations={"metallb.io/address-pool": "pool6"}),
        [],
        None,
    ),
    "three addresses in status": (
        POOL12,
        service("s", status=[{"ip": "1.2.3.0"}, {"ip": "1.2.3.1"}, {"ip": "3.4.5.6"}]),
        ["1.2.3.0"],
        "pool1",
    ),
    "no cluster IPs": (POOL12, service("s", cluster_ips=[]), [], None),
    "unknown pool": (POOL12, service("s", annotations={"metallb.io/address-pool": "nope"}), [], None),
    "avoidBuggyIPs skips .0": ([pool("a", "10.0.0.0/24", avoidBuggyIPs=True)], service("s"), ["10.0.0.1"], "a"),
    "network address is given": ([pool("a", "10.0.0.0/24")], service("s"), ["10.0.0.0"], "a"),
    "buggy status released": (
        [pool("a", "10.0.0.0/24", avoidBuggyIPs=True)],
        service("s", status=[{"ip": "10.0.0.0"}]),
        ["10.0.0.1"],
        "a",
    ),
    "buggy address refused by name": (
        [pool("a", "10.0.0.0/24", avoidBuggyIPs=True)],
        service("s", loadBalancerIP="10.0.0.255"),
        [],
        None,
    ),
    "a huge pool is not listed": (
        [pool("a", "2001:db8::/64")],
        service("s", cluster_ips=["fd00::1"]),
        ["2001:db8::"],
        "a",
    ),
    "host bits are masked": ([pool("a", "10.20.30.40/24")], service("s"), ["10.20.30.0"], "a"),
    "range": ([pool("a", "10.0.0.5 - 10.0.0.9")], service("s"), ["10.0.0.5"], "a"),
    "autoAssign false: nothing": ([pool("a", "10.0.0.0/24", autoAssign=False)], service("s"), [], None),
    "no pools": ([], service("s", status=[{"ip": "1.2.3.4"}]), [], None),
    "empty serviceAllocation is every service": (
        [pool("a", "10.0.0.0/24", serviceAllocation={})],
        service("s"),
        ["10.0.0.0"],
        "a",
    ),
    "priority 0 is the worst": (
        [
            pool("a", "10.0.0.0/24", serviceAllocation={"priority": 0}),
            pool("b", "10.0.1.0/24", serviceAllocation={"priority": 50}),
        ],
        service("s"),
        ["10.0.1.0"],
        "b",
    ),
    "a full pool is skipped": (
        [pool("a", "10.0.0.0/32", serviceAllocation={"priority": 1}), pool("b", "10.0.1.0/24")],
        service("s", loadBalancerIP="10.0.0.0"),
        ["10.0.0.0"],
        "a",
    ),
    "malformed wish keeps the address": (
        POOL12,
        service("s", status=[{"ip": "1.2.3.1"}], annotations={"metallb.io/loadBalancerIPs": "nonsense"}),
        ["1.2.3.1"],
        "pool1",
    ),
    "an order of the status that differs from the request is no change": (
        [DUAL],
        service(
            "s",
            cluster_ips=DUAL_IPS,
            ipFamilyPolicy="RequireDualStack",
            status=[{"ip": "1.2.3.0"}, {"ip": "1000::"}],
            annotations={"metallb.io/loadBalancerIPs": "1000::,1.2.3.0"},
        ),
        ["1.2.3.0", "1000::"],
        "dual",
    ),
    "one of two addresses lost: both are given anew": (
        [pool("dual", "1.2.3.0/31", "1000::/127")],
        service(
            "s", cluster_ips=DUAL_IPS, ipFamilyPolicy="RequireDualStack", status=[{"ip": "9.9.9.9"}, {"ip": "1000::1"}]
        ),
        ["1.2.3.0", "1000::"],
        "dual",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_service_gets_the_address_of_the_specification(name: str, plan: Any) -> None:
    objects, subject, ips, pool_name = CASES[name]
    entry = only(plan(*objects, subject))
    assert (entry["ips"], entry["pool"]) == (ips, pool_name)
    assert (entry["reason"] is None) == bool(ips)


def by_name(document: dict[str, Any]) -> dict[str, list[str]]:
    return {entry["name"]: entry["ips"] for entry in document["services"]}


def test_services_that_hold_an_address_come_before_everybody_else(plan: Any) -> None:
    document = plan(pool("p", "10.0.0.0/31"), service("a"), service("b", status=[{"ip": "10.0.0.0"}]))
    assert by_name(document) == {"a": ["10.0.0.1"], "b": ["10.0.0.0"]}


def test_services_that_ask_for_an_address_come_before_those_that_do_not(plan: Any) -> None:
    document = plan(pool("p", "10.0.0.0/31"), service("a"), service("b", loadBalancerIP="10.0.0.0"))
    assert by_name(document) == {"a": ["10.0.0.1"], "b": ["10.0.0.0"]}


def test_the_last_one_of_a_full_pool_waits_with_a_reason(plan: Any) -> None:
    document = plan(pool("p", "10.0.0.0/31"), service("a"), service("b"), service("c"))
    assert by_name(document) == {"a": ["10.0.0.0"], "b": ["10.0.0.1"], "c": []}
    assert "p" in document["services"][2]["reason"]


def shared(name: str, port: int, key: str = "k", **more: Any) -> dict[str, Any]:
    return service(
        name, ports=[("TCP", port)], annotations={"metallb.io/allow-shared-ip": key}, loadBalancerIP="10.0.0.0", **more
    )


LOCAL = {"externalTrafficPolicy": "Local"}
SHARING: dict[str, tuple[dict[str, Any], dict[str, Any], bool]] = {
    "cluster and cluster": (shared("a", 80), shared("b", 81), True),
    "other namespaces share": (shared("a", 80), shared("b", 81, ns="elsewhere"), True),
    "port clash": (shared("a", 80), shared("b", 80), False),
    "same number, other protocol": (
        shared("a", 53),
        service("b", ports=[("UDP", 53)], annotations={"metallb.io/allow-shared-ip": "k"}, loadBalancerIP="10.0.0.0"),
        True,
    ),
    "other key": (shared("a", 80), shared("b", 81, key="z"), False),
    "empty key": (shared("a", 80, key=""), shared("b", 81, key=""), False),
    "local with the same selector": (
        shared("a", 80, selector={"x": "1"}, **LOCAL),
        shared("b", 81, selector={"x": "1"}, **LOCAL),
        True,
    ),
    "local with different selectors": (
        shared("a", 80, selector={"x": "1"}, **LOCAL),
        shared("b", 81, selector={"x": "2"}, **LOCAL),
        False,
    ),
    "local and cluster": (shared("a", 80, selector={"x": "1"}, **LOCAL), shared("b", 81, selector={"x": "1"}), False),
    "local without selector and cluster": (shared("a", 80, selector={}, **LOCAL), shared("b", 81), True),
}


@pytest.mark.parametrize("name", SHARING)
def test_two_services_share_an_address_exactly_when_the_rules_allow(name: str, plan: Any) -> None:
    first, second, allowed = SHARING[name]
    got = by_name(plan(pool("p", "10.0.0.0/24"), first, second))
    assert got == {"a": ["10.0.0.0"], "b": ["10.0.0.0"] if allowed else []}


def test_a_sharing_service_takes_a_lower_free_address_first(plan: Any) -> None:
    first = service(
        "a", ports=[("TCP", 80)], annotations={"metallb.io/allow-shared-ip": "k"}, loadBalancerIP="10.0.0.1"
    )
    second = service("b", ports=[("TCP", 81)], annotations={"metallb.io/allow-shared-ip": "k"})
    third = service("c", ports=[("TCP", 82)], annotations={"metallb.io/allow-shared-ip": "k"})
    assert by_name(plan(pool("p", "10.0.0.0/30"), first, second, third)) == {
        "a": ["10.0.0.1"],
        "b": ["10.0.0.0"],
        "c": ["10.0.0.0"],
    }


def test_two_services_with_one_address_in_status_are_settled_by_age(plan: Any) -> None:
    document = plan(
        pool("p", "10.0.0.0/30"),
        service("a", status=[{"ip": "10.0.0.0"}], created="2026-02-01T00:00:00Z"),
        service("b", status=[{"ip": "10.0.0.0"}], created="2026-01-01T00:00:00Z"),
    )
    assert by_name(document) == {"a": ["10.0.0.1"], "b": ["10.0.0.0"]}


def test_a_namespace_selector_pins_a_pool(plan: Any) -> None:
    pinned = pool("p", "10.0.0.0/30", serviceAllocation={"namespaceSelectors": [{"matchLabels": {"tier": "gold"}}]})
    document = plan(pinned, namespace("gold-ns", tier="gold"), service("a", ns="gold-ns"), service("b"))
    assert by_name(document) == {"a": ["10.0.0.0"], "b": []}


def test_another_class_is_not_handled(plan: Any) -> None:
    document = plan(pool("p", "10.0.0.0/30"), service("a", loadBalancerClass="other.io/lb"))
    assert only(document)["ips"] == []
    assert only(document)["reason"]


def test_a_service_of_another_type_is_not_in_the_plan(plan: Any) -> None:
    document = plan(pool("p", "10.0.0.0/30"), service("a", type="NodePort", status=[{"ip": "10.0.0.0"}]), service("b"))
    assert by_name(document) == {"b": ["10.0.0.0"]}


def test_a_manifest_that_never_met_an_api_server_gets_an_address(plan: Any) -> None:
    manifest = service("a")
    del manifest["spec"]["clusterIPs"], manifest["spec"]["clusterIP"]
    assert only(plan(pool("p", "10.0.0.0/30"), manifest, secret("unrelated")))["ips"] == ["10.0.0.0"]
