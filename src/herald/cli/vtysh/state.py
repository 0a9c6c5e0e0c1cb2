"""The speaker's answers as the tables print them: neighbors in order, and one table of prefixes for all of them.

Herald has an Adj-RIB-Out per peer and no table of its own, FRR has one table. Where peers are sent different attributes
for a prefix, the table has a path for each set of attributes.
"""

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

from herald.bgp.as_path import AS_TRANS

Document = dict[str, Any]
_EXTENDED = {"rt": "RT", "soo": "SoO"}
_LARGEST_TWO_OCTET_AS = 0xFFFF
_NAMES = {4: "ipv4-unicast", 6: "ipv6-unicast"}


@dataclass(frozen=True, slots=True)
class Neighbor:
    """One session; `document` is its entry of `bgp summary`, see `herald.engine.bgp_document`."""

    document: Document

    @property
    def name(self) -> str:
        return str(self.document["peer"])

    @property
    def description(self) -> str:
        """The peer's name; asked of the whole cluster, with the nodes that have a session."""
        nodes = self.document.get("nodes")
        return f"{self.name} ({nodes})" if nodes else self.name

    @property
    def ends(self) -> Document:
        """What is configured of both ends."""
        ends: Document = self.document["neighbor"]
        return ends

    @property
    def address(self) -> str:
        """What FRR lists it under: the address, or the interface of an unnumbered peer."""
        return str(self.ends.get("interface") or self.ends["address"])

    @property
    def is_unnumbered(self) -> bool:
        return self.ends.get("interface") is not None

    @property
    def foreign_host(self) -> str:
        """The address, also of who was found behind an interface."""
        return str(self.ends["address"])

    @property
    def is_established(self) -> bool:
        return bool(self.document["state"] == "Established")

    @property
    def up_for(self) -> float | None:
        """Seconds since it came up or went down, None if it was never up."""
        seconds: float | None = self.document["since" if self.is_established else "downFor"]
        return seconds

    @property
    def remote_asn(self) -> int:
        """0 while a dynamic one is not known."""
        return int(self.document["remoteASN"] or self.ends["peerASN"] or 0)

    def family(self, version: int) -> Document:
        """Its routes of that IP version."""
        found: Document = next(one for one in self.document["families"] if one["family"] == _NAMES[version])
        return found

    def carries(self, version: int) -> bool:
        """Whether it is of the address family: by agreement, or while there is none, by configuration."""
        family = self.family(version)
        return bool(family["negotiated"]) if self.is_established else _NAMES[version] in self.ends["families"]

    @property
    def roles(self) -> tuple[str, str]:
        """Ours as configured and the peer's as stated (RFC 9234); `undefined` where there is none."""
        stated = [text.split()[1] for text in self.document["capabilities"]["received"] if text.startswith("bgp-role ")]
        return self.ends.get("role") or "undefined", stated[0] if stated else "undefined"

    def messages(self, direction: str) -> dict[str, int]:
        """`messagesIn` or `messagesOut`, by name of the type."""
        counts: dict[str, int] = self.document[direction]
        return counts


@dataclass(frozen=True, slots=True)
class Path:
    """One set of attributes of a prefix and the neighbors that it is wished for."""

    route: Document
    neighbors: tuple[Neighbor, ...]

    @property
    def metric(self) -> int:
        """The MED; 0, as FRR shows it, where none is sent."""
        return self.route.get("med") or 0

    @property
    def as_path(self) -> str:
        """What is prepended, as it would stand in front of our own AS."""
        return " ".join(map(str, self.route["prepend"]))

    @property
    def extended_communities(self) -> str:
        """As FRR prints them: `RT:65000:100 SoO:192.0.2.1:7 UNK:67, 12 LB:64500:125000000 (1.000 Gbps)`."""
        words = [_extended(text) for text in self.route.get("extendedCommunities", ())]
        mbps = self.route.get("linkBandwidth")
        return " ".join(words if mbps is None else [*words, self._bandwidth(mbps)])

    def _bandwidth(self, mbps: int) -> str:
        """In octets per second. What stands in brackets FRR rounds down to whole units."""
        asn = self.neighbors[0].document["localASN"]
        rate = f"{mbps / 1000:.3f} Gbps" if mbps >= 1000 else f"{mbps:.3f} Mbps"
        return f"LB:{asn if asn <= _LARGEST_TWO_OCTET_AS else AS_TRANS}:{mbps * 125_000} ({rate})"


