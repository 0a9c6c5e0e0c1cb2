"""Whole speakers that know each other by the shared folder, and lose it."""

import json
import shutil
import sys
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from segment import Network, answers, arping, eventually, mac_of
from test_arp_history import herald
from test_interface_election import MANIFESTS, NODES, VIP, Speaker

from herald.engine.heartbeat import DEAD_AFTER

pytestmark = pytest.mark.netns


async def members(speaker: Speaker) -> list[dict[str, Any]]:
    _, output = await herald("show", "members", "--socket", str(speaker.show_socket), "-o", "json")
    found: list[dict[str, Any]] = json.loads(output)["data"]
    return found


async def test_a_shared_folder_that_goes_away_makes_nobody_a_second_owner(network: Network, tmp_path: Path) -> None:
    switch = network.bridge("sw")
    client = network.host("client")
    network.plug(client, switch)
    hosts = {node: network.host(node) for node in NODES}
    for host in hosts.values():
        network.plug(host, switch)
    folder = tmp_path / "config"
    folder.mkdir()
    beats = folder / ".herald" / "members"
    (folder / "all.yaml").write_text(MANIFESTS.replace("spec: {interfaces: [eth1]}", "spec: {}"))
    speakers = {node: Speaker(host, node, tmp_path, beats) for node, host in hosts.items()}
    owner, other = speakers["n1"], speakers["n2"]
    mac = mac_of(hosts["n1"], "eth0")

    async def only_the_owner_answers(seconds: float) -> None:
        until = monotonic() + seconds
        while monotonic() < until:
            assert await arping(client, VIP) == {mac}

    try:
        await eventually(lambda: bool(other.events("membersChanged")), "n2 sees n1", seconds=30)
        await answers(client, VIP, {mac})
        shutil.rmtree(beats)
        await only_the_owner_answers(2 * DEAD_AFTER)
        assert [row["name"] for row in await members(other)] == ["n1", "n2"]
        folder.rename(tmp_path / "away")
        await eventually(lambda: bool(other.events("heartbeatFailed")), "n2 says so")
        await only_the_owner_answers(2 * DEAD_AFTER)
        assert [row["name"] for row in await members(other) if "cannot be" in row["stale"]["problem"]] == ["n1", "n2"]
        assert not other.events("memberDied")
        (tmp_path / "away").rename(folder)
        await eventually(lambda: bool(other.events("heartbeatRestored")), "n2 says that it works again")
        await only_the_owner_answers(2 * DEAD_AFTER)
        assert not other.events("memberDied")
        owner.close()
        await answers(client, VIP, {mac_of(hosts["n2"], "eth0")})
    finally:
        for speaker in speakers.values():
            speaker.close()
            sys.stderr.write(speaker.log.read_text())
