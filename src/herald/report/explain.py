"""Why, or why not: one service, address, pool, peer or node, out of a plan.

An explanation has fixed sections and ends in a verdict. It decides nothing: everything in it is looked up in the plan's
study, so that it cannot say anything else than what is done.

    explain          this module: the values, and which subject goes where
    explain_service  a Service, and an address by way of the services that have it
    explain_config   a pool, a peer, a node
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from herald.config.problem import Problem
from herald.report.plan import problem_json
from herald.report.table import Note, Piece, Tone

TITLE_WIDTH = 11


class State(Enum):
    """How it stands; the exit code of `herald explain` follows."""

    ANNOUNCED = "announced"
    NOT_ANNOUNCED = "not-announced"
    DEGRADED = "degraded"

    @property
    def exit_code(self) -> int:
        return {State.ANNOUNCED: 0, State.NOT_ANNOUNCED: 1, State.DEGRADED: 2}[self]


_TONES = {State.ANNOUNCED: Tone.GOOD, State.NOT_ANNOUNCED: Tone.BAD, State.DEGRADED: Tone.WARNING}
_WORDS = {State.ANNOUNCED: "Announced", State.NOT_ANNOUNCED: "Not announced", State.DEGRADED: "Announced (degraded)"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The last line: how it stands, and the one thing to know about it."""

    state: State
    message: str

    def __str__(self) -> str:
        return f"{_WORDS[self.state]}: {self.message}"


@dataclass(frozen=True, slots=True)
class Section:
    """A titled part; `lines` are whole sentences or rows, at least one."""

    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """`kind` is svc, ip, pool, peer or node. `facts` is what the sections say, as JSON."""

    kind: str
    name: str
    headline: str
    sections: tuple[Section, ...]
    verdict: Verdict
    facts: dict[str, Any] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The document of `herald explain -o json`."""
        return {
            "kind": self.kind,
            "name": self.name,
            **self.facts,
            "problems": [problem_json(problem) for problem in self.problems],
            "verdict": {"state": self.verdict.state.value, "message": self.verdict.message},
        }

    def pieces(self, hints: Iterable[Note] = ()) -> tuple[Piece, ...]:
        """What is printed; one block, what the input lacks (`hints`), the verdict last."""
        sections = (*self.sections, *_problem_section(self.problems))
        lines = [self.headline, *(line for section in sections for line in _section_lines(section))]
        body = Note("\n".join(lines))
        return (body, *hints, Note(_titled("VERDICT", str(self.verdict)), _TONES[self.verdict.state]))


def _problem_section(problems: Iterable[Problem]) -> Iterable[Section]:
    lines = tuple(f"{problem.severity.value} {problem.rule} {problem}" for problem in problems)
    return (Section("PROBLEMS", lines),) if lines else ()


def _section_lines(section: Section) -> Iterable[str]:
    for number, line in enumerate(section.lines):
        yield _titled(section.title if number == 0 else "", line)


def _titled(title: str, line: str) -> str:
    return f"{title.ljust(TITLE_WIDTH)}{line}"


def concerning(problems: Iterable[Problem], objects: Iterable[tuple[str, str]]) -> tuple[Problem, ...]:
    """The problems about objects given as (kind, name), in their order. A Service's name is `namespace/name`."""
    wanted = frozenset(objects)
    return tuple(
        problem
        for problem in problems
        if (problem.kind, f"{problem.namespace}/{problem.name}" if problem.kind == "Service" else problem.name)
        in wanted
    )


def unknown(kind: str, name: str, word: str, hint: str) -> Explanation:
    """The explanation of what is not in the input."""
    verdict = Verdict(State.NOT_ANNOUNCED, f"there is no {word} {name} in the input{hint}")
    return Explanation(kind, name, f"{word} {name}", (), verdict)
