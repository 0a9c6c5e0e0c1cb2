"""How a silent peer dials us is seen, over both families, and nothing else is."""

import asyncio
import contextlib
import os
import socket
from ipaddress import ip_address
from pathlib import Path

import pytest

from herald.bgp.diagnosis import PeerSyn
from herald.bgp.parameters import Password
from herald.engine.syn_watch import SynWatch

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
