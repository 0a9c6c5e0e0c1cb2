"""What compiles, and is worth a word: unknown names, wide aggregates, conflicts, shared sessions, inactive fields."""

from typing import Any

import pytest
from config_resources import (
    OLD,
    YOUNG,
    bgp,
    compiled,
    errors,
    l2,
    node,
    of_rule,
    peer,
    pool,
    resources,
    select,
)

from herald.api.bgp_advertisement import ASPrepend
from herald.cluster.meta import PeerName
from herald.config.compile import compile_config
from herald.config.problem import Severity

NODES = [node("node-a", rack="1"), node("node-b", rack="2")]
ON_A, ON_B, ON_NONE = (select(rack="1"),), (select(rack="2"),), (select(rack="3"),)
V4, V6, DUAL = ("10.0.0.0/24",), ("fd00::/64",), ("10.0.0.0/24", "fd00::/64")

# Given the families of the pool and the specs of two advertisements: whether they conflict.
CONFLICTS: dict[str, tuple[tuple[str, ...], dict[str, Any], dict[str, Any], bool]] = {
    "same localPref": (V4, {"local_pref": 100}, {"local_pref": 100}, False),
    "different": (V4, {"local_pref": 100}, {"local_pref": 200}, True),
    "set and not set": (V4, {"local_pref": 100}, {}, True),
    "v4 pool, v4 lengths differ": (V4, {"local_pref": 1, "aggregation_length": 24}, {}, False),
    "v4 pool, v6 lengths differ": (V4, {"local_pref": 1, "aggregation_length_v6": 64}, {}, True),
    "v6 pool, v4 lengths differ": (V6, {"local_pref": 1, "aggregation_length": 24}, {}, True),
    "v6 pool, v6 lengths differ": (V6, {"local_pref": 1, "aggregation_length_v6": 64}, {}, False),
    "dual pool, one length differs": (DUAL, {"local_pref": 1, "aggregation_length": 24}, {}, True),
    "dual pool, both lengths differ": (
        DUAL,
        {"local_pref": 1, "aggregation_length": 24, "aggregation_length_v6": 64},
        {},
        False,
    ),
    "disjoint peers": (V4, {"local_pref": 1, "peers": ("r",)}, {"peers": ("s",)}, False),
    "a common peer": (V4, {"local_pref": 1, "peers": ("r", "s")}, {"peers": ("s",)}, True),
    "one peer and all": (V4, {"local_pref": 1, "peers": ("r",)}, {}, True),
    "disjoint nodes": (V4, {"local_pref": 1, "node_selectors": ON_A}, {"node_selectors": ON_B}, False),
    "a common node": (V4, {"local_pref": 1, "node_selectors": ON_A}, {}, True),
    "no node at all": (V4, {"local_pref": 1, "node_selectors": ON_NONE}, {"node_selectors": ON_NONE}, False),
    "with service selectors": (V4, {"local_pref": 1, "service_selectors": ON_A}, {}, False),
    "other pools": (V4, {"local_pref": 1, "ip_address_pools": ("other",)}, {"ip_address_pools": ("p",)}, False),
    "different prepend": (V4, {"as_prepend": ASPrepend(count=2)}, {}, True),
}


@pytest.mark.parametrize("case", CONFLICTS)
def test_two_advertisements_conflict_by_the_exact_rule(case: str) -> None:
    addresses, one, other, expected = CONFLICTS[case]
    peers = [peer("r"), peer("s", peer_address="10.9.0.2")]
    objects = [pool("p", *addresses), bgp("a", **one), bgp("b", **other)]
    for order in (objects, [objects[0], bgp("a", **other), bgp("b", **one)]):
        outcome = compiled(*order, *peers, *NODES)
        assert bool(of_rule(outcome, "HL106")) is expected
        assert errors(outcome) == []


def test_without_any_node_nothing_conflicts() -> None:
    assert of_rule(compiled(pool("p", *V4), bgp("a", local_pref=1), bgp("b"), peer("r")), "HL106") == []


