"""What valid objects become."""

from ipaddress import ip_address
from typing import Any

import pytest
from config_resources import (
    bfd,
    bgp,
    community,
    compiled,
    errors,
    expression,
    l2,
    namespace,
    node,
    of_rule,
    peer,
    pinned,
    pool,
    preferred,
    secret,
    select,
)

from herald.api.bgp_advertisement import ASPrepend
from herald.api.bgp_peer import TCPAO, SecretRef
from herald.api.bgp_peer import GracefulRestart as WrittenGracefulRestart
from herald.bfd.profile import DEFAULT
from herald.bgp.community import Community, LargeCommunity
from herald.bgp.parameters import Algorithm, MasterKey, Password
from herald.config.advertisement import Prepend
from herald.config.peer import GracefulRestart
from herald.config.pool import ServiceAllocation
from herald.config.problem import Severity

NODES = [node("node-a", rack="1", disk="ssd"), node("node-b", rack="1"), node("node-c", rack="2")]
POOLS = [
    pool("gold", "10.1.0.0/24", labels={"tier": "gold"}),
    pool("silver", "10.2.0.0/24", labels={"tier": "silver"}),
    pool("plain", "10.3.0.0/24"),
]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, {"gold", "silver", "plain"}),
        ({"ip_address_pools": ("gold",)}, {"gold"}),
        ({"ip_address_pools": ("none",)}, set()),
        ({"ip_address_pool_selectors": (select(tier="silver"),)}, {"silver"}),
        ({"ip_address_pool_selectors": (select(tier="bronze"),)}, set()),
        ({"ip_address_pool_selectors": (select(),)}, {"gold", "silver", "plain"}),
        ({"ip_address_pools": ("plain",), "ip_address_pool_selectors": (select(tier="gold"),)}, {"gold", "plain"}),
        ({"ip_address_pools": ("gold",), "ip_address_pool_selectors": (select(tier="gold"),)}, {"gold"}),
        ({"ip_address_pool_selectors": (select(tier="gold"), expression("tier", "DoesNotExist"))}, {"gold", "plain"}),
    ],
    ids=["all", "named", "unknown name", "selected", "selects none", "empty selector", "union", "twice", "either"],
)
def test_an_advertisement_reaches_the_pools_it_names_or_selects(spec: dict[str, Any], expected: set[str]) -> None:
    config = compiled(*POOLS, l2("l", **spec), bgp("b", **spec)).config
    assert config.l2_advertisements[0].pools == expected
    assert config.bgp_advertisements[0].pools == expected


@pytest.mark.parametrize(
    ("selectors", "expected"),
    [
        ((), {"node-a", "node-b", "node-c"}),
        ((select(rack="1"),), {"node-a", "node-b"}),
        ((select(rack="1"), select(rack="2")), {"node-a", "node-b", "node-c"}),
        ((select(rack="1", disk="ssd"),), {"node-a"}),
        ((select(rack="9"),), set()),
    ],
    ids=["all", "one rack", "any of two", "both labels", "none"],
)
def test_node_sets_are_resolved(selectors: Any, expected: set[str]) -> None:
    config = compiled(*NODES, l2("l", node_selectors=selectors), bgp("b", node_selectors=selectors)).config
    assert config.l2_advertisements[0].nodes == expected
    assert config.bgp_advertisements[0].nodes == expected


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, {}),
        ({"preferred_node_selectors": (preferred(10, select(rack="1")),)}, {"node-a": 10, "node-b": 10}),
        (
            {"preferred_node_selectors": (preferred(10, select(rack="1")), preferred(5, select(disk="ssd")))},
            {"node-a": 15, "node-b": 10},
        ),
        (
            {"node_selectors": (select(rack="2"),), "preferred_node_selectors": (preferred(10, select(rack="1")),)},
            {},
        ),
        (
            {"node_selectors": (select(rack="2"),), "preferred_node_selectors": (preferred(7, select()),)},
            {"node-c": 7},
        ),
        (
            {"preferred_node_selectors": (preferred(7, select(rack="2")), preferred(7, select(rack="2")))},
            {"node-c": 14},
        ),
        (
            {"service_selectors": (select(a="b"),), "preferred_node_selectors": (preferred(7, select(rack="2")),)},
            {"node-c": 7},
        ),
    ],
    ids=["none", "one", "sum", "outside of its nodes", "empty preference", "the same twice", "whatever the services"],
)
def test_scores_are_sums_of_weights_within_the_own_nodes(spec: dict[str, Any], expected: dict[str, int]) -> None:
    assert dict(compiled(*NODES, l2("l", **spec)).config.l2_advertisements[0].scores) == expected


