"""Who announces what, through the real command line: cases written from the specification alone."""

from hashlib import sha256
from typing import Any

import pytest
from manifests import bfd, bgp, community, l2, node, peer, pool, ready, secret, service, slice_of

EXCLUDE = "node.kubernetes.io/exclude-from-external-load-balancers"
POOL = pool("p", "10.0.0.0/24")
NODES = [node("node-a"), node("node-b"), node("node-c")]
LOCAL = {"externalTrafficPolicy": "Local"}
HELD = [{"ip": "10.0.0.1"}]


def owner_of(document: dict[str, Any]) -> list[tuple[str, str]]:
    return [(row["ip"], row["node"]) for row in document["layer2"]]


def routes(document: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(row["node"], row["peer"], row["prefix"]) for row in document["bgp"]]


def errors(document: dict[str, Any]) -> set[tuple[str, str]]:
    return {(p["kind"], p["name"]) for p in document["problems"] if p["severity"] == "error"}


def warnings(document: dict[str, Any], rule: str) -> list[dict[str, Any]]:
    return [p for p in document["problems"] if p["rule"] == rule and p["severity"] == "warning"]


def best(ip: str, *nodes: str) -> str:
    """The winner by the published formula, computed here a second time on purpose."""
    return min(nodes, key=lambda name: sha256(f"{name}#{ip}".encode()).digest())


