"""`herald plan`: what would be assigned and announced, by whom, to whom."""

from typing import Any

import click

from herald.cli.inputs import Source, file_help, read_plan, settings, settings_options, source_options
from herald.cli.output import Format, output_option, show


@click.command()
@source_options(file_help)
@output_option
@settings_options
def plan(output: Format, **options: Any) -> None:
    """What would be assigned and announced, by whom, to whom.

    Reads manifests of metallb.io resources, Services, Nodes, EndpointSlices, Namespaces and Secrets; with --live those
    of a cluster, in which nothing is changed. An object with an error is left out and listed under problems; all others
    count. The exit code is 0 unless the input cannot be read at all (2). The JSON is described in docs/plan-json.md.

    \b
    Examples:
      herald plan -f manifests/
      herald plan -f pool.yaml -f services/ --assume-ready
      kubectl get nodes,svc,endpointslices -A -o yaml | herald plan -f manifests/ -f - -o json
      herald plan -f cluster/ --members node-a,node-c
      herald plan --live -f change.yaml
    """
    from herald.report.plan_table import plan_tables

    found = read_plan(Source.of(options), settings(**options))
    show(output, lambda: plan_tables(found), found.to_json)
