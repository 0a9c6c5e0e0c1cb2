"""Routes: what one service contributes to a session, and how several contributions to one prefix become one route.

Several advertisements, several services on one address, and several services inside one aggregate may all want the
same prefix from the same node to the same session. The most preferred wins: highest localPref (unset is lowest), then
fewest prepends, then lowest MED (unset counts as 0); communities are united, and the highest bandwidth counts. `merge`
cares about neither order nor grouping: the result is the same however the contributions arrived.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache, reduce

from herald.announcement.sessions import Session
from herald.bgp.community import GRACEFUL_SHUTDOWN, AnyCommunity
from herald.bgp.family import family_of
from herald.bgp.route import Route, RouteAttributes
from herald.config.advertisement import BGPAdvertisement
from herald.net.ip_family import IPAddress, IPPrefix
from herald.net.prefix import aggregate


def merge(attributes: Iterable[RouteAttributes]) -> RouteAttributes:
    """One set of attributes out of at least one; associative, commutative and idempotent."""
    return reduce(_merge_two, attributes)


def _merge_two(left: RouteAttributes, right: RouteAttributes) -> RouteAttributes:
    if left == right:
        return left
    winner = min(left, right, key=_preference)
    return RouteAttributes(
        winner.local_pref,
        tuple(sorted({*left.communities, *right.communities}, key=_sort_key)),
        tuple(sorted({*left.large_communities, *right.large_communities}, key=_sort_key)),
        winner.prepend,
        max((each.link_bandwidth for each in (left, right) if each.link_bandwidth is not None), default=None),
        tuple(sorted({*left.extended_communities, *right.extended_communities}, key=_sort_key)),
        winner.med,
    )


def _preference(attributes: RouteAttributes) -> tuple[int, int, int, tuple[int, ...], bool]:
    # The ASNs themselves, and whether a MED of 0 is said, come last, so that equals are told apart everywhere alike.
    med = attributes.med
    return (-(attributes.local_pref or 0), len(attributes.prepend), med or 0, attributes.prepend, med is not None)


def _sort_key(community: AnyCommunity) -> tuple[int, int, int]:
    return community.sort_key


def communities_of(route: Route) -> tuple[AnyCommunity, ...]:
    """All of the route: in MetalLB's order (a standard one counts as `(A<<16|B, 0, 0)`), then the extended ones."""
    first: tuple[AnyCommunity, ...] = (*route.communities, *route.large_communities)
    return (*sorted(first, key=_sort_key), *route.extended_communities)


def route(prefix: IPPrefix, attributes: RouteAttributes) -> Route:
    """The route for `prefix` with these attributes."""
    return Route(prefix, *attributes)


def merged(routes: Iterable[Route]) -> Route:
    """One route out of at least one for the same prefix."""
    first, *others = routes
    return first if not others else route(first.prefix, merge(r.attributes for r in (first, *others)))


@dataclass(frozen=True, slots=True)
class Pattern:
    """The routes that any address gets towards one session: attributes by aggregation length, by IP version.

    Their bandwidth is that of one endpoint.
    """

    lengths: Mapping[int, Mapping[int, RouteAttributes]]


def departing(wanted: Pattern) -> Pattern:
    """The same routes as the last choice of everybody who hears them (RFC 8326 §4): the router has another one first.

    The community says so to external peers, which act on it if they are configured to; internal ones obey LOCAL_PREF.
    """
    return Pattern(
        {
            version: {length: _as_last_choice(attributes) for length, attributes in by_length.items()}
            for version, by_length in wanted.lengths.items()
        }
    )


def _as_last_choice(attributes: RouteAttributes) -> RouteAttributes:
    communities = tuple(sorted({*attributes.communities, GRACEFUL_SHUTDOWN}, key=_sort_key))
    return attributes._replace(local_pref=0, communities=communities)


def pattern(advertisements: Iterable[BGPAdvertisement], session: Session) -> Pattern:
    """What `advertisements` make of an address towards `session`; those for other peers count for nothing."""
    admitted = [advertisement for advertisement in advertisements if advertisement.admits_peer(session.names)]
    lengths: dict[int, Mapping[int, RouteAttributes]] = {}
    for family in session.families:
        version = 4 if family.afi == 1 else 6
        lengths[version] = _by_length(admitted, session, _LENGTH[version])
    return Pattern(lengths)


_LENGTH: dict[int, Callable[[BGPAdvertisement], int]] = {
    4: lambda advertisement: advertisement.aggregation_length,
    6: lambda advertisement: advertisement.aggregation_length_v6,
}


def _by_length(
    advertisements: list[BGPAdvertisement], session: Session, length_of: Callable[[BGPAdvertisement], int]
) -> dict[int, RouteAttributes]:
    grouped: dict[int, list[RouteAttributes]] = {}
    for advertisement in advertisements:
        grouped.setdefault(length_of(advertisement), []).append(attributes_of(advertisement, session.own_asn))
    return {length: merge(grouped[length]) for length in sorted(grouped)}


def attributes_of(advertisement: BGPAdvertisement, own_asn: int) -> RouteAttributes:
    """The attributes that `advertisement` gives a route on a session that speaks as `own_asn`."""
    prepend = advertisement.prepend
    return RouteAttributes(
        advertisement.local_pref or None,
        tuple(sorted(set(advertisement.communities), key=_sort_key)),
        tuple(sorted(set(advertisement.large_communities), key=_sort_key)),
        () if prepend is None else (prepend.asn or own_asn,) * prepend.count,
        advertisement.bandwidth_per_endpoint,
        tuple(sorted(set(advertisement.extended_communities), key=_sort_key)),
        advertisement.med,
    )


def routes_for(addresses: Iterable[IPAddress], wanted: Pattern, endpoints: int | None = None) -> tuple[Route, ...]:
    """The routes of a service with `addresses`, one per prefix, by prefix.

    `endpoints` is how many of the service's the node has; None if its routes do not depend on that.
    """
    found = [
        (_prefix(address, length), _weighted(attributes, endpoints))
        for address in addresses
        for length, attributes in wanted.lengths.get(address.version, {}).items()
    ]
    if len(found) == 1:
        return (route(*found[0]),)
    by_prefix: dict[IPPrefix, list[RouteAttributes]] = {}
    for prefix, attributes in found:
        by_prefix.setdefault(prefix, []).append(attributes)
    return tuple(route(prefix, merge(by_prefix[prefix])) for prefix in sorted(by_prefix, key=prefix_order))


def _weighted(attributes: RouteAttributes, endpoints: int | None) -> RouteAttributes:
    one = attributes.link_bandwidth
    if one is None:
        return attributes
    return attributes._replace(link_bandwidth=None if endpoints is None else one * max(1, endpoints))


@lru_cache(maxsize=32768)
def _prefix(address: IPAddress, length: int) -> IPPrefix:
    return aggregate(address, length, length)


def prefix_order(prefix: IPPrefix) -> tuple[int, int, int]:
    """Sorts IPv4 first, then by address, then the wider first."""
    return (prefix.version, int(prefix.network_address), prefix.prefixlen)


def carries(session: Session, prefix: IPPrefix) -> bool:
    """Whether the session has the family of `prefix`."""
    return family_of(prefix) in session.families
