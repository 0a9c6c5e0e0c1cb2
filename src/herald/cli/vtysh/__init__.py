"""`herald vtysh`, in the image also `vtysh`: FRR's show commands, answered from what the local speaker does.

For hands and scripts that know FRR's; nothing can be configured here. What is asked of the speaker is the same as of
`herald show`. Errors are worded and numbered as FRR does: a line that begins with %, exit code 1.
"""

import asyncio
import json
import os
import sys
from collections.abc import Callable
from functools import partial
from ipaddress import ip_address, ip_interface, ip_network
from pathlib import Path
from typing import Any, assert_never

import click

from herald.cli.show import SOCKET_VARIABLE, ask
from herald.cli.vtysh import bfd, documents, grammar, text
from herald.cli.vtysh.grammar import Command, NotUnderstoodError, Verb
from herald.cli.vtysh.state import Entry, Neighbor, State, state
from herald.speaker import run_directory

DEFAULT_NAMESPACE = "metallb-system"

PATIENCE_S = 20.0
NOT_IN_TABLE = "% Network not in table"
NO_NEIGHBOR = "% No such neighbor in this view/vrf"
NOT_INTERACTIVE = 'vtysh: Herald answers single commands only: vtysh -c "show ip bgp"'


@click.command()
@click.option(
    "-c", "--command", "lines", multiple=True, metavar="COMMAND", help="Answer this; may be given repeatedly."
)
@click.option(
    "--socket",
    "path",
    type=click.Path(path_type=Path),
    help=f"Socket of the speaker.  [env var: {SOCKET_VARIABLE}]",
)
@click.option(
    "--node-name", envvar="METALLB_NODE_NAME", show_envvar=True, metavar="NODE", help="Which speaker is asked."
)
@click.option(
    "--kubeconfig",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Ask this cluster's API server what all speakers say, not one speaker.",
)
@click.option(
    "-n", "--namespace", default=DEFAULT_NAMESPACE, envvar="METALLB_NAMESPACE", help="Of the metallb.io resources."
)
def vtysh(
    lines: tuple[str, ...], path: Path | None, node_name: str | None, kubeconfig: Path | None, namespace: str
) -> None:
    """FRR's show commands, answered from the local speaker's own state.

    Words may be cut short, and json added. Without -c, commands are read from standard input, one a line. In a pod
    without a speaker, such as the controller's, the API server is asked what all speakers say.

    \b
    Examples:
      herald vtysh -c "show bgp summary"
      herald vtysh -c "show ip bgp" -c "show bgp neighbors json"
      herald vtysh -c "show bgp ipv4 unicast 192.0.2.7/32"
    """
    if not lines and sys.stdin.isatty():
        click.echo(NOT_INTERACTIVE, err=True)
        sys.exit(1)
    read = partial(_of_cluster, kubeconfig, namespace)
    read_bfd: Callable[[], list[dict[str, Any]]] = list  # of the speakers' timers the API server knows nothing
    if kubeconfig is None and (path or node_name or not _is_without_speaker()):
        read, read_bfd = partial(_of_speaker, path, node_name), partial(_bfd_sessions, path, node_name)
    for line in lines or [line.strip() for line in sys.stdin]:
        try:
            answer = _answer(grammar.parse(line), line, read, read_bfd)
        except NotUnderstoodError as error:
            click.echo(str(error))
            sys.exit(1)
        if answer:
            click.echo(answer)


def _answer(
    command: Command, line: str, read: Callable[[], State], read_bfd: Callable[[], list[dict[str, Any]]]
) -> str:
    """What is printed. Raises NotUnderstoodError."""
    match command.verb:
        case Verb.NOTHING:
            return ""
        case Verb.VERSION:
            return text.version()
        case Verb.RUNNING_CONFIG:
            return text.running_config()
        case Verb.BFD_PEERS | Verb.BFD_BRIEF | Verb.BFD_COUNTERS | Verb.BFD_PEER:
            return _bfd(command, read_bfd())
        case Verb.SUMMARY | Verb.TABLE | Verb.ENTRY | Verb.NEIGHBORS | Verb.ADVERTISED:
            return _bgp(command, line, read())
        case _ as never:
            assert_never(never)


def _is_without_speaker() -> bool:
    """Whether this is a pod in which no speaker runs."""
    in_pod = "KUBERNETES_SERVICE_HOST" in os.environ and SOCKET_VARIABLE not in os.environ
    return in_pod and not run_directory.answering()


