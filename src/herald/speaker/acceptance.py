"""Whether a plain host takes the packets that Herald brings to it: its kernel is asked, and never changed.

In a cluster kube-proxy takes them. Elsewhere the address has to be local to the host, or be translated. The first can
be found out; of a translation nothing is known here, so that a missing local address is a hint and not a complaint.
"""

import socket
from ipaddress import IPv4Address
from pathlib import Path
from typing import Final

from herald.announcement.reason import Protocol
from herald.net.ip_family import IPAddress

GUIDE: Final = "docs/how-to/plain-host.md"
INTERFACES: Final = Path("/proc/sys/net/ipv4/conf")
_SWITCHES: Final = "net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2"
_DISCARD: Final = 9


def hint(address: IPAddress, protocol: Protocol) -> str | None:
    """What somebody should know about `address`, which this host begins to announce; None if all is well."""
    if not is_local(address):
        return _not_local(address)
    if protocol is Protocol.LAYER2 and isinstance(address, IPv4Address) and kernel_answers_arp():
        return (
            f"{address} is an address of this host, and its kernel answers ARP for it too, also when another node owns "
            f"it or Herald has ended; `sysctl -w net.ipv4.conf.all.arp_ignore=1` leaves that to Herald, see {GUIDE}"
        )
    return None


def _not_local(address: IPAddress) -> str:
    length = address.max_prefixlen
    return (
        f"{address} is no address of this host: unless a rule (nftables) takes what arrives for it, it is dropped. "
        "To accept it: "
        + (f"`sysctl -w {_SWITCHES}`, then " if address.version == 4 else "")
        + f"`ip address add {address}/{length} dev lo`"
        + f"; see {GUIDE}"
    )


def is_local(address: IPAddress) -> bool:
    """Whether the kernel would deliver to this host: from a local address it also speaks to itself. Sends nothing."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((str(address), _DISCARD))
        except OSError:  # no route at all, and so no local one
            return False
        return bool(probe.getsockname()[0] == str(address))


def kernel_answers_arp(interfaces: Path = INTERFACES) -> bool:
    """Whether on some interface the kernel answers for addresses of another; False where it does not tell."""
    try:
        values = {path.parent.name: int(path.read_text()) for path in interfaces.glob("*/arp_ignore")}
    except (OSError, ValueError):  # an interface went meanwhile: the next address asks again
        return False
    return not values.get("all", 0) and any(not values[name] for name in values.keys() - {"all", "default", "lo"})
