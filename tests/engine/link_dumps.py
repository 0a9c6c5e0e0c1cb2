"""Dumps of links that are no plain Ethernet, put together by the layout that the kernel documents.

Many kernels can make none of bond, VLAN and VRF, and then their dumps cannot be recorded. These are built from
`rtnetlink(7)`, `linux/if_link.h` and `linux/rtnetlink.h`, with all the attributes that `ip -d link` shows, nested ones
among them, so that a reader has to step over what it does not read. Of a bridge there is a true recording, `dump.hex`.

    nlmsghdr 16 | ifinfomsg 16 | attributes: length 2, type 2, value, padded to a multiple of 4
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_interface

RTM_NEWLINK, RTM_DELLINK, RTM_NEWADDR = 16, 17, 20
UP, BROADCAST, RUNNING, NO_ARP, MASTER, SLAVE, MULTICAST, LOWER_UP = 1, 2, 0x40, 0x80, 0x400, 0x800, 0x1000, 0x10000
PLAIN = BROADCAST | MULTICAST
WORKING = UP | RUNNING | LOWER_UP

_ETHERNET = 1  # ARPHRD_ETHER, which VRFs have too
_IFLA = {
    "address": 1, "broadcast": 2, "ifname": 3, "mtu": 4, "link": 5, "qdisc": 6, "master": 10, "txqlen": 13,
    "operstate": 16, "linkmode": 17, "linkinfo": 18, "group": 27, "promiscuity": 30, "af_spec": 26, "prop_list": 52,
}  # fmt: skip
_NESTED = 0x8000
_INFO_KIND, _INFO_DATA, _INFO_SLAVE_KIND, _INFO_SLAVE_DATA = 1, 2, 4, 5
_ALT_IFNAME = 53
_OPERSTATE_UP, _OPERSTATE_DOWN = 6, 2


@dataclass(frozen=True)
class Device:
    """A link as the kernel has it; `below` is what a VLAN lies on, `slave_of` the kind of its master."""

    index: int
    name: str
    kind: str = ""
    flags: int = PLAIN | WORKING
    mac: bytes = b"\x02\0\0\0\0\1"
    master: int = 0
    slave_of: str = ""
    below: int = 0


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute with its padding."""
    return (struct.pack("=HH", 4 + len(value), kind) + value).ljust(4 + (len(value) + 3 & ~3), b"\0")


def _u32(value: int) -> bytes:
    return struct.pack("=I", value)


_DATA = {
    "bond": attribute(1, b"\1") + attribute(2, _u32(3)) + attribute(3, _u32(100)),  # mode active-backup, active, miimon
    "vlan": attribute(1, struct.pack("=H", 10)) + attribute(5, struct.pack("!H", 0x8100)),  # the number, its protocol
    "vrf": attribute(1, _u32(10)),  # the table
    "bridge": attribute(1, _u32(1500)) + attribute(5, _u32(0)),
}
_SLAVE_DATA = {
    "bond": attribute(1, b"\0") + attribute(2, b"\0") + attribute(4, b"\x02\0\0\0\0\x09"),  # state, link, own MAC
    "vrf": attribute(1, _u32(10)),
    "bridge": attribute(1, b"\3") + attribute(2, struct.pack("=H", 32)),
}


def _link_info(device: Device) -> bytes:
    info = b""
    if device.kind:
        info += attribute(_INFO_KIND, device.kind.encode() + b"\0")
        info += attribute(_INFO_DATA | _NESTED, _DATA[device.kind])
    if device.slave_of:
        info += attribute(_INFO_SLAVE_KIND, device.slave_of.encode() + b"\0")
        info += attribute(_INFO_SLAVE_DATA | _NESTED, _SLAVE_DATA[device.slave_of])
    return attribute(_IFLA["linkinfo"] | _NESTED, info) if info else b""


def _message(kind: int, body: bytes) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, 2, 7, 4711) + body


def link(device: Device, kind: int = RTM_NEWLINK) -> bytes:
    """What a dump or an event says of the device."""
    state = _OPERSTATE_UP if device.flags & LOWER_UP else _OPERSTATE_DOWN
    body = struct.pack("=BxHiII", 0, _ETHERNET, device.index, device.flags, 0)
    body += attribute(_IFLA["ifname"], device.name.encode() + b"\0") + attribute(_IFLA["txqlen"], _u32(1000))
    body += attribute(_IFLA["operstate"], bytes((state,))) + attribute(_IFLA["linkmode"], b"\0")
    body += attribute(_IFLA["mtu"], _u32(1500)) + attribute(_IFLA["group"], _u32(0))
    body += attribute(_IFLA["promiscuity"], _u32(0))
    if device.below:
        body += attribute(_IFLA["link"], _u32(device.below))
    if device.master:
        body += attribute(_IFLA["master"], _u32(device.master))
    body += attribute(_IFLA["qdisc"], b"noqueue\0") + attribute(_IFLA["address"], device.mac)
    body += attribute(_IFLA["broadcast"], b"\xff" * 6) + _link_info(device)
    body += attribute(_IFLA["prop_list"] | _NESTED, attribute(_ALT_IFNAME, f"enp{device.index}s0".encode() + b"\0"))
    body += attribute(_IFLA["af_spec"] | _NESTED, attribute(2, bytes(8)) + attribute(10, bytes(12)))
    return _message(kind, body)


def address(index: int, text: str) -> bytes:
    """What a dump says of an address, permanent and of global or link scope."""
    one = ip_interface(text)
    family, scope = (2, 0) if one.version == 4 else (10, 253 if one.ip.is_link_local else 0)
    body = struct.pack("=BBBBI", family, one.network.prefixlen, 0x80, scope, index) + attribute(1, one.ip.packed)
    if one.version == 4:
        body += attribute(2, one.ip.packed)
    return _message(RTM_NEWADDR, body + attribute(8, _u32(0x80)))


def dump(devices: Sequence[Device], addresses: Sequence[tuple[int, str]] = ()) -> bytes:
    """All of them in one datagram, as the kernel packs them."""
    return b"".join([link(device) for device in devices] + [address(*one) for one in addresses])
