"""BFD against a real BIRD 2: the second opinion, of another school than FRR."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import matrix_bird
import pytest
from bfd_router import HERALD, HERALD6, ROUTER, ROUTER6, Wire, keep_in_time, two_hops, wire
from matrix_neighbor import Neighbor
from segment import EngineProcess, engine, eventually
from unnumbered_routers import daemons

from herald.bfd.profile import BFDProfile
from herald.bgp.parameters import PeerParameters
from herald.engine.link import Apply

pytestmark = [pytest.mark.netns, pytest.mark.interop]

WATCH = """
protocol bfd {
  interface "eth0" { min rx interval 50 ms; min tx interval 50 ms; multiplier 3; };
  multihop { interval 100 ms; multiplier 3; };
}
"""
PROFILE = BFDProfile("fast", receive_interval_ms=50, transmit_interval_ms=50)


class Bird(matrix_bird.Bird):
    def bfd(self, address: str) -> list[str]:
        """Its row of `show bfd sessions`: address, interface, state, since, interval, timeout."""
        rows = self.show("bfd sessions").splitlines()
        return next((row.split() for row in rows if row.split()[:1] == [address]), [])


@contextmanager
def bird(namespace: str, neighbor: str, *, asn: int = 64500, how: str = "direct") -> Iterator[Bird]:
    theirs = Neighbor(address=neighbor, local=ROUTER6 if ":" in neighbor else ROUTER, asn=asn)
    block = matrix_bird.block(theirs, how, "passive off", "bfd on", "error wait time 1,2")
    with daemons(namespace) as there:
        router = Bird(there, matrix_bird.HEAD + WATCH + block)
        keep_in_time(router.process)
        yield router


def peer(address: str = ROUTER, **more: Any) -> PeerParameters:
    fields = {"local_asn": 64500, "peer_asn": 64501, "bfd": PROFILE, "hold_time": 9} | more
    return PeerParameters("bird", ip_address(address), **fields)


@asynccontextmanager
async def speaking(link: Wire, directory: Path, parameters: PeerParameters) -> AsyncIterator[EngineProcess]:
    async with engine(link.herald, directory) as herald:
        await herald.apply(Apply(reset=True, peers=(parameters,)))
        await herald.until(
            lambda facts: any(one.established and one.bfd == "Up" for one in facts.sessions), "both are up"
        )
        yield herald


async def shown(herald: EngineProcess) -> Any:
    (session,) = json.loads(await herald.show("bfd"))["data"]["sessions"]
    return session


@pytest.fixture
def link() -> Iterator[Wire]:
    with wire() as made:
        yield made


async def agreed(herald: EngineProcess, router: Bird, of: str, interval: str, detection: str) -> None:
    """Wait until BIRD says that these hold."""
    async with asyncio.timeout(10):
        while router.bfd(of)[-2:] != [interval, detection]:  # noqa: ASYNC110  # it happens in another process
            await asyncio.sleep(0.05)
    assert router.bfd(of)[2] == "Up"


@pytest.mark.matrix("BIRD", "bfd-single-hop")
@pytest.mark.parametrize(("at", "of"), [(ROUTER, HERALD), (ROUTER6, HERALD6)], ids=["IPv4", "IPv6"])
async def test_a_single_hop_session_is_up(link: Wire, tmp_path: Path, at: str, of: str) -> None:
    with bird(link.router, of) as router:
        async with speaking(link, tmp_path, peer(at)) as herald:
            await agreed(herald, router, of, "0.050", "0.150")
            assert (await shown(herald))["detectionTime"] == 150.0


@pytest.mark.matrix("BIRD", "bfd-multihop")
async def test_a_multihop_session_is_up_once_minimum_ttl_allows_the_ttl_of_bird(tmp_path: Path) -> None:
    """BIRD 2.0 sends multihop BFD with TTL 64."""
    with two_hops() as far, bird(far.router, HERALD, how="multihop 3") as router:
        parameters = peer(multihop=True, source_address=ip_address(HERALD), bfd=replace(PROFILE, minimum_ttl=60))
        async with speaking(far, tmp_path, parameters) as herald:
            await agreed(herald, router, HERALD, "0.100", "0.300")
            assert (await shown(herald))["multihop"] is True


async def test_an_interval_that_changes_is_followed_without_a_flap(link: Wire, tmp_path: Path) -> None:
    with bird(link.router, HERALD) as router:
        async with speaking(link, tmp_path, peer()) as herald:
            await agreed(herald, router, HERALD, "0.050", "0.150")
            slower = replace(PROFILE, transmit_interval_ms=200, receive_interval_ms=100, detect_multiplier=5)
            await herald.apply(Apply(peers=(peer(bfd=slower),)))
            await agreed(herald, router, HERALD, "0.100", "1.000")
            assert (await shown(herald))["downs"] == 0


async def test_a_bird_that_is_killed_takes_bgp_down_by_bfd_where_tcp_says_nothing(link: Wire, tmp_path: Path) -> None:
    with bird(link.router, HERALD):
        async with speaking(link, tmp_path, peer()) as herald:
            link.unplug()
            await herald.until(lambda facts: not facts.sessions[0].established, "BGP is down")
            error = str(herald.facts.sessions[0].last_error)
            assert error.startswith("we sent Cease/BFD Down: control detection time expired")
            link.plug()
            await herald.until(
                lambda facts: facts.sessions[0].established and facts.sessions[0].bfd == "Up", "both are up again"
            )


async def test_bird_is_told_of_a_shutdown(link: Wire, tmp_path: Path) -> None:
    with bird(link.router, HERALD) as router:
        async with speaking(link, tmp_path, peer()) as herald:
            await agreed(herald, router, HERALD, "0.050", "0.150")
            assert await herald.end() == 0
            await eventually(lambda: "Message:" in router.show("protocols all"), "BIRD has heard why")
