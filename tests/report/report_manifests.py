"""The three how-tos as manifests of our own, with the nodes and endpoints that a cluster adds."""

from typing import Any

from herald.cluster.meta import NodeName
from herald.config.collect import collect
from herald.report.plan import Plan, plan

CLUSTER = """
apiVersion: v1
kind: List
items:
  - {apiVersion: v1, kind: Node, metadata: {name: node-1, labels: {kubernetes.io/hostname: node-1, node-role: edge}}}
  - {apiVersion: v1, kind: Node, metadata: {name: node-2, labels: {kubernetes.io/hostname: node-2, node-role: edge}}}
  - {apiVersion: v1, kind: Node, metadata: {name: node-3, labels: {kubernetes.io/hostname: node-3}}}
"""


def custom(kind: str, name: str, spec: str, version: str = "v1beta1") -> str:
    metadata = f"{{name: {name}, namespace: metallb-system}}"
    return f"---\napiVersion: metallb.io/{version}\nkind: {kind}\nmetadata: {metadata}\nspec: {{{spec}}}\n"


def pool(name: str, addresses: str, more: str = "") -> str:
    return custom("IPAddressPool", name, f"addresses: [{addresses}]{', ' + more if more else ''}")


def l2(name: str, spec: str = "") -> str:
    return custom("L2Advertisement", name, spec)


def bgp(name: str, spec: str = "") -> str:
    return custom("BGPAdvertisement", name, spec)


def peer(name: str, address: str, spec: str = "", asn: int = 64501, own: int = 64500) -> str:
    more = f", {spec}" if spec else ""
    return custom("BGPPeer", name, f"myASN: {own}, peerASN: {asn}, peerAddress: {address}{more}", "v1beta2")


def service(name: str, *nodes: str, labels: str = "", annotations: str = "", spec: str = "") -> str:
    """A Service with an EndpointSlice: one ready endpoint on each of `nodes`; without nodes no slice."""
    more = f", {spec}" if spec else ""
    text = f"""---
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: default, labels: {{{labels}}}, annotations: {{{annotations}}}}}
spec: {{type: LoadBalancer, selector: {{app: {name}}}, ports: [{{port: 80}}]{more}}}
"""
    if not nodes:
        return text
    ends = ", ".join(f"{{addresses: [10.244.0.1], conditions: {{ready: true}}, nodeName: {node}}}" for node in nodes)
    return f"""{text}---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: {name}-1, namespace: default, labels: {{kubernetes.io/service-name: {name}}}}}
addressType: IPv4
endpoints: [{ends}]
"""


def planned(*texts: str, members: str | None = None, cluster: str = CLUSTER, **options: Any) -> Plan:
    collected = collect([(f"{number}.yaml", text) for number, text in enumerate((cluster, *texts))])
    live = None if members is None else frozenset(map(NodeName, members.split()))
    return plan(collected.resources, members=live, already=collected.problems, **options)


DUAL = (
    pool("dual-advertise-pool", "192.168.1.200-192.168.1.210"),
    peer("upstream-router", "192.168.1.1", "keepaliveTime: 30s, holdTime: 90s"),
    l2("local-l2", "ipAddressPools: [dual-advertise-pool], interfaces: [eth0]"),
    bgp("routed-bgp", "ipAddressPools: [dual-advertise-pool], aggregationLength: 32"),
    service("critical-app", "node-1", "node-3"),
)
SUBSETS = (
    peer("internet-router", "10.0.0.1", asn=64513, own=64512),
    peer("internal-router", "10.0.0.2", asn=64514, own=64512),
    pool("public-pool", "203.0.113.0/28", "autoAssign: false"),
    pool("internal-pool", "10.100.0.0/24", "autoAssign: false"),
    bgp("public-advert", "ipAddressPools: [public-pool], peers: [internet-router], aggregationLength: 32"),
    bgp("internal-advert", "ipAddressPools: [internal-pool], peers: [internal-router], aggregationLength: 32"),
    service("shop", "node-1", annotations="metallb.io/address-pool: public-pool"),
    service("wiki", "node-2", annotations="metallb.io/address-pool: internal-pool"),
)
ROUTERS = (
    pool("production-pool", "192.168.1.240-192.168.1.250", "autoAssign: true, avoidBuggyIPs: true"),
    pool("development-pool", "192.168.2.240-192.168.2.250", "autoAssign: false"),
    *(peer(f"router-{n}", f"192.168.1.{n}", "holdTime: 90s, keepaliveTime: 30s") for n in (1, 2, 3)),
    bgp("production", 'ipAddressPools: [production-pool], localPref: 100, communities: ["64500:100"]'),
    bgp(
        "development",
        "ipAddressPools: [development-pool], aggregationLength: 24, localPref: 50, "
        'communities: ["64500:50"], peers: [router-1, router-2]',
    ),
    service("shop", "node-1"),
    service("test", "node-2", annotations="metallb.io/address-pool: development-pool"),
)
