"""A second dissector reads what Herald writes: tshark finds nothing malformed and nothing to remark on."""

import asyncio
import json
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
from segment import Network, answers, engine, eventually, inside, ip, mac_of
from small_router import Router

from herald.bgp.community import Community, LargeCommunity
from herald.bgp.notification import Notification
from herald.bgp.parameters import PeerParameters
from herald.bgp.route import Route
from herald.engine.link import Apply, PeerRoutes
from herald.layer2.holding import Holding

pytestmark = [pytest.mark.netns, pytest.mark.interop]

VIP = ip_address("192.168.1.200")
ROUTES = (
    *(Route(ip_network((0x0A640000 + number, 32))) for number in range(2000)),  # more than one message holds
    Route(
        ip_network("192.168.1.201/32"),
        communities=tuple(Community(64500 << 16 | number) for number in range(63)),
        large_communities=(LargeCommunity(64500, 1, 4294967295),),
        prepend=(64500, 4200000001),
    ),
    Route(ip_network("2001:db8:cafe::/64"), communities=(Community(0xFFFFFF01),)),
)


@asynccontextmanager
async def capture(host: str, file: Path, filter_text: str) -> AsyncIterator[None]:
    """Everything on `eth0` of that host that passes the filter, in a file."""
    words = [
        "ip",
        "netns",
        "exec",
        host,
        "tcpdump",
        "--immediate-mode",
        "-i",
        "eth0",
        "-U",
        "-s",
        "0",
        "-w",
        str(file),
        filter_text,
    ]
    process = await asyncio.create_subprocess_exec(*words, stderr=asyncio.subprocess.DEVNULL)
    try:
        await eventually(lambda: file.exists() and file.stat().st_size >= 24, "the capture begins")
        yield
        await asyncio.sleep(0.3)  # the last packets are on their way into the file
    finally:
        process.terminate()
        await process.wait()


def dissected(file: Path, *words: str) -> str:
    done = subprocess.run(["tshark", "-n", "-r", str(file), *words], capture_output=True, text=True, check=True)
    return done.stdout


def packets(file: Path, display_filter: str) -> list[dict[str, Any]]:
    found = json.loads(dissected(file, "-Y", display_filter, "-T", "json") or "[]")
    return [packet["_source"]["layers"] for packet in found]


def remarks(file: Path, protocol: str) -> list[str]:
    """What tshark has to say of the packets of a protocol: its expert information, malformed packets among it."""
    fields = ["-e", "frame.number", "-e", "_ws.expert.message", "-e", "_ws.expert.severity"]
    wrong = f"_ws.malformed or ({protocol} and _ws.expert and not tcp.analysis.flags and not tcp.connection.rst)"
    lines = dissected(file, "-Y", wrong, "-T", "fields", *fields).splitlines()
    # A TTL of 1 is what an external session has on purpose; connections begin and end, and a NOTIFICATION is one.
    usual = ("Time To Live", "Connection ", "NOTIFICATION")
    return [line for line in lines if not any(words in line for words in usual)]


async def test_a_whole_session_is_read_by_tshark_without_a_remark(network: Network, tmp_path: Path) -> None:
    node, peer = network.host("node"), network.host("router")
    network.wire(node, "eth0", peer, "eth0")
    for host, number in ((node, 2), (peer, 1)):
        ip("-n", host, "addr", "add", f"10.50.0.{number}/24", "dev", "eth0")
        ip("-n", host, "addr", "add", f"2001:db8:50::{number}/64", "dev", "eth0", "nodad")
    listener = inside(peer, lambda: socket.create_server(("10.50.0.1", 179)))
    listener.setblocking(False)
    router = Router(listener, both_families=True)
    session = tmp_path / "session.pcap"
    wish = PeerParameters("router", ip_address("10.50.0.1"), 64500, 64501, hold_time=3)
    async with engine(node, tmp_path) as herald, capture(peer, session, "tcp port 179"):
        await herald.apply(Apply(reset=True, peers=(wish,), routes=(PeerRoutes("router", ROUTES, replace=True),)))
        await router.accept_session()
        heard = 0
        while heard < len(ROUTES):
            heard += len(await router.hear_prefixes())
        await herald.apply(Apply(reset=True, peers=(wish,)))
        while heard > 0:
            heard -= len(await router.hear_prefixes())
        await herald.apply(Apply(reset=True))
        assert isinstance(await router.hear_news(), Notification)
    router.close()
    ours = "bgp and ip.src == 10.50.0.2"
    kinds = dissected(session, "-Y", ours, "-T", "fields", "-e", "bgp.type").replace("\n", ",").split(",")
    assert {"1", "2", "3", "4"} <= set(kinds), "OPEN, UPDATE, NOTIFICATION, KEEPALIVE"
    assert remarks(session, "bgp and ip.src == 10.50.0.2") == []
    communities = dissected(session, "-Y", ours, "-T", "fields", "-e", "bgp.update.path_attribute.community_as")
    assert communities.count("64500") == 63


async def test_gratuitous_arp_and_answers_are_read_by_tshark_without_a_remark(network: Network, tmp_path: Path) -> None:
    node, client = network.host("node"), network.host("client")
    network.wire(node, "eth0", client, "eth0")
    segment = tmp_path / "segment.pcap"
    async with engine(node, tmp_path) as herald, capture(client, segment, "arp"):
        await herald.until(lambda facts: any(one.eligible for one in facts.interfaces), "eth0 is eligible")
        await herald.apply(Apply(reset=True, holdings=(Holding(VIP),)))
        await answers(client, str(VIP), {mac_of(node)})
        await eventually(lambda: len(packets(segment, "arp.isgratuitous")) >= 4, "two rounds are in the capture")
    assert remarks(segment, "arp") == []
    gratuitous = packets(segment, "arp.isgratuitous")
    assert {one["arp"]["arp.src.proto_ipv4"] for one in gratuitous} == {str(VIP)}
    assert {one["arp"]["arp.opcode"] for one in gratuitous} == {"1", "2"}
    (answer, *_) = packets(segment, f"arp.opcode == 2 and not arp.isgratuitous and arp.src.proto_ipv4 == {VIP}")
    assert answer["arp"]["arp.src.hw_mac"] == answer["eth"]["eth.src"] == mac_of(node)
