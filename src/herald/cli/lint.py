"""`herald lint`: what is wrong or risky in manifests."""

import sys
from collections import Counter
from typing import Any

import click

from herald.cli.inputs import file_help, file_option, read_plan, settings, settings_options
from herald.cli.output import Format, output_option, show


@click.command()
@file_option(file_help)
@output_option
@click.option("--strict", is_flag=True, help="Exit 1 on warnings too.")
@settings_options
def lint(paths: tuple[str, ...], output: Format, strict: bool, **options: Any) -> None:
    """What is wrong or risky in manifests: rules HL001 and up.

    An error means that the object is left out; a warning, that it applies with a consequence you may not want. Every
    rule is described in docs/lint-rules.md. Exits 1 if there is an error.

    \b
    Examples:
      herald lint -f manifests/
      herald lint -f manifests/ --strict -o json
    """
    from herald.config.problem import Severity
    from herald.report.plan import problem_json
    from herald.report.plan_table import problem_table
    from herald.report.table import Note, Tone

    problems = read_plan(paths, settings(**options)).problems
    count = Counter(problem.severity for problem in problems)
    words = ", ".join(f"{count[severity]} of severity {severity.value}" for severity in Severity if count[severity])
    summary = Note(words or "No problems.", Tone.PLAIN if problems else Tone.GOOD)
    show(
        output,
        lambda: (problem_table(problems), summary),
        lambda: {"problems": [problem_json(problem) for problem in problems]},
    )
    if count[Severity.ERROR] or (strict and count[Severity.WARNING]):
        sys.exit(1)
