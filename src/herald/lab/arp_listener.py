"""Writes down who announces an address on a segment without having been asked.

    python -m herald.lab.arp_listener 192.168.1.200

One line of JSON per ARP packet (RFC 826) that goes to everybody and says that its sender has the address, which is what
a gratuitous ARP is (RFC 5227 section 2.3), request or reply:

    {"ts": 1763728012.402, "mac": "e6:b6:97:e8:ce:52"}
"""

import json
import socket
import struct
import sys
import time
from dataclasses import dataclass
from ipaddress import IPv4Address

ETH_P_ARP = 0x0806
BROADCAST = b"\xff" * 6
ARP = struct.Struct("!6s6sHHHBBH6s4s6s4s")
"""An Ethernet header and an ARP packet for IPv4: destination, source, type; the sender's two addresses stand last but
two."""

READY = "listening"


@dataclass(frozen=True, slots=True)
class Announcement:
    """`mac` says to everybody that it has `address`."""

    mac: str
    address: IPv4Address


def announcement(frame: bytes) -> Announcement | None:
    """What a frame announces; None if it is no ARP packet for everybody."""
    if len(frame) < ARP.size:
        return None
    destination, _, kind, _, _, _, _, _, mac, sender, _, _ = ARP.unpack_from(frame)
    if kind != ETH_P_ARP or destination != BROADCAST:
        return None
    return Announcement(mac.hex(":"), IPv4Address(sender))


def main() -> int:
    """Entry point of `python -m herald.lab.arp_listener`."""
    address = IPv4Address(sys.argv[1])
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ARP)) as listening:
        listening.bind(("eth0", ETH_P_ARP))
        print(READY, flush=True)  # noqa: T201
        while True:
            heard = announcement(listening.recv(2048))
            if heard is not None and heard.address == address:
                print(json.dumps({"ts": time.time(), "mac": heard.mac}), flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
