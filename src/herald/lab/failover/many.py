"""A thousand addresses on one node, and the node freezes: when each of them is announced by another, and how fast.

What is announced is seen by a packet socket beside the nodes, with the kernel's own time.
"""

import asyncio
import signal
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from herald.lab import process
from herald.lab.failover.faults import Frozen
from herald.lab.failover.herald_nodes import HeraldNodes
from herald.lab.failover.stand import ADDRESSES, NODES, Stand, standing
from herald.lab.failover.watcher import inside
from herald.layer2 import arp, ethernet, ndp

SO_TIMESTAMPNS: Final = 35
SO_RCVBUFFORCE: Final = 33
QUEUE_OCTETS: Final = 256 << 20
FIRST: Final = {4: IPv4Address("198.18.0.1"), 6: IPv6Address("2001:db8:51::1")}
WATCHED_S: Final = 6.0
Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Taken:
    """Seconds from the blow. `first`, `last`: when the first and the last address were announced for the first time;
    `frames`: all instants of announcements; `addresses`: how many were announced."""

    first: float
    last: float
    frames: tuple[float, ...]
    addresses: int

    def busiest(self, seconds: float) -> int:
        """The most frames in any span of so many seconds."""
        found, start = 0, 0
        for end, at in enumerate(self.frames):
            while self.frames[start] <= at - seconds:
                start += 1
            found = max(found, end - start + 1)
        return found


def services(count: int, version: int) -> dict[str, tuple[str, ...]]:
    """One address each, and one Service with those that the stand's client talks to."""
    made = {f"s{number}": (str(FIRST[version] + number),) for number in range(count)}
    return {"web": ADDRESSES, **made}


async def crash(name: str, count: int, version: int, *, fast_failover: bool = False) -> Taken:
    """`count` addresses are on the first node; it freezes, and the second one takes them all."""
    return await _move(name, count, version, frozen=True, fast_failover=fast_failover)


async def departure(name: str, count: int, version: int) -> Taken:
    """The same with SIGTERM: the first node's speaker hands over before it ends."""
    return await _move(name, count, version, frozen=False)


async def _move(name: str, count: int, version: int, *, frozen: bool, fast_failover: bool = False) -> Taken:
    owner, heir, _ = NODES
    nodes = HeraldNodes(
        "Herald, many", fast_failover=fast_failover, services=services(count, version), preferred=(owner, heir)
    )
    async with standing(nodes, name) as stand:
        await stand.settled(owner, patience_s=120.0)
        await _announced(stand, owner, count)
        opened = inside(stand.place.namespace("asker"), lambda: _socket(version))
        with opened:
            await asyncio.sleep(0.1)
            struck = time.time()
            if frozen:
                await Frozen().strike(stand, owner)
            else:
                stand.running[owner].send(signal.SIGTERM)
            await asyncio.sleep(WATCHED_S)
            heard = list(_announcements(opened, stand.macs[heir]))
    wanted = {FIRST[version] + number for number in range(count)}
    firsts: dict[Address, float] = {}
    for at, address in heard:
        if address in wanted and at >= struck:
            firsts.setdefault(address, at - struck)
    instants = tuple(at - struck for at, _ in heard if at >= struck)
    if not firsts:
        raise RuntimeError(f"{heir} announced nothing within {WATCHED_S:g} s\n{stand.last_words()}")
    return Taken(min(firsts.values()), max(firsts.values()), instants, len(firsts))


async def _announced(stand: Stand, owner: str, count: int) -> None:
    """Wait until the owner has all of them and has announced each once; its repetitions may last longer."""
    words = ["grep", "-c", "addressHeld", str(stand.place.log(f"speaker-{owner}"))]

    async def all_held() -> str | None:
        shown = await process.run(words)
        return "" if int(shown.stdout or 0) >= count + len(ADDRESSES) else None

    await stand.until(all_held, f"{owner} holds {count} addresses", 120.0)
    await asyncio.sleep(2.0)


def _socket(version: int) -> socket.socket:
    kind = ethernet.ETHERTYPE_ARP if version == 4 else ethernet.ETHERTYPE_IPV6
    opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(kind))
    opened.bind(("eth0", kind))
    opened.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    opened.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, QUEUE_OCTETS)
    opened.setblocking(False)
    return opened


def _announcements(opened: socket.socket, mac: str) -> Iterator[tuple[float, Address]]:
    """(time of day, address) of everything that waits and says to all that `mac` has the address."""
    while True:
        try:
            data, ancillary, _, _ = opened.recvmsg(2048, 256)
        except BlockingIOError:
            return
        seconds, nanoseconds = struct.unpack("qq", ancillary[0][2])
        address = _announced_by(data, mac)
        if address is not None:
            yield seconds + nanoseconds / 1e9, address


def _announced_by(data: bytes, mac: str) -> Address | None:
    if data[6:12].hex(":") != mac or not data[0] & 1:
        return None
    try:
        if ethernet.ethertype(data) == ethernet.ETHERTYPE_ARP:
            packet = arp.decode(data).packet
            return packet.sender_ip if packet.sender_ip == packet.target_ip else None
        message = ndp.decode(data).message
    except (arp.ArpError, ndp.NdpError):
        return None
    return message.target if isinstance(message, ndp.NeighborAdvertisement) else None
