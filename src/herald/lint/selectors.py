"""Selectors that match nothing (HL080), and labels that were probably misspelt (HL082)."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from herald.cluster.selector import LabelSelector
from herald.config.compile_pools import namespace_labels
from herald.config.findings import ObjectKey, problem
from herald.config.nearest import nearest
from herald.config.problem import Problem, Severity
from herald.config.wording import counted
from herald.lint.facts import Facts

_LOOKS_LIKE_A_TYPO = 0.75
_DIGITS = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class _Choice:
    """Objects to select from. Where none are known nothing is said. Services and namespaces may come later: INFO."""

    noun: str
    labels: Sequence[Mapping[str, str]]
    severity: Severity


@dataclass(frozen=True, slots=True)
class _Use:
    """One selector in one object."""

    key: ObjectKey
    field: str
    selector: LabelSelector
    choice: _Choice

    @property
    def matches_nothing(self) -> bool:
        return bool(self.choice.labels) and not any(self.selector.matches(labels) for labels in self.choice.labels)


def matches_nothing(facts: Facts) -> Iterator[Problem]:
    """HL082 where a similar label exists, else HL080"""
    for use in _uses(facts):
        if use.matches_nothing:
            nothing = f"({use.selector}) matches none of {counted(len(use.choice.labels), use.choice.noun)}"
            hint = _misspelt(use)
            if hint is None:
                advice = "correct it, or their labels"
                yield problem("HL080", use.key, use.field, f"{nothing}: {advice}", use.choice.severity)
            else:
                yield problem("HL082", use.key, use.field, f"{nothing}; {hint}")


def _uses(facts: Facts) -> Iterator[_Use]:
    nodes = _Choice("node", [node.labels for node in facts.config.nodes.values()], Severity.WARNING)
    pools = _Choice("pool", [pool.labels for pool in facts.config.pools.values()], Severity.WARNING)
    services = _Choice("Service", [each.metadata.labels for each in facts.load_balancers], Severity.INFO)
    namespaces = _Choice("namespace", [namespace_labels(each) for each in facts.resources.namespaces], Severity.INFO)
    for entry in facts.advertisements:
        yield from _list(entry.key, "spec.nodeSelectors", entry.spec.node_selectors, nodes)
        yield from _list(entry.key, "spec.serviceSelectors", entry.spec.service_selectors, services)
        if entry.value.pools:  # Otherwise HL003 speaks of all of them at once.
            yield from _list(entry.key, "spec.ipAddressPoolSelectors", entry.spec.ip_address_pool_selectors, pools)
    for l2 in facts.l2:
        for index, preferred in enumerate(l2.spec.preferred_node_selectors):
            field = f"spec.preferredNodeSelectors[{index}].preference"
            yield _Use(l2.key, field, preferred.preference, nodes)
    for peer in facts.peers:
        yield from _list(peer.key, "spec.nodeSelectors", peer.spec.node_selectors, nodes)
    for pool in facts.pools:
        allocation = pool.resource.spec.service_allocation
        if allocation is not None:
            field = "spec.serviceAllocation"
            yield from _list(pool.key, f"{field}.namespaceSelectors", allocation.namespace_selectors, namespaces)
            yield from _list(pool.key, f"{field}.serviceSelectors", allocation.service_selectors, services)


def _list(key: ObjectKey, field: str, selectors: Sequence[LabelSelector], choice: _Choice) -> Iterator[_Use]:
    for index, selector in enumerate(selectors):
        yield _Use(key, f"{field}[{index}]", selector, choice)


def _misspelt(use: _Use) -> str | None:
    """What was probably meant: a similar key, or a similar value of the key."""
    for label, wanted in _equalities(use.selector):
        values = {labels[label] for labels in use.choice.labels if label in labels}
        if not values:
            key = _similar(label, {key for labels in use.choice.labels for key in labels})
            if key is not None:
                return f'no label "{label}" there: did you mean "{key}"?'
        elif values.isdisjoint(wanted):
            pairs = ((value, _similar(value, values)) for value in wanted)
            found = next(((value, near) for value, near in pairs if near is not None), None)
            if found is not None:
                return f'no "{label}" is "{found[0]}": did you mean "{found[1]}"?'
    return None


def _equalities(selector: LabelSelector) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The labels that must be there, and the values they may have."""
    for key, value in selector.match_labels.items():
        yield key, (value,)
    for requirement in selector.match_expressions:
        if requirement.operator == "In":
            yield requirement.key, requirement.values


def _similar(wrong: str, known: set[str]) -> str | None:
    """The name that was probably meant; names that differ in a number only (node-4, node-1) are meant as they are."""
    name = nearest(wrong, known, _LOOKS_LIKE_A_TYPO)
    return None if name is None or _DIGITS.sub("0", name) == _DIGITS.sub("0", wrong) else name
