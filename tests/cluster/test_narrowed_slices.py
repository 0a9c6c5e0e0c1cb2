"""What the stores leave out of EndpointSlices decides nothing."""

from hypothesis import given
from hypothesis import strategies as st

from herald.announcement.readiness import readiness
from herald.cluster.endpoints import Endpoint, EndpointConditions, EndpointSlice, narrowed

MAYBE = st.sampled_from((None, True, False))
CONDITIONS = st.none() | st.builds(EndpointConditions, ready=MAYBE, serving=MAYBE)
ENDPOINTS = st.builds(
    Endpoint,
    addresses=st.sampled_from(((), ("10.0.0.1",), ("10.0.0.2", "10.0.0.3"))),
    conditions=CONDITIONS,
    node_name=st.sampled_from((None, "node-1", "node-2")),
)


@given(st.lists(ENDPOINTS, max_size=6))
def test_a_narrowed_slice_decides_the_same(endpoints: list[Endpoint]) -> None:
    piece = EndpointSlice(endpoints=tuple(endpoints))
    assert readiness((narrowed(piece),)) == readiness((piece,))


def test_a_pod_with_another_address_on_its_node_makes_no_difference() -> None:
    before = EndpointSlice(endpoints=(Endpoint(addresses=("10.0.0.1",), node_name="node-1"),))
    after = EndpointSlice(endpoints=(Endpoint(addresses=("10.0.0.2",), node_name="node-1"),))
    assert narrowed(before) == narrowed(after)


def test_one_pod_more_on_a_node_makes_a_difference() -> None:
    one = Endpoint(addresses=("10.0.0.1",), node_name="node-1")
    other = Endpoint(addresses=("10.0.0.2",), node_name="node-1")
    assert narrowed(EndpointSlice(endpoints=(one, other))) != narrowed(EndpointSlice(endpoints=(one,)))


def test_losing_the_last_address_makes_a_difference() -> None:
    before = EndpointSlice(endpoints=(Endpoint(addresses=("10.0.0.1",), node_name="node-1"),))
    after = EndpointSlice(endpoints=(Endpoint(addresses=(), node_name="node-1"),))
    assert narrowed(before) != narrowed(after)
