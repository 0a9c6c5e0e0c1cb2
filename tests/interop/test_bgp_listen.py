"""`--bgp-listen`: FRR, BIRD, GoBGP and ExaBGP dial Herald, alone and while Herald dials them.

Two connections at once are not left to chance: what carries data is held back until both handshakes are done.
"""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
from frr_router import HERALD, HERALD6, ROUTER, ROUTER6, FrrRouter, frr_beside_herald, run
from segment import EngineProcess, engine, eventually, inside
from unnumbered_routers import Daemons, daemons, until

from herald.bgp.parameters import Password, PeerParameters
from herald.bgp.route import Route
from herald.engine.link import Apply, PeerRoutes, SessionFact
from herald.observe import engine_counts

pytestmark = [pytest.mark.netns, pytest.mark.interop]

PEER = PeerParameters("router", ip_address(ROUTER), 64500, 64501, hold_time=9)
PASSIVE = replace(PEER, passive=True)
FOUR = Route(ip_network("192.168.1.200/32"))
LISTENS = ("--bgp-listen", ":179")
LOW, HIGH = "10.50.0.1", "10.50.0.200"
"""Router IDs; Herald's own is 10.50.0.2."""


@pytest.fixture
def place() -> Iterator[FrrRouter]:
    with frr_beside_herald() as router:
        yield router


@asynccontextmanager
async def herald(
    place: FrrRouter, tmp_path: Path, *peers: PeerParameters, more: tuple[str, ...] = LISTENS
) -> AsyncIterator[EngineProcess]:
    async with engine(place.herald_namespace, tmp_path, "n1", *more) as started:
        await started.apply(wish(*peers))
        yield started
        await started.end()


def wish(*peers: PeerParameters) -> Apply:
    return Apply(reset=True, peers=peers, routes=tuple(PeerRoutes(peer.name, (FOUR,), replace=True) for peer in peers))


async def up(started: EngineProcess, seconds: float = 20) -> SessionFact:
    await eventually(lambda: any(one.established for one in started.facts.sessions), "the session is up", seconds)
    return started.facts.sessions[0]


async def shown(started: EngineProcess) -> Any:
    (one,) = json.loads(await started.show("bgp summary"))["data"]
    return one


def frr_config(*more: str, peer: str = HERALD, router_id: str = LOW) -> str:
    head = f"hostname router\nrouter bgp 64501\n bgp router-id {router_id}\n no bgp ebgp-requires-policy\n"
    lines = ("remote-as 64500", "timers 3 9", "timers connect 1", *more)
    return head + "\n".join(f" neighbor {peer} {line}" for line in lines) + "\n"


def connections(namespace: str) -> int:
    """How many established BGP connections the namespace has."""
    lines = run("ip", "netns", "exec", namespace, "ss", "-Htn", "state", "established").splitlines()
    return sum(":179" in line for line in lines)


@contextmanager
def data_held_back(namespace: str) -> Iterator[None]:
    """Connections come up, and nothing is said over them."""
    nft = ("ip", "netns", "exec", namespace, "nft")
    run(*nft, "add table inet hold")
    for way in ("input", "output"):
        run(*nft, f"add chain inet hold {way} {{ type filter hook {way} priority 0; }}")
        for port in ("sport", "dport"):
            run(*nft, f"add rule inet hold {way} tcp {port} 179 meta length > 80 drop")
    try:
        yield
    finally:
        run(*nft, "delete table inet hold")


async def collide(place: FrrRouter, started: EngineProcess) -> Any:
    """What the session shows after both ends have dialled at once."""
    one = await shown(started)
    assert (one["ups"], one["flaps"], one["lastError"]) == (1, 0, None), "no session was lost, and nothing went wrong"
    refusals = one["messagesIn"].get("notification", 0) + one["messagesOut"].get("notification", 0)
    assert refusals >= 1, "a connection was refused; a router that dials again meanwhile is refused again"
    # What was said on the other one while all was held back may still have to be sent again before its end.
    await eventually(
        lambda: connections(place.herald_namespace) == connections(place.namespace) == 1, "one is left at both ends"
    )
    after = await shown(started)
    assert (after["ups"], after["flaps"], after["dialledBy"]) == (1, 0, one["dialledBy"]), "and it is the same one"
    return one


