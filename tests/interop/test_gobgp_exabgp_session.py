"""Herald's BGP against GoBGP and ExaBGP: two more opinions on what Herald writes."""

from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any

import matrix_exabgp
import matrix_gobgp
import pytest
from frr_router import HERALD, ROUTER, FrrRouter, NamespaceLoop, eventually, frr_beside_herald
from matrix_exabgp import exabgp
from matrix_gobgp import gobgp
from matrix_neighbor import Neighbor
from peering_in_namespace import started

from herald.bgp.community import Community, LargeCommunity
from herald.bgp.driver import Peering
from herald.bgp.route import Route
from herald.bgp.session import Password, PeerParameters, State

pytestmark = [pytest.mark.netns, pytest.mark.interop]

THEIRS = Neighbor(password="secret123")
PLAIN = Route(IPv4Network("192.168.1.200/32"))
COLOURED = Route(
    IPv4Network("192.168.1.201/32"),
    communities=(Community(64500 << 16 | 10), Community(0xFFFFFF01)),
    large_communities=(LargeCommunity(64500, 1, 4294967295),),
    prepend=(64500, 64500),
)
SIX = Route(IPv6Network("2001:db8:cafe::1/128"), communities=(Community(64500 << 16 | 6),))
ROUTES = (PLAIN, COLOURED, SIX)


@contextmanager
def peering(loop: NamespaceLoop, password: str | None = None) -> Iterator[Peering]:
    """A started peering with the routes, in Herald's namespace."""
    secret = Password(password) if password else None
    parameters = PeerParameters("router", ip_address(ROUTER), 64500, 64501, password=secret, hold_time=9)

    with started(loop, parameters, *ROUTES) as here:
        yield here.peering


@pytest.fixture
def place() -> Iterator[tuple[FrrRouter, NamespaceLoop]]:
    """Two namespaces joined by a wire, and a loop in Herald's."""
    with frr_beside_herald() as router:
        loop = NamespaceLoop(router.herald_namespace)
        try:
            yield router, loop
        finally:
            loop.close()


def test_gobgp_with_a_password_learns_what_was_wished_for_and_forgets_it(
    place: tuple[FrrRouter, NamespaceLoop],
) -> None:
    router, loop = place
    with gobgp(router.namespace, matrix_gobgp.config(THEIRS)) as go:
        with peering(loop, "secret123") as herald:
            eventually(
                lambda: len(go.attributes("ipv4")) == 2 and len(go.attributes("ipv6")) == 1, "GoBGP has the routes"
            )
            four = go.attributes("ipv4")
            assert set(four["192.168.1.200/32"]) == {1, 2, 3}, "ORIGIN, AS_PATH, NEXT_HOP: no MED, no LOCAL_PREF"
            coloured = four["192.168.1.201/32"]
            assert set(coloured) == {1, 2, 3, 8, 32}
            assert coloured[2]["as_paths"][0]["asns"] == [64500, 64500, 64500]
            assert coloured[8]["communities"] == [64500 << 16 | 10, 0xFFFFFF01]
            (large,) = coloured[32]["value"]
            assert list(large.values()) == [64500, 1, 4294967295]
            (six,) = go.attributes("ipv6").values()
            assert six[14]["nexthop"] == "2001:db8:50::2"
            loop.do(lambda: herald.apply_routes((), (COLOURED.prefix, SIX.prefix)))
            eventually(lambda: list(go.attributes("ipv4")) == ["192.168.1.200/32"], "the route is withdrawn")
            eventually(lambda: not go.attributes("ipv6"), "the IPv6 route is withdrawn")
            (neighbor,) = go.show("neighbor")
            assert neighbor["state"]["session_state"] == 6, "still the same session, Established"
        eventually(lambda: not go.attributes("ipv4"), "what it learnt goes with the session")


def test_gobgp_with_another_password_gets_no_session(place: tuple[FrrRouter, NamespaceLoop]) -> None:
    router, loop = place
    with gobgp(router.namespace, matrix_gobgp.config(THEIRS)), peering(loop, "wrong") as herald:
        eventually(lambda: loop.do(herald.snapshot).last_error is not None, "the attempt is given up", 20.0)
        error = loop.do(herald.snapshot).last_error
    assert error is not None
    assert "its TCP MD5 password is another than this one" in error.text


def test_exabgp_hears_exactly_what_was_wished_for(place: tuple[FrrRouter, NamespaceLoop]) -> None:
    router, loop = place
    with exabgp(router.namespace, matrix_exabgp.config(Neighbor())) as heard:

        def said(key: str) -> list[Any]:
            return [update for update in heard.announcements() if key in update]

        with peering(loop) as herald:
            eventually(lambda: loop.do(herald.snapshot).state is State.ESTABLISHED, "the session is up")
            eventually(lambda: len(said("announce")) == 3, "three kinds of routes are heard")
            loop.do(lambda: herald.apply_routes((), (COLOURED.prefix, SIX.prefix)))
            eventually(lambda: len(said("withdraw")) == 2, "both withdrawals are heard")
        announced, withdrawn = said("announce"), said("withdraw")
    attributes: dict[str, tuple[set[str], Any]] = {}
    for update in announced:
        for by_hop in update["announce"].values():
            for hop, entries in by_hop.items():
                for entry in entries:
                    attributes.setdefault(entry["nlri"], (set(), update["attribute"]))[0].add(hop)
    assert attributes["192.168.1.200/32"] == ({HERALD}, {"origin": "igp", "as-path": [64500], "confederation-path": []})
    assert attributes["192.168.1.201/32"][1] == {
        "origin": "igp",
        "as-path": [64500, 64500, 64500],
        "confederation-path": [],
        "community": [[64500, 10], [65535, 65281]],
        "large-community": [[64500, 1, 4294967295]],
    }
    link_local, beyond = sorted(attributes["2001:db8:cafe::1/128"][0], key=lambda hop: not hop.startswith("fe80:"))
    assert (link_local[:6], beyond) == ("fe80::", "2001:db8:50::2"), "both next hops of who is on the link (RFC 2545)"
    gone = [entry["nlri"] for update in withdrawn for some in update["withdraw"].values() for entry in some]
    assert sorted(gone) == ["192.168.1.201/32", "2001:db8:cafe::1/128"]
