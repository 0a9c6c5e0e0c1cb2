"""Which interfaces of this machine may answer: one table, walked in order, the first row that applies wins.

    the name matches an exclusion pattern     EXCLUDED       and the interface counts as not there at all
    it is switched off (no IFF_UP)            DOWN
    it belongs to a bridge, bond or VRF       HAS_MASTER     the master answers
    it does not speak ARP (IFF_NOARP)         NO_ARP
    it has no broadcast (no IFF_BROADCAST)    NO_BROADCAST   asked for ARP only
    its hardware address is not 6 octets      NO_MAC         there is nothing to answer with
    it has no IPv6 address                    NO_IPV6        asked for NDP only
    otherwise                                 ELIGIBLE, for NDP ELIGIBLE_NDP

Carrier is not looked at: a link without cable hears no request. ARP needs no address on the interface. NDP needs one,
because without any the kernel takes no IPv6 packet from that link: a neighbour would be led into the void. Normally
that is the link-local address, and announcements come from it. Where it may not be used as a source, because it is
still looked for in duplicate or there is only an address of another scope, they come from the held address itself, as
answers always do.
"""

import enum
import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Final

from herald.net.interface import Interface, LinkFlag, Mac

DEFAULT_EXCLUSIONS: Final = (
    "^docker.*",
    "^cbr.*",
    "^dummy.*",
    "^virbr.*",
    "^lxcbr.*",
    "^veth.*",
    "^lo$",
    "^cali.*",
    "^tunl.*",
    "^flannel.*",
    "^kube-ipvs.*",
    "^cni.*",
    "^nodelocaldns.*",
    "^lxc.*",
)
"""Interfaces that container networks make; the list that MetalLB ships in `metallb-excludel2`."""


class Verdict(enum.Enum):
    """Why an interface answers, by ARP or by NDP, or does not; the value is for people."""

    ELIGIBLE = "answers ARP"
    ELIGIBLE_NDP = "answers NDP"
    EXCLUDED = "excluded by name"
    DOWN = "is down"
    HAS_MASTER = "belongs to a bridge, bond or VRF"
    NO_ARP = "does not speak ARP (NOARP)"
    NO_BROADCAST = "has no broadcast"
    NO_MAC = "has no 6-octet hardware address"
    NO_IPV6 = "has no IPv6 address"
    MUTE = "is mute: what this node sends on it does not leave"


@dataclass(frozen=True, slots=True)
class Link:
    """An interface eligible for ARP: what the machines need to know of it. `index` is never given twice."""

    index: int
    name: str
    mac: Mac


@dataclass(frozen=True, slots=True)
class NdpLink:
    """An interface eligible for NDP. `source` is its link-local address, None if that cannot be used as a source."""

    index: int
    name: str
    mac: Mac
    source: IPv6Address | None = None


class Exclusion:
    """Name patterns of interfaces that count as not there.

    Each is a regular expression, searched for anywhere in the name: write `^` and `$` where the ends are meant.
    """

    def __init__(self, patterns: Iterable[str] = DEFAULT_EXCLUSIONS) -> None:
        """Raises ValueError naming the pattern that is not a regular expression."""
        self.patterns: Final = tuple(patterns)
        for pattern in self.patterns:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(
                    f'announcedInterfacesToExclude: "{pattern}" is not a regular expression: {error}'
                ) from error
        self._any = re.compile("|".join(f"(?:{pattern})" for pattern in self.patterns)) if self.patterns else None

    def matches(self, name: str) -> bool:
        """Whether the interface of that name is excluded."""
        return self._any is not None and self._any.search(name) is not None


def judge(interface: Interface, exclusion: Exclusion) -> Verdict:
    """The first row of the table that applies to `interface`, asked for ARP."""
    barred = _barred(interface, exclusion)
    if barred is not None:
        return barred
    if LinkFlag.BROADCAST not in interface.flags:
        return Verdict.NO_BROADCAST
    return Verdict.ELIGIBLE if interface.mac is not None else Verdict.NO_MAC


def judge_ndp(interface: Interface, exclusion: Exclusion) -> Verdict:
    """The first row of the table that applies to `interface`, asked for NDP."""
    barred = _barred(interface, exclusion)
    if barred is not None:
        return barred
    if interface.mac is None:
        return Verdict.NO_MAC
    return Verdict.ELIGIBLE_NDP if any(one.version == 6 for one in interface.addresses) else Verdict.NO_IPV6


def _barred(interface: Interface, exclusion: Exclusion) -> Verdict | None:
    if exclusion.matches(interface.name):
        return Verdict.EXCLUDED
    if not interface.up:
        return Verdict.DOWN
    if interface.master is not None:
        return Verdict.HAS_MASTER
    return Verdict.NO_ARP if LinkFlag.NO_ARP in interface.flags else None


def links(interfaces: Iterable[Interface], exclusion: Exclusion) -> tuple[Link, ...]:
    """Those eligible for ARP, in the order given."""
    return tuple(
        Link(interface.index, interface.name, interface.mac)
        for interface in interfaces
        if interface.mac is not None and judge(interface, exclusion) is Verdict.ELIGIBLE
    )


def ndp_links(interfaces: Iterable[Interface], exclusion: Exclusion) -> tuple[NdpLink, ...]:
    """Those eligible for NDP, in the order given."""
    return tuple(
        NdpLink(interface.index, interface.name, interface.mac, _source(interface))
        for interface in interfaces
        if interface.mac is not None and judge_ndp(interface, exclusion) is Verdict.ELIGIBLE_NDP
    )


def _source(interface: Interface) -> IPv6Address | None:
    """The lowest link-local address that may be used."""
    for one in interface.addresses:
        if isinstance(one.ip, IPv6Address) and one.ip.is_link_local and one.ip not in interface.unready:
            return one.ip
    return None
