"""Aggregates wider than the ranges they stand for: which foreign addresses they attract.

MetalLB refuses an aggregation length shorter than the widest prefix of any one entry of a pool. Herald announces it,
and says whose traffic comes along.
"""

from collections.abc import Iterable, Mapping

from herald.cluster.meta import PoolName
from herald.config.advertisement import BGPAdvertisement
from herald.config.findings import Findings
from herald.config.pool import Pool
from herald.config.wording import some
from herald.net.address_range import AddressRange
from herald.net.ip_family import IPFamily, IPPrefix
from herald.net.prefix import aggregate, foreign_ranges


def add_foreign_addresses(advertisement: BGPAdvertisement, pools: Mapping[PoolName, Pool], found: Findings) -> None:
    """Add one HL101 per pool and family whose aggregates hold addresses that are in no pool at all."""
    own = [entry for pool in pools.values() for entry in pool.ranges]
    for name in sorted(advertisement.pools):
        for field, family, length in (
            ("aggregationLength", IPFamily.IPV4, advertisement.aggregation_length),
            ("aggregationLengthV6", IPFamily.IPV6, advertisement.aggregation_length_v6),
        ):
            entries = [entry for entry in pools[name].ranges if entry.family is family]
            _add_foreign_of_pool(name, entries, field, length, own, found)


def _add_foreign_of_pool(
    pool: PoolName,
    entries: list[AddressRange],
    field: str,
    length: int,
    own: Iterable[AddressRange],
    found: Findings,
) -> None:
    wide = [entry for entry in entries if length < entry.shortest_prefix_length]
    prefixes = sorted({prefix for entry in wide for prefix in _aggregates(entry, length)}, key=lambda p: p[0].packed)
    foreign = [part for prefix in prefixes for part in foreign_ranges(prefix, own)]
    if not foreign:
        return
    longest = entries[0].first.max_prefixlen
    enough = max(entry.shortest_prefix_length for entry in entries)
    found.add(
        "HL101",
        f"spec.{field}",
        f'{field} {length} announces {some(map(str, prefixes))} for pool "{pool}" '
        f"({some(entry.text for entry in wide)}) and so attracts {some(part.text for part in foreign)} as well; "
        f"{longest} attracts nothing else, and MetalLB would accept {enough} or longer",
    )


def _aggregates(entry: AddressRange, length: int) -> set[IPPrefix]:
    """At most two: a range that held a whole aggregate between them would have that as its widest prefix."""
    return {aggregate(entry.first, length, length), aggregate(entry.last, length, length)}
