"""Packets through a router while the speaker behind it is replaced, with BFD beside BGP and a kernel that forwards.

The router is FRR with zebra, so its kernel has the route; pings go from the router to the address of the service, which
the node's kernel takes, whatever becomes of the speaker.
"""

import asyncio
import re
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from bfd_router import HERALD, Frr, Wire, frr, wire
from frr_router import eventually, run
from segment import EngineProcess, engine
from test_bfd_frr import PROFILE, ROUTE, config, peer, wish

from herald.bgp.parameters import PeerParameters

pytestmark = [pytest.mark.netns, pytest.mark.interop]

VIP = str(ROUTE.prefix.network_address)


@pytest.fixture
def link() -> Iterator[Wire]:
    with wire() as made:
        run("ip", "-n", made.herald, "address", "add", f"{VIP}/32", "dev", "lo")
        yield made


class Pings:
    """One packet every 5 ms to the service, through the router's kernel, until `lost` is asked."""

    def __init__(self, link: Wire, directory: Path) -> None:
        self._said = directory / "pings"
        words = ["ip", "netns", "exec", link.router, "ping", "-n", "-i", "0.005", "-W", "1", VIP]
        with self._said.open("wb") as said:
            self._process = subprocess.Popen(words, stdout=said, stderr=subprocess.STDOUT)

    async def lost(self) -> tuple[int, int]:
        """How many were answered, and how many before the last of these were not.

        The ping that is under way when it is told to end is nobody's loss.
        """
        self._process.send_signal(signal.SIGINT)
        await asyncio.to_thread(self._process.wait)
        answered = {int(number) for number in re.findall(r"icmp_seq=(\d+) ttl", self._said.read_text())}
        return len(answered), max(answered) - len(answered)


@asynccontextmanager
async def serving(link: Wire, router: Frr, directory: Path, parameters: PeerParameters) -> AsyncIterator[EngineProcess]:
    """A speaker whose route is in the router's kernel, and whose BFD session is up where there is to be one."""
    async with engine(link.herald, directory) as herald:
        await herald.apply(wish(parameters))
        await asyncio.to_thread(eventually, lambda: in_kernel(link), "the router's kernel has the route")
        if parameters.bfd is not None:
            await asyncio.to_thread(eventually, lambda: router.bfd().get("status") == "up", "BFD is up")
        yield herald


def in_kernel(link: Wire) -> bool:
    return f"via {HERALD}" in run("ip", "-n", link.router, "route", "show", f"{VIP}/32")


def state(router: Frr) -> str:
    paths = router.show(f"bgp ipv4 unicast {VIP}/32").get("paths", [])
    return "gone" if not paths else "stale" if paths[0].get("stale") else "fresh"


@pytest.mark.parametrize("bfd", [None, PROFILE], ids=["without-bfd", "with-bfd"])
async def test_an_update_of_the_speaker_loses_no_packet(link: Wire, tmp_path: Path, bfd: object) -> None:
    parameters = peer(restart_time=60, bfd=bfd)
    with frr(link.router, config(HERALD) if bfd else config(HERALD).replace(f" neighbor {HERALD} bfd", " !")) as router:
        async with serving(link, router, tmp_path, parameters) as herald:
            pings = Pings(link, tmp_path)
            assert await herald.end() == 0
            await asyncio.to_thread(eventually, lambda: state(router) == "stale", "the route is kept")
            await asyncio.sleep(1)
            assert state(router) == "stale"
            await herald.restart()
            await herald.apply(wish(parameters))
            await asyncio.to_thread(eventually, lambda: state(router) == "fresh", "the route is fresh again")
            if bfd is not None:
                await asyncio.to_thread(eventually, lambda: router.bfd().get("status") == "up", "BFD is up again")
            await asyncio.sleep(0.5)
            sent, lost = await pings.lost()
            assert (sent > 100, lost) == (True, 0)


async def test_a_crash_of_the_engine_loses_no_packet_without_bfd(link: Wire, tmp_path: Path) -> None:
    parameters = peer(restart_time=60, bfd=None)
    with frr(link.router, config(HERALD).replace(f" neighbor {HERALD} bfd", " !")) as router:
        async with serving(link, router, tmp_path, parameters) as herald:
            pings = Pings(link, tmp_path)
            await herald.end(signal.SIGKILL)
            await asyncio.to_thread(eventually, lambda: state(router) == "stale", "the route is kept")
            await herald.restart()
            await herald.apply(wish(parameters))
            await asyncio.to_thread(eventually, lambda: state(router) == "fresh", "the route is fresh again")
            sent, lost = await pings.lost()
            assert (sent > 50, lost) == (True, 0)
