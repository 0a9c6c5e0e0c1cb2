"""`herald diff`: who would move, lose or gain an address or a route."""

import sys
from dataclasses import replace
from typing import Any

import click

from herald.cli.files import STANDARD_INPUT
from herald.cli.inputs import Source, plan_of, read, settings, settings_options, source_options
from herald.cli.output import Format, output_option, show


@click.command()
@source_options("Give it twice: what is, then what would be. Each is a file, a folder, or - for standard input.")
@output_option
@click.option("--exit-code", is_flag=True, help="Exit 1 if anything changes.")
@settings_options
def diff(output: Format, exit_code: bool, **options: Any) -> None:
    """Who would move, lose or gain an address, an owner or a route.

    Services keep what they have in OLD as far as NEW allows, as the running controller would have it. Where both lack
    Nodes or EndpointSlices, what is expected is compared. With --live, OLD is the cluster, and NEW what it will be once
    all that -f names has been applied.

    \b
    Examples:
      herald diff -f current/ -f proposed/
      git show main:cluster.yaml | herald diff -f - -f cluster.yaml
      herald diff -f current/ -f proposed/ -o json --exit-code
      herald diff --live -f change.yaml
    """
    from herald.report.diff import diff as compare
    from herald.report.diff_table import diff_tables
    from herald.report.hints import hints

    source = Source.of(options)
    before, after = _sides(source)
    wanted = settings(**options)
    present = read(before, wanted)
    proposed = read(after, wanted, below=present if source.live else None)
    old = plan_of(present, wanted)
    new = plan_of(proposed, wanted, old.addresses)
    found = compare(old, new)
    show(output, lambda: (*diff_tables(found), *dict.fromkeys((*hints(new), *hints(old)))), found.to_json)
    if exit_code and found:
        sys.exit(1)


def _sides(source: Source) -> tuple[Source, Source]:
    """What is, and what would be. Raises click.UsageError."""
    if source.live:
        if not source.paths:
            raise click.UsageError("say with -f what would be applied to the cluster")
        return replace(source, paths=()), source
    if len(source.paths) != 2:
        raise click.UsageError(
            "-f is needed exactly twice, first what is, then what would be (or once, with --live); it was given "
            f"{len(source.paths)}×"
        )
    if set(source.paths) == {STANDARD_INPUT}:
        raise click.UsageError("-f - was given twice, and standard input can be read once; put one side into a file")
    return replace(source, paths=source.paths[:1]), replace(source, paths=source.paths[1:])
