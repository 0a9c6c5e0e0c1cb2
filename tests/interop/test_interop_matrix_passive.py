"""The cells of the interop matrix in which the daemon dials: Herald waits, by `--bgp-listen`, for a passive peer."""

from dataclasses import replace
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from frr_router import HERALD, ROUTER, frr_beside_herald, run
from matrix_neighbor import Neighbor
from matrix_place import run_daemon
from matrix_registry import DAEMONS
from segment import engine, eventually

from herald.bgp.parameters import Password, PeerParameters
from herald.bgp.route import Route
from herald.engine.link import Apply, PeerRoutes

pytestmark = [pytest.mark.netns, pytest.mark.interop]

THEIRS = Neighbor(dials=True, password="secret123")
OURS = PeerParameters(
    "router", ip_address(ROUTER), 64500, 64501, hold_time=9, passive=True, password=Password("secret123")
)
PREFIX = "192.168.1.0/24"
WISH = Apply(reset=True, peers=(OURS,), routes=(PeerRoutes("router", (Route(ip_network(PREFIX)),)),))


@pytest.mark.parametrize(
    "daemon",
    [pytest.param(daemon, id=f"{daemon}-passive", marks=pytest.mark.matrix(daemon, "passive")) for daemon in DAEMONS],
)
async def test_a_daemon_with_a_password_dials_and_learns_the_route(daemon: str, tmp_path: Path) -> None:
    with frr_beside_herald() as place:
        async with engine(place.herald_namespace, tmp_path, "n1", "--bgp-listen", ":179") as herald:
            await herald.apply(WISH)
            waits = ("ip", "netns", "exec", place.herald_namespace, "ss", "-Hltn")
            await eventually(lambda: ":179" in run(*waits), "Herald listens")
            with run_daemon(daemon, place.namespace, THEIRS) as there:
                await eventually(lambda: there.session(THEIRS).established, f"{daemon} says that it is up", 30)
                await eventually(lambda: there.learnt(THEIRS, PREFIX) is not None, f"{daemon} has the route")
                learnt = there.learnt(THEIRS, PREFIX)
                assert learnt is not None
                assert (learnt.next_hops, learnt.as_path) == ((HERALD,), (64500,))
                dialled = ("ss", "-Htn", "state", "established", "dst", f"{HERALD}:179")
                assert run("ip", "netns", "exec", place.namespace, *dialled), "it is the daemon that has dialled"
                await herald.apply(replace(WISH, peers=(), routes=()))
                await eventually(lambda: not there.session(THEIRS).established, f"{daemon} says that it is over")
