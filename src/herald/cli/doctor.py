"""`herald doctor`: what about this host keeps addresses from working, and how to fix it."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from herald.cli.exclusions import DEFAULT_PATH, exclusions_option
from herald.cli.exclusions import read as read_exclusions
from herald.cli.output import Format, output_option, show


@click.command()
@exclusions_option
@output_option
@click.option("--strict", is_flag=True, help="Exit 1 on warnings too.")
def doctor(exclude_interfaces_file: Path | None, output: Format, strict: bool) -> None:
    """What about this host keeps addresses from working, and how to fix it.

    Looks at kube-proxy's IPVS mode, proxy_arp, rp_filter and the return path, arp_ignore and arp_announce, Wi-Fi, other
    programs that announce addresses, the ports 179, 3784 and 7946, and rights. It changes nothing, and needs no speaker
    to run; run it as the speaker runs. Exits 1 if there is an error, 2 if the host cannot be read.

    \b
    Examples:
      herald doctor
      herald doctor -o json | jq -r '.findings[].fix'
      kubectl -n metallb-system exec ds/speaker -- herald doctor
    """
    from herald.cli import host_facts
    from herald.config.problem import Severity
    from herald.layer2.link import DEFAULT_EXCLUSIONS, Exclusion
    from herald.lint.host import CHECKS, Finding, findings
    from herald.report.table import Cell, Note, Piece, Table, Tone, row

    patterns = read_exclusions(exclude_interfaces_file or DEFAULT_PATH, needed=exclude_interfaces_file is not None)
    try:
        facts = host_facts.read(Exclusion(DEFAULT_EXCLUSIONS if patterns is None else patterns))
    except (OSError, ValueError, TimeoutError) as error:
        click.echo(f"herald doctor: this host cannot be read: {error or 'the kernel gave no answer'}", err=True)
        sys.exit(2)
    found = findings(facts)

    def pieces() -> Iterator[Piece]:
        tones = {Severity.ERROR: Tone.BAD, Severity.WARNING: Tone.WARNING}
        for one in found:
            yield Note(f"{one.severity.value} {one.check}: {one.subject}: {one.problem}", tones[one.severity])
            yield Note(f"  fix: {one.fix}")
        nics = tuple(row(Cell(nic.name), str(nic.rp_filter), str(nic.arp_ignore)) for nic in facts.nics)
        yield Table("Interfaces that answer", ("INTERFACE", "RP_FILTER", "ARP_IGNORE"), nics)
        if not found:
            yield Note(f"Nothing is wrong with this host: {len(CHECKS)} checks.", Tone.GOOD)

    def document() -> dict[str, Any]:
        return {
            "findings": [_json(one) for one in found],
            "checks": list(CHECKS),
            "interfaces": [nic.name for nic in facts.nics],
        }

    def _json(one: Finding) -> dict[str, str]:
        return {
            "check": one.check,
            "severity": one.severity.value,
            "subject": one.subject,
            "problem": one.problem,
            "fix": one.fix,
        }

    show(output, pieces, document)
    if any(one.severity is Severity.ERROR or strict for one in found):
        sys.exit(1)
