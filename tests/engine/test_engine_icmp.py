"""What the error queue of a socket says, whoever made a router say it."""

import socket
import struct
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herald.bgp.diagnosis import Obstacle
from herald.engine import icmp

BY_ICMP, BY_ICMPV6, BY_US = 2, 3, 1
ROUTER4 = struct.pack("=HH4s8x", socket.AF_INET, 0, bytes((192, 0, 2, 1)))
ROUTER6 = struct.pack("=HHI16sI", socket.AF_INET6, 0, 0, ip_address("2001:db8::1").packed, 0)


def queued(origin: int, kind: int, code: int, reporter: bytes) -> bytes:
    return struct.pack("=IBBBxII", 113, origin, kind, code, 0, 0) + reporter


SAID = {
    "TTL expired": (queued(BY_ICMP, 11, 0, ROUTER4), "192.0.2.1", Obstacle.TTL_EXPIRED),
    "hop limit exceeded": (queued(BY_ICMPV6, 3, 0, ROUTER6), "2001:db8::1", Obstacle.TTL_EXPIRED),
    "prohibited": (queued(BY_ICMP, 3, 13, ROUTER4), "192.0.2.1", Obstacle.REJECTED),
    "prohibited, IPv6": (queued(BY_ICMPV6, 1, 1, ROUTER6), "2001:db8::1", Obstacle.REJECTED),
    "no host": (queued(BY_ICMP, 3, 1, ROUTER4), "192.0.2.1", Obstacle.NO_HOST),
    "something else": (queued(BY_ICMP, 12, 0, ROUTER4), "192.0.2.1", None),
}


@pytest.mark.parametrize(("data", "reporter", "obstacle"), SAID.values(), ids=SAID)
def test_what_was_said_and_by_whom(data: bytes, reporter: str, obstacle: Obstacle | None) -> None:
    told = icmp.decode(data)
    assert told is not None
    assert (told.reporter, told.obstacle) == (ip_address(reporter), obstacle)
    assert reporter in told.words


@pytest.mark.parametrize(
    "data",
    [b"", queued(BY_US, 0, 0, ROUTER4), queued(BY_ICMP, 11, 0, b""), queued(BY_ICMPV6, 3, 0, ROUTER6[:20])],
    ids=["nothing", "not by ICMP", "by nobody", "cut off"],
)
def test_what_no_router_said_is_nothing(data: bytes) -> None:
    assert icmp.decode(data) is None


@given(
    st.binary(max_size=64)
    | st.builds(queued, st.integers(0, 4), st.integers(0, 255), st.integers(0, 255), st.binary(max_size=32))
)
def test_fuzz_any_octets_are_words_or_nothing(data: bytes) -> None:
    told = icmp.decode(data)
    assert told is None or told.words.isprintable()
