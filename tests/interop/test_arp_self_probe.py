"""A speaker whose answers do not leave: its link's queue is stuck, nothing else is wrong. Another one takes over."""

import asyncio
import json
import sys
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path

import pytest
from segment import Network, answers, arping, engine, eventually, ip, mac_of
from test_interface_election import MANIFESTS, NODES, VIP, Speaker

from herald.engine.link import Apply, Facts
from herald.layer2.holding import Holding

pytestmark = pytest.mark.netns

STUCK = ("root", "tbf", "rate", "8bit", "burst", "100", "limit", "100000")
"""Takes what is sent, and lets one octet a second out: the kernel reports no error."""


def tc(host: str, *words: str) -> None:
    ip("netns", "exec", host, "tc", "qdisc", *words)


def stick(host: str) -> None:
    tc(host, "add", "dev", "eth0", *STUCK)


def free(host: str) -> None:
    tc(host, "del", "dev", "eth0", "root")


EGRESS = "table netdev t { chain e { type filter hook egress device eth0 priority 0; ether type arp drop; }; }"
"""Drops what is sent, and tells the sender so: ENOBUFS."""


def refuse(host: str) -> None:
    ip("netns", "exec", host, "nft", EGRESS)


def accept(host: str) -> None:
    ip("netns", "exec", host, "nft", "delete table netdev t")


def reading(facts: Facts) -> dict[str, str]:
    return {one.name: one.verdict for one in facts.interfaces if one.name == "eth0"}


async def test_a_healthy_link_is_seen_to_send_and_is_never_called_mute(network: Network, tmp_path: Path) -> None:
    node, client = network.host("node"), network.host("client")
    network.wire(node, "eth0", client, "eth0")
    async with engine(node, tmp_path, "n1", "--self-probe-interval=1") as herald:
        await herald.apply(Apply(reset=True, holdings=(Holding(ip_address(VIP)), Holding(ip_address("2001:db8::200")))))
        for _ in range(4):
            await asyncio.sleep(1)
            told = json.loads(await herald.show("l2"))["data"]["selfProbe"]
            assert all(one["failures"] == 0 and not one["mute"] for one in told), told
        assert [(one["interface"], one["protocol"]) for one in told] == [("eth0", "ARP"), ("eth0", "NDP")]
        assert all(one["lastLeft"] < 2 for one in told)
        assert (tmp_path / "n1.log").read_text().count("linkMute") == 0


@pytest.mark.parametrize(("close", "reopen"), [(stick, free), (refuse, accept)], ids=["stuck queue", "egress filter"])
async def test_what_does_not_leave_is_noticed_told_with_its_reason_and_forgiven_when_it_does_again(
    network: Network, tmp_path: Path, close: Callable[[str], None], reopen: Callable[[str], None]
) -> None:
    node, client = network.host("node"), network.host("client")
    network.wire(node, "eth0", client, "eth0")
    async with engine(node, tmp_path, "n1", "--self-probe-interval=1") as herald:
        await herald.apply(Apply(reset=True, holdings=(Holding(ip_address(VIP)),)))
        await answers(client, VIP, {mac_of(node)})
        close(node)
        facts = await herald.until(lambda facts: bool(facts.holdings), "the address is told to be answered nowhere")
        assert [(str(one.address), one.reason) for one in facts.holdings] == [
            (VIP, "not answered: what this node sends on its interfaces does not leave them")
        ]
        assert reading(facts) == {"eth0": "is mute: what this node sends on it does not leave"}
        assert await arping(client, VIP, count=1) == set()
        told = [json.loads(line) for line in herald.log.read_text().splitlines()]
        assert [line["interface"] for line in told if line.get("event") == "linkMute"] == ["eth0"]
        shown = json.loads(await herald.show("l2"))["data"]
        assert shown["holdings"][0]["answeredOn"] == []
        assert shown["selfProbe"][0]["mute"] is True
        reopen(node)
        await herald.until(lambda facts: not facts.holdings, "the address is answered again")
        await answers(client, VIP, {mac_of(node)})


async def test_another_speaker_takes_the_address_of_a_mute_one_over(network: Network, tmp_path: Path) -> None:
    switch, client = network.bridge("sw"), network.host("client")
    hosts = {node: network.host(node) for node in NODES}
    for host in (client, *hosts.values()):
        network.plug(host, switch)
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "all.yaml").write_text(MANIFESTS.replace("spec: {interfaces: [eth1]}", "spec: {}"))
    speakers = {node: Speaker(host, node, tmp_path) for node, host in hosts.items()}
    try:
        await eventually(lambda: bool(speakers["n1"].events("addressHeld")), "n1 takes the address", seconds=30)
        await answers(client, VIP, {mac_of(hosts["n1"])})
        stick(hosts["n1"])
        await eventually(lambda: bool(speakers["n2"].events("addressHeld")), "n2 takes it over", seconds=30)
        await answers(client, VIP, {mac_of(hosts["n2"])})
        await eventually(lambda: bool(speakers["n1"].events("addressReleased")), "n1 has given it up")
        await eventually(
            lambda: any("what this node sends on its" in told for told in speakers["n1"].events("announceFailed")),
            "and control, another process, has said why",
        )
        free(hosts["n1"])
        await eventually(lambda: bool(speakers["n1"].events("linkSpeaks")), "n1 can be heard again")
        await answers(client, VIP, {mac_of(hosts["n1"])})
    finally:
        for speaker in speakers.values():
            speaker.close()
            sys.stderr.write(speaker.log.read_text())
