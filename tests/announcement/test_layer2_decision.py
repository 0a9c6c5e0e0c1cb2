"""Who answers in Layer 2, and the reason of every node that does not."""

from dataclasses import replace
from typing import Any

import pytest
from announcement_facts import ABC, config, decided, ips, l2, node, pool, ready, selectors, service, slice_of
from hypothesis import given
from hypothesis import strategies as st

from herald.announcement.decide import Decision, decide
from herald.announcement.election import Electorate
from herald.announcement.incremental import Upkeep
from herald.announcement.on_node import why_not
from herald.announcement.readiness import NONE, Readiness, readiness
from herald.announcement.reason import Code, Protocol
from herald.announcement.told import Told
from herald.announcement.view import View
from herald.cluster.meta import NodeName
from herald.cluster.node import Node
from herald.config.advertisement import L2Advertisement

POOL = pool("p", "10.0.0.0/24", "fd00::/64")
ANYWHERE = ready("node-a")
X = selectors(("x", "1"))
OTHER_NODES, NOT_ELECTED = Code.ADVERTISEMENT_SELECTS_OTHER_NODES, Code.NOT_ELECTED


def answer(decision: Decision) -> dict[str, str]:
    """The owner, and the code of every other node."""
    reasons = {name: decision.layer2.reason_of(NodeName(name)) for name in ABC}
    return {name: reason.code.value if reason else "owner" for name, reason in reasons.items()}


def same(code: Code) -> dict[str, str]:
    return dict.fromkeys(ABC, code.value)


def nodes(**changed: Node) -> tuple[Node, ...]:
    return tuple(changed.get(name[-1], node(name)) for name in ABC)