async def test_frr_dials_a_passive_peer_and_learns_its_route(place: FrrRouter, tmp_path: Path) -> None:
    place.start(frr_config())
    async with herald(place, tmp_path, PASSIVE) as started:
        await up(started)
        one = await shown(started)
        assert (one["dialledBy"], one["neighbor"]["passive"], one["notAccepted"]) == ("peer", True, None)
        await eventually(lambda: place.show(f"bgp ipv4 unicast {FOUR.prefix}").get("paths"), "FRR has the route")
        theirs = place.neighbor()
        assert (theirs["bgpState"], theirs["hostForeign"], theirs["portForeign"]) == ("Established", HERALD, 179)


async def test_frr_that_keeps_the_routes_of_a_passive_peer_is_dialled_and_they_are_never_lost(
    place: FrrRouter, tmp_path: Path
) -> None:
    """It shows `NSF passive` and dials nobody until it forgets them."""
    place.start(frr_config())
    returning = replace(PASSIVE, restart_time=120)
    paths = []
    for number in range(2):
        (tmp_path / str(number)).mkdir()
        async with engine(place.herald_namespace, tmp_path / str(number), "n1", *LISTENS) as started:
            await started.apply(wish(returning))
            await up(started)
            await eventually(lambda: place.show(f"bgp ipv4 unicast {FOUR.prefix}").get("paths"), "FRR has the route")
            started.process.terminate()
            # One attempt it makes: what matters is what follows when that has come to nothing.
            await eventually(lambda: place.neighbor()["bgpState"] == "Active", "it has tried once, and waits")
            paths.append(place.show(f"bgp ipv4 unicast {FOUR.prefix}").get("paths"))
    assert all(paths), "it keeps the route"


async def test_a_passive_peer_is_not_dialled_and_says_what_it_waits_for(place: FrrRouter, tmp_path: Path) -> None:
    place.start(frr_config("passive"))
    async with herald(place, tmp_path, PASSIVE) as started:
        await started.until(lambda facts: bool(facts.sessions), "the session is told of")
        (fact,) = started.facts.sessions
        assert (fact.state, fact.reason) == ("Active", "waiting for the peer to dial (passive)")
        assert (await shown(started))["messagesOut"] == {}


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ((), "this speaker takes no BGP connections; start it with --bgp-listen"),
        (("--bgp-listen", "10.9.9.9:179"), "cannot listen at 10.9.9.9:179: this node has no such address"),
        (
            ("--bgp-listen", "[::]:179"),
            "no address of --bgp-listen is one that it could dial: [::]:179",
        ),
    ],
    ids=["off", "an address of nobody", "the other family"],
)
async def test_a_passive_peer_that_waits_in_vain_says_why(
    place: FrrRouter, tmp_path: Path, more: tuple[str, ...], why: str
) -> None:
    async with herald(place, tmp_path, PASSIVE, more=more) as started:
        words = f"waiting for the peer to dial (passive): {why}"
        await started.until(lambda facts: [one.reason for one in facts.sessions] == [words], words)


async def test_a_port_that_another_program_has_is_named_and_taken_once_it_is_free(
    place: FrrRouter, tmp_path: Path
) -> None:
    taken = inside(place.herald_namespace, lambda: socket.create_server((HERALD, 179)))
    async with herald(place, tmp_path, PASSIVE) as started:
        words = "cannot listen at 0.0.0.0:179: another program takes connections there"
        await eventually(lambda: words in (started.facts.sessions or (EMPTY,))[0].reason, "it says so")
        taken.close()
        await eventually(lambda: words not in started.facts.sessions[0].reason, "it has the port")
        place.start(frr_config())
        await up(started)


EMPTY = SessionFact("", established=False, state="", reason="")


@pytest.mark.parametrize(
    ("router_id", "dialled_by"), [(LOW, "us"), (HIGH, "peer")], ids=["ours is higher", "theirs is higher"]
)
async def test_frr_and_herald_dial_at_once_and_agree_on_the_connection_of_the_higher_identifier(
    place: FrrRouter, tmp_path: Path, router_id: str, dialled_by: str
) -> None:
    place.start(frr_config(router_id=router_id))
    with data_held_back(place.herald_namespace):
        async with herald(place, tmp_path, PEER) as started:
            await eventually(lambda: connections(place.herald_namespace) == 2, "both connections stand", 30)
            run("ip", "netns", "exec", place.herald_namespace, "nft", "flush table inet hold")
            await up(started)
            one = await collide(place, started)
            assert one["dialledBy"] == dialled_by


