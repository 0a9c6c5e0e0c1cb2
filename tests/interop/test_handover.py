"""Two engines on a segment: one gives an address up for the other, for nobody whom it hears, and for nobody at all."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from segment import EngineProcess, Network, answers, arping, arping_once, engine, eventually, mac_of

from herald.engine.link import Apply, Handover
from herald.layer2.holding import Holding

pytestmark = pytest.mark.netns

VIP = ip_address("192.168.1.200")
TAKE = Apply(holdings=(Holding(VIP),))
GIVE = Apply(holdings_dropped=(VIP,), handovers=(Handover(VIP, "n2"),))


@dataclass
class Pair:
    """Two nodes that look before they announce, and a client."""

    client: str
    first: EngineProcess
    second: EngineProcess
    macs: dict[str, str]

    def said(self, one: EngineProcess, event: str) -> list[dict[str, Any]]:
        """The lines of the log about that event."""
        lines = [json.loads(line) for line in one.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line.get("event") == event]


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    async with AsyncExitStack() as stack:
        network = Network()
        stack.callback(network.close)
        switch = network.bridge("sw")
        hosts = {name: network.host(name) for name in ("n1", "n2", "client")}
        for host in hosts.values():
            network.plug(host, switch)
        words = ("--probe-before-announcing", "--log-level", "debug")
        first, second = [
            await stack.enter_async_context(engine(hosts[name], tmp_path, name, *words)) for name in ("n1", "n2")
        ]
        macs = {name: mac_of(hosts[name]) for name in ("n1", "n2")}
        for one in (first, second):
            await one.until(lambda facts: any(each.eligible for each in facts.interfaces), "eth0 can be used")
        await first.apply(TAKE)
        await answers(hosts["client"], str(VIP), {macs["n1"]})
        yield Pair(hosts["client"], first, second, macs)


async def no_question_is_lost_until_it_has_moved(pair: Pair) -> None:
    async with asyncio.timeout(20):
        while (seen := await arping_once(pair.client, str(VIP))) != {pair.macs["n2"]}:
            assert seen, "somebody answers while the successor looks"


@pytest.mark.parametrize("who", ["the successor", "the predecessor"])
async def test_a_successor_that_looks_first_gets_the_address_whoever_is_told_first(pair: Pair, who: str) -> None:
    if who == "the successor":
        await pair.second.apply(TAKE)
        await pair.first.apply(GIVE)
    else:
        await pair.first.apply(GIVE)
        await pair.second.apply(TAKE)
    await no_question_is_lost_until_it_has_moved(pair)
    await eventually(lambda: bool(pair.said(pair.first, "addressHandedOver")), "the predecessor has seen it move")
    (released,) = pair.said(pair.first, "addressReleased")
    assert released["successor"] == "n2"
    (handed_over,) = pair.said(pair.first, "addressHandedOver")
    assert handed_over["mac"] == pair.macs["n2"]
    assert pair.said(pair.second, "addressInUse") == [], "the successor does not take its predecessor for a squatter"
    assert pair.said(pair.first, "addressConflict") == []


async def test_where_the_successor_is_not_heard_the_address_is_let_go_all_the_same(pair: Pair) -> None:
    await pair.first.apply(GIVE)
    await eventually(lambda: bool(pair.said(pair.first, "addressHandedOver")), "it is let go")
    (handed_over,) = pair.said(pair.first, "addressHandedOver")
    assert handed_over["mac"] is None
    assert await arping(pair.client, str(VIP)) == set()


async def test_where_there_is_no_successor_the_address_is_gone_at_once(pair: Pair) -> None:
    await pair.first.apply(Apply(holdings_dropped=(VIP,)))
    await eventually(lambda: bool(pair.said(pair.first, "addressReleased")), "it is released")
    assert await arping(pair.client, str(VIP), count=1) == set()
    assert pair.said(pair.first, "addressHandedOver") == []
