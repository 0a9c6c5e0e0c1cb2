"""`herald diff`: who would move, lose or gain an address or a route."""

import sys
from typing import Any

import click

from herald.cli.files import STANDARD_INPUT
from herald.cli.inputs import file_option, read_plan, settings, settings_options
from herald.cli.output import Format, output_option, show


@click.command()
@file_option("Give it twice: what is, then what would be. Each is a file, a folder, or - for standard input.")
@output_option
@click.option("--exit-code", is_flag=True, help="Exit 1 if anything changes.")
@settings_options
def diff(paths: tuple[str, ...], output: Format, exit_code: bool, **options: Any) -> None:
    """Who would move, lose or gain an address, an owner or a route.

    Services keep what they have in OLD as far as NEW allows, as the running controller would have it. Where both lack
    Nodes or EndpointSlices, what is expected is compared.

    \b
    Examples:
      herald diff -f current/ -f proposed/
      git show main:cluster.yaml | herald diff -f - -f cluster.yaml
      herald diff -f current/ -f proposed/ -o json --exit-code
    """
    from herald.report.diff import diff as compare
    from herald.report.diff_table import diff_tables
    from herald.report.hints import hints

    if len(paths) != 2:
        raise click.UsageError(
            f"-f is needed exactly twice, first what is, then what would be; it was given {len(paths)}×"
        )
    if set(paths) == {STANDARD_INPUT}:
        raise click.UsageError("-f - was given twice, and standard input can be read once; put one side into a file")
    wanted = settings(**options)
    old = read_plan(paths[:1], wanted)
    new = read_plan(paths[1:], wanted, old.addresses)
    found = compare(old, new)
    show(output, lambda: (*diff_tables(found), *dict.fromkeys((*hints(new), *hints(old)))), found.to_json)
    if exit_code and found:
        sys.exit(1)
