"""Which node announces which routes to whom, and the reason of every node that announces nothing."""

from typing import Any

import pytest
from announcement_facts import ABC, bgp, config, decided, ips, l2, node, peer, pool, ready, selectors, service, slice_of

from herald.announcement.decide import Decision, decide
from herald.announcement.on_node import why_not
from herald.announcement.readiness import NONE, Readiness, readiness
from herald.announcement.reason import Code, Protocol
from herald.announcement.routes import communities_of
from herald.announcement.view import View
from herald.bgp.community import GRACEFUL_SHUTDOWN, Community
from herald.bgp.route import Route
from herald.cluster.meta import NodeName
from herald.config.advertisement import BGPAdvertisement, Prepend

POOL = pool("p", "10.0.0.0/16", "fd00::/64")
R1 = peer("r1")
ANYWHERE = ready("node-a")
X, Y = selectors(("x", "1")), selectors(("y", "1"))
HERE = NodeName("node-a")


def code(decision: Decision, name: str = "node-a") -> Code | None:
    reason = decision.bgp.reason_of(NodeName(name))
    return None if reason is None else reason.code


# Every test of the order, with everything that is tested later failing as well.
BAD_NODE = node("node-a", excluded=True, network="True")
EXCLUDED = node("node-a", excluded=True)
ORDER: dict[str, tuple[list[Any], dict[str, Any], Readiness, Any, Code | None]] = {
    "1 no advertisement for the pool": ([], {"local": True}, NONE, BAD_NODE, Code.NO_ADVERTISEMENT_FOR_POOL),
    "1 advertisements select other nodes": (
        [bgp(nodes=["node-b"], only=X)],
        {"local": True},
        NONE,
        BAD_NODE,
        Code.ADVERTISEMENT_SELECTS_OTHER_NODES,
    ),
    "2 advertisements here select other services": (
        [bgp(only=X), bgp("c", nodes=["node-b"])],
        {"local": True},
        NONE,
        BAD_NODE,
        Code.ADVERTISEMENT_SELECTS_OTHER_SERVICES,
    ),
    "4 network unavailable": ([bgp()], {"local": True}, NONE, BAD_NODE, Code.NETWORK_UNAVAILABLE),
    "5 excluded by label": ([bgp()], {"local": True}, NONE, EXCLUDED, Code.NODE_EXCLUDED_BY_LABEL),
    "5 drained": ([bgp()], {"local": True}, NONE, node("node-a", drain="30s"), Code.NODE_DRAINED),
    "6 local, nothing here": ([bgp()], {"local": True}, NONE, node("node-a"), Code.NO_ENDPOINT_ON_NODE),
    "6 local, only elsewhere": ([bgp()], {"local": True}, ready("node-b"), node("node-a"), Code.NO_ENDPOINT_ON_NODE),
    "7 cluster, nothing anywhere": ([bgp()], {}, NONE, node("node-a"), Code.NO_READY_ENDPOINT),
    "announced, local": ([bgp(), R1], {"local": True}, ANYWHERE, node("node-a"), None),
    "announced, cluster": ([bgp(), R1], {}, ready("node-b"), node("node-a"), None),
    "announced, endpoint without a node": ([bgp(), R1], {}, ready(None), node("node-a"), None),
    "an endpoint without addresses is none": (
        [bgp(), R1],
        {},
        readiness([slice_of("web", ("node-a", True, None), addresses=())]),
        node("node-a"),
        Code.NO_READY_ENDPOINT,
    ),
    "no peer": ([bgp()], {}, ANYWHERE, node("node-a"), Code.NO_PEER_ON_NODE),
    "no peer on this node": (
        [bgp(), peer("r1", node_selectors=selectors(("kubernetes.io/hostname", "node-b")))],
        {},
        ANYWHERE,
        node("node-a"),
        Code.NO_PEER_ON_NODE,
    ),
    "only other peers meant": ([bgp(peers=["r2"]), R1], {}, ANYWHERE, node("node-a"), Code.NO_PEER_FOR_ADVERTISEMENT),
    "only peers of the other family": (
        [bgp(), peer("r6", "fd99::1")],
        {},
        ANYWHERE,
        node("node-a"),
        Code.NO_PEER_OF_FAMILY,
    ),
}