@pytest.mark.parametrize(("written", "meant"), [((), None), (("eth0",), {"eth0"}), (("b", "a", "b"), {"a", "b"})])
def test_no_interfaces_means_all(written: tuple[str, ...], meant: set[str] | None) -> None:
    assert compiled(l2("l", interfaces=written)).config.l2_advertisements[0].interfaces == meant


@pytest.mark.parametrize(
    ("allocation", "expected"),
    [
        ({}, ServiceAllocation()),
        ({"priority": 7}, ServiceAllocation(7)),
        ({"namespaces": ("not-yet",)}, ServiceAllocation(0, frozenset({"not-yet"}))),
        ({"namespace_selectors": (select(team="a"),)}, ServiceAllocation(0, frozenset({"shop", "blog"}))),
        ({"namespace_selectors": (select(team="z"),)}, ServiceAllocation(0, frozenset())),
        (
            {"namespaces": ("x",), "namespace_selectors": (select(team="b"),)},
            ServiceAllocation(0, frozenset({"x", "wiki"})),
        ),
        (
            {"namespace_selectors": (select(**{"kubernetes.io/metadata.name": "blog"}),)},
            ServiceAllocation(0, frozenset({"blog"})),
        ),
        ({"service_selectors": (select(a="b"),)}, ServiceAllocation(0, None, (select(a="b"),))),
    ],
    ids=["empty", "priority", "names", "selected", "selects none", "union", "by its own name", "services"],
)
def test_service_allocation_is_resolved(allocation: dict[str, Any], expected: ServiceAllocation) -> None:
    namespaces = [namespace("shop", team="a"), namespace("blog", team="a"), namespace("wiki", team="b")]
    assert compiled(pinned("p", "10.0.0.0/24", **allocation), *namespaces).config.pools["p"].allocation == expected


@pytest.mark.parametrize(
    "addresses",
    [
        ("10.20.30.40/24",),
        ("10.0.0.1 - 10.0.0.9",),
        ("10.0.0.1-10.0.0.1",),
        ("10.0.0.0/24", "fd00::/64"),
        ("fd00::/8",),
    ],
    ids=["host bits", "blanks in a range", "one address", "dual stack", "huge"],
)
def test_what_a_pool_may_say(addresses: tuple[str, ...]) -> None:
    outcome = compiled(pool("p", *addresses))
    assert errors(outcome) == []
    assert [entry.text for entry in outcome.config.pools["p"].ranges] == list(addresses)


@pytest.mark.parametrize(
    ("hold", "keepalive", "expected"),
    [
        (None, None, (None, None)),
        ("90s", None, (90, 30)),
        (None, "10s", (30, 10)),
        ("1m30s", "20s", (90, 20)),
        ("0s", "0s", (0, 0)),
        ("0s", None, (0, 0)),
        (None, "0s", (0, 0)),
        ("500ms", None, (0.5, 0.5 / 3)),
        ("3s", None, (3, 1)),
        ("3500ms", "3500ms", (3.5, 3.5)),
        (None, "1s", (3, 1)),
        ("65535s", None, (65535, 21845)),
    ],
)
def test_timers_are_resolved(hold: str | None, keepalive: str | None, expected: tuple[float | None, ...]) -> None:
    outcome = compiled(peer("r", hold_time=hold, keepalive_time=keepalive))
    assert outcome.problems == ()
    found = outcome.config.peers["r"]
    assert (found.hold_time_s, found.keepalive_time_s) == pytest.approx(expected) or expected == (None, None)
    assert (found.hold_time_s is None) == (expected[0] is None)


