"""IPAddressPools → pools: addresses parsed, overlaps found, namespaces resolved."""

import re
from bisect import bisect
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from herald.api import ip_address_pool as api
from herald.cluster.meta import PoolName
from herald.cluster.namespace import Namespace
from herald.cluster.selector import matches_any
from herald.config.findings import Findings
from herald.config.pool import Pool, ServiceAllocation
from herald.config.selectors import check_selectors
from herald.net.address_range import AddressRange, AddressRangeError, parse
from herald.net.ip_family import IPFamily

_PLACEHOLDER = re.compile(r"\$|<.*>|\{\{|__\w+__|@\w+@")
NAMESPACE_NAME_LABEL = "kubernetes.io/metadata.name"


def pool_compiler(namespaces: Sequence[Namespace]) -> Callable[[api.IPAddressPool, Findings], Pool | None]:
    """Compiles pools one after the other; each claims its addresses, and a later one that wants them is refused."""
    taken = _TakenAddresses()

    def compile_pool(resource: api.IPAddressPool, found: Findings) -> Pool | None:
        name = PoolName(resource.metadata.name)
        ranges = _ranges(resource.spec.addresses, found)
        _check_overlap_within(name, ranges, found)
        _check_overlap_with(taken, name, ranges, found)
        allocation = _allocation(resource.spec.service_allocation, namespaces, found)
        if found.fatal:
            return None
        taken.claim(name, ranges)
        return Pool(
            name=name,
            ranges=tuple(ranges),
            auto_assign=resource.spec.auto_assign,
            avoid_buggy_ips=resource.spec.avoid_buggy_ips,
            labels=resource.metadata.labels,
            allocation=allocation,
        )

    return compile_pool


def _ranges(addresses: Sequence[str], found: Findings) -> list[AddressRange]:
    if not addresses:
        found.add(
            "HL300", "spec.addresses", "pool has no prefixes defined; give it a CIDR or a range, e.g. 10.0.0.0/24"
        )
    ranges = []
    for index, text in enumerate(addresses):
        try:
            ranges.append(parse(text))
        except AddressRangeError as error:
            found.add("HL301", f"spec.addresses[{index}]", f"{error}{_placeholder_advice(text)}")
    return ranges


def _placeholder_advice(text: str) -> str:
    return "; put the value in for the placeholder first" if _PLACEHOLDER.search(text) else ""


def _check_overlap_within(name: PoolName, ranges: Sequence[AddressRange], found: Findings) -> None:
    """One finding for each entry that has addresses of an earlier one, naming the first of those."""
    bounds = [(entry.family, int(entry.first), int(entry.last)) for entry in ranges]
    # Lists are long and rarely wrong: in order of their first addresses only what reaches into a neighbour can overlap.
    suspects = _overlapping(bounds)
    for position, later in enumerate(suspects):
        family, first, last = bounds[later]
        for earlier in suspects[:position]:
            other_family, other_first, other_last = bounds[earlier]
            if family is other_family and first <= other_last and other_first <= last:
                _add_overlap(found, name, ranges[later], name, ranges[earlier])
                break


def _overlapping(bounds: Sequence[tuple[IPFamily, int, int]]) -> list[int]:
    """Which of them, by index and ascending, overlap any other."""
    suspects: set[int] = set()
    furthest: dict[IPFamily, int] = {}  # which reaches furthest of those that begin before
    for index in sorted(range(len(bounds)), key=lambda index: bounds[index][1:]):
        family, first, last = bounds[index]
        before = furthest.get(family)
        if before is not None and first <= bounds[before][2]:
            suspects |= {before, index}
        if before is None or last > bounds[before][2]:
            furthest[family] = index
    return sorted(suspects)


def _check_overlap_with(
    taken: "_TakenAddresses", name: PoolName, ranges: Iterable[AddressRange], found: Findings
) -> None:
    for entry in ranges:
        for claim in taken.overlapping(entry):
            _add_overlap(found, name, entry, claim.pool, claim.entry)


def _add_overlap(found: Findings, name: PoolName, entry: AddressRange, owner: PoolName, earlier: AddressRange) -> None:
    found.add(
        "HL302",
        "spec.addresses",
        f'CIDR "{entry.text}" in pool "{name}" overlaps with already defined CIDR "{earlier.text}" of pool "{owner}"; '
        "take the common addresses out of one of them",
    )


@dataclass(frozen=True, slots=True)
class _Claim:
    pool: PoolName
    entry: AddressRange


class _TakenAddresses:
    """What the pools compiled so far claim. Claims never overlap, so those of a family stand in one order."""

    def __init__(self) -> None:
        self._claims: dict[IPFamily, list[_Claim]] = {IPFamily.IPV4: [], IPFamily.IPV6: []}

    def claim(self, pool: PoolName, ranges: Iterable[AddressRange]) -> None:
        for entry in ranges:
            claims = self._claims[entry.family]
            claims.insert(bisect(claims, int(entry.first), key=_first), _Claim(pool, entry))

    def overlapping(self, entry: AddressRange) -> list[_Claim]:
        claims = self._claims[entry.family]
        # Only the last claim that starts before the entry can reach into it.
        start = max(bisect(claims, int(entry.first), key=_first) - 1, 0)
        end = bisect(claims, int(entry.last), key=_first)
        return [claim for claim in claims[start:end] if claim.entry.overlaps(entry)]


def _first(claim: _Claim) -> int:
    return int(claim.entry.first)


def _allocation(
    spec: api.ServiceAllocation | None, namespaces: Sequence[Namespace], found: Findings
) -> ServiceAllocation | None:
    if spec is None:
        return None
    field = "spec.serviceAllocation"
    for name in sorted(name for name, count in Counter(spec.namespaces).items() if count > 1):
        found.add("HL303", f"{field}.namespaces", f'duplicate definition in namespaces field: "{name}"')
    check_selectors(found, f"{field}.namespaceSelectors", spec.namespace_selectors)
    check_selectors(found, f"{field}.serviceSelectors", spec.service_selectors)
    if found.fatal:
        return None
    return ServiceAllocation(
        priority=spec.priority,
        namespaces=_pinned_namespaces(spec, namespaces),
        service_selectors=spec.service_selectors,
    )


def _pinned_namespaces(spec: api.ServiceAllocation, namespaces: Sequence[Namespace]) -> frozenset[str] | None:
    if not spec.namespaces and not spec.namespace_selectors:
        return None
    selected = (
        namespace.name
        for namespace in namespaces
        if matches_any(spec.namespace_selectors, namespace_labels(namespace), if_empty=False)
    )
    return frozenset({*spec.namespaces, *selected})


def namespace_labels(namespace: Namespace) -> dict[str, str]:
    """The labels of a namespace with the one that every API server adds, which manifests do not have."""
    return {NAMESPACE_NAME_LABEL: namespace.name, **namespace.metadata.labels}
