"""What gossip finds out about other nodes, as kubectl shows it: ports that a firewall closes, nodes that come and go.

Control and its API server are as in the cluster, with the shipped rights; the other nodes have an engine only.
"""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from speaker_stand import (
    NAMESPACE,
    NODE,
    STATES,
    Cluster,
    ControlProcess,
    EngineProcess,
    Network,
    comes_true,
    eventually,
    ip,
    show_logs,
)

from herald.engine.link import Apply
from herald.lab.kubernetes.api_server import ApiServer

pytestmark = [pytest.mark.netns, pytest.mark.timeout(240)]

SOON = 60.0
"""Seconds within which an operator is to see it."""
LABELS = "app=metallb,component=speaker"


def address_of(node: str) -> str:
    return f"10.50.0.{1 + int(node.removeprefix('node-'))}"


def pod_of(node: str) -> str:
    return node.replace("node", "speaker")


class Group:
    """`node-1` with control on the API server, and engines on other nodes, which it finds by their pods."""

    def __init__(self, server: ApiServer, directory: Path, stack: AsyncExitStack) -> None:
        self.cluster = Cluster(server)
        self._directory = directory
        self._stack = stack
        self._network = Network()
        stack.callback(self._network.close)
        self._switch = self._network.bridge("sw")
        self._hosts: dict[str, str] = {}
        self.engines: dict[str, EngineProcess] = {}

    async def start(self, *others: str) -> ControlProcess:
        """The engines, then control; returns when all know each other."""
        for node in (NODE, *others):
            host = self._hosts[node] = self._network.host(node.replace("-", ""))
            self._network.plug(host, self._switch)
            ip("-n", host, "addr", "add", f"{address_of(node)}/24", "dev", "eth0")
            self.add_node(node)
            words = ["--ml-bindaddr", address_of(node)]
            engine = self.engines[node] = EngineProcess(host, self._directory, node, *words)
            self._stack.push_async_callback(engine.close)
        log = self._directory / "control.log"
        control = ControlProcess(self.cluster, self.engines[NODE].link, log, "--ml-labels", LABELS)
        self._stack.callback(control.close)
        for node in others:
            await self.come_up(node)
        for node in others:
            await self.knows(node, {NODE, *others})
        return control

    async def come_up(self, node: str) -> None:
        """The test is its control, and wishes nothing."""
        await self.engines[node].connect()
        await self.engines[node].apply(Apply(reset=True))

    async def knows(self, node: str, members: set[str]) -> None:
        """That node, which the test controls, takes exactly these for alive."""
        one = self.engines[node]
        await eventually(lambda: {member.node for member in one.facts.members} == members, f"members {members}")

    async def returns(self, node: str) -> None:
        """An engine that was ended is started again."""
        await self.engines[node].restart()
        await self.engines[node].apply(Apply(reset=True))
        await self.shows({NODE, node})

    async def shows(self, members: set[str]) -> None:
        """The engine of `node-1` tells these members, and that they have interfaces: it is ready, each."""
        for _ in range(500):
            rows = json.loads(await self.engines[NODE].show("members"))["data"]
            if {row["name"] for row in rows if row["state"] == "alive" and row["interfaces"]} == members:
                return
            await asyncio.sleep(0.02)
        raise AssertionError(f"{NODE} does not show the members {members}, but {rows}")

    def add_node(self, node: str) -> None:
        """A node and its speaker, as the cluster has them; nothing runs there for that."""
        address = address_of(node)
        self.cluster.apply(f"""
apiVersion: v1
kind: Node
metadata: {{name: {node}}}
---
apiVersion: v1
kind: Pod
metadata: {{name: {pod_of(node)}, namespace: {NAMESPACE}, labels: {{app: metallb, component: speaker}}}}
spec: {{nodeName: {node}, serviceAccountName: speaker, containers: [{{name: speaker, image: herald}}]}}
""")
        for path, status in (
            (f"/api/v1/nodes/{node}", {"addresses": [{"type": "InternalIP", "address": address}]}),
            (f"/api/v1/namespaces/{NAMESPACE}/pods/{pod_of(node)}", {"phase": "Running", "hostIP": address}),
        ):
            kind = "application/merge-patch+json"
            self.cluster.server.request("PATCH", f"{path}/status", {"status": status}, content_type=kind)

    def drop(self, node: str, protocol: str) -> None:
        """A firewall there drops what goes to port 7946 of `node-1`, and what comes from it to its own."""
        lines = ["add table inet block"]
        for hook, end in (("output", "daddr"), ("input", "saddr")):
            lines += [
                f"add chain inet block {hook} {{ type filter hook {hook} priority 0; }}",
                f"add rule inet block {hook} ip {end} {address_of(NODE)} {protocol} dport 7946 drop",
            ]
        self._nft(node, "\n".join(lines))

    def open(self, node: str) -> None:
        self._nft(node, "delete table inet block")

    def _nft(self, node: str, text: str) -> None:
        words = ["ip", "netns", "exec", self._hosts[node], "nft", "-f", "-"]
        subprocess.run(words, input=text, check=True, capture_output=True, text=True)

    def conditions(self) -> dict[str, dict[str, str]]:
        """Those of the ConfigurationState of `node-1`, by type."""
        return {one["type"]: one for one in (self.cluster.status(STATES) or {}).get("conditions", ())}

    def unreachable(self) -> dict[str, str]:
        """What that says of closed ways: their ends, and why."""
        message = self.conditions().get("speakersReachable", {"message": ""})["message"]
        return dict(line.split(" unreachable: ") for line in message.splitlines())

    def told(self, about: str, reason: str) -> set[str]:
        """The messages of the events about that object (`Node/n`) for that reason, wherever they stand."""
        events = self.cluster.events("default") + self.cluster.events(NAMESPACE)
        return {message for name, why, message, _ in events if (name, why) == (about, reason)}

    def described(self, *words: str) -> str:
        """The events that `kubectl describe` shows, one space between two words."""
        text = self.cluster.server.kubectl("describe", *words)
        return " ".join(text.partition("\nEvents:")[2].split())


