"""What Kubernetes does around Herald on every node, for all nodes of a lab in one process.

    python -m herald.lab.kube_proxy --config DIR [--prefix PREFIX]

* kube-proxy: on each node, traffic to a service's address and port goes to an endpoint (nftables DNAT): the node's own
  if it has one, else one elsewhere, unless `externalTrafficPolicy: Local` forbids that. No node's kernel ever owns a
  service address; the way back is put right by connection tracking.
* the endpoint controller: a Service with a selector and no EndpointSlice gets one with an endpoint on every node.

`rules` is the whole decision, from documents to a map per node; the rest is a loop that follows the folder.
"""

import argparse
import asyncio
import contextlib
import signal
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

import watchfiles
import yaml

from herald.lab import process
from herald.lab.cluster import Cluster, Object, endpoint_slice

SERVICE_NAME = "kubernetes.io/service-name"
RESYNC_MS = 1000
FAMILIES = {4: "ip", 6: "ip6"}

CHAINS = {
    "ip": ("ipv4_addr", "ip daddr . ip protocol . th dport"),
    "ip6": ("ipv6_addr", "ip6 daddr . meta l4proto . th dport"),
}
TABLE = """\
table {family} kube_proxy {{
  map services {{ type {kind} . inet_proto . inet_service : {kind} . inet_service; }}
  chain prerouting {{ type nat hook prerouting priority dstnat; dnat {family} to {key} map @services; }}
  chain postrouting {{ type nat hook postrouting priority srcnat; ct status dnat masquerade; }}
}}
"""
"""Only traffic that leaves the node again for an endpoint elsewhere passes `postrouting` with a changed destination."""

TABLES = "".join(TABLE.format(family=family, kind=kind, key=key) for family, (kind, key) in CHAINS.items())


@dataclass(frozen=True, slots=True, order=True)
class Rule:
    """Traffic to `address`:`port` goes to `endpoint`:`endpoint_port`."""

    address: str
    protocol: str
    port: int
    endpoint: str
    endpoint_port: int

    @property
    def family(self) -> str:
        """The nftables family of the table this rule belongs to."""
        return FAMILIES[ip_address(self.address).version]

    def __str__(self) -> str:
        return f"{self.address} . {self.protocol} . {self.port} : {self.endpoint} . {self.endpoint_port}"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One ready backend of a service."""

    address: str
    node: str | None


def rules(objects: Iterable[Object], addresses: Mapping[tuple[str, str], list[str]]) -> dict[str, frozenset[Rule]]:
    """Node → its rules. `addresses` maps (namespace, name) of a Service to what its status says."""
    by_kind: dict[str, list[Object]] = defaultdict(list)
    for document in objects:
        by_kind[document["kind"]].append(document)
    wanted: dict[str, set[Rule]] = {node["metadata"]["name"]: set() for node in by_kind["Node"]}
    for service in by_kind["Service"]:
        slices = [one for one in by_kind["EndpointSlice"] if _belongs(one, service)]
        for node in wanted:
            wanted[node] |= _rules_of(service, slices, addresses.get(_key(service), []), node)
    return {node: frozenset(found) for node, found in wanted.items()}


def _rules_of(service: Object, slices: list[Object], addresses: list[str], node: str) -> set[Rule]:
    endpoints = [endpoint for one in slices for endpoint in _ready(one)]
    local = [endpoint for endpoint in endpoints if endpoint.node == node]
    if service["spec"].get("externalTrafficPolicy") == "Local":
        endpoints = local
    found = set()
    for address in addresses:
        version = ip_address(address).version
        usable = [one for one in local or endpoints if ip_address(one.address).version == version]
        for port in (service["spec"].get("ports") or []) if usable else []:
            target = port.get("targetPort") if isinstance(port.get("targetPort"), int) else port["port"]
            protocol = port.get("protocol", "TCP").lower()
            found.add(Rule(address, protocol, port["port"], usable[0].address, target))
    return found


def _ready(one: Object) -> list[Endpoint]:
    return [
        Endpoint(endpoint["addresses"][0], endpoint.get("nodeName"))
        for endpoint in one.get("endpoints") or []
        if (endpoint.get("conditions") or {}).get("ready") is not False
    ]


def missing_slices(objects: list[Object]) -> list[Object]:
    """EndpointSlices for the Services with a selector that have none, on every node."""
    nodes = {one["metadata"]["name"]: _node_address(one) for one in objects if one["kind"] == "Node"}
    slices = [one for one in objects if one["kind"] == "EndpointSlice"]
    return [
        endpoint_slice(service, nodes)
        for service in objects
        if service["kind"] == "Service"
        and service["spec"].get("selector")
        and not any(_belongs(one, service) for one in slices)
    ]


def orphaned_slices(objects: list[Object]) -> list[Object]:
    """EndpointSlices written here whose Service is gone."""
    services = {_key(one) for one in objects if one["kind"] == "Service"}
    return [
        one
        for one in objects
        if one["kind"] == "EndpointSlice"
        and _labels(one).get("endpointslice.kubernetes.io/managed-by") == "herald-lab"
        and (_key(one)[0], _labels(one).get(SERVICE_NAME, "")) not in services
    ]


def _labels(document: Object) -> dict[str, str]:
    return dict(document["metadata"].get("labels") or {})


def _key(document: Object) -> tuple[str, str]:
    return document["metadata"].get("namespace", "default"), document["metadata"]["name"]


def _belongs(one: Object, service: Object) -> bool:
    return (_key(one)[0], _labels(one).get(SERVICE_NAME)) == _key(service)


def _node_address(node: Object) -> str:
    return next(str(one["address"]) for one in node["status"]["addresses"] if one["type"] == "InternalIP")


def script(wanted: frozenset[Rule]) -> str:
    """What nft has to be told so that exactly these rules are in force, in one transaction."""
    lines = []
    for family in FAMILIES.values():
        lines.append(f"flush map {family} kube_proxy services")
        elements = [str(rule) for rule in sorted(wanted) if rule.family == family]
        if elements:
            lines.append(f"add element {family} kube_proxy services {{ {', '.join(elements)} }}")
    return "\n".join(lines) + "\n"


def read(directory: Path) -> list[Object]:
    """All objects in the folder. A file that is not YAML, or not an object, is somebody else's to complain about."""
    found: list[Object] = []
    for path in sorted(directory.glob("*.y*ml")):
        with contextlib.suppress(yaml.YAMLError, FileNotFoundError):
            documents = yaml.load_all(path.read_text(), Loader=yaml.CSafeLoader)
            found += [one for one in documents if isinstance(one, dict) and "kind" in one and "metadata" in one]
    return found


