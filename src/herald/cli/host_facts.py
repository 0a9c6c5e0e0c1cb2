"""Reads what `herald.lint.host` judges, from /proc, /sys and the kernel's lists of interfaces and addresses."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path
from typing import Final

from herald.engine import rights
from herald.engine.netlink import InterfaceMonitor
from herald.layer2.link import Exclusion, Verdict, judge
from herald.lint.host import BFD_PORT, BGP_PORT, GOSSIP_PORT, HostFacts, Nic, Port
from herald.net.interface import Interface

SYSCTLS: Final = Path("/proc/sys/net/ipv4/conf")
PATIENCE_S: Final = 5.0
IPVS_INTERFACE: Final = "kube-ipvs0"
_WATCHED: Final = {("tcp", BGP_PORT), ("tcp", GOSSIP_PORT), ("udp", GOSSIP_PORT), ("udp", BFD_PORT)}
_LISTENS: Final = {"tcp": "0A", "udp": "07"}
"""States in /proc/net: TCP_LISTEN, and what an unconnected UDP socket has."""


def read(exclusion: Exclusion) -> HostFacts:
    """The facts of this host and network namespace. Raises OSError and TimeoutError where they cannot be read."""
    interfaces = asyncio.run(_interfaces())
    ways_out = default_routes(Path("/proc/net/route").read_text())
    answering = [one for one in interfaces if judge(one, exclusion) is Verdict.ELIGIBLE]
    names = {one.name for one in answering}
    processes, sockets = _processes()
    return HostFacts(
        tuple(_nic(one.name, has_default_route=one.name in ways_out) for one in answering),
        any(one.name == IPVS_INTERFACE for one in interfaces),
        {one.name: found for one in interfaces if one.name not in names and (found := _single(one))},
        tuple(sorted(_ports(sockets), key=lambda port: (port.protocol, port.number))),
        processes,
        rights.missing(),
    )


async def _interfaces() -> tuple[Interface, ...]:
    read: asyncio.Future[tuple[Interface, ...]] = asyncio.get_running_loop().create_future()

    def take(found: tuple[Interface, ...]) -> None:
        if not read.done():
            read.set_result(found)

    monitor = InterfaceMonitor(take)
    try:
        return await asyncio.wait_for(read, PATIENCE_S)
    finally:
        monitor.close()


def _single(interface: Interface) -> tuple[IPv4Address, ...]:
    """Addresses that stand for themselves only, not for a network."""
    return tuple(
        one.ip
        for one in interface.addresses
        if isinstance(one, IPv4Interface) and one.network.prefixlen == 32 and not one.ip.is_loopback
    )


def _nic(name: str, *, has_default_route: bool) -> Nic:
    device = Path("/sys/class/net") / name
    return Nic(
        name,
        proxy_arp=bool(_in_force(name, "proxy_arp")),
        rp_filter=_in_force(name, "rp_filter"),
        arp_ignore=_in_force(name, "arp_ignore"),
        arp_announce=_in_force(name, "arp_announce"),
        is_wireless=(device / "wireless").exists() or (device / "phy80211").exists(),
        has_default_route=has_default_route,
    )


def _in_force(interface: str, switch: str) -> int:
    """The larger of the value for all and that of the interface counts, for each of these switches."""
    return max(int((SYSCTLS / place / switch).read_text()) for place in ("all", interface))


def default_routes(table: str) -> frozenset[str]:
    """The interfaces of default routes in the text of /proc/net/route."""
    rows = [line.split() for line in table.splitlines()[1:]]
    return frozenset(row[0] for row in rows if len(row) > 7 and row[1] == "00000000" and row[7] == "00000000")


def _processes() -> tuple[frozenset[str], dict[int, str]]:
    """The names of the processes of this network, and who has which socket, by inode, as far as we may look."""
    here = Path("/proc/self/ns/net").readlink()
    names: set[str] = set()
    sockets: dict[int, str] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if (entry / "ns" / "net").readlink() != here:
                continue
            name = _name(entry)
            names.add(name)
            for descriptor in (entry / "fd").iterdir():
                target = str(descriptor.readlink())
                if target.startswith("socket:["):
                    sockets[int(target[8:-1])] = name
        except OSError:  # it has ended, or belongs to somebody else
            continue
    return frozenset(names), sockets


def _name(entry: Path) -> str:
    comm = (entry / "comm").read_text(errors="replace").strip()
    words = (entry / "cmdline").read_bytes().split(b"\0")
    if any(word.startswith(b"herald.") for word in words):
        return "herald"
    # MetalLB's image has it as /speaker; many other programs are called so.
    return "metallb-speaker" if comm == "speaker" and words[0] == b"/speaker" else comm


def _ports(holders: dict[int, str]) -> Iterable[Port]:
    seen: dict[tuple[str, int], set[str | None]] = defaultdict(set)
    for protocol in ("tcp", "udp"):
        for file in (f"/proc/net/{protocol}", f"/proc/net/{protocol}6"):
            for number, inode in listeners(Path(file), protocol):
                if (protocol, number) in _WATCHED:
                    seen[protocol, number].add(holders.get(inode))
    return (Port(protocol, number, holder) for (protocol, number), names in seen.items() for holder in names)


def listeners(file: Path, protocol: str) -> Iterator[tuple[int, int]]:
    """Port and inode of each socket that waits for others, from a file like /proc/net/tcp; none if there is no file."""
    try:
        lines = file.read_text().splitlines()[1:]
    except FileNotFoundError:  # a kernel without IPv6
        return
    for line in lines:
        row = line.split()
        if row[3] == _LISTENS[protocol]:
            yield int(row[1].rpartition(":")[2], 16), int(row[9])
