"""Hears what a host sends, with the kernel's own time of each frame.

A packet socket inside a namespace, read by a thread: TCP from the speaker's address, with how many octets of data.
"""

import ctypes
import os
import socket
import struct
import threading
from dataclasses import dataclass
from ipaddress import IPv4Address

_CLONE_NEWNET = 0x40000000
_SO_TIMESTAMPNS = 35
_SO_RCVBUFFORCE = 33
_BUFFER_OCTETS = 64 << 20
_HEADERS = 128
_OUTGOING = 4


@dataclass(frozen=True, slots=True)
class Segment:
    """One frame with TCP data: when (seconds, time of day), to whom, and how many octets of data."""

    at: float
    destination: str
    octets: int


def socket_inside(namespace: str, interface: str) -> socket.socket:
    """A packet socket on an interface of a namespace, giving each frame from its network layer on, and its time."""
    made: list[socket.socket] = []

    def make() -> None:
        descriptor = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
        if ctypes.CDLL(None, use_errno=True).setns(descriptor, _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"cannot enter {namespace}")
        os.close(descriptor)
        opened = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
        opened.bind((interface, 3))
        opened.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        made.append(opened)

    thread = threading.Thread(target=make)  # a namespace belongs to a thread
    thread.start()
    thread.join()
    return made[0]


class Wiretap:
    """Everything that `source` says by TCP to port 179 through an interface of its host, from now on."""

    def __init__(self, namespace: str, interface: str, source: str) -> None:
        self._socket = socket_inside(namespace, interface)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER_OCTETS)
        self._socket.settimeout(0.2)
        self._source = IPv4Address(source).packed
        self._closed = False
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self.heard: list[Segment] = []
        self._thread.start()

    def close(self) -> None:
        self._closed = True
        self._thread.join()
        self._socket.close()

    def _listen(self) -> None:
        while not self._closed:
            try:
                data, ancillary, _, address = self._socket.recvmsg(_HEADERS, 256)
            except TimeoutError:
                continue
            if address[2] == _OUTGOING and (segment := self._segment(data, ancillary[0][2])) is not None:
                self.heard.append(segment)

    def _segment(self, data: bytes, stamp: bytes) -> Segment | None:
        if len(data) < 40 or data[9] != socket.IPPROTO_TCP or data[12:16] != self._source:
            return None
        start = (data[0] & 15) * 4
        octets = int.from_bytes(data[2:4], "big") - start - (data[start + 12] >> 4) * 4
        if data[start + 2 : start + 4] != b"\x00\xb3" or octets <= 0:
            return None
        seconds, nanoseconds = struct.unpack("qq", stamp)
        return Segment(seconds + nanoseconds / 1e9, str(IPv4Address(data[16:20])), octets)
