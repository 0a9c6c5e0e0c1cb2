"""The Ethernet frame around an ARP or IPv6 packet (Ethernet II; no 802.1Q tag, the kernel takes that off).

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +---------------------------------------------------------------+
    |                        destination MAC                        |
    +                               +-------------------------------+
    |                               |                               |
    +-------------------------------+          source MAC           +
    |                                                               |
    +-------------------------------+-------------------------------+
    |           EtherType           |  payload, zeros up to 46 octets …
    +-------------------------------+--------------------------------

A frame is at least 60 octets without its checksum. Network cards pad what is shorter, virtual ones do not, so Herald
pads itself.
"""

import struct
from typing import Final

from herald.net.interface import Mac

HEADER: Final = struct.Struct("!6s6sH")
ETHERTYPE_ARP: Final = 0x0806
ETHERTYPE_IPV6: Final = 0x86DD
MINIMUM_OCTETS: Final = 60


def ethertype(data: bytes) -> int:
    """What the frame carries; 0 if it is cut short before it says so."""
    return int.from_bytes(data[12:14], "big") if len(data) >= HEADER.size else 0


def encode(destination: Mac, source: Mac, ethertype: int, payload: bytes) -> bytes:
    """The frame, padded with zeros to 60 octets."""
    return (HEADER.pack(destination, source, ethertype) + payload).ljust(MINIMUM_OCTETS, b"\0")
