"""What is wrong with a session, in the words of a running engine beside a real FRR: each of the faults people have."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
from frr_router import HERALD, HERALD6, ROUTER, ROUTER6, FrrRouter, eventually, frr_beside_herald, run
from segment import EngineProcess, engine

from herald.bgp.family import Family
from herald.bgp.parameters import Password, PeerParameters
from herald.bgp.route import Route
from herald.engine.link import Apply, PeerRoutes

pytestmark = [pytest.mark.netns, pytest.mark.interop]

PEER = PeerParameters("r1", ip_address(ROUTER), 64500, 64501)
FAR, FAR6 = "10.60.0.1", "2001:db8:60::1"
ROUTES = (Route(ip_network("192.168.1.200/32")), Route(ip_network("2001:db8:cafe::1/128")))
SECONDS = 10.0
"""So long an operator has to wait at most."""


def config(asn: int = 64501, *lines: str, router_id: str = ROUTER, remote: str = "64500", families: str = "") -> str:
    own = "\n".join(f" {line}" for line in lines)
    return f"""
log stdout informational
router bgp {asn}
 bgp router-id {router_id}
 no bgp ebgp-requires-policy
 neighbor {HERALD} remote-as {remote}
 neighbor {HERALD} timers connect 2
{own}
 {families}
"""


@dataclass(frozen=True)
class Diagnosis:
    """What the engine's socket and `herald explain peer` say of one session."""

    session: dict[str, Any]
    words: str
    exit_code: int

    @property
    def cause(self) -> str | None:
        found = self.session["diagnosis"]
        return found["cause"] if found else None


class Speaker:
    """An engine with one peer."""

    def __init__(self, process: EngineProcess) -> None:
        self._process = process

    async def session(self) -> dict[str, Any]:
        sessions: list[dict[str, Any]] = []
        for _ in range(int(SECONDS / 0.02)):
            if sessions := json.loads(await self._process.show("bgp summary"))["data"]:
                break
            await asyncio.sleep(0.02)  # the engine has not heard of the peer yet
        (one,) = sessions
        return one

    async def diagnosis(self, cause: str) -> Diagnosis:
        """Once the cause is found, within the time that an operator has."""
        await self.until(lambda session: (session["diagnosis"] or {}).get("cause") == cause, f"the cause is {cause}")
        return await self.explained()

    async def until(self, true: Callable[[dict[str, Any]], object], what: str) -> None:
        """Wait until it is true of the session, as long as an operator does."""
        last: dict[str, Any] = {}
        for _ in range(int(SECONDS / 0.1)):
            if true(last := await self.session()):
                return
            await asyncio.sleep(0.1)
        raise AssertionError(f"not within {SECONDS:g} s: {what}; last was {last['diagnosis']}")

    async def explained(self) -> Diagnosis:
        words = [sys.executable, "-m", "herald.cli.main", "explain", "peer", "r1"]
        words += ["--socket", str(self._process.show_socket)]
        done = await asyncio.to_thread(subprocess.run, words, capture_output=True, text=True, check=False)
        return Diagnosis(await self.session(), done.stdout + done.stderr, done.returncode)

    @property
    def fact(self) -> str:
        """What control is told, and writes into the BGPSessionStatus."""
        (session,) = self._process.facts.sessions
        return session.last_error or ""


@asynccontextmanager
async def speaking(namespace: str, directory: Path, parameters: PeerParameters) -> AsyncIterator[Speaker]:
    async with engine(namespace, directory) as process:
        await process.apply(Apply(complete=True, peers=(parameters,), routes=(PeerRoutes("r1", ROUTES),)))
        yield Speaker(process)


@pytest.fixture
def frr() -> Iterator[FrrRouter]:
    with frr_beside_herald() as router:
        yield router