@pytest.mark.parametrize(
    ("one", "other", "loser"),
    [
        ({"local_pref": 100}, {"local_pref": 200}, "a"),
        ({"local_pref": 100}, {}, "b"),
        ({"as_prepend": ASPrepend(count=1)}, {}, "a"),
        ({"as_prepend": ASPrepend(count=1)}, {"as_prepend": ASPrepend(count=2)}, "b"),
        ({"local_pref": 100}, {"local_pref": 200, "as_prepend": ASPrepend(count=9)}, "a"),
        ({"med": 10}, {}, "a"),
        ({"med": 10}, {"med": 20}, "b"),
        ({"as_prepend": ASPrepend(count=1), "med": 10}, {"med": 20}, "a"),
    ],
    ids=[
        "higher",
        "set over not set",
        "no prepend",
        "fewer prepends",
        "localPref before prepend",
        "no med",
        "lower med",
        "prepend before med",
    ],
)
def test_a_conflict_is_reported_on_the_one_that_loses(one: Any, other: Any, loser: str) -> None:
    found = of_rule(compiled(pool("p", *V4), bgp("a", **one), bgp("b", **other), peer("r"), *NODES), "HL106")
    assert [(problem.name, problem.severity) for problem in found] == [(loser, Severity.WARNING)]
    assert f'"{"b" if loser == "a" else "a"}" wins' in found[0].message


@pytest.mark.parametrize(
    ("spec", "names"),
    [
        ({"ip_address_pools": ("production",)}, []),
        ({"ip_address_pools": ("prodution",)}, ["production"]),
        ({"ip_address_pools": ("production", "zzz")}, ["there are: broken, production"]),
        ({"ip_address_pools": ("broken",)}, ["left out for its own errors"]),
    ],
    ids=["known", "typo", "nothing like it", "left out"],
)
def test_an_unknown_pool_is_a_warning_with_the_nearest_name(spec: dict[str, Any], names: list[str]) -> None:
    outcome = compiled(pool("production", *V4), pool("broken", "x"), l2("l", **spec), bgp("b", **spec), peer("r"))
    found = of_rule(outcome, "HL002")
    assert len(found) == 2 * len(names)
    assert all(name in problem.message for name in names for problem in found)
    assert {problem.severity for problem in found} <= {Severity.WARNING}


def test_an_unknown_peer_is_a_warning_with_the_nearest_name() -> None:
    outcome = compiled(pool("p", *V4), peer("internet-router"), bgp("b", peers=("internet-ruter",)))
    assert [(problem.field, problem.severity) for problem in of_rule(outcome, "HL004")] == [
        ("spec.peers[0]", Severity.WARNING)
    ]
    assert '"internet-router"' in of_rule(outcome, "HL004")[0].message


def test_an_advertisement_without_any_peer_is_a_warning() -> None:
    assert [problem.field for problem in of_rule(compiled(pool("p", *V4), bgp("b")), "HL004")] == ["spec.peers"]
    (found,) = of_rule(compiled(pool("p", *V4), bgp("b"), peer("r", secret_name="nowhere")), "HL004")
    assert "no BGPPeer can be used (r: left out for its own errors)" in found.message


@pytest.mark.parametrize(
    ("addresses", "spec", "attracted"),
    [
        (("10.2.0.240-10.2.0.250",), {"aggregation_length": 24}, ["10.2.0.0-10.2.0.239", "10.2.0.251-10.2.0.255"]),
        (("3.3.3.2-3.3.3.254",), {"aggregation_length": 26}, []),
        (("3.3.3.2-3.3.3.254",), {"aggregation_length": 24}, ["3.3.3.0-3.3.3.1", "3.3.3.255-3.3.3.255"]),
        (("3.3.3.0/24",), {"aggregation_length": 24}, []),
        (("1.2.3.0/28",), {"aggregation_length": 26}, ["1.2.3.16-1.2.3.63"]),
        (("10.0.0.0/25", "10.0.0.128/25"), {"aggregation_length": 24}, []),
        (("fd00::/112",), {"aggregation_length_v6": 96}, ["fd00::1:0-fd00::ffff:ffff"]),
        (("fd00::/112",), {"aggregation_length": 24}, []),
        (("10.0.0.250-10.0.1.5",), {"aggregation_length": 24}, ["10.0.0.0-10.0.0.249", "10.0.1.6-10.0.1.255"]),
    ],
    ids=[
        "range",
        "as MetalLB accepts",
        "range refused by MetalLB",
        "exact",
        "CIDR",
        "two halves",
        "v6",
        "other family",
        "two aggregates",
    ],
)
def test_an_aggregate_wider_than_an_entry_names_what_it_attracts(
    addresses: tuple[str, ...], spec: dict[str, Any], attracted: list[str]
) -> None:
    outcome = compiled(pool("p", *addresses), bgp("b", **spec), peer("r"))
    assert errors(outcome) == []
    found = of_rule(outcome, "HL101")
    assert len(found) == bool(attracted)
    assert all(part in found[0].message for part in attracted)
    assert len(outcome.config.bgp_advertisements) == 1