def test_a_hold_time_beyond_what_bgp_can_say_is_cut_with_a_warning() -> None:
    outcome = compiled(peer("r", hold_time="20h"))
    assert [(problem.rule, problem.severity) for problem in outcome.problems] == [("HL333", Severity.WARNING)]
    assert outcome.config.peers["r"].hold_time_s == 65535


def test_a_peer_keeps_everything_that_was_written() -> None:
    outcome = compiled(
        peer(
            "r",
            created="2026-01-01T00:00:00Z",
            peer_address="fd00::1",
            peer_port=1790,
            source_address="fd00::2",
            router_id="10.0.0.5",
            local_asn=65000,
            connect_time="10s",
            ebgp_multi_hop=True,
            secret_name="s",
            node_selectors=(select(rack="1"),),
        ),
        secret(value="pw"),
    )
    assert outcome.problems == ()
    found = outcome.config.peers["r"]
    assert (found.peer_address, found.source_address) == (ip_address("fd00::1"), ip_address("fd00::2"))
    assert (found.router_id, found.local_asn, found.connect_time_s) == (ip_address("10.0.0.5"), 65000, 10)
    assert (found.peer_port, found.ebgp_multi_hop, found.created) == (1790, True, "2026-01-01T00:00:00Z")
    assert found.password is not None
    assert found.password.reveal() == "pw"
    assert found.selects({"rack": "1"})
    assert not found.selects({})


def test_the_key_of_tcp_ao_is_that_of_its_secret() -> None:
    wanted = TCPAO(send_id=1, receive_id=2, algorithm="aes-128-cmac-96", secret_ref=SecretRef(name="s"))
    outcome = compiled(peer("r", tcp_ao=wanted), secret(value="hush-hush"))
    assert outcome.problems == ()
    found = outcome.config.peers["r"]
    assert found.tcp_ao == MasterKey(1, 2, Algorithm.AES_128_CMAC_96, Password("hush-hush"))
    assert found.password is None
    assert "hush" not in repr(found)


@pytest.mark.parametrize(
    ("spec", "field", "rule"),
    [
        ({"router_id": "fd00::1"}, "router_id", "HL336"),
        ({"router_id": "0.0.0.0"}, "router_id", "HL336"),
        ({"source_address": "fd00::1"}, "source_address", "HL337"),
        ({"source_address": "10.0.0.1", "peer_address": "", "interface": "eth1"}, "source_address", "HL337"),
    ],
)
def test_an_address_that_cannot_be_used_is_a_warning(spec: dict[str, Any], field: str, rule: str) -> None:
    outcome = compiled(peer("r", **spec))
    assert [(problem.rule, problem.severity) for problem in outcome.problems] == [(rule, Severity.WARNING)]
    assert getattr(outcome.config.peers["r"], field) is None


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, None),
        ({"enable_graceful_restart": True}, GracefulRestart(120)),
        ({"enable_graceful_restart": False}, None),
        ({"graceful_restart": WrittenGracefulRestart(enabled=True)}, GracefulRestart(120)),
        ({"graceful_restart": WrittenGracefulRestart(enabled=True, restart_time="60s")}, GracefulRestart(60)),
        ({"graceful_restart": WrittenGracefulRestart(enabled=False, restart_time="60s")}, None),
        ({"graceful_restart": WrittenGracefulRestart(enabled=False), "enable_graceful_restart": True}, None),
    ],
)
def test_graceful_restart_has_two_spellings(spec: dict[str, Any], expected: GracefulRestart | None) -> None:
    assert compiled(peer("r", **spec)).config.peers["r"].graceful_restart == expected


