"""How Herald reaches FRR and what it calls itself: families over either transport, next hops, TTL, ASNs, passwords."""

import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path
from typing import Any

import pytest
from frr_router import HERALD, HERALD6, ROUTER, ROUTER6, FrrRouter, NamespaceLoop, eventually, frr_beside_herald, run
from peering_in_namespace import Started, started

from herald.bgp.parameters import Password, PeerParameters
from herald.bgp.route import Route

pytestmark = [pytest.mark.netns, pytest.mark.interop]

CONFIG = """
hostname router
router bgp 64501
 bgp router-id 10.50.0.1
 no bgp ebgp-requires-policy
 neighbor {peer} remote-as {asn}
 neighbor {peer} timers 3 9
 neighbor {peer} passive
{more}
 address-family ipv4 unicast
  neighbor {peer} activate
 exit-address-family
 address-family ipv6 unicast
  neighbor {peer} activate
 exit-address-family
"""
PEER = PeerParameters("router", ip_address(ROUTER), 64500, 64501, hold_time=9)
PEER6 = replace(PEER, peer_address=ip_address(ROUTER6))
FOUR, SIX = Route(IPv4Network("192.168.1.200/32")), Route(IPv6Network("2001:db8:cafe::1/128"))
BEYOND = "10.60.0.1"


def config(peer: str = HERALD, asn: int | str = 64500, more: str = "") -> str:
    return CONFIG.format(peer=peer, asn=asn, more=more)


@pytest.fixture
def frr() -> Iterator[FrrRouter]:
    with frr_beside_herald() as router:
        yield router


@pytest.fixture
def loop(frr: FrrRouter) -> Iterator[NamespaceLoop]:
    made = NamespaceLoop(frr.herald_namespace)
    try:
        yield made
    finally:
        made.close()


def link_local(namespace: str) -> str:
    words = run("ip", "-n", namespace, "-6", "-o", "address", "show", "dev", "eth0", "scope", "link").split()
    return words[words.index("inet6") + 1].split("/")[0]


def path_of(frr: FrrRouter, route: Route) -> dict[str, Any]:
    family = "ipv4" if route.prefix.version == 4 else "ipv6"
    paths: list[dict[str, Any]] = frr.show(f"bgp {family} unicast {route.prefix}").get("paths", [])
    return paths[0] if paths else {}


def learnt(frr: FrrRouter, route: Route) -> dict[str, Any]:
    eventually(lambda: path_of(frr, route), f"FRR has {route.prefix}")
    return path_of(frr, route)


def hops(path: dict[str, Any]) -> list[str]:
    return [hop["ip"] for hop in path["nexthops"]]


def refused(here: Started, words: str) -> None:
    """A bgpd that has only just begun may let one session in before it minds TTLs; that ends by the hold timer."""
    eventually(lambda: here.error, "the attempt fails", seconds=30)
    eventually(lambda: words in here.error, f'the attempt fails with "{words}", not with "{here.error}"', seconds=60)


@pytest.mark.parametrize("parameters", [PEER, PEER6], ids=["over IPv4", "over IPv6"])
def test_an_ipv6_route_has_a_global_next_hop_and_its_link_local_twin(
    frr: FrrRouter, loop: NamespaceLoop, parameters: PeerParameters
) -> None:
    frr.start(config(HERALD if parameters is PEER else HERALD6))
    with started(loop, parameters, FOUR, SIX) as here:
        assert hops(learnt(frr, SIX)) == [HERALD6, link_local(frr.herald_namespace)]
        assert hops(learnt(frr, FOUR)) == [HERALD]
        assert here.established


def test_an_ipv4_route_over_ipv6_has_an_ipv6_next_hop_if_the_router_offers_that(
    frr: FrrRouter, loop: NamespaceLoop
) -> None:
    frr.start(config(HERALD6, more=f" neighbor {HERALD6} capability extended-nexthop"))
    with started(loop, PEER6, FOUR, SIX):
        assert hops(learnt(frr, FOUR))[0] == HERALD6
        assert hops(learnt(frr, SIX))[0] == HERALD6


