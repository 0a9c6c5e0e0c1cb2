"""BFD against a real FRR: zebra, bfdd and bgpd. What bfdd sees is read from its own CLI."""

import asyncio
import json
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
from bfd_router import HERALD, HERALD6, ROUTER, ROUTER6, Frr, Wire, frr, two_hops, wire
from frr_router import run
from segment import EngineProcess, engine
from segment import inside as in_namespace

from herald.bfd.profile import BFDProfile
from herald.bgp.parameters import PeerParameters
from herald.bgp.route import Route
from herald.engine.link import Apply, PeerRoutes, SessionFact

pytestmark = [pytest.mark.netns, pytest.mark.interop]

PROFILE = BFDProfile("fast", receive_interval_ms=50, transmit_interval_ms=50)
ECHOING = BFDProfile("echo", 300, 300, echo_interval_ms=50, echo_mode=True)
FRR_ECHOES = "  echo-mode\n  echo transmit-interval 50\n  echo receive-interval 50"
ROUTE = Route(ip_network("192.168.7.1/32"))


def config(neighbor: str, *, asn: int = 64500, profile: str = "", session: str = "", multihop: bool = False) -> str:
    """frr.conf with one neighbor that BFD watches over. `profile` and `session` are further lines of those blocks."""
    lines = ["hostname router", "bfd", " profile fast", "  transmit-interval 50", "  receive-interval 50", profile]
    lines += [" exit", session, "exit", "router bgp 64501", f" bgp router-id {ROUTER}", " no bgp ebgp-requires-policy"]
    lines += [f" neighbor {neighbor} remote-as {asn}", f" neighbor {neighbor} bfd"]
    lines += [f" neighbor {neighbor} bfd profile fast", f" neighbor {neighbor} timers 3 9"]
    if multihop:
        lines += [f" neighbor {neighbor} ebgp-multihop 3"]
        lines += [f" neighbor {neighbor} update-source {ROUTER6 if ':' in neighbor else ROUTER}"]
    return "\n".join(line for line in lines if line) + "\n"


def peer(address: str = ROUTER, **more: Any) -> PeerParameters:
    fields = {"local_asn": 64500, "peer_asn": 64501, "bfd": PROFILE, "hold_time": 9} | more
    return PeerParameters("router", ip_address(address), **fields)


def wish(parameters: PeerParameters) -> Apply:
    return Apply(reset=True, peers=(parameters,), routes=(PeerRoutes("router", (ROUTE,), replace=True),))


@pytest.fixture
def link() -> Iterator[Wire]:
    with wire() as made:
        yield made


async def shown(herald: EngineProcess) -> Any:
    """What `herald show bfd` is answered of its only session."""
    (session,) = json.loads(await herald.show("bfd"))["data"]["sessions"]
    return session


async def until(true: Callable[[], Awaitable[object]], seconds: float = 10.0) -> None:
    """Wait until `true()` is."""
    async with asyncio.timeout(seconds):
        while not await true():  # noqa: ASYNC110  # it happens in another process
            await asyncio.sleep(0.02)


async def status(router: Frr, of: str = HERALD) -> str:
    """What bfdd says of its session."""
    return str(router.bfd(of).get("status"))


def inside(namespace: str, *words: str) -> None:
    subprocess.run(["ip", "netns", "exec", namespace, *words], check=True)


async def is_looped(herald: EngineProcess) -> bool:
    return bool((await shown(herald))["echo"]["looped"])


async def follows(router: Frr, herald: EngineProcess, interval: int) -> bool:
    """Whether bfdd has heard of this interval and has confirmed it."""
    return router.bfd()["remote-transmit-interval"] == interval and not (await shown(herald))["polling"]


async def flaps(herald: EngineProcess) -> int:
    """How often the BGP session went down."""
    (session,) = json.loads(await herald.show("bgp summary"))["data"]
    return int(session["flaps"])


def fact(herald: EngineProcess) -> SessionFact:
    return next(iter(herald.facts.sessions), SessionFact("router", established=False, state="unknown"))


@asynccontextmanager
async def speaking(
    link: Wire, router: Frr, directory: Path, parameters: PeerParameters, of: str = HERALD
) -> AsyncIterator[EngineProcess]:
    """An engine whose BGP and BFD sessions are up, seen from both ends, with the wanted intervals in force."""
    async with engine(link.herald, directory) as herald:
        await herald.apply(wish(parameters))
        await settled(herald, router, of)
        yield herald


