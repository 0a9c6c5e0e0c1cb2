"""A change that somebody asks for, and what the configuration is without it and with it."""

from collections.abc import Iterator
from dataclasses import dataclass

from herald.config.compile import Compiled
from herald.config.findings import ObjectKey
from herald.config.problem import Problem
from herald.config.resources import Resources
from herald.config.settle import Custom
from herald.controller.webhook.world import World


@dataclass(frozen=True, slots=True)
class Change:
    """An object is created (`old` None), edited, or deleted (`new` None)."""

    key: ObjectKey
    old: Custom | None
    new: Custom | None

    @property
    def present(self) -> Custom:
        """The later of the two there is."""
        version = self.new if self.new is not None else self.old
        assert version is not None
        return version


@dataclass(frozen=True, slots=True)
class Configured:
    """`resources` hold the change; `after` is compiled from them, with `before` as its past."""

    change: Change
    world: World
    resources: Resources
    before: Compiled
    after: Compiled

    @property
    def own_problems(self) -> Iterator[Problem]:
        """What compiling finds wrong with the changed object."""
        return (each for each in self.after.problems if is_about(each, self.change.key))


def is_about(problem: Problem, key: ObjectKey) -> bool:
    """Whether the problem's subject is the object."""
    return (problem.kind, problem.namespace, problem.name) == (key.kind, key.namespace, key.name)
