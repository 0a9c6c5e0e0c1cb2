"""Herald's BGP against a real FRR: what the router says it has learnt is what was wished for."""

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network, IPv6Network, ip_address

import pytest
from frr_router import HERALD, HERALD6, ROUTER, ROUTER6, FrrRouter, NamespaceLoop, eventually, frr_beside_herald

from herald.bgp.community import Community, LargeCommunity
from herald.bgp.driver import Peering
from herald.bgp.family import Family
from herald.bgp.route import Route
from herald.bgp.session import Password, PeerParameters, SessionSnapshot, State
from herald.engine.tcp import dial

pytestmark = [pytest.mark.netns, pytest.mark.interop]

CONFIG = """
hostname router
debug bgp updates in
debug bgp neighbor-events
router bgp 64501
 bgp router-id 10.50.0.1
 no bgp ebgp-requires-policy
 neighbor {peer} remote-as {asn}
 neighbor {peer} timers 3 9
 neighbor {peer} passive
{more}
 address-family ipv6 unicast
  neighbor {peer} activate
 exit-address-family
"""
PARAMETERS = PeerParameters(
    name="router", peer_address=ip_address(ROUTER), local_asn=64500, peer_asn=64501, router_id=None, hold_time=90
)
PLAIN = Route(IPv4Network("192.168.1.200/32"))
COLOURED = Route(
    IPv4Network("192.168.1.201/32"),
    communities=(Community(64500 << 16 | 10), Community(0xFFFFFF01)),
    large_communities=(LargeCommunity(64500, 1, 4294967295),),
    prepend=(64500, 64500),
    med=70,
)
SIX = Route(IPv6Network("2001:db8:cafe::1/128"), communities=(Community(64500 << 16 | 6),))


@dataclass
class Herald:
    """A peering that runs in Herald's namespace, and what it told."""

    loop: NamespaceLoop
    peering: Peering = field(init=False)
    told: list[tuple[State, str | None]] = field(default_factory=list)

    def peer(self, parameters: PeerParameters, *routes: Route) -> None:
        def begin() -> None:
            self.peering = Peering(parameters, dial=dial, rng=random.Random(1), on_change=self._tell)
            self.peering.apply_routes(routes, ())
            self.peering.start()

        self.loop.do(begin)

    def _tell(self, snapshot: SessionSnapshot, reason: str | None) -> None:
        self.told.append((snapshot.state, reason))

    @property
    def snapshot(self) -> SessionSnapshot:
        return self.loop.do(self.peering.snapshot)

    def wait_established(self) -> None:
        eventually(lambda: self.snapshot.state is State.ESTABLISHED, "Herald is Established")


@pytest.fixture
def frr() -> Iterator[FrrRouter]:
    with frr_beside_herald() as router:
        yield router


@pytest.fixture
def herald(frr: FrrRouter) -> Iterator[Herald]:
    loop = NamespaceLoop(frr.herald_namespace)
    herald = Herald(loop)
    try:
        yield herald
    finally:
        if hasattr(herald, "peering"):
            loop.call(lambda: herald.peering.stop("the test is over"))
        loop.close()


def config(peer: str = HERALD, asn: int = 64500, more: str = "") -> str:
    return CONFIG.format(peer=peer, asn=asn, more=more)


def route_of(frr: FrrRouter, family: str, prefix: str) -> dict[str, object]:
    paths = frr.show(f"bgp {family} unicast {prefix}").get("paths", [])
    return paths[0] if paths else {}


