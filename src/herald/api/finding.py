"""What reading and decoding find wrong, before anything is made of it.

`herald.config.collect` turns findings into the Problems that people see; this package stands below it.
"""

from dataclasses import dataclass
from enum import Enum


class Fault(Enum):
    """Everything that can be wrong with a document, by its stable rule id."""

    UNREADABLE = "HL200"
    UNKNOWN_KIND = "HL201"
    SCHEMA = "HL202"
    UNKNOWN_FIELD = "HL203"
    DEFINED_TWICE = "HL204"
    NOT_AN_OBJECT = "HL205"
    OTHER_DOCUMENT = "HL206"
    LEGACY_CONFIGURATION = "HL207"

    @property
    def spoils_object(self) -> bool:
        """Whether the object is left out because of it; otherwise it applies all the same."""
        return self in (Fault.UNREADABLE, Fault.UNKNOWN_KIND, Fault.SCHEMA, Fault.NOT_AN_OBJECT)


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault of one object. Without an object, `kind` is `File` and `name` says which file, and where in it.

    An object without a usable name is called `(in pools.yaml:12)`.

    `field` is a path such as `spec.addresses[1]`, empty for the object as a whole.
    """

    fault: Fault
    kind: str
    namespace: str
    name: str
    field: str
    message: str

    @property
    def names_object(self) -> bool:
        """Whether it says which object it is about, and not merely where in which file."""
        return self.kind != "File" and not self.name.startswith("(")


def of_file(fault: Fault, source: str, field: str, message: str) -> Finding:
    """A finding about a text in which no object can be named."""
    return Finding(fault, "File", "", source, field, message)
