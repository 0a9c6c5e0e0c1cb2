"""`herald history`: what became of each address on the local node, and why."""

import sys
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import click

from herald.cli.output import Format
from herald.cli.output import show as print_answer
from herald.cli.show import ask, where_options
from herald.report.table import Cell, Piece, Table, Tone, row


@click.command()
@click.argument("address", required=False, metavar="[IP]")
@where_options
def history(address: str | None, path: Path | None, node_name: str | None, output: Format) -> None:
    """When the local node took or let go of an address, why, and how quickly.

    DETECTION is how long a node that died had been silent when that was noticed, and by what; ANNOUNCED is the time
    from then until the first gratuitous frame. `fenced` is an address that this node kept, but did not answer for while
    it stood still and until the others agreed. The local speaker remembers the last 20 moves of each address since its
    engine began. The JSON is described in docs/layer2.md. Exit code 2 if no speaker runs or IP is no address.

    \b
    Examples:
      herald history
      herald history 192.168.1.200
      herald history -o json | jq '.data[] | select(.what == "taken") | .announced'
    """
    wanted = None if address is None else _address(address)
    answer = ask("history", path, node_name)
    if wanted is not None:
        answer["data"] = [each for each in answer["data"] if each["ip"] == wanted]
    print_answer(output, lambda: [_table(answer["data"], wanted)], lambda: answer)


def _address(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        click.echo(f"herald history: {text!r} is no IP address", err=True)
        sys.exit(2)


def _table(moves: list[dict[str, Any]], wanted: str | None) -> Piece:
    header = ("WHEN", "ADDRESS", "WHAT", "FROM", "TO", "DETECTION", "DECISION", "ANNOUNCED", "CAUSE")
    none = f"none: this node has not answered for {wanted or 'any address'} since its engine began"
    return Table("Moves of addresses", header, tuple(_row(each) for each in moves), none)


def _row(each: dict[str, Any]) -> tuple[Cell, ...]:
    when = datetime.fromtimestamp(each["at"], UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] + "Z"
    times = [_seconds(each[name]) for name in ("detection", "decision", "announced")]
    if each.get("detectedBy"):
        times[0] += f" by {each['detectedBy']}"
    what = Cell(each["what"], Tone.GOOD if each["what"] == "taken" else Tone.WARNING)
    return row(when, each["ip"], what, each["from"] or "-", each["to"] or "-", *times, each["cause"] or "-")


def _seconds(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s"