async def settled(herald: EngineProcess, router: Frr, of: str = HERALD) -> None:
    await herald.until(lambda facts: any(one.established and one.bfd == "Up" for one in facts.sessions), "both are up")

    async def agreed() -> bool:
        return await status(router, of) == "up" and not (await shown(herald))["polling"]

    await until(agreed)
    await asyncio.sleep(0.3)


@pytest.mark.matrix("FRR", "bfd-single-hop")
@pytest.mark.parametrize(("at", "of"), [(ROUTER, HERALD), (ROUTER6, HERALD6)], ids=["IPv4", "IPv6"])
async def test_a_single_hop_session_is_up_with_the_agreed_intervals(
    link: Wire, tmp_path: Path, at: str, of: str
) -> None:
    with frr(link.router, config(of)) as router:
        async with speaking(link, router, tmp_path, peer(at), of) as herald:
            theirs, ours = router.bfd(of), await shown(herald)
            assert (theirs["multihop"], theirs["remote-transmit-interval"], theirs["remote-receive-interval"]) == (
                False, 50, 50,
            )  # fmt: skip
            assert (theirs["remote-detect-multiplier"], theirs["diagnostic"]) == (3, "ok")
            assert (ours["state"], ours["sendingEvery"], ours["detectionTime"]) == ("Up", 50.0, 150.0)
            assert ours["remoteDiscriminator"] == theirs["id"]
            assert theirs["remote-id"] == ours["discriminator"]
            assert (await flaps(herald), ours["downs"]) == (0, 0), "nothing flapped on the way up"


@pytest.mark.matrix("FRR", "bfd-multihop")
@pytest.mark.parametrize(("at", "of"), [(ROUTER, HERALD), (ROUTER6, HERALD6)], ids=["IPv4", "IPv6"])
async def test_a_multihop_session_is_up_over_a_router(tmp_path: Path, at: str, of: str) -> None:
    with two_hops() as far, frr(far.router, config(of, multihop=True, profile="  minimum-ttl 250")) as router:
        parameters = peer(at, multihop=True, source_address=ip_address(of))
        async with speaking(far, router, tmp_path, parameters, of) as herald:
            theirs, ours = router.bfd(of), await shown(herald)
            assert (theirs["multihop"], ours["multihop"], ours["minimumTTL"]) == (True, True, 254)
            assert ours["state"] == "Up"


async def test_a_far_peer_below_minimum_ttl_is_not_heard_and_it_is_said_why(tmp_path: Path) -> None:
    strict = BFDProfile("strict", 50, 50, minimum_ttl=254)
    with two_hops() as far, frr(far.router, config(HERALD, multihop=True)) as router:
        assert far.middle is not None
        add = "add chain ip t f { type filter hook forward priority 0; }"
        for words in ("add table ip t", add, "add rule ip t f ip ttl set 100"):
            inside(far.middle, "nft", words)
        async with engine(far.herald, tmp_path) as herald:
            await herald.apply(wish(peer(multihop=True, source_address=ip_address(HERALD), bfd=strict)))
            await herald.until(lambda facts: any(one.established for one in facts.sessions), "BGP is up")

            async def has_dropped() -> bool:
                return bool(json.loads(await herald.show("bfd"))["data"]["dropped"])

            await until(has_dropped)
            ours = await shown(herald)
            assert ours["problem"] == ("packets of the peer come with TTL 100, below minimumTtl 254 of the BFDProfile")
            assert (ours["state"], fact(herald).established) == ("Down", True)
        assert router.bfd()["status"] == "down"


async def test_an_internal_peer_on_the_link_is_watched_over_a_single_hop(link: Wire, tmp_path: Path) -> None:
    with frr(link.router, config(HERALD, asn=64501)) as router:
        async with speaking(link, router, tmp_path, peer(local_asn=64501)) as herald:
            assert (await shown(herald))["multihop"] is False


