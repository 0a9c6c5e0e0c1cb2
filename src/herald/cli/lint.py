"""`herald lint`: what is wrong or risky in manifests."""

import sys
from collections import Counter
from typing import Any

import click

from herald.cli.inputs import Source, file_help, read_plan, settings, settings_options, source_options
from herald.cli.output import Format, output_option, show


@click.command()
@source_options(file_help)
@output_option
@click.option("--strict", is_flag=True, help="Exit 1 on warnings too.")
@settings_options
def lint(output: Format, strict: bool, **options: Any) -> None:
    """What is wrong or risky in manifests: rules HL001 and up.

    An error means that the object is left out; a warning, that it applies with a consequence you may not want. Every
    rule is described in docs/lint-rules.md. Exits 1 if there is an error.

    \b
    Examples:
      herald lint -f manifests/
      herald lint -f manifests/ --strict -o json
      herald lint --live
    """
    from herald.config.problem import Severity
    from herald.config.wording import counted
    from herald.report.hints import input_hints
    from herald.report.plan import problem_json
    from herald.report.plan_table import problem_entries
    from herald.report.table import Note, Tone

    plan = read_plan(Source.of(options), settings(**options))
    problems, places = plan.problems, plan.origin.places
    count = Counter(problem.severity for problem in problems)
    if problems:
        words = ", ".join(counted(count[severity], severity.value) for severity in Severity if count[severity])
        checked = counted(len(places), "object") if places else "the input, which holds no object that Herald reads"
        summary = Note(f"{words} in {checked}.")
    elif places:
        summary = Note(f"No problems in {counted(len(places), 'object')}.", Tone.GOOD)
    else:
        summary = Note("Nothing was checked: no object that Herald reads is in the input.", Tone.WARNING)
    show(
        output,
        lambda: (problem_entries(problems, plan.origin), summary, *input_hints(plan)),
        lambda: {"problems": [{**problem_json(each), "source": plan.origin.place(each)} for each in problems]},
    )
    if count[Severity.ERROR] or (strict and count[Severity.WARNING]):
        sys.exit(1)
