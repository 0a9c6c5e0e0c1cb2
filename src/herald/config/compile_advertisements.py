"""Advertisements → advertisements with their pools, nodes, scores and communities resolved.

Which pools an advertisement reaches is the same for both kinds: those it names and those whose labels match one of its
selectors; all pools if it has neither. Unknown names are skipped, with a warning.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from herald.api import bgp_advertisement as bgp_api
from herald.api import l2_advertisement as l2_api
from herald.bgp.community import (
    AnyCommunity,
    Community,
    CommunityFormatError,
    CommunityValueError,
    ExtendedCommunity,
    LargeCommunity,
    parse_community,
)
from herald.cluster.meta import NodeName, PeerName, PoolName
from herald.cluster.node import Node
from herald.cluster.selector import matches_any
from herald.config.advertisement import BGPAdvertisement, L2Advertisement, Prepend
from herald.config.aggregates import add_foreign_addresses
from herald.config.failback import resolve_failback
from herald.config.findings import Findings
from herald.config.nearest import suggestion
from herald.config.pool import Pool
from herald.config.selectors import check_selector, check_selectors, check_unique, selected_nodes
from herald.config.surroundings import Surroundings

_LONGEST = {"aggregationLength": 32, "aggregationLengthV6": 128}
_MOST_PREPENDS = 10
_LARGEST_ASN = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Targets:
    """What advertisements select from. `peers` are the peers in force."""

    pools: Mapping[PoolName, Pool]
    nodes: Mapping[NodeName, Node]
    peers: frozenset[PeerName]


def l2_compiler(
    targets: Targets, around: Surroundings
) -> Callable[[l2_api.L2Advertisement, Findings], L2Advertisement | None]:
    """Compiles L2Advertisements against `targets`."""

    def compile_l2_advertisement(resource: l2_api.L2Advertisement, found: Findings) -> L2Advertisement | None:
        spec = resource.spec
        _check_selection(spec, found)
        for index, preferred in enumerate(spec.preferred_node_selectors):
            check_selector(found, f"spec.preferredNodeSelectors[{index}].preference", preferred.preference)
        failback_s = resolve_failback(spec.failback, spec.failback_delay, found)
        if found.fatal:
            return None
        _add_unknown_pools(spec.ip_address_pools, targets, around, found)
        nodes = selected_nodes(spec.node_selectors, targets.nodes)
        return L2Advertisement(
            name=resource.metadata.name,
            pools=_pools(spec, targets.pools.values()),
            nodes=nodes,
            interfaces=frozenset(spec.interfaces) or None,
            service_selectors=spec.service_selectors,
            scores=_scores(spec.preferred_node_selectors, nodes, targets.nodes),
            fast_failover=spec.fast_failover,
            failback_s=failback_s,
            spread_evenly=spec.spread == "even",
            flap_damping=spec.flap_damping,
        )

    return compile_l2_advertisement


def bgp_compiler(
    targets: Targets, around: Surroundings
) -> Callable[[bgp_api.BGPAdvertisement, Findings], BGPAdvertisement | None]:
    """Compiles BGPAdvertisements against `targets`, with the aliases of `around`."""

    def compile_bgp_advertisement(resource: bgp_api.BGPAdvertisement, found: Findings) -> BGPAdvertisement | None:
        spec = resource.spec
        _check_selection(spec, found)
        check_unique(found, "spec.peers", "peers", spec.peers)
        check_unique(found, "spec.communities", "community", spec.communities)
        _check_lengths(spec, found)
        _check_prepend(spec.as_prepend, found)
        standard, large, extended = _communities(spec.communities, around, found)
        if found.fatal:
            return None
        _add_unknown_pools(spec.ip_address_pools, targets, around, found)
        _add_unknown_peers(spec.peers, targets.peers, around, found)
        advertisement = BGPAdvertisement(
            name=resource.metadata.name,
            pools=_pools(spec, targets.pools.values()),
            nodes=selected_nodes(spec.node_selectors, targets.nodes),
            aggregation_length=spec.aggregation_length,
            aggregation_length_v6=spec.aggregation_length_v6,
            local_pref=spec.local_pref or None,
            communities=standard,
            large_communities=large,
            extended_communities=extended,
            peers=frozenset(map(PeerName, spec.peers)) or None,
            service_selectors=spec.service_selectors,
            prepend=Prepend(spec.as_prepend.count, spec.as_prepend.asn) if spec.as_prepend else None,
            med=spec.med,
            bandwidth_per_endpoint=spec.link_bandwidth.per_endpoint_mbps if spec.link_bandwidth else None,
        )
        add_foreign_addresses(advertisement, targets.pools, found)
        return advertisement

    return compile_bgp_advertisement


def _check_selection(spec: l2_api.L2AdvertisementSpec | bgp_api.BGPAdvertisementSpec, found: Findings) -> None:
    check_unique(found, "spec.ipAddressPools", "ipAddressPools", spec.ip_address_pools)
    check_selectors(found, "spec.ipAddressPoolSelectors", spec.ip_address_pool_selectors)
    check_selectors(found, "spec.nodeSelectors", spec.node_selectors)
    check_selectors(found, "spec.serviceSelectors", spec.service_selectors)


def _pools(
    spec: l2_api.L2AdvertisementSpec | bgp_api.BGPAdvertisementSpec, pools: Iterable[Pool]
) -> frozenset[PoolName]:
    names, selectors = spec.ip_address_pools, spec.ip_address_pool_selectors
    if not names and not selectors:
        return frozenset(pool.name for pool in pools)
    return frozenset(
        pool.name for pool in pools if pool.name in names or matches_any(selectors, pool.labels, if_empty=False)
    )


def _scores(
    preferred: Sequence[l2_api.PreferredNodeSelector], names: Iterable[NodeName], nodes: Mapping[NodeName, Node]
) -> dict[NodeName, int]:
    scores = {
        name: sum(entry.weight for entry in preferred if entry.preference.matches(nodes[name].labels))
        for name in sorted(names)
    }
    return {name: score for name, score in scores.items() if score > 0}


def _add_unknown_pools(names: Sequence[str], targets: Targets, around: Surroundings, found: Findings) -> None:
    for index, name in enumerate(names):
        if name in targets.pools:
            continue
        if around.is_left_out("IPAddressPool", name):
            why = f'IPAddressPool "{name}" is left out for its own errors'
        else:
            known = {*targets.pools, *around.names_left_out("IPAddressPool")}
            why = f'there is no IPAddressPool "{name}"'
            why += suggestion(name, known) or (f"; there are: {', '.join(sorted(known))}" if known else "")
        found.add("HL002", f"spec.ipAddressPools[{index}]", _sentence(why) + " The name is skipped.")


def _add_unknown_peers(names: Sequence[str], peers: frozenset[PeerName], around: Surroundings, found: Findings) -> None:
    for index, name in enumerate(names):
        if name in peers:
            continue
        if around.is_left_out("BGPPeer", name):
            why = f'BGPPeer "{name}" is left out for its own errors'
        else:
            known = {*peers, *around.names_left_out("BGPPeer")}
            why = f'there is no BGPPeer "{name}"'
            why += suggestion(name, known) or (f"; there are: {', '.join(sorted(known))}" if known else "")
        found.add("HL004", f"spec.peers[{index}]", _sentence(why) + " No route goes there.")
    if not names and not peers:
        left_out = ", ".join(sorted(around.names_left_out("BGPPeer")))
        why = f"no BGPPeer can be used ({left_out}: left out for its own errors)" if left_out else "there is no BGPPeer"
        fix = "correct it" if left_out else "create one"
        found.add("HL004", "spec.peers", f"{why}: nobody hears these routes; {fix}")


def _sentence(text: str) -> str:
    return text if text.endswith("?") else f"{text}."


def _check_lengths(spec: bgp_api.BGPAdvertisementSpec, found: Findings) -> None:
    for field, length, family in (
        ("aggregationLength", spec.aggregation_length, "IPv4"),
        ("aggregationLengthV6", spec.aggregation_length_v6, "IPv6"),
    ):
        longest = _LONGEST[field]
        if not 1 <= length <= longest:
            found.add(
                "HL311",
                f"spec.{field}",
                f"invalid aggregation length {length} for {family}; 1 to {longest} is possible",
            )
        elif spec.service_selectors and length != longest:
            found.add(
                "HL310",
                f"spec.{field}",
                f"serviceSelectors and {field} are mutually exclusive: {field} is {length}, but selected services can "
                f"only be announced one by one; leave it at {longest}",
            )


def _check_prepend(prepend: bgp_api.ASPrepend | None, found: Findings) -> None:
    if prepend is None:
        return
    if not 1 <= prepend.count <= _MOST_PREPENDS:
        found.add("HL313", "spec.asPrepend.count", f"invalid count {prepend.count}; 1 to {_MOST_PREPENDS} is possible")
    if prepend.asn is not None and not 1 <= prepend.asn <= _LARGEST_ASN:
        found.add("HL313", "spec.asPrepend.asn", f"invalid AS number {prepend.asn}; 1 to {_LARGEST_ASN} is possible")


def _communities(
    texts: Sequence[str], around: Surroundings, found: Findings
) -> tuple[tuple[Community, ...], tuple[LargeCommunity, ...], tuple[ExtendedCommunity, ...]]:
    standard: set[Community] = set()
    large: set[LargeCommunity] = set()
    extended: set[ExtendedCommunity] = set()
    for index, text in enumerate(texts):
        match _community(text, f"spec.communities[{index}]", around, found):
            case Community() as community:
                standard.add(community)
            case LargeCommunity() as community:
                large.add(community)
            case ExtendedCommunity() as community:
                extended.add(community)
            case None:
                pass
    return (
        tuple(sorted(standard, key=lambda c: c.sort_key)),
        tuple(sorted(large, key=lambda c: c.sort_key)),
        tuple(sorted(extended, key=lambda c: c.sort_key)),
    )


def _community(text: str, field: str, around: Surroundings, found: Findings) -> AnyCommunity | None:
    """What `text` means. An alias comes first, but never hides that a text with colons is a wrong literal."""
    try:
        literal = parse_community(text)
    except CommunityValueError as error:
        found.add("HL312", field, str(error))
        return None
    except CommunityFormatError as error:
        if text not in around.aliases:
            _add_unknown_alias(text, str(error), field, around, found)
            return None
        return around.aliases[text].community
    return around.aliases[text].community if text in around.aliases else literal


def _add_unknown_alias(text: str, why_no_literal: str, field: str, around: Surroundings, found: Findings) -> None:
    """What has colons is meant as a literal (HL322), anything else as an alias."""
    if ":" in text:
        found.add("HL102", field, why_no_literal)
        return
    why = f"invalid community format: {text}: it is no literal such as 65000:100, and no Community defines this alias"
    left_out = sorted(around.names_left_out("Community"))
    if left_out:
        why += f" (left out for their own errors: {', '.join(left_out)})"
    found.add("HL102", field, why + suggestion(text, around.aliases))
