"""The sessions of the interop matrix: how each end is configured, and the routes that Herald announces.

Every session has addresses and prefixes of its own, so that all of them run at once between one node and one daemon.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any

from frr_router import HERALD, ROUTER, ROUTER6
from matrix_neighbor import ROUTER_AS, Neighbor

from herald.bgp.community import Community, LargeCommunity, parse_community
from herald.bgp.parameters import Password, PeerParameters
from herald.bgp.role import Role
from herald.bgp.route import Route

NODE = "node-one"
SECOND_ROUTER = "10.50.0.3"
FAR_ROUTER, FAR_HERALD = "10.61.0.1", "10.61.0.2"
RED_ROUTER, RED_HERALD = "10.52.0.1", "10.52.0.2"
FOUR_OCTETS = 4200000001
COMMUNITIES = ((64500, 10), (65535, 65281))
TARGETS: tuple[str, ...] = (
    "rt:65000:100",
    "rt:4200000000:7",
    "rt:192.0.2.1:9",
    "soo:65000:4294967295",
    "soo:4200000000:65535",
)
NOT_TRANSITIVE = "generic:0x430cfde8:0x00000001"
EXTENDED = tuple(parse_community(f"extended:{text}") for text in (*TARGETS, NOT_TRANSITIVE))
MANY = tuple((64500, number) for number in range(1200))
"""As communities more than 4,096 octets."""


@dataclass(frozen=True, slots=True)
class Session:
    """What is particular to it. `router` is the daemon's address; `ours` and `theirs` are fields of either end.

    `colours` are the fields of its routes beyond the prefix.
    """

    router: str = ROUTER
    herald: str | None = None
    ours: Mapping[str, Any] = field(default_factory=dict)
    theirs: Mapping[str, Any] = field(default_factory=dict)
    colours: Mapping[str, Any] = field(default_factory=dict)


SESSIONS: Mapping[str, Session] = {
    "plain": Session(
        colours={
            "communities": tuple(Community(high << 16 | low) for high, low in COMMUNITIES),
            "large_communities": (LargeCommunity(64500, 1, 4294967295),),
            "link_bandwidth": 3000,
            "extended_communities": EXTENDED,
            "prepend": (64500, 64500),
        }
    ),
    "over-ipv6": Session(router=ROUTER6),
    "extended-next-hop": Session(router=ROUTER6, theirs={"extended_next_hop": True}),
    "md5": Session(ours={"password": Password("secret123")}, theirs={"password": "secret123"}),
    "other-md5": Session(ours={"password": Password("secret123")}, theirs={"password": "another"}),
    "gtsm": Session(router=SECOND_ROUTER, ours={"ttl_security": True}, theirs={"ttl_security": True}),
    "multihop": Session(router=FAR_ROUTER, herald=FAR_HERALD, ours={"multihop": True}, theirs={"multihop": True}),
    "four-octets": Session(ours={"local_asn": FOUR_OCTETS}, theirs={"asn": FOUR_OCTETS}),
    "two-octets": Session(
        ours={"local_asn": FOUR_OCTETS},
        theirs={"asn": FOUR_OCTETS, "two_octets": True},
        colours={"prepend": (64999,)},
    ),
    "local-as": Session(ours={"local_asn": 65010}, theirs={"asn": 65010}),
    "external": Session(ours={"peer_asn": None, "dynamic_asn": "external"}),
    "internal": Session(
        ours={"local_asn": ROUTER_AS, "peer_asn": None, "dynamic_asn": "internal"},
        theirs={"asn": ROUTER_AS},
        colours={"local_pref": 300, "extended_communities": EXTENDED},
    ),
    "no-hold-time": Session(ours={"hold_time": 0}),
    "busy": Session(ours={"hold_time": 3}),
    "role": Session(ours={"role": Role.PROVIDER, "role_strict": True}, theirs={"role": "customer"}),
    "role-of-customer": Session(ours={"role": Role.CUSTOMER}, theirs={"role": "provider"}),
    "role-not-stated": Session(theirs={"role": "provider"}),
    "role-not-heard": Session(ours={"role": Role.PEER}),
    "role-mismatch": Session(ours={"role": Role.CUSTOMER}, theirs={"role": "peer"}),
    "role-missed": Session(ours={"role": Role.PEER, "role_strict": True}),
    "long": Session(
        theirs={"extended_message": True},
        colours={"communities": tuple(Community(high << 16 | low) for high, low in MANY)},
    ),
    "vrf": Session(router=RED_ROUTER, herald=RED_HERALD, ours={"vrf": "red"}),
}


def number(name: str) -> int:
    """The number of a session, from 10: the last part of its addresses, and part of its prefixes."""
    return 10 + list(SESSIONS).index(name)


def herald_address(name: str) -> str:
    session = SESSIONS[name]
    last = str(number(name))
    return session.herald or ("2001:db8:50::" + last if session.router == ROUTER6 else f"10.50.0.{last}")


def neighbor(name: str) -> Neighbor:
    """How the daemon is configured for it."""
    session = SESSIONS[name]
    return Neighbor("herald_" + name.replace("-", "_"), herald_address(name), session.router, **session.theirs)


def parameters(name: str) -> PeerParameters:
    """How Herald is."""
    session = SESSIONS[name]
    fields = {"local_asn": 64500, "peer_asn": ROUTER_AS, "hold_time": 9, **session.ours}
    return PeerParameters(
        name, ip_address(session.router), source_address=ip_address(herald_address(name)), restart_time=60, **fields
    )


def prefix(name: str, family: int) -> str:
    """What Herald announces by it."""
    return f"192.168.{number(name)}.0/24" if family == 4 else f"2001:db8:cafe:{number(name)}::/64"


def routes(name: str) -> tuple[Route, ...]:
    """Both routes, of the same attributes."""
    return tuple(Route(ip_network(prefix(name, family)), **SESSIONS[name].colours) for family in (4, 6))


SHARED_ADDRESSES = (HERALD, "2001:db8:50::2")
"""Those of the node that come first on its interface: next hops of the family that the session does not run over."""
