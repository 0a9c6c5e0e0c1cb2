"""Which interfaces of this machine may answer ARP: one table, walked in order, the first row that applies wins.

    the name matches an exclusion pattern     EXCLUDED       and the interface counts as not there at all
    it is switched off (no IFF_UP)            DOWN
    it belongs to a bridge, bond or VRF       HAS_MASTER     the master answers
    it does not speak ARP (IFF_NOARP)         NO_ARP
    it has no broadcast (no IFF_BROADCAST)    NO_BROADCAST
    its hardware address is not 6 octets      NO_MAC         there is nothing to answer with
    otherwise                                 ELIGIBLE

Carrier is not looked at: a link without cable hears no request. No address is needed on the interface.
"""

import enum
import re
from collections.abc import Iterable
from dataclasses import dataclass
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
    """Why an interface answers ARP or does not; the value is for people."""

    ELIGIBLE = "answers ARP"
    EXCLUDED = "excluded by name"
    DOWN = "is down"
    HAS_MASTER = "belongs to a bridge, bond or VRF"
    NO_ARP = "does not speak ARP (NOARP)"
    NO_BROADCAST = "has no broadcast"
    NO_MAC = "has no 6-octet hardware address"


@dataclass(frozen=True, slots=True)
class Link:
    """An eligible interface: what the machines need to know of it. Keyed by `index`, which is never given twice."""

    index: int
    name: str
    mac: Mac


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
    """The first row of the table that applies to `interface`."""
    if exclusion.matches(interface.name):
        return Verdict.EXCLUDED
    if not interface.up:
        return Verdict.DOWN
    if interface.master is not None:
        return Verdict.HAS_MASTER
    if LinkFlag.NO_ARP in interface.flags:
        return Verdict.NO_ARP
    if LinkFlag.BROADCAST not in interface.flags:
        return Verdict.NO_BROADCAST
    return Verdict.ELIGIBLE if interface.mac is not None else Verdict.NO_MAC


def links(interfaces: Iterable[Interface], exclusion: Exclusion) -> tuple[Link, ...]:
    """The eligible ones, in the order given."""
    return tuple(
        Link(interface.index, interface.name, interface.mac)
        for interface in interfaces
        if interface.mac is not None and judge(interface, exclusion) is Verdict.ELIGIBLE
    )
