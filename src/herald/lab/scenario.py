"""What a scenario is: a data centre, the manifests it begins with, and the claims that are proven of it."""

import textwrap
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from herald.lab.blueprint import Blueprint
from herald.lab.data_centre import DataCentre
from herald.lab.howto import HowTo
from herald.lab.proof import Proof


def diagram(docstring: str | None) -> str:
    """The drawing in a scenario module's docstring: everything after its first paragraph, indented by two blanks."""
    paragraphs = (docstring or "").split("\n\n")[1:]
    return "\n\n".join(textwrap.indent(textwrap.dedent(one).rstrip(), "  ") for one in paragraphs)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One how-to come true.

    `first` names the manifests that `herald lab up` applies. `tour` gives commands that are worth trying in a lab that
    stands, as (command, what it shows); `prove` walks through the how-to. One that `needs_kubernetes` is about what
    only a real API server can do.
    """

    name: str
    title: str
    picture: str
    blueprint: Blueprint
    howto: HowTo
    first: tuple[str, ...]
    tour: Callable[[DataCentre], list[tuple[str, str]]]
    prove: Callable[[DataCentre, Proof], Awaitable[None]]
    needs_kubernetes: bool = False

    async def apply_first(self, lab: DataCentre) -> None:
        """Apply the manifests that the scenario begins with."""
        for name in self.first:
            await lab.platform.apply(f"{name}.yaml", self.howto.text(name))
