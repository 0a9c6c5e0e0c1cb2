"""BFD of FRR and BIRD beside an engine, advertisements of routers, and what Linux says to its neighbours."""

import asyncio
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from ipaddress import ip_address
from pathlib import Path

import bfd_router
from frr_router import ROUTER, eventually, run
from matrix_bird import bird
from segment import Network, engine, ip
from tap import Packets, Tap, udp_of
from test_bfd_bird import bird as bfd_bird
from test_bfd_frr import FRR_ECHOES, config, peer, wish
from unnumbered_routers import frr

from herald.bfd import control_packet
from herald.bfd.profile import BFDProfile


def bfd_name(version: str) -> Callable[[bytes], str | None]:
    """Control packets by state, diagnostic and flags; echoes of the other end."""

    def name_of(frame: bytes) -> str | None:
        udp = udp_of(frame)
        if udp is None or udp[0] not in (3784, 3785, 4784):
            return None
        if udp[0] == 3785:
            return f"{version}-echo-{len(udp[1])}-octets"
        told = control_packet.decode(udp[1])
        flags = "-poll" * told.poll + "-final" * told.final
        return f"{version}-{udp[0]}-{told.state.text.lower()}-{told.diagnostic}{flags}"

    return name_of


async def bfd_frr() -> Packets:
    found: Packets = {}
    for label, there, here in (
        ("ipv4", bfd_router.ROUTER, bfd_router.HERALD),
        ("ipv6", bfd_router.ROUTER6, bfd_router.HERALD6),
    ):
        profile = FRR_ECHOES if label == "ipv4" else ""
        with bfd_router.wire() as link, tempfile.TemporaryDirectory() as directory:
            for host in (link.router, link.herald):  # who does not forward loops no echoes
                run("ip", "netns", "exec", host, "sysctl", "-qw", "net.ipv4.ip_forward=1")
            tap = Tap(link.herald, bfd_name(label))
            with bfd_router.frr(link.router, config(here, profile=profile)) as router:
                async with engine(link.herald, Path(directory)) as herald:
                    wanted = peer(there, bfd=BFDProfile("echo", 300, 300, echo_interval_ms=50, echo_mode=True))
                    await herald.apply(wish(wanted))
                    await herald.until(lambda facts: any(one.bfd == "Up" for one in facts.sessions), "BFD is up")
                    await asyncio.sleep(1)
                    router.configure("bfd", "profile fast", "transmit-interval 80")
                    await asyncio.sleep(1.5)
                    await herald.apply(wish(peer(there, bfd=BFDProfile("slow", 400, 400))))  # now we poll
                    await asyncio.sleep(1.5)
                    link.lose_bfd()
                    link.let_bfd()
                    router.configure("bfd", "profile fast", "shutdown")
                    await asyncio.sleep(1)
            found |= tap.close()
    with bfd_router.two_hops() as far, tempfile.TemporaryDirectory() as directory:
        tap = Tap(far.herald, bfd_name("ipv4"))
        with bfd_router.frr(far.router, config(bfd_router.HERALD, multihop=True)):
            async with engine(far.herald, Path(directory)) as herald:
                await herald.apply(wish(peer(multihop=True, source_address=ip_address(bfd_router.HERALD))))
                await herald.until(lambda facts: any(one.bfd == "Up" for one in facts.sessions), "BFD is up")
                await asyncio.sleep(0.5)
        found |= {name: frame for name, frame in tap.close().items() if "-4784-" in name}
    return found


async def bfd_bird_alone() -> Packets:
    found: Packets = {}
    for label, there, here in (
        ("ipv4", bfd_router.ROUTER, bfd_router.HERALD),
        ("ipv6", bfd_router.ROUTER6, bfd_router.HERALD6),
    ):
        with bfd_router.wire() as link, tempfile.TemporaryDirectory() as directory:
            tap = Tap(link.herald, bfd_name(label))
            with bfd_bird(link.router, here) as router:
                async with engine(link.herald, Path(directory)) as herald:
                    await herald.apply(wish(peer(there)))
                    await herald.until(lambda facts: any(one.bfd == "Up" for one in facts.sessions), "BFD is up")
                    await asyncio.sleep(1)
                    await herald.apply(wish(peer(there, bfd=BFDProfile("slow", 400, 400))))
                    await asyncio.sleep(1.5)
                    router.birdc("disable", "bfd1")
                    await asyncio.sleep(1)
            found |= tap.close()
    return found


def icmpv6_name(kinds: dict[int, str]) -> Callable[[bytes], str | None]:
    def name_of(frame: bytes) -> str | None:
        if frame[12:14] != b"\x86\xdd" or frame[20] != 58 or frame[54] not in kinds:
            return None
        return kinds[frame[54]]

    return name_of


RA_FRR = f"""
hostname router
router bgp 64501
 bgp router-id {ROUTER}
 neighbor eth0 interface remote-as external
"""
RA_BIRD = f"""
router id {ROUTER};
protocol device {{ }}
protocol radv {{ interface "eth0" {{ max ra interval 4; min delay 3; default lifetime 40; reachable time 30000;
  retrans timer 1000; current hop limit 64; managed yes; link mtu 1400; prefix 2001:db8:7::/64 {{ }}; }};
  rdnss 2001:db8::53; dnssl "example.com"; }}
"""


