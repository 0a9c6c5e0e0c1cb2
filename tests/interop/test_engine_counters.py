"""What the engine counts, and vtysh, while a real FRR is its peer and a real client asks for its addresses."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from frr_router import HERALD, HERALD6, ROUTER, FrrRouter, eventually, frr_beside_herald
from segment import EngineProcess, arping, engine

from herald.bgp.community import Community
from herald.bgp.parameters import PeerParameters
from herald.bgp.route import Route
from herald.engine.link import Apply, PeerRoutes
from herald.layer2.holding import Holding
from herald.observe import engine_counts

pytestmark = [pytest.mark.netns, pytest.mark.interop]

ROUTER_CONFIG = f"""
hostname router
router bgp 64501
 bgp router-id {ROUTER}
 no bgp ebgp-requires-policy
 neighbor {HERALD} remote-as 64500
 address-family ipv6 unicast
  neighbor {HERALD} activate
"""
HELD = ip_address("10.50.0.200")
PEER = PeerParameters("tor", ip_address(ROUTER), 64500, 64501)
ROUTES = (
    Route(ip_network("192.168.1.200/32"), communities=(Community(64500 << 16 | 100),)),
    Route(ip_network("192.168.1.201/32")),
    Route(ip_network("2001:db8:1::200/128")),
)
WISH = Apply(reset=True, holdings=(Holding(HELD),), peers=(PEER,), routes=(PeerRoutes("tor", ROUTES, replace=True),))


@pytest.fixture
def frr() -> Iterator[FrrRouter]:
    with frr_beside_herald() as router:
        router.start(ROUTER_CONFIG)
        yield router


@pytest.fixture
async def herald(frr: FrrRouter, tmp_path: Path) -> AsyncIterator[EngineProcess]:
    async with engine(frr.herald_namespace, tmp_path) as process:
        await process.apply(WISH)
        await process.until(lambda facts: any(one.established for one in facts.sessions), "the session is up")
        await asyncio.to_thread(
            eventually, lambda: frr.show(f"bgp neighbors {HERALD}") and _received(frr) == (2, 1), "FRR has the routes"
        )
        yield process


def _received(frr: FrrRouter) -> tuple[int, int]:
    families = frr.neighbor()["addressFamilyInfo"]
    return tuple(families[name]["acceptedPrefixCounter"] for name in ("ipv4Unicast", "ipv6Unicast"))  # type: ignore[return-value]  # two


def _sent(frr: FrrRouter) -> int:
    sent: int = frr.neighbor()["messageStats"]["updatesSent"]
    return sent


async def vtysh(herald: EngineProcess, command: str) -> str:
    words = [sys.executable, "-m", "herald.cli.main", "vtysh", "--socket", str(herald.show_socket), "-c", command]
    process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    assert process.returncode == 0, out
    return out.decode()


async def test_what_is_counted_is_what_the_router_and_a_client_saw(frr: FrrRouter, herald: EngineProcess) -> None:
    answers = await arping(frr.namespace, str(HELD), count=2)
    assert len(answers) == 1
    await asyncio.to_thread(
        eventually, lambda: _sent(frr) == 3 + 2, "FRR has sent the routes back, and two End-of-RIBs"
    )
    counts = await engine_counts.ask(herald.show_socket)
    assert counts is not None
    requests, replies, gratuitous = counts.layer2[str(HELD)]
    assert requests == replies >= 2
    assert gratuitous >= 2
    (session,) = counts.bgp
    theirs = frr.neighbor()["messageStats"]
    assert (session.endpoint, session.established, session.advertised, session.wanted) == (f"{ROUTER}:179", True, 3, 3)
    assert session.messages_out["update"] == theirs["updatesRecv"]
    assert session.messages_out["open"] == theirs["opensRecv"] == 1
    assert session.messages_in["update"] == theirs["updatesSent"]
    assert counts.stats.rss > 10_000_000


async def test_a_released_address_and_a_dropped_peer_are_counted_no_more(herald: EngineProcess) -> None:
    await herald.apply(Apply(reset=True))
    await herald.until(lambda facts: facts.sessions == (), "the session is forgotten")
    counts = await engine_counts.ask(herald.show_socket)
    assert counts is not None
    assert (counts.bgp, counts.layer2) == ((), {})


async def test_ten_thousand_addresses_are_told(herald: EngineProcess) -> None:
    many = tuple(Holding(ip_address("10.200.0.0") + number) for number in range(10_000))
    await herald.apply(Apply(holdings=many))
    for _ in range(200):
        counts = await engine_counts.ask(herald.show_socket)
        assert counts is not None
        if len(counts.layer2) == 10_001:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("not all addresses are told")


async def test_vtysh_tells_what_the_router_has_from_here(frr: FrrRouter, herald: EngineProcess) -> None:
    ours = json.loads(await vtysh(herald, "show bgp summary json"))
    for family, sent in (("ipv4Unicast", 2), ("ipv6Unicast", 1)):
        peer = ours[family]["peers"][ROUTER]
        assert (peer["state"], peer["pfxSnt"], peer["remoteAs"], peer["localAs"]) == ("Established", sent, 64501, 64500)
    theirs = frr.show("ip bgp")["routes"]
    assert json.loads(await vtysh(herald, "show ip bgp json"))["routes"].keys() == theirs.keys()
    (told,) = json.loads(await vtysh(herald, "show bgp ipv6 unicast neigh 10.50.0.1 adv json"))[
        "advertisedRoutes"
    ].values()
    (path,) = frr.show("bgp ipv6 unicast 2001:db8:1::200/128")["paths"]
    assert told["nextHopGlobal"] == HERALD6 in [hop["ip"] for hop in path["nexthops"]]
    entry = await vtysh(herald, "show bgp ipv4 unicast 192.168.1.200/32")
    assert "  Advertised to non peer-group peers:\n  10.50.0.1\n" in entry
    assert "      Community: 64500:100\n" in entry
    neighbor = json.loads(await vtysh(herald, f"show bgp neighbors {ROUTER} json"))[ROUTER]
    seen = frr.neighbor()
    assert neighbor["localRouterId"] == seen["remoteRouterId"]
    assert neighbor["hostLocal"] == seen["hostForeign"] == HERALD
    assert neighbor["bgpTimerHoldTimeMsecs"] == seen["bgpTimerHoldTimeMsecs"]
