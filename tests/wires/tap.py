"""Frames and streams as they reach the link of a namespace."""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable

from segment import inside

Packets = dict[str, bytes]


class Tap:
    """The frames that reach `eth0` of a namespace from outside, and pass `keep`; each different `key` once."""

    def __init__(self, namespace: str, name_of: Callable[[bytes], str | None], interface: str = "eth0") -> None:
        self._name_of = name_of
        self.found: Packets = {}

        def opened() -> socket.socket:
            sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            sock.setsockopt(263, 23, 1)  # PACKET_IGNORE_OUTGOING
            sock.bind((interface, 3))
            return sock

        self._socket = inside(namespace, opened)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            while frame := self._socket.recv(65536):
                name = self._name_of(frame)
                if name is not None:
                    self.found.setdefault(name, frame)

    def close(self) -> Packets:
        self._socket.close()
        return dict(self.found)


def udp_of(frame: bytes) -> tuple[int, bytes] | None:
    """Destination port and payload of a UDP datagram in a frame without IP options."""
    ethertype = int.from_bytes(frame[12:14])
    at = {0x0800: 34, 0x86DD: 54}.get(ethertype)
    if at is None or frame[23 if ethertype == 0x0800 else 20] != 17:
        return None
    return int.from_bytes(frame[at + 2 : at + 4]), frame[at + 8 : at + int.from_bytes(frame[at + 4 : at + 6])]


class Streams:
    """The first octets of each TCP connection towards `eth0`, put together again by their sequence numbers."""

    def __init__(self) -> None:
        self.segments: dict[bytes, dict[int, bytes]] = {}

    def take(self, frame: bytes) -> None:
        if frame[12:14] != b"\x08\x00" or frame[23] != 6:
            return
        at, end = 34 + (frame[46] >> 4) * 4, 14 + int.from_bytes(frame[16:18])
        if 7946 in struct.unpack("!HH", frame[34:38]) and frame[at:end]:
            (sequence,) = struct.unpack("!I", frame[38:42])
            self.segments.setdefault(frame[26:38], {})[sequence] = frame[at:end]

    def whole(self) -> list[bytes]:
        return [b"".join(data for _, data in sorted(parts.items())) for parts in self.segments.values()]
