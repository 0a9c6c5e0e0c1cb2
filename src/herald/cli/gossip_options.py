"""The options of gossip that `herald speaker` and `herald standalone` share, with MetalLB's names where it has some."""

from collections.abc import Callable, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from herald.cli.running import options
from herald.speaker.places import is_address, split

F = TypeVar("F", bound=Callable[..., Any])

MEMBERLIST_CONFIG: Final = Path("/etc/metallb/memberlist/config.json")
"""Where MetalLB's manifests mount it, if there is one."""
_OWN: Final = "the others are told this address: it must be this node's own, such as 192.0.2.11"
_OF_ENGINE: Final = ("ml_bindaddr", "ml_bindport", "ml_secret_key_path", "ml_profile", "ml_wan_config")


def places(context: click.Context, parameter: click.Parameter, given: str | None) -> tuple[str, ...]:
    """Where speakers are: addresses and names of hosts, each with or without a port."""
    found = tuple(word.strip() for word in (given or "").split(",") if word.strip())
    try:
        for word in found:
            split(word)
    except ValueError as error:
        expected = "expected addresses or names such as 192.0.2.1, [2001:db8::1]:7946 or edge-2.example.org"
        raise click.BadParameter(f"{error}; {expected}") from error
    return found


def own_address(context: click.Context, parameter: click.Parameter, given: str | None) -> str | None:
    """The address to gossip at, which others are told; nothing where there is to be no gossip."""
    if not given:
        return None
    try:
        address = ip_address(given)
    except ValueError as error:
        raise click.BadParameter(f'"{given}" is no IP address; {_OWN}') from error
    if address.is_unspecified or address.is_multicast:
        raise click.BadParameter(f"{given} is not the address of one host; {_OWN}")
    return given


_OPTIONS = (
    click.option(
        "--ml-bindaddr",
        envvar="METALLB_ML_BIND_ADDR",
        metavar="IP",
        callback=own_address,
        help="Address of this node, for gossip; without it, none.",
    ),
    click.option(
        "--ml-bindport",
        envvar="METALLB_ML_BIND_PORT",
        type=click.IntRange(1, 65535),
        metavar="PORT",
        help="Port for gossip.  [default: 7946]",
    ),
    click.option(
        "--ml-join",
        envvar="HERALD_ML_JOIN",
        metavar="HOST,HOST…",
        callback=places,
        help="With --config: gossip in place of heartbeats in a shared folder, and where other speakers are: addresses "
        "or names, which are looked up again as long as it runs.",
    ),
    click.option(
        "--ml-secret-key-path",
        envvar="METALLB_ML_SECRET_KEY_PATH",
        metavar="DIR",
        help="Folder of the file `secretkey`.",
    ),
    click.option("--ml-wan-config", is_flag=True, help="Gossip with the times for distant nodes."),
    click.option(
        "--ml-profile",
        type=click.Choice(("herald", "lan", "wan")),
        default="herald",
        show_default=True,
        help="Times of gossip: Herald's, or memberlist's for a LAN or a WAN.",
    ),
)


def gossip_options(command: F) -> F:
    """Everything here as options of `command`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def engine_words(given: Mapping[str, Any], where: object) -> list[str]:
    """For the engine; as with MetalLB there is gossip only if the address is given and so is where the others are."""
    if not (given["ml_bindaddr"] and where):
        return []
    words = options(ml_config=MEMBERLIST_CONFIG, **{name: given[name] or None for name in _OF_ENGINE})
    return [f"--engine={word}" for word in words]


def control_words(given: Mapping[str, Any]) -> list[str]:
    """For control on a folder. Ends the command with exit code 2 if they do not fit together."""
    if given["ml_join"] and not given["ml_bindaddr"]:
        raise click.UsageError("--ml-join needs --ml-bindaddr, the address of this node at which it gossips")
    alone = next((name for name in ("ml_bindaddr", "ml_secret_key_path") if given[name]), None)
    if alone and not given["ml_join"]:
        option = f"--{alone.replace('_', '-')}"
        raise click.UsageError(
            f"{option} with --config needs --ml-join, the hosts that gossip: without it this one does not, takes "
            f"itself for alone, and answers for every address. The first host may name itself; without {option} "
            "speakers see each other by their heartbeats in the folder"
        )
    for place in given["ml_join"]:
        if is_address(place) and ip_address(split(place)[0]).version != ip_address(given["ml_bindaddr"]).version:
            raise click.UsageError(f"--ml-join {place} cannot be reached from --ml-bindaddr {given['ml_bindaddr']}")
    return [f"--ml-join={place}" for place in given["ml_join"]]