def router_advertisements() -> Packets:
    found = {"frr-advertisement": _advertisement(frr, RA_FRR), "bird-advertisement": _advertisement(bird, RA_BIRD)}
    return found | _solicitation()


def _advertisement(daemon: Callable[[str, str], AbstractContextManager[object]], config_text: str) -> bytes:
    network = Network()
    try:
        router, node = network.host("router"), network.host("node")
        for host in (router, node):
            run("ip", "netns", "exec", host, "sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0")
        network.wire(router, "eth0", node, "eth0")
        tap = Tap(node, icmpv6_name({134: "advertisement"}))
        with daemon(router, config_text):
            eventually(lambda: "advertisement" in tap.found, "an advertisement comes", 20)
        return tap.close()["advertisement"]
    finally:
        network.close()


def _solicitation() -> Packets:
    network = Network()
    try:
        node, there = network.host("node"), network.host("there")
        ip("link", "add", "eth0", "netns", node, "type", "veth", "peer", "name", "eth0", "netns", there)
        ip("-n", node, "link", "set", "eth0", "up")
        tap = Tap(node, icmpv6_name({133: "linux-solicitation"}))
        ip("-n", there, "link", "set", "eth0", "up")
        eventually(lambda: bool(tap.found), "Linux asks for routers", 20)
        return tap.close()
    finally:
        network.close()


def neighbour_name(frame: bytes) -> str | None:
    """ARP and Neighbor Discovery by what the frame is for."""
    group = "group" if frame[0] & 1 else "unicast"
    if frame[12:14] == b"\x08\x06":
        kind = {1: "request", 2: "reply"}[int.from_bytes(frame[20:22])]
        gratuitous = "gratuitous-" if frame[28:32] == frame[38:42] else "probe-" if not any(frame[28:32]) else ""
        return f"arp-{gratuitous}{kind}-{group}"
    if frame[12:14] != b"\x86\xdd" or frame[20] != 58 or frame[54] not in (135, 136):
        return None
    if frame[54] == 136:
        flags = "".join(letter for letter, bit in (("r", 0x80), ("s", 0x40), ("o", 0x20)) if frame[58] & bit)
        return f"neighbor-advertisement-{flags}-{group}"
    source = "" if any(frame[22:38]) else "dad-"
    return f"neighbor-solicitation-{source}{group}"


def linux_neighbours() -> Packets:
    network = Network()
    try:
        here, there = network.host("here"), network.host("there")
        ip("link", "add", "eth0", "netns", here, "type", "veth", "peer", "name", "eth0", "netns", there)
        ip("-n", here, "link", "set", "eth0", "up")
        tap = Tap(here, neighbour_name)
        ip("-n", there, "link", "set", "eth0", "up")
        for host, number in ((here, 1), (there, 2)):
            ip("-n", host, "addr", "add", f"192.0.2.{number}/24", "dev", "eth0")
            ip("-n", host, "addr", "add", f"2001:db8::{number}/64", "dev", "eth0")
        time.sleep(2.5)  # the search for duplicates

        def at(host: str, *words: str) -> None:
            subprocess.run(["ip", "netns", "exec", host, *words], check=False, capture_output=True)

        quick = ["net.ipv4.neigh.eth0.base_reachable_time_ms=500", "net.ipv4.neigh.eth0.delay_first_probe_time=1"]
        at(there, "sysctl", "-qw", *quick, *(one.replace("ipv4", "ipv6") for one in quick))
        for host, number in ((there, 1), (here, 2)):
            at(host, "ping", "-c1", "-W1", f"192.0.2.{number}")
            at(host, "ping", "-c1", "-W1", f"2001:db8::{number}")
        for _ in range(4):  # a reachable neighbour that has grown stale is asked by unicast
            time.sleep(1)
            at(there, "ping", "-c1", "-W1", "192.0.2.1")
            at(there, "ping", "-c1", "-W1", "2001:db8::1")
        at(here, "arping", "-c1", "-w1", "-I", "eth0", "192.0.2.2")
        at(there, "arping", "-U", "-c1", "-w1", "-I", "eth0", "192.0.2.2")
        at(there, "arping", "-A", "-c1", "-w1", "-I", "eth0", "192.0.2.2")
        at(there, "arping", "-D", "-c1", "-w1", "-I", "eth0", "192.0.2.77")
        at(there, "sysctl", "-qw", "net.ipv6.conf.eth0.ndisc_notify=1")
        ip("-n", there, "link", "set", "eth0", "address", "02:00:00:00:00:77")
        for _ in range(2):
            ip("-n", here, "neigh", "flush", "dev", "eth0")
            at(here, "ping", "-c1", "-W1", "2001:db8::2")
        time.sleep(0.5)
        return tap.close()
    finally:
        network.close()