WEB = service("web", status=HELD)
L2_CASES: dict[str, tuple[list[dict[str, Any]], list[tuple[str, str]]]] = {
    "pinned vector 10.0.0.1": ([l2("l"), WEB, ready("web", "node-a"), *NODES], [("10.0.0.1", "node-b")]),
    "pinned vector 10.0.0.2": (
        [l2("l"), service("web", status=[{"ip": "10.0.0.2"}]), ready("web", "node-a"), *NODES],
        [("10.0.0.2", "node-b")],
    ),
    "no endpoint at all": ([l2("l"), WEB, *NODES], []),
    "only an unready endpoint": ([l2("l"), WEB, slice_of("web", ("node-a", False, None)), *NODES], []),
    "terminating but serving": (
        [l2("l"), WEB, slice_of("web", ("node-a", False, True)), *NODES],
        [("10.0.0.1", "node-b")],
    ),
    "ready but not serving": (
        [l2("l"), WEB, slice_of("web", ("node-a", True, False)), *NODES],
        [("10.0.0.1", "node-b")],
    ),
    "readiness not said": ([l2("l"), WEB, slice_of("web", ("node-a", None, False)), *NODES], [("10.0.0.1", "node-b")]),
    "endpoint without node, cluster": (
        [l2("l"), WEB, slice_of("web", (None, True, None)), *NODES],
        [("10.0.0.1", "node-b")],
    ),
    "local: only where the endpoint is": (
        [l2("l"), service("web", status=HELD, **LOCAL), ready("web", "node-c"), *NODES],
        [("10.0.0.1", "node-c")],
    ),
    "local: an endpoint without node counts for nobody": (
        [l2("l"), service("web", status=HELD, **LOCAL), slice_of("web", (None, True, None)), *NODES],
        [],
    ),
    "local: endpoint and advertisement on different nodes": (
        [
            l2("l", nodeSelectors=[{"matchLabels": {"kubernetes.io/hostname": "node-b"}}]),
            service("web", status=HELD, **LOCAL),
            ready("web", "node-a"),
            *NODES,
        ],
        [],
    ),
    "excluded by label, even with an empty value": (
        [l2("l"), WEB, ready("web", "node-a"), node("node-a"), node("node-b", **{EXCLUDE: ""}), node("node-c")],
        [("10.0.0.1", "node-a")],
    ),
    "network unavailable": (
        [
            l2("l"),
            WEB,
            ready("web", "node-a"),
            node("node-a"),
            node("node-b", ("NetworkUnavailable", "True")),
            node("node-c"),
        ],
        [("10.0.0.1", "node-a")],
    ),
    "network availability unknown is fine": (
        [
            l2("l"),
            WEB,
            ready("web", "node-a"),
            node("node-a"),
            node("node-b", ("NetworkUnavailable", "Unknown")),
            node("node-c"),
        ],
        [("10.0.0.1", "node-b")],
    ),
    "not ready nodes still announce": (
        [l2("l"), WEB, ready("web", "node-a"), node("node-a"), node("node-b", ("Ready", "False")), node("node-c")],
        [("10.0.0.1", "node-b")],
    ),
    "no advertisement": ([WEB, ready("web", "node-a"), *NODES], []),
    "advertisement of another pool": ([l2("l", ipAddressPools=["q"]), WEB, ready("web", "node-a"), *NODES], []),
    "pool selector that matches nothing is no pool": (
        [l2("l", ipAddressPoolSelectors=[{"matchLabels": {"x": "y"}}]), WEB, ready("web", "node-a"), *NODES],
        [],
    ),
    "node selector": (
        [
            l2(
                "l",
                nodeSelectors=[
                    {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "NotIn", "values": ["node-b"]}]}
                ],
            ),
            WEB,
            ready("web", "node-a"),
            *NODES,
        ],
        [("10.0.0.1", "node-a")],
    ),
    "service selector that matches": (
        [
            l2("l", serviceSelectors=[{"matchLabels": {"a": "1"}}]),
            service("web", status=HELD, labels={"a": "1"}),
            ready("web", "node-a"),
            *NODES,
        ],
        [("10.0.0.1", "node-b")],
    ),
    "service selector that does not match": (
        [l2("l", serviceSelectors=[{"matchLabels": {"a": "1"}}]), WEB, ready("web", "node-a"), *NODES],
        [],
    ),
    "sharing and a service selector do not combine, whatever the annotation's value": (
        [
            l2("l", serviceSelectors=[{"matchLabels": {"a": "1"}}]),
            l2("m"),
            service("web", status=HELD, labels={"a": "1"}, annotations={"metallb.universe.tf/allow-shared-ip": ""}),
            ready("web", "node-a"),
            *NODES,
        ],
        [],
    ),
    "preference beats the hash": (
        [
            l2(
                "l",
                preferredNodeSelectors=[
                    {"weight": 10, "preference": {"matchLabels": {"kubernetes.io/hostname": "node-c"}}}
                ],
            ),
            WEB,
            ready("web", "node-a"),
            *NODES,
        ],
        [("10.0.0.1", "node-c")],
    ),
    "preferences of several advertisements add up": (
        [
            l2(
                "l",
                preferredNodeSelectors=[
                    {"weight": 60, "preference": {"matchLabels": {"kubernetes.io/hostname": "node-c"}}}
                ],
            ),
            l2(
                "m",
                preferredNodeSelectors=[
                    {"weight": 50, "preference": {"matchLabels": {"kubernetes.io/hostname": "node-a"}}}
                ],
            ),
            l2(
                "n",
                preferredNodeSelectors=[
                    {"weight": 50, "preference": {"matchLabels": {"kubernetes.io/hostname": "node-a"}}}
                ],
            ),
            WEB,
            ready("web", "node-a"),
            *NODES,
        ],
        [("10.0.0.1", "node-a")],
    ),
    "a preference of an advertisement for other services is ignored": (
        [
            l2("l"),
            l2(
                "m",
                serviceSelectors=[{"matchLabels": {"other": "1"}}],
                preferredNodeSelectors=[
                    {"weight": 100, "preference": {"matchLabels": {"kubernetes.io/hostname": "node-c"}}}
                ],
            ),
            WEB,
            ready("web", "node-a"),
            *NODES,
        ],
        [("10.0.0.1", "node-b")],
    ),
    "a preference outside the advertisement's own nodes is ignored": (
        [
            l2("l"),
            l2(
                "m",
                nodeSelectors=[{"matchLabels": {"kubernetes.io/hostname": "node-a"}}],
                preferredNodeSelectors=[
                    {"weight": 100, "preference": {"matchLabels": {"kubernetes.io/hostname": "node-c"}}}
                ],
            ),
            WEB,
            ready("web", "node-a"),
            *NODES,
        ],
        [("10.0.0.1", "node-b")],
    ),
}


@pytest.mark.parametrize("name", L2_CASES)
def test_layer2_has_the_owner_of_the_specification(name: str, plan: Any) -> None:
    objects, expected = L2_CASES[name]
    assert owner_of(plan(POOL, *objects)) == expected


def test_both_families_of_a_service_follow_the_first_address_of_its_status(plan: Any) -> None:
    dual = pool("d", "10.0.0.0/24", "fd00::/64")
    web = service(
        "web",
        cluster_ips=["10.96.0.1", "fd01::1"],
        ipFamilyPolicy="RequireDualStack",
        status=[{"ip": "fd00::1"}, {"ip": "10.0.0.2"}],
    )
    leader = best("fd00::1", "node-a", "node-b", "node-c")
    document = plan(dual, l2("l"), web, ready("web", "node-a"), *NODES)
    assert sorted(owner_of(document)) == [("10.0.0.2", leader), ("fd00::1", leader)]


