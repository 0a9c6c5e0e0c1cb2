"""How a run of claims looks: to people as aligned lines, to programs as JSON.

    Step 4  Create a Service
      $ kubectl apply -f service.yaml
      ✓ the remote client is served: answered by node-1    remote$ curl http://192.168.1.200       9 ms
      ✓ the local client noticed nothing: 240 requests, 0 failed, longest wait 17 ms              2.5 s
            client$ poll http://192.168.1.200 every 10 ms

The command is the proof, so it is always there in full: beside the claim where both fit, on a line of its own where
they do not, and always so on a narrow terminal. Colour, and a line for the claim being checked, only on a terminal.
"""

import os
import shutil
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TextIO

from herald.lab.proof import Command, Outcome, Proof, Table

NARROWEST, WIDEST = 60, 150
TWO_COLUMNS_FROM = 110
"""Narrower than this, nearly every command would need a line of its own: then all get one."""

CLAIM_SHARE = 0.63
CLAIM_INDENT, COMMAND_INDENT = 4, 8
TIME_COLUMNS = 8
ENTRY_COLUMNS = 12
LONGEST_TEXT_LINE = 100
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


def folded(text: str, width: int) -> list[str]:
    """`text` in lines of at most `width`, unless a single word is longer; nothing is left out."""
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)


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

    def text(self, text: str) -> None:
        """A paragraph."""
        for line in textwrap.wrap(text, min(self.width, LONGEST_TEXT_LINE)):
            self.say(line)

    def entry(self, name: str, text: str) -> None:
        """A named piece of information, its lines aligned."""
        for number, line in enumerate(folded(text, self.width - ENTRY_COLUMNS)):
            self.say(f"{f'{name}:' if number == 0 else '':<{ENTRY_COLUMNS}}{line}")

    def section(self, title: str, note: str) -> None:
        """A heading."""
        self.say()
        self.say(self._paint(BOLD, title))
        for line in folded(note, self.width - 2):
            self.say(self._paint(DIM, f"  {line}"))

    def act(self, text: str) -> None:
        """Something that was done."""
        for number, line in enumerate(folded(text, self.width - 4)):
            self.say(self._paint(DIM, f"  {line}" if number == 0 else f"    {line}"))

    def trying(self, title: str, command: Command) -> None:
        """On a terminal: the claim being checked, until its outcome takes the line over."""
        if self.terminal:
            self._clear()
            self.out.write(self._paint(DIM, f"  · {title}"[: self.width - 1]))
            self.out.flush()
            self._waiting = True

    def proven(self, outcome: Outcome) -> None:
        """A tick, the claim, what was seen, the command, the time."""
        detail = "" if outcome.seen.obvious else f": {outcome.seen.text}"
        for line in self.lines(f"{outcome.title}{detail}", outcome.command.shown, duration(outcome.seconds)):
            self.say(line)

    def refuted(self, outcome: Outcome, log_lines: Sequence[str]) -> None:
        """A cross, then everything needed to see why."""
        self.say(f"  {self._paint(RED, '✗')} {self._paint(BOLD, outcome.title)}")
        self._block("expected", [outcome.expected])
        self._block("seen", outcome.seen.text.splitlines()[:LONGEST_SEEN_LINES] or ["nothing"])
        self._block("after", [duration(outcome.seconds)])
        self._block("command", [outcome.command.full])
        self._block("log", list(log_lines) or ["nothing was logged"])

    def lines(self, claim: str, shown: str, took: str) -> list[str]:
        """A claim that holds: all of it, all of the command, the time at the right of the first line."""
        inner = self.width - CLAIM_INDENT - TIME_COLUMNS
        column = int(inner * CLAIM_SHARE)
        if self.width >= TWO_COLUMNS_FROM and len(claim) + 2 <= column and len(shown) <= inner - column:
            return [self._ticked(f"{claim:<{column}}{self._paint(DIM, f'{shown:<{inner - column}}')}", took)]
        first, *rest = folded(claim, inner)
        below = [" " * CLAIM_INDENT + line for line in rest]
        below += [self._paint(DIM, " " * COMMAND_INDENT + line) for line in folded(shown, self.width - COMMAND_INDENT)]
        return [self._ticked(f"{first:<{inner}}", took), *below]

    def _ticked(self, text: str, took: str) -> str:
        return f"  {self._paint(GREEN, '✓')} {text}{took:>{TIME_COLUMNS}}"

    def table(self, table: Table) -> None:
        """Columns as wide as they must be; the last one is folded."""
        widths = [max(map(len, column)) for column in zip(table.head, *table.rows, strict=True)][:-1]
        rest = max(NARROWEST // 2, self.width - sum(widths) - 2 * len(widths) - 2)
        self.say()
        for number, row in enumerate((table.head, *table.rows)):
            start = "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False))
            first, *more = folded(row[-1], rest) or [""]
            self.say(self._paint(BOLD if number == 0 else "", f"  {start}  {first}".rstrip()))
            for line in more:
                self.say(f"  {'':<{len(start)}}  {line}")

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
    """A run as one object; `error` says why a run ended before its last claim, if it was not a claim.

    `measured` is there if the scenario measures something: a list of objects, one for each row of its table.
    """
    measured = {} if proof.table is None else {"measured": proof.table.to_json()}
    return measured | {
        "scenario": scenario,
        "ok": proof.holds and not ended_early,
        "seconds": round(seconds, 3),
        "error": ended_early or None,
        "sections": proof.to_json(),
    }


def standard_output() -> Report:
    """A report to this process's standard output."""
    return Report(sys.stdout)
