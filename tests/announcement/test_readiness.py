"""Which endpoints count, and the index of slices."""

import pytest
from announcement_facts import slice_of
from hypothesis import given
from hypothesis import strategies as st

from herald.announcement.readiness import ASSUMED, NONE, Readiness, Slices, readiness
from herald.cluster.endpoints import Endpoint, EndpointSlice
from herald.cluster.meta import NamespacedName, ObjectMeta

WEB = NamespacedName("default", "web")


@pytest.mark.parametrize(
    ("ready", "serving", "counts"),
    [
        (None, None, True),
        (None, False, True),
        (True, None, True),
        (True, False, True),
        (True, True, True),
        (False, True, True),
        (False, None, False),
        (False, False, False),
    ],
)
def test_an_endpoint_counts_if_ready_or_serving(ready: bool | None, serving: bool | None, counts: bool) -> None:
    expected = frozenset({"n"}) if counts else frozenset()
    ready_on = {"n": 1} if counts and ready is not False else {}
    found = readiness([slice_of("web", ("n", ready, serving))])
    assert found == Readiness(counts, expected, counts, expected, ready_on=ready_on)


def pods(family: str, *nodes: str) -> EndpointSlice:
    entries = tuple(Endpoint(addresses=("10.0.0.1",), node_name=node) for node in nodes)
    return EndpointSlice(address_type=family, endpoints=entries)


def test_ready_pods_are_counted_by_node_and_once_for_both_families() -> None:
    found = readiness([pods("IPv4", "n", "n"), pods("IPv4", "n", "m"), pods("IPv6", "n", "n", "n", "m")])
    assert found.ready_on == {"n": 3, "m": 1}


def test_layer2_counts_an_endpoint_without_addresses_and_bgp_does_not() -> None:
    found = readiness([slice_of("web", ("n", True, None), addresses=())])
    assert (found.somewhere, found.nodes, found.bgp_somewhere, found.bgp_nodes) == (
        True,
        frozenset({"n"}),
        False,
        frozenset(),
    )


def test_an_endpoint_without_a_node_is_somewhere_and_on_no_node() -> None:
    found = readiness([slice_of("web", (None, True, None))])
    assert (found.somewhere, found.nodes) == (True, frozenset())


def test_an_address_that_is_ready_in_one_entry_and_not_in_another_counts() -> None:
    both = [slice_of("web", ("n", False, False), suffix="1"), slice_of("web", ("n", True, None), suffix="2")]
    assert readiness(both).bgp_nodes == frozenset({"n"})


def test_conditions_that_are_absent_mean_ready() -> None:
    bare = EndpointSlice(endpoints=(Endpoint(addresses=("10.0.0.1",), node_name="n"),))
    assert readiness([bare]).bgp_nodes == frozenset({"n"})


def test_a_service_without_slices_is_as_ready_as_is_assumed() -> None:
    assert Slices().readiness(WEB) == NONE
    assert Slices().readiness(WEB, ASSUMED) == ASSUMED


def test_an_empty_slice_is_seen_and_nothing_is_assumed_for_it() -> None:
    assert Slices([slice_of("web")]).readiness(WEB, ASSUMED) == Readiness()


def test_a_slice_that_changes_hands_touches_both_services() -> None:
    slices = Slices([slice_of("web", ("n", True, None))])
    moved = EndpointSlice(
        metadata=ObjectMeta(name="web-1", namespace="default", labels={"kubernetes.io/service-name": "api"})
    )
    assert set(slices.put(moved)) == {WEB, NamespacedName("default", "api")}
    assert slices.readiness(WEB) == NONE


pieces = st.builds(
    lambda name, suffix, ends: slice_of(name, *((n, r, None) for n, r in ends), suffix=suffix),
    st.sampled_from(["web", "api", ""]),
    st.sampled_from("12"),
    st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=3),
)


@given(st.lists(st.one_of(pieces, pieces.map(lambda piece: piece.key))))
def test_the_index_says_what_a_sum_over_all_present_slices_says(steps: list[EndpointSlice | NamespacedName]) -> None:
    slices, present = Slices(), dict[NamespacedName, EndpointSlice]()
    for step in steps:
        if isinstance(step, EndpointSlice):
            slices.put(step)
            present[step.key] = step
        else:
            slices.remove(step)
            present.pop(step, None)
        for name in ("web", "api"):
            key = NamespacedName("default", name)
            mine = [piece for piece in present.values() if piece.service == key]
            assert slices.readiness(key) == (readiness(mine) if mine else NONE)
