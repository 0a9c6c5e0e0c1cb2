"""What the kernel says of this machine's network interfaces, as values.

The reader of the kernel (`herald.engine.netlink`) makes them, the rules of who may answer (`herald.layer2.link`) read
them. Nothing here opens a socket.
"""

import enum
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv6Address, IPv6Interface
from typing import NewType

Mac = NewType("Mac", bytes)
"""A 48-bit hardware address: exactly 6 octets, in the order in which they go over the wire."""

BROADCAST_MAC = Mac(b"\xff" * 6)


def mac_text(mac: Mac) -> str:
    """`mac` as people write it: `02:42:ac:11:00:02`."""
    return mac.hex(":")


class LinkFlag(enum.IntFlag):
    """The interface flags that Herald reads, with the kernel's values (netdevice(7), `linux/if.h`)."""

    UP = 0x1
    BROADCAST = 0x2
    LOOPBACK = 0x8
    POINT_TO_POINT = 0x10
    RUNNING = 0x40
    NO_ARP = 0x80
    MULTICAST = 0x1000
    LOWER_UP = 0x10000


@dataclass(frozen=True, slots=True)
class Interface:
    """One network interface as it stands now.

    `index` is the kernel's number for it: a device that is deleted and made again under the same name has another
    one. `mac` is None where the hardware address does not have 6 octets (tunnels may have 4, or none). `master` is
    the index of the bridge, bond or VRF that the interface belongs to. `addresses` are sorted by family, then by value.
    `unready` are the IPv6 addresses among them that are still looked for in duplicate, or were found so: nothing may be
    sent from them (RFC 4862 §5.4).
    """

    index: int
    name: str
    flags: LinkFlag
    mac: Mac | None = None
    master: int | None = None
    addresses: tuple[IPv4Interface | IPv6Interface, ...] = ()
    unready: frozenset[IPv6Address] = frozenset()

    @property
    def up(self) -> bool:
        """Whether an operator has switched it on (IFF_UP); says nothing of the cable."""
        return LinkFlag.UP in self.flags

    @property
    def carrier(self) -> bool:
        """Whether the link below is there (IFF_LOWER_UP)."""
        return LinkFlag.LOWER_UP in self.flags
