"""What is found wrong with one object while it is compiled or looked at."""

from dataclasses import dataclass, replace
from typing import Protocol

from herald.cluster.meta import ObjectMeta
from herald.config.problem import Problem, Severity
from herald.config.rules import rule


class Resource(Protocol):
    """Any object of the cluster; its type's name is its kind."""

    @property
    def metadata(self) -> ObjectMeta: ...


@dataclass(frozen=True, slots=True, order=True)
class ObjectKey:
    """Which object; `namespace` is empty for objects of the cluster, such as Nodes."""

    kind: str
    namespace: str
    name: str

    @classmethod
    def of(cls, resource: Resource) -> "ObjectKey":
        return cls(type(resource).__name__, resource.metadata.namespace, resource.metadata.name)


def problem(rule_id: str, subject: ObjectKey, field: str, message: str, severity: Severity | None = None) -> Problem:
    """A finding of rule `rule_id` about `subject`, as grave as the table says unless told otherwise."""
    row = rule(rule_id)
    return Problem(
        rule=rule_id,
        severity=severity or row.severity,
        kind=subject.kind,
        namespace=subject.namespace,
        name=subject.name,
        field=field,
        reason=row.reason,
        message=message,
    )


class Findings:
    """Collects what is wrong with one object. An object with an error is not used."""

    def __init__(self, subject: ObjectKey) -> None:
        self.subject = subject
        self.problems: list[Problem] = []

    def add(self, rule_id: str, field: str, message: str, severity: Severity | None = None) -> None:
        self.problems.append(problem(rule_id, self.subject, field, message, severity))

    @property
    def fatal(self) -> bool:
        return any(found.severity is Severity.ERROR for found in self.problems)


def stays_in_force(kind: str) -> str:
    """What follows from an error in an object of `kind` that was valid before: nobody remembers it after a restart."""
    return f"The last valid version of this {kind} stays in force; a restart would leave it out."


def is_left_out(kind: str) -> str:
    """What follows from an error in an object of `kind` of which no valid version is remembered."""
    return f"This {kind} is left out."


def without_consequence(found: Problem) -> Problem:
    """The error alone, for when it is gone and nothing follows from it any more."""
    message = found.message
    for consequence in (stays_in_force(found.kind), is_left_out(found.kind)):
        message = message.removesuffix(f" {consequence}")
    return replace(found, message=message)


def with_consequence(found: Problem, consequence: str) -> Problem:
    """An error with a sentence that says what follows from it; anything less grave as it is."""
    if found.severity is not Severity.ERROR:
        return found
    end = "" if found.message.endswith(("?", ".")) else "."
    return replace(found, message=f"{found.message}{end} {consequence}")
