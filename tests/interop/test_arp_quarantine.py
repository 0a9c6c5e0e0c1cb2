"""An address that a host on the segment has configured: kept back, told with its MAC, announced when it is free."""

import json
from ipaddress import ip_address
from pathlib import Path

import pytest
from segment import Network, answers, arping, engine, eventually, ip, mac_of

from herald.engine.link import Apply
from herald.layer2.holding import Holding

pytestmark = pytest.mark.netns

VIP, VIP6, FREE = "192.168.1.200", "2001:db8::200", "192.168.1.201"
PREFIXES = {VIP: 24, VIP6: 64}


@pytest.mark.parametrize("used", [VIP, VIP6], ids=["IPv4", "IPv6"])
async def test_an_address_that_a_host_uses_is_kept_back_until_it_is_free(
    network: Network, tmp_path: Path, used: str
) -> None:
    switch = network.bridge("sw")
    node, client, squatter = network.host("node"), network.host("client"), network.host("squatter")
    for host in (node, client, squatter):
        network.plug(host, switch)
    address = f"{used}/{PREFIXES[used]}"
    ip("-n", squatter, "addr", "add", address, "dev", "eth0", *(["nodad"] if ":" in used else []))
    async with engine(node, tmp_path, "n1", "--probe-before-announcing") as herald:
        await herald.until(lambda facts: any(one.ndp_eligible for one in facts.interfaces), "eth0 can be used")
        wish = tuple(Holding(ip_address(one)) for one in (used, FREE))
        await herald.apply(Apply(reset=True, holdings=wish))
        facts = await herald.until(lambda facts: bool(facts.holdings), "the address is told to be in use")
        (told,) = facts.holdings
        assert (str(told.address), told.reason) == (
            used,
            f"not answered: in use by {mac_of(squatter)} on eth0; it is asked again every 5 s",
        )
        await answers(client, FREE, {mac_of(node)})
        if used == VIP:
            assert await arping(client, VIP) == {mac_of(squatter)}
        shown = json.loads(await herald.show("l2"))["data"]["inUse"]
        assert shown == [{"ip": used, "interface": "eth0", "mac": mac_of(squatter)}]
        assert herald.log.read_text().count("addressInUse") == 1
        ip("-n", squatter, "addr", "del", address, "dev", "eth0")
        await herald.until(lambda facts: not facts.holdings, "the address is answered")
        if used == VIP:
            await answers(client, VIP, {mac_of(node)})
        await eventually(lambda: "addressFree" in herald.log.read_text(), "that it is free is logged")