@pytest.mark.parametrize("name", ORDER)
def test_the_first_test_that_fails_is_the_reason(name: str) -> None:
    objects, spec, endpoints, this_node, expected = ORDER[name]
    conf = config(POOL, *objects, nodes=(this_node, node("node-b")))
    assert code(decided(service(**spec), conf, endpoints)) is expected


@pytest.mark.parametrize("name", ORDER)
def test_a_node_on_its_own_comes_to_the_same_reason(name: str) -> None:
    objects, spec, endpoints, this_node, _ = ORDER[name]
    view = View(config(POOL, *objects, nodes=(this_node, node("node-b"))))
    whole = decided(service(**spec), view.config, endpoints)
    for here in (HERE, NodeName("node-b")):
        assert why_not(service(**spec), ips("10.0.0.1"), endpoints, view, here, Protocol.BGP) == whole.bgp.reason_of(
            here
        )


def test_a_node_that_departs_sends_its_routes_as_everybodys_last_choice() -> None:
    advertisement = bgp(local_pref=300, communities=["64500:1"])
    conf = config(POOL, advertisement, R1, nodes=(node("node-a", drain=""), node("node-b")))
    view = View(conf, departing=frozenset({HERE}))
    found = decide(service(), ips("10.0.0.1"), ANYWHERE, view)
    ((_, (leaving,)),) = found.bgp.announcing[HERE]
    assert (leaving.local_pref, leaving.communities) == (0, (Community(64500 << 16 | 1), GRACEFUL_SHUTDOWN))
    ((_, (staying,)),) = found.bgp.announcing[NodeName("node-b")]
    assert (staying.local_pref, staying.communities) == (300, (Community(64500 << 16 | 1),))
    assert view.seen_from(NodeName("node-c")).landscape.departing == {HERE}


def test_a_node_that_departs_leaves_layer2_at_once() -> None:
    conf = config(POOL, l2(), nodes=(node("node-a", drain=""), node("node-b")))
    found = decide(service(), ips("10.0.0.1"), ANYWHERE, View(conf, departing=frozenset({HERE})))
    assert found.layer2.owner == "node-b"
    assert found.layer2.excluded[HERE].code is Code.NODE_DRAINED


def test_exclusion_can_be_ignored() -> None:
    conf = config(POOL, bgp(), R1, nodes=(EXCLUDED,))
    assert code(decided(service(), conf, ANYWHERE, ignore_exclude_lb=True)) is None


def test_all_nodes_that_may_announce_do() -> None:
    assert set(decided(service(), config(POOL, bgp(), R1), ANYWHERE).bgp.announcing) == set(ABC)


def test_a_node_without_a_live_speaker_announces_nothing() -> None:
    found = decided(service(), config(POOL, bgp(), R1), ANYWHERE, members=frozenset({"node-b", "node-c"}))
    assert code(found) is Code.SPEAKER_NOT_LIVE
    assert set(found.bgp.announcing) == {"node-b", "node-c"}


def sent(
    *objects: Any, addresses: tuple[str, ...] = ("10.0.0.1",), labels: dict[str, str] | None = None
) -> dict[str, list[Route]]:
    """What node-a sends to each session."""
    found = decided(service(labels=labels), config(POOL, *objects), ANYWHERE, *addresses)
    return {session.name: list(routes) for session, routes in found.bgp.announcing.get(HERE, ())}


def prefixes(found: dict[str, list[Route]]) -> dict[str, list[str]]:
    return {name: [str(route.prefix) for route in routes] for name, routes in found.items()}


