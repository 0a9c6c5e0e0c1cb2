"""A capture file: what Herald's codecs make, wrapped as the kernel would, and what tshark reads in it."""

import struct
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from herald.layer2.ethernet import encode as ethernet_frame

Address = IPv4Address | IPv6Address

OUR_MAC, THEIR_MAC = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")
OURS: dict[int, Address] = {4: IPv4Address("10.50.0.2"), 6: IPv6Address("2001:db8:50::2")}
THEIRS: dict[int, Address] = {4: IPv4Address("10.50.0.1"), 6: IPv6Address("2001:db8:50::1")}
_ETHERTYPE = {4: 0x0800, 6: 0x86DD}
_TCP, _UDP, ICMPV6 = 6, 17, 58
_LINK_TYPE_ETHERNET = 1


@dataclass
class Emitted:
    """Frames that are one packet or message, and the fields that tshark is to read in the last of them."""

    name: str
    frames: list[bytes]
    meant: dict[str, list[str]] = field(default_factory=dict)


def checksum(data: bytes) -> int:
    """The internet checksum (RFC 1071)."""
    even = data + b"\0" * (len(data) % 2)
    return 0xFFFF - (int.from_bytes(even) % 0xFFFF or 0xFFFF)


def packet(payload: bytes, protocol: int, source: Address, destination: Address, ttl: int = 255) -> bytes:
    """An Ethernet frame with an IP packet; a checksum in the payload is the caller's."""
    if source.version == 4:
        head = struct.pack(
            "!BBHHHBBH4s4s", 0x45, 0xC0, 20 + len(payload), 1, 0, ttl, protocol, 0, source.packed, destination.packed
        )
        head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    else:
        head = struct.pack(
            "!IHBB16s16s", 6 << 28 | 0xC0 << 20, len(payload), protocol, ttl, source.packed, destination.packed
        )
    return ethernet_frame(THEIR_MAC, OUR_MAC, _ETHERTYPE[source.version], head + payload)


def _pseudo(length: int, protocol: int, source: Address, destination: Address) -> bytes:
    return source.packed + destination.packed + struct.pack("!II", length, protocol)


def tcp(payload: bytes, connection: int, version: int = 4) -> list[bytes]:
    """The segments that carry `payload` to port 179, at most 1400 octets in each, on a connection of their own."""
    source, destination = OURS[version], THEIRS[version]
    frames = []
    for at in range(0, len(payload), 1400):
        part = payload[at : at + 1400]
        head = struct.pack("!HHIIBBHHH", 20000 + connection, 179, 1 + at, 1, 5 << 4, 0x18, 512, 0, 0)
        total = checksum(_pseudo(len(head + part), _TCP, source, destination) + head + part)
        frames.append(packet(head[:16] + struct.pack("!H", total) + head[18:] + part, _TCP, source, destination))
    return frames


def udp(payload: bytes, port: int, version: int = 4, ends: tuple[Address, Address] | None = None) -> bytes:
    """A datagram from port 49152."""
    source, destination = ends or (OURS[version], THEIRS[version])
    head = struct.pack("!HHHH", 49152, port, 8 + len(payload), 0)
    total = checksum(_pseudo(len(head + payload), _UDP, source, destination) + head + payload)
    return packet(head[:6] + struct.pack("!H", total or 0xFFFF) + payload, _UDP, source, destination)


def icmpv6(message: bytes, source: IPv6Address, destination: IPv6Address) -> bytes:
    """A message whose checksum the kernel fills in."""
    total = checksum(_pseudo(len(message), ICMPV6, source, destination) + message)
    return packet(message[:2] + struct.pack("!H", total) + message[4:], ICMPV6, source, destination)


def write(path: Path, frames: Sequence[bytes]) -> None:
    """A capture of these frames, a millisecond apart."""
    head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, _LINK_TYPE_ETHERNET)
    records = (
        struct.pack("<IIII", number // 1000, number % 1000 * 1000, len(frame), len(frame)) + frame
        for number, frame in enumerate(frames)
    )
    path.write_bytes(head + b"".join(records))


def read(path: Path, fields: Sequence[str]) -> list[dict[str, list[str]]]:
    """What tshark makes of each frame: the values of these fields, of each all that occur. It must be installed."""
    words = ["tshark", "-n", "-r", str(path), "-o", "tcp.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE"]
    words += ["-o", "ip.check_checksum:TRUE", "-T", "fields", "-E", "separator=\t", "-E", "aggregator=\x1f"]
    done = subprocess.run(
        [*words, *(word for field in fields for word in ("-e", field))], capture_output=True, text=True, check=True
    )
    return [
        {
            field: [one for one in text.split("\x1f") if one]
            for field, text in zip(fields, line.split("\t"), strict=True)
        }
        for line in done.stdout.splitlines()
    ]
