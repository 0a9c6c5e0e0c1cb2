"""What the engine must be allowed to do, tried before anything is started.

CAP_NET_RAW is all: packet and ICMPv6 sockets need it. BGP does not, not even with a TCP MD5 key or bound to a device,
and nothing here changes the kernel's configuration, so that CAP_NET_ADMIN would be too much.
"""

import errno
import os
import socket
from pathlib import Path
from typing import Final

_CAP_NET_RAW: Final = 13


def missing() -> str | None:
    """What keeps this process from being a speaker, and what would be right; None if nothing does."""
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0).close()
    except OSError as error:
        return _words(error)
    return None


def _words(error: OSError) -> str:
    if error.errno not in (errno.EPERM, errno.EACCES):
        allowed = "; a systemd unit with RestrictAddressFamilies= must name AF_PACKET" if error.errno else ""
        return f"no packet socket can be opened here: {os.strerror(error.errno or 0).lower()}{allowed}"
    if _effective_capabilities() >> _CAP_NET_RAW & 1:
        return (
            "CAP_NET_RAW is held, but not for this network: the network namespace belongs to another user namespace. "
            "Start it where the network was made, or with a network of its own"
        )
    return (
        "the capability CAP_NET_RAW is missing, without which nobody can answer ARP. Run it as root, or give its user "
        "that capability, with AmbientCapabilities=CAP_NET_RAW in a systemd unit or by "
        "`setpriv --inh-caps +net_raw --ambient-caps +net_raw`"
    )


def _effective_capabilities() -> int:
    """The mask, capabilities(7); 0 where the kernel does not tell."""
    for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("CapEff:"):
            return int(line.split()[1], 16)
    return 0