R2 = peer("r2", "10.9.0.2")
R6 = peer("r6", "fd99::1")
DUAL = peer("dual", "10.9.0.3", dual_stack_address_family=True)
BOTH = ("10.0.0.1", "fd00::1")
ROUTES: dict[str, tuple[list[Any], tuple[str, ...], dict[str, list[str]]]] = {
    "host routes": ([bgp(), R1, R2], ("10.0.0.1",), {"r1": ["10.0.0.1/32"], "r2": ["10.0.0.1/32"]}),
    "each family to sessions that carry it": (
        [bgp(), R1, R6, DUAL],
        BOTH,
        {"dual": ["10.0.0.1/32", "fd00::1/128"], "r1": ["10.0.0.1/32"], "r6": ["fd00::1/128"]},
    ),
    "aggregates of both families": (
        [bgp(v4=24, v6=64), DUAL],
        BOTH,
        {"dual": ["10.0.0.0/24", "fd00::/64"]},
    ),
    "host route and aggregate": (
        [bgp(), bgp("c", v4=26), R1],
        ("10.0.0.70",),
        {"r1": ["10.0.0.64/26", "10.0.0.70/32"]},
    ),
    "each advertisement to its peers": (
        [bgp(peers=["r1"]), bgp("c", peers=["r2"], v4=24), R1, R2],
        ("10.0.0.1",),
        {"r1": ["10.0.0.1/32"], "r2": ["10.0.0.0/24"]},
    ),
    "an unknown peer is skipped": ([bgp(peers=["r1", "nope"]), R1, R2], ("10.0.0.1",), {"r1": ["10.0.0.1/32"]}),
    "unnumbered carries both": (
        [bgp(), peer("u", None, interface="eth0")],
        BOTH,
        {"u": ["10.0.0.1/32", "fd00::1/128"]},
    ),
}


@pytest.mark.parametrize("name", ROUTES)
def test_a_node_sends_the_routes_to_the_sessions(name: str) -> None:
    objects, addresses, expected = ROUTES[name]
    assert prefixes(sent(*objects, addresses=addresses)) == expected


def attributes(
    *advertisements: BGPAdvertisement, labels: dict[str, str] | None = None, **of_peer: Any
) -> tuple[object, ...]:
    (only,) = sent(peer("r1", **of_peer), *advertisements, labels=labels)["r1"]
    return (only.local_pref, [c.text for c in communities_of(only)], only.prepend)


ATTRIBUTES: dict[str, tuple[list[BGPAdvertisement], dict[str, Any], tuple[object, ...]]] = {
    "bare": ([bgp()], {}, (None, [], ())),
    "localPref is kept even for an external peer": ([bgp(local_pref=150)], {}, (150, [], ())),
    "extended communities come after the others, sorted and united": (
        [
            bgp(communities=["extended:soo:1:1", "extended:rt:65000:2"]),
            bgp("c", communities=["extended:rt:65000:2", "1:2"]),
        ],
        {},
        (None, ["1:2", "rt:65000:2", "soo:1:1"], ()),
    ),
    "localPref 0 is not set": ([bgp(local_pref=0)], {}, (None, [], ())),
    "communities in order, a standard one by its 32 bits": (
        [bgp(communities=["large:4259840060:2:3", "65000:100", "large:1:2:3", "64500:50", "65000:50"])],
        {},
        (None, ["1:2:3", "64500:50", "65000:50", "4259840060:2:3", "65000:100"], ()),
    ),
    "prepend takes our own ASN": ([bgp(prepend=Prepend(3))], {}, (None, [], (64500,) * 3)),
    "prepend takes localASN where there is one": (
        [bgp(prepend=Prepend(2))],
        {"local_asn": 64999},
        (None, [], (64999,) * 2),
    ),
    "prepend takes the ASN that is named": ([bgp(prepend=Prepend(1, 65001))], {}, (None, [], (65001,))),
    "highest localPref wins, communities unite": (
        [bgp(local_pref=100, communities=["1:1"]), bgp("c", local_pref=200, communities=["2:2"])],
        {},
        (200, ["1:1", "2:2"], ()),
    ),
    "a localPref beats none": ([bgp(), bgp("c", local_pref=50)], {}, (50, [], ())),
    "the prepending of the loser counts for nothing": (
        [bgp(local_pref=200), bgp("c", local_pref=100, prepend=Prepend(1))],
        {},
        (200, [], ()),
    ),
    "the winner keeps its prepending": (
        [bgp(local_pref=200, prepend=Prepend(3)), bgp("c", local_pref=100)],
        {},
        (200, [], (64500,) * 3),
    ),
    "of equal localPref the fewest prepends win": (
        [bgp(prepend=Prepend(3)), bgp("c", prepend=Prepend(1)), bgp("d", prepend=Prepend(2))],
        {},
        (None, [], (64500,)),
    ),
    "an advertisement for another peer lends nothing": (
        [bgp(communities=["1:1"], local_pref=9, peers=["other"]), bgp("c")],
        {},
        (None, [], ()),
    ),
    "an advertisement for other nodes lends nothing": (
        [bgp(communities=["1:1"], nodes=["node-b"]), bgp("c")],
        {},
        (None, [], ()),
    ),
    "an advertisement for other services lends nothing": (
        [bgp(communities=["1:1"], only=Y), bgp("c")],
        {},
        (None, [], ()),
    ),
}


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_a_route_has_the_attributes(name: str) -> None:
    advertisements, of_peer, expected = ATTRIBUTES[name]
    assert attributes(*advertisements, **of_peer) == expected


