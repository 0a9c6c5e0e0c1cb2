"""Herald as a real daemon is to see it, and what the daemon then says, in words that all daemons share.

Each daemon has an adapter (`matrix_frr`, `matrix_bird`, `matrix_gobgp`, `matrix_exabgp`), which writes the daemon's
configuration from `Neighbor`s and reads what it says of them from its own command line.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from frr_router import HERALD, ROUTER

ROUTER_AS = 64501


class Capability(Enum):
    """What Herald offers, as far as the daemons tell of it."""

    FOUR_OCTET_AS = "four-octet AS numbers"
    ROUTE_REFRESH = "route refresh"
    ENHANCED_REFRESH = "enhanced route refresh"
    EXTENDED_MESSAGE = "extended messages"
    EXTENDED_NEXT_HOP = "extended next hop"
    GRACEFUL_RESTART = "graceful restart"


@dataclass(frozen=True, slots=True)
class Neighbor:
    """One session as the daemon is configured for it. It waits for Herald to connect, unless it `dials` itself.

    `address` is Herald's, `local` the daemon's own, where that matters. With `interface`, the session is unnumbered and
    neither counts. `asn` is Herald's. `role` is what the daemon says it is (RFC 9234), without insisting.
    """

    name: str = "herald"
    address: str = HERALD
    local: str = ROUTER
    asn: int = 64500
    interface: str | None = None
    dials: bool = False
    password: str | None = None
    hold_time: int = 9
    ttl_security: bool = False
    multihop: bool = False
    extended_next_hop: bool = False
    extended_message: bool = False
    two_octets: bool = False
    role: str | None = None
    graceful_restart: bool = False
    ipv6: bool = True


@dataclass(frozen=True, slots=True)
class Session:
    """What the daemon says of a neighbor; None is what it does not tell. `keepalives`: how many it has heard."""

    established: bool = False
    asn: int | None = None
    hold_time: int | None = None
    keepalives: int | None = None
    capabilities: frozenset[Capability] = frozenset()
    host_name: str | None = None
    own_role: str | None = None


@dataclass(frozen=True, slots=True)
class Learnt:
    """What the daemon has learnt of a prefix. `bandwidths` are (AS number, octets per second).

    `only_to_customer` is the AS that has marked it (RFC 9234). `extended_communities` are route targets and sites of
    origin, as Herald writes them, and what else the daemon tells of, in its own words.
    """

    next_hops: tuple[str, ...]
    as_path: tuple[int, ...]
    origin: str
    local_pref: int | None = None
    communities: tuple[str, ...] = ()
    large_communities: tuple[str, ...] = ()
    bandwidths: tuple[tuple[int, float], ...] = ()
    only_to_customer: int | None = None
    extended_communities: frozenset[str] = frozenset()


class Router(Protocol):
    """A running daemon."""

    def session(self, neighbor: Neighbor) -> Session:
        """How it stands with that neighbor."""
        ...

    def learnt(self, neighbor: Neighbor, prefix: str) -> Learnt | None:
        """What that neighbor has announced, if it has."""
        ...

    def has_communities(self, neighbor: Neighbor, prefix: str, count: int) -> bool:
        """Whether what that neighbor has announced has so many; what `learnt` tells may be cut short."""
        ...

    def ask_refresh(self, neighbor: Neighbor) -> None:
        """Have it ask the neighbor for its IPv4 routes again."""
        ...

    def updates(self, neighbor: Neighbor) -> int:
        """How many announcements it has heard."""
        ...

    def refreshes(self, neighbor: Neighbor) -> int:
        """How many refreshes it has heard that were marked with begin and end."""
        ...
