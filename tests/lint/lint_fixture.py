"""Reads a fixture: manifests, the findings they must yield (`# finding:`), and the circumstances (`# members:`)."""

from dataclasses import dataclass
from pathlib import Path

from herald.allocator.assign import assign_all
from herald.cluster.meta import NodeName
from herald.cluster.service import with_cluster_ip_defaults
from herald.config.collect import collect
from herald.config.compile import compile_config
from herald.config.problem import Problem
from herald.config.resources import Resources
from herald.lint import LintInputs, lint

FIXTURES = Path(__file__).parent / "fixtures"


@dataclass(frozen=True, slots=True)
class Fixture:
    """`expected` are the texts after `# finding:`, sorted; `members` None means every node."""

    text: str
    expected: tuple[str, ...]
    members: frozenset[NodeName] | None

    def problems(self) -> tuple[Problem, ...]:
        """Everything that reading, compiling and lint say about it."""
        collected = collect([("fixture.yaml", self.text)])
        return (*collected.problems, *problems_of(collected.resources, self.members))


def read(path: Path) -> Fixture:
    text = path.read_text()
    members = _headers(text, "members")
    return Fixture(
        text,
        tuple(sorted(_headers(text, "finding"))),
        frozenset(map(NodeName, members[0].split())) if members else None,
    )


def _headers(text: str, name: str) -> list[str]:
    start = f"# {name}: "
    return [line.removeprefix(start).strip() for line in text.splitlines() if line.startswith(start)]


def problems_of(resources: Resources, members: frozenset[NodeName] | None = None) -> tuple[Problem, ...]:
    """What compiling and lint say."""
    compiled = compile_config(resources)
    services = [with_cluster_ip_defaults(service) for service in resources.services]
    assignments = assign_all(compiled.config, services)
    return (*compiled.problems, *lint(LintInputs(resources, compiled, assignments, members)))


def where(problem: Problem) -> str:
    """`Kind namespace/name field`, as the fixtures write it."""
    return f"{problem.kind} {problem.namespace}/{problem.name} {problem.field}".strip()