@pytest.mark.parametrize("daemons", [("bfdd",), ("bfdd", "bgpd")], ids=["bfdd killed", "the router killed"])
async def test_a_peer_that_dies_takes_bgp_down_within_the_detection_time(
    link: Wire, tmp_path: Path, daemons: tuple[str, ...]
) -> None:
    with frr(link.router, config(HERALD)) as router:
        async with speaking(link, router, tmp_path, peer()) as herald:
            for daemon in daemons:
                router.kill(daemon)
            await herald.until(lambda facts: not facts.sessions[0].established, "BGP is down")
            await herald.until(lambda facts: facts.sessions[0].bfd != "Up", "BFD is down")
            if daemons == ("bfdd",):
                assert str(fact(herald).last_error).startswith("we sent Cease/BFD Down: control detection time expired")
            assert (await shown(herald))["downDiagnostic"] == "control detection time expired"


async def test_a_cut_wire_is_noticed_by_both_ends_and_mended_both_come_back(link: Wire, tmp_path: Path) -> None:
    with frr(link.router, config(HERALD)) as router:
        async with speaking(link, router, tmp_path, peer()) as herald:
            link.unplug()
            cut = time.monotonic()
            await herald.until(lambda facts: not facts.sessions[0].established, "BGP is down")
            assert time.monotonic() - cut < 3, "long before the hold time of nine seconds"
            assert str(fact(herald).last_error).startswith("we sent Cease/BFD Down: control detection time expired")
            link.plug()
            await settled(herald, router)
            assert '"event":"bfdDown"' in herald.log.read_text()


async def test_bgp_alone_comes_up_again_where_only_bfd_is_lost(link: Wire, tmp_path: Path) -> None:
    with frr(link.router, config(HERALD)) as router:
        async with speaking(link, router, tmp_path, peer()) as herald:
            link.lose_bfd()
            await herald.until(lambda facts: not facts.sessions[0].established, "BGP is down")
            await herald.until(lambda facts: facts.sessions[0].established, "and up again without BFD")
            assert fact(herald).bfd != "Up"
            link.let_bfd()
            await settled(herald, router)
            assert (await shown(herald))["downs"] == 1


async def test_a_peer_without_bfd_is_a_peer(link: Wire, tmp_path: Path) -> None:
    text = config(HERALD).replace(f" neighbor {HERALD} bfd profile fast\n", "").replace(f" neighbor {HERALD} bfd\n", "")
    with frr(link.router, text) as router:
        async with engine(link.herald, tmp_path) as herald:
            await herald.apply(wish(peer()))
            await herald.until(lambda facts: any(one.established for one in facts.sessions), "BGP is up")
            await asyncio.sleep(2)
            assert (fact(herald).established, fact(herald).bfd) == (True, "Down")
            assert router.bfd() == {}


async def test_an_operator_who_shuts_bfd_down_at_the_router_leaves_bgp_alone(link: Wire, tmp_path: Path) -> None:
    block = f" peer {HERALD} local-address {ROUTER} interface eth0\n  profile fast\n exit"
    with frr(link.router, config(HERALD, session=block)) as router:
        async with speaking(link, router, tmp_path, peer()) as herald:
            router.configure("bfd", f"peer {HERALD} local-address {ROUTER} interface eth0", "shutdown")
            await herald.until(lambda facts: facts.sessions[0].bfd != "Up", "BFD is down")
            await asyncio.sleep(1)
            session = await shown(herald)
            assert session["downDiagnostic"] == "neighbor signaled session down"
            assert (fact(herald).established, await flaps(herald)) == (True, 0)
            router.configure("bfd", f"peer {HERALD} local-address {ROUTER} interface eth0", "no shutdown")
            await settled(herald, router)
            assert await flaps(herald) == 0


async def test_intervals_change_live_by_a_poll_and_nothing_goes_down(link: Wire, tmp_path: Path) -> None:
    with frr(link.router, config(HERALD)) as router:
        async with speaking(link, router, tmp_path, peer()) as herald:
            before = await shown(herald)
            for number, interval in enumerate((200, 20, 70), start=1):
                profile = replace(PROFILE, transmit_interval_ms=interval, receive_interval_ms=interval + 30)
                await herald.apply(Apply(peers=(peer(bfd=replace(profile, detect_multiplier=2 + number)),)))
                await until(partial(follows, router, herald, interval))
                theirs, ours = router.bfd(), await shown(herald)
                assert (theirs["remote-receive-interval"], theirs["remote-detect-multiplier"]) == (
                    interval + 30, 2 + number,
                )  # fmt: skip
                assert ours["sendingEvery"] == max(50, interval)
                assert ours["polls"] == before["polls"] + number
            assert (ours["downs"], ours["ups"], await flaps(herald)) == (0, 1, 0)


