"""Advertisements that select nothing, and advertisements that undo or contradict each other."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations, product

from herald.announcement.eligibility import BGPReach
from herald.cluster.meta import NamespacedName, PoolName
from herald.config.conflict import conflict, conflict_problem, peers_overlap, preference, prefixes_coincide
from herald.config.findings import problem
from herald.config.problem import Problem
from herald.config.wording import counted, listed
from herald.lint.facts import BGPEntry, Facts, L2Entry
from herald.net.ip_family import IPFamily


def selects_nothing(facts: Facts) -> Iterator[Problem]:
    """HL003"""
    for entry in facts.advertisements:
        # With unknown names, and nothing else, HL002 has said it.
        if not entry.value.pools and not entry.spec.ip_address_pools:
            why = "there is no usable IPAddressPool"
            if facts.pools:
                wanted = " or ".join(f"({selector})" for selector in entry.spec.ip_address_pool_selectors)
                why = f"no IPAddressPool has labels that match {wanted}"
            yield problem(
                "HL003",
                entry.key,
                "spec.ipAddressPoolSelectors" if facts.pools else "",
                f"{why}: this advertisement announces nothing",
            )


def restriction_undone(facts: Facts) -> Iterator[Problem]:
    """HL081"""
    for narrow, wide in product((each for each in facts.l2 if _is_restricted(each)), facts.l2):
        if narrow is not wide and not wide.value.service_selectors:
            shared = sorted(narrow.value.pools & wide.value.pools)
            if shared:
                yield from _nodes_undone(facts, narrow, wide, shared)
                yield from _interfaces_undone(narrow, wide, shared)
    for first, second in product((each for each in facts.bgp if each.spec.node_selectors), facts.bgp):
        if first is not second and not second.value.service_selectors:
            routes = _shared_routes(facts, first, second)
            if routes:
                yield from _nodes_undone(facts, first, second, routes)


def _is_restricted(entry: L2Entry) -> bool:
    return bool(entry.spec.node_selectors) or entry.value.interfaces is not None


def _shared_routes(facts: Facts, one: BGPEntry, other: BGPEntry) -> list[PoolName]:
    """Pools for which both announce one prefix to one peer."""
    if not peers_overlap(one.value, other.value):
        return []
    pools = facts.config.pools
    return [
        name
        for name in sorted(one.value.pools & other.value.pools)
        if prefixes_coincide(one.value, other.value, pools[name].families())
    ]


def _nodes_undone(
    facts: Facts, narrow: L2Entry | BGPEntry, wide: L2Entry | BGPEntry, pools: list[PoolName]
) -> Iterator[Problem]:
    if not narrow.spec.node_selectors or wide.spec.node_selectors or narrow.value.nodes == wide.value.nodes:
        return
    if not narrow.value.nodes:  # Its selectors match nothing, which HL080 says.
        return
    yield problem(
        "HL081",
        narrow.key,
        "spec.nodeSelectors",
        f'limits pool {listed(pools)} to {counted(len(narrow.value.nodes), "node")}, but "{wide.key.name}" also '
        f"selects it with no nodeSelectors: it will be announced from all {len(wide.value.nodes)}. Restrict both, or "
        "let them select different pools.",
    )


def _interfaces_undone(narrow: L2Entry, wide: L2Entry, pools: list[PoolName]) -> Iterator[Problem]:
    if narrow.value.interfaces is None or wide.value.interfaces is not None:
        return
    if narrow.value.nodes.isdisjoint(wide.value.nodes):
        return
    yield problem(
        "HL081",
        narrow.key,
        "spec.interfaces",
        f'limits pool {listed(pools)} to {listed(narrow.value.interfaces)}, but "{wide.key.name}" also selects it '
        "with no interfaces: it will be answered for on all of them. Restrict both, or let them select different "
        "pools.",
    )


def conflicting_for_a_service(facts: Facts) -> Iterator[Problem]:
    """HL106 for pairs with serviceSelectors, which conflict only where one Service matches both."""
    services: dict[tuple[PoolName, BGPReach], list[NamespacedName]] = defaultdict(list)
    for service, pool in facts.placed:
        services[pool, facts.bgp_reach(service, pool)].append(service.key)
    conflicting: dict[tuple[str, str], list[NamespacedName]] = defaultdict(list)
    for (pool, reach), keys in services.items():
        for winner, loser in _selective_conflicts(reach, facts.config.pools[pool].families()):
            conflicting[winner, loser] += keys
    by_name = {entry.value.name: entry.value for entry in facts.bgp}
    for (winner, loser), keys in conflicting.items():
        where = f"Service {listed(keys)}"
        yield conflict_problem(by_name[winner], by_name[loser], where, facts.inputs.compiled.namespace)


def _selective_conflicts(reach: BGPReach, families: frozenset[IPFamily]) -> Iterator[tuple[str, str]]:
    ranked = sorted(reach.advertisements, key=lambda each: (preference(each), each.name))
    for winner, loser in combinations(ranked, 2):
        if (winner.service_selectors or loser.service_selectors) and conflict(winner, loser, families):
            yield winner.name, loser.name
