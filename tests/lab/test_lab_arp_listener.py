"""Which ARP packets say to everybody who has an address."""

from ipaddress import IPv4Address

import pytest
from scapy.layers.l2 import ARP, Ether

from herald.lab.arp_listener import Announcement, announcement

MAC, VIP = "02:00:00:00:00:01", "192.168.1.200"
EVERYBODY, SOMEBODY = "ff:ff:ff:ff:ff:ff", "02:00:00:00:00:09"


@pytest.mark.parametrize("operation", ["is-at", "who-has"])
def test_a_gratuitous_arp_announces(operation: str) -> None:
    frame = Ether(src=MAC, dst=EVERYBODY) / ARP(op=operation, hwsrc=MAC, psrc=VIP, pdst=VIP)
    assert announcement(bytes(frame)) == Announcement(MAC, IPv4Address(VIP))


@pytest.mark.parametrize(
    "frame",
    [
        bytes(Ether(src=MAC, dst=SOMEBODY) / ARP(op="is-at", hwsrc=MAC, psrc=VIP, pdst="192.168.1.100")),
        bytes(Ether(src=MAC, dst=EVERYBODY, type=0x0800) / (b"x" * 46)),
        bytes(Ether(src=MAC, dst=EVERYBODY, type=0x0806))[:14],
    ],
    ids=["an-answer", "not-arp", "too-short"],
)
def test_nothing_else_does(frame: bytes) -> None:
    assert announcement(frame) is None
