"""Refreshes on a real bridge that forgets MACs sooner than its hosts forget addresses."""

import subprocess
from ipaddress import ip_address
from pathlib import Path

import pytest
from segment import Network, arp_socket, drain, engine, eventually, ip, mac_of

from herald.engine.link import Apply
from herald.layer2 import arp
from herald.layer2.holding import Holding

pytestmark = pytest.mark.netns

VIP = ip_address("192.168.1.200")


def knows(switch: str, mac: str) -> bool:
    """Whether the bridge has learned behind which port that MAC is."""
    words = ["bridge", "-n", switch, "fdb", "show", "dynamic", "br", "br0"]
    return mac in subprocess.run(words, check=True, capture_output=True, text=True).stdout


async def test_a_quiet_address_stays_known_to_a_switch_that_forgets_soon(network: Network, tmp_path: Path) -> None:
    switch, client, node = network.bridge("sw"), network.host("client"), network.host("node")
    for host in (client, node):
        network.plug(host, switch)
        ip("netns", "exec", host, "sysctl", "-q", "-w", "net.ipv6.conf.all.disable_ipv6=1")  # MLD would speak as well
    ip("-n", switch, "link", "set", "br0", "type", "bridge", "ageing_time", "300")  # 3 s
    quiet, refreshed = tmp_path / "quiet", tmp_path / "refreshed"
    for directory in (quiet, refreshed):
        directory.mkdir()
    mac = mac_of(node)
    unprobed = "--self-probe-interval=0"  # which the switch would learn from as well
    async with engine(node, quiet, "n1", unprobed) as herald:
        await herald.apply(Apply(reset=True, holdings=(Holding(VIP),)))
        await eventually(lambda: knows(switch, mac), "the announcements are learned")
        await eventually(lambda: not knows(switch, mac), "without refreshes the switch forgets", seconds=30)
    async with engine(node, refreshed, "n1", unprobed, "--gratuitous-arp-interval=1") as herald:
        with arp_socket(client) as watching:
            await herald.apply(Apply(reset=True, holdings=(Holding(VIP),)))
            seen: list[bytes] = []
            forgotten: list[bool] = []

            def many_refreshes() -> bool:
                seen.extend(frame for frame in drain(watching) if arp.decode(frame).packet.sender_ip == VIP)
                if seen:
                    forgotten.append(not knows(switch, mac))
                return len(seen) >= 14 + 2 * 8

            await eventually(many_refreshes, "eight refreshes after the seven rounds", seconds=30)
    assert not any(forgotten[1:])
