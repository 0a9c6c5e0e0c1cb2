"""ARP for IPv4 over Ethernet: the packet of RFC 826 and its three uses here.

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-------------------------------+-------------------------------+
    |  hardware type (1: Ethernet)  |   protocol type (0x0800: IP)  |
    +---------------+---------------+-------------------------------+
    | octets/MAC: 6 | octets/IP: 4  |  operation (1 ask, 2 answer)  |
    +---------------+---------------+-------------------------------+
    |                          sender MAC                           |
    +                               +-------------------------------+
    |                               |           sender IP …         |
    +-------------------------------+-------------------------------+
    |          … sender IP          |           target MAC          |
    +-------------------------------+                               +
    |                                                               |
    +---------------------------------------------------------------+
    |                           target IP                           |
    +---------------------------------------------------------------+

`decode` takes the whole Ethernet frame, because the decision to answer looks at its destination as well. Whatever
follows the 28 octets is padding and is not looked at. The hardware type is not looked at either: IEEE 802 stations
write 6 there, and Linux answers them too. The lengths must be 6 and 4, for they decide where the fields lie.
"""

import enum
import struct
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Final

from herald.layer2 import ethernet
from herald.net.interface import BROADCAST_MAC, Mac

HARDWARE_ETHERNET: Final = 1
PROTOCOL_IPV4: Final = 0x0800

_PACKET: Final = struct.Struct("!HHBBH6s4s6s4s")
_FRAME: Final = struct.Struct("!6s6sHHHBBH6s4s6s4s")
FRAME_OCTETS: Final = _FRAME.size
"""Octets of a frame that matter: 42. A reader needs no larger buffer."""
SENDER_IP: Final = slice(28, 32)
TARGET_IP: Final = slice(38, 42)
"""Where the addresses stand in a frame, for who wants to look before decoding."""


class ArpError(ValueError):
    """A frame that is not an IPv4-over-Ethernet ARP packet; the text says in what."""


class Operation(enum.IntEnum):
    """What an ARP packet wants (RFC 826). Other numbers exist (RARP, InARP) and are kept as plain ints."""

    REQUEST = 1
    REPLY = 2


@dataclass(frozen=True, slots=True)
class Packet:
    """The four addresses and the operation; `operation` is any 16-bit number, see `Operation`."""

    operation: int
    sender_mac: Mac
    sender_ip: IPv4Address
    target_mac: Mac
    target_ip: IPv4Address


@dataclass(frozen=True, slots=True)
class Frame:
    """An ARP packet in the Ethernet frame that carries it."""

    destination: Mac
    source: Mac
    packet: Packet


def decode(data: bytes) -> Frame:
    """The ARP frame in `data`. Raises `ArpError` if it is too short or speaks of something else than IPv4."""
    if len(data) < FRAME_OCTETS:
        raise ArpError(f"{len(data)} octets; an ARP frame has at least {FRAME_OCTETS}")
    (destination, source, ethertype, _, protocol, mac_octets, ip_octets, operation, *addresses) = _FRAME.unpack_from(
        data
    )
    if ethertype != ethernet.ETHERTYPE_ARP:
        raise ArpError(f"EtherType 0x{ethertype:04x}; ARP is 0x{ethernet.ETHERTYPE_ARP:04x}")
    if (protocol, mac_octets, ip_octets) != (PROTOCOL_IPV4, 6, 4):
        raise ArpError(
            f"protocol 0x{protocol:04x} with addresses of {mac_octets} and {ip_octets} octets; IPv4 is 0x0800, 6, 4"
        )
    sender_mac, sender_ip, target_mac, target_ip = addresses
    return Frame(
        Mac(destination),
        Mac(source),
        Packet(operation, Mac(sender_mac), IPv4Address(sender_ip), Mac(target_mac), IPv4Address(target_ip)),
    )


def encode(frame: Frame) -> bytes:
    """The frame as 60 octets."""
    packet = frame.packet
    payload = _PACKET.pack(
        HARDWARE_ETHERNET,
        PROTOCOL_IPV4,
        6,
        4,
        packet.operation,
        packet.sender_mac,
        packet.sender_ip.packed,
        packet.target_mac,
        packet.target_ip.packed,
    )
    return ethernet.encode(frame.destination, frame.source, ethernet.ETHERTYPE_ARP, payload)


def reply(request: Packet, mac: Mac) -> Frame:
    """The answer "`request.target_ip` is at `mac`", sent to whom the request says it comes from.

    That is its sender MAC, not the source of the Ethernet frame: behind some access points and proxies they differ.
    """
    answer = Packet(Operation.REPLY, mac, request.target_ip, request.sender_mac, request.sender_ip)
    return Frame(request.sender_mac, mac, answer)


def gratuitous(address: IPv4Address, mac: Mac) -> tuple[Frame, Frame]:
    """Two broadcasts that tell the segment "`address` is at `mac`": the request form, then the reply form.

    RFC 5944 §4.6 allows both forms and stations heed the one or the other; so both are sent. Target MAC: all ones.
    """
    request = Packet(Operation.REQUEST, mac, address, BROADCAST_MAC, address)
    answer = Packet(Operation.REPLY, mac, address, BROADCAST_MAC, address)
    return Frame(BROADCAST_MAC, mac, request), Frame(BROADCAST_MAC, mac, answer)