def test_routes_with_all_attributes_arrive_and_go(frr: FrrRouter, herald: Herald) -> None:
    frr.start(config())
    herald.peer(PARAMETERS, PLAIN, COLOURED, SIX)
    herald.wait_established()
    eventually(lambda: route_of(frr, "ipv6", "2001:db8:cafe::1/128"), "the router has the IPv6 route")

    plain = route_of(frr, "ipv4", "192.168.1.200/32")
    assert plain["aspath"]["string"] == "64500"
    assert plain["origin"] == "IGP"
    assert [hop["ip"] for hop in plain["nexthops"]] == [HERALD]
    coloured = route_of(frr, "ipv4", "192.168.1.201/32")
    assert coloured["aspath"]["string"] == "64500 64500 64500"
    assert coloured["community"]["string"] == "64500:10 no-export"
    assert (plain.get("metric", 0), coloured["metric"]) == (0, 70)
    assert coloured["largeCommunity"]["string"] == "64500:1:4294967295"
    six = route_of(frr, "ipv6", "2001:db8:cafe::1/128")
    assert six["community"]["string"] == "64500:6"
    assert HERALD6 in [hop["ip"] for hop in six["nexthops"]]
    assert [entry.advertised for entry in herald.snapshot.families] == [2, 1]

    herald.loop.do(lambda: herald.peering.apply_routes((), (PLAIN.prefix, SIX.prefix)))
    eventually(lambda: not route_of(frr, "ipv4", "192.168.1.200/32"), "the IPv4 route is withdrawn")
    eventually(lambda: not route_of(frr, "ipv6", "2001:db8:cafe::1/128"), "the IPv6 route is withdrawn")
    assert route_of(frr, "ipv4", "192.168.1.201/32")


def test_hold_and_keepalive_times_are_the_smaller_ones_and_an_end_of_rib_was_sent(
    frr: FrrRouter, herald: Herald
) -> None:
    frr.start(config())
    herald.peer(replace(PARAMETERS, hold_time=30, keepalive_time=2), PLAIN)
    herald.wait_established()
    assert (herald.snapshot.hold_time, herald.snapshot.keepalive_time) == (9, 2)
    eventually(lambda: frr.neighbor()["bgpState"] == "Established", "the router has heard our KEEPALIVE too")
    assert frr.neighbor()["bgpTimerHoldTimeMsecs"] == 9000
    for family in ("IPv4 Unicast", "IPv6 Unicast"):
        eventually(lambda: f"rcvd End-of-RIB for {family} from {HERALD}" in frr.log, f"End-of-RIB of {family}")  # noqa: B023


def test_a_changed_attribute_reaches_the_router_without_a_new_session(frr: FrrRouter, herald: Herald) -> None:
    frr.start(config())
    herald.peer(PARAMETERS, PLAIN)
    herald.wait_established()
    eventually(lambda: route_of(frr, "ipv4", "192.168.1.200/32"), "the route is there")
    changed = replace(PLAIN, communities=(Community(64500 << 16 | 99),))
    herald.loop.do(lambda: herald.peering.apply_routes((changed,), ()))
    eventually(
        lambda: route_of(frr, "ipv4", "192.168.1.200/32").get("community", {}).get("string") == "64500:99",
        "the new community is there",
    )
    assert frr.neighbor()["connectionsEstablished"] == 1


def test_an_internal_peer_gets_local_pref(frr: FrrRouter, herald: Herald) -> None:
    frr.start(config(asn=64501))
    internal = replace(PARAMETERS, local_asn=64501)
    herald.peer(internal, PLAIN, Route(IPv4Network("192.168.1.202/32"), local_pref=300))
    eventually(lambda: route_of(frr, "ipv4", "192.168.1.202/32"), "the route is there")
    assert route_of(frr, "ipv4", "192.168.1.202/32")["locPrf"] == 300
    assert route_of(frr, "ipv4", "192.168.1.200/32")["locPrf"] == 100
    assert route_of(frr, "ipv4", "192.168.1.200/32")["aspath"]["string"] == "Local"


def test_a_session_over_ipv6_carries_both_families(frr: FrrRouter, herald: Herald) -> None:
    frr.start(config(peer=HERALD6))
    herald.peer(replace(PARAMETERS, peer_address=ip_address(ROUTER6)), PLAIN, SIX)
    eventually(lambda: route_of(frr, "ipv6", "2001:db8:cafe::1/128"), "the IPv6 route is there")
    assert [hop["ip"] for hop in route_of(frr, "ipv4", "192.168.1.200/32")["nexthops"]] == [HERALD]


