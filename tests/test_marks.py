"""Sets of numbers in few octets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herald.marks import MarksError, decode, encode, length


@st.composite
def sets(draw: st.DrawFn) -> tuple[frozenset[int], int]:
    bits = draw(st.integers(0, 32))
    return draw(st.frozensets(st.integers(0, (1 << bits) - 1), max_size=60)), bits


@given(sets())
def test_a_set_is_read_as_it_was_written_and_as_long_as_was_foretold(one: tuple[frozenset[int], int]) -> None:
    octets = encode(*one)
    assert decode(octets) == one
    assert len(octets) == length(*one)


@given(st.binary(max_size=80))
def test_fuzz_any_octets_are_a_set_or_refused(octets: bytes) -> None:
    try:
        marks, bits = decode(octets)
    except MarksError:
        return
    assert all(0 <= mark < 1 << bits for mark in marks)


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (b"\x10", "the head alone has 4"),
        (bytes((33, 0, 0, 0)), "neither is above 32"),
        (bytes((8, 0, 0, 2, 0x7F)), "2 marks are told and only 1 are there"),
        (bytes((1, 0, 0, 1, 0b1110_1111)), "a mark above what 1 bits hold"),
    ],
)
def test_what_is_no_set_is_refused_with_the_reason(octets: bytes, why: str) -> None:
    with pytest.raises(MarksError, match=why):
        decode(octets)