def test_members_narrow_the_candidates(plan: Any) -> None:
    document = plan(POOL, l2("l"), WEB, ready("web", "node-a"), *NODES, args=("--members", "node-a,node-c"))
    assert owner_of(document) == [("10.0.0.1", best("10.0.0.1", "node-a", "node-c"))]


def test_interfaces_are_those_of_the_advertisements_that_select_the_owner(plan: Any) -> None:
    on_b = l2("l", interfaces=["eth1", "eth0"], nodeSelectors=[{"matchLabels": {"kubernetes.io/hostname": "node-b"}}])
    on_a = l2("m", nodeSelectors=[{"matchLabels": {"kubernetes.io/hostname": "node-a"}}])
    document = plan(POOL, on_b, on_a, WEB, ready("web", "node-a"), *NODES)
    assert [(row["node"], row["interfaces"]) for row in document["layer2"]] == [("node-b", ["eth0", "eth1"])]


def test_no_interfaces_named_means_all_of_them(plan: Any) -> None:
    document = plan(POOL, l2("l"), WEB, ready("web", "node-a"), *NODES)
    assert document["layer2"] == [{"ip": "10.0.0.1", "service": "default/web", "node": "node-b", "interfaces": ["*"]}]


ALL = ("node-a", "node-b", "node-c")
R32 = "10.0.0.1/32"
BGP_CASES: dict[str, tuple[list[dict[str, Any]], list[tuple[str, str, str]]]] = {
    "every node to every peer": (
        [peer("r1"), peer("r2", "10.9.0.2"), bgp("b"), WEB, ready("web", "node-a")],
        [(n, r, R32) for n in ALL for r in ("r1", "r2")],
    ),
    "peers named": (
        [peer("r1"), peer("r2", "10.9.0.2"), bgp("b", peers=["r2"]), WEB, ready("web", "node-a")],
        [(n, "r2", R32) for n in ALL],
    ),
    "peer with a node selector": (
        [
            peer("r1", nodeSelectors=[{"matchLabels": {"kubernetes.io/hostname": "node-c"}}]),
            bgp("b"),
            WEB,
            ready("web", "node-a"),
        ],
        [("node-c", "r1", R32)],
    ),
    "advertisement with a node selector": (
        [
            peer("r1"),
            bgp("b", nodeSelectors=[{"matchLabels": {"kubernetes.io/hostname": "node-c"}}]),
            WEB,
            ready("web", "node-a"),
        ],
        [("node-c", "r1", R32)],
    ),
    "local": (
        [peer("r1"), bgp("b"), service("web", status=HELD, **LOCAL), ready("web", "node-a", "node-c")],
        [("node-a", "r1", R32), ("node-c", "r1", R32)],
    ),
    "no endpoints": ([peer("r1"), bgp("b"), WEB], []),
    "no advertisement": ([peer("r1"), WEB, ready("web", "node-a")], []),
    "no peer": ([bgp("b"), WEB, ready("web", "node-a")], []),
    "aggregate": (
        [peer("r1"), bgp("b", aggregationLength=26), WEB, ready("web", "node-a")],
        [(n, "r1", "10.0.0.0/26") for n in ALL],
    ),
    "aggregate and host route": (
        [peer("r1"), bgp("b", aggregationLength=26), bgp("c"), WEB, ready("web", "node-a")],
        [(n, "r1", prefix) for n in ALL for prefix in ("10.0.0.0/26", R32)],
    ),
    "service selector": (
        [peer("r1"), bgp("b", serviceSelectors=[{"matchLabels": {"a": "1"}}]), WEB, ready("web", "node-a")],
        [],
    ),
}


@pytest.mark.parametrize("name", BGP_CASES)
def test_bgp_has_the_routes_of_the_specification(name: str, plan: Any) -> None:
    objects, expected = BGP_CASES[name]
    assert sorted(routes(plan(POOL, *objects, *NODES))) == sorted(expected)


