"""Three whole speakers that gossip; the owner of addresses under several policies is killed again and again."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from segment import Network, arping, eventually, ip, mac_of

from herald.announcement.election import order
from herald.cluster.meta import NodeName

pytestmark = [pytest.mark.netns, pytest.mark.timeout(280)]

NODES = ("n1", "n2", "n3")
DELAY_S = 1.0
KILLS = 5
"""Ten give the same, and take twice as long."""
POLICIES = {
    "default": "",
    "never": "failback: never",
    "delay": f"failback: delay, failbackDelay: {DELAY_S:g}s",
    "damping": "flapDamping: true",
}


def addresses() -> dict[str, str]:
    """For each policy an address that MetalLB's election gives to n1."""
    everyone = list(map(NodeName, NODES))
    of_n1 = [f"192.168.1.{n}" for n in range(100, 200) if order(everyone, ip_address(f"192.168.1.{n}"), {})[0] == "n1"]
    return dict(zip(POLICIES, of_n1, strict=False))


VIPS = addresses()


OF_ONE_POLICY = """---
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: POLICY, namespace: metallb-system}
spec: {addresses: [VIP/32]}
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: {name: POLICY, namespace: metallb-system}
spec: {ipAddressPools: [POLICY], SPEC}
---
apiVersion: v1
kind: Service
metadata: {name: POLICY, namespace: default}
spec: {type: LoadBalancer, ports: [{port: 80}]}
status: {loadBalancer: {ingress: [{ip: VIP}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: POLICY-1, namespace: default, labels: {kubernetes.io/service-name: POLICY}}
addressType: IPv4
endpoints: [{addresses: [10.1.1.1], conditions: {ready: true}}]
"""


def manifests() -> str:
    nodes = [f"--- {{apiVersion: v1, kind: Node, metadata: {{name: {node}}}}}\n" for node in NODES]
    ours = [
        OF_ONE_POLICY.replace("POLICY", policy).replace("VIP", VIPS[policy]).replace("SPEC", spec)
        for policy, spec in POLICIES.items()
    ]
    return "".join((*nodes, *ours))


