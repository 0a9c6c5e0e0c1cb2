"""What the way to a peer depends on, followed: VRFs, source addresses, interfaces of unnumbered peers."""

import random
from ipaddress import IPv4Interface, IPv6Interface, ip_address

import pytest

from herald.bgp.event import ParametersChanged, WayBack, WayLost
from herald.bgp.parameters import PeerParameters
from herald.engine.unnumbered import readiness
from herald.engine.ways import Ways
from herald.net.interface import Interface, LinkFlag, Mac
from herald.router_discovery.event import Link

PEER = PeerParameters("r1", ip_address("10.0.0.1"), 64500, 64501)
LINK_LOCAL = IPv6Interface("fe80::2/64")
UP = LinkFlag.UP | LinkFlag.LOWER_UP
ETH0 = Interface(2, "eth0", UP, Mac(bytes(6)), None, (IPv4Interface("10.0.0.2/24"), LINK_LOCAL))


def device(name, index, *addresses):
    return Interface(index, name, UP, None, None, addresses)


class Told:
    """The news of ways that are followed."""

    def __init__(self, *peers):
        self.news = []
        self.ways = Ways(self.never, random.Random(1), lambda name, news: self.news.append((name, news)))
        for peer in peers:
            assert self.ways.follow(peer) == peer

    async def never(self, parameters):
        raise AssertionError("nobody asked for a connection")

    def see(self, *interfaces):
        """The news since the last look, now that these interfaces are there."""
        self.news.clear()
        self.ways.set_interfaces(interfaces)
        return list(self.news)


VRF_PEER = PeerParameters("r1", ip_address("10.0.0.1"), 64500, 64501, vrf="red")
SOURCE_PEER = PeerParameters("r1", ip_address("10.0.0.1"), 64500, 64501, source_address=ip_address("10.0.0.9"))
GONE = ("r1", WayLost("VRF red: its device is gone"))
BACK = ("r1", WayBack())


async def test_a_vrf_that_appears_goes_and_is_made_anew_is_followed():
    told = Told(VRF_PEER)
    assert told.see(ETH0) == []
    assert told.see(ETH0, device("red", 7)) == [BACK]
    assert told.see(ETH0, device("red", 7)) == []
    assert told.see(ETH0) == [GONE]
    assert told.see(ETH0, device("red", 8)) == [BACK]
    assert told.see(ETH0, device("red", 9)) == [GONE, BACK], "the same name is another device"


async def test_a_source_address_that_appears_is_tried_at_once():
    told = Told(SOURCE_PEER)
    assert told.see(ETH0) == []
    assert told.see(ETH0, device("lo", 1, IPv4Interface("10.0.0.9/32"))) == [BACK]
    assert told.see(ETH0, device("lo", 1, IPv4Interface("10.0.0.9/32"))) == []
    assert told.see(ETH0) == [], "the kernel tells the connection itself"


async def test_who_depends_on_nothing_hears_nothing():
    told = Told(PEER)
    assert told.see(ETH0) + told.see(ETH0, device("red", 7)) + told.see() == []


async def test_a_peer_that_is_dropped_is_followed_no_more():
    told = Told(VRF_PEER)
    told.ways.drop("r1")
    assert told.see(device("red", 7)) == []


async def test_an_unnumbered_peer_says_why_it_has_no_neighbour():
    peer = PeerParameters("tor", None, 64500, 64501, interface="eth7")
    told = Told(peer)
    told.see(ETH0)
    with pytest.raises(OSError, match=r"^interface eth7: this node has no interface of that name$"):
        await told.ways.dial(peer)
    assert told.ways.links()["eth7"].reason == "this node has no interface of that name"
    told.ways.drop("tor")
    assert told.ways.links() == {}


@pytest.mark.parametrize(
    ("interface", "expected"),
    [
        (ETH0, Link(2, LINK_LOCAL.ip, ETH0.mac)),
        (None, "this node has no interface of that name"),
        (Interface(2, "eth0", LinkFlag(0)), "it is down"),
        (Interface(2, "eth0", LinkFlag.UP), "it has no carrier"),
        (device("eth0", 2, IPv4Interface("10.0.0.2/24")), "it has no IPv6 link-local address that may be used"),
        (
            Interface(2, "eth0", UP, None, None, (LINK_LOCAL,), frozenset({LINK_LOCAL.ip})),
            "it has no IPv6 link-local address that may be used",
        ),
    ],
    ids=["ready", "not there", "down", "no carrier", "no IPv6", "duplicate or tentative"],
)
def test_an_interface_is_ready_or_says_why_not(interface, expected):
    assert readiness(interface) == expected


async def test_an_unnumbered_peer_hears_of_every_new_reason_and_of_the_interface():
    peer = PeerParameters("tor", None, 64500, 64501, interface="eth7")
    told = Told(peer)
    down, without_carrier = Interface(7, "eth7", LinkFlag(0)), Interface(7, "eth7", LinkFlag.UP)
    again = [("tor", ParametersChanged(peer))]
    for seen, reason in (
        ((), "this node has no interface of that name"),
        ((down,), "it is down"),
        ((without_carrier,), "it has no carrier"),
    ):
        lost = ("tor", WayLost(f"interface eth7: {reason}"))
        assert told.see(*seen) == [*again, lost, ("tor", WayBack())]
        assert told.see(*seen) == []
