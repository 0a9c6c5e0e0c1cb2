"""Problems: what is wrong with an object, where, what follows from it, and what would be right."""

from dataclasses import dataclass
from enum import Enum


class Severity(Enum):
    """ERROR: the object is left out. WARNING: it applies, with a consequence. INFO: worth knowing."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"

    @property
    def rank(self) -> int:
        """0 for the gravest."""
        return list(Severity).index(self)


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding about one object.

    `rule` is stable ("HL001"), `reason` a CamelCase word for machines, `field` a path such as `spec.addresses[1]`
    (empty: the object as a whole). `message` names the value, the consequence and what would be right, in one or two
    sentences; it does not repeat the object's name.
    """

    rule: str
    severity: Severity
    kind: str
    namespace: str
    name: str
    field: str
    reason: str
    message: str

    @property
    def order(self) -> tuple[object, ...]:
        """Gravest first, then by object and rule: the order of every listing."""
        return (self.severity.rank, self.kind, self.namespace, self.name, self.rule, self.field, self.message)

    def __str__(self) -> str:
        where = f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"
        return f"{where}: {self.field + ': ' if self.field else ''}{self.message}"