@asynccontextmanager
async def group(server: ApiServer, directory: Path) -> AsyncIterator[Group]:
    async with AsyncExitStack() as stack:
        try:
            yield Group(server, directory, stack)
        except BaseException:
            show_logs(directory)
            raise


def needed(way: str) -> str:
    protocol = way.partition("/")[0].rpartition(" ")[2]
    return f"Speakers need {protocol.upper()} port 7946 both ways"


async def test_closed_ports_stand_in_the_status_and_as_events_of_the_node_until_they_open(
    cluster: ApiServer, tmp_path: Path
) -> None:
    async with group(cluster, tmp_path) as made:
        made.add_node("node-9")  # nothing runs there
        await made.start("node-2", "node-3")
        await comes_true(lambda: made.conditions().keys() == {"configReconcilerValid"}, "the status without it")
        judged_at = made.conditions()["configReconcilerValid"]["lastTransitionTime"]
        made.drop("node-2", "udp")
        made.drop("node-3", "tcp")
        ways = {
            "node-1 → node-2 udp/7946",
            "node-2 → node-1 udp/7946",
            "node-1 → node-3 tcp/7946",
            "node-1 → node-9 udp/7946",
            "node-1 → node-9 tcp/7946",
        }
        await comes_true(lambda: made.unreachable().keys() == ways, f"the condition names {ways}", SOON)
        await made.knows("node-2", {NODE, "node-2", "node-3"})  # nobody is lost for it
        told = made.conditions()
        assert (told["speakersReachable"]["status"], told["speakersReachable"]["reason"]) == ("False", "GossipBlocked")
        assert told["configReconcilerValid"]["lastTransitionTime"] == judged_at, "nothing new there"
        assert made.unreachable()["node-1 → node-3 tcp/7946"] == "no answer in time"
        assert made.unreachable()["node-1 → node-9 tcp/7946"] == "no route to host"
        closed = {f"{way} unreachable: {why}. {needed(way)}" for way, why in made.unreachable().items()}
        await comes_true(lambda: made.told(f"Node/{NODE}", "SpeakerUnreachable") == closed, "the events")

        made.open("node-2")
        made.open("node-3")
        made.cluster.server.kubectl("delete", "pod", pod_of("node-9"), "-n", NAMESPACE, "--force")
        await comes_true(lambda: made.conditions().keys() == {"configReconcilerValid"}, "it is gone", SOON)
        assert made.conditions()["configReconcilerValid"]["lastTransitionTime"] == judged_at
        again = {f"{way}: no longer unreachable" for way in ways}
        await comes_true(lambda: made.told(f"Node/{NODE}", "SpeakerReachable") == again, "the events that end it")
        shown = made.described("node", NODE)
        assert all(text in shown for text in closed | again)
        assert shown.count("Warning SpeakerUnreachable") == shown.count("Normal SpeakerReachable") == len(ways)


async def test_a_node_that_comes_and_goes_is_named_by_an_event_of_the_advertisement_that_damps_it(
    cluster: ApiServer, tmp_path: Path
) -> None:
    async with group(cluster, tmp_path) as made:
        made.cluster.apply(f"""
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: {{name: steady, namespace: {NAMESPACE}}}
spec: {{flapDamping: true}}
""")
        await made.start("node-2")
        log = made.engines[NODE].log
        await eventually(lambda: '"peerAdded"' in log.read_text(), "control has decided, and knows who is there")
        for _ in range(2):
            await made.engines["node-2"].end()
            await made.shows({NODE})
            await made.returns("node-2")

        await comes_true(lambda: bool(made.told("L2Advertisement/steady", "NodeDamped")), "the event")
        shown = made.described("-n", NAMESPACE, "l2advertisement", "steady")
        assert shown.count("Warning NodeDamped") == 1, "and one loss is none"
        assert "node-2 was lost 2 times and stands for no election for " in shown
        assert made.told("L2Advertisement/l2", "NodeDamped") == set(), "it does not damp"
