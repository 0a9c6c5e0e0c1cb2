"""Herald on the nodes: three speakers on one folder of manifests, in a group whose gossip is encrypted."""

import asyncio
import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

from herald.lab.failover.stand import NODES, Stand
from herald.lab.platform import HERALD
from herald.lab.process import Process

COUNTED: Final = ("alive", "suspect")
"""A suspect takes part in elections like others."""

_ADVERTISEMENT: Final = """
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: pool, namespace: metallb-system}
spec: {addresses: [192.0.2.200/30, "2001:db8:50::200/126", 198.18.0.0/16, "2001:db8:51::/112"]}
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: {name: l2, namespace: metallb-system}
"""
_SERVICE: Final = """
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: default}}
spec:
  type: LoadBalancer
  ports: [{{port: 7000, protocol: UDP}}]
  ipFamilyPolicy: PreferDualStack
  ipFamilies: [IPv4, IPv6]
  clusterIP: 10.96.0.1
  clusterIPs: [10.96.0.1, "fd00::1"]
status: {{loadBalancer: {{ingress: [{ingress}]}}}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: {name}-1, namespace: default, labels: {{kubernetes.io/service-name: {name}}}}}
addressType: IPv4
endpoints: [{endpoints}]
"""


def manifests(services: dict[str, tuple[str, ...]], spec: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """(file, text): the nodes, a pool, an L2Advertisement of this `spec`, and Services (name → addresses)."""
    yield "advertisement.yaml", f"{_ADVERTISEMENT}spec: {json.dumps(spec)}\n"
    for node, (address, _) in NODES.items():
        status = f"{{addresses: [{{type: InternalIP, address: {address}}}]}}"
        labels = f"{{kubernetes.io/hostname: {node}}}"
        yield (
            f"{node}.yaml",
            f"apiVersion: v1\nkind: Node\nmetadata: {{name: {node}, labels: {labels}}}\nstatus: {status}\n",
        )
    endpoints = ", ".join(
        f"{{addresses: [10.1.{number}.1], conditions: {{ready: true}}, nodeName: {node}}}"
        for number, node in enumerate(NODES)
    )
    for name, addresses in services.items():
        ingress = ", ".join(f'{{ip: "{address}"}}' for address in addresses)
        yield f"service-{name}.yaml", _SERVICE.format(name=name, ingress=ingress, endpoints=endpoints)


@dataclass(slots=True)
class HeraldNodes:
    """Speakers with a profile of gossip, and with fast failover or without.

    `services`: name → addresses; one with those of the stand, if there are none. `preferred`: nodes, the first most.
    """

    name: str = "Herald"
    profile: str = "herald"
    fast_failover: bool = False
    services: dict[str, tuple[str, ...]] = field(default_factory=dict)
    preferred: tuple[str, ...] = ()
    home: str | None = None

    async def prepare(self, stand: Stand) -> None:
        """Write the manifests; every node's kernel accepts what arrives for the addresses and does not answer ARP."""
        spec: dict[str, Any] = {}
        if self.fast_failover:
            spec["fastFailover"] = True
        if self.preferred:
            spec["preferredNodeSelectors"] = [
                {"weight": 100 - place, "preference": {"matchLabels": {"kubernetes.io/hostname": node}}}
                for place, node in enumerate(self.preferred)
            ]
        for file, text in manifests(self.services or {"web": stand.addresses}, spec):
            (stand.place.config / file).write_text(text)
        secret = _key(stand)
        secret.mkdir()
        (secret / "secretkey").write_text(secrets.token_hex(32))
        await stand.on_every_node("sysctl", "-qw", "net.ipv4.conf.all.arp_ignore=1", "net.ipv4.conf.all.arp_announce=2")
        for address in stand.addresses[:2]:
            host = f"{address}/{ip_address(address).max_prefixlen}"
            await stand.on_every_node("ip", "addr", "add", host, "dev", "lo", "nodad")

    def start(self, stand: Stand, node: str) -> Process:
        """A speaker on the folder."""
        words = ["speaker", "--config", str(stand.place.config), "--node-name", node]
        words += ["--show-socket", str(stand.place.show_socket(node))]
        words += ["--ml-bindaddr", NODES[node][0], "--ml-join", ",".join(v4 for v4, _ in NODES.values())]
        words += ["--ml-secret-key-path", str(_key(stand)), "--ml-profile", self.profile]
        log = stand.place.log(f"speaker-{node}")
        return Process.start(f"speaker-{node}", [*HERALD, *words], log=log, namespace=stand.place.namespace(node))

    async def knows_all(self, stand: Stand) -> bool:
        """Each speaker that runs is asked who is alive."""
        known = await asyncio.gather(*(_alive(stand.place.show_socket(node)) for node in NODES))
        return all(alive == set(NODES) for alive in known)


def _key(stand: Stand) -> Path:
    return stand.place.directory / "key"


async def _alive(socket: Path) -> set[str]:
    """The members that a speaker counts; empty if it does not answer."""
    try:
        async with asyncio.timeout(2.0):
            reader, writer = await asyncio.open_unix_connection(socket, limit=1 << 24)
            writer.write(b'{"show": "members"}\n')
            rows = json.loads(await reader.readline())["data"]
            writer.close()
    except (OSError, ValueError, TimeoutError):
        return set()
    return {row["name"] for row in rows if row.get("state", "alive") in COUNTED}
