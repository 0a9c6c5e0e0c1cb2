"""Who owns an address under `failback`, `flapDamping` and `spread`, beside speakers of MetalLB."""

from collections.abc import Mapping
from ipaddress import IPv4Address, ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herald.announcement.election import Electorate, order
from herald.announcement.ownership import Ownership, Terms
from herald.announcement.reason import Code
from herald.announcement.spread import Spreads
from herald.announcement.told import SILENT, Note, Told, compose, told_by
from herald.cluster.meta import NodeName
from herald.config.failback import NEVER
from herald.net.ip_family import IPAddress

A, B, C = (NodeName(f"node-{letter}") for letter in "abc")
EVERYONE = frozenset({A, B, C})
ADDRESS = ip_address("10.0.0.1")  # its order is b, a, c
KEEPS, DAMPS, EVENLY = Terms(NEVER), Terms(flap_damping=True), Terms(spread_evenly=True)
HELD, YIELDED = compose([ADDRESS], (), 100), compose([ADDRESS], (), 100, yields=True)


def ownership(
    terms: Terms,
    notes: Mapping[NodeName, Note | None] | None = None,
    scores: Mapping[NodeName, int] | None = None,
    told: Told | None = None,
    spreads: Spreads[Any] | None = None,
) -> Ownership:
    found = told or told_by({**dict.fromkeys(EVERYONE, SILENT), **(notes or {})})
    return Ownership(EVERYONE, scores or {}, terms, found, spreads or Spreads())


@pytest.mark.parametrize(
    ("terms", "notes", "scores", "owner", "code"),
    [
        pytest.param(KEEPS, {}, {}, B, None, id="nobody claims it: the plain winner"),
        pytest.param(KEEPS, {C: HELD}, {}, C, Code.KEPT, id="who claims it keeps it"),
        pytest.param(KEEPS, {C: HELD}, {A: 50}, C, Code.KEPT, id="preferred nodes wait too"),
        pytest.param(KEEPS, {A: HELD, C: HELD}, {}, A, Code.KEPT, id="of two the first by hash"),
        pytest.param(KEEPS, {A: HELD, C: HELD}, {C: 1}, C, None, id="of two the one that is preferred"),
        pytest.param(KEEPS, {A: YIELDED, C: HELD}, {}, C, Code.KEPT, id="of two the one that does not yield"),
        pytest.param(KEEPS, {A: YIELDED}, {}, A, Code.KEPT, id="who yields keeps what nobody else claims"),
        pytest.param(DAMPS, {C: HELD}, {}, B, None, id="without failback claims say nothing"),
        pytest.param(KEEPS, {B: None, C: HELD}, {}, B, None, id="MetalLB's takes what the plain election gives it"),
        pytest.param(KEEPS, {A: None, C: HELD}, {}, C, Code.KEPT, id="of the rest the others decide"),
    ],
)
def test_who_owns_an_address(
    terms: Terms,
    notes: Mapping[NodeName, Note | None],
    scores: Mapping[NodeName, int],
    owner: NodeName,
    code: Code | None,
) -> None:
    found = ownership(terms, notes, scores)
    assert found.owner(ADDRESS) == found.line(ADDRESS)[0] == owner
    assert [node for node in EVERYONE if found.wins(node, ADDRESS)] == [owner]
    assert set(found.line(ADDRESS)) == EVERYONE
    reason = found.instead(ADDRESS)
    assert (reason and reason.code) == code
    if code is not None:
        passed_over = found.passed_over(ADDRESS)
        assert passed_over is not None
        assert found.not_elected(passed_over, ADDRESS).code is code


@pytest.mark.parametrize(
    ("damped", "owner"),
    [
        pytest.param({B}, A, id="the next takes over"),
        pytest.param({C}, B, id="somebody else"),
        pytest.param({A, B}, C, id="two"),
        pytest.param({A, B, C}, B, id="all: then nobody is"),
    ],
)
def test_a_damped_node_stands_aside_unless_all_are(damped: set[NodeName], owner: NodeName) -> None:
    found = ownership(DAMPS, told=Told(damped=frozenset(damped)))
    assert found.owner(ADDRESS) == owner
    assert found.damped == (damped if damped != EVERYONE else set())
    assert all(found.not_elected(node, ADDRESS).code is Code.NODE_DAMPED for node in found.damped)
    assert ownership(KEEPS, told=Told(damped=frozenset(damped))).owner(ADDRESS) == B, "only where it is asked for"


def test_a_damped_owner_does_not_keep_its_address() -> None:
    terms = Terms(NEVER, flap_damping=True)
    claims = told_by({B: HELD, A: SILENT, C: SILENT}).claims
    assert ownership(terms, told=Told(claims, damped=frozenset({B}))).owner(ADDRESS) == A


nodes = st.sampled_from([NodeName(f"n{number}") for number in range(6)])
addresses = st.integers(0, 30).map(lambda number: IPv4Address(0x0A000000 + number))
notes = st.none() | st.builds(
    lambda held, damped, yields: compose(held, damped, 60, yields=yields),
    st.sets(addresses, max_size=12),
    st.sets(nodes, max_size=3),
    st.booleans(),
)
terms = st.builds(Terms, st.sampled_from([0.0, 300.0, NEVER]), st.booleans(), st.booleans())


@given(st.dictionaries(nodes, notes, min_size=1), st.sets(addresses), terms, st.dictionaries(nodes, st.integers(1, 2)))
def test_all_views_come_to_one_owner_and_metallbs_speakers_own_what_their_own_election_gives_them(
    told: dict[NodeName, Note | None], wanted: set[IPAddress], asked: Terms, scores: dict[NodeName, int]
) -> None:
    candidates = frozenset(told)

    def view(ordered: list[NodeName], first: list[IPAddress]) -> dict[IPAddress, NodeName | None]:
        """What a node comes to that heard of the others and of the addresses in another order."""
        spreads: Spreads[IPAddress] = Spreads()
        made = Ownership(candidates, scores, asked, told_by({node: told[node] for node in ordered}), spreads)
        for address in first:
            spreads.place(address, made.place(address))
        return {address: made.owner(address) for address in wanted}

    here = view(sorted(told), sorted(wanted, key=str))
    assert view(sorted(told, reverse=True), sorted(wanted, key=str, reverse=True)) == here
    assert None not in here.values()
    plain = Electorate(candidates, scores)
    foreign = {node for node, note in told.items() if note is None}
    for address, owner in here.items():
        if plain.owner(address) in foreign or owner in foreign:
            assert owner == plain.owner(address), "MetalLB's speakers answer for exactly this"


@given(st.sets(nodes, min_size=2), addresses, st.data())
def test_with_never_only_the_loss_of_the_owner_moves_an_address(
    members: set[NodeName], address: IPAddress, data: st.DataObject
) -> None:
    """Nodes go and return without claims, as after a crash; the owner claims what it holds."""
    alive = set(members)
    owner = order(alive, address, {})[0]
    for _ in range(10):
        flapping = data.draw(st.sampled_from(sorted(members)))
        alive ^= {flapping}
        if not alive:
            alive = {flapping}
        told = told_by({node: compose([address], (), 60) if node == owner else SILENT for node in alive})
        found = Ownership(frozenset(alive), {}, KEEPS, told, Spreads()).owner(address)
        assert found is not None
        if owner in alive:
            assert found == owner
        owner = found
