"""A node with hundreds of IPv6 addresses behind a switch that snoops MLD: it is a member of every group."""

import re
import subprocess
from ipaddress import IPv6Address
from pathlib import Path

import pytest
from segment import Network, engine, eventually, ip, mac_of

from herald.engine.link import Apply
from herald.layer2 import solicited_node
from herald.layer2.holding import Holding

pytestmark = [pytest.mark.netns, pytest.mark.timeout(120)]

FIRST = IPv6Address("2001:db8:51::1")
COUNT = 700
OPTMEM_MAX = "net.core.optmem_max=20480"
"""What older kernels have: some 400 groups for one socket. Where it is not a namespace's own, it stays as it is."""


def run(host: str, *words: str) -> str:
    done = subprocess.run(["ip", "netns", "exec", host, *words], check=False, capture_output=True, text=True)
    return done.stdout


async def test_the_last_of_more_addresses_than_one_socket_has_groups_is_answered_behind_a_snooping_switch(
    network: Network, tmp_path: Path
) -> None:
    switch, node, client = network.bridge("sw"), network.host("node"), network.host("client")
    for host in (node, client):
        run(host, "sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0")
        network.plug(host, switch)
    run(node, "sysctl", "-qw", OPTMEM_MAX)
    more = ("mcast_snooping", "1", "mcast_querier", "1", "mcast_query_interval", "100")
    more += ("mcast_startup_query_interval", "100", "mcast_query_response_interval", "100")
    ip("-n", switch, "link", "set", "br0", "type", "bridge", *more)
    ip("-n", client, "addr", "add", "2001:db8:51::ffff/64", "dev", "eth0", "nodad")
    addresses = [FIRST + number for number in range(COUNT)]
    groups = {str(solicited_node.group(one)) for one in addresses}
    assert len(groups) == COUNT

    def joined() -> bool:
        return groups <= set(run(node, "ip", "-6", "maddr", "show", "dev", "eth0").split())

    def known_to_the_switch() -> bool:
        return groups <= set(re.findall(r"port pnode grp (\S+)", run(switch, "bridge", "mdb", "show", "dev", "br0")))

    async with engine(node, tmp_path) as herald:
        await herald.until(lambda facts: any(i.ndp_eligible for i in facts.interfaces), "eth0 speaks NDP")
        await herald.apply(Apply(reset=True, holdings=tuple(map(Holding, addresses))))
        await eventually(joined, "every group is joined", seconds=40)
        await eventually(known_to_the_switch, "the switch knows the member of each", seconds=40)
        for address in (addresses[0], addresses[-1]):
            answer = run(client, "ndisc6", "-1", "-r", "5", str(address), "eth0")
            assert mac_of(node).upper() in answer.upper(), answer
        await herald.apply(Apply(reset=True))
        await eventually(lambda: not groups & set(run(node, "ip", "-6", "maddr").split()), "all are left", seconds=40)
        assert "joinGroup" not in herald.log.read_text(), "no group was refused"