def test_a_service_that_the_selective_advertisement_matches_has_its_community() -> None:
    both = (bgp(communities=["1:1"], only=X), bgp("c", communities=["2:2"]))
    assert attributes(*both, labels={"x": "1"}) == (None, ["1:1", "2:2"], ())
    assert attributes(*both) == (None, ["2:2"], ())


def test_two_names_for_one_session_are_one_session_reached_by_either() -> None:
    young, old = peer("a", created="2026-02-01T00:00:00Z"), peer("z", created="2026-01-01T00:00:00Z")
    assert prefixes(sent(bgp(peers=["a"]), young, old)) == {"z": ["10.0.0.1/32"]}
    assert prefixes(sent(bgp(peers=["z"]), young, old)) == {"z": ["10.0.0.1/32"]}


def test_a_peer_that_cannot_be_opened_is_still_in_the_plan() -> None:
    assert prefixes(sent(bgp(), peer("v", vrf="red"))) == {"v": ["10.0.0.1/32"]}


def bandwidths(ready_pods: Readiness, *advertisements: BGPAdvertisement, local: bool = True) -> dict[str, int | None]:
    """What each node announces by how many endpoints it has."""
    found = decided(service(local=local), config(POOL, R1, *advertisements), ready_pods)
    return {name: sent[0][1][0].link_bandwidth for name, sent in found.bgp.announcing.items()}


PODS = readiness([slice_of("web", *[("node-a", True, None)] * 3, ("node-b", True, None), ("node-c", False, True))])


@pytest.mark.parametrize(
    ("advertisements", "local", "expected"),
    [
        pytest.param([bgp()], True, {"node-a": None, "node-b": None, "node-c": None}, id="nobody asks for it"),
        pytest.param([bgp(bandwidth=10)], True, {"node-a": 30, "node-b": 10, "node-c": 10}, id="by endpoints"),
        pytest.param(
            [bgp(bandwidth=10)], False, {"node-a": None, "node-b": None, "node-c": None}, id="every node reaches all"
        ),
        pytest.param(
            [bgp(bandwidth=10), bgp("c", bandwidth=20), bgp("d", local_pref=300)],
            True,
            {"node-a": 60, "node-b": 20, "node-c": 20},
            id="the highest counts",
        ),
    ],
)
def test_the_bandwidth_follows_the_ready_endpoints_of_the_node(
    advertisements: list[BGPAdvertisement], local: bool, expected: dict[str, int | None]
) -> None:
    assert bandwidths(PODS, *advertisements, local=local) == expected
