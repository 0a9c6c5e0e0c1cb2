"""The view: everything that is the same for all services at one moment, prepared so that each service costs little.

A view is made anew when the configuration, the nodes, the live speakers or what they tell change, and is never changed
itself, but for `spreads`; what it remembers are results that follow from what it was made of.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

from herald.announcement.eligibility import BGPReach, L2Reach, Landscape
from herald.announcement.gate import Addresses, PoolIndex
from herald.announcement.routes import Pattern, departing, pattern
from herald.announcement.sessions import Session, sessions_of
from herald.announcement.spread import Spreads
from herald.announcement.told import Told
from herald.cluster.meta import NamespacedName, NodeName, PoolName
from herald.config.advertisement import BGPAdvertisement, L2Advertisement
from herald.config.config import Config
from herald.config.pool import Pool

Advertisement = TypeVar("Advertisement", L2Advertisement, BGPAdvertisement)
Patterns = tuple[tuple[Session, Pattern], ...]
"""What one node sends to each of its sessions, whatever the address."""


class View:
    """`config` and the circumstances in which it applies; `Landscape` tells of the others."""

    def __init__(
        self,
        config: Config,
        *,
        members: frozenset[NodeName] | None = None,
        ignore_exclude_lb: bool = False,
        interfaces: Mapping[NodeName, frozenset[str]] | None = None,
        departing: frozenset[NodeName] = frozenset(),
        told: Told | None = None,
    ) -> None:
        self.config = config
        interfaces, told = interfaces or {}, told or Told()
        if not told.foreign.isdisjoint(interfaces):  # who tells its interfaces is Herald's, note or no note
            told = replace(told, foreign=told.foreign - interfaces.keys())
        self.landscape = Landscape(config.nodes, members, ignore_exclude_lb, interfaces, departing, told)
        self.spreads: Spreads[NamespacedName] = Spreads()
        """Which addresses `spread: even` divides: who decides about services puts them in, all before any decision."""
        self._pools = PoolIndex(config.pools.values())
        self._l2_of = _by_pool(config.l2_advertisements)
        self._bgp_of = _by_pool(config.bgp_advertisements)
        self._l2_reaches: dict[tuple[PoolName, tuple[str, ...]], L2Reach] = {}
        self._bgp_reaches: dict[tuple[PoolName, tuple[str, ...]], BGPReach] = {}
        self.spreads_evenly = any(advertisement.spread_evenly for advertisement in config.l2_advertisements)
        self._sessions: dict[NodeName, tuple[Session, ...]] = {}
        self._patterns: dict[tuple[BGPReach, NodeName], Patterns] = {}
        self._distinct_patterns: dict[tuple[tuple[str, ...], tuple[frozenset[str], ...]], Patterns] = {}

    def seen_from(self, node: NodeName) -> "View":
        """The view of `node` itself, which knows that it lives, whatever the membership says at the moment."""
        landscape = self.landscape
        if landscape.is_live(node):
            return self
        seen = View(
            self.config,
            members=(landscape.members or frozenset()) | {node},
            ignore_exclude_lb=landscape.ignore_exclude_lb,
            interfaces=landscape.interfaces,
            departing=landscape.departing,
            told=landscape.told,
        )
        seen.spreads = self.spreads
        return seen

    def differs_by_claims_from(self, other: "View") -> bool:
        """Whether claims are all that is different from `other`, and each address can be looked at by itself."""
        mine, theirs = self.landscape.told, other.landscape.told
        return (
            self.config is other.config
            and not self.spreads_evenly
            and replace(self.landscape, told=theirs) == other.landscape
            and (mine.damped, mine.foreign) == (theirs.damped, theirs.foreign)
        )

    def pool_of(self, addresses: Addresses) -> Pool | None:
        """The one pool that contains all of `addresses`, or None."""
        return self._pools.pool_of(addresses)

    def l2_reach(self, pool: PoolName, labels: Mapping[str, str]) -> L2Reach:
        """What the L2Advertisements of `pool` make possible for a service with these labels."""
        of_pool = self._l2_of.get(pool, ())
        matching = tuple(ad for ad in of_pool if not ad.service_selectors or ad.matches_service(labels))
        key = (pool, tuple(ad.name for ad in matching))
        reach = self._l2_reaches.get(key)
        if reach is None:
            reach = self._l2_reaches[key] = L2Reach(pool, of_pool, matching, self.landscape, self.spreads)
        return reach

    def bgp_reach(self, pool: PoolName, labels: Mapping[str, str]) -> BGPReach:
        """What the BGPAdvertisements of `pool` make possible for a service with these labels."""
        of_pool = self._bgp_of.get(pool, ())
        matching = tuple(ad for ad in of_pool if not ad.service_selectors or ad.matches_service(labels))
        key = (pool, tuple(ad.name for ad in matching))
        reach = self._bgp_reaches.get(key)
        if reach is None:
            reach = self._bgp_reaches[key] = BGPReach(pool, of_pool, matching, self.landscape)
        return reach

    def sessions(self, node: NodeName) -> tuple[Session, ...]:
        """The BGP sessions of the node; of an unknown node those of peers without a selector."""
        if node not in self._sessions:
            facts = self.config.nodes.get(node)
            self._sessions[node] = sessions_of(self.config.peers.values(), facts.labels if facts else {})
        return self._sessions[node]

    def patterns(self, reach: BGPReach, node: NodeName) -> Patterns:
        """What the node sends to each of its sessions for any service of that reach.

        The same object for nodes that have the same advertisements and the same sessions.
        """
        found = self._patterns.get((reach, node))
        if found is None:
            found = self._find_patterns(reach.on(node), self.sessions(node))
            if node in self.landscape.departing:
                found = tuple((session, departing(wanted)) for session, wanted in found)
            self._patterns[reach, node] = found
        return found

    def _find_patterns(self, advertisements: tuple[BGPAdvertisement, ...], sessions: tuple[Session, ...]) -> Patterns:
        # Names suffice: within one view the names of a session say which peers it is made of.
        key = (tuple(ad.name for ad in advertisements), tuple(session.names for session in sessions))
        if key not in self._distinct_patterns:
            self._distinct_patterns[key] = tuple((session, pattern(advertisements, session)) for session in sessions)
        return self._distinct_patterns[key]


def _by_pool(advertisements: Iterable[Advertisement]) -> Mapping[PoolName, tuple[Advertisement, ...]]:
    by_pool: dict[PoolName, list[Advertisement]] = {}
    for advertisement in sorted(advertisements, key=lambda ad: ad.name):
        for pool in advertisement.pools:
            by_pool.setdefault(pool, []).append(advertisement)
    return {pool: tuple(found) for pool, found in by_pool.items()}
