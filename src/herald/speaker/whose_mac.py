"""Whose a MAC is: the node that the kernel knows at it. Speakers talk to each other, so it knows many.

/proc/net/arp    IP address  HW type  Flags  HW address  Mask  Device        (flags 0x2: complete)
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from herald.cluster.node import Node
from herald.net.interface import Mac, mac_text

TABLE: Final = Path("/proc/net/arp")
_COMPLETE: Final = 0x2


def node_at(mac: Mac, nodes: Iterable[Node], table: Path = TABLE) -> str | None:
    """The name of the node that has this MAC, if the kernel has lately spoken to one of its addresses by IPv4."""
    neighbours = _neighbours(table)
    addresses = ((one.address, node.name) for node in nodes for one in node.status.addresses)
    return next((name for address, name in addresses if neighbours.get(address) == mac_text(mac)), None)


def _neighbours(table: Path) -> dict[str, str]:
    try:
        lines = table.read_text(encoding="ascii", errors="replace").splitlines()[1:]
    except OSError:  # a kernel without IPv4, or a /proc that hides it: then nobody is named
        return {}
    rows = (line.split() for line in lines)
    return {row[0]: row[3].lower() for row in rows if len(row) >= 6 and int(row[2], 16) & _COMPLETE}