HASH_ORDER = {"node-b": "owner", "node-a": NOT_ELECTED.value, "node-c": NOT_ELECTED.value}
CASES: dict[str, tuple[dict[str, Any], list[L2Advertisement], Readiness, dict[str, Any], dict[str, str]]] = {
    "plain": ({}, [l2()], ANYWHERE, {}, HASH_ORDER),
    "no endpoint": ({}, [l2()], NONE, {}, same(Code.NO_READY_ENDPOINT)),
    "no endpoint is said before no advertisement": ({}, [], NONE, {}, same(Code.NO_READY_ENDPOINT)),
    "no advertisement": ({}, [], ANYWHERE, {}, same(Code.NO_ADVERTISEMENT_FOR_POOL)),
    "advertisement of another pool": ({}, [l2(pools=["q"])], ANYWHERE, {}, same(Code.NO_ADVERTISEMENT_FOR_POOL)),
    "other services": ({}, [l2(only=X)], ANYWHERE, {}, same(Code.ADVERTISEMENT_SELECTS_OTHER_SERVICES)),
    "this service": ({"labels": {"x": "1"}}, [l2(only=X)], ANYWHERE, {}, HASH_ORDER),
    "any one of several selectors will do": (
        {"labels": {"x": "1"}},
        [l2(only=selectors(("y", "1"), ("x", "1")))],
        ANYWHERE,
        {},
        HASH_ORDER,
    ),
    "sharing and a selector": (
        {"labels": {"x": "1"}, "annotations": {"metallb.io/allow-shared-ip": ""}},
        [l2(only=X), l2("m")],
        ANYWHERE,
        {},
        same(Code.SHARED_IP_WITH_SERVICE_SELECTOR),
    ),
    "sharing and a selector, deprecated annotation": (
        {"labels": {"x": "1"}, "annotations": {"metallb.universe.tf/allow-shared-ip": "k"}},
        [l2(only=X)],
        ANYWHERE,
        {},
        same(Code.SHARED_IP_WITH_SERVICE_SELECTOR),
    ),
    "sharing and a selector that does not match": (
        {"annotations": {"metallb.io/allow-shared-ip": "k"}},
        [l2(only=X), l2("m")],
        ANYWHERE,
        {},
        HASH_ORDER,
    ),
    "a node that no advertisement selects": (
        {},
        [l2(nodes=["node-a"]), l2("m", nodes=["node-c"])],
        ANYWHERE,
        {},
        {"node-a": "owner", "node-b": OTHER_NODES.value, "node-c": NOT_ELECTED.value},
    ),
    "an advertisement for other services lends no node": (
        {"labels": {"x": "1"}},
        [l2(nodes=["node-a"], only=X), l2("m", nodes=["node-b"], only=selectors(("y", "1")))],
        ANYWHERE,
        {},
        {"node-a": "owner", "node-b": OTHER_NODES.value, "node-c": OTHER_NODES.value},
    ),
    "excluded by label": (
        {},
        [l2()],
        ANYWHERE,
        {"nodes": nodes(b=node("node-b", excluded=True))},
        {"node-a": "owner", "node-b": Code.NODE_EXCLUDED_BY_LABEL.value, "node-c": NOT_ELECTED.value},
    ),
    "exclusion ignored": (
        {},
        [l2()],
        ANYWHERE,
        {"nodes": nodes(b=node("node-b", excluded=True)), "ignore_exclude_lb": True},
        HASH_ORDER,
    ),
    "network unavailable": (
        {},
        [l2()],
        ANYWHERE,
        {"nodes": nodes(b=node("node-b", network="True"))},
        {"node-a": "owner", "node-b": Code.NETWORK_UNAVAILABLE.value, "node-c": NOT_ELECTED.value},
    ),
    "network unavailability unknown": (
        {},
        [l2()],
        ANYWHERE,
        {"nodes": nodes(b=node("node-b", network="Unknown"))},
        HASH_ORDER,
    ),
    "dead speaker": (
        {},
        [l2()],
        ANYWHERE,
        {"members": frozenset({"node-a", "node-c"})},
        {"node-a": "owner", "node-b": Code.SPEAKER_NOT_LIVE.value, "node-c": NOT_ELECTED.value},
    ),
    "local": (
        {"local": True},
        [l2()],
        ready("node-a", "node-c"),
        {},
        {"node-a": "owner", "node-b": Code.NO_ENDPOINT_ON_NODE.value, "node-c": NOT_ELECTED.value},
    ),
    "local, endpoint on no named node": ({"local": True}, [l2()], ready(None), {}, same(Code.NO_ENDPOINT_ON_NODE)),
    "local, endpoint and advertisement on different nodes": (
        {"local": True},
        [l2(nodes=["node-b"])],
        ready("node-a"),
        {},
        {"node-a": OTHER_NODES.value, "node-b": Code.NO_ENDPOINT_ON_NODE.value, "node-c": OTHER_NODES.value},
    ),
    "cluster needs one endpoint, wherever": ({}, [l2()], ready(None), {}, HASH_ORDER),
    "preference": (
        {},
        [l2(scores={"node-c": 1})],
        ANYWHERE,
        {},
        {"node-c": "owner", "node-a": NOT_ELECTED.value, "node-b": NOT_ELECTED.value},
    ),
    "preferences add up": (
        {},
        [l2(scores={"node-c": 60}), l2("m", scores={"node-a": 50}), l2("n", scores={"node-a": 50})],
        ANYWHERE,
        {},
        {"node-a": "owner", "node-b": NOT_ELECTED.value, "node-c": NOT_ELECTED.value},
    ),
    "locality comes before preference": (
        {"local": True},
        [l2(scores={"node-c": 100})],
        ready("node-a"),
        {},
        {
            "node-a": "owner",
            "node-b": Code.NO_ENDPOINT_ON_NODE.value,
            "node-c": Code.NO_ENDPOINT_ON_NODE.value,
        },
    ),
    "interface missing": (
        {},
        [l2(interfaces=["eth1"])],
        ANYWHERE,
        {"interfaces": {"node-b": frozenset({"eth0"}), "node-a": frozenset({"eth0", "eth1"})}},
        {"node-a": "owner", "node-b": Code.INTERFACE_MISSING.value, "node-c": NOT_ELECTED.value},
    ),
    "one of the interfaces is enough": (
        {},
        [l2(interfaces=["eth0", "eth1"])],
        ANYWHERE,
        {"interfaces": {"node-b": frozenset({"eth0"})}},
        HASH_ORDER,
    ),
    "a node without the interface is passed over though it has another": (
        {},
        [l2(interfaces=["eth1"])],
        ANYWHERE,
        {"interfaces": {"node-b": frozenset({"eth0"}), "node-c": frozenset(), "node-a": frozenset({"eth1"})}},
        {"node-a": "owner", "node-b": Code.INTERFACE_MISSING.value, "node-c": Code.INTERFACE_MISSING.value},
    ),
    "where none is named any usable interface will do": (
        {},
        [l2()],
        ANYWHERE,
        {"interfaces": {"node-a": frozenset({"eth0"}), "node-b": frozenset({"eth7"}), "node-c": frozenset({"bond0"})}},
        HASH_ORDER,
    ),
    "where none is named a node without any usable interface is passed over": (
        {},
        [l2()],
        ANYWHERE,
        {"interfaces": {"node-b": frozenset(), "node-c": frozenset({"eth0"})}},
        {"node-a": "owner", "node-b": Code.INTERFACE_MISSING.value, "node-c": NOT_ELECTED.value},
    ),
    "an advertisement without interfaces lifts the others": (
        {},
        [l2(interfaces=["eth1"]), l2("m")],
        ANYWHERE,
        {"interfaces": {"node-b": frozenset({"eth0"})}},
        HASH_ORDER,
    ),
}

