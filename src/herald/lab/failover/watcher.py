"""Asks for addresses every few milliseconds, in two ways, and remembers the silences.

    python -m herald.lab.failover.watcher CLIENT-NAMESPACE ASKER-NAMESPACE PORT ASK-EVERY ADDRESS…

As a *client*: a datagram to each address every 5 ms, through the kernel of the client's namespace and its ordinary
neighbour table. As an *asker*: an ARP request or a Neighbor Solicitation to everybody, one for every ASK-EVERY
datagrams, on a packet socket in a namespace of its own, so that the client's kernel learns nothing from it.

Each line of standard input is a question, answered by one line of JSON: `begin` forgets what was, `read` tells

    {"now": 12.5, "talks": {address: …}, "asks": {address: …}}        see tally.py
"""

import ctypes
import json
import os
import select
import socket
import sys
import threading
import time
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, TypeVar

from herald.lab.failover.tally import IDENTITIES, TALK_S, Asking, Talk
from herald.layer2 import arp, ethernet, ndp, solicited_node
from herald.net.interface import BROADCAST_MAC, Mac

T = TypeVar("T")

ASKERS = {4: IPv4Address("192.0.2.224"), 6: IPv6Address("2001:db8:50::e0")}
"""Raw questions come from these and the `IDENTITIES` - 1 addresses that follow. Nobody has them."""
LONGEST: Final = 2048
_CLONE_NEWNET: Final = 0x40000000
Address = IPv4Address | IPv6Address


def inside(namespace: str, make: Callable[[], T]) -> T:
    """What `make` gives inside the namespace; it runs in a thread that enters it and ends."""
    made: list[T] = []

    def enter_and_make() -> None:
        descriptor = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
        try:
            if ctypes.CDLL(None, use_errno=True).setns(descriptor, _CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), f"cannot enter {namespace}")
        finally:
            os.close(descriptor)
        made.append(make())

    thread = threading.Thread(target=enter_and_make)
    thread.start()
    thread.join()
    if not made:
        raise RuntimeError(f"no socket in {namespace}")
    return made[0]


def _talker(address: Address, port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if address.version == 6 else socket.AF_INET, socket.SOCK_DGRAM)
    made.setblocking(False)
    made.connect((str(address), port))
    return made


def _asker() -> socket.socket:
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ethernet.ETHERTYPE_ARP))
    made.bind(("eth0", ethernet.ETHERTYPE_ARP))
    made.setblocking(False)
    return made


def _asker_v6() -> socket.socket:
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ethernet.ETHERTYPE_IPV6))
    made.bind(("eth0", ethernet.ETHERTYPE_IPV6))
    made.setblocking(False)
    return made


def question(address: Address, number: int, mac: Mac) -> bytes:
    """The frame that asks everybody for `address`."""
    sender = ASKERS[address.version] + number
    if isinstance(address, IPv4Address):
        assert isinstance(sender, IPv4Address)
        packet = arp.Packet(arp.Operation.REQUEST, mac, sender, Mac(bytes(6)), address)
        return arp.encode(arp.Frame(BROADCAST_MAC, mac, packet))
    assert isinstance(sender, IPv6Address)
    group = solicited_node.group(address)
    solicitation = ndp.NeighborSolicitation(address, mac)
    return ndp.encode(ndp.Frame(solicited_node.multicast_mac(group), mac, sender, group, solicitation))


def answer(frame: bytes) -> tuple[Address, int, str] | None:
    """(address, number of the question, MAC that has it), or None if the frame answers no question of ours."""
    target: Address
    asker: Address
    if ethernet.ethertype(frame) == ethernet.ETHERTYPE_ARP:
        try:
            packet = arp.decode(frame).packet
        except arp.ArpError:
            return None
        if packet.operation != arp.Operation.REPLY:
            return None
        target, asker, mac = packet.sender_ip, packet.target_ip, packet.sender_mac
    else:
        try:
            decoded = ndp.decode(frame)
        except ndp.NdpError:
            return None
        message = decoded.message
        if not isinstance(message, ndp.NeighborAdvertisement) or message.target_mac is None:
            return None
        target, asker, mac = message.target, decoded.receiver, message.target_mac
    number = int(asker) - int(ASKERS[asker.version])
    return (target, number, mac.hex(":")) if 0 <= number < IDENTITIES else None


class Watcher:
    """All sockets and tallies."""

    def __init__(self, client: str, asker: str, port: int, ask_every: int, addresses: list[Address]) -> None:
        self._ask_every = ask_every
        now = time.monotonic()
        self._talkers = {one: inside(client, lambda one=one: _talker(one, port)) for one in addresses}  # type: ignore[misc]  # a default that binds
        self._talks = {one: Talk(now) for one in addresses}
        self._asks = {one: Asking(now) for one in addresses}
        self._raw = {4: inside(asker, _asker), 6: inside(asker, _asker_v6)}
        self._mac = Mac(self._raw[4].getsockname()[4])
        self._owner = {opened: one for one, opened in self._talkers.items()}
        self._ticks = 0

    def run(self) -> None:
        """Until standard input ends."""
        print("watching", flush=True)  # noqa: T201
        due = time.monotonic()
        readers = [sys.stdin, *self._raw.values(), *self._owner]
        while True:
            now = time.monotonic()
            if now >= due:
                self._tick(now)
                # A watcher that was not given the processor in time leaves questions out.
                due = max(due + TALK_S, now)
            wait_s = max(0.0, due - time.monotonic())
            ready = set(select.select(readers, [], [], wait_s)[0])
            for opened, address in self._owner.items():
                if opened in ready:
                    self._listen(address, opened)
            for opened in self._raw.values():
                if opened in ready:
                    self._overhear(opened)
            if sys.stdin in ready and not self._told():
                return

    def _tick(self, now: float) -> None:
        for address, opened in self._talkers.items():
            _send(opened, b"%d" % self._talks[address].send(now))
        if self._ticks % self._ask_every == 0:
            for address, asking in self._asks.items():
                _send(self._raw[address.version], question(address, asking.ask(now), self._mac))
        self._ticks += 1

    def _listen(self, address: Address, opened: socket.socket) -> None:
        try:
            data = opened.recv(LONGEST)
        except OSError:
            return  # that somebody refused or could not be reached is a silence, which is counted
        number, _, name = data.partition(b" ")
        self._talks[address].heard(name.decode(), time.monotonic(), int(number))

    def _overhear(self, opened: socket.socket) -> None:
        found = answer(opened.recv(LONGEST))
        if found is not None and found[0] in self._asks:
            self._asks[found[0]].heard(found[1], found[2], time.monotonic())

    def _told(self) -> bool:
        words = sys.stdin.readline()
        now = time.monotonic()
        if words == "begin\n":
            for talk in self._talks.values():
                talk.begin(now)
            for asking in self._asks.values():
                asking.begin(now)
        document = {
            "now": now,
            "talks": {str(address): talk.document(now) for address, talk in self._talks.items()},
            "asks": {str(address): asking.document(now) for address, asking in self._asks.items()},
        }
        print(json.dumps(document), flush=True)  # noqa: T201
        return bool(words)


def _send(opened: socket.socket, data: bytes) -> None:
    try:
        opened.send(data)
    except OSError:
        return  # as above: no neighbour, a full queue; the silence is what counts


def main() -> int:
    """Entry point."""
    client, asker, port, ask_every, *addresses = sys.argv[1:]
    Watcher(client, asker, int(port), int(ask_every), [ip_address(one) for one in addresses]).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