@pytest.fixture
def beyond(frr: FrrRouter) -> Iterator[FrrRouter]:
    """The router has a loopback address that is on no link of Herald's; the one between is its own namespace."""
    middle = frr.namespace + "m"
    run("ip", "netns", "add", middle)
    run("ip", "netns", "exec", middle, "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
    run(
        "ip", "-n", frr.herald_namespace, "link", "add", "eth1", "type", "veth", "peer", "name", "eth0", "netns", middle
    )
    run("ip", "-n", frr.namespace, "link", "add", "eth1", "type", "veth", "peer", "name", "eth1", "netns", middle)
    for name, interface, address in (
        (frr.herald_namespace, "eth1", "10.61.0.2/24"),
        (middle, "eth0", "10.61.0.1/24"),
        (middle, "eth1", "10.60.0.254/24"),
        (frr.namespace, "eth1", f"{FAR}/24"),
    ):
        run("ip", "-n", name, "link", "set", interface, "up")
        run("ip", "-n", name, "address", "add", address, "dev", interface)
        four, _, host = address.removesuffix("/24").rpartition(".")
        six = f"2001:db8:{four.split('.')[1]}::{host}/64"
        run("ip", "-n", name, "address", "add", six, "dev", interface, "nodad")
    run("ip", "-n", frr.herald_namespace, "route", "add", "10.60.0.0/24", "via", "10.61.0.1")
    run("ip", "-n", frr.namespace, "route", "add", "10.61.0.0/24", "via", "10.60.0.254")
    run("ip", "-n", frr.herald_namespace, "route", "add", "2001:db8:60::/64", "via", "2001:db8:61::1")
    run("ip", "-n", frr.namespace, "route", "add", "2001:db8:61::/64", "via", "2001:db8:60::254")
    yield frr
    run("ip", "netns", "del", middle)


def expect(found: Diagnosis, *, error: str, why: str, fix: str) -> None:
    """The words stand in the document, and each in its place of the explanation; the verdict is no."""
    told = found.session["diagnosis"]
    assert error in told["error"]
    assert why in told["why"]
    assert fix in told["fix"]
    lines = {line.split(maxsplit=1)[0]: line for line in found.words.splitlines() if line[:1].strip()}
    assert error in lines["ERROR"], found.words
    assert why in lines["CAUSE"]
    assert fix in lines["FIX"]
    assert lines["VERDICT"].split(maxsplit=1)[1].startswith("Not announced: ")
    assert found.exit_code == 1


async def test_the_router_is_of_another_as(frr: FrrRouter, tmp_path: Path) -> None:
    frr.start(config(64777))
    async with speaking(frr.herald_namespace, tmp_path, PEER) as speaker:
        expect(
            await speaker.diagnosis("peer-asn"),
            error="we sent OPEN Message Error/Bad Peer AS: the peer says it is AS 64777, configured is AS 64501",
            why="peerASN of the BGPPeer is not the AS of that router",
            fix="set peerASN to what the peer says",
        )
        assert "the peer says it is AS 64777" in speaker.fact


async def test_the_router_expects_another_as_of_us(frr: FrrRouter, tmp_path: Path) -> None:
    frr.start(config(remote="64999"))
    async with speaking(frr.herald_namespace, tmp_path, PEER) as speaker:
        expect(
            await speaker.diagnosis("local-asn"),
            error="they sent OPEN Message Error/Bad Peer AS",
            why="it does not expect AS 64500 from us",
            fix="set myASN",
        )
        assert "set myASN" in speaker.fact


async def test_a_peer_beyond_a_router_without_multihop(beyond: FrrRouter, tmp_path: Path) -> None:
    beyond.start(config().replace(HERALD, "10.61.0.2"))
    async with speaking(beyond.herald_namespace, tmp_path, replace(PEER, peer_address=ip_address(FAR))) as speaker:
        expect(
            await speaker.diagnosis("multihop"),
            error=f"TTL expired at 10.61.0.1 on the way to {FAR}:179",
            why="lives for one hop: routers on the way, 10.61.0.1 among them, drop it",
            fix="set ebgpMultiHop: true",
        )


async def test_an_ipv6_peer_beyond_a_router_without_multihop(beyond: FrrRouter, tmp_path: Path) -> None:
    async with speaking(beyond.herald_namespace, tmp_path, replace(PEER, peer_address=ip_address(FAR6))) as speaker:
        expect(
            await speaker.diagnosis("multihop"),
            error=f"TTL expired at 2001:db8:61::1 on the way to [{FAR6}]:179",
            why="lives for one hop: routers on the way, 2001:db8:61::1 among them, drop it",
            fix="set ebgpMultiHop: true",
        )


async def test_the_passwords_differ_over_ipv6(frr: FrrRouter, tmp_path: Path) -> None:
    frr.start(config(64501, f"neighbor {HERALD} password other").replace(HERALD, HERALD6))
    six = replace(PEER, peer_address=ip_address(ROUTER6), password=Password("secret"))
    async with speaking(frr.herald_namespace, tmp_path, six) as speaker:
        expect(
            await speaker.diagnosis("md5-wrong"),
            error=f"timed out: no answer from [{ROUTER6}]:179 within 6 s",
            why="it dials us with another TCP MD5 password",
            fix="set the same password on both",
        )


async def test_a_peer_beyond_a_router_that_says_nothing(beyond: FrrRouter, tmp_path: Path) -> None:
    beyond.start(config().replace(HERALD, "10.61.0.2"))
    drop(beyond.namespace + "m", "output", "icmp type time-exceeded")
    async with speaking(beyond.herald_namespace, tmp_path, replace(PEER, peer_address=ip_address(FAR))) as speaker:
        expect(
            await speaker.diagnosis("multihop"),
            error=f"timed out: no answer from {FAR}:179 within 6 s",
            why=f"{FAR} is on no link of this node",
            fix="set ebgpMultiHop: true",
        )


async def test_the_router_has_a_password_and_we_have_none(frr: FrrRouter, tmp_path: Path) -> None:
    frr.start(config(64501, f"neighbor {HERALD} password secret"))
    async with speaking(frr.herald_namespace, tmp_path, PEER) as speaker:
        expect(
            await speaker.diagnosis("md5-missing"),
            error=f"timed out: no answer from {ROUTER}:179 within 6 s",
            why="it dials us with a TCP MD5 password, and this BGPPeer has none",
            fix="set password or passwordSecret",
        )


async def test_we_have_a_password_and_the_router_has_none(frr: FrrRouter, tmp_path: Path) -> None:
    frr.start(config(64501, f"neighbor {HERALD} passive"))
    async with speaking(frr.herald_namespace, tmp_path, replace(PEER, password=Password("secret"))) as speaker:
        expect(
            await speaker.diagnosis("md5-unexpected"),
            error=f"timed out: no answer from {ROUTER}:179 within 6 s",
            why="it takes connections without a TCP MD5 password, and this BGPPeer has one",
            fix="set the same password on the router",
        )
        assert frr.neighbor()["messageStats"]["opensRecv"] == 0, "no octet of BGP went unprotected"


async def test_the_passwords_differ(frr: FrrRouter, tmp_path: Path) -> None:
    frr.start(config(64501, f"neighbor {HERALD} password other"))
    async with speaking(frr.herald_namespace, tmp_path, replace(PEER, password=Password("secret"))) as speaker:
        found = await speaker.diagnosis("md5-wrong")
        expect(
            found,
            error=f"timed out: no answer from {ROUTER}:179 within 6 s",
            why="it dials us with another TCP MD5 password",
            fix="set the same password on both",
        )
        assert "secret" not in found.words.replace("passwordSecret", "")


async def test_a_router_with_a_password_that_does_not_dial_leaves_two_causes(frr: FrrRouter, tmp_path: Path) -> None:
    frr.start(config(64501, f"neighbor {HERALD} password other", f"neighbor {HERALD} passive"))
    async with speaking(frr.herald_namespace, tmp_path, replace(PEER, password=Password("secret"))) as speaker:
        expect(
            await speaker.diagnosis("silent"),
            error=f"timed out: no answer from {ROUTER}:179 within 6 s",
            why="it answers ping and is silent on TCP port 179: its TCP MD5 password is another than this one, "
            "or a firewall drops that port",
            fix="compare the passwords",
        )


async def test_nobody_listens(frr: FrrRouter, tmp_path: Path) -> None:
    async with speaking(frr.herald_namespace, tmp_path, PEER) as speaker:
        expect(
            await speaker.diagnosis("refused"),
            error=f"connection refused by {ROUTER}:179",
            why="the machine is there, and nothing takes connections on its TCP port 179",
            fix="start BGP on it",
        )


async def test_nobody_is_there(frr: FrrRouter, tmp_path: Path) -> None:
    async with speaking(
        frr.herald_namespace, tmp_path, replace(PEER, peer_address=ip_address("10.50.0.77"))
    ) as speaker:
        expect(
            await speaker.diagnosis("unreachable"),
            error="no route to host 10.50.0.77, says 10.50.0.2",
            why="nobody on the link answers for 10.50.0.77",
            fix="switch the router on, or correct peerAddress",
        )


async def test_a_firewall_that_drops_the_port_of_a_router_that_dials_us(frr: FrrRouter, tmp_path: Path) -> None:
    frr.start(config())
    drop(frr.namespace, "input", "tcp dport 179")
    async with speaking(frr.herald_namespace, tmp_path, PEER) as speaker:
        expect(
            await speaker.diagnosis("filtered"),
            error=f"timed out: no answer from {ROUTER}:179 within 6 s",
            why="it dials us, without a password, so it knows us, and our packets to its TCP port 179 are dropped",
            fix="let them through the firewall",
        )


async def test_a_firewall_that_drops_everything(frr: FrrRouter, tmp_path: Path) -> None:
    frr.start(config())
    drop(frr.namespace, "input", f"ip saddr {HERALD}")
    drop(frr.namespace, "output", f"ip daddr {HERALD}")
    async with speaking(frr.herald_namespace, tmp_path, PEER) as speaker:
        expect(
            await speaker.diagnosis("filtered"),
            error=f"timed out: no answer from {ROUTER}:179 within 6 s",
            why="nothing at all is heard of it, no answer to ping either",
            fix="let this node through to TCP port 179, or see whether the router is up",
        )


async def test_a_firewall_that_rejects(frr: FrrRouter, tmp_path: Path) -> None:
    frr.start(config())
    drop(frr.namespace, "input", "tcp dport 179", verdict="reject with icmp type admin-prohibited")
    async with speaking(frr.herald_namespace, tmp_path, PEER) as speaker:
        expect(
            await speaker.diagnosis("filtered"),
            error=f"rejected by {ROUTER} on the way to {ROUTER}:179",
            why=f"a firewall at {ROUTER} rejects our packets",
            fix="let this node through to TCP port 179",
        )


async def test_the_router_has_our_router_id(frr: FrrRouter, tmp_path: Path) -> None:
    frr.start(config(64500, router_id="10.50.0.9"))
    same = replace(PEER, peer_asn=64500, router_id=ip_address("10.50.0.9"))
    async with speaking(frr.herald_namespace, tmp_path, same) as speaker:
        expect(
            await speaker.diagnosis("router-id"),
            error="Bad BGP Identifier",
            why="router ID",
            fix="set another routerID on the BGPPeer",
        )


async def test_no_family_in_common(frr: FrrRouter, tmp_path: Path) -> None:
    frr.start(config())
    only_ipv6 = replace(PEER, families=frozenset({Family.IPV6_UNICAST}))
    async with speaking(frr.herald_namespace, tmp_path, only_ipv6) as speaker:
        expect(
            await speaker.diagnosis("family"),
            error="OPEN Message Error/Unsupported Capability",
            why="family",
            fix="activate ipv6-unicast for this neighbour on the router",
        )


async def test_one_family_of_two_is_not_in_common(frr: FrrRouter, tmp_path: Path) -> None:
    frr.start(config())
    async with speaking(frr.herald_namespace, tmp_path, PEER) as speaker:
        await speaker.until(lambda session: session["families"][0]["advertised"] == 1, "one route is sent")
        found = await speaker.explained()
        assert found.exit_code == 2
        assert found.words.splitlines()[-1].endswith(
            "1 route sent; ipv6-unicast: the peer does not offer ipv6-unicast: "
            "activate ipv6-unicast for this neighbour on the router"
        )


async def test_the_hold_time_is_below_what_the_router_takes(frr: FrrRouter, tmp_path: Path) -> None:
    frr.start(config(64501, "bgp minimum-holdtime 60"))
    async with speaking(frr.herald_namespace, tmp_path, replace(PEER, hold_time=30)) as speaker:
        expect(
            await speaker.diagnosis("hold-time"),
            error="they sent OPEN Message Error/Unacceptable Hold Time",
            why="it does not accept our hold time of 30 s",
            fix="set holdTime to what the router allows",
        )


async def test_another_program_of_this_node_has_the_session(frr: FrrRouter, tmp_path: Path) -> None:
    frr.start(config())
    with bird_of_the_node(frr, tmp_path):
        before = frr.neighbor()
        async with speaking(frr.herald_namespace, tmp_path, PEER) as speaker:
            expect(
                await speaker.diagnosis("collision"),
                error=f"not dialling {ROUTER}:179: bird (pid ",
                why="the router knows one neighbour by that address",
                fix="give this BGPPeer another sourceAddress",
            )
            await asyncio.sleep(3)
        after = frr.neighbor()
        told = after["bgpState"], after["connectionsEstablished"]
        assert told == ("Established", before["connectionsEstablished"]), "its session was not touched"
        assert after["messageStats"]["notificationsSent"] == before["messageStats"]["notificationsSent"]


async def test_the_router_does_not_know_us(frr: FrrRouter, tmp_path: Path) -> None:
    frr.start(config().replace(HERALD, "10.50.0.99"))
    async with speaking(frr.herald_namespace, tmp_path, PEER) as speaker:
        expect(
            await speaker.diagnosis("not-configured"),
            error="before its OPEN",
            why=f"it may have no session configured for {HERALD}",
            fix=f"configure {HERALD} as a neighbour on the router",
        )


async def test_a_cause_that_is_cured_makes_room_for_the_next(frr: FrrRouter, tmp_path: Path) -> None:
    frr.start(config(64777, "bgp minimum-holdtime 60"))
    async with engine(frr.herald_namespace, tmp_path) as process:
        wrong = replace(PEER, hold_time=30, connect_time=2)
        await process.apply(Apply(complete=True, peers=(wrong,), routes=(PeerRoutes("r1", ROUTES),)))
        speaker = Speaker(process)
        await speaker.diagnosis("peer-asn")
        await process.apply(Apply(peers=(replace(wrong, peer_asn=64777),)))
        await speaker.diagnosis("hold-time")
        await process.apply(Apply(peers=(replace(wrong, peer_asn=64777, hold_time=90),)))
        await speaker.until(lambda session: session["state"] == "Established", "it is up")
        assert (await speaker.session())["diagnosis"] is None


@contextmanager
def bird_of_the_node(frr: FrrRouter, directory: Path) -> Iterator[None]:
    """A CNI's BGP speaker, with a session that stands."""
    (directory / "bird.conf").write_text(f"""
router id {HERALD};
protocol device {{ }}
protocol bgp cni {{ local {HERALD} as 64500; neighbor {ROUTER} as 64501; ipv4 {{ import all; export none; }}; }}
""")
    control, here = directory / "bird.ctl", str(directory)
    words = ["ip", "netns", "exec", frr.herald_namespace, "bird", "-f"]
    process = subprocess.Popen([*words, "-c", f"{here}/bird.conf", "-s", str(control), "-P", f"{here}/bird.pid"])
    try:
        eventually(lambda: frr.neighbor()["bgpState"] == "Established", "BIRD has its session", 30)
        yield
    finally:
        process.terminate()
        process.wait(10)


def drop(namespace: str, hook: str, match: str, verdict: str = "drop") -> None:
    table = f"t{hook}"
    run("ip", "netns", "exec", namespace, "nft", f"add table inet {table}")
    chain = f"add chain inet {table} c {{ type filter hook {hook} priority 0; }}"
    run("ip", "netns", "exec", namespace, "nft", chain)
    run("ip", "netns", "exec", namespace, "nft", f"add rule inet {table} c {match} {verdict}")