@pytest.mark.parametrize(
    ("bad_node", "flag", "announces"),
    [
        (node("node-a", **{EXCLUDE: "false"}), (), False),
        (node("node-a", **{EXCLUDE: "false"}), ("--ignore-exclude-lb",), True),
        (node("node-a", ("NetworkUnavailable", "True")), (), False),
        (node("node-a", ("Ready", "False")), (), True),
    ],
    ids=["excluded", "exclusion ignored", "network unavailable", "not ready"],
)
def test_a_node_that_may_not_announce_sends_no_route(
    bad_node: dict[str, Any], flag: tuple[str, ...], announces: bool, plan: Any
) -> None:
    document = plan(POOL, peer("r1"), bgp("b"), WEB, ready("web", "node-a"), bad_node, args=flag)
    assert bool(document["bgp"]) is announces


def test_a_bgp_route_carries_its_attributes(plan: Any) -> None:
    advertisement = bgp(
        "b",
        localPref=150,
        communities=["large:1:2:3", "alias", "64500:100", "64500:50"],
        asPrepend={"count": 2, "asn": 64999},
    )
    document = plan(
        POOL,
        peer("r1"),
        advertisement,
        community("c", alias="65535:65281"),
        WEB,
        ready("web", "node-a"),
        node("node-a"),
    )
    assert document["bgp"] == [
        {
            "node": "node-a",
            "peer": "r1",
            "prefix": R32,
            "localPref": 150,
            "communities": ["1:2:3", "64500:50", "64500:100", "65535:65281"],
            "asPath": [64999, 64999],
            "services": ["default/web"],
        }
    ]


def test_prepending_uses_the_own_as_number_by_default(plan: Any) -> None:
    document = plan(POOL, peer("r1"), bgp("b", asPrepend={"count": 3}), WEB, ready("web", "node-a"), node("node-a"))
    assert [(row["localPref"], row["asPath"]) for row in document["bgp"]] == [(None, [64500, 64500, 64500])]


def test_services_that_share_a_prefix_share_the_route(plan: Any) -> None:
    document = plan(
        POOL,
        peer("r1"),
        bgp("b", aggregationLength=24),
        service("a", status=[{"ip": "10.0.0.7"}]),
        service("b", status=[{"ip": "10.0.0.8"}]),
        ready("a", "node-a"),
        ready("b", "node-a"),
        node("node-a"),
    )
    assert [(row["prefix"], row["services"]) for row in document["bgp"]] == [
        ("10.0.0.0/24", ["default/a", "default/b"])
    ]


def test_of_two_preferences_for_one_prefix_the_highest_wins_and_communities_unite(plan: Any) -> None:
    document = plan(
        POOL,
        peer("r1"),
        bgp("b", localPref=100, communities=["1:1"]),
        bgp("c", localPref=200, communities=["2:2"], asPrepend={"count": 1}),
        bgp("d", localPref=200, communities=["3:3"]),
        WEB,
        ready("web", "node-a"),
        node("node-a"),
    )
    assert [(row["localPref"], row["communities"], row["asPath"]) for row in document["bgp"]] == [
        (200, ["1:1", "2:2", "3:3"], [])
    ]
    assert warnings(document, "HL106")
    assert not errors(document)


def test_an_advertisement_for_another_peer_lends_no_community(plan: Any) -> None:
    document = plan(
        POOL,
        peer("r1"),
        peer("r2", "10.9.0.2"),
        bgp("b", peers=["r1"], communities=["1:1"]),
        bgp("c"),
        WEB,
        ready("web", "node-a"),
        node("node-a"),
    )
    assert {row["peer"]: row["communities"] for row in document["bgp"]} == {"r1": ["1:1"], "r2": []}


def test_two_names_for_one_session_are_one_session(plan: Any) -> None:
    young, old = {"creationTimestamp": "2026-02-01T00:00:00Z"}, {"creationTimestamp": "2026-01-01T00:00:00Z"}
    document = plan(
        POOL,
        peer("a", meta=young, holdTime="90s"),
        peer("z", meta=old),
        bgp("b", peers=["a"]),
        WEB,
        ready("web", "node-a"),
        node("node-a"),
    )
    assert routes(document) == [("node-a", "z", R32)]
    assert warnings(document, "HL074")


def test_a_typo_in_peers_is_a_warning_that_names_the_nearest(plan: Any) -> None:
    document = plan(
        POOL, peer("internet-router"), bgp("b", peers=["internet-ruter"]), WEB, ready("web", "node-a"), *NODES
    )
    assert not document["bgp"]
    assert ["internet-router" in p["message"] for p in warnings(document, "HL004")] == [True]