@dataclass(frozen=True, slots=True)
class Entry:
    """A prefix of the table."""

    prefix: IPv4Network | IPv6Network
    paths: tuple[Path, ...]

    @property
    def told(self) -> tuple[Neighbor, ...]:
        """The neighbors that have a session which carries it."""
        version = self.prefix.version
        found = (one for path in self.paths for one in path.neighbors if one.is_established and one.carries(version))
        return tuple(sorted(found, key=_address_order))


@dataclass(frozen=True, slots=True)
class State:
    """Everything; neighbors by address."""

    node: str
    neighbors: tuple[Neighbor, ...]
    routes: tuple[Document, ...]

    @property
    def router_id(self) -> str:
        """The one that peers are told, 0.0.0.0 before the first connection."""
        return next((one.ends["localRouterID"] for one in self.neighbors if one.ends["localRouterID"]), "0.0.0.0")  # noqa: S104

    @property
    def local_asn(self) -> int:
        """Of the first neighbor; Herald may be another AS to each."""
        return int(self.neighbors[0].document["localASN"]) if self.neighbors else 0

    def of_family(self, version: int) -> tuple[Neighbor, ...]:
        """The neighbors of an address family."""
        return tuple(one for one in self.neighbors if one.carries(version))

    def table(self, version: int) -> tuple[Entry, ...]:
        """All prefixes of an IP version, in order."""
        return self._entries([route for route in self.routes if _network(route).version == version])

    def advertised(self, neighbor: Neighbor, version: int) -> tuple[Entry, ...]:
        """What one neighbor is sent; nothing without a session."""
        if not (neighbor.is_established and neighbor.carries(version)):
            return ()
        return self._entries(
            [one for one in self.routes if one["peer"] == neighbor.name and _network(one).version == version]
        )

    def _entries(self, routes: list[Document]) -> tuple[Entry, ...]:
        by_name = {one.name: one for one in self.neighbors}
        paths: dict[str, dict[str, list[Document]]] = {}
        for route in routes:
            if route["peer"] in by_name:
                paths.setdefault(route["prefix"], {}).setdefault(_attributes(route), []).append(route)
        entries = (
            Entry(
                ip_network(prefix),
                tuple(Path(same[0], tuple(by_name[each["peer"]] for each in same)) for same in sets.values()),
            )
            for prefix, sets in paths.items()
        )
        return tuple(sorted(entries, key=lambda entry: (int(entry.prefix.network_address), entry.prefix.prefixlen)))


def state(node: str, summary: list[Document], routes: list[Document]) -> State:
    """From the answers to `bgp summary` and `bgp routes`."""
    return State(node, tuple(sorted(map(Neighbor, summary), key=_address_order)), tuple(routes))


def _network(route: Document) -> IPv4Network | IPv6Network:
    return ip_network(route["prefix"])


def _attributes(route: Document) -> str:
    keys = ("localPref", "communities", "largeCommunities", "prepend", "extendedCommunities", "linkBandwidth", "med")
    return repr([route.get(key) for key in keys])


def _extended(text: str) -> str:
    kind, _, value = text.partition(":")
    if kind in _EXTENDED:
        return f"{_EXTENDED[kind]}:{value}"
    octets = int(value.split(":")[0], 16).to_bytes(4)
    return f"UNK:{octets[0]}, {octets[1]}"


def _address_order(neighbor: Neighbor) -> tuple[int, int, str]:
    if neighbor.is_unnumbered:
        return 7, 0, neighbor.address  # after all addresses, as FRR has them
    address = ip_address(neighbor.address)
    return address.version, int(address), neighbor.name