async def test_the_router_changes_its_intervals_and_is_followed(link: Wire, tmp_path: Path) -> None:
    with frr(link.router, config(HERALD)) as router:
        async with speaking(link, router, tmp_path, peer()) as herald:
            router.configure(
                "bfd", "profile fast", "receive-interval 120", "transmit-interval 90", "detect-multiplier 7"
            )

            async def has_followed() -> bool:
                return bool((await shown(herald))["detectionTime"] == 630.0)

            await until(has_followed)
            ours = await shown(herald)
            assert (ours["sendingEvery"], ours["downs"]) == (120.0, 0)


async def test_the_profile_taken_from_the_peer_ends_bfd_in_good_order(link: Wire, tmp_path: Path) -> None:
    """FRR 8.4 ends BGP for it, against RFC 5882 §3.2; Herald does not, and is there again at once."""
    with frr(link.router, config(HERALD)) as router:
        async with speaking(link, router, tmp_path, peer()) as herald:
            await herald.apply(Apply(peers=(peer(bfd=None),)))
            await herald.until(lambda facts: facts.sessions[0].bfd == "", "no BFD any more")

            async def is_down() -> bool:
                return await status(router) != "up"

            await until(is_down)
            assert router.bfd()["remote-diagnostic"] == "administratively down"
            await asyncio.sleep(1)
            await herald.until(lambda facts: facts.sessions[0].established, "BGP is up")
            told = fact(herald).last_error
            assert told is None or told.startswith("they sent Cease/BFD Down")
            await herald.apply(Apply(peers=(peer(),)))
            await settled(herald, router)


async def test_an_engine_that_leaves_says_admin_down(link: Wire, tmp_path: Path) -> None:
    with frr(link.router, config(HERALD)) as router:
        async with speaking(link, router, tmp_path, peer()) as herald:
            assert await herald.end() == 0

            async def is_down() -> bool:
                return await status(router) != "up"

            await until(is_down)
            assert router.bfd()["remote-diagnostic"] == "administratively down"
            assert router.bfd()["diagnostic"] == "neighbor signaled session down"


async def test_a_passive_session_waits_for_the_router(link: Wire, tmp_path: Path) -> None:
    with frr(link.router, config(HERALD)) as router:
        async with speaking(link, router, tmp_path, peer(bfd=replace(PROFILE, passive_mode=True))) as herald:
            assert (await shown(herald))["passive"] is True


@pytest.mark.matrix("FRR", "bfd-echo")
async def test_our_echoes_are_looped_by_a_router_that_forwards_and_their_loss_is_noticed(
    link: Wire, tmp_path: Path
) -> None:
    inside(link.router, "sysctl", "-qw", "net.ipv4.ip_forward=1")
    with frr(link.router, config(HERALD)) as router:
        async with speaking(link, router, tmp_path, peer(bfd=ECHOING)) as herald:
            await until(partial(is_looped, herald))
            await asyncio.sleep(1)
            ours, theirs = await shown(herald), router.bfd()
            assert ours["echo"]["received"] > 10
            assert ours["receiveInterval"] == 1000, "control packets are asked for slowly beside echoes"
            assert theirs["remote-receive-interval"] == 1000
            assert ours["downs"] == 0
            inside(link.router, "sysctl", "-qw", "net.ipv4.ip_forward=0")
            await herald.until(lambda facts: not facts.sessions[0].established, "BGP is down")
            assert (await shown(herald))["downDiagnostic"] == "echo function failed"
            await settled(herald, router)
            assert (await shown(herald))["echo"]["looped"] is False, "it watches by control packets alone"


async def test_our_ipv6_echoes_are_looped_too(link: Wire, tmp_path: Path) -> None:
    forward = "net.ipv6.conf.all.forwarding=1"
    inside(link.router, "sysctl", "-qw", forward)
    with frr(link.router, config(HERALD6)) as router:
        async with speaking(link, router, tmp_path, peer(ROUTER6, bfd=ECHOING), HERALD6) as herald:
            await until(partial(is_looped, herald))
            assert (await shown(herald))["downs"] == 0