class KubeProxy:
    """Follows a folder and keeps the rules of all nodes equal to what it says."""

    def __init__(self, cluster: Cluster, prefix: str) -> None:
        self._cluster = cluster
        self._prefix = prefix
        self._installed: dict[str, frozenset[Rule]] = {}

    async def sync(self) -> None:
        """Read the folder and install what differs."""
        objects = read(self._cluster.directory)
        for document in orphaned_slices(objects):
            self._cluster.delete("EndpointSlice", *_key(document))
        for document in missing_slices(objects):
            self._cluster.put(document)
            objects.append(document)
        wanted = rules(objects, self._addresses(objects))
        await asyncio.gather(*(self._install(node, found) for node, found in wanted.items()))

    def _addresses(self, objects: list[Object]) -> dict[tuple[str, str], list[str]]:
        services = [_key(one) for one in objects if one["kind"] == "Service"]
        statuses = {key: self._cluster.status("Service", *key) for key in services}
        return {
            key: [one["ip"] for one in (status.get("loadBalancer") or {}).get("ingress") or [] if "ip" in one]
            for key, status in statuses.items()
        }

    async def _install(self, node: str, wanted: frozenset[Rule]) -> None:
        before = self._installed.get(node)
        if before == wanted:
            return
        text = (TABLES if before is None else "") + script(wanted)
        await process.must(["nft", "-f", "-"], namespace=f"{self._prefix}{node}", text=text)
        self._installed[node] = wanted
        print(f"{node}: {', '.join(map(str, sorted(wanted))) or 'no service'}", flush=True)  # noqa: T201

    async def follow(self, stop: asyncio.Event) -> None:
        """Sync now and after every change until `stop`."""

        # Heartbeats and drafts of others are not worth a look; the status of a Service is.
        def interesting(_change: watchfiles.Change, path: str) -> bool:
            inside = Path(path).relative_to(self._cluster.directory).parts
            return len(inside) == 1 or (inside[:2] == (".herald", "status"))

        # The folder of statuses is watched from the start: what is written into a folder while its watch is being set
        # up is not seen. The timeout is for what happens between the first sync and the first watch.
        (self._cluster.directory / ".herald" / "status").mkdir(parents=True, exist_ok=True)
        watch = watchfiles.awatch(
            self._cluster.directory,
            watch_filter=interesting,
            stop_event=stop,
            debounce=20,
            step=5,
            rust_timeout=RESYNC_MS,
            yield_on_timeout=True,
            recursive=True,
        )
        await self.sync()
        async for _ in watch:
            await self.sync()


async def _run(options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await KubeProxy(Cluster(options.config, options.config.parent), options.prefix).follow(stop)


def main() -> int:
    """Entry point of `python -m herald.lab.kube_proxy`."""
    parser = argparse.ArgumentParser(
        prog="herald.lab.kube_proxy", description="service addresses to endpoints, by nftables"
    )
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--prefix", default="")
    asyncio.run(_run(parser.parse_args()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