def test_a_node_without_ipv4_has_ipv4_routes_by_ipv6(frr: FrrRouter, loop: NamespaceLoop) -> None:
    run("ip", "-n", frr.herald_namespace, "address", "del", f"{HERALD}/24", "dev", "eth0")
    frr.start(config(HERALD6, more=f" neighbor {HERALD6} capability extended-nexthop"))
    with started(loop, PEER6, FOUR):
        assert hops(learnt(frr, FOUR)) == [HERALD6, link_local(frr.herald_namespace)]


def test_a_node_without_ipv4_says_what_the_router_would_have_to_offer(frr: FrrRouter, loop: NamespaceLoop) -> None:
    run("ip", "-n", frr.herald_namespace, "address", "del", f"{HERALD}/24", "dev", "eth0")
    frr.start(config(HERALD6))
    missing = f"no IPv4 address beside {HERALD6} to be the next hop, and the peer does not offer the extended next hop"
    with started(loop, PEER6, FOUR, SIX) as here:
        learnt(frr, SIX)
        assert [family.reason for family in here.snapshot.families] == [
            f"{missing} (RFC 8950)",
            None,
        ]


@pytest.mark.parametrize(("ours", "peer"), [(PEER, HERALD), (PEER6, HERALD6)], ids=["IPv4", "IPv6"])
def test_gtsm_on_both_sides_connects(frr: FrrRouter, loop: NamespaceLoop, ours: PeerParameters, peer: str) -> None:
    frr.start(config(peer, more=f" neighbor {peer} ttl-security hops 1"))
    with started(loop, replace(ours, ttl_security=True), FOUR):
        learnt(frr, FOUR)
        assert frr.neighbor(peer)["externalBgpNbrMaxHopsAway"] == 1


def test_gtsm_of_the_router_alone_is_hinted_at(frr: FrrRouter, loop: NamespaceLoop) -> None:
    frr.start(config(more=f" neighbor {HERALD} ttl-security hops 1"))
    with started(loop, PEER) as here:
        refused(here, "a peer with GTSM drops what we send without ttlSecurity")


def test_gtsm_of_ours_alone_is_hinted_at(frr: FrrRouter, loop: NamespaceLoop) -> None:
    frr.start(config())
    with started(loop, replace(PEER, ttl_security=True)) as here:
        refused(here, "with ttlSecurity the peer must be on the link and send with TTL 255")


@contextmanager
def frr_beyond_a_router() -> Iterator[FrrRouter]:
    """Herald 10.50.0.2 — 10.50.0.1 middle 10.60.0.2 — 10.60.0.1 FRR."""
    names = [f"hb{letter}{secrets.token_hex(3)}" for letter in "mrh"]
    middle, router, herald = names
    directory = Path(tempfile.mkdtemp(prefix="herald-frr-", dir="/tmp"))
    directory.chmod(0o755)
    shutil.chown(directory, "frr", "frr")
    frr = FrrRouter(router, herald, directory)
    try:
        for name in names:
            run("ip", "netns", "add", name)
            run("ip", "-n", name, "link", "set", "lo", "up")
        run("ip", "netns", "exec", middle, "sysctl", "-qw", "net.ipv4.ip_forward=1")
        for interface, name, near, far in (("one", herald, ROUTER, HERALD), ("two", router, "10.60.0.2", BEYOND)):
            run("ip", "link", "add", interface, "netns", middle, "type", "veth", "peer", "name", "eth0", "netns", name)
            for namespace, device, address in ((middle, interface, near), (name, "eth0", far)):
                run("ip", "-n", namespace, "address", "add", f"{address}/24", "dev", device)
                run("ip", "-n", namespace, "link", "set", device, "up")
            run("ip", "-n", name, "route", "add", "default", "via", near)
        yield frr
    finally:
        if hasattr(frr, "process"):
            frr.stop()
        for name in names:
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)
        shutil.rmtree(directory)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"multihop": True}, None),
        ({}, f"TTL expired at {ROUTER} on the way to {BEYOND}:179"),
        ({"ttl_security": True}, f"timed out: no answer from {BEYOND}:179"),
    ],
    ids=["ebgpMultiHop", "nothing", "ttlSecurity"],
)
def test_a_peer_beyond_a_router_is_reached_with_multihop_only(changes: dict[str, Any], words: str | None) -> None:
    with frr_beyond_a_router() as frr:
        loop = NamespaceLoop(frr.herald_namespace)
        frr.start(config(more=f" neighbor {HERALD} ebgp-multihop 5"))
        try:
            with started(loop, replace(PEER, peer_address=ip_address(BEYOND), **changes), FOUR) as here:
                if words is None:
                    assert hops(learnt(frr, FOUR)) == [HERALD]
                else:
                    refused(here, words)
        finally:
            loop.close()


