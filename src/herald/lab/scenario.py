"""What a scenario is: a data centre, the manifests it begins with, and the claims that are proven of it."""

import textwrap
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, replace

from herald.lab.blueprint import Blueprint
from herald.lab.data_centre import DataCentre
from herald.lab.howto import HowTo
from herald.lab.proof import Proof


def diagram(docstring: str | None) -> str:
    """The drawing in a scenario module's docstring: everything after its first paragraph, indented by two blanks."""
    paragraphs = (docstring or "").split("\n\n")[1:]
    return "\n\n".join(textwrap.indent(textwrap.dedent(one).rstrip(), "  ") for one in paragraphs)


Proving = Callable[[DataCentre, Proof], Awaitable[None]]
"""Walks through claims in a lab that runs."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a scenario that makes sense without the others. It leaves the lab as it found it."""

    name: str
    prove: Proving


@dataclass(frozen=True, slots=True)
class Scenario:
    """One how-to come true.

    `first` names the manifests that `herald lab up` applies. `tour` gives commands that are worth trying in a lab that
    stands, as (command, what it shows); `prove` walks through the how-to, and `parts`, if there are any, follow it. One
    that `needs_kubernetes` is about what only a real API server can do, one that `needs_folder` looks at what only the
    folder of manifests and the lab's own processes show. `page` makes a Markdown page of a run.
    """

    name: str
    title: str
    picture: str
    blueprint: Blueprint
    howto: HowTo
    first: tuple[str, ...]
    tour: Callable[[DataCentre], list[tuple[str, str]]]
    prove: Proving
    needs_kubernetes: bool = False
    needs_folder: bool = False
    parts: tuple[Part, ...] = ()
    page: Callable[[Proof], str] | None = None

    def only(self, names: Collection[str]) -> "Scenario":
        """The same with these parts alone."""
        return replace(self, parts=tuple(part for part in self.parts if part.name in names))

    async def prove_all(self, lab: DataCentre, proof: Proof) -> None:
        """Every claim there is."""
        for prove in (self.prove, *(part.prove for part in self.parts)):
            await prove(lab, proof)

    async def apply_first(self, lab: DataCentre) -> None:
        """Apply the manifests that the scenario begins with."""
        for name in self.first:
            await lab.platform.apply(f"{name}.yaml", self.howto.text(name))
