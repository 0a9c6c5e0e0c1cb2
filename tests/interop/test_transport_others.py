"""The same as in test_transport_frr.py with BIRD, GoBGP and ExaBGP, where they can."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any

import matrix_bird
import matrix_exabgp
import matrix_gobgp
import pytest
from frr_router import HERALD, HERALD6, ROUTER, ROUTER6, FrrRouter, NamespaceLoop, frr_beside_herald
from matrix_bird import bird
from matrix_exabgp import exabgp
from matrix_gobgp import gobgp
from matrix_neighbor import Neighbor
from peering_in_namespace import started
from unnumbered_routers import until

from herald.bgp.parameters import PeerParameters
from herald.bgp.route import Route

pytestmark = [pytest.mark.netns, pytest.mark.interop]

PEER = PeerParameters("router", ip_address(ROUTER), 64500, 64501, hold_time=9)
PEER6 = replace(PEER, peer_address=ip_address(ROUTER6))
FOUR, SIX = Route(IPv4Network("192.168.1.200/32")), Route(IPv6Network("2001:db8:cafe::1/128"))
OLD = Neighbor(asn=4200000001, two_octets=True)


@pytest.fixture
def place() -> Iterator[tuple[FrrRouter, NamespaceLoop]]:
    with frr_beside_herald() as router:
        loop = NamespaceLoop(router.herald_namespace)
        try:
            yield router, loop
        finally:
            loop.close()


@pytest.mark.parametrize(
    ("parameters", "router", "herald", "extended", "four"),
    [
        (PEER, ROUTER, HERALD, False, HERALD),
        (PEER6, ROUTER6, HERALD6, False, HERALD),
        (PEER6, ROUTER6, HERALD6, True, HERALD6),
    ],
    ids=["over IPv4", "over IPv6", "over IPv6 with extended next hop"],
)
def test_bird_with_gtsm_learns_both_families(
    place: tuple[FrrRouter, NamespaceLoop],
    parameters: PeerParameters,
    router: str,
    herald: str,
    extended: bool,
    four: str,
) -> None:
    there, loop = place
    theirs = Neighbor(address=herald, local=router, ttl_security=True, extended_next_hop=extended)
    with (
        bird(there.namespace, matrix_bird.config(theirs)) as learns,
        started(loop, replace(parameters, ttl_security=True), FOUR, SIX),
    ):
        until(lambda: str(SIX.prefix) in learns.show("route table master6"), "BIRD has the IPv6 route")
        assert f"BGP.next_hop: {HERALD6} fe80::" in learns.show(f"route all {SIX.prefix}")
        assert f"BGP.next_hop: {four}" in learns.show(f"route all {FOUR.prefix}")


def test_bird_that_knows_two_octets_puts_the_true_path_together(place: tuple[FrrRouter, NamespaceLoop]) -> None:
    there, loop = place
    with bird(there.namespace, matrix_bird.config(OLD)) as learns:
        long = replace(FOUR, prepend=(4200000001, 64999))
        with started(loop, replace(PEER, local_asn=4200000001), long) as here:
            until(lambda: here.established, "the session is up")
            until(lambda: str(FOUR.prefix) in learns.show("route table master4"), "BIRD has the route")
            assert "BGP.as_path: 4200000001 64999 4200000001" in learns.show(f"route all {FOUR.prefix}")


def test_gobgp_with_gtsm_learns_both_families(place: tuple[FrrRouter, NamespaceLoop]) -> None:
    there, loop = place
    theirs, ours = Neighbor(ttl_security=True), replace(PEER, ttl_security=True)
    with gobgp(there.namespace, matrix_gobgp.config(theirs)) as learns, started(loop, ours, FOUR, SIX) as here:
        until(lambda: here.established, "the session is up", 30)
        for family, route, hop in (("ipv4", FOUR, HERALD), ("ipv6", SIX, HERALD6)):
            of = partial(learns.attributes, family)
            until(lambda: str(route.prefix) in of(), f"GoBGP has {route.prefix}")  # noqa: B023
            assert [one["nexthop"] for one in of()[str(route.prefix)].values() if "nexthop" in one] == [hop]


def test_exabgp_with_two_octets_hears_the_true_path(place: tuple[FrrRouter, NamespaceLoop]) -> None:
    there, loop = place
    with exabgp(there.namespace, matrix_exabgp.config(OLD)) as heard:
        ours = replace(PEER, local_asn=4200000001)
        with started(loop, ours, FOUR, SIX) as here:
            until(lambda: here.established, f"the session is up: {here.error}", 30)

            def announced(family: str) -> list[Any]:
                return [one for one in heard.announcements() if family in one.get("announce", {})]

            (four,) = until(lambda: announced("ipv4 unicast"), "ExaBGP hears the IPv4 route")
            assert str(FOUR.prefix) in str(four)
            assert four["attribute"]["as-path"] == [4200000001]
            (six,) = until(lambda: announced("ipv6 unicast"), "ExaBGP hears the IPv6 route")
            assert str(SIX.prefix) in str(six)