@pytest.mark.parametrize(
    ("asn", "parameters", "path"),
    [
        (65010, replace(PEER, local_asn=65010), "65010"),
        ("external", replace(PEER, peer_asn=None, dynamic_asn="external"), "64500"),
        ("internal", replace(PEER, local_asn=64501, peer_asn=None, dynamic_asn="internal"), "Local"),
        (4200000001, replace(PEER, local_asn=4200000001), "4200000001"),
    ],
    ids=["another AS to this peer", "dynamic external", "dynamic internal", "four octets"],
)
def test_the_router_sees_the_as_that_it_is_shown(
    frr: FrrRouter, loop: NamespaceLoop, asn: int | str, parameters: PeerParameters, path: str
) -> None:
    frr.start(config(asn=asn))
    with started(loop, parameters, FOUR):
        assert learnt(frr, FOUR)["aspath"]["string"] == path


@pytest.mark.parametrize(
    ("asn", "parameters", "words"),
    [
        (
            64500,
            replace(PEER, peer_asn=None, dynamic_asn="internal"),
            "the peer says it is AS 64501, configured is our own AS 64500",
        ),
        (
            "internal",
            replace(PEER, local_asn=64501, peer_asn=None, dynamic_asn="external"),
            "the peer says it is AS 64501, configured is any AS but our own 64501",
        ),
    ],
    ids=["internal", "external"],
)
def test_a_router_of_the_wrong_kind_is_refused(
    frr: FrrRouter, loop: NamespaceLoop, asn: int | str, parameters: PeerParameters, words: str
) -> None:
    frr.start(config(asn=asn))
    with started(loop, parameters) as here:
        refused(here, f"we sent OPEN Message Error/Bad Peer AS: {words}")


def test_a_router_that_offers_two_octets_only_gets_as_trans(frr: FrrRouter, loop: NamespaceLoop) -> None:
    """Told not to negotiate, FRR reads two octets, but is no old speaker itself: it drops AS4_PATH (RFC 6793 §4.1)."""
    frr.start(config(asn=4200000001, more=f" neighbor {HERALD} dont-capability-negotiate"))
    prepended = replace(FOUR, prepend=(4200000001, 64999))
    with started(loop, replace(PEER, local_asn=4200000001), prepended) as here:
        assert learnt(frr, FOUR)["aspath"]["string"] == "23456 64999 23456"
        assert here.snapshot.capabilities_received == ()
        assert "four-octet-as 4200000001" in here.snapshot.capabilities_offered


def test_a_password_is_changed_on_the_running_peer(frr: FrrRouter, loop: NamespaceLoop) -> None:
    frr.start(config(more=f" neighbor {HERALD} password first"))
    with started(loop, replace(PEER, password=Password("first")), FOUR) as here:
        learnt(frr, FOUR)
        frr.vtysh("configure", "router bgp 64501", f"neighbor {HERALD} password second")
        here.update(replace(PEER, password=Password("second")))
        eventually(lambda: here.snapshot.ups == 2 and here.established, "the session is up with the new password")
        learnt(frr, FOUR)
        here.update(replace(PEER, password=None))
        refused(here, "timed out")
        assert not path_of(frr, FOUR)
