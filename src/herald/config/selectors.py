"""Lists of label selectors and of names in the custom resources: what is refused in them, and what they select."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from herald.cluster.meta import NodeName
from herald.cluster.node import Node
from herald.cluster.selector import LabelSelector, LabelSelectorError, matches_any
from herald.config.findings import Findings


def check_selector(found: Findings, field: str, selector: LabelSelector) -> None:
    """Add HL304 if Kubernetes would refuse the selector."""
    try:
        selector.validate()
    except LabelSelectorError as error:
        found.add("HL304", f"{field}.{error.field}", f"invalid label selector: {error}")


def check_selectors(found: Findings, field: str, selectors: Sequence[LabelSelector]) -> None:
    """Add HL304 for malformed selectors, and HL303 for what a list, a selector or an expression holds twice."""
    for index, selector in enumerate(selectors):
        check_selector(found, f"{field}[{index}]", selector)
        _check_expressions(found, f"{field}[{index}]", selector)
    seen = set()
    for index, selector in enumerate(selectors):
        canonical = selector.canonical
        if canonical in seen:
            found.add("HL303", f"{field}[{index}]", f"duplicate definition of {_leaf(field)} ({selector})")
        seen.add(canonical)


def _check_expressions(found: Findings, field: str, selector: LabelSelector) -> None:
    seen = set()
    for index, requirement in enumerate(selector.match_expressions):
        expression = (requirement.key, requirement.operator, tuple(sorted(requirement.values)))
        where = f"{field}.matchExpressions[{index}]"
        if expression in seen:
            found.add("HL303", where, f"duplicate definition of match expression on {expression[0]}")
        seen.add(expression)
        for value in _repeated(expression[2]):
            found.add("HL303", f"{where}.values", f'duplicate definition of match expression value "{value}"')


def check_unique(found: Findings, field: str, what: str, names: Sequence[str]) -> None:
    """Add HL303 for each name that the list holds more than once; `what` is what the names name."""
    last = {name: index for index, name in enumerate(names)}
    for name in _repeated(names):
        found.add("HL303", f"{field}[{last[name]}]", f'duplicate definition of {what} "{name}"')


def _repeated(names: Iterable[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]


def _leaf(field: str) -> str:
    return field.rpartition(".")[2]


def selected_nodes(selectors: Sequence[LabelSelector], nodes: Mapping[NodeName, Node]) -> frozenset[NodeName]:
    """The nodes that one of the selectors matches; all for an empty list."""
    return frozenset(name for name, node in nodes.items() if matches_any(selectors, node.labels, if_empty=True))
