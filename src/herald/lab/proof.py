"""Claims and their proofs: a real command, what is expected of it, and how long it took to come true.

A claim is asked again and again until it holds or its time is up. One that does not hold ends the run: what was
expected, what was seen, the command and the relevant log lines are shown, because what follows would only repeat it.
`Proof` knows claims, `Report` (report.py) knows what they look like.
"""

import asyncio
import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from herald.lab import process
from herald.lab.process import Result

POLL_EVERY = 0.02


@dataclass(frozen=True, slots=True)
class Command:
    """A command, as it runs and as it is shown: `shown` is short, for people, like `router# show bgp summary`."""

    argv: tuple[str, ...]
    shown: str
    namespace: str | None = None
    patience: float = 15.0

    @property
    def full(self) -> str:
        """The command to copy and paste."""
        return shlex.join(process.inside(self.namespace, self.argv))


@dataclass(frozen=True, slots=True)
class Seen:
    """What a command showed: whether the claim holds, and in words what was seen.

    It is `obvious` when the title of a claim that holds says the same: people are spared it then, programs are not.
    """

    holds: bool
    text: str
    obvious: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """A claim after its proof."""

    title: str
    command: Command
    expected: str
    seen: Seen
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """One element of `claims`."""
        return {
            "title": self.title,
            "command": self.command.full,
            "expected": self.expected,
            "seen": self.seen.text,
            "ok": self.seen.holds,
            "seconds": round(self.seconds, 4),
        }


@dataclass(slots=True)
class Section:
    """The claims under one heading, which is a step of the how-to."""

    title: str
    outcomes: list[Outcome] = field(default_factory=list)


@dataclass(slots=True)
class Table:
    """What was measured, beside what was proven: the rows have as many cells as the head."""

    head: tuple[str, ...]
    rows: list[tuple[str, ...]] = field(default_factory=list)

    def to_json(self) -> list[dict[str, str]]:
        """A row per object."""
        return [dict(zip(self.head, row, strict=True)) for row in self.rows]

    def to_markdown(self) -> str:
        """As Markdown has tables; a bar inside a cell is kept."""
        lines = [self.head, ("---",) * len(self.head), *self.rows]
        return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


class RefutedError(Exception):
    """A claim does not hold."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.title)
        self.outcome = outcome


class Witness(Protocol):
    """Who is told what happens during a run."""

    def section(self, title: str, note: str) -> None:
        """A new heading, with at most a sentence of explanation."""
        ...

    def act(self, text: str) -> None:
        """Something was done to the lab."""
        ...

    def trying(self, title: str, command: Command) -> None:
        """A claim is being checked."""
        ...

    def proven(self, outcome: Outcome) -> None:
        """The claim holds."""
        ...

    def refuted(self, outcome: Outcome, log_lines: Sequence[str]) -> None:
        """The claim does not hold."""
        ...


Check = Callable[[Result], Seen]


@dataclass(slots=True)
class Proof:
    """A run of claims. `evidence` gives the log lines that may explain why a claim does not hold."""

    witness: Witness
    evidence: Callable[[], list[str]]
    sections: list[Section] = field(default_factory=list)
    table: Table | None = None

    def section(self, title: str, note: str = "") -> None:
        """Begin a new heading."""
        self.sections.append(Section(title))
        self.witness.section(title, note)

    def act(self, text: str) -> None:
        """Tell what is done now, as the command a user would type."""
        self.witness.act(text)

    async def that(
        self,
        title: str,
        command: Command,
        expected: str,
        check: Check,
        *,
        within: float = 15.0,
        since: float | None = None,
    ) -> Result:
        """Claim that `command` comes to show what `check` accepts, `within` seconds from now; the last result.

        The time shown runs from `since` (monotonic seconds; now, if not given) to the end of the last command.
        """
        began = time.monotonic()
        self.witness.trying(title, command)
        while True:
            result = await process.run(command.argv, namespace=command.namespace, within=command.patience)
            seen = judged(check, result)
            now = time.monotonic()
            if seen.holds or now - began > within:
                break
            await asyncio.sleep(POLL_EVERY)
        self._conclude(Outcome(title, command, expected, seen, now - (began if since is None else since)))
        return result

    def measured(self, title: str, command: Command, expected: str, seen: Seen, seconds: float) -> None:
        """Claim something of a command that ran beside others, like a poller, and has ended."""
        self._conclude(Outcome(title, command, expected, seen, seconds))

    def _conclude(self, outcome: Outcome) -> None:
        self.sections[-1].outcomes.append(outcome)
        if outcome.seen.holds:
            self.witness.proven(outcome)
        else:
            self.witness.refuted(outcome, self.evidence())
            raise RefutedError(outcome)

    @property
    def outcomes(self) -> list[Outcome]:
        """All claims that were checked."""
        return [outcome for section in self.sections for outcome in section.outcomes]

    @property
    def holds(self) -> bool:
        """Whether every claim that was checked holds."""
        return all(outcome.seen.holds for outcome in self.outcomes)

    def to_json(self) -> list[dict[str, Any]]:
        """The `sections` of a run's JSON."""
        return [
            {"title": section.title, "claims": [outcome.to_json() for outcome in section.outcomes]}
            for section in self.sections
        ]


def judged(check: Check, result: Result) -> Seen:
    """What `check` makes of a result; output that it cannot read is not (yet) what was expected."""
    if result.exit_code is None:
        return Seen(False, f"the command did not end within {result.seconds:.0f} s")
    try:
        return check(result)
    except (ValueError, LookupError, TypeError, AttributeError):
        output = (result.stdout + result.stderr).strip()
        return Seen(False, output or f"no output, exit code {result.exit_code}")
