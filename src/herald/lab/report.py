"""How a run of claims looks: to people as aligned lines, to programs as JSON.

    Step 4  Create a Service
      $ kubectl apply -f service.yaml
      ✓ the service gets 192.168.1.200                     cat .herald/status/service.default.critical-app.yaml    41 ms

Colour, and a line for the claim being checked, only on a terminal.
"""

import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TextIO

from herald.lab.proof import Command, Outcome, Proof

NARROWEST, WIDEST = 80, 150
TITLE_SHARE = 0.6
TIME_COLUMNS = 8
LONGEST_SEEN_LINES = 30

BOLD, DIM, GREEN, RED, PLAIN = "\033[1m", "\033[2m", "\033[32m", "\033[31m", "\033[0m"
CLEAR_LINE = "\r\033[K"


def duration(seconds: float) -> str:
    """`12 ms`, `3.4 s`, `1 min 05 s`."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"


@dataclass(slots=True)
class Report:
    """Writes a run to a stream as it happens."""

    out: TextIO
    width: int = 0
    terminal: bool = field(init=False)
    _waiting: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self.terminal = self.out.isatty() and os.environ.get("TERM") != "dumb"
        if not self.width:
            self.width = min(WIDEST, max(NARROWEST, shutil.get_terminal_size((120, 24)).columns))

    def say(self, text: str = "") -> None:
        """A line of plain text."""
        self._clear()
        self.out.write(text + "\n")
        self.out.flush()

    def section(self, title: str, note: str) -> None:
        """A heading."""
        self.say()
        self.say(self._paint(BOLD, title))
        if note:
            self.say(self._paint(DIM, f"  {note}"))

    def act(self, text: str) -> None:
        """Something that was done."""
        self.say(self._paint(DIM, f"  {text}"))

    def trying(self, title: str, command: Command) -> None:
        """On a terminal: the claim being checked, until its outcome takes the line over."""
        if self.terminal:
            self._clear()
            self.out.write(self._paint(DIM, f"  · {title}"[: self.width - 1]))
            self.out.flush()
            self._waiting = True

    def proven(self, outcome: Outcome) -> None:
        """A tick, the claim, the command, the time."""
        detail = f": {outcome.seen.text}" if outcome.seen.text else ""
        self.say(self.line(f"{outcome.title}{detail}", outcome.command.shown, duration(outcome.seconds)))

    def refuted(self, outcome: Outcome, log_lines: Sequence[str]) -> None:
        """A cross, then everything needed to see why."""
        self.say(f"  {self._paint(RED, '✗')} {self._paint(BOLD, outcome.title)}")
        self._block("expected", [outcome.expected])
        self._block("seen", outcome.seen.text.splitlines()[:LONGEST_SEEN_LINES] or ["nothing"])
        self._block("after", [duration(outcome.seconds)])
        self._block("command", [outcome.command.full])
        self._block("log", list(log_lines) or ["nothing was logged"])

    def line(self, title: str, shown: str, took: str) -> str:
        """One aligned line: the claim as long as it is, the command in what remains, the time at the right."""
        inner = self.width - 4 - TIME_COLUMNS - 2
        column = max(int(inner * TITLE_SHARE), len(title) + 2)
        room = max(0, inner - column)
        if len(shown) > room:
            shown = shown[: room - 1] + "…" if room > 12 else ""
        text = f"{title:<{column}}"
        return f"  {self._paint(GREEN, '✓')} {text}{self._paint(DIM, f'{shown:<{room}}')}  {took:>{TIME_COLUMNS}}"

    def summary(self, scenario: str, proof: Proof, seconds: float, *, ended_early: str = "") -> None:
        """The last words of a run."""
        good = sum(outcome.seen.holds for outcome in proof.outcomes)
        bad = len(proof.outcomes) - good
        self.say()
        took = duration(seconds)
        if ended_early:
            self.say(f"{self._paint(RED, '✗')} {scenario}: {ended_early} after {good} claims, {took}")
        elif bad:
            self.say(f"{self._paint(RED, '✗')} {scenario}: a claim does not hold, {good} before it do, {took}")
        else:
            self.say(f"{self._paint(GREEN, '✓')} {scenario}: all {good} claims hold, {took}")

    def _block(self, name: str, lines: Sequence[str]) -> None:
        for number, line in enumerate(lines):
            self.say(f"      {self._paint(DIM, f'{name if number == 0 else str():<9}')} {line}")

    def _paint(self, colour: str, text: str) -> str:
        return f"{colour}{text}{PLAIN}" if self.terminal else text

    def _clear(self) -> None:
        if self._waiting:
            self.out.write(CLEAR_LINE)
            self._waiting = False


class Silence:
    """Says nothing, for runs whose result is wanted as JSON."""

    def section(self, title: str, note: str) -> None:
        """Nothing."""

    def act(self, text: str) -> None:
        """Nothing."""

    def trying(self, title: str, command: Command) -> None:
        """Nothing."""

    def proven(self, outcome: Outcome) -> None:
        """Nothing."""

    def refuted(self, outcome: Outcome, log_lines: Sequence[str]) -> None:
        """Nothing."""


def as_json(scenario: str, proof: Proof, seconds: float, *, ended_early: str = "") -> dict[str, Any]:
    """A run as one object; `error` says why a run ended before its last claim, if it was not a claim."""
    return {
        "scenario": scenario,
        "ok": proof.holds and not ended_early,
        "seconds": round(seconds, 3),
        "error": ended_early or None,
        "sections": proof.to_json(),
    }


def standard_output() -> Report:
    """A report to this process's standard output."""
    return Report(sys.stdout)
