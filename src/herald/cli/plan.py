"""`herald plan`: what would be assigned and announced, by whom, to whom."""

from typing import Any

import click

from herald.cli.inputs import file_help, file_option, read_plan, settings, settings_options
from herald.cli.output import Format, output_option, show


@click.command()
@file_option(file_help)
@output_option
@settings_options
def plan(paths: tuple[str, ...], output: Format, **options: Any) -> None:
    """What would be assigned and announced, by whom, to whom.

    Reads manifests of metallb.io resources, Services, Nodes, EndpointSlices, Namespaces and Secrets; no cluster is
    asked. An object with an error is left out and listed under problems; all others count. The exit code is 0 unless
    the input cannot be read at all (2). The JSON is described in docs/plan-json.md.

    \b
    Examples:
      herald plan -f manifests/
      herald plan -f pool.yaml -f services/ --assume-ready
      kubectl get nodes,svc,endpointslices -A -o yaml | herald plan -f manifests/ -f - -o json
      herald plan -f cluster/ --members node-a,node-c
    """
    from herald.report.plan_table import plan_tables

    found = read_plan(paths, settings(**options))
    show(output, lambda: plan_tables(found), found.to_json)
