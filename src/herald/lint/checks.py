"""All rules that need no live cluster, in one tuple, and `lint`, which runs them."""

from collections.abc import Callable, Iterator
from typing import TypeAlias

from herald.config.problem import Problem
from herald.lint import advertisements, namespaces, nodes, peers, pools, selectors, services, sharing
from herald.lint.facts import Facts, LintInputs

Check: TypeAlias = Callable[[Facts], Iterator[Problem]]

CHECKS: tuple[Check, ...] = (
    pools.not_advertised,  # HL001
    advertisements.selects_nothing,  # HL003
    peers.hears_nothing,  # HL005
    services.not_advertised,  # HL006
    nodes.all_excluded,  # HL010
    nodes.no_speaker,  # HL011
    nodes.single_candidate,  # HL012
    pools.contains_node_address,  # HL020
    pools.overlaps_cluster_network,  # HL023
    services.foreign_class,  # HL052
    services.no_eligible_local_endpoint,  # HL060
    sharing.cannot_share,  # HL061
    sharing.key_used_once,  # HL062
    sharing.shared_with_service_selectors,  # HL063
    services.unknown_annotation,  # HL064
    services.unknown_type,  # HL065
    peers.one_source_for_many_nodes,  # HL071
    peers.password_in_manifest,  # HL073
    peers.local_pref_toward_ebgp,  # HL078
    peers.non_transitive_toward_ebgp,  # HL079
    selectors.matches_nothing,  # HL080, HL082
    advertisements.restriction_undone,  # HL081
    services.no_dual_stack_pool,  # HL090
    services.no_auto_assign_pool,  # HL091
    services.request_not_allowed,  # HL092
    pools.nearly_full,  # HL093
    pools.public_and_open,  # HL094
    pools.host_bits_set,  # HL095
    services.deprecated_annotation,  # HL103
    namespaces.refuses_speakers,  # HL105
    advertisements.conflicting_for_a_service,  # HL106
    services.single_endpoint,  # HL107
)


def lint(inputs: LintInputs) -> tuple[Problem, ...]:
    """What is valid and will still not do what its author means, in the order of every listing.

    Warnings and infos only: an error is an object that is left out, and that is for `compile_config` to say.
    """
    facts = Facts(inputs)
    found = {problem for check in CHECKS for problem in check(facts)}
    return tuple(sorted(found, key=lambda problem: problem.order))
