"""Two real speakers: one dies, and the other tells the story."""

import asyncio
import json
import signal
import sys
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from segment import Network, engine, eventually, ip
from test_interface_election import MANIFESTS, NODES, VIP, Speaker

from herald.engine.link import Apply, Join, Moved
from herald.layer2.holding import Holding

pytestmark = pytest.mark.netns


async def herald(*words: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "herald.cli.main", *words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode, output.decode()


async def told(speaker: Speaker, *address: str) -> list[dict[str, Any]]:
    _, output = await herald("history", *address, "--socket", str(speaker.show_socket), "-o", "json")
    found: list[dict[str, Any]] = json.loads(output)["data"]
    return found


async def until_told(speaker: Speaker, number: int) -> list[dict[str, Any]]:
    for _ in range(40):
        moves = await told(speaker)
        if len(moves) >= number and all(each["cause"] for each in moves):
            return moves
        await asyncio.sleep(0.1)
    raise AssertionError(f"the story is not complete: {moves}")


async def test_a_take_over_its_cause_and_its_return_are_told(network: Network, tmp_path: Path) -> None:
    switch = network.bridge("sw")
    hosts = {node: network.host(node) for node in NODES}
    for host in hosts.values():
        network.plug(host, switch)
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "all.yaml").write_text(MANIFESTS.replace("spec: {interfaces: [eth1]}", "spec: {}"))
    speakers = {node: Speaker(host, node, tmp_path) for node, host in hosts.items()}
    try:
        await eventually(lambda: bool(speakers["n1"].events("addressHeld")), "n1 takes the address", seconds=30)
        await eventually(lambda: bool(speakers["n2"].events("engineConnected")), "n2 runs", seconds=30)
        (first,) = await until_told(speakers["n1"], 1)
        assert (first["what"], first["to"]) == ("taken", "n1")
        await asyncio.sleep(1)  # n2 must have seen n1 alive
        speakers["n1"].process.send_signal(signal.SIGTERM)
        await eventually(lambda: bool(speakers["n2"].events("addressHeld")), "n2 takes it over", seconds=30)
        (taken,) = await until_told(speakers["n2"], 1)
        assert (taken["ip"], taken["what"], taken["from"], taken["to"]) == (VIP, "taken", "n1", "n2")
        assert taken["cause"] == "n1 left in good order"
        assert (taken["detectedBy"], taken["decision"]) == (None, None)
        assert taken["announced"] >= 0
        speakers["n1"].process.wait(10)
        speakers["n1"] = Speaker(hosts["n1"], "n1", tmp_path)
        await eventually(lambda: bool(speakers["n2"].events("addressReleased")), "n1 takes it back", seconds=30)
        back, before = await until_told(speakers["n2"], 2)
        assert (back["what"], back["from"], back["to"]) == ("released", "n2", "n1")
        assert before == taken
        code, table = await herald("history", VIP, "--socket", str(speakers["n2"].show_socket))
        assert code == 0
        assert "n1 left in good order" in table
        assert await told(speakers["n2"], "192.168.1.77") == []
        ip("-n", hosts["n1"], "link", "set", "eth0", "down")
        await eventually(lambda: len(speakers["n2"].events("addressHeld")) == 2, "n2 takes it again", seconds=30)
        (again, *_) = await until_told(speakers["n2"], 3)
        assert "n1: none of the interfaces" in again["cause"], "it is back since it left in good order"
        code, refusal = await herald("history", "nonsense", "--socket", str(speakers["n2"].show_socket))
        assert (code, refusal) == (2, "herald history: 'nonsense' is no IP address\n")
    finally:
        for speaker in speakers.values():
            speaker.close()
            sys.stderr.write(speaker.log.read_text())


@pytest.mark.parametrize("by", ["gossip", "heartbeat"])
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "stopped"])
async def test_a_node_that_died_is_told_from_one_that_was_stopped_and_how_it_was_noticed(
    network: Network, tmp_path: Path, by: str, end: signal.Signals
) -> None:
    switch = network.bridge("sw")
    hosts = {node: network.host(node) for node in NODES}
    for number, host in enumerate(hosts.values(), start=1):
        network.plug(host, switch)
        ip("-n", host, "addr", "add", f"192.168.1.{number}/24", "dev", "eth0")
    vip = ip_address(VIP)
    words = {node: ("--members-dir", str(tmp_path / "members")) for node in NODES}
    if by == "gossip":
        words = {node: ("--ml-bindaddr", f"192.168.1.{number}") for number, node in enumerate(hosts, start=1)}
    async with (
        engine(hosts["n1"], tmp_path, "n1", *words["n1"]) as first,
        engine(hosts["n2"], tmp_path, "n2", *words["n2"]) as second,
    ):
        assert second.channel is not None
        await second.channel.send(Join(("192.168.1.1",)))
        await second.until(lambda facts: len(facts.members) == 2, "n2 knows n1")
        if by == "gossip":
            await asyncio.sleep(1)  # so long that n1 has answered a ping of n2
        await first.end(end)
        await second.until(lambda facts: len(facts.members) == 1, "n1 is gone")
        await second.apply(Apply(holdings=(Holding(vip),)))
        await second.channel.send(Moved((vip,), "n1", "n2", "n1 is gone", previous_gone=True))
        found: list[dict[str, Any]] = []
        for _ in range(100):
            found = json.loads(await second.show("history"))["data"]
            if found and found[0]["cause"]:
                break
            await asyncio.sleep(0.02)
        (only,) = found
        assert (only["from"], only["to"]) == ("n1", "n2")
        logged = second.log.read_text()
        if end is signal.SIGTERM:
            assert (only["cause"], only["detectedBy"], only["detection"]) == ("n1 left in good order", None, None)
            assert '"memberLeft"' in logged
            return
        assert (only["cause"], only["detectedBy"]) == ("n1 is gone", by)
        assert only["detection"] is None if by == "heartbeat" else only["detection"] > 0
        assert 0 <= only["decision"] <= only["announced"]
        assert '"memberDied"' in logged
