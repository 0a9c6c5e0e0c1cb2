"""What the peer is told as next hop: always ourselves, by an address from which the peer can reach us.

    transport             IPv4 routes                                   IPv6 routes
    IPv4                  our end of the connection                     the IPv6 address beside it
    IPv6, global          the IPv4 address beside it, or with the       our end of the connection
                          extended next hop as IPv6 routes
    IPv6, link-local      our end with the extended next hop,           our end of the connection
                          else the IPv4 address beside it

"Beside" means on the same interface. The extended next hop (RFC 8950) is in use if both sides have offered it. A global
IPv6 next hop brings the link-local address as its twin where the peer is on the link (RFC 2545 §3), so that a router
which forwards by link-local addresses has one; never to a peer that is said to be beyond a router. On an unnumbered
session the link-local address stands alone: nothing says that the peer could resolve another one.
"""

from ipaddress import IPv6Address
from typing import TypeAlias

from herald.bgp.event import Connected
from herald.bgp.family import Address, Family

NextHop: TypeAlias = tuple[Address, ...]
"""One address, or a global IPv6 one and its link-local twin."""


def next_hops(local: Connected, extended: frozenset[Family], *, multihop: bool) -> dict[Family, NextHop]:
    """The next hop of each family that can have one; `extended` are the families that may have one of IPv6."""
    ipv6 = _ipv6(local, multihop=multihop)
    by_ipv6 = local.local_address.version == 6 and Family.IPV4_UNICAST in extended
    hops = {Family.IPV4_UNICAST: ipv6 if by_ipv6 else _ipv4(local), Family.IPV6_UNICAST: ipv6}
    return {family: hop for family, hop in hops.items() if hop}


def _ipv4(local: Connected) -> NextHop:
    end = local.local_address if local.local_address.version == 4 else local.local_ipv4
    return (end,) if end is not None else ()


def _ipv6(local: Connected, *, multihop: bool) -> NextHop:
    end = local.local_address if isinstance(local.local_address, IPv6Address) else local.local_ipv6
    if end is None:
        return ()
    twin = () if end.is_link_local or multihop or not local.on_link or local.link_local is None else (local.link_local,)
    return (end, *twin)


def missing(family: Family, local: Connected) -> str:
    """Why `family` has no next hop, in words."""
    if family is Family.IPV4_UNICAST and local.local_address.version == 6:
        return (
            f"no IPv4 address beside {local.local_address} to be the next hop, and the peer does not offer the "
            "extended next hop (RFC 8950)"
        )
    return f"no {family.word} address beside {local.local_address} to be the next hop"
