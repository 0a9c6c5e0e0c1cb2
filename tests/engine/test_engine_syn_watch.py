"""How a silent peer dials us is seen, over both families, and nothing else is."""

import asyncio
import contextlib
import os
import socket
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herald.bgp import tcp_md5
from herald.bgp.diagnosis import PeerSyn
from herald.bgp.parameters import Password
from herald.engine.syn_watch import SynWatch, segment_of

pytestmark = pytest.mark.netns

OWN = f"127.{os.getpid() >> 16 & 0x7F}.{os.getpid() >> 8 & 0xFF}.{os.getpid() & 0xFF or 1}"
"""Other test processes share the loopback interface; only this one uses ::1 with the port of BGP."""
PLACES = [pytest.param(socket.AF_INET, OWN, id="ipv4"), pytest.param(socket.AF_INET6, "::1", id="ipv6")]


@pytest.fixture
def watch() -> SynWatch:
    return SynWatch()


def knock(family: int, source: str, port: int = 179) -> None:
    """A SYN from `source` to this host, which nobody takes."""
    with socket.socket(family, socket.SOCK_STREAM) as dialling:
        dialling.bind((source, 0))
        with contextlib.suppress(ConnectionRefusedError):
            dialling.connect((source, port))


async def seen(watch: SynWatch, source: str) -> PeerSyn | None:
    for _ in range(50):
        await asyncio.sleep(0.01)
        if (found := watch.verdict(ip_address(source), Password("x"))) is not None:
            return found
    return None


@pytest.mark.parametrize(("family", "source"), PLACES)
async def test_a_peer_that_dials_our_bgp_port_is_seen_until_it_is_forgotten(
    watch: SynWatch, family: int, source: str
) -> None:
    before = open_files()
    watch.begin(ip_address(source))
    knock(family, source, port=178)
    assert await seen(watch, source) is None, "another port"
    knock(family, source)
    assert await seen(watch, source) is PeerSyn.UNSIGNED
    watch.forget(ip_address(source))
    assert watch.verdict(ip_address(source), None) is None
    assert open_files() == before, "nobody is watched any more"


async def test_strangers_are_not_remembered(watch: SynWatch) -> None:
    watch.begin(ip_address("192.0.2.1"))
    knock(socket.AF_INET, OWN)
    assert await seen(watch, OWN) is None
    watch.close()


def open_files() -> int:
    return len(list(Path(f"/proc/{os.getpid()}/fd").iterdir()))


SYN4 = bytes.fromhex("4500002800010000400600000a0000010a000002") + bytes.fromhex("9c4000b3") + bytes(16)
SYN6 = bytes.fromhex("6000000000140640") + ip_address("fd00::1").packed + ip_address("fd00::2").packed + bytes(20)


def test_the_segment_of_a_packet_is_found() -> None:
    assert segment_of(SYN4) == (ip_address("10.0.0.1"), ip_address("10.0.0.2"), SYN4[20:])
    assert segment_of(SYN6) == (ip_address("fd00::1"), ip_address("fd00::2"), SYN6[40:])
    assert segment_of(SYN4[:39]) is None
    assert segment_of(SYN6[:59]) is None


@given(st.binary(max_size=128) | st.tuples(st.sampled_from([SYN4, SYN6]), st.integers(0, 59), st.integers(0, 255)))
def test_fuzz_any_packet_has_a_whole_segment_or_none(case: bytes | tuple[bytes, int, int]) -> None:
    packet = bytearray(case if isinstance(case, bytes) else case[0])
    if not isinstance(case, bytes):
        packet[case[1] % len(packet)] = case[2]
    found = segment_of(bytes(packet))
    if found is not None:
        source, destination, segment = found
        assert source.version == destination.version
        assert len(segment) >= 20
        assert tcp_md5.judge(segment, source, destination, Password("x")) in PeerSyn
