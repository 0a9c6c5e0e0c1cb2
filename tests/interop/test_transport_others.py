"""The same as in test_transport_frr.py with BIRD, GoBGP and ExaBGP, where they can."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any

import pytest
from frr_router import HERALD, HERALD6, ROUTER, ROUTER6, FrrRouter, NamespaceLoop, frr_beside_herald
from peering_in_namespace import started
from unnumbered_routers import bird, daemons, until

from herald.bgp.parameters import PeerParameters
from herald.bgp.route import Route

pytestmark = [pytest.mark.netns, pytest.mark.interop]

BIRD = """
router id 10.50.0.1;
protocol device {{ }}
protocol bgp herald {{
  local {router} as 64501; neighbor {herald} {asn}; passive on; hold time 9; {more}
  ipv4 {{ import all; export none; {extended} }};
  ipv6 {{ import all; export none; }};
}}
"""
GOBGP = f"""
[global.config]
  as = 64501
  router-id = "10.50.0.1"
[[neighbors]]
  [neighbors.config]
    neighbor-address = "{HERALD}"
    peer-as = 64500
  [neighbors.transport.config]
    passive-mode = true
  [neighbors.ttl-security.config]
    enabled = true
    ttl-min = 255
  [[neighbors.afi-safis]]
    [neighbors.afi-safis.config]
      afi-safi-name = "ipv4-unicast"
  [[neighbors.afi-safis]]
    [neighbors.afi-safis.config]
      afi-safi-name = "ipv6-unicast"
"""
EXABGP = """
process heard {{
  run {script};
  encoder json;
}}
neighbor {herald} {{
  router-id 10.50.0.1; local-address {router}; local-as 64501; peer-as 23456; passive;
  capability {{ asn4 disable; }}
  family {{ ipv4 unicast; ipv6 unicast; }}
  api {{ processes [ heard ]; receive {{ parsed; update; }} }}
}}
"""
PEER = PeerParameters("router", ip_address(ROUTER), 64500, 64501, hold_time=9)
PEER6 = replace(PEER, peer_address=ip_address(ROUTER6))
FOUR, SIX = Route(IPv4Network("192.168.1.200/32")), Route(IPv6Network("2001:db8:cafe::1/128"))


@pytest.fixture
def place() -> Iterator[tuple[FrrRouter, NamespaceLoop]]:
    with frr_beside_herald() as router:
        loop = NamespaceLoop(router.herald_namespace)
        try:
            yield router, loop
        finally:
            loop.close()


def bird_config(router: str, herald: str, asn: str = "as 64500", more: str = "", extended: str = "") -> str:
    return BIRD.format(router=router, herald=herald, asn=asn, more=more, extended=extended)


@pytest.mark.parametrize(
    ("parameters", "router", "herald", "extended", "four"),
    [
        (PEER, ROUTER, HERALD, "", HERALD),
        (PEER6, ROUTER6, HERALD6, "", HERALD),
        (PEER6, ROUTER6, HERALD6, "extended next hop on;", HERALD6),
    ],
    ids=["over IPv4", "over IPv6", "over IPv6 with extended next hop"],
)
def test_bird_with_gtsm_learns_both_families(
    place: tuple[FrrRouter, NamespaceLoop],
    parameters: PeerParameters,
    router: str,
    herald: str,
    extended: str,
    four: str,
) -> None:
    there, loop = place
    config = bird_config(router, herald, more="ttl security on;", extended=extended)
    with bird(there.namespace, config) as learns, started(loop, replace(parameters, ttl_security=True), FOUR, SIX):
        until(lambda: str(SIX.prefix) in learns.show("route table master6"), "BIRD has the IPv6 route")
        assert f"BGP.next_hop: {HERALD6} fe80::" in learns.show(f"route all {SIX.prefix}")
        assert f"BGP.next_hop: {four}" in learns.show(f"route all {FOUR.prefix}")


def test_bird_that_knows_two_octets_puts_the_true_path_together(place: tuple[FrrRouter, NamespaceLoop]) -> None:
    there, loop = place
    config = bird_config(ROUTER, HERALD, asn="external", more="enable as4 off;")
    with bird(there.namespace, config) as learns:
        long = replace(FOUR, prepend=(4200000001, 64999))
        with started(loop, replace(PEER, local_asn=4200000001), long) as here:
            until(lambda: here.established, "the session is up")
            until(lambda: str(FOUR.prefix) in learns.show("route table master4"), "BIRD has the route")
            assert "BGP.as_path: 4200000001 64999 4200000001" in learns.show(f"route all {FOUR.prefix}")


def test_gobgp_with_gtsm_learns_both_families(place: tuple[FrrRouter, NamespaceLoop]) -> None:
    there, loop = place
    with daemons(there.namespace) as gobgp:
        path = gobgp.write("gobgp.toml", GOBGP)
        gobgp.start("gobgpd", "-f", str(path), "--api-hosts", "127.0.0.1:50051", "--log-plain", name="gobgpd")
        with started(loop, replace(PEER, ttl_security=True), FOUR, SIX) as here:
            until(lambda: here.established, "the session is up", 30)

            def rib(family: str) -> Any:
                words = ["ip", "netns", "exec", there.namespace, "gobgp", "-j", "global", "rib", "-a", family]
                done = subprocess.run(words, capture_output=True, text=True, check=False)
                return json.loads(done.stdout) if done.returncode == 0 and done.stdout.strip() else {}

            for family, route, hop in (("ipv4", FOUR, HERALD), ("ipv6", SIX, HERALD6)):
                (learnt,) = until(lambda: rib(family).get(str(route.prefix)), f"GoBGP has {route.prefix}")  # noqa: B023
                assert [one["nexthop"] for one in learnt["attrs"] if "nexthop" in one] == [hop]


def test_exabgp_with_two_octets_hears_the_true_path(place: tuple[FrrRouter, NamespaceLoop]) -> None:
    """No GTSM here: ExaBGP sets its TTLs where it dials, and we dial."""
    there, loop = place
    with daemons(there.namespace) as exabgp:
        heard = exabgp.directory / "heard"
        script = exabgp.write(
            "heard.sh", f"#!/bin/sh\nexec cat 3>&1 > {heard}\n"
        )  # ExaBGP takes a helper that closes its end for dead
        script.chmod(0o755)
        path = exabgp.write("exabgp.conf", EXABGP.format(script=script, herald=HERALD, router=ROUTER))
        environment = ["exabgp.daemon.user=root", "exabgp.api.cli=false", f"exabgp.tcp.bind={ROUTER}"]
        environment += ["exabgp.tcp.port=179", "exabgp.api.ack=false"]
        exabgp.start("env", *environment, "exabgp", str(path), name="exabgp")
        ours = replace(PEER, local_asn=4200000001)
        with started(loop, ours, FOUR, SIX) as here:
            until(lambda: here.established, f"the session is up: {here.error}; {exabgp.log('exabgp')}", 30)
            until(lambda: str(FOUR.prefix) in heard.read_text(), "ExaBGP hears the IPv4 route")
            until(lambda: str(SIX.prefix) in heard.read_text(), "ExaBGP hears the IPv6 route")
            lines = [json.loads(line) for line in heard.read_text().splitlines()]
            updates = [one["neighbor"]["message"].get("update", {}) for one in lines if one["type"] == "update"]
            (four,) = (one for one in updates if "ipv4 unicast" in one.get("announce", {}))
            assert four["attribute"]["as-path"] == [4200000001]
