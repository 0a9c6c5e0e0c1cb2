"""What speakers tell each other travels with their names, and only a majority damps a node."""

from collections.abc import Mapping
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herald.announcement.told import MOST_DAMPED, SILENT, Note, claimed_otherwise, compose, decode, encode, told_by
from herald.cluster.meta import NodeName

A, B, C, D = (NodeName(f"node-{letter}") for letter in "abcd")
ADDRESS, OTHER = ip_address("10.0.0.1"), ip_address("10.0.0.2")
names = st.sets(st.text("abc", min_size=1).map(NodeName), max_size=20)


@given(st.sets(st.ip_addresses(), max_size=60), names, st.integers(20, 500), st.booleans())
def test_a_note_fits_and_says_afterwards_what_it_said_before(
    held: set[object], damped: set[NodeName], room: int, yields: bool
) -> None:
    note = compose(held, damped, room, yields=yields)  # type: ignore[arg-type]  # hypothesis has no type for both
    octets = encode(note)
    assert len(octets) <= room
    assert len(note.damped) <= MOST_DAMPED
    if octets:
        assert decode(octets) == note
    else:
        assert note == SILENT


@given(st.binary(max_size=80))
def test_any_octets_are_a_note(octets: bytes) -> None:
    assert isinstance(decode(octets), Note)


def test_nothing_to_tell_is_no_octets() -> None:
    assert encode(SILENT) == b""
    assert decode(b"") == SILENT


def saying(*damped: NodeName) -> Note:
    return compose((), damped, 200)


@pytest.mark.parametrize(
    ("notes", "damped"),
    [
        pytest.param({A: SILENT, B: SILENT, C: SILENT}, set(), id="nobody says so"),
        pytest.param({A: saying(C), B: saying(C), C: SILENT}, {C}, id="all others say so"),
        pytest.param({A: saying(C), B: SILENT, C: SILENT}, set(), id="half is no majority"),
        pytest.param({A: saying(B), B: SILENT}, {B}, id="the only other one"),
        pytest.param({A: saying(B, C, D), B: SILENT, C: SILENT, D: SILENT}, set(), id="one that finds fault with all"),
        pytest.param({A: saying(C), B: saying(C), D: SILENT, C: SILENT}, {C}, id="two of three"),
        pytest.param({A: saying(C), B: saying(C), C: None}, {C}, id="one of MetalLB's can be damped"),
        pytest.param({A: saying(C), B: None, C: SILENT}, {C}, id="MetalLB's have no vote"),
        pytest.param({A: saying(A), B: SILENT}, set(), id="about itself it says nothing"),
    ],
)
def test_a_node_is_damped_if_most_of_the_others_say_so(
    notes: Mapping[NodeName, Note | None], damped: set[NodeName]
) -> None:
    assert told_by(notes).damped == damped


def test_who_has_no_note_is_foreign_and_only_who_claims_has_claims() -> None:
    told = told_by({A: compose([ADDRESS], (), 100), B: SILENT, C: None})
    assert told.claims.keys() == {A}
    assert told.foreign == {C}


def test_it_can_be_told_which_addresses_are_claimed_otherwise() -> None:
    before = told_by({A: compose([ADDRESS], (), 100), B: SILENT})
    after = told_by({A: compose([ADDRESS], (), 100), B: compose([OTHER], (), 100)})
    yields = told_by({A: compose([ADDRESS], (), 100, yields=True), B: SILENT})
    assert [claimed_otherwise(before, after)(address) for address in (ADDRESS, OTHER)] == [False, True]
    assert [claimed_otherwise(before, yields)(address) for address in (ADDRESS, OTHER)] == [True, False]
