"""Solicited-node groups: where the solicitations for an address arrive (RFC 4291 §2.7.1), and groups as MACs.

    2001:db8::1:2:3   is asked for at   ff02::1:ff02:3     ff02::1:ff00:0/104 and the last 24 bits of the address
    ff02::1:ff02:3    travels to        33:33:ff:02:00:03  33:33 and the last 32 bits of the group (RFC 2464 §7)

Addresses that end alike share a group.
"""

from ipaddress import IPv6Address
from typing import Final

from herald.net.interface import Mac

ALL_NODES: Final = IPv6Address("ff02::1")
_PREFIX: Final = bytes.fromhex("ff0200000000000000000001ff")


def group(address: IPv6Address) -> IPv6Address:
    """The group in which `address` is asked for."""
    return IPv6Address(_PREFIX + address.packed[-3:])


def is_solicited_node(address: IPv6Address) -> bool:
    """Whether `address` is such a group."""
    return address.packed.startswith(_PREFIX)


def multicast_mac(group: IPv6Address) -> Mac:
    """The MAC to which frames for `group` are sent."""
    return Mac(b"\x33\x33" + group.packed[-4:])
