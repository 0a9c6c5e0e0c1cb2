"""Plain hosts that find each other by the names of a list: two standalones, each on a folder of its own."""

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from segment import Network, eventually, ip

pytestmark = [pytest.mark.netns, pytest.mark.timeout(180)]

HERALD = str(Path(sys.executable).with_name("herald"))
MANIFESTS = """
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: { name: lan, namespace: metallb-system }
spec: { addresses: [192.168.1.100-192.168.1.110] }
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: { name: lan, namespace: metallb-system }
spec: { ipAddressPools: [lan] }
---
apiVersion: v1
kind: Service
metadata: { name: web, annotations: { metallb.io/loadBalancerIPs: 192.168.1.100 } }
spec: { type: LoadBalancer, ports: [{ port: 80 }] }
"""


class Hosts:
    """`a` and `b` on one bridge; what names mean there stands in files that the test writes."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        self._directory = directory
        self._stack = stack
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._network = Network()
        stack.callback(self._network.close)
        self._switch = self._network.bridge("sw")
        (directory / "key").mkdir()
        (directory / "key" / "secretkey").write_text("one secret for both")

    def add(self, name: str, address: str) -> str:
        host = self._network.host(name)
        self._network.plug(host, self._switch)
        ip("-n", host, "addr", "add", f"{address}/24", "dev", "eth0")
        etc = Path("/etc/netns", host)
        etc.mkdir(parents=True)
        self._stack.callback(shutil.rmtree, etc)
        (etc / "resolv.conf").write_text("")
        (etc / "hosts").write_text("")
        return host

    def means(self, host: str, **names: str) -> None:
        """In place, since `ip netns exec` has bound this very file."""
        text = "".join(f"{address} {name}\n" for name, address in names.items())
        Path("/etc/netns", host, "hosts").write_text(f"127.0.0.1 localhost\n{text}")

    def start(self, host: str, name: str, address: str, manifests: str = "") -> None:
        folder = self._directory / name
        folder.mkdir()
        (folder / "web.yaml").write_text(MANIFESTS + manifests)
        words = [HERALD, "standalone", f"--config={folder}", f"--node-name={name}", f"--ml-bindaddr={address}"]
        words += [f"--ml-secret-key-path={self._directory / 'key'}", "--ml-join=a,b,nowhere"]
        words += [f"--show-socket={self._directory / name}.sock"]
        with (self._directory / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(["ip", "netns", "exec", host, *words], stdout=log, stderr=log)
        self._processes[name] = process
        self._stack.callback(_end, process)

    def shown(self, name: str, *what: str) -> Any:
        words = [HERALD, "show", *what, "-o", "json", f"--socket={self._directory / name}.sock"]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        return json.loads(done.stdout)["data"] if done.returncode == 0 else None

    def drain(self, name: str) -> tuple[int, str]:
        words = [HERALD, "drain", name, f"--config={self._directory / name}", f"--socket={self._directory / name}.sock"]
        done = subprocess.run([*words, "--wait=0s"], capture_output=True, text=True, check=False)
        return done.returncode, done.stderr

    def stop(self, name: str) -> None:
        _end(self._processes[name])

    def members(self, name: str) -> set[str]:
        return {one["name"] for one in self.shown(name, "members") or () if one.get("state") == "alive"}

    def held(self, name: str) -> list[str]:
        found = self.shown(name, "l2")
        return [one["ip"] for one in found["holdings"]] if found else []

    def history(self, name: str) -> list[Any]:
        words = [HERALD, "history", "-o", "json", f"--socket={self._directory / name}.sock"]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        return list(json.loads(done.stdout)["data"]) if done.returncode == 0 else []

    def logged(self, name: str, event: str) -> list[Any]:
        lines = (self._directory / f"{name}.log").read_text().splitlines()
        return [one for line in lines if line.startswith("{") and (one := json.loads(line)).get("event") == event]


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait(10)


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[Hosts]:
    with ExitStack() as stack:
        yield Hosts(tmp_path, stack)


async def test_two_hosts_find_each_other_by_name_elect_one_and_a_name_that_is_unknown_does_no_harm(
    hosts: Hosts,
) -> None:
    a, b = hosts.add("a", "192.168.1.1"), hosts.add("b", "192.168.1.2")
    hosts.means(a, a="192.168.1.1")  # it does not know where `b` is: not yet
    hosts.means(b)
    hosts.start(a, "a", "192.168.1.1")
    hosts.start(b, "b", "192.168.1.2")

    async def until(seen: Any, what: str) -> None:
        await eventually(seen, what, 40.0)

    await until(lambda: hosts.logged("a", "joinNameUnknown"), "the names that are not known are said")
    assert hosts.members("b") <= {"b"}
    hosts.means(a, a="192.168.1.1", b="192.168.1.2")
    await until(lambda: hosts.members("a") == hosts.members("b") == {"a", "b"}, "one group")
    await until(lambda: sorted(hosts.held("a") + hosts.held("b")) == ["192.168.1.100"], "exactly one answers")
    await asyncio.sleep(0.5)
    assert sorted(hosts.held("a") + hosts.held("b")) == ["192.168.1.100"]
    assert {one["place"] for one in hosts.logged("a", "joinNameUnknown")} == {"b", "nowhere"}
    assert {one["encrypted"] for one in hosts.logged("a", "gossipStarted")} == {True}


NODES = "".join(f"---\n{{apiVersion: v1, kind: Node, metadata: {{name: {name}}}}}\n" for name in "ab")


async def test_a_drain_that_the_other_host_does_not_see_is_no_success_and_a_stop_hands_over(hosts: Hosts) -> None:
    a, b = hosts.add("a", "192.168.1.1"), hosts.add("b", "192.168.1.2")
    for host in (a, b):
        hosts.means(host, a="192.168.1.1", b="192.168.1.2")
    hosts.start(a, "a", "192.168.1.1", NODES)
    hosts.start(b, "b", "192.168.1.2", NODES)
    await eventually(lambda: hosts.members("a") == hosts.members("b") == {"a", "b"}, "one group", 40.0)
    await eventually(lambda: len(hosts.held("a") + hosts.held("b")) == 1, "exactly one answers", 40.0)
    owner, other = ("a", "b") if hosts.held("a") else ("b", "a")
    code, said = await asyncio.to_thread(hosts.drain, owner)
    assert (code, "nobody was heard to answer instead for 192.168.1.100. " in said) == (1, True), said
    code, said = await asyncio.to_thread(hosts.drain, owner)
    assert (code, "nobody was heard to answer instead for 192.168.1.100. " in said) == (1, True), said
    hosts.stop(owner)
    await eventually(lambda: hosts.held(other) == ["192.168.1.100"], "the other one has it", 40.0)
    await eventually(lambda: all(one["cause"] for one in hosts.history(other)), "it says why", 10.0)
    (taken,) = hosts.history(other)
    assert (taken["cause"], taken["from"], taken["detectedBy"]) == (f"{owner} left in good order", owner, None)
