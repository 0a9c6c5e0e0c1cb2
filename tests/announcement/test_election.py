"""The owner of an address: pinned vectors, and what every node must agree upon."""

from hashlib import sha256
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herald.announcement.election import Electorate, order, ticket
from herald.cluster.meta import NodeName

VECTORS = [
    ("10.0.0.1", "node-a node-b node-c", {}, "node-b node-a node-c"),
    ("10.0.0.2", "node-a node-b node-c", {}, "node-b node-c node-a"),
    (
        "10.20.30.1",
        "edge-a edge-b worker-a worker-b",
        {"edge-a": 100},
        "edge-a edge-b worker-a worker-b",
    ),
    ("10.20.30.1", "node-a node-b", {"node-a": 100, "node-b": 100}, "node-b node-a"),
    ("10.20.30.1", "edge-a edge-b worker-a", {"edge-a": 100, "edge-b": 100}, "edge-b edge-a worker-a"),
    ("10.20.30.1", "iris1 iris2", {}, "iris2 iris1"),
    ("10.20.30.2", "iris1 iris2", {}, "iris1 iris2"),
]


@pytest.mark.parametrize(("ip", "candidates", "scores", "expected"), VECTORS, ids=lambda v: str(v))
def test_candidates_stand_in_the_pinned_order(ip: str, candidates: str, scores: dict[str, int], expected: str) -> None:
    names = [NodeName(name) for name in candidates.split()]
    weights = {NodeName(name): score for name, score in scores.items()}
    assert " ".join(order(names, ip_address(ip), weights)) == expected
    assert Electorate(names, weights).owner(ip_address(ip)) == expected.split()[0]


@pytest.mark.parametrize(
    ("node", "ip", "first_octets"),
    [
        ("node-a", "10.0.0.1", "dd41591fe8f31f9f"),
        ("node-b", "10.0.0.1", "2acae88581fd8b47"),
        ("node-a", "fc00::1", "8ed84f831c47536d"),
        ("node-a", "fc00:0:0::0:1", "8ed84f831c47536d"),
        ("node-a", "FC00::1", "8ed84f831c47536d"),
    ],
)
def test_a_ticket_has_the_pinned_octets(node: str, ip: str, first_octets: str) -> None:
    assert ticket(NodeName(node), ip_address(ip)).hex().startswith(first_octets)


def test_nobody_owns_without_candidates() -> None:
    assert Electorate((), {}).owner(ip_address("10.0.0.1")) is None
    assert not Electorate((), {}).wins(NodeName("a"), ip_address("10.0.0.1"))


def test_a_score_of_a_node_that_is_no_candidate_counts_for_nothing() -> None:
    electorate = Electorate([NodeName("node-a")], {NodeName("node-z"): 100})
    assert electorate.owner(ip_address("10.0.0.1")) == "node-a"


names = st.sets(st.text("abcdefghij-0123456789.", min_size=1, max_size=12).map(NodeName), max_size=12)
addresses = st.ip_addresses()


@given(names, addresses, st.data())
def test_exactly_one_candidate_wins_and_all_ways_of_asking_agree(
    nodes: set[NodeName], ip: object, data: st.DataObject
) -> None:
    address = ip_address(str(ip))
    scores = data.draw(st.dictionaries(st.sampled_from(sorted(nodes)), st.integers(0, 3))) if nodes else {}
    electorate = Electorate(nodes, scores)
    winners = [node for node in nodes if electorate.wins(node, address)]
    expected = min(nodes, key=lambda n: (-scores.get(n, 0), sha256(f"{n}#{address}".encode()).digest()), default=None)
    assert winners == ([] if expected is None else [expected])
    assert electorate.owner(address) == expected
    assert order(nodes, address, scores)[:1] == tuple(winners)


@given(names, addresses, st.text("xyz", min_size=1, max_size=3).map(NodeName))
def test_a_node_that_comes_takes_addresses_only_to_itself(nodes: set[NodeName], ip: object, newcomer: NodeName) -> None:
    address = ip_address(str(ip))
    before, after = Electorate(nodes, {}).owner(address), Electorate(nodes | {newcomer}, {}).owner(address)
    assert after in (before, newcomer)


@given(names.filter(bool), addresses)
def test_the_next_in_order_takes_over_when_the_owner_leaves(nodes: set[NodeName], ip: object) -> None:
    address = ip_address(str(ip))
    owner, *others = order(nodes, address, {})
    assert order(nodes - {owner}, address, {}) == tuple(others)
