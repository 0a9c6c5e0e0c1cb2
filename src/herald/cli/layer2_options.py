"""The options of Layer 2 that `herald speaker` and `herald standalone` share, and the engine's words for them."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from herald.layer2.refresh_interval import parse_refresh

F = TypeVar("F", bound=Callable[..., Any])


class _IntervalType(click.ParamType[str]):
    """What `parse_refresh` understands; stays text, for the engine reads it."""

    name = "interval"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text itself."""
        try:
            parse_refresh(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        return value


_OPTIONS = (
    click.option(
        "--gratuitous-arp-interval",
        type=_IntervalType(),
        envvar="METALLB_GRATUITOUS_ARP_INTERVAL",
        show_envvar=True,
        metavar="INTERVAL",
        help="Announce each held address again this often, in seconds or as 5m; 0: never.  [default: 0]",
    ),
    click.option(
        "--self-probe-interval",
        type=_IntervalType(),
        metavar="INTERVAL",
        help="Make sure this often that what is answered leaves the node; 0: never.  [default: 3s]",
    ),
    click.option(
        "--probe-before-announcing",
        is_flag=True,
        envvar="HERALD_PROBE_BEFORE_ANNOUNCING",
        show_envvar=True,
        help="Look first whether anybody else uses an address, and then do not announce it (RFC 5227).",
    ),
)


def layer2_options(command: F) -> F:
    """Everything here as options of `command`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def layer2_words(given: Mapping[str, Any]) -> list[str]:
    """What was given, as arguments of the supervisor."""
    names = ("gratuitous_arp_interval", "self_probe_interval")
    words = [f"--engine=--{name.replace('_', '-')}={given[name]}" for name in names if given[name] is not None]
    return words + (["--engine=--probe-before-announcing"] if given["probe_before_announcing"] else [])