def test_a_typo_in_pools_is_a_warning_that_names_the_nearest(plan: Any) -> None:
    document = plan(pool("prod-pool", "10.0.0.0/24"), l2("l", ipAddressPools=["prod-poll"]), *NODES)
    assert ["prod-pool" in p["message"] for p in warnings(document, "HL002")] == [True]


GOOD = [POOL, l2("l"), peer("r1"), bgp("b"), WEB, ready("web", "node-a"), *NODES]
ELSEWHERE = {"namespace": "default"}
BAD_OBJECTS: dict[str, list[dict[str, Any]]] = {
    "pool without addresses": [pool("bad")],
    "bare address": [pool("bad", "10.1.0.1")],
    "dotted netmask": [pool("bad", "10.1.0.0/255.255.255.0")],
    "blank around a CIDR": [pool("bad", " 10.1.0.0/24")],
    "range ends before it starts": [pool("bad", "10.1.0.9-10.1.0.1")],
    "range of two families": [pool("bad", "10.1.0.9-fd00::1")],
    "overlap with another pool": [pool("zbad", "10.0.0.128/25")],
    "overlap in itself": [pool("bad", "10.1.0.0/24", "10.1.0.5-10.1.0.6")],
    "repeated namespace": [pool("bad", "10.1.0.0/24", serviceAllocation={"namespaces": ["a", "a"]})],
    "malformed selector": [
        pool(
            "bad",
            "10.1.0.0/24",
            serviceAllocation={"serviceSelectors": [{"matchExpressions": [{"key": "a", "operator": "Oops"}]}]},
        )
    ],
    "l2: repeated pool": [l2("bad", ipAddressPools=["p", "p"])],
    "l2: repeated selector": [l2("bad", nodeSelectors=[{"matchLabels": {"a": "b"}}, {"matchLabels": {"a": "b"}}])],
    "l2: weight out of range": [l2("bad", preferredNodeSelectors=[{"weight": 101, "preference": {}}])],
    "bgp: repeated peer": [bgp("bad", peers=["r1", "r1"])],
    "bgp: repeated community": [bgp("bad", communities=["1:1", "1:1"])],
    "bgp: selectors and aggregation": [
        bgp("bad", aggregationLength=24, serviceSelectors=[{"matchLabels": {"a": "b"}}])
    ],
    "bgp: aggregation too long": [bgp("bad", aggregationLength=33)],
    "bgp: v6 aggregation too long": [bgp("bad", aggregationLengthV6=129)],
    "bgp: community out of range": [bgp("bad", communities=["70000:1"])],
    "bgp: unknown alias": [bgp("bad", communities=["nope"])],
    "bgp: prepend out of range": [bgp("bad", asPrepend={"count": 11})],
    "peer: myASN 0": [peer("bad", "10.8.0.1", myASN=0)],
    "peer: no remote AS": [peer("bad", "10.8.0.1", peerASN=None)],
    "peer: both remote AS forms": [peer("bad", "10.8.0.1", dynamicASN="external")],
    "peer: bad dynamicASN": [peer("bad", "10.8.0.1", peerASN=None, dynamicASN="both")],
    "peer: multihop on iBGP": [peer("bad", "10.8.0.1", peerASN=64500, ebgpMultiHop=True)],
    "peer: no address": [peer("bad", None)],
    "peer: address and interface": [peer("bad", "10.8.0.1", interface="eth0")],
    "peer: bad address": [peer("bad", "10.8.0")],
    "peer: hold time 2s": [peer("bad", "10.8.0.1", holdTime="2s")],
    "peer: hold time 2.9s": [peer("bad", "10.8.0.1", holdTime="2900ms")],
    "peer: keepalive above hold": [peer("bad", "10.8.0.1", holdTime="30s", keepaliveTime="31s")],
    "peer: keepalive alone too short": [peer("bad", "10.8.0.1", keepaliveTime="900ms")],
    "peer: unparsable time": [peer("bad", "10.8.0.1", holdTime="soon")],
    "peer: bad router ID": [peer("bad", "10.8.0.1", routerID="x")],
    "peer: bad source": [peer("bad", "10.8.0.1", sourceAddress="x")],
    "peer: port out of range": [peer("bad", "10.8.0.1", peerPort=20000)],
    "peer: missing secret": [peer("bad", "10.8.0.1", passwordSecret={"name": "nope"})],
    "peer: secret of another type": [peer("bad", "10.8.0.1", passwordSecret={"name": "s"}), secret("s", kind="Opaque")],
    "peer: secret without password": [peer("bad", "10.8.0.1", passwordSecret={"name": "s"}), secret("s", key="pass")],
    "peer: password twice": [peer("bad", "10.8.0.1", password="x", passwordSecret={"name": "s"}), secret("s")],
    "peer: missing BFD profile": [peer("bad", "10.8.0.1", bfdProfile="nope")],
    "peer: connect time with fractions": [peer("bad", "10.8.0.1", connectTime="1500ms")],
    "bfd: multiplier 1": [bfd("bad", detectMultiplier=1)],
    "bfd: interval 5 ms": [bfd("bad", receiveInterval=5)],
    "community: value out of range": [community("bad", alias="70000:1")],
    "community: one name twice": [community("a", alias="1:1"), community("bad", alias="1:1")],
    "another namespace": [pool("bad", "10.1.0.0/24", meta=ELSEWHERE)],
}


