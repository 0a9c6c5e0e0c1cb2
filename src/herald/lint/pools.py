"""Pools that nobody announces, that contain somebody else's addresses, that are nearly full or open to all."""

from collections import defaultdict
from collections.abc import Iterator
from ipaddress import ip_network

from herald.cluster.meta import PoolName
from herald.cluster.node import Node
from herald.cluster.service import Service
from herald.config.findings import problem
from herald.config.nearest import nearest
from herald.config.problem import Problem, Severity
from herald.config.wording import listed
from herald.lint.facts import Facts, PoolEntry
from herald.net.address_range import AddressRange, of_prefix
from herald.net.ip_family import IPAddress, IPFamily, parse_address

ALLOCATION_ONLY = "herald/allocation-only"
_NODE_ADDRESSES = ("InternalIP", "ExternalIP")
_NEARLY_FULL, _ALMOST_FULL = 0.80, 0.95
_SMALLEST_WATCHED = 5  # Smaller pools are meant to be full: an address for one service.


def not_advertised(facts: Facts) -> Iterator[Problem]:
    """HL001"""
    advertised = {pool for entry in facts.advertisements for pool in entry.value.pools}
    left_out = facts.left_out("L2Advertisement", "BGPAdvertisement")
    fix = "Correct that, or add" if left_out else "Add"
    for entry in facts.pools:
        off = entry.resource.metadata.annotations.get(ALLOCATION_ONLY) == "true"
        if entry.value.name not in advertised and not off:
            yield problem(
                "HL001",
                entry.key,
                "",
                f"no advertisement selects this pool{left_out}; services will get an IP that nobody announces"
                f"{_closest(facts, entry)}. {fix} an L2Advertisement or a BGPAdvertisement for it.",
            )


def _closest(facts: Facts, pool: PoolEntry) -> str:
    wanted = {name: entry for entry in facts.advertisements for name in entry.spec.ip_address_pools}
    name = nearest(pool.value.name, wanted)
    return f' (closest: {wanted[name].key.kind} "{wanted[name].key.name}" selects "{name}")' if name else ""


def contains_node_address(facts: Facts) -> Iterator[Problem]:
    """HL020"""
    inside: dict[PoolName, list[str]] = defaultdict(list)
    for node in facts.config.nodes.values():
        for address in _addresses(node):
            pool = facts.view.pool_of((address,))
            if pool is not None:
                inside[pool.name].append(f"{address} of node {node.name}")
    for name, found in inside.items():
        yield problem(
            "HL020",
            facts.key("IPAddressPool", name),
            "spec.addresses",
            f"contains {listed(found)}: once a Service gets such an address, traffic for the node goes astray; "
            "leave it out of the pool",
        )


def _addresses(node: Node) -> Iterator[IPAddress]:
    for entry in node.status.addresses:
        if entry.type in _NODE_ADDRESSES:
            try:
                yield parse_address(entry.address)
            except ValueError:
                continue  # A cloud may report a host name here.


def overlaps_cluster_network(facts: Facts) -> Iterator[Problem]:
    """HL023"""
    overlapping: dict[PoolName, list[str]] = defaultdict(list)
    for node in facts.config.nodes.values():
        for cidr in _pod_ranges(node):
            for pool in facts.config.pools.values():
                if any(entry.overlaps(cidr) for entry in pool.ranges):
                    overlapping[pool.name].append(f"pod CIDR {cidr.text} of node {node.name}")
    for service in facts.resources.services:
        for address in _cluster_ips(service):
            holder = facts.view.pool_of((address,))
            if holder is not None:
                overlapping[holder.name].append(f"cluster IP {address} of Service {service.key}")
    for name, found in overlapping.items():
        yield problem(
            "HL023",
            facts.key("IPAddressPool", name),
            "spec.addresses",
            f"overlaps {listed(found)}: nodes route such an address into the cluster's own network, whoever "
            "announces it; use a range outside of it",
        )


def _pod_ranges(node: Node) -> Iterator[AddressRange]:
    for text in node.spec.pod_cidrs:
        try:
            yield of_prefix(ip_network(text, strict=False))
        except ValueError:
            continue  # Not ours to judge: the API server lets no such Node through.


def _cluster_ips(service: Service) -> Iterator[IPAddress]:
    for text in service.spec.cluster_ips or ():
        try:
            yield parse_address(text)
        except ValueError:
            continue  # "None" of a headless service.


def nearly_full(facts: Facts) -> Iterator[Problem]:
    """HL093"""
    used: dict[tuple[str, IPFamily], set[IPAddress]] = {}
    for outcome in facts.inputs.assignments.services.values():
        for address in outcome.addresses:
            family = IPFamily.IPV4 if address.version == 4 else IPFamily.IPV6
            used.setdefault((outcome.pool or "", family), set()).add(address)
    for entry in facts.pools:
        for family in sorted(entry.value.families(), key=lambda family: family.value):
            count, capacity = len(used.get((entry.value.name, family), ())), entry.value.capacity(family)
            if capacity >= _SMALLEST_WATCHED and count >= _NEARLY_FULL * capacity:
                yield problem(
                    "HL093",
                    entry.key,
                    "spec.addresses",
                    f"{count} of {capacity} {_NAMES[family]} addresses are in use; new Services will stay pending "
                    "soon, add addresses",
                    Severity.WARNING if count >= _ALMOST_FULL * capacity else Severity.INFO,
                )


_NAMES = {IPFamily.IPV4: "IPv4", IPFamily.IPV6: "IPv6"}


def public_and_open(facts: Facts) -> Iterator[Problem]:
    """HL094"""
    for entry in facts.pools:
        public = [each.text for each in entry.value.ranges if each.first.is_global and each.last.is_global]
        if public and entry.value.allocation is None:
            yield problem(
                "HL094",
                entry.key,
                "spec.serviceAllocation",
                f"{listed(public)} is public and any namespace may ask for it, autoAssign or not; pin the pool with "
                "serviceAllocation if that is not meant",
            )


def host_bits_set(facts: Facts) -> Iterator[Problem]:
    """HL095"""
    for entry in facts.pools:
        for index, each in enumerate(entry.value.ranges):
            address, slash, _ = each.text.partition("/")
            if slash and parse_address(address) != each.first:
                yield problem(
                    "HL095",
                    entry.key,
                    f"spec.addresses[{index}]",
                    f'"{each.text}" is the whole prefix {each.prefixes()[0]}, from {each.first} to {each.last}; write '
                    f"it so, or as a range if the pool is to begin at {address}",
                )
