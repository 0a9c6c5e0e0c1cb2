"""Herald's BGP against a real BIRD: the second opinion on what Herald writes."""

from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, ip_address

import pytest
from frr_router import HERALD, ROUTER, NamespaceLoop, eventually, frr_beside_herald
from matrix_bird import Bird, bird, config
from matrix_neighbor import Neighbor
from peering_in_namespace import started

from herald.bgp.community import Community, LargeCommunity
from herald.bgp.route import Route
from herald.bgp.session import Password, PeerParameters

pytestmark = [pytest.mark.netns, pytest.mark.interop]

THEIRS = Neighbor(asn=4200000001, password="secret123")
ROUTES = (
    Route(
        IPv4Network("192.168.1.201/32"),
        communities=(Community(64500 << 16 | 10), Community(64500 << 16 | 20)),
        large_communities=(LargeCommunity(64500, 1, 4294967295),),
        prepend=(4200000001,),
    ),
    Route(IPv6Network("2001:db8:cafe::/64")),
)


@pytest.fixture
def there() -> Iterator[tuple[Bird, NamespaceLoop]]:
    with frr_beside_herald() as router, bird(router.namespace, config(THEIRS)) as running:
        loop = NamespaceLoop(router.herald_namespace)
        try:
            yield running, loop
        finally:
            loop.close()


def test_bird_learns_what_was_wished_for_and_forgets_it(there: tuple[Bird, NamespaceLoop]) -> None:
    router, loop = there
    parameters = PeerParameters(
        name="bird",
        peer_address=ip_address(ROUTER),
        local_asn=4200000001,
        peer_asn=64501,
        password=Password("secret123"),
    )

    with started(loop, parameters, *ROUTES) as here:
        eventually(lambda: here.established, "the session is up")
        eventually(lambda: "2001:db8:cafe::/64" in router.show("route table master6"), "BIRD has the IPv6 route")
        shown = router.show("route all 192.168.1.201/32")
        for line in (
            "BGP.origin: IGP",
            "BGP.as_path: 4200000001 4200000001",
            f"BGP.next_hop: {HERALD}",
            "BGP.community: (64500,10) (64500,20)",
            "BGP.large_community: (64500, 1, 4294967295)",
        ):
            assert line in shown
        loop.do(lambda: here.peering.apply_routes((), tuple(route.prefix for route in ROUTES)))
        eventually(lambda: "192.168.1.201" not in router.show("route"), "the route is withdrawn")
        eventually(lambda: "2001:db8:cafe" not in router.show("route"), "the IPv6 route is withdrawn")
    eventually(lambda: "Received: Administrative shutdown" in router.show("protocols all herald"), "BIRD is told why")
