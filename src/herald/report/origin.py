"""Where the objects of a plan were read."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from herald.config.findings import ObjectKey
from herald.config.problem import Problem


@dataclass(frozen=True, slots=True)
class Origin:
    """`places` says where each object begins (`pools.yaml:12`), `files` names everything that was read.

    `embedded` are places where something else than an object holds pools, as the values of a Helm chart do.
    """

    places: Mapping[ObjectKey, str] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    embedded: tuple[str, ...] = ()

    def place(self, problem: Problem) -> str | None:
        """Where the object of `problem` begins, if that is known and the problem does not say so itself."""
        return self.places.get(ObjectKey(problem.kind, problem.namespace, problem.name))


UNKNOWN = Origin()
