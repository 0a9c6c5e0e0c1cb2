"""Two BGPAdvertisements that give one prefix different preferences toward one peer (HL106).

MetalLB refuses the pair. Herald announces: a route carries the highest localPref, then the fewest prepends, then the
lowest MED, and the communities of both.
"""

from collections.abc import Iterable, Mapping
from itertools import combinations

from herald.cluster.meta import PoolName
from herald.config.advertisement import BGPAdvertisement
from herald.config.findings import ObjectKey, problem
from herald.config.pool import Pool
from herald.config.problem import Problem
from herald.net.ip_family import IPFamily


def preference(advertisement: BGPAdvertisement) -> tuple[int, int, int, int]:
    """Sorts the most preferred first: highest localPref, fewest prepends, lowest MED (not set: 0), then lowest ASN."""
    count, asn = (advertisement.prepend.count, advertisement.prepend.asn or 0) if advertisement.prepend else (0, 0)
    return (-(advertisement.local_pref or 0), count, advertisement.med or 0, asn)


def conflict(one: BGPAdvertisement, other: BGPAdvertisement, families: frozenset[IPFamily]) -> bool:
    """Whether both can announce one prefix of a pool with `families`, from one node to one peer, with different words.

    In a dual-stack pool one equal length is enough. Advertisements without any node never conflict.
    """
    return (
        (one.local_pref, one.prepend, one.med) != (other.local_pref, other.prepend, other.med)
        and prefixes_coincide(one, other, families)
        and peers_overlap(one, other)
        and not one.nodes.isdisjoint(other.nodes)
    )


def prefixes_coincide(one: BGPAdvertisement, other: BGPAdvertisement, families: frozenset[IPFamily]) -> bool:
    """Whether the announced prefixes of a pool with `families` can be the same."""
    return (IPFamily.IPV4 in families and one.aggregation_length == other.aggregation_length) or (
        IPFamily.IPV6 in families and one.aggregation_length_v6 == other.aggregation_length_v6
    )


def peers_overlap(one: BGPAdvertisement, other: BGPAdvertisement) -> bool:
    """Whether some peer may hear both; no peers named means all."""
    return one.peers is None or other.peers is None or not one.peers.isdisjoint(other.peers)


def conflicts(
    advertisements: Iterable[BGPAdvertisement], pools: Mapping[PoolName, Pool], namespace: str
) -> tuple[Problem, ...]:
    """One HL106 per conflicting pair, on the one that loses. Pairs with serviceSelectors are judged per service."""
    unselective = [entry for entry in advertisements if not entry.service_selectors]
    found = []
    for one, other in combinations(sorted(unselective, key=lambda entry: (preference(entry), entry.name)), 2):
        shared = sorted(name for name in one.pools & other.pools if conflict(one, other, pools[name].families()))
        if shared:
            found.append(conflict_problem(one, other, f"pool {', '.join(shared)}", namespace))
    return tuple(found)


def conflict_problem(winner: BGPAdvertisement, loser: BGPAdvertisement, where: str, namespace: str) -> Problem:
    """HL106 about `loser`, whose values have no effect in `where`."""
    return problem(
        "HL106",
        ObjectKey("BGPAdvertisement", namespace, loser.name),
        _field(winner, loser),
        # Who wins stands first: an API server cuts what is long.
        f'BGPAdvertisement "{winner.name}" wins with {_words(winner)} over {_words(loser)} here, for the same prefixes '
        f"and peers ({where}): highest localPref first, then fewest prepends, then lowest med; communities are united. "
        "Give both the same values, or different peers, nodes or lengths.",
    )


def _field(winner: BGPAdvertisement, loser: BGPAdvertisement) -> str:
    """What decides between the two."""
    if winner.local_pref != loser.local_pref:
        return "spec.localPref"
    return "spec.asPrepend" if winner.prepend != loser.prepend else "spec.med"


def _words(advertisement: BGPAdvertisement) -> str:
    parts = [f"localPref {advertisement.local_pref}" if advertisement.local_pref else "no localPref"]
    prepend = advertisement.prepend
    if prepend is not None:
        parts.append(f"asPrepend {prepend.count} × {prepend.asn if prepend.asn is not None else 'its own ASN'}")
    if advertisement.med is not None:
        parts.append(f"med {advertisement.med}")
    return " and ".join(parts)
