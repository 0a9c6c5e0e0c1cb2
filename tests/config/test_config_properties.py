"""Compiling does not depend on the order of its input, and one invalid object is nobody else's business."""

from typing import Any

from config_resources import (
    bfd,
    bgp,
    community,
    compiled,
    l2,
    namespace,
    node,
    peer,
    pinned,
    pool,
    preferred,
    resources,
    secret,
    select,
)
from hypothesis import given
from hypothesis import strategies as st

from herald.config.compile import Compiled, compile_config
from herald.config.problem import Severity

NAMES = st.sampled_from("abcdef")
CREATED = st.sampled_from([None, "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"])
SELECTORS = st.sampled_from([(), (select(rack="1"),), (select(rack="2"),), (select(rack="1"), select(rack="2"))])
ADDRESSES = st.lists(
    st.sampled_from(
        ["10.0.0.0/24", "10.0.0.128/25", "10.0.1.0-10.0.1.9", "fd00::/64", "fd00::5-fd00::9", "10.2.0.0/30"]
    ),
    max_size=2,
).map(tuple)
NAME_LISTS = st.lists(NAMES, max_size=2).map(tuple)

POOLS = st.builds(lambda name, ranges, created: pool(name, *ranges, created=created), NAMES, ADDRESSES, CREATED)
L2S = st.builds(
    lambda name, names, nodes: l2(
        name, ip_address_pools=names, node_selectors=nodes, preferred_node_selectors=(preferred(5, select(rack="1")),)
    ),
    NAMES,
    NAME_LISTS,
    SELECTORS,
)
BGPS = st.builds(
    lambda name, pref, names, peers, texts, length: bgp(
        name, local_pref=pref, ip_address_pools=names, peers=peers, communities=texts, aggregation_length=length
    ),
    NAMES,
    st.sampled_from([0, 100, 200]),
    NAME_LISTS,
    NAME_LISTS,
    st.lists(st.sampled_from(["1:1", "large:1:2:3", "x", "y", "70000:1"]), max_size=2).map(tuple),
    st.sampled_from([24, 32, 33]),
)
PEERS = st.builds(
    lambda name, created, asn, address, hold, profile, nodes: peer(
        name,
        created=created,
        my_asn=asn,
        peer_address=address,
        hold_time=hold,
        bfd_profile=profile,
        node_selectors=nodes,
    ),
    NAMES,
    CREATED,
    st.sampled_from([0, 64500, 64999]),
    st.sampled_from(["10.9.0.1", "10.9.0.2", "x"]),
    st.sampled_from([None, "90s", "1s"]),
    st.sampled_from(["", "a", "default"]),
    SELECTORS,
)
COMMUNITIES = st.builds(
    lambda name, created, aliases: community(name, *aliases, created=created),
    NAMES,
    CREATED,
    st.lists(st.tuples(st.sampled_from("xyz"), st.sampled_from(["1:1", "2:2", "bad"])), max_size=2),
)
PROFILES = st.builds(lambda name, interval: bfd(name, receive_interval=interval), NAMES, st.sampled_from([100, 1]))
SURROUNDINGS = [node("n1", rack="1"), node("n2", rack="2"), namespace("shop"), secret()]


def unique(objects: list[Any]) -> list[Any]:
    """The first of each kind and name, as a store would hold them."""
    return list({(type(each), each.metadata.name): each for each in reversed(objects)}.values())


OBJECTS = st.lists(st.one_of(POOLS, L2S, BGPS, PEERS, COMMUNITIES, PROFILES), max_size=14).map(unique)

# Objects that break a rule whatever stands beside them, with a name that nobody mentions.
INVALID = st.sampled_from(
    [
        pool("invalid", "10.0.0.0/8", "nonsense", created="2020-01-01T00:00:00Z"),
        pool("invalid"),
        pinned("invalid", "10.0.0.0/8", namespaces=("a", "a")),
        l2("invalid", ip_address_pools=("a", "a")),
        bgp("invalid", aggregation_length=40),
        bgp("invalid", communities=("nobody-defines-this",)),
        peer("invalid", my_asn=0, created="2020-01-01T00:00:00Z"),
        peer("invalid", secret_name="missing"),
        bfd("invalid", detect_multiplier=0),
        community("invalid", ("x", "bad"), created="2020-01-01T00:00:00Z"),
    ]
)


def errors_of(outcome: Compiled) -> set[tuple[str, str]]:
    return {(problem.kind, problem.name) for problem in outcome.problems if problem.severity is Severity.ERROR}


@given(OBJECTS, st.randoms(use_true_random=False))
def test_the_order_of_the_input_does_not_matter(objects: list[Any], random: Any) -> None:
    shuffled = [*objects, *SURROUNDINGS]
    random.shuffle(shuffled)
    assert compiled(*shuffled) == compiled(*objects, *SURROUNDINGS)


@given(OBJECTS, INVALID)
def test_an_invalid_object_changes_nothing_that_the_others_compile_to(objects: list[Any], invalid: Any) -> None:
    without = compiled(*objects, *SURROUNDINGS)
    with_it = compiled(*objects, invalid, *SURROUNDINGS)
    assert with_it.config == without.config
    assert with_it.accepted == without.accepted


@given(OBJECTS)
def test_errors_name_exactly_the_objects_that_are_left_out(objects: list[Any]) -> None:
    outcome = compiled(*objects, *SURROUNDINGS)
    in_force = {(key.kind, key.name) for key in outcome.accepted}
    assert errors_of(outcome) == {(type(each).__name__, each.metadata.name) for each in objects} - in_force


@given(OBJECTS)
def test_compiling_again_with_its_own_past_changes_nothing(objects: list[Any]) -> None:
    first = compiled(*objects, *SURROUNDINGS)
    second = compile_config(resources(*objects, *SURROUNDINGS), last_good=first.accepted)
    assert (second.config, second.accepted) == (first.config, first.accepted)
    assert errors_of(second) == errors_of(first)


@given(OBJECTS, OBJECTS)
def test_nothing_in_force_is_lost_unless_it_is_deleted(before: list[Any], after: list[Any]) -> None:
    first = compiled(*before, *SURROUNDINGS)
    second = compiled(*after, *SURROUNDINGS, last_good=dict(first.accepted))
    present = {(type(each).__name__, each.metadata.name) for each in after}
    kept = {(key.kind, key.name) for key in first.accepted} & present
    # An edited object may take what another one has let go of; what both had before, both keep.
    assert kept <= {(key.kind, key.name) for key in second.accepted}