def _of_cluster(kubeconfig: Path | None, namespace: str) -> State:
    from herald.cli.vtysh import cluster
    from herald.store.kubernetes.client import ApiClient
    from herald.store.store import StoreError

    async def read() -> State:
        client = ApiClient.connect(kubeconfig)
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await cluster.read(client, namespace)
        finally:
            await client.close()

    try:
        return asyncio.run(read())
    except (StoreError, TimeoutError) as error:
        said = str(error) or f"the API server took longer than {PATIENCE_S:g} s"
        click.echo(f"vtysh: no speaker runs here, and the cluster cannot be asked: {said}", err=True)
        sys.exit(2)


def _of_speaker(path: Path | None, node_name: str | None) -> State:
    summary = ask("bgp summary", path, node_name)
    return state(summary["node"], summary["data"], ask("bgp routes", path, node_name)["data"])


def _bfd_sessions(path: Path | None, node_name: str | None) -> list[dict[str, Any]]:
    sessions: list[dict[str, Any]] = ask("bfd", path, node_name)["data"]["sessions"]
    return sorted(sessions, key=lambda one: (ip_address(one["address"]).version, int(ip_address(one["address"]))))


def _bfd(command: Command, sessions: list[dict[str, Any]]) -> str:
    match command.verb:
        case Verb.BFD_COUNTERS:
            return _dump([*map(bfd.counters_document, sessions)]) if command.json else bfd.counters(sessions)
        case Verb.BFD_PEER:
            assert command.argument is not None
            wanted = str(ip_address(command.argument))
            found = next((one for one in sessions if one["address"] == wanted), None)
            if found is None:
                raise NotUnderstoodError(f"% Unable to find 'peer {command.argument}'")
            return _dump(bfd.document(found)) if command.json else bfd.peer(found)
        case Verb.BFD_BRIEF if not command.json:
            return bfd.brief(sessions)
        case _:
            return _dump([*map(bfd.document, sessions)]) if command.json else bfd.peers(sessions)


def _bgp(command: Command, line: str, known: State) -> str:
    match command.verb:
        case Verb.SUMMARY:
            versions = (4, 6) if command.version is None else (command.version,)
            return _dump(documents.summary(known, versions)) if command.json else text.summary(known, versions)
        case Verb.TABLE:
            version = command.version or 6
            return _dump(documents.table(known, version)) if command.json else text.table(known, version)
        case Verb.ENTRY:
            found = _entry(command, line, known)
            if found is None:
                return "{\n}" if command.json else NOT_IN_TABLE
            return _dump(documents.entry(known, found)) if command.json else text.entry(known, found)
        case Verb.NEIGHBORS:
            return _neighbors(command, known)
        case _:
            return _advertised(command, known)


def _entry(command: Command, line: str, known: State) -> Entry | None:
    """The prefix that was named, or for a bare address the longest one that has it."""
    assert command.argument is not None
    asked = ip_interface(command.argument)
    if command.version not in (None, asked.version):
        raise NotUnderstoodError(f"% Unknown command: {line}")
    entries = known.table(asked.version)
    if "/" in command.argument:
        wanted = ip_network(command.argument, strict=False)
        return next((one for one in entries if one.prefix == wanted), None)
    holding = [one for one in entries if asked.ip in one.prefix]
    return max(holding, key=lambda one: one.prefix.prefixlen, default=None)


def _neighbors(command: Command, known: State) -> str:
    chosen = known.neighbors if command.version is None else known.of_family(command.version)
    if command.argument is not None:
        chosen = _named(command.argument, known)
        if not chosen:
            return _dump({"bgpNoSuchNeighbor": True}) if command.json else f"{NO_NEIGHBOR}\n"
    if command.json:
        return _dump(documents.neighbors(known, chosen))
    return "\n".join(text.neighbor(known, one) for one in chosen)


def _advertised(command: Command, known: State) -> str:
    assert command.argument is not None
    chosen = _named(command.argument, known)
    if not chosen:
        return _dump({"bgpNoSuchNeighbor": True}) if command.json else f"{NO_NEIGHBOR}\n"
    neighbor = chosen[0]
    version = command.version or (6 if neighbor.is_unnumbered else ip_address(neighbor.address).version)
    if command.json:
        return _dump(documents.advertised(known, neighbor, version))
    return text.advertised(known, neighbor, version)


def _named(typed: str, known: State) -> tuple[Neighbor, ...]:
    """An address may be written in several ways, an interface in one."""
    try:
        wanted = str(ip_address(typed))
    except ValueError:
        wanted = typed
    return tuple(one for one in known.neighbors if one.address == wanted)


def _dump(document: object) -> str:
    return json.dumps(document, indent=2)