def test_communities_are_literals_or_aliases_sorted_by_kind() -> None:
    outcome = compiled(
        bgp(
            "b",
            communities=(
                "2:2",
                "big",
                "1:1",
                "large:1:2:2",
                "one",
                "extended:soo:1:1",
                "blue",
                "extended:rt:65000:100",
            ),
        ),
        community("c", ("big", "large:1:2:3"), ("one", "1:1"), ("blue", "extended:rt:65000:100")),
    )
    advertisement = outcome.config.bgp_advertisements[0]
    assert advertisement.communities == (Community(1 << 16 | 1), Community(2 << 16 | 2))
    assert advertisement.large_communities == (LargeCommunity(1, 2, 2), LargeCommunity(1, 2, 3))
    assert [each.text for each in advertisement.extended_communities] == ["rt:65000:100", "soo:1:1"]


def test_an_alias_may_hide_a_literal_and_otherwise_needs_a_name_without_colons() -> None:
    outcome = compiled(bgp("b", communities=("1:1",)), community("c", ("1:1", "2:2"), ("x:y", "3:3")))
    assert outcome.config.bgp_advertisements[0].communities == (Community(2 << 16 | 2),)
    assert [(problem.rule, problem.field) for problem in of_rule(outcome, "HL322")] == [
        ("HL322", "spec.communities[1].name")
    ]


def test_a_bgp_advertisement_keeps_what_was_written() -> None:
    config = compiled(
        bgp("b", local_pref=0, peers=("r",), as_prepend=ASPrepend(count=2), aggregation_length=24), peer("r")
    ).config
    advertisement = config.bgp_advertisements[0]
    assert advertisement.local_pref is None
    assert advertisement.peers == {"r"}
    assert advertisement.prepend == Prepend(2)
    assert (advertisement.aggregation_length, advertisement.aggregation_length_v6) == (24, 128)


def test_the_default_bfd_profile_is_built_in_unless_there_is_one() -> None:
    assert compiled(peer("r", bfd_profile="default")).config.bfd_profiles == {"default": DEFAULT}
    own = compiled(peer("r", bfd_profile="default"), bfd("default", receive_interval=50)).config.bfd_profiles
    assert own["default"].receive_interval_ms == 50
    assert compiled(peer("r")).config.bfd_profiles == {}


def test_echo_mode_and_an_ipv6_pool_go_together() -> None:
    assert (
        errors(compiled(bfd("e", echo_mode=True), peer("r", bfd_profile="e"), pool("p", "fd00::/64"), bgp("b"))) == []
    )


def test_the_configuration_is_sorted_by_name() -> None:
    config = compiled(
        *[pool(name, f"10.{i}.0.0/24") for i, name in enumerate("cab")],
        *[l2(name) for name in "cab"],
        *[bgp(name) for name in "cab"],
        *[peer(name, peer_address=f"10.0.0.{i}") for i, name in enumerate("cab")],
        *[node(name) for name in "cab"],
    ).config
    assert [list(config.pools), list(config.peers), list(config.nodes)] == [["a", "b", "c"]] * 3
    assert [each.name for each in config.l2_advertisements] == ["a", "b", "c"]
    assert [each.name for each in config.bgp_advertisements] == ["a", "b", "c"]


@pytest.mark.parametrize("time", ["0s", "500ms", "4096s", "2h", "-5s"])
def test_a_restart_time_that_no_peer_can_be_told_is_an_error(time: str) -> None:
    found = compiled(peer("r", graceful_restart=WrittenGracefulRestart(enabled=True, restart_time=time)))
    assert found.config.peers == {}
    (problem,) = found.problems
    assert (problem.rule, problem.field) == ("HL333", "spec.gracefulRestart.restartTime")
    assert f"restartTime {time} is not 1s to 4095s" in problem.message