@pytest.mark.matrix("FRR", "bfd-echo")
async def test_the_echoes_of_frr_come_back_to_it(link: Wire, tmp_path: Path) -> None:
    inside(link.herald, "sysctl", "-qw", "net.ipv4.ip_forward=1")
    with frr(link.router, config(HERALD, profile=FRR_ECHOES)) as router:
        async with speaking(link, router, tmp_path, peer(bfd=ECHOING)) as herald:
            await asyncio.sleep(2)
            (counted,) = router.show("bfd peers counters")
            assert counted["echo-packet-output"] > 10
            assert counted["echo-packet-input"] >= counted["echo-packet-output"] - 5
            assert (counted["session-down"], (await shown(herald))["downs"]) == (0, 0)


async def test_a_host_that_does_not_forward_says_so_and_frr_sends_it_no_echoes(link: Wire, tmp_path: Path) -> None:
    with frr(link.router, config(HERALD, profile=FRR_ECHOES)) as router:
        async with speaking(link, router, tmp_path, peer(bfd=ECHOING)) as herald:
            await asyncio.sleep(2)
            (counted,) = router.show("bfd peers counters")
            assert (counted["echo-packet-output"], counted["session-down"]) == (0, 0)
            assert (await shown(herald))["downs"] == 0


async def test_an_echo_of_the_peer_to_our_address_is_answered_and_of_nobody_else(link: Wire, tmp_path: Path) -> None:
    """Old versions of FRR send such."""
    run("ip", "-n", link.router, "address", "add", "10.60.0.77/24", "dev", "eth0")
    with frr(link.router, config(HERALD)) as router:
        async with speaking(link, router, tmp_path, peer(bfd=ECHOING)):
            assert await asyncio.to_thread(echo_from, link.router, ROUTER, 255) == (b"an echo", 254)
            assert await asyncio.to_thread(echo_from, link.router, ROUTER, 254) is None
            assert await asyncio.to_thread(echo_from, link.router, "10.60.0.77", 255) is None


def echo_from(namespace: str, source: str, ttl: int) -> tuple[bytes, int] | None:
    """Send an echo to Herald's address from the echo port; what comes back and with which TTL."""

    def make() -> socket.socket:
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        made.bind((source, 3785))
        return made

    with in_namespace(namespace, make) as asking:
        asking.settimeout(1)
        asking.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
        asking.setsockopt(socket.IPPROTO_IP, 12, 1)  # IP_RECVTTL
        asking.sendto(b"an echo", (HERALD, 3785))
        try:
            data, ancillary, _, _ = asking.recvmsg(100, 100)
        except TimeoutError:
            return None
        return data, int.from_bytes(ancillary[0][2], sys.byteorder)


async def test_vtysh_and_show_tell_of_the_session(link: Wire, tmp_path: Path) -> None:
    with frr(link.router, config(HERALD)) as router:
        async with speaking(link, router, tmp_path, peer()) as herald:

            async def herald_says(*words: str) -> str:
                argv = [sys.executable, "-m", "herald.cli.main", *words, "--socket", str(herald.show_socket)]
                process = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.PIPE)
                out, _ = await process.communicate()
                return out.decode()

            (ours,) = json.loads(await herald_says("vtysh", "-c", "show bfd peers json"))
            theirs = router.bfd()
            assert (ours["peer"], ours["local"], ours["interface"]) == (ROUTER, HERALD, "eth0")
            assert (ours["id"], ours["remote-id"]) == (theirs["remote-id"], theirs["id"])
            assert ours.keys() == theirs.keys()
            assert "50 ms" in await herald_says("show", "bfd")


async def test_who_has_the_port_is_named_and_bgp_goes_on(link: Wire, tmp_path: Path) -> None:
    with frr(link.router, config(HERALD)) as router, frr(link.herald, "hostname other\n", bgpd=False):
        async with engine(link.herald, tmp_path) as herald:
            await herald.apply(wish(peer()))
            await herald.until(lambda facts: any(one.established for one in facts.sessions), "BGP is up")
            words = "UDP port 3784 of this host belongs to another program"

            async def is_named() -> bool:
                return words in ((await shown(herald))["problem"] or "")

            await until(is_named)
            assert fact(herald).established
        assert router.bfd()["status"] != "up"
