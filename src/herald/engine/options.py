"""What the engine process is started with, and the command line that says so."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from herald.engine import listen_address
from herald.engine.listen_address import ListenAddress
from herald.layer2.link import DEFAULT_EXCLUSIONS
from herald.layer2.pace import DEFAULT_RATE
from herald.layer2.refresh_interval import parse_refresh
from herald.layer2.self_probe import DEFAULT_INTERVAL
from herald.swim.profile import HERALD, PROFILES, Profile, from_metallb


@dataclass(frozen=True, slots=True)
class GossipOptions:
    """Where to gossip, how fast, and the folder of the shared secret; None: not encrypted."""

    bind: str
    port: int = 7946
    secret_folder: Path | None = None
    profile: Profile = HERALD


@dataclass(frozen=True, slots=True)
class Options:
    """`link_fd` is a listening Unix socket, see `herald.speaker.supervisor`.

    The others are known by `gossip`, else by heartbeats in `members_dir`; without both the node is alone.
    """

    node: str
    link_fd: int
    members_dir: Path | None = None
    show_socket: Path | None = None
    log_level: str = "info"
    exclude_interfaces: tuple[str, ...] = DEFAULT_EXCLUSIONS
    gratuitous_rate: int = DEFAULT_RATE
    gossip: GossipOptions | None = None
    gratuitous_interval: float | None = None
    self_probe_interval: float | None = DEFAULT_INTERVAL
    probe_first: bool = False
    bgp_listen: tuple[ListenAddress, ...] = ()
    supervised: bool = False
    """Whether the parent ends a control that hangs when it gets SIGUSR1."""


def parse(arguments: Sequence[str] | None = None) -> Options:
    """The options that the command line says; exits with code 2 where it cannot be understood."""
    parser = argparse.ArgumentParser(prog="python -m herald.engine", description="The network process of a speaker.")
    parser.add_argument("--node-name", required=True, help="name of this node")
    parser.add_argument("--link-fd", required=True, type=int, help="inherited listening Unix socket for control")
    parser.add_argument("--members-dir", type=Path, help="directory of heartbeats; without it there are no other nodes")
    parser.add_argument("--show-socket", type=Path, help="Unix socket that `herald show` asks")
    parser.add_argument("--log-level", default="info", help="all, debug, info, warn, error or none")
    parser.add_argument("--exclude-interface", action="append", help="pattern of interfaces that count as not there")
    parser.add_argument("--exclude-no-interface", action="store_true", help="every interface counts")
    parser.add_argument("--gratuitous-rate", type=int, default=DEFAULT_RATE, help="gratuitous ARP frames per second")
    parser.add_argument("--gratuitous-arp-interval", default="0", help="announce each address again so often; 0: never")
    parser.add_argument(
        "--self-probe-interval", default=f"{DEFAULT_INTERVAL:g}s", help="see whether answers leave so often; 0: never"
    )
    parser.add_argument(
        "--probe-before-announcing", action="store_true", help="an address that somebody else uses is kept back"
    )
    parser.add_argument(
        "--bgp-listen", action="append", default=[], metavar="ADDRESS:PORT", help="take BGP connections there"
    )
    parser.add_argument("--supervised", action="store_true", help="the parent ends a control that hangs, by SIGUSR1")
    _add_gossip(parser)
    given = parser.parse_args(arguments)
    default = () if given.exclude_no_interface else DEFAULT_EXCLUSIONS
    patterns = default if given.exclude_interface is None else tuple(given.exclude_interface)
    return Options(
        given.node_name,
        given.link_fd,
        given.members_dir,
        given.show_socket,
        given.log_level,
        patterns,
        given.gratuitous_rate,
        _gossip(parser, given) if given.ml_bindaddr else None,
        _interval(parser, "--gratuitous-arp-interval", given.gratuitous_arp_interval),
        _interval(parser, "--self-probe-interval", given.self_probe_interval),
        given.probe_before_announcing,
        _listen(parser, given.bgp_listen),
        given.supervised,
    )


def _listen(parser: argparse.ArgumentParser, texts: Sequence[str]) -> tuple[ListenAddress, ...]:
    try:
        places = [place for text in texts for place in listen_address.parse(text)]
    except ValueError as error:
        parser.error(f"--bgp-listen: {error}")
    return tuple(dict.fromkeys(places))


def _interval(parser: argparse.ArgumentParser, option: str, text: str) -> float | None:
    try:
        return parse_refresh(text)
    except ValueError as error:
        parser.error(f"{option}: {error}")


def _add_gossip(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("gossip, with MetalLB's flags")
    group.add_argument("--ml-bindaddr", default="", help="address to gossip at; empty: no gossip")
    group.add_argument("--ml-bindport", type=int, default=7946, help="UDP and TCP port")
    group.add_argument("--ml-secret-key-path", default="", help="folder with the file secretkey; empty: not encrypted")
    group.add_argument(
        "--ml-profile", choices=sorted(PROFILES), default="herald", help="timing; lan and wan: MetalLB's"
    )
    group.add_argument("--ml-wan-config", action="store_true", help="the same as --ml-profile wan")
    group.add_argument("--ml-config", type=Path, help="MetalLB's config.json; where it exists it says all the timing")


def _gossip(parser: argparse.ArgumentParser, given: argparse.Namespace) -> GossipOptions:
    try:
        address = ip_address(given.ml_bindaddr)
    except ValueError as error:
        parser.error(f"--ml-bindaddr: {error}")
    if address.is_unspecified or address.is_multicast:  # it is told to the others, who would ask themselves there
        own = "the others are told this address: it must be this node's own, such as 192.0.2.11"
        parser.error(f"--ml-bindaddr: {address} is not the address of one host; {own}")
    if not 0 < given.ml_bindport < 65536:
        parser.error(f"--ml-bindport: {given.ml_bindport} is not 1 to 65535")
    profile = PROFILES["wan" if given.ml_wan_config else given.ml_profile]
    try:
        if given.ml_config is not None and given.ml_config.exists():
            profile = from_metallb(given.ml_config.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        parser.error(f"--ml-config {given.ml_config}: {error}")
    folder = Path(given.ml_secret_key_path) if given.ml_secret_key_path else None
    return GossipOptions(given.ml_bindaddr, given.ml_bindport, folder, profile)
