"""What the shell tells the machine of a link, and what that asks of its shell."""

from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import TypeAlias

from herald.net.interface import Mac


@dataclass(frozen=True, slots=True)
class Link:
    """Our end of a link: the kernel's index of the interface, its link-local address, and its MAC if it has one."""

    index: int
    address: IPv6Address
    mac: Mac | None = None


@dataclass(frozen=True, slots=True)
class LinkReady:
    """Messages can be sent and received from now on; another `Link` than before is another link."""

    link: Link


@dataclass(frozen=True, slots=True)
class LinkLost:
    """Nothing can be sent or received any more, or not yet; `reason` in words."""

    reason: str


@dataclass(frozen=True, slots=True)
class Received:
    """An ICMPv6 message came; the kernel found its checksum right."""

    source: IPv6Address
    hop_limit: int
    data: bytes


@dataclass(frozen=True, slots=True)
class InUse:
    """Whether somebody talks with the neighbour that was found, which then stays the one."""

    now: bool


Event: TypeAlias = LinkReady | LinkLost | Received | InUse


@dataclass(frozen=True, slots=True)
class Send:
    """Send the ICMPv6 message to `destination` with hop limit 255, from the address of the link."""

    destination: IPv6Address
    data: bytes


@dataclass(frozen=True, slots=True)
class Found:
    """The neighbour is this one, from now on."""

    neighbour: IPv6Address


@dataclass(frozen=True, slots=True)
class Lost:
    """There is no neighbour any more, or it is another one, which the next `Found` names; `reason` in words."""

    reason: str


@dataclass(frozen=True, slots=True)
class Crowded:
    """More routers than one advertise themselves: `chosen` is the neighbour, `others` are not."""

    chosen: IPv6Address
    others: tuple[IPv6Address, ...]


Effect: TypeAlias = Send | Found | Lost | Crowded