@pytest.mark.parametrize(
    ("router_id", "dialled_by"), [(LOW, {"us"}), (HIGH, {"peer", "us"})], ids=["ours is higher", "theirs is higher"]
)
async def test_bird_and_herald_dial_at_once_and_agree_on_one_connection(
    place: FrrRouter, tmp_path: Path, router_id: str, dialled_by: set[str]
) -> None:
    """BIRD judges when one is in OpenConfirm: it keeps one that it agrees to before it hears an OPEN on the other."""
    with daemons(place.namespace) as there, data_held_back(place.herald_namespace):
        bird(there, router_id)
        async with herald(place, tmp_path, PEER) as started:
            await eventually(lambda: connections(place.herald_namespace) == 2, "both connections stand", 30)
            run("ip", "netns", "exec", place.herald_namespace, "nft", "flush table inet hold")
            await up(started)
            one = await collide(place, started)
            assert one["dialledBy"] in dialled_by


def bird(there: Daemons, router_id: str) -> None:
    text = f"""
router id {router_id};
protocol device {{ }}
protocol bgp herald {{
  local {ROUTER} as 64501;
  neighbor {HERALD} as 64500;
  hold time 9; connect delay time 1; connect retry time 2; error wait time 1, 2;
  ipv4 {{ import all; export none; }};
}}
"""
    path = there.write("bird.conf", text)
    there.start("bird", "-f", "-c", str(path), "-s", f"{there.directory}/bird.ctl", name="bird")
    until(lambda: ":179" in run("ip", "netns", "exec", there.host, "ss", "-Htln"), "BIRD listens")


def gobgp(there: Daemons, password: str) -> None:
    text = f"""
[global.config]
  as = 64501
  router-id = "10.50.0.1"
[[neighbors]]
  [neighbors.config]
    neighbor-address = "{HERALD}"
    peer-as = 64500
    auth-password = "{password}"
  [neighbors.timers.config]
    connect-retry = 1
    hold-time = 9
"""
    path = there.write("gobgp.toml", text)
    there.start("gobgpd", "-f", str(path), "--pprof-disable", name="gobgpd")


def exabgp(there: Daemons, password: str) -> None:
    text = f"""
neighbor {HERALD} {{
  router-id 10.50.0.1; local-address {ROUTER}; local-as 64501; peer-as 64500; hold-time 9;
  md5-password "{password}";
  family {{ ipv4 unicast; }}
}}
"""
    path = there.write("exabgp.conf", text)
    settings = ("exabgp.daemon.user=root", "exabgp.api.cli=false")
    there.start("env", *settings, "exabgp", str(path), name="exabgp")


@pytest.mark.parametrize("begin", [gobgp, exabgp], ids=["GoBGP", "ExaBGP"])
async def test_a_daemon_with_a_password_dials_a_passive_peer_with_the_same(
    place: FrrRouter, tmp_path: Path, begin: Callable[[Daemons, str], None]
) -> None:
    with daemons(place.namespace) as there:
        begin(there, "secret123")
        async with herald(place, tmp_path, replace(PASSIVE, password=Password("secret123"))) as started:
            await up(started, 40)
            assert (await shown(started))["dialledBy"] == "peer"


async def test_a_password_of_a_passive_peer_is_minded_from_the_first_segment_and_may_change(
    place: FrrRouter, tmp_path: Path
) -> None:
    place.start(frr_config("password first"))
    async with herald(place, tmp_path, replace(PASSIVE, password=Password("first"))) as started:
        await up(started)
        await started.apply(wish(replace(PASSIVE, password=Password("second"))))
        await eventually(lambda: not started.facts.sessions[0].established, "the session is reset")
        counters = snmp(place.herald_namespace)
        await eventually(lambda: snmp(place.herald_namespace) > counters, "SYNs with the old one are dropped")
        assert connections(place.herald_namespace) == 0
        await asyncio.to_thread(place.vtysh, "configure", "router bgp 64501", f"neighbor {HERALD} password second")
        await up(started)
        await started.apply(wish(PASSIVE))
        await eventually(lambda: not started.facts.sessions[0].established, "the session is reset again")
        await asyncio.to_thread(place.vtysh, "configure", "router bgp 64501", f"no neighbor {HERALD} password")
        await up(started)