def test_four_octet_as_numbers_and_ten_thousand_routes_arrive(frr: FrrRouter, herald: Herald) -> None:
    frr.start(config(asn=4200000001))
    routes = tuple(
        Route(IPv4Network((0x0A800000 + number, 32)), communities=(Community(64500 << 16 | number % 7),))
        for number in range(10_000)
    )
    herald.peer(replace(PARAMETERS, local_asn=4200000001), *routes)
    eventually(
        lambda: frr.show("bgp ipv4 unicast summary")["peers"][HERALD]["pfxRcd"] == 10_000, "all routes are there"
    )
    assert route_of(frr, "ipv4", "10.128.0.1/32")["aspath"]["string"] == "4200000001"
    eventually(lambda: herald.snapshot.families[0].advertised == 10_000, "all are counted as advertised")


def test_the_same_password_on_both_sides_connects(frr: FrrRouter, herald: Herald) -> None:
    frr.start(config(more=f" neighbor {HERALD} password secret123"))
    herald.peer(replace(PARAMETERS, password=Password("secret123")), PLAIN)
    eventually(lambda: route_of(frr, "ipv4", "192.168.1.200/32"), "the route is there")


def test_a_wrong_password_is_named_as_the_likely_cause(frr: FrrRouter, herald: Herald) -> None:
    frr.start(config(more=f" neighbor {HERALD} password secret123"))
    herald.peer(replace(PARAMETERS, password=Password("wrong")), PLAIN)
    eventually(lambda: herald.snapshot.last_error is not None, "the attempt has failed")
    assert "its TCP MD5 password is another than this one" in herald.snapshot.last_error.text
    assert "wrong" not in repr(herald.snapshot)


def test_a_router_that_expects_another_asn_is_quoted(frr: FrrRouter, herald: Herald) -> None:
    frr.start(config(asn=64999))
    herald.peer(PARAMETERS)
    # As below: the first connection may end with a Finite State Machine Error of a bgpd that has only just begun.
    expected = "they sent OPEN Message Error/Bad Peer AS (it does not expect AS 64500 from us; set myASN"
    eventually(
        lambda: (error := herald.snapshot.last_error) is not None and error.text.startswith(expected), "it is quoted"
    )


def test_a_peer_of_another_asn_than_configured_is_told_so(frr: FrrRouter, herald: Herald) -> None:
    frr.start(config())
    herald.peer(replace(PARAMETERS, peer_asn=64777))
    # A bgpd that has only just begun may end the first connection with a Finite State Machine Error of its own.
    expected = "we sent OPEN Message Error/Bad Peer AS: the peer says it is AS 64501, configured is AS 64777"
    eventually(lambda: (error := herald.snapshot.last_error) is not None and error.symptom == expected, "it is told so")
    eventually(lambda: "2/2 (OPEN Message Error/Bad Peer AS)" in frr.log, "the router knows why")


def test_nobody_listening_is_a_refused_connection(frr: FrrRouter, herald: Herald) -> None:
    herald.peer(PARAMETERS)
    eventually(lambda: herald.told and herald.told[-1][0] is State.ACTIVE, "the attempt has failed")
    why = herald.told[-1][1]
    assert why is not None
    assert "nothing takes connections on its TCP port 179" in why


def test_a_source_address_that_is_not_ours_is_named(frr: FrrRouter, herald: Herald) -> None:
    herald.peer(replace(PARAMETERS, source_address=ip_address("192.0.2.77")))
    eventually(lambda: herald.snapshot.last_error is not None, "the attempt has failed")
    assert herald.snapshot.last_error.text == "source address 192.0.2.77 is not an address of this host"


def test_a_session_that_the_router_clears_comes_back_with_all_routes(frr: FrrRouter, herald: Herald) -> None:
    frr.start(config())
    herald.peer(PARAMETERS, PLAIN)
    eventually(lambda: route_of(frr, "ipv4", "192.168.1.200/32"), "the route is there")
    frr.vtysh(f"clear bgp {HERALD}")
    eventually(lambda: herald.snapshot.flaps == 1 and herald.snapshot.state is State.ESTABLISHED, "it comes back")
    eventually(lambda: route_of(frr, "ipv4", "192.168.1.200/32"), "the route is there again")
    assert (State.IDLE, "they sent Cease/Administrative Reset") in herald.told


