"""Another program of this node that already speaks BGP with a peer from the same address: a CNI with its own speaker.

A router knows one neighbour by an address. What a second connection does is up to it: it refuses ours, or ends the
first, or, if that one has agreed on graceful restart, takes ours for its successor (RFC 4724 §4.2). So a peer that is
taken is not dialled.

    /proc/net/tcp, tcp6    sl local:port remote:port state … uid timeout inode …    (addresses: words of this machine)
"""

import contextlib
import os
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from herald.bgp.family import Address

_TABLES: Final = ("tcp", "tcp6")
_ESTABLISHED: Final = b"01"
_NOBODYS: Final = "0"
"""The inode of a connection that waits to be accepted, as one of the peer's may at our own `Door`."""
_BGP: Final = 179


@dataclass(frozen=True, slots=True)
class Rival:
    """Who has the connection: `bird (pid 812)`, or words for somebody whom we cannot see."""

    name: str
    local: Address


def find(peer: Address, port: int, local: Address) -> Rival | None:
    """Who else has an established connection between the two, if anybody has. Reads all connections of the host."""
    for inode in _inodes(peer, port, local):
        owner = _owner(inode)
        if owner is None:
            return Rival("another program", local)
        if owner != os.getpid():
            return Rival(f"{_command(owner)} (pid {owner})", local)
    return None


def _inodes(peer: Address, port: int, local: Address) -> Iterator[str]:
    theirs, ours = _texts(peer), _texts(local)
    ports = {f"{port:04X}", f"{_BGP:04X}"}
    for table in _TABLES:
        try:
            lines = Path(f"/proc/thread-self/net/{table}").read_bytes().splitlines()
        except OSError:  # a kernel without IPv6
            continue
        for line in lines:
            if _ESTABLISHED not in line[:100]:
                continue
            words = line.decode("ascii", "replace").split()
            if len(words) < 10 or words[3] != "01":
                continue
            (near, near_port), (far, far_port) = words[1].split(":"), words[2].split(":")
            if words[9] == _NOBODYS:
                continue
            if far in theirs and near in ours and (far_port == f"{port:04X}" or near_port in ports):
                yield words[9]


def _texts(address: Address) -> set[str]:
    """As the tables write it; an IPv4 address may be that of a socket of both families."""
    plain = "".join(f"{int.from_bytes(address.packed[at : at + 4], sys.byteorder):08X}" for at in _words(address))
    if address.version == 6:
        return {plain}
    mapped = ip_address(bytes(10) + b"\xff\xff" + address.packed)
    return {plain} | _texts(mapped)


def _words(address: Address) -> range:
    return range(0, len(address.packed), 4)


def _owner(inode: str) -> int | None:
    """The process that has the socket, ours first; None if it is in another container, or another user's."""
    wanted = f"socket:[{inode}]"
    pids = [os.getpid(), *(int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())]
    return next((pid for pid in pids if wanted in _open_files(pid)), None)


def _open_files(pid: int) -> Iterator[str]:
    with contextlib.suppress(OSError):
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                yield str(entry.readlink())


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return "a program"


def source_towards(peer: tuple[str, int] | tuple[str, int, int, int], bound: Address | None) -> Address | None:
    """The address that a connection would leave from, or None without a way there."""
    if bound is not None:
        return bound
    family = socket.AF_INET6 if len(peer) == 4 else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as asking:
        try:
            asking.connect(peer)
        except OSError:
            return None
        return ip_address(asking.getsockname()[0].split("%")[0])
