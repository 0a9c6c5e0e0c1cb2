"""One Service through the table: what it keeps, what it loses, what is written and what people are told."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from allocation_objects import (
    DUAL,
    DUAL_V6_FIRST,
    PREFER,
    REQUIRE,
    SINGLE,
    V4,
    V6,
    by_name,
    ips,
    key,
    pool,
    reasons,
    service,
    settle,
    texts,
)

from herald.allocator.allocation import RefusalReason
from herald.allocator.allocator import Allocator
from herald.allocator.converge import converge, converge_gone
from herald.allocator.convergence import StatusChange, as_written
from herald.cluster.service import Service, ServiceSpec
from herald.config.pool import Pool

A = pool("a", "10.0.0.0/30")
M = pool("m", "10.5.0.0/30", auto=False)
D = pool("d", "10.0.0.0/30", "fd00::/126")


@dataclass(frozen=True)
class Row:
    """`result` is what the service has in the end; `kept` whether nothing of the status needs to be written."""

    service: dict[str, Any]
    result: tuple[str, ...]
    events: tuple[str, ...] = ()
    refusal: RefusalReason | None = None
    pools: tuple[Pool, ...] = (A, M)
    written: tuple[str, ...] | None = None
    extra: dict[str, str] = field(default_factory=dict)


HELD = {"status": ["10.0.0.1"], "allocated": "a"}
TABLE: dict[str, Row] = {
    "1 another type": Row(HELD | {"kind": "ClusterIP"}, (), written=()),
    "1 another type, nothing held": Row({"kind": "ClusterIP"}, ()),
    "2 no pools at all": Row(HELD, (), (), RefusalReason.NO_POOLS, pools=(), written=()),
    "3 no cluster IPs": Row(HELD | {"cluster_ips": ()}, (), (), RefusalReason.NO_CLUSTER_IPS, written=()),
    "5 Require with one cluster IP": Row(
        HELD | {"policy": REQUIRE},
        (),
        ("not enough clusterips",),
        RefusalReason.NOT_ENOUGH_CLUSTER_IPS,
        written=(),
    ),
    "6 hostname only": Row({"status": ["a host"]}, ("10.0.0.0",), ("IPAllocated",), written=("10.0.0.0",)),
    "6 stale annotation": Row(
        {"allocated": "a", "wants": "9.9.9.9"}, (), ("AllocationFailed",), RefusalReason.NOT_IN_ANY_POOL, written=()
    ),
    "7 unparsable status": Row(
        {"status": ["x"]}, ("10.0.0.0",), ("nolbIPsIPFamily", "IPAllocated"), written=("10.0.0.0",)
    ),
    "7 two of one family": Row(
        {"status": ["10.0.0.1", "10.0.0.2"]},
        ("10.0.0.0",),
        ("nolbIPsIPFamily", "IPAllocated"),
        written=("10.0.0.0",),
    ),
    "8 cluster IP None": Row(
        HELD | {"cluster_ips": ("None",)},
        ("10.0.0.1",),
        ("noclusterIPsIPFamily",),
        RefusalReason.INVALID_CLUSTER_IPS,
    ),
    "8 cluster IP None, nothing held": Row(
        {"cluster_ips": ("None",)}, (), ("AllocationFailed",), RefusalReason.INVALID_CLUSTER_IPS
    ),
    "9 another family": Row({"status": ["fd00::1"]}, ("10.0.0.0",), ("IPAllocated",), written=("10.0.0.0",)),
    "10 kept": Row(HELD, ("10.0.0.1",)),
    "10 kept, annotation added": Row({"status": ["10.0.0.1"]}, ("10.0.0.1",), written=("10.0.0.1",)),
    "10 kept, hostname removed": Row(
        {"status": ["a host", "10.0.0.1"], "allocated": "a"}, ("10.0.0.1",), written=("10.0.0.1",)
    ),
    "10 outside every pool": Row(
        {"status": ["9.9.9.9"]}, ("10.0.0.0",), ("ClearAssignment", "IPAllocated"), written=("10.0.0.0",)
    ),
    "11 another pool asked for": Row(HELD | {"from_pool": "m"}, ("10.5.0.0",), ("IPAllocated",), written=("10.5.0.0",)),
    "11 its own pool asked for": Row(HELD | {"from_pool": "a"}, ("10.0.0.1",)),
    "11 an unknown pool asked for": Row(
        HELD | {"from_pool": "x"}, (), ("AllocationFailed",), RefusalReason.UNKNOWN_POOL, written=()
    ),
    "12 malformed wish": Row(
        HELD | {"wants": "x"}, ("10.0.0.1",), ("LoadBalancerFailed",), RefusalReason.INVALID_REQUEST
    ),
    "12 wished for twice": Row(
        HELD | {"wants": "10.0.0.2", "field": "10.0.0.2"},
        ("10.0.0.1",),
        ("LoadBalancerFailed",),
        RefusalReason.REQUESTED_TWICE,
    ),
    "12 malformed wish after 10 cleared": Row(
        {"status": ["9.9.9.9"], "wants": "x"},
        (),
        ("ClearAssignment", "LoadBalancerFailed"),
        RefusalReason.INVALID_REQUEST,
        written=(),
    ),
    "12 malformed wish after 11 cleared": Row(
        HELD | {"from_pool": "m", "wants": "x"},
        (),
        ("LoadBalancerFailed",),
        RefusalReason.INVALID_REQUEST,
        written=(),
    ),
    "12 malformed wish, nothing held": Row({"wants": "x"}, (), ("AllocationFailed",), RefusalReason.INVALID_REQUEST),
    "13 another address asked for": Row(
        HELD | {"wants": "10.0.0.2"}, ("10.0.0.2",), ("IPAllocated",), written=("10.0.0.2",)
    ),
    "13 its own address asked for": Row(HELD | {"field": "10.0.0.1"}, ("10.0.0.1",)),
    "13 an impossible address asked for": Row(
        HELD | {"wants": "9.9.9.9"}, (), ("AllocationFailed",), RefusalReason.NOT_IN_ANY_POOL, written=()
    ),
    "14 second family added": Row(
        {"cluster_ips": DUAL, "policy": PREFER, "status": ["fd00::1"]},
        ("fd00::1", "10.0.0.0"),
        ("IPAllocated",),
        pools=(D,),
        written=("fd00::1", "10.0.0.0"),
    ),
    "14 no second family": Row(
        {"cluster_ips": DUAL, "policy": PREFER} | HELD, ("10.0.0.1",), ("AdditionalAssignFailed",)
    ),
    "14 not for single-stack cluster IPs": Row(
        {"policy": PREFER, "status": ["10.0.0.1"], "allocated": "d"}, ("10.0.0.1",), pools=(D,)
    ),
    "14 not for a service that asks for its address": Row(
        {"policy": PREFER, "cluster_ips": DUAL, "wants": "10.0.0.1", "status": ["10.0.0.1"], "allocated": "d"},
        ("10.0.0.1",),
        pools=(D,),
    ),
    "15 allocated": Row({}, ("10.0.0.0",), ("IPAllocated",), written=("10.0.0.0",)),
    "15 refused": Row({}, (), ("AllocationFailed",), RefusalReason.NO_AVAILABLE_IPS, pools=(M,)),
}


@pytest.mark.parametrize("name", TABLE)
def test_a_row_of_the_table_does_what_it_says(name: str) -> None:
    row = TABLE[name]
    subject = service(**row.service)
    outcome = converge(Allocator(by_name(*row.pools)), subject)
    assert tuple(texts(outcome)) == row.result
    assert tuple(reasons(outcome.events)) == row.events
    assert (outcome.refusal.reason if outcome.refusal else None) == row.refusal
    assert (outcome.change.ingress if outcome.change else None) == row.written
    if outcome.change:
        assert outcome.change.pool == outcome.pool


@pytest.mark.parametrize("name", TABLE)
def test_a_second_run_over_what_was_written_writes_nothing(name: str) -> None:
    row = TABLE[name]
    allocator = Allocator(by_name(*row.pools))
    subject = service(**row.service)
    first = converge(allocator, subject)
    second = converge(allocator, as_written(subject, first))
    assert second.change is None
    assert second.addresses == first.addresses
    assert not second.reprocess_all


FAMILIES: dict[str, tuple[tuple[str, ...], dict[str, Any], tuple[str, ...]]] = {
    "v4, v4": (("10.0.0.1",), {"cluster_ips": V4}, ("10.0.0.1",)),
    "v4, v6": (("10.0.0.1",), {"cluster_ips": V6}, ("fd00::",)),
    "v4, dual, Require": (("10.0.0.1",), {"cluster_ips": DUAL, "policy": REQUIRE}, ("10.0.0.0", "fd00::")),
    "v6, dual, Require": (("fd00::1",), {"cluster_ips": DUAL, "policy": REQUIRE}, ("10.0.0.0", "fd00::")),
    "v4, dual, SingleStack": (("10.0.0.1",), {"cluster_ips": DUAL, "policy": SINGLE}, ()),
    "v4, dual, Prefer": (("10.0.0.1",), {"cluster_ips": DUAL, "policy": PREFER}, ("10.0.0.1", "fd00::")),
    "v6, dual, Prefer": (("fd00::1",), {"cluster_ips": DUAL, "policy": PREFER}, ("fd00::1", "10.0.0.0")),
    "both, dual, Require": (
        ("10.0.0.1", "fd00::2"),
        {"cluster_ips": DUAL_V6_FIRST, "policy": REQUIRE},
        ("10.0.0.1", "fd00::2"),
    ),
    "both, dual, SingleStack": (
        ("fd00::2", "10.0.0.1"),
        {"cluster_ips": DUAL, "policy": SINGLE},
        ("fd00::2", "10.0.0.1"),
    ),
    "both, v4": (("10.0.0.1", "fd00::2"), {"cluster_ips": V4}, ("10.0.0.0",)),
    "one lost, dual, Require": (
        ("10.0.0.1", "9::9"),
        {"cluster_ips": DUAL, "policy": REQUIRE},
        ("10.0.0.0", "fd00::"),
    ),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_what_is_held_meets_policy_and_cluster_ips(name: str) -> None:
    status, spec, result = FAMILIES[name]
    rested, _ = settle(Allocator(by_name(D)), service(status=status, **spec))
    assert rested.ingress_ips == result


def test_a_preferring_service_rests_on_one_address_with_single_stack_cluster_ips() -> None:
    rested, events = settle(Allocator(by_name(D)), service(policy=PREFER))
    assert rested.ingress_ips == ("10.0.0.0",)
    assert reasons(events) == ["IPAllocated"]


def test_the_second_address_comes_when_the_pool_gains_the_family_but_never_from_another_pool() -> None:
    allocator = Allocator(by_name(A))
    subject, _ = settle(allocator, service(cluster_ips=DUAL, policy=PREFER))
    allocator.set_pools(by_name(A, pool("z", "10.9.0.0/30", "fd09::/126")))
    subject, events = settle(allocator, subject)
    assert (subject.ingress_ips, reasons(events)) == (("10.0.0.0",), ["AdditionalAssignFailed"])
    allocator.set_pools(by_name(pool("a", "10.0.0.0/30", "fd00::/126")))
    subject, events = settle(allocator, subject)
    assert (subject.ingress_ips, reasons(events)) == (("10.0.0.0", "fd00::"), ["IPAllocated"])


def test_both_addresses_are_released_when_the_pool_loses_one_family() -> None:
    allocator = Allocator(by_name(D))
    subject, _ = settle(allocator, service(cluster_ips=DUAL, policy=PREFER, status=["10.0.0.2", "fd00::2"]))
    allocator.set_pools(by_name(pool("d", "10.0.0.0/30")))
    subject, events = settle(allocator, subject)
    assert subject.ingress_ips == ("10.0.0.0",)
    assert reasons(events)[:2] == ["ClearAssignment", "IPAllocated"]


def held(allocator: Allocator, name: str = "s", **spec: Any) -> Service:
    return settle(allocator, service(name, status=["10.0.0.1"], **spec))[0]


POOL_CHANGES: dict[str, tuple[tuple[Pool, ...], tuple[str, ...], list[str], str | None]] = {
    "deleted": ((M,), (), ["ClearAssignment", "AllocationFailed"], None),
    "shrunk": ((pool("a", "10.0.0.2/31"),), ("10.0.0.2",), ["ClearAssignment", "IPAllocated"], "a"),
    "renamed": ((pool("z", "10.0.0.0/30"),), ("10.0.0.1",), [], "z"),
    "split": ((pool("x", "10.0.0.0/31"), pool("y", "10.0.0.2/31")), ("10.0.0.1",), [], "x"),
    "avoiding": ((pool("a", "10.0.0.0/30", buggy=True),), ("10.0.0.1",), [], "a"),
    "autoAssign off": ((pool("a", "10.0.0.0/30", auto=False),), ("10.0.0.1",), [], "a"),
    "pinned to others": (
        (pool("a", "10.0.0.0/30", namespaces=["other"]), pool("b", "10.1.0.0/30")),
        ("10.1.0.0",),
        ["ClearAssignment", "IPAllocated"],
        "b",
    ),
    "a better pool appears": (
        (A, pool("p", "10.7.0.0/30", namespaces=["default"], priority=1)),
        ("10.0.0.1",),
        [],
        "a",
    ),
    "all deleted": ((), (), [], None),
}


@pytest.mark.parametrize("name", POOL_CHANGES)
def test_a_change_of_pools_keeps_or_releases(name: str) -> None:
    pools, result, events, owner = POOL_CHANGES[name]
    allocator = Allocator(by_name(A))
    subject = held(allocator)
    allocator.set_pools(by_name(*pools))
    outcome = converge(allocator, subject)
    written = as_written(subject, outcome)
    assert (written.ingress_ips, reasons(outcome.events), outcome.pool) == (result, events, owner)
    assert written.metadata.annotations.get("metallb.io/ip-allocated-from-pool") == owner
    assert outcome.reprocess_all == (name == "pinned to others")


SERVICE_CHANGES: dict[str, tuple[dict[str, Any], tuple[str, ...], list[str]]] = {
    "ports": ({"ports": ["TCP/99"]}, ("10.0.0.1",), []),
    "sharing key": ({"share": "x"}, ("10.0.0.1",), []),
    "policy and selector": ({"local": True, "selector": {"a": "b"}}, ("10.0.0.1",), []),
    "address-pool changed": ({"from_pool": "m"}, ("10.5.0.0",), ["IPAllocated"]),
    "address-pool changed to a full one": ({"from_pool": "full"}, (), ["AllocationFailed"]),
    "address requested": ({"wants": "10.0.0.3"}, ("10.0.0.3",), ["IPAllocated"]),
    "impossible address requested": ({"wants": "10.77.0.3"}, (), ["AllocationFailed"]),
    "malformed request": ({"wants": "10.77"}, ("10.0.0.1",), ["LoadBalancerFailed"]),
    "type changed": ({"kind": "NodePort"}, (), []),
    "status emptied": ({"status": []}, ("10.0.0.0",), ["IPAllocated"]),
    "status edited to a free address": ({"status": ["10.0.0.3"]}, ("10.0.0.3",), []),
    "status edited to a foreign address": (
        {"status": ["8.8.8.8"]},
        ("10.0.0.0",),
        ["ClearAssignment", "IPAllocated"],
    ),
    "status edited to nonsense": ({"status": ["?"]}, ("10.0.0.0",), ["nolbIPsIPFamily", "IPAllocated"]),
}


@pytest.mark.parametrize("name", SERVICE_CHANGES)
def test_a_change_of_the_service_keeps_or_releases(name: str) -> None:
    change, result, events = SERVICE_CHANGES[name]
    allocator = Allocator(by_name(A, M, pool("full", "10.6.0.0/32", auto=False)))
    allocator.register(service("other"), ips("10.6.0.0"))
    held(allocator)
    subject = service(**({"status": ["10.0.0.1"], "allocated": "a"} | change))
    outcome = converge(allocator, subject)
    assert (as_written(subject, outcome).ingress_ips, reasons(outcome.events)) == (result, events)
    assert allocator.holders(ips("10.0.0.1")[0]) == ((key("s"),) if result == ("10.0.0.1",) else ())


SHARED_CHANGES: dict[str, dict[str, Any]] = {
    "port clash": {"share": "k", "ports": ["TCP/2"]},
    "sharing key": {"share": "x", "ports": ["TCP/1"]},
    "policy": {"share": "k", "ports": ["TCP/1"], "local": True, "selector": {"a": "b"}},
}


@pytest.mark.parametrize("name", SHARED_CHANGES)
def test_a_change_that_ends_sharing_moves_the_service_that_changed(name: str) -> None:
    allocator = Allocator(by_name(A))
    held(allocator, share="k", ports=["TCP/1"])
    held(allocator, "other", share="k", ports=["TCP/2"])
    subject = service(status=["10.0.0.1"], allocated="a", **SHARED_CHANGES[name])
    outcome = converge(allocator, subject)
    assert texts(outcome) == ["10.0.0.0"]
    assert reasons(outcome.events) == ["ClearAssignment", "IPAllocated"]
    assert "default/other" in outcome.events[0].message
    assert outcome.reprocess_all
    assert allocator.holders(ips("10.0.0.1")[0]) == (key("other", "default"),)


LETTING_GO: dict[str, tuple[dict[str, Any], bool]] = {
    "nothing": ({}, False),
    "the address": ({"wants": "10.0.0.2"}, True),
    "everything": ({"kind": "ClusterIP"}, True),
    "a port": ({"ports": ["TCP/1"]}, True),
    "a port in exchange": ({"ports": ["TCP/1", "TCP/3"]}, True),
    "the key": ({"share": "l"}, True),
    "the key altogether": ({"share": None}, True),
    "the backend": ({"local": True, "selector": {"a": "b"}}, True),
    "an additional port takes nothing from anybody": ({"ports": ["TCP/1", "TCP/2", "TCP/3"]}, False),
}


@pytest.mark.parametrize("name", LETTING_GO)
def test_the_others_are_reconsidered_when_something_is_let_go(name: str) -> None:
    change, expected = LETTING_GO[name]
    allocator = Allocator(by_name(A))
    before: dict[str, Any] = {"share": "k", "ports": ["TCP/1", "TCP/2"]}
    held(allocator, **before)
    subject = service(**({"status": ["10.0.0.1"], "allocated": "a"} | before | change))
    assert converge(allocator, subject).reprocess_all == expected


def test_a_deleted_service_has_others_reconsidered_only_if_it_had_an_address() -> None:
    allocator = Allocator(by_name(A))
    held(allocator)
    assert converge_gone(allocator, key("s")).reprocess_all
    assert not converge_gone(allocator, key("s")).reprocess_all


def test_a_service_waiting_for_a_port_gets_it_when_it_is_let_go() -> None:
    allocator = Allocator(by_name(A))
    held(allocator, share="k", ports=["TCP/1", "TCP/2"])
    waiter = service("waiter", share="k", ports=["TCP/2"], wants="10.0.0.1")
    assert converge(allocator, waiter).refusal is not None
    assert allocator.waiting() == (key("waiter"),)
    changed = service(status=["10.0.0.1"], share="k", ports=["TCP/1"])
    assert converge(allocator, changed).reprocess_all
    assert texts(converge(allocator, waiter)) == ["10.0.0.1"]
    assert allocator.waiting() == ()


def test_a_service_that_has_got_an_address_by_other_means_does_not_wait_any_more() -> None:
    allocator = Allocator(by_name(A, M))
    allocator.register(service("holder"), ips("10.0.0.0"))
    assert converge(allocator, service(wants="10.0.0.0")).refusal is not None
    assert texts(converge(allocator, service(status=["10.5.0.1"]))) == ["10.5.0.1"]
    assert allocator.waiting() == ()


def test_those_who_wait_are_listed_oldest_first() -> None:
    allocator = Allocator(by_name(pool("p", "10.0.0.0/32", "fd00::/128")))
    converge(allocator, service("holder"))
    converge(allocator, service("half", status=["fd00::"], cluster_ips=DUAL, policy=PREFER, created="2026-02"))
    for name, created in (("new", "2026-03"), ("old", "2026-01"), ("unborn", None)):
        converge(allocator, service(name, created=created))
    converge(allocator, service("hopeless", wants="nonsense", created="2025"))
    converge(allocator, service("gone", created="2025"))
    converge_gone(allocator, key("gone"))
    assert allocator.waiting() == (key("old"), key("half"), key("new"), key("unborn"))


def test_the_order_of_a_wish_is_kept_and_never_rewritten() -> None:
    allocator = Allocator(by_name(D))
    wish = {"cluster_ips": DUAL, "policy": REQUIRE, "wants": "fd00::2, 10.0.0.3"}
    rested, events = settle(allocator, service(**wish))  # type: ignore[arg-type]  # one dict, many types
    assert (rested.ingress_ips, reasons(events)) == (("fd00::2", "10.0.0.3"), ["IPAllocated"])
    turned = service(status=["10.0.0.3", "fd00::2"], allocated="d", **wish)  # type: ignore[arg-type]  # as above
    assert converge(allocator, turned).change is None


def test_an_address_left_in_an_unusable_service_is_not_given_to_another() -> None:
    allocator = Allocator(by_name(A))
    converge(allocator, service(status=["10.0.0.0"], cluster_ips=("None",)))
    assert texts(converge(allocator, service("other"))) == ["10.0.0.1"]


def test_a_claim_stands_in_for_a_wiped_status() -> None:
    allocator = Allocator(by_name(A))
    outcome = converge(allocator, service(), ips("10.0.0.3"))
    assert outcome.change == StatusChange(("10.0.0.3",), "a")
    assert outcome.events == ()


def test_a_status_is_stronger_than_a_claim() -> None:
    assert texts(converge(Allocator(by_name(A)), service(status=["10.0.0.2"]), ips("10.0.0.3"))) == ["10.0.0.2"]


def test_cluster_ip_alone_decides_the_family() -> None:
    subject = Service(
        metadata=service().metadata, spec=ServiceSpec(type="LoadBalancer", cluster_ip="fd00:1::1", cluster_ips=())
    )
    assert texts(converge(Allocator(by_name(D)), subject)) == ["fd00::"]


OLD = {"metallb.universe.tf/address-pool": "a", "metallb.universe.tf/allow-shared-ip": "k"}
MESSAGES: dict[str, tuple[dict[str, Any], list[tuple[str, str, str]]]] = {
    "one address": ({}, [("Normal", "IPAllocated", 'Assigned IP ["10.0.0.0"]')]),
    "two addresses": (
        {"cluster_ips": DUAL, "policy": REQUIRE},
        [("Normal", "IPAllocated", 'Assigned IP ["10.0.0.0" "fd00::"]')],
    ),
    "an additional one": (
        {"cluster_ips": DUAL, "policy": PREFER, "status": ["10.0.0.1"]},
        [("Normal", "IPAllocated", 'Assigned additional IP "fd00::"')],
    ),
    "no additional one": (
        {"cluster_ips": DUAL, "policy": PREFER, "status": ["10.5.0.1"], "allocated": "m"},
        [
            (
                "Normal",
                "AdditionalAssignFailed",
                "cannot assign additional IP in PreferDualStack: no available IPs in pool m (m: has no IPv6 addresses)",
            )
        ],
    ),
    "cleared": (
        {"status": ["9.9.9.9"]},
        [
            (
                "Normal",
                "ClearAssignment",
                (
                    'current IP for "default/s" not allowed by config, will attempt for new IP assignment: '
                    '["9.9.9.9"] is not allowed in config (d: does not contain 9.9.9.9 · m: does not contain 9.9.9.9)'
                ),
            ),
            ("Normal", "IPAllocated", 'Assigned IP ["10.0.0.0"]'),
        ],
    ),
    "failed": (
        {"from_pool": "x"},
        [
            (
                "Warning",
                "AllocationFailed",
                'Failed to allocate IP for "default/s": unknown pool "x"; there are: d, m',
            )
        ],
    ),
    "malformed": (
        {"status": ["10.0.0.1"], "allocated": "d", "field": "x"},
        [
            (
                "Warning",
                "LoadBalancerFailed",
                'invalid requested loadbalancer IPs: invalid spec.loadBalancerIP "x": one IP address is needed',
            )
        ],
    ),
    "not enough cluster IPs": (
        {"policy": REQUIRE},
        [
            (
                "Warning",
                "not enough clusterips",
                'Service requires dual stack but not enough clusterips ["10.96.0.1"]',
            )
        ],
    ),
    "status of no family": (
        {"status": ["x"], "kind": "LoadBalancer", "wants": "10.0.0.3"},
        [
            (
                "Warning",
                "nolbIPsIPFamily",
                'Failed to retrieve LBIPs IPFamily for ["x"]: IPFamilyForAddresses: Invalid address ["x"]',
            ),
            ("Normal", "IPAllocated", 'Assigned IP ["10.0.0.3"]'),
        ],
    ),
    "cluster IPs of no family": (
        {"status": ["10.0.0.1"], "cluster_ips": ("None",)},
        [
            (
                "Warning",
                "noclusterIPsIPFamily",
                (
                    'Failed to retrieve ClusterIPs IPFamily for ["None"] IP: '
                    'IPFamilyForAddresses: Invalid address ["None"]'
                ),
            )
        ],
    ),
    "deprecated, something is written": (
        {"annotations": OLD, "from_pool": "d"},
        [
            ("Normal", "IPAllocated", 'Assigned IP ["10.0.0.0"]'),
            ("Warning", "deprecatedAnnotation", "Service uses deprecated annotation metallb.universe.tf/address-pool"),
            (
                "Warning",
                "deprecatedAnnotation",
                "Service uses deprecated annotation metallb.universe.tf/allow-shared-ip",
            ),
        ],
    ),
    "deprecated, nothing is written": (
        {"annotations": OLD, "from_pool": "d", "status": ["10.0.0.1"], "allocated": "d"},
        [],
    ),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_events_speak_the_words_of_the_reference(name: str) -> None:
    spec, expected = MESSAGES[name]
    outcome = converge(Allocator(by_name(D, M)), service(**spec))
    assert [(event.type.value, event.reason.value, event.message) for event in outcome.events] == expected


@pytest.mark.parametrize("prefix", ["p", "pool-with-a-long-name-"])
def test_an_event_shows_as_many_pools_as_kubernetes_accepts(prefix: str) -> None:
    crowd = [pool(f"{prefix}{number:03}", f"10.{number}.0.0/30", auto=False) for number in range(200)]
    (event,) = converge(Allocator(by_name(*crowd)), service()).events
    assert 950 <= len(event.message.encode()) <= 1024
    assert f"({prefix}000: skipped, autoAssign=false · " in event.message
    assert event.message.endswith(" more)")


def test_an_event_about_an_endless_wish_is_cut() -> None:
    (event,) = converge(Allocator(by_name(A)), service(wants="é" * 5000)).events
    assert 1020 <= len(event.message.encode()) <= 1024
    assert event.message.endswith("…")