# Beside speakers of MetalLB, whose order is b, a, c: they know neither drained nodes nor interfaces.
B_IS_DRAINED = {"nodes": nodes(b=node("node-b", drain="true"))}
B_HAS_NO_LINK: dict[str, Any] = {"interfaces": {"node-b": frozenset(), "node-c": frozenset({"eth0"})}}
A_IS_METALLB = {"told": Told(foreign=frozenset({NodeName("node-a")}))}
B_IS_METALLB = {"told": Told(foreign=frozenset({NodeName("node-b")}))}
ONLY_B_IS_OURS = {"told": Told(foreign=frozenset(map(NodeName, ("node-a", "node-c"))))}
NEXT_OF_OURS = {"node-a": NOT_ELECTED.value, "node-c": "owner"}
CASES |= {
    "the winner of MetalLB's election is drained: the next of Herald's, not MetalLB's": (
        {},
        [l2()],
        ANYWHERE,
        {**B_IS_DRAINED, **A_IS_METALLB},
        {**NEXT_OF_OURS, "node-b": Code.NODE_DRAINED.value},
    ),
    "it has no interface": (
        {},
        [l2()],
        ANYWHERE,
        {**B_HAS_NO_LINK, **A_IS_METALLB},
        {**NEXT_OF_OURS, "node-b": Code.INTERFACE_MISSING.value},
    ),
    "with spread even as well": (
        {},
        [replace(l2(), spread_evenly=True)],
        ANYWHERE,
        {**B_IS_DRAINED, **A_IS_METALLB},
        {**NEXT_OF_OURS, "node-b": Code.NODE_DRAINED.value},
    ),
    "it is excluded by label, which MetalLB knows": (
        {},
        [l2()],
        ANYWHERE,
        {"nodes": nodes(b=node("node-b", excluded=True)), **A_IS_METALLB},
        {"node-a": "owner", "node-b": Code.NODE_EXCLUDED_BY_LABEL.value, "node-c": NOT_ELECTED.value},
    ),
    "it is MetalLB's: that it is drained is nothing to it": (
        {},
        [l2()],
        ANYWHERE,
        {**B_IS_DRAINED, **B_IS_METALLB},
        HASH_ORDER,
    ),
    "no other node of Herald's is there": (
        {},
        [l2()],
        ANYWHERE,
        {**B_IS_DRAINED, **ONLY_B_IS_OURS},
        {
            "node-a": Code.METALLB_WAITS.value,
            "node-b": Code.NODE_DRAINED.value,
            "node-c": Code.METALLB_WAITS.value,
        },
    ),
    "its endpoints are elsewhere, which MetalLB knows": (
        {"local": True},
        [l2()],
        ready("node-a", "node-c"),
        {**B_IS_DRAINED, **A_IS_METALLB},
        {"node-a": "owner", "node-b": Code.NODE_DRAINED.value, "node-c": NOT_ELECTED.value},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_every_node_answers_or_has_the_reason(name: str) -> None:
    spec, advertisements, endpoints, circumstances, expected = CASES[name]
    known = circumstances.get("nodes", tuple(map(node, ABC)))
    others = {key: value for key, value in circumstances.items() if key != "nodes"}
    conf = config(POOL, *advertisements, nodes=known)
    assert answer(decided(service(**spec), conf, endpoints, **others)) == expected


@pytest.mark.parametrize("name", CASES)
def test_a_node_on_its_own_comes_to_the_same_reason(name: str) -> None:
    spec, advertisements, endpoints, circumstances, _ = CASES[name]
    known = circumstances.get("nodes", tuple(map(node, ABC)))
    others = {key: value for key, value in circumstances.items() if key != "nodes"}
    view = View(config(POOL, *advertisements, nodes=known), **others)
    whole = decided(service(**spec), view.config, endpoints, **others)
    for name_of_node in map(NodeName, ABC):
        own = why_not(service(**spec), ips("10.0.0.1"), endpoints, view, name_of_node, Protocol.LAYER2)
        assert own == whole.layer2.reason_of(name_of_node)


@pytest.mark.parametrize(
    ("advertisements", "expected"),
    [
        ([l2(interfaces=["eth1"]), l2("m", interfaces=["eth0"])], {"eth0", "eth1"}),
        ([l2(interfaces=["eth1"]), l2("m")], None),
        ([l2(interfaces=["eth1"]), l2("m", nodes=["node-a"])], {"eth1"}),
        ([l2(interfaces=["eth1"]), l2("m", interfaces=["eth9"], only=X)], {"eth1"}),
    ],
    ids=["union", "one without means all", "only those that select the owner", "only those that match the service"],
)
def test_the_owner_answers_on_the_union_of_interfaces(
    advertisements: list[L2Advertisement], expected: set[str] | None
) -> None:
    found = decided(service(), config(POOL, *advertisements), ANYWHERE).layer2
    assert (found.owner, found.interfaces) == ("node-b", None if expected is None else frozenset(expected))


def test_both_families_follow_the_first_address_of_the_status() -> None:
    conf = config(POOL, l2())
    v4_first = decided(service(), conf, ANYWHERE, "10.0.0.1", "fd00::1").layer2.owner
    v6_first = decided(service(), conf, ANYWHERE, "fd00::1", "10.0.0.1").layer2.owner
    assert v4_first == decided(service(), conf, ANYWHERE, "10.0.0.1").layer2.owner
    assert v6_first == decided(service(), conf, ANYWHERE, "fd00::1").layer2.owner
    assert v4_first != v6_first


V4, V6, DUAL = ("10.0.0.1",), ("fd00::1",), ("10.0.0.1", "fd00::1")


@pytest.mark.parametrize(
    ("usable", "addresses", "excluded"),
    [
        pytest.param({"node-b": ["eth0/4"]}, V4, {}, id="IPv4 where there is IPv4"),
        pytest.param({"node-c": ["eth0/4"]}, V6, {"node-c": "IPv6"}, id="IPv6 where there is none"),
        pytest.param({"node-c": ["eth0/6"]}, V4, {"node-c": "IPv4"}, id="IPv4 where there is none"),
        pytest.param({"node-b": ["eth0/4"]}, DUAL, {"node-b": "IPv6"}, id="both where one is missing"),
        pytest.param({"node-b": ["eth0/4", "eth1/6"]}, DUAL, {}, id="both on two interfaces"),
        pytest.param({one: ["eth0/4"] for one in ABC}, DUAL, {}, id="nobody has both: half is better than none"),
        pytest.param({"node-b": ["eth0"], "node-c": ["eth0/4"]}, V6, {"node-c": "IPv6"}, id="a name alone means both"),
    ],
)
def test_an_address_needs_an_interface_of_its_own_family(
    usable: dict[str, list[str]], addresses: tuple[str, ...], excluded: dict[str, str]
) -> None:
    for named in (None, ["eth0", "eth1"]):
        conf = config(POOL, l2(interfaces=named))
        interfaces = {NodeName(one): frozenset(found) for one, found in usable.items()}
        found = decided(service(), conf, ANYWHERE, *addresses, interfaces=interfaces).layer2
        assert {one: dict(reason.arguments)["family"] for one, reason in found.excluded.items()} == excluded
        assert {reason.code for reason in found.excluded.values()} <= {Code.FAMILY_MISSING}
        assert found.owner == next(one for one in found.candidates if one not in excluded)


def test_the_line_leaves_out_speakers_of_metallb_and_what_would_wait_for_ever() -> None:
    for foreign, line, candidates in (
        ({"node-a"}, ("node-b", "node-c"), ("node-b", "node-a", "node-c")),
        ({"node-b"}, (), ("node-b", "node-a", "node-c")),
        (set(), ("node-b", "node-a", "node-c"), ("node-b", "node-a", "node-c")),
    ):
        told = Told(foreign=frozenset(map(NodeName, foreign)))
        conf = config(POOL, replace(l2(), fast_failover=True))
        found = decided(service(), conf, ANYWHERE, told=told).layer2
        assert (found.candidates, found.line) == (candidates, line)
    drained = config(POOL, replace(l2(), fast_failover=True), nodes=nodes(b=node("node-b", drain="true")))
    found = decided(service(), drained, ANYWHERE, **A_IS_METALLB).layer2
    assert (found.candidates, found.line) == (("node-c",), ("node-c",)), "node-a waits for node-b as long as that lives"
    assert (found.passed_over, found.instead and found.instead.code) == ("node-b", Code.NODE_DRAINED)


def test_a_member_without_a_node_object_is_selected_by_nothing() -> None:
    found = decided(service(), config(POOL, l2()), ANYWHERE, members=frozenset({"node-z"})).layer2
    assert found.owner is None
    assert found.excluded["node-z"].code is OTHER_NODES


def test_without_any_node_nobody_answers_and_the_reason_says_so() -> None:
    found = decided(service(), config(POOL, l2(), nodes=()), ANYWHERE)
    assert str(found.silence) == "NoCandidate: no node is eligible: there is no Node"


def test_one_reason_that_all_nodes_have_is_said_of_all_of_them() -> None:
    known = tuple(node(name, excluded=True) for name in ABC)
    found = decided(service(), config(POOL, l2(), nodes=known), ANYWHERE)
    assert found.silence is not None
    assert found.silence.code is Code.NODE_EXCLUDED_BY_LABEL
    assert "node-a, node-b, node-c" in found.silence.words


def test_different_reasons_are_summed_up_by_reason() -> None:
    known = nodes(a=node("node-a", excluded=True), b=node("node-b", network="True"))
    found = decided(service(local=True), config(POOL, l2(), nodes=known), ready("node-a"))
    assert found.silence is not None
    assert found.silence.words == (
        "no node is eligible: node-a NodeExcludedByLabel; node-b NetworkUnavailable; node-c NoEndpointOnNode"
    )


members = st.fixed_dictionaries(
    {"foreign": st.booleans(), "drained": st.booleans(), "link": st.booleans(), "score": st.integers(0, 1)}
)


@given(
    st.dictionaries(st.sampled_from(["n1", "n2", "n3", "n4", "n5"]), members, min_size=1),
    st.sampled_from([{}, {"spread_evenly": True}, {"failback_s": 300.0}]),
    st.integers(1, 200),
    st.booleans(),
)
def test_beside_speakers_of_metallb_exactly_one_answers_if_anybody_can(
    group: dict[str, dict[str, Any]], terms: dict[str, Any], number: int, local: bool
) -> None:
    """MetalLB's speakers go by their own election among all that live; ours by what the decision says."""
    known = tuple(node(name, drain="true" if one["drained"] else None) for name, one in group.items())
    scores = {name: one["score"] for name, one in group.items() if one["score"]}
    foreign = frozenset(NodeName(name) for name, one in group.items() if one["foreign"])
    advertisement = replace(l2(nodes=list(group), scores=scores), **terms)
    usable = {NodeName(n): frozenset(["eth0"] if one["link"] else []) for n, one in group.items() if not one["foreign"]}
    view = View(config(POOL, advertisement, nodes=known), interfaces=usable, told=Told(foreign=foreign))
    where = ready(*sorted(group)[::2])
    counted = sorted(group)[::2] if local else list(group)
    address = ips(f"10.0.0.{number}")
    decision = decide(service(local=local), address, where, view).layer2
    winner = Electorate(map(NodeName, counted), {NodeName(name): score for name, score in scores.items()}).owner(
        address[0]
    )
    answering = {decision.owner} - foreign - {None} | ({winner} & foreign)
    able = {n for n in counted if not (group[n]["foreign"] or group[n]["drained"]) and group[n]["link"]}
    assert len(answering) == int(winner in foreign or bool(able))
    assert answering <= able | foreign
    assert decision.owner in answering or (decision.owner is None and not answering)
    assert set(decision.candidates) | set(decision.excluded) == set(group)
    assert not set(decision.candidates) & set(decision.excluded)
    for name in map(NodeName, group):
        own = why_not(service(local=local), address, where, view, name, Protocol.LAYER2)
        assert own == decision.reason_of(name)


names = st.sampled_from(["n1", "n2", "n3", "n4", "n5"])
advertisement = st.builds(
    lambda number, chosen, only, scores: l2(
        f"l{number}", chosen, only=selectors(*only), scores={n: s for n, s in scores.items() if n in chosen}
    ),
    st.integers(0, 99),
    st.sets(names),
    st.lists(st.sampled_from([("x", "1"), ("y", "1")]), max_size=2, unique=True),
    st.dictionaries(names, st.integers(1, 1000), max_size=3),
)


@given(
    st.lists(advertisement, max_size=4, unique_by=lambda ad: ad.name),
    st.dictionaries(names, st.tuples(st.booleans(), st.sampled_from([None, "True"]))),
    st.none() | st.frozensets(names),
    st.lists(names, max_size=3),
    st.booleans(),
    st.integers(0, 255),
    st.sampled_from([{}, {"x": "1"}, {"y": "1"}, {"x": "1", "y": "1"}]),
)
def test_nodes_that_know_the_same_never_answer_both(
    advertisements: list[L2Advertisement],
    known: dict[str, tuple[bool, str | None]],
    members: frozenset[NodeName] | None,
    endpoints: list[str],
    local: bool,
    last_octet: int,
    labels: dict[str, str],
) -> None:
    facts = tuple(node(name, excluded=marks[0], network=marks[1]) for name, marks in known.items())
    conf = config(POOL, *advertisements, nodes=facts)
    ip = f"10.0.0.{last_octet}"
    web = service("web", ip, labels=labels, local=local)
    piece = slice_of("web", *((name, True, None) for name in endpoints))
    owners = []
    for name in sorted(known if members is None else members):
        upkeep = Upkeep(NodeName(name))
        upkeep.fill([web], [piece])
        list(upkeep.look_again(View(conf, members=members)))
        owners += [name] if upkeep.desired().holdings else []
    expected = decided(web, conf, readiness([piece]), ip, members=members).layer2.owner
    assert owners == ([] if expected is None else [expected])