# Specs of an older and a younger peer: whether they are one session, and in which fields they disagree.
SHARED: dict[str, tuple[dict[str, Any], dict[str, Any], bool, str]] = {
    "equal": ({}, {}, True, "agree on everything else"),
    "other address": ({}, {"peer_address": "10.9.0.2"}, False, ""),
    "other port": ({}, {"peer_port": 1790}, False, ""),
    "other VRF": ({}, {"vrf": "red"}, False, ""),
    "other timers": ({}, {"hold_time": "30s"}, True, "holdTime, keepaliveTime"),
    "other ASNs": ({}, {"my_asn": 1, "peer_asn": 2}, True, "myASN, peerASN"),
    "other nodes": ({"node_selectors": ON_A}, {"node_selectors": ON_B}, False, ""),
    "a common node": ({"node_selectors": ON_A}, {}, True, "agree"),
    "one interface": (
        {"peer_address": "", "interface": "eth1"},
        {"peer_address": "", "interface": "eth1", "password": "x"},
        True,
        "password",
    ),
}


@pytest.mark.parametrize("case", SHARED)
def test_two_peers_for_one_session_are_a_warning_on_the_younger(case: str) -> None:
    old, young, shared, words = SHARED[case]
    outcome = compiled(peer("a", created=YOUNG, **young), peer("z", created=OLD, **old), *NODES)
    found = of_rule(outcome, "HL074")
    assert [(problem.name, problem.severity) for problem in found] == ([("a", Severity.WARNING)] if shared else [])
    assert all(words in problem.message and '"z"' in problem.message for problem in found)
    assert len(outcome.config.peers) == 2


def test_peers_are_taken_to_meet_where_no_node_is_known() -> None:
    assert of_rule(compiled(peer("a", node_selectors=ON_A), peer("b", node_selectors=ON_B)), "HL074")


@pytest.mark.parametrize(
    ("spec", "fields"),
    [
        ({}, []),
        ({"my_asn": 64999}, ["spec.myASN"]),
        ({"router_id": "10.0.0.1"}, ["spec.routerID"]),
        ({"my_asn": 64999, "vrf": "red"}, []),
    ],
    ids=["equal", "F3", "F1", "another VRF"],
)
def test_two_identities_on_one_node_are_worth_a_word_and_no_error(spec: dict[str, Any], fields: list[str]) -> None:
    outcome = compiled(peer("a"), peer("b", peer_address="10.9.0.2", **spec), *NODES)
    found = of_rule(outcome, "HL076")
    assert [problem.field for problem in found] == fields
    assert {problem.severity for problem in found} <= {Severity.INFO}


@pytest.mark.parametrize(
    ("spec", "field", "severity"),
    [
        ({"disable_mp": True}, "disableMP", Severity.INFO),
        ({"bfd_strict": True}, "bfdStrict", Severity.WARNING),
        ({"role_strict": True}, "roleStrict", Severity.WARNING),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else None,
)
def test_what_is_accepted_and_has_no_effect_is_said(spec: dict[str, Any], field: str, severity: Severity) -> None:
    (found,) = compiled(peer("r", **spec)).problems
    assert (found.rule, found.field, found.severity) == ("HL210", f"spec.{field}", severity)
    assert f"{field} has no effect" in found.message


@pytest.mark.parametrize(
    "spec",
    [
        {"vrf": "red"},
        {"peer_address": "", "interface": "eth1"},
        {"ttl_security": True},
        {"role": "rs-client", "role_strict": True},
        {"role": "peer", "peer_asn": None, "dynamic_asn": "external"},
        {"role": "customer", "peer_asn": 64500, "local_asn": 64999},
    ],
    ids=["vrf", "unnumbered", "GTSM", "role", "role, any other AS", "role, by localASN"],
)
def test_a_way_to_the_peer_has_nothing_to_say(spec: dict[str, Any]) -> None:
    assert compiled(peer("r", **spec)).problems == ()


def test_a_plain_peer_has_nothing_to_say() -> None:
    assert compiled(peer("r", dual_stack_address_family=True, ebgp_multi_hop=True)).problems == ()


def test_a_secret_that_nobody_can_see_is_no_fault_of_the_peer_that_names_it() -> None:
    parts = (pool("p", *V4), bgp("b"), bgp("named", peers=("r",)), peer("r", secret_name="nowhere"))
    outcome = compile_config(resources(*parts), knows_secrets=False)
    assert [problem.rule for problem in outcome.problems] == []
    assert [*outcome.config.peers] == ["r"]
    assert outcome.config.peers[PeerName("r")].password is None
    assert outcome.config.left_out_peers == ()
