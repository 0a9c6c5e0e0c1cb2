"""A route as it is wished for: a prefix and the attributes that do not depend on the session."""

from dataclasses import dataclass
from typing import NamedTuple

from herald.bgp.community import Community, ExtendedCommunity, LargeCommunity
from herald.bgp.family import Prefix


class RouteAttributes(NamedTuple):
    """Everything of a route but its prefix. Routes of equal attributes travel in one UPDATE.

    A tuple and no dataclass: it is the key of the packing, and hashed and compared once per changed route.
    """

    local_pref: int | None = None
    communities: tuple[Community, ...] = ()
    large_communities: tuple[LargeCommunity, ...] = ()
    prepend: tuple[int, ...] = ()
    link_bandwidth: int | None = None
    extended_communities: tuple[ExtendedCommunity, ...] = ()
    med: int | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """What is wished to be in the Adj-RIB-Out of a peer.

    `local_pref` reaches internal peers only; None means 100 there. `prepend` are ASNs put before the session's own, the
    leftmost first; towards internal peers they are the whole path. `link_bandwidth` in Mbit/s is what a router shares
    its traffic by. Of `extended_communities` only the transitive ones reach external peers. `med` is the
    MULTI_EXIT_DISC (RFC 4271 §5.1.4): of routes of one neighbouring AS the lowest is preferred; none is sent for None.
    """

    prefix: Prefix
    local_pref: int | None = None
    communities: tuple[Community, ...] = ()
    large_communities: tuple[LargeCommunity, ...] = ()
    prepend: tuple[int, ...] = ()
    link_bandwidth: int | None = None
    extended_communities: tuple[ExtendedCommunity, ...] = ()
    med: int | None = None

    @property
    def attributes(self) -> RouteAttributes:
        return RouteAttributes(
            self.local_pref,
            self.communities,
            self.large_communities,
            self.prepend,
            self.link_bandwidth,
            self.extended_communities,
            self.med,
        )