@pytest.mark.parametrize("name", BAD_OBJECTS)
def test_a_bad_object_is_an_error_of_its_own_and_nobody_elses(name: str, plan: Any) -> None:
    document = plan(*GOOD, *BAD_OBJECTS[name])
    assert {object_name for _, object_name in errors(document)} == {"zbad" if "overlap with" in name else "bad"}
    assert owner_of(document) == [("10.0.0.1", "node-b")]
    assert sorted(routes(document)) == [(n, "r1", R32) for n in ALL]
    problem = next(p for p in document["problems"] if p["severity"] == "error")
    assert problem["rule"].startswith("HL")
    assert problem["reason"]
    assert problem["message"]


ACCEPTED: dict[str, list[dict[str, Any]]] = {
    "built-in BFD profile": [peer("r2", "10.8.0.1", bfdProfile="default")],
    "timers off": [peer("r2", "10.8.0.1", holdTime="0s", keepaliveTime="0s")],
    "hold time 500ms truncates to 0": [peer("r2", "10.8.0.1", holdTime="500ms")],
    "hold time 3s": [peer("r2", "10.8.0.1", holdTime="3s")],
    "secret": [peer("r2", "10.8.0.1", passwordSecret={"name": "s"}), secret("s")],
    "different own AS numbers": [peer("r2", "10.8.0.1", myASN=64999)],
    "echo with an IPv6 pool": [
        bfd("e", echoMode=True),
        peer("r2", "10.8.0.1", bfdProfile="e"),
        pool("v6", "fd00::/64"),
    ],
    "graceful restart": [peer("r2", "10.8.0.1", gracefulRestart={"enabled": True, "restartTime": "120s"})],
    "aggregate wider than a range": [
        pool("w", "10.2.0.240-10.2.0.250"),
        bgp("w", ipAddressPools=["w"], aggregationLength=24),
    ],
    "large community alias": [
        community("c", big="large:1:2:3"),
        bgp("c", ipAddressPools=["none"], communities=["big"]),
    ],
    "unknown pool": [bgp("c", ipAddressPools=["none"])],
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_herald_accepts_is_no_error(name: str, plan: Any) -> None:
    assert errors(plan(*GOOD, *ACCEPTED[name])) == set()


def test_an_aggregate_wider_than_the_pool_is_a_warning_that_names_what_it_attracts(plan: Any) -> None:
    document = plan(pool("w", "10.2.0.240-10.2.0.250"), bgp("w", aggregationLength=24), peer("r1"))
    messages = [p["message"] for p in warnings(document, "HL101")]
    assert len(messages) == 1
    assert "10.2.0.0-10.2.0.239" in messages[0]
    assert "10.2.0.251-10.2.0.255" in messages[0]


def test_an_old_peer_version_is_read_as_the_new_one(plan: Any) -> None:
    old = peer("r1")
    old["apiVersion"] = "metallb.io/v1beta1"
    document = plan(POOL, old, bgp("b"), WEB, ready("web", "node-a"), node("node-a"))
    assert routes(document) == [("node-a", "r1", R32)]


def test_an_unknown_field_is_a_warning_that_names_the_nearest(plan: Any) -> None:
    document = plan(POOL, l2("l", ipAdressPools=["p"]))
    assert ["ipAddressPools" in p["message"] for p in warnings(document, "HL203")] == [True]


def test_the_plan_is_the_same_in_any_order_of_the_input(plan: Any) -> None:
    objects = [*GOOD, service("x"), service("y"), pool("q", "10.5.0.0/24"), bgp("c", communities=["1:1"])]
    forward = plan(*objects)
    assert plan(*reversed(objects)) == forward
