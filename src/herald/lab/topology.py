"""A small data centre as values: switches, hosts, the links between them and the addresses on these links.

    ┌ Segment lan ────────────────────────────┐
    │ node-1   node-2   node-3   client       │         a host is a network namespace; a segment is a namespace
    └───────────────┬─────────────────────────┘         with a bridge in it; a Wire is a veth pair between two hosts
                 router ────── Wire ────── remote

Nothing here touches the kernel: `commands` says what `ip -batch` has to be told, `namespace.py` tells it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv6Interface, ip_interface

BRIDGE = "br0"
"""The name of the bridge inside a segment's namespace."""

LONGEST_INTERFACE_NAME = 15

ADDRESS = re.compile(r"(?<![\w.:])[0-9a-f]*[.:][0-9a-f.:]*[0-9a-f](?![\w.:/])")
"""What may be an address in a text; prefixes are not."""

COMMON_SYSCTLS = {
    "net.ipv4.conf.all.rp_filter": "0",
    "net.ipv4.conf.default.rp_filter": "0",
    "net.ipv4.conf.all.send_redirects": "0",
    "net.ipv4.conf.default.send_redirects": "0",
    # A link-local address is usable at once instead of after a second of duplicate address detection.
    "net.ipv6.conf.default.accept_dad": "0",
}
FORWARDING_SYSCTLS = {
    "net.ipv4.ip_forward": "1",
    "net.ipv6.conf.all.forwarding": "1",
    # Equal-cost paths are chosen by ports too, so that one client's connections spread over the nodes.
    "net.ipv4.fib_multipath_hash_policy": "1",
}


@dataclass(frozen=True, slots=True)
class Interface:
    """An interface of a host. `on` names the segment it is plugged into, or None for the end of a `Wire`."""

    name: str
    addresses: tuple[IPv4Interface | IPv6Interface, ...]
    on: str | None = None

    def __post_init__(self) -> None:
        assert len(self.name) <= LONGEST_INTERFACE_NAME, self.name


def interface(name: str, *addresses: str, on: str | None = None) -> Interface:
    """An `Interface` from addresses as people write them, like "192.168.1.1/24"."""
    parsed = (ip_interface(address) for address in addresses)
    return Interface(name, tuple(parsed), on)


@dataclass(frozen=True, slots=True)
class Route:
    """A static route: `via` names one gateway or, for equal-cost paths, several."""

    destination: str
    via: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Host:
    """A machine with a network stack of its own."""

    name: str
    interfaces: tuple[Interface, ...]
    routes: tuple[Route, ...] = ()
    forwards: bool = False

    @property
    def address(self) -> str:
        """The first address of the first interface, without its prefix length."""
        return str(self.interfaces[0].addresses[0].ip)

    def sysctls(self) -> dict[str, str]:
        """The kernel settings of this host's namespace."""
        return COMMON_SYSCTLS | (FORWARDING_SYSCTLS if self.forwards else {})


@dataclass(frozen=True, slots=True)
class Wire:
    """A cable between two hosts: each end is (host, interface)."""

    one: tuple[str, str]
    other: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Topology:
    """Everything that is wired together in one lab. Host and segment names are unique."""

    segments: tuple[str, ...]
    hosts: tuple[Host, ...]
    wires: tuple[Wire, ...] = ()

    def __post_init__(self) -> None:
        assert len(set(self.names)) == len(self.names), self.names

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all namespaces: segments first, then hosts."""
        return (*self.segments, *(host.name for host in self.hosts))

    def named(self, text: str) -> str:
        """`text` with the name of a host wherever one of its addresses stands; prefixes stay as they are."""
        names = {
            str(address.ip): host.name for host in self.hosts for one in host.interfaces for address in one.addresses
        }
        return ADDRESS.sub(lambda found: names.get(found[0], found[0]), text)

    def host(self, name: str) -> Host:
        """The host called `name`; KeyError when there is none."""
        for host in self.hosts:
            if host.name == name:
                return host
        raise KeyError(f"the topology has no host {name}")


def port(host: str, interface: str) -> str:
    """The name of the segment's end of a cable: `p-node-1` for eth0, `p-router-eth1` for others."""
    name = f"p-{host}" if interface == "eth0" else f"p-{host}-{interface}"
    return name[:LONGEST_INTERFACE_NAME]


def wiring(topology: Topology, prefix: str) -> Iterator[str]:
    """Lines for `ip -batch` outside all namespaces: the cables between them."""
    for host in topology.hosts:
        for interface in host.interfaces:
            if interface.on is not None:
                yield (
                    f"link add {interface.name} netns {prefix}{host.name} type veth"
                    f" peer name {port(host.name, interface.name)} netns {prefix}{interface.on}"
                )
    for wire in topology.wires:
        yield (
            f"link add {wire.one[1]} netns {prefix}{wire.one[0]} type veth"
            f" peer name {wire.other[1]} netns {prefix}{wire.other[0]}"
        )


def segment_setup(topology: Topology, segment: str) -> Iterator[str]:
    """Lines for `ip -n SEGMENT -batch`: a bridge with every cable that ends here plugged in."""
    yield f"link add {BRIDGE} type bridge"
    yield f"link set {BRIDGE} up"
    for host in topology.hosts:
        for interface in host.interfaces:
            if interface.on == segment:
                yield f"link set {port(host.name, interface.name)} master {BRIDGE} up"


def host_setup(host: Host) -> Iterator[str]:
    """Lines for `ip -n HOST -batch`: links up, addresses, routes."""
    yield "link set lo up"
    for interface in host.interfaces:
        yield f"link set {interface.name} up"
        for address in interface.addresses:
            yield f"addr add {address} dev {interface.name}" + (" nodad" if address.version == 6 else "")
    for route in host.routes:
        if len(route.via) == 1:
            yield f"route add {route.destination} via {route.via[0]}"
        else:
            yield f"route add {route.destination} " + " ".join(f"nexthop via {gateway}" for gateway in route.via)
