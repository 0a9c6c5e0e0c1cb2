"""A dual-stack Service, end to end: a controller and two speakers share a folder, one of them answers for both."""

import subprocess
import sys
from pathlib import Path

import pytest
from segment import Network, arping, eventually, ip, mac_of

pytestmark = pytest.mark.netns

MANIFESTS = """
apiVersion: v1
kind: Node
metadata: {name: n1}
---
apiVersion: v1
kind: Node
metadata: {name: n2}
---
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: p, namespace: metallb-system}
spec: {addresses: ["192.168.1.200-192.168.1.210", "2001:db8:50::200-2001:db8:50::210"]}
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: {name: a, namespace: metallb-system}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec:
  type: LoadBalancer
  ports: [{port: 80}]
  ipFamilyPolicy: RequireDualStack
  ipFamilies: [IPv4, IPv6]
  clusterIP: 10.96.0.10
  clusterIPs: [10.96.0.10, "fd00::10"]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, namespace: default, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
endpoints:
- {addresses: [10.1.1.1], conditions: {ready: true}, nodeName: n1}
- {addresses: [10.1.2.1], conditions: {ready: true}, nodeName: n2}
"""
VIP, VIP6 = "192.168.1.200", "2001:db8:50::200"


def inside(host: str, *words: str) -> list[str]:
    return ["ip", "netns", "exec", host, *words]


def neighbour_mac(client: str, address: str) -> str:
    """The MAC that the client's own kernel finds when it wants to talk to the address; empty if nobody answers."""
    subprocess.run(["ip", "-n", client, "-6", "neigh", "flush", "dev", "eth0"], check=True, capture_output=True)
    subprocess.run(inside(client, "ping", "-6", "-c1", "-W1", address), check=False, capture_output=True)
    words = ["ip", "-n", client, "-6", "neigh", "show", address]
    told = subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()
    return told[told.index("lladdr") + 1] if "lladdr" in told else ""


class Herald:
    """`herald` commands that run until the test ends."""

    def __init__(self, directory: Path) -> None:
        self.config = directory / "config"
        self.config.mkdir()
        (self.config / "all.yaml").write_text(MANIFESTS)
        self._logs = directory
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, prefix: list[str], *words: str) -> None:
        command = [*prefix, sys.executable, "-m", "herald.cli.main", *words, "--config", str(self.config)]
        with (self._logs / f"{name}.log").open("wb") as log:
            self.running[name] = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)

    def log(self, name: str) -> str:
        return (self._logs / f"{name}.log").read_text()

    def close(self) -> None:
        for process in self.running.values():
            process.terminate()
        for process in self.running.values():
            process.wait(15)


async def test_one_of_two_nodes_answers_for_both_addresses_and_the_other_takes_both_over(
    network: Network, tmp_path: Path
) -> None:
    switch, client = network.bridge("sw"), network.host("client")
    nodes = {name: network.host(name) for name in ("n1", "n2")}
    for host in (client, *nodes.values()):
        network.plug(host, switch)
    ip("-n", client, "addr", "add", "2001:db8:50::9/64", "dev", "eth0", "nodad")
    herald = Herald(tmp_path)
    try:
        herald.start("controller", [], "controller")
        for name, host in nodes.items():
            show = str(tmp_path / f"{name}.sock")
            herald.start(name, inside(host), "speaker", "--node-name", name, "--show-socket", show)

        def holders(address: str) -> list[str]:
            return [name for name in nodes if f'"ip":"{address}"' in herald.log(name)]

        await eventually(lambda: bool(holders(VIP) and holders(VIP6)), "both addresses are held", seconds=40)
        macs = {name: mac_of(host) for name, host in nodes.items()}

        async def owners() -> tuple[set[str], str]:
            return await arping(client, VIP), neighbour_mac(client, VIP6)

        async def both_owned_by(names: set[str]) -> str:
            seen: object = None
            for _ in range(40):
                by_arp, by_ndp = seen = await owners()
                for name in names:
                    if (by_arp, by_ndp) == ({macs[name]}, macs[name]):
                        return name
            pytest.fail(f"seen last: {seen}, nodes: {macs}")

        owner = await both_owned_by(set(nodes))
        herald.running[owner].terminate()
        assert herald.running.pop(owner).wait(15) == 0
        assert await both_owned_by(set(nodes) - {owner}) != owner
    except BaseException:
        for name in ("controller", *nodes):
            sys.stderr.write(f"--- {name}\n{herald.log(name)}")
        raise
    finally:
        herald.close()
