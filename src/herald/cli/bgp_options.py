"""The options of BGP that `herald speaker` and `herald standalone` share, and the engine's words for them."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import click

from herald.engine import listen_address

F = TypeVar("F", bound=Callable[..., Any])


class _PlaceType(click.ParamType[str]):
    """What `listen_address.parse` understands; stays text, for the engine reads it."""

    name = "place"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text itself."""
        try:
            listen_address.parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        return value


def bgp_options(command: F) -> F:
    """Everything here as options of `command`."""
    return click.option(
        "--bgp-listen",
        type=_PlaceType(),
        multiple=True,
        envvar="HERALD_BGP_LISTEN",
        show_envvar=True,
        metavar="ADDRESS:PORT",
        help="Take BGP connections that peers dial there, e.g. :179; may be given again.  [default: none are taken]",
    )(command)


def bgp_words(places: Iterable[str]) -> list[str]:
    """What was given, as arguments of the supervisor."""
    return [f"--engine=--bgp-listen={place}" for place in places]
