"""Claims: what a node keeps, in the octets there are."""

from ipaddress import IPv4Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herald.announcement.claims import Claims, claims_of, decode, encode
from herald.marks import WIDTH, MarksError
from herald.net.ip_family import IPAddress

ROOM = 400
addresses = st.sets(st.ip_addresses(), max_size=300)


@given(addresses, st.integers(10, ROOM))
def test_every_address_is_covered_after_it_has_travelled_in_the_octets_there_are(
    held: set[IPAddress], room: int
) -> None:
    claims = claims_of(held, room)
    octets = encode(claims)
    assert len(octets) <= room
    assert decode(octets) == claims
    assert all(claims.cover(address) for address in held)


@given(st.binary(max_size=64))
def test_any_octets_are_claims_or_an_error(octets: bytes) -> None:
    try:
        claims = decode(octets)
    except MarksError:
        return
    assert all(0 <= mark < 1 << claims.bits for mark in claims.marks)


def mistaken(count: int) -> float:
    """The part of addresses that a node with `count` others covers by mistake."""
    claims = claims_of([IPv4Address(0x0A000000 + number) for number in range(count)], ROOM)
    others = [IPv4Address(0x0B000000 + number) for number in range(20_000)]
    found = sum(claims.cover(address) for address in others) / len(others)
    assert found == pytest.approx(claims.mistaken, abs=0.02)
    return found


@pytest.mark.parametrize(
    ("count", "most"),
    [
        pytest.param(10, 0.0, id="ten"),
        pytest.param(100, 0.0, id="a hundred"),
        pytest.param(200, 0.001, id="two hundred"),
        pytest.param(350, 0.02, id="three hundred and fifty"),
        pytest.param(600, 0.10, id="six hundred"),
    ],
)
def test_few_addresses_are_covered_by_mistake(count: int, most: float) -> None:
    assert mistaken(count) <= most


def test_far_too_many_cover_nearly_everything_so_that_a_claim_tells_nobody_from_anybody() -> None:
    assert mistaken(10_000) >= 0.95


@pytest.mark.parametrize(
    ("octets", "says"),
    [
        pytest.param(b"\x20\x1f", "the head alone has 4", id="cut off"),
        pytest.param(bytes((33, 0, 0, 0)), "marks of 33 bits", id="too many bits"),
        pytest.param(bytes((32, 5, 0, 9, 0)), "9 marks are told", id="too few marks"),
        pytest.param(bytes((1, 8, 0, 1, 0x7F, 0xFF)), "above what 1 bits hold", id="a mark out of range"),
    ],
)
def test_octets_that_are_no_claims(octets: bytes, says: str) -> None:
    with pytest.raises(MarksError, match=says):
        decode(octets)


def test_no_claims_are_no_octets() -> None:
    assert encode(claims_of([], ROOM)) == b""
    assert decode(b"") == Claims()
    assert not Claims().cover(ip_address("10.0.0.1"))
    assert claims_of([ip_address("10.0.0.1")], ROOM).bits == WIDTH