class Speaker:
    """The processes of one node, which can be killed at once and started again; their log goes on."""

    def __init__(self, host: str, node: str, directory: Path) -> None:
        self.host = host
        self.node = node
        self._log = directory / f"{node}.log"
        self.show_socket = directory / f"{node}.show"
        self._words = ["ip", "netns", "exec", host, sys.executable, "-m", "herald.speaker.supervisor"]
        self._words += ["--node-name", node, "--run-dir", str(directory / f"{node}.run")]
        self._words += ["--show-socket", str(self.show_socket)]
        self._words += ["--engine=--ml-bindaddr", f"--engine=192.168.1.{NODES.index(node) + 1}"]
        self._words += ["--", "--config", str(directory / "config")]
        self._words += [f"--ml-join=192.168.1.{number + 1}" for number in range(len(NODES))]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(self._words, stdout=log, stderr=log, start_new_session=True)

    def kill(self) -> None:
        """All of its processes, without a word, as when the host loses power."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)

    def child(self, module: str) -> int:
        """The process that runs this module below the supervisor."""
        assert self.process is not None
        for pid in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split():
            if f"\0{module}\0".encode() in Path("/proc", pid, "cmdline").read_bytes():
                return int(pid)
        raise AssertionError(f"{self.node} runs no {module}")

    def signal_control(self, number: signal.Signals) -> None:
        os.kill(self.child("herald.speaker.control_process"), number)

    def shown(self) -> dict[str, dict[str, Any]]:
        """What `herald show members` says there, by name."""
        words = [sys.executable, "-m", "herald.cli.main", "show", "members", "-o", "json", "--socket"]
        done = subprocess.run([*words, str(self.show_socket)], check=False, capture_output=True)
        return {} if done.returncode else {row["name"]: row for row in json.loads(done.stdout)["data"]}

    def events(self, name: str, **fields: str) -> list[dict[str, Any]]:
        """The lines of the log about that event, oldest first."""
        lines = [json.loads(line) for line in self._log.read_text().splitlines() if line.endswith("}")]
        return [
            line
            for line in lines
            if line.get("event") == name and all(str(line.get(key)) == text for key, text in fields.items())
        ]

    def taken(self, policy: str) -> list[float]:
        """When it took the address of that policy, in seconds."""
        found = self.events("addressHeld", ip=VIPS[policy])
        return [datetime.fromisoformat(line["ts"].replace("Z", "+00:00")).timestamp() for line in found]

    def released(self, policy: str) -> list[float]:
        found = self.events("addressReleased", ip=VIPS[policy])
        return [datetime.fromisoformat(line["ts"].replace("Z", "+00:00")).timestamp() for line in found]


class Group:
    """The three on one segment, and a client."""

    def __init__(self, directory: Path) -> None:
        self.network = Network()
        switch = self.network.bridge("sw")
        self.client = self.network.host("client")
        self.network.plug(self.client, switch)
        (directory / "config").mkdir()
        (directory / "config" / "all.yaml").write_text(manifests())
        self.speakers: dict[str, Speaker] = {}
        for number, node in enumerate(NODES, start=1):
            host = self.network.host(node)
            self.network.plug(host, switch)
            ip("-n", host, "addr", "add", f"192.168.1.{number}/24", "dev", "eth0")
            self.speakers[node] = Speaker(host, node, directory)

    def moves(self, policy: str) -> int:
        """How often the address went to another node since somebody first took it."""
        return sum(len(speaker.taken(policy)) for speaker in self.speakers.values()) - 1

    async def owner(self, policy: str) -> str:
        """The one node that answers; fails if it is not exactly one."""
        macs = {mac_of(speaker.host): node for node, speaker in self.speakers.items()}
        (found,) = {macs[mac] for mac in await arping(self.client, VIPS[policy])}
        return found

    def has_released(self, speakers: list[Speaker], policy: str, times: int) -> bool:
        """Whether these have let go of it so often."""
        return sum(len(one.released(policy)) for one in speakers) >= times

    async def taken_by(self, speakers: list[Speaker], times: int) -> None:
        """Wait until these have taken what moves every time, so often."""

        def done() -> bool:
            return all(sum(len(one.taken(policy)) for one in speakers) >= times for policy in ("default", "delay"))

        await eventually(done, f"{[one.node for one in speakers]} take over, for the {times}. time", seconds=30)

    async def claims(self, *nodes: str) -> None:
        """Wait until all others know that these nodes keep something."""

        def known() -> bool:
            told = [speaker.shown() for speaker in self.speakers.values()]
            return all(rows.get(node, {}).get("note") for rows in told for node in nodes)

        await eventually(known, f"{nodes} claim what they hold", seconds=60)

    def close(self) -> None:
        for speaker in self.speakers.values():
            speaker.kill()
        self.network.close()


@pytest.fixture
def group(tmp_path: Path) -> Iterator[Group]:
    made = Group(tmp_path)
    yield made
    made.close()


async def test_an_owner_that_is_killed_again_and_again_moves_its_addresses_as_often_as_each_policy_says(
    group: Group,
) -> None:
    first, others = group.speakers["n1"], [group.speakers[node] for node in ("n2", "n3")]
    for speaker in group.speakers.values():
        speaker.start()
    await group.claims("n1")
    assert {await group.owner(policy) for policy in POLICIES} == {"n1"}, "all begin where MetalLB's election puts them"
    begun = {policy: group.moves(policy) for policy in POLICIES}

    for number in range(1, KILLS + 1):
        first.kill()
        await group.taken_by(others, number)
        first.start()
        await group.taken_by([first], number + 1)
        await eventually(
            partial(group.has_released, others, "delay", number), "who gave it back has let go of it", seconds=10
        )
        returned = max(at for other in others for at in other.released("default"))
        assert first.taken("delay")[-1] - returned >= DELAY_S - 0.1, "it counts from when the others see n1"

    moved = {policy: group.moves(policy) - begun[policy] for policy in POLICIES}
    print(moved)
    assert moved["default"] == moved["delay"] == 2 * KILLS
    assert moved["never"] == 1
    assert moved["damping"] <= 3
    assert await group.owner("default") == await group.owner("delay") == "n1"
    assert "n1" not in {await group.owner("never"), await group.owner("damping")}
    told = [line["msg"] for other in others for line in other.events("nodeDamped", node="n1")]
    assert any(text.startswith("n1 was lost 2 times and stands for no election for") for text in told), told

    # Giving back loses nothing: who takes it back answers before the other falls silent.
    for policy in ("default", "delay"):
        answered = first.taken(policy)[1:]
        silent = sorted(at for other in others for at in other.released(policy))
        assert len(answered) == len(silent) == KILLS
        assert all(after > before for before, after in zip(answered, silent, strict=True)), policy
    claims = [line for one in group.speakers.values() for line in one.events("addressConflict")]
    print(f"heard another owner for a moment: {len(claims)}")

    # A power cut: nobody is there, and nobody has claims.
    for speaker in group.speakers.values():
        speaker.kill()
    for speaker in group.speakers.values():
        speaker.start()
    await group.claims("n1")
    for policy in POLICIES:
        assert await group.owner(policy) == "n1", "without a past it is the plain election"


async def test_a_drained_owner_hands_over_and_gets_back_only_what_goes_back(group: Group, tmp_path: Path) -> None:
    for speaker in group.speakers.values():
        speaker.start()
    await group.claims("n1")
    first, others = group.speakers["n1"], [group.speakers["n2"], group.speakers["n3"]]
    file = tmp_path / "config" / "all.yaml"
    plain = file.read_text()
    drained = plain.replace(
        "metadata: {name: n1}", 'metadata: {name: n1, annotations: {herald.metallb.io/drain: "1s"}}'
    )
    assert drained != plain
    for text, takers, times in ((drained, others, 1), (plain, [first], 2)):
        new = tmp_path / "new.yaml"
        new.write_text(text)
        new.replace(file)
        await group.taken_by(takers, times)
        if text is drained:  # what is taken is kept as soon as the others know it, a tenth of a second later
            await group.claims(*(other.node for other in others if other.taken("never")))
    await eventually(partial(group.has_released, others, "delay", 1), "who gave it back has let go of it")
    assert {policy: await group.owner(policy) == "n1" for policy in POLICIES} == {
        "default": True,
        "never": False,
        "delay": True,
        "damping": True,
    }
    assert group.moves("never") == 1


async def test_a_node_that_stood_still_does_not_take_back_what_others_keep(group: Group) -> None:
    for speaker in group.speakers.values():
        speaker.start()
    await group.claims("n1")
    first = group.speakers["n1"]
    assert first.process is not None
    os.killpg(first.process.pid, signal.SIGSTOP)
    others = [group.speakers[node] for node in ("n2", "n3")]
    await eventually(
        lambda: all(any(other.taken(policy) for other in others) for policy in POLICIES), "others take over", seconds=30
    )
    await asyncio.sleep(0.5)
    os.killpg(first.process.pid, signal.SIGCONT)
    await eventually(lambda: bool(first.released("never")), "n1 lets go of what another node keeps", seconds=30)
    await eventually(lambda: any(other.released("default") for other in others), "the plain one goes back", seconds=30)
    await asyncio.sleep(0.5)
    assert await group.owner("default") == "n1"
    assert await group.owner("never") != "n1"


async def test_what_others_took_while_only_the_engine_was_dead_goes_back_as_each_policy_says(group: Group) -> None:
    for speaker in group.speakers.values():
        speaker.start()
    await group.claims("n1")
    first, others = group.speakers["n1"], [group.speakers["n2"], group.speakers["n3"]]
    assert first.process is not None
    os.kill(first.child("herald.engine"), signal.SIGKILL)
    await group.taken_by(others, 1)
    await eventually(partial(group.has_released, others, "delay", 1), "n2 gives it back after the delay", seconds=30)
    await eventually(partial(group.has_released, others, "default", 1), "the plain one goes back", seconds=30)
    assert {policy: await group.owner(policy) == "n1" for policy in ("default", "never", "delay")} == {
        "default": True,
        "never": False,
        "delay": True,
    }
    assert not any(other.released("never") for other in others)


async def test_controls_that_hang_cost_no_address_and_are_started_again(group: Group) -> None:
    for speaker in group.speakers.values():
        speaker.start()
    await group.claims("n1")
    first, others = group.speakers["n1"], [group.speakers["n2"], group.speakers["n3"]]

    # All of them: nobody takes anything, and all keep what they have.
    for speaker in group.speakers.values():
        speaker.signal_control(signal.SIGSTOP)
    await eventually(
        lambda: all(speaker.events("controlAway") for speaker in group.speakers.values()), "all see it", seconds=30
    )
    rows = first.shown()
    assert rows["n1"]["away"] == "connected, and silent for 10 s"
    assert [rows[node].get("starting") for node in NODES] == [True] * 3
    assert {await group.owner(policy) for policy in POLICIES} == {"n1"}
    for speaker in group.speakers.values():
        speaker.signal_control(signal.SIGCONT)
    await eventually(
        lambda: all(speaker.events("controlBack") for speaker in group.speakers.values()), "all are back", seconds=30
    )
    await eventually(lambda: not any(row.get("starting") for row in first.shown().values()), "and that is known")
    assert {policy: group.moves(policy) for policy in POLICIES} == dict.fromkeys(POLICIES, 0)
    assert {await group.owner(policy) for policy in POLICIES} == {"n1"}

    # That of the owner, whose engine lives: it answers until another one does, and that one keeps what is kept.
    first.signal_control(signal.SIGSTOP)
    await eventually(
        lambda: all(any(other.taken(policy) for other in others) for policy in POLICIES), "others take over", seconds=30
    )
    assert "n1" not in {await group.owner(policy) for policy in POLICIES}
    assert all(len(first.released(policy)) == 1 for policy in POLICIES)
    await eventually(lambda: bool(first.events("controlHangs")), "it is to be ended", seconds=40)
    await eventually(lambda: len(first.events("controlBack")) == 2, "it is started again", seconds=30)
    assert [line["event"] for line in first.events("controlKilled")] == ["controlKilled"]
    await eventually(partial(group.has_released, others, "default", 1), "the plain one goes back", seconds=30)
    await eventually(partial(group.has_released, others, "delay", 1), "who gave it back lets go of it", seconds=30)
    owners = {policy: await group.owner(policy) for policy in POLICIES}
    assert (owners["default"], owners["delay"]) == ("n1", "n1")
    assert owners["never"] in ("n2", "n3")
