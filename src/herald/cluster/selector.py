"""Label selectors as Kubernetes has them: `matchLabels` and `matchExpressions`, all of which must hold.

A *list* of selectors is an OR; `matches_any` says what an empty list means, which differs by field.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated

import msgspec

from herald.cluster.meta import is_dns_subdomain
from herald.cluster.wire import wire_name

_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
ATOMIC = msgspec.Meta(extra_json_schema={"x-kubernetes-list-type": "atomic"})
"""The list is replaced as a whole when an object is applied."""
OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")


class LabelSelectorError(ValueError):
    """A selector that Kubernetes would refuse. `field` is the path inside the selector."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class LabelSelectorRequirement(msgspec.Struct, frozen=True, kw_only=True, rename=wire_name):
    """One entry of `matchExpressions`."""

    key: str
    operator: str
    values: Annotated[tuple[str, ...], ATOMIC] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        match self.operator:
            case "In":
                return self.key in labels and labels[self.key] in self.values
            case "NotIn":
                return labels.get(self.key) not in self.values
            case "Exists":
                return self.key in labels
            case "DoesNotExist":
                return self.key not in labels
        raise AssertionError(f"operator {self.operator!r} passed validate()")

    def validate(self, field: str) -> None:
        """Raise LabelSelectorError if Kubernetes would refuse it."""
        if self.operator not in OPERATORS:
            raise LabelSelectorError(
                f"{field}.operator",
                f"{self.operator!r} is not a valid label selector operator; use {', '.join(OPERATORS)}",
            )
        wants_values = self.operator in ("In", "NotIn")
        if wants_values and not self.values:
            raise LabelSelectorError(f"{field}.values", f"operator {self.operator} needs at least one value")
        if not wants_values and self.values:
            raise LabelSelectorError(f"{field}.values", f"operator {self.operator} takes no values")
        validate_label_key(self.key, f"{field}.key")
        for index, value in enumerate(self.values):
            validate_label_value(value, f"{field}.values[{index}]")


class LabelSelector(msgspec.Struct, frozen=True, kw_only=True, rename=wire_name):
    """All of `matchLabels` and `matchExpressions` must hold; empty matches everything."""

    match_labels: dict[str, str] = {}
    match_expressions: Annotated[tuple[LabelSelectorRequirement, ...], ATOMIC] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        return all(labels.get(key) == value for key, value in self.match_labels.items()) and all(
            requirement.matches(labels) for requirement in self.match_expressions
        )

    def validate(self) -> None:
        """Raise LabelSelectorError if Kubernetes would refuse it."""
        for key, value in self.match_labels.items():
            validate_label_key(key, "matchLabels")
            validate_label_value(value, f"matchLabels[{key}]")
        for index, requirement in enumerate(self.match_expressions):
            requirement.validate(f"matchExpressions[{index}]")

    @property
    def canonical(self) -> tuple[object, ...]:
        """Equal for selectors that read the same once the values of each expression are sorted."""
        return (
            tuple(sorted(self.match_labels.items())),
            tuple((r.key, r.operator, tuple(sorted(r.values))) for r in self.match_expressions),
        )

    def __str__(self) -> str:
        labels = [f"{key}={value}" for key, value in sorted(self.match_labels.items())]
        expressions = [
            f"{r.key} {r.operator} ({', '.join(r.values)})" if r.values else f"{r.key} {r.operator}"
            for r in self.match_expressions
        ]
        return ", ".join(labels + expressions) or "everything"

    def __hash__(self) -> int:
        return hash(self.canonical)


def matches_any(selectors: Sequence[LabelSelector], labels: Mapping[str, str], *, if_empty: bool) -> bool:
    """Whether one of `selectors` matches; `if_empty` is the answer for an empty list."""
    return any(selector.matches(labels) for selector in selectors) if selectors else if_empty


def validate_label_key(key: str, field: str) -> None:
    """Raise LabelSelectorError unless `key` is `name` or `dns.prefix/name`."""
    prefix, slash, name = key.rpartition("/")
    if slash and not is_dns_subdomain(prefix):
        raise LabelSelectorError(field, f"invalid label key {key!r}: {prefix!r} is not a DNS subdomain")
    if not _NAME.fullmatch(name):
        raise LabelSelectorError(
            field,
            f"invalid label key {key!r}: 1 to 63 letters, digits, '-', '_' or '.', with a letter or digit at both ends",
        )


def validate_label_value(value: str, field: str) -> None:
    """Raise LabelSelectorError unless `value` is empty or a label name of at most 63 characters."""
    if value and not _NAME.fullmatch(value):
        raise LabelSelectorError(
            field,
            f"invalid label value {value!r}: at most 63 letters, digits, '-', '_', '.', a letter or digit at both ends",
        )
