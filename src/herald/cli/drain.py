"""`herald drain`: take a node out of service in good order, and say when it may be rebooted."""

import asyncio
import sys
from pathlib import Path

import click

from herald.api import duration
from herald.cli.drain_places import Cluster, Folder, Place, PlaceError
from herald.cli.running import NodeNameType, kubeconfig_option, optional_config_option
from herald.cli.show import SOCKET_VARIABLE
from herald.speaker.drain import DEFAULT_WAIT_S, LONGEST_WAIT_S
from herald.store.kubernetes.client import ApiClient, CredentialsError

LOOK_EVERY_S = 0.5
SHOWN = 10


class DurationType(click.ParamType[float]):
    """Seconds, as Kubernetes writes durations."""

    name = "duration"

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The seconds."""
        if isinstance(value, float):
            return value
        try:
            seconds = duration.parse(value)
        except duration.DurationError as error:
            self.fail(str(error), param, ctx)
        if not 0 <= seconds <= LONGEST_WAIT_S:
            self.fail(f"{value} is not 0s to {LONGEST_WAIT_S:g}s", param, ctx)
        return seconds


@click.command()
@click.argument("node", type=NodeNameType())
@optional_config_option
@kubeconfig_option
@click.option(
    "--wait",
    type=DurationType(),
    default=DEFAULT_WAIT_S,
    show_default=f"{DEFAULT_WAIT_S:g}s",
    metavar="TIME",
    help="How long routers have to turn to other nodes before the routes go.",
)
@click.option(
    "--timeout",
    type=DurationType(),
    default=60.0,
    show_default="60s",
    metavar="TIME",
    help="How long, after that, until nothing must be announced any more.",
)
@click.option(
    "--socket",
    "socket",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="With --config: the socket of the node's speaker, if it was started with --show-socket.  "
    f"[env var: {SOCKET_VARIABLE}]",
)
@click.option("--undo", is_flag=True, help="Put the node back into service.")
def drain(
    node: str,
    config: Path | None,
    kubeconfig: Path | None,
    wait: float,
    timeout: float,
    socket: Path | None,
    undo: bool,
) -> None:
    """Take NODE out of service: for a reboot, an upgrade, the end.

    Other nodes take over its Layer 2 addresses at once. Its routes are sent again as everybody's last choice (community
    GRACEFUL_SHUTDOWN, to internal peers with LOCAL_PREF 0), and after --wait they are withdrawn. Sessions stay up. The
    mark is the annotation herald.metallb.io/drain on the Node; it outlives a reboot, until --undo.

    Exit code 0: nothing is announced from NODE any more. 1: that cannot be said, or with --config nobody was heard to
    answer instead. 2: it cannot be drained.

    \b
    Examples:
      herald drain node-1 && ssh node-1 reboot
      herald drain node-1 --wait 30s --kubeconfig ~/.kube/prod
      herald drain node-1 --config /etc/herald
      herald drain node-1 --undo
    """
    if socket is not None and config is None:
        raise click.UsageError("--socket is for --config DIR; a cluster says itself what is announced")
    place = None if config is None else Folder(config, socket)
    try:
        done = asyncio.run(_run(node, place, kubeconfig, wait, timeout, undo=undo))
    except (PlaceError, CredentialsError) as error:
        click.echo(f"herald drain: {error}", err=True)
        sys.exit(2)
    sys.exit(0 if done else 1)


async def _run(
    node: str, place: Folder | None, kubeconfig: Path | None, wait_s: float, timeout_s: float, *, undo: bool
) -> bool:
    if place is not None:
        return await _act(place, node, wait_s, timeout_s, undo=undo)
    client = ApiClient.connect(kubeconfig, field_manager="herald-drain")
    try:
        return await _act(Cluster(client), node, wait_s, timeout_s, undo=undo)
    finally:
        await client.close()


async def _act(place: Place, node: str, wait_s: float, timeout_s: float, *, undo: bool) -> bool:
    if undo:
        await place.annotate(node, None)
        click.echo(f"{node} is back in service.")
        return True
    answered, silence = await place.answered(node), await place.silence(node)
    await place.annotate(node, f"{wait_s:g}s")
    if silence is not None:  # to wait would not tell more
        click.echo(f"herald drain: {_why_not(node, None)}: {silence}", err=True)
        return False
    click.echo(f"{node}: other nodes take over its Layer 2 addresses; its routes go in {wait_s:g} s.")
    await asyncio.sleep(wait_s)
    left = await _until_silent(place, node, timeout_s)
    unheard = await place.unheard(node, answered) if left == () else ()
    if left == () and not unheard:
        click.echo(f"{node} is drained: nothing is announced from it. It may be rebooted.")
        return True
    click.echo(f"herald drain: {_unheard(node, unheard) if unheard else _why_not(node, left)}", err=True)
    return False


async def _until_silent(place: Place, node: str, timeout_s: float) -> tuple[str, ...] | None:
    """What is announced in the end; None if that cannot be told."""
    loop = asyncio.get_running_loop()
    end = loop.time() + timeout_s
    while True:
        left = await place.announced(node)
        if left == () or loop.time() >= end:
            return left
        await asyncio.sleep(LOOK_EVERY_S)


def _unheard(node: str, addresses: tuple[str, ...]) -> str:
    return (
        f"{node} announces nothing any more, and nobody was heard to answer instead for {_some(addresses)}. "
        f"May another node, and does it see the mark? Hosts with a folder each do not: `herald drain --undo {node}` "
        "puts it back, and to stop Herald on it hands its addresses over"
    )


def _some(things: tuple[str, ...]) -> str:
    more = f" and {len(things) - SHOWN} more" if len(things) > SHOWN else ""
    return f"{', '.join(things[:SHOWN])}{more}"


def _why_not(node: str, left: tuple[str, ...] | None) -> str:
    if left is None:
        return (
            f"{node} is marked, and whether anything is still announced from it cannot be told from here; "
            "on the node, `herald show l2` and `herald show bgp routes` tell"
        )
    return f"{node} still announces {_some(left)}; does its speaker run, and does it see the Node?"
