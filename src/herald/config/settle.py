"""Which version of each object is in force: the present one if it is valid, else its last valid one, else none.

Objects of one kind are settled one after the other, because some exclude each other (pools that overlap, aliases of one
name). Who comes first wins: what is in force already and has not been edited, then what has been edited, then what is
new; among equals the older. Without a past (offline, or after a start) that is simply the older object first. So an
edit that breaks an object, or that collides with another one, never takes away anything that works.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeAlias, TypeVar

from herald.cluster.meta import ObjectMeta
from herald.config.findings import Findings, ObjectKey, Resource, is_left_out, stays_in_force, with_consequence
from herald.config.problem import Problem, Severity


class Custom(Resource, Protocol):
    """An object with a spec."""

    @property
    def metadata(self) -> ObjectMeta: ...

    @property
    def spec(self) -> object: ...


R = TypeVar("R", bound=Custom)
V = TypeVar("V")
Attempt: TypeAlias = Callable[[R, Findings], V | None]
"""Makes the value of an object, or adds what is wrong with it and gives None."""


@dataclass(frozen=True, slots=True)
class InForce(Generic[R, V]):
    """A valid object, what was made of it, and whether that took more of the past than the object itself."""

    resource: R
    value: V
    attempt: int


@dataclass(frozen=True, slots=True)
class Settled(Generic[R, V]):
    """All objects of a kind that are in force, sorted by name, and what was found."""

    in_force: tuple[InForce[R, V], ...]
    left_out: frozenset[ObjectKey]
    problems: tuple[Problem, ...]

    @property
    def values(self) -> tuple[V, ...]:
        return tuple(entry.value for entry in self.in_force)


def settle(
    resources: Sequence[R], last_good: Mapping[ObjectKey, Resource], attempts: Sequence["Attempt[R, V]"]
) -> Settled[R, V]:
    """Settle the objects of one kind, whose names are unique.

    The first attempt sees the present surroundings; the others, meant for last valid versions, see older ones.
    """
    in_force: list[InForce[R, V]] = []
    problems: list[Problem] = []
    for resource in sorted(resources, key=lambda resource: _precedence(resource, last_good)):
        entry, found = _settle_one(resource, last_good, attempts)
        problems += found
        if entry is not None:
            in_force.append(entry)
    left_out = {ObjectKey.of(resource) for resource in resources} - {ObjectKey.of(entry.resource) for entry in in_force}
    return Settled(
        tuple(sorted(in_force, key=lambda entry: entry.resource.metadata.name)), frozenset(left_out), tuple(problems)
    )


def same_meaning(one: Custom, other: Custom) -> bool:
    """Whether two versions of an object differ at most in status, annotations and bookkeeping."""
    return one.spec == other.spec and one.metadata.labels == other.metadata.labels


def _precedence(resource: R, last_good: Mapping[ObjectKey, Resource]) -> tuple[int, tuple[str, str, str]]:
    past = _last_valid(resource, last_good)
    rank = 2 if past is None else 0 if same_meaning(resource, past) else 1
    return (rank, resource.metadata.age_order)


def _last_valid(resource: R, last_good: Mapping[ObjectKey, Resource]) -> R | None:
    past = last_good.get(ObjectKey.of(resource))
    return past if isinstance(past, type(resource)) else None


def _settle_one(
    resource: R, last_good: Mapping[ObjectKey, Resource], attempts: Sequence["Attempt[R, V]"]
) -> tuple[InForce[R, V] | None, Iterable[Problem]]:
    key = ObjectKey.of(resource)
    now = Findings(key)
    value = attempts[0](resource, now)
    if value is not None:
        return InForce(resource, value, 0), now.problems
    past = _last_valid(resource, last_good)
    for number, attempt in enumerate(attempts if past is not None else ()):
        assert past is not None
        findings = Findings(key)
        value = attempt(past, findings)
        if value is not None:
            errors = [with_consequence(found, stays_in_force(key.kind)) for found in now.problems]
            return InForce(past, value, number), [e for e in errors if e.severity is Severity.ERROR] + findings.problems
    return None, [with_consequence(found, is_left_out(key.kind)) for found in now.problems]
