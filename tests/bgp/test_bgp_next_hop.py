"""Which addresses of ours the peer is told as next hop."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest

from herald.bgp.event import Connected
from herald.bgp.family import Family
from herald.bgp.next_hop import missing, next_hops

FOUR, SIX = Family.IPV4_UNICAST, Family.IPV6_UNICAST
V4, V6, LINK_LOCAL = "10.0.0.2", "2001:db8::2", "fe80::2"
EXTENDED = frozenset({FOUR})


def end(local: str, ipv4: str | None = V4, ipv6: str | None = V6, *, on_link: bool = True) -> Connected:
    return Connected(
        ip_address(local),
        IPv6Address(ipv6) if ipv6 else None,
        IPv4Address(ipv4) if ipv4 else None,
        IPv4Address("10.0.0.2"),
        IPv6Address(LINK_LOCAL),
        on_link,
    )


def told(local: Connected, extended: frozenset[Family] = frozenset(), *, multihop: bool = False) -> list[list[str]]:
    hops = next_hops(local, extended, multihop=multihop)
    return [[str(hop) for hop in hops.get(family, ())] for family in Family]


@pytest.mark.parametrize(
    ("local", "extended", "ipv4", "ipv6"),
    [
        (end(V4), frozenset(), [V4], [V6, LINK_LOCAL]),
        (end(V4), EXTENDED, [V4], [V6, LINK_LOCAL]),
        (end(V4, ipv6=None), frozenset(), [V4], []),
        (end(V4, on_link=False), frozenset(), [V4], [V6]),
        (end(V6), frozenset(), [V4], [V6, LINK_LOCAL]),
        (end(V6), EXTENDED, [V6, LINK_LOCAL], [V6, LINK_LOCAL]),
        (end(V6, ipv4=None), frozenset(), [], [V6, LINK_LOCAL]),
        (end(V6, on_link=False), EXTENDED, [V6], [V6]),
        (end(LINK_LOCAL), EXTENDED, [LINK_LOCAL], [LINK_LOCAL]),
        (end(LINK_LOCAL), frozenset(), [V4], [LINK_LOCAL]),
        (end(LINK_LOCAL, None, None), EXTENDED, [LINK_LOCAL], [LINK_LOCAL]),
        (end(LINK_LOCAL, None, None), frozenset(), [], [LINK_LOCAL]),
    ],
    ids=[
        "IPv4",
        "IPv4: an extended next hop is not needed",
        "IPv4 without IPv6",
        "IPv4 off link",
        "IPv6",
        "IPv6 extended",
        "IPv6 without IPv4",
        "IPv6 off link extended",
        "unnumbered",
        "unnumbered with a peer that cannot",
        "unnumbered without any other address",
        "unnumbered without any other address with a peer that cannot",
    ],
)
def test_the_next_hop_follows_transport_and_agreement(local, extended, ipv4, ipv6):
    assert told(local, extended) == [ipv4, ipv6]


def test_a_peer_beyond_a_router_never_gets_a_link_local_address():
    assert told(end(V6), EXTENDED, multihop=True) == [[V6], [V6]]
    assert told(end(V4), multihop=True) == [[V4], [V6]]


@pytest.mark.parametrize(
    ("family", "local", "words"),
    [
        (SIX, end(V4), f"no IPv6 address beside {V4} to be the next hop"),
        (FOUR, end(V6), f"no IPv4 address beside {V6} to be the next hop, and the peer does not offer the extended"),
    ],
    ids=["IPv6 over IPv4", "IPv4 over IPv6"],
)
def test_what_is_missing_is_said(family, local, words):
    assert missing(family, local).startswith(words)