def test_a_soft_refresh_is_answered(frr: FrrRouter, herald: Herald) -> None:
    frr.start(config())
    herald.peer(PARAMETERS, PLAIN)
    eventually(lambda: route_of(frr, "ipv4", "192.168.1.200/32"), "the route is there")
    before = frr.neighbor()["messageStats"]["updatesRecv"]
    frr.vtysh(f"clear bgp {HERALD} soft in")
    eventually(lambda: frr.neighbor()["messageStats"]["updatesRecv"] > before, "the route is sent again")
    assert herald.snapshot.flaps == 0


def test_the_router_hears_why_we_leave(frr: FrrRouter, herald: Herald) -> None:
    frr.start(config())
    herald.peer(PARAMETERS, PLAIN)
    eventually(lambda: route_of(frr, "ipv4", "192.168.1.200/32"), "the route is there")
    herald.loop.call(lambda: herald.peering.stop("node goes into maintenance"))
    eventually(lambda: not route_of(frr, "ipv4", "192.168.1.200/32"), "the route is gone")
    eventually(lambda: "lastNotificationReason" in frr.neighbor(), "the router knows why")
    neighbor = frr.neighbor()
    assert neighbor["lastNotificationReason"] == "Cease/Administrative Shutdown"
    assert neighbor["lastShutdownDescription"] == "node goes into maintenance"


def test_a_family_that_the_router_does_not_take_is_explained(frr: FrrRouter, herald: Herald) -> None:
    frr.start(config().replace(f"neighbor {HERALD} activate", f"no neighbor {HERALD} activate"))
    herald.peer(PARAMETERS, PLAIN, SIX)
    herald.wait_established()
    six = next(entry for entry in herald.snapshot.families if entry.family is Family.IPV6_UNICAST)
    assert (six.wanted, six.advertised, six.reason) == (1, 0, "the peer does not offer ipv6-unicast")


def test_a_router_that_is_strict_about_roles_is_explained(frr: FrrRouter, herald: Herald) -> None:
    frr.start(config(more=f" neighbor {HERALD} local-role provider strict-mode"))
    herald.peer(PARAMETERS)

    def said() -> str:
        error = herald.snapshot.last_error
        return error.text if error is not None else ""

    eventually(lambda: "OPEN Message Error/Role Mismatch" in said(), "it is refused")
    assert "it is strict about BGP roles (RFC 9234), and we state none" in said()


def test_a_role_of_the_router_that_is_not_strict_does_no_harm_and_is_shown(frr: FrrRouter, herald: Herald) -> None:
    frr.start(config(more=f" neighbor {HERALD} local-role provider"))
    herald.peer(PARAMETERS, PLAIN)
    eventually(lambda: route_of(frr, "ipv4", "192.168.1.200/32"), "the route is there")
    assert "bgp-role provider" in herald.snapshot.capabilities_received
    assert "fqdn router" in herald.snapshot.capabilities_received


def test_without_a_hold_time_nobody_sends_keepalives_and_the_session_stands(frr: FrrRouter, herald: Herald) -> None:
    frr.start(config())
    herald.peer(replace(PARAMETERS, hold_time=0), PLAIN)
    eventually(lambda: route_of(frr, "ipv4", "192.168.1.200/32"), "the route is there")
    before = frr.neighbor()["messageStats"]["keepalivesRecv"]
    time.sleep(4)
    assert frr.neighbor()["messageStats"]["keepalivesRecv"] == before
    assert (frr.neighbor()["bgpTimerHoldTimeMsecs"], herald.snapshot.flaps) == (0, 0)
    herald.loop.do(lambda: herald.peering.apply_routes((SIX,), ()))
    eventually(lambda: route_of(frr, "ipv6", "2001:db8:cafe::1/128"), "routes go on changing")