def snmp(namespace: str) -> int:
    """Segments that the kernel has dropped for their signature, or for the lack of one."""
    text = run("ip", "netns", "exec", namespace, "cat", "/proc/net/netstat").splitlines()
    words = [line.split() for line in text if line.startswith("TcpExt:")]
    counts = dict(zip(words[0], words[1], strict=True))
    return sum(int(counts[name]) for name in ("TCPMD5NotFound", "TCPMD5Unexpected", "TCPMD5Failure"))


@pytest.mark.parametrize(
    ("ours", "theirs", "comes_up"),
    [(True, ("ttl-security hops 1",), True), (True, (), False), (False, (), True)],
    ids=["both", "ours alone", "neither"],
)
async def test_ttl_security_is_minded_on_connections_that_the_peer_dials(
    place: FrrRouter, tmp_path: Path, ours: bool, theirs: tuple[str, ...], comes_up: bool
) -> None:
    place.start(frr_config(*theirs))
    async with herald(place, tmp_path, replace(PASSIVE, ttl_security=ours)) as started:
        if comes_up:
            await up(started)
            return
        nothing = run("ip", "netns", "exec", place.namespace, "ss", "-Htn", "state", "syn-sent")
        await eventually(
            lambda: "179" in run("ip", "netns", "exec", place.namespace, "ss", "-Htn", "state", "syn-sent"), nothing
        )
        assert connections(place.herald_namespace) == 0, "not even the handshake is answered"


async def test_over_ipv6_too_and_in_the_device_that_the_peer_names(place: FrrRouter, tmp_path: Path) -> None:
    place.start(frr_config("password secret", peer=HERALD6))
    peer = replace(
        PASSIVE, peer_address=ip_address(ROUTER6), vrf="eth0", password=Password("secret"), ttl_security=False
    )
    async with herald(place, tmp_path, peer) as started:
        await up(started)
        listening = run("ip", "netns", "exec", place.herald_namespace, "ss", "-Htln")
        assert "%eth0:179" in listening
        assert listening.count(":179") == 1, "there is a door only where somebody may come in"


async def test_the_door_in_a_vrf_is_made_anew_with_the_vrf(place: FrrRouter, tmp_path: Path) -> None:
    """A socket stays bound to the device that was there, whatever has its name later."""
    red = ("ip", "-n", place.herald_namespace, "link")
    run(*red, "add", "red", "type", "veth", "peer", "name", "der")
    async with herald(place, tmp_path, replace(PASSIVE, vrf="red")) as started:

        def listens() -> bool:
            return "%red:179" in run("ip", "netns", "exec", place.herald_namespace, "ss", "-Htln")

        await eventually(lambda: listens() and started.facts.sessions, "it listens there")
        run(*red, "del", "red")
        words = "cannot listen at 0.0.0.0:179 within VRF red: this node has no device of that name"
        await eventually(lambda: words in (started.facts.sessions[0].reason or ""), "it says so")
        run(*red, "add", "red", "type", "veth", "peer", "name", "der")
        await eventually(listens, "it listens there again")
        await eventually(lambda: words not in (started.facts.sessions[0].reason or ""), "nothing is wrong any more")


async def test_who_is_no_peer_is_reset_at_once_and_told_of_now_and_then(place: FrrRouter, tmp_path: Path) -> None:
    run("ip", "-n", place.namespace, "address", "add", "10.50.0.9/24", "dev", "eth0")
    async with herald(place, tmp_path, PASSIVE) as started:
        await started.until(lambda facts: bool(facts.sessions), "the session is told of")
        await asyncio.to_thread(inside, place.namespace, be_reset_fifty_times)
        lines = [line for line in started.log.read_text().splitlines() if '"event":"bgpRefused"' in line]
        assert len(lines) == 1
        assert "a BGP connection from 10.50.0.9 was refused: not a peer" in lines[0]
        listening = json.loads(await started.show("bgp listen"))["data"]
        assert (listening["at"], listening["accepted"]) == (["0.0.0.0:179"], 0)
        assert listening["refused"] == {"not a peer": 50}
        counts = await engine_counts.ask(started.show_socket)
        assert counts is not None
        assert counts.bgp_listen is not None
        assert (counts.bgp_listen.refused["not a peer"], sum(counts.bgp_listen.refused.values())) == (50, 50)


def be_reset_fifty_times() -> None:
    for _ in range(50):
        with (
            pytest.raises(ConnectionResetError),
            socket.create_connection((HERALD, 179), timeout=5, source_address=("10.50.0.9", 0)) as caller,
        ):
            caller.recv(100)
