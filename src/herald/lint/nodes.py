"""Advertisements whose nodes may not announce, or are too few."""

from collections.abc import Iterator

from herald.cluster.meta import NodeName
from herald.cluster.node import EXCLUDE_LABEL
from herald.config.findings import problem
from herald.config.problem import Problem
from herald.config.wording import counted, listed
from herald.lint.facts import BGPEntry, Facts, L2Entry


def all_excluded(facts: Facts) -> Iterator[Problem]:
    """HL010"""
    for entry in facts.advertisements:
        nodes = entry.value.nodes
        if nodes and not _able(facts, nodes):
            yield problem("HL010", entry.key, "spec.nodeSelectors", _why_excluded(facts, nodes))


def _why_excluded(facts: Facts, nodes: frozenset[NodeName]) -> str:
    counts_label = not facts.inputs.ignore_exclude_lb
    labelled = {name for name in nodes if counts_label and facts.config.nodes[name].is_excluded}
    cut_off = nodes - labelled
    counts = [f"label {EXCLUDE_LABEL} is on {listed(labelled)}"] if labelled else []
    counts += [f"condition NetworkUnavailable is True on {listed(cut_off)}"] if cut_off else []
    advice = ". Take the label off, or run Herald with --ignore-exclude-lb" if labelled else ""
    verb = "matches" if len(nodes) == 1 else "match"
    return f"{counted(len(nodes), 'node')} {verb}, and none may announce: {' and '.join(counts)}{advice}."


def no_speaker(facts: Facts) -> Iterator[Problem]:
    """HL011"""
    for entry in facts.advertisements:
        able = _able(facts, entry.value.nodes)
        if able and not _live(facts, able):
            yield problem(
                "HL011",
                entry.key,
                "spec.nodeSelectors",
                f"no speaker runs on {listed(able)}, the only nodes that it selects: nobody announces. Let speakers "
                "run there, or select other nodes.",
            )


def single_candidate(facts: Facts) -> Iterator[Problem]:
    """HL012; in a cluster of one node there is nothing to choose."""
    if len(facts.config.nodes) < 2:
        return
    for entry in facts.advertisements:
        candidates = _candidates(facts, entry)
        if len(candidates) == 1 and not _helped(facts, entry, candidates):
            yield problem(
                "HL012",
                entry.key,
                "spec.nodeSelectors",
                f"only node {listed(candidates)} can announce: while it is away the addresses are dark. Select at "
                "least two nodes.",
            )


def _helped(facts: Facts, entry: L2Entry | BGPEntry, candidates: frozenset[NodeName]) -> bool:
    """Whether other advertisements of the kind bring other nodes to every pool of this one."""
    others = [each for each in facts.advertisements if each.key.kind == entry.key.kind and each.key != entry.key]
    return all(
        any(pool in other.value.pools and _candidates(facts, other) - candidates for other in others)
        for pool in entry.value.pools
    )


def _candidates(facts: Facts, entry: L2Entry | BGPEntry) -> frozenset[NodeName]:
    return _live(facts, _able(facts, entry.value.nodes))


def _able(facts: Facts, nodes: frozenset[NodeName]) -> frozenset[NodeName]:
    ignore = facts.inputs.ignore_exclude_lb
    known = facts.config.nodes
    return frozenset(
        name for name in nodes if not known[name].is_network_unavailable and (ignore or not known[name].is_excluded)
    )


def _live(facts: Facts, nodes: frozenset[NodeName]) -> frozenset[NodeName]:
    return nodes if facts.inputs.members is None else nodes & facts.inputs.members
