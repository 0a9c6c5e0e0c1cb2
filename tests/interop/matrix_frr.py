"""FRR: the configuration of bgpd for `Neighbor`s, and what `vtysh` tells in JSON."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import unnumbered_routers
from frr_router import ROUTER
from matrix_neighbor import ROUTER_AS, Capability, Learnt, Neighbor, Session
from unnumbered_routers import daemons, run

_HEAD = f"""
hostname router
debug bgp neighbor-events
debug bgp updates in
router bgp {ROUTER_AS}
 bgp router-id {ROUTER}
 no bgp ebgp-requires-policy
"""
_CAPABILITIES = {
    "4byteAs": Capability.FOUR_OCTET_AS,
    "routeRefresh": Capability.ROUTE_REFRESH,
    "enhancedRouteRefresh": Capability.ENHANCED_REFRESH,
    "extendedMessage": Capability.EXTENDED_MESSAGE,
    "extendedNexthop": Capability.EXTENDED_NEXT_HOP,
    "gracefulRestart": Capability.GRACEFUL_RESTART,
}
_NUMBERS = {"noExport": "65535:65281"}


def version() -> str:
    return run("/usr/lib/frr/bgpd", "--version").split()[2]


def config(*neighbors: Neighbor) -> str:
    lines = [line for neighbor in neighbors for line in _lines(neighbor)]
    for family in ("ipv4", "ipv6"):
        peers = [neighbor.address for neighbor in neighbors if neighbor.ipv6 or family == "ipv4"]
        lines += [f"address-family {family} unicast", *(f" neighbor {peer} activate" for peer in peers)]
        lines += ["exit-address-family"]
    return _HEAD + "".join(f" {line}\n" for line in lines)


def _lines(neighbor: Neighbor) -> list[str]:
    words = [f"remote-as {neighbor.asn}", f"timers {neighbor.hold_time // 3} {neighbor.hold_time}"]
    words += ["timers connect 1"] if neighbor.dials else ["passive"]
    words += [f"password {neighbor.password}"] if neighbor.password else []
    words += ["ttl-security hops 1"] if neighbor.ttl_security else []
    words += ["ebgp-multihop 5", f"update-source {neighbor.local}"] if neighbor.multihop else []
    words += ["capability extended-nexthop"] if neighbor.extended_next_hop else []
    words += ["dont-capability-negotiate"] if neighbor.two_octets else []
    words += [f"local-role {neighbor.role}"] if neighbor.role else []
    return [f"neighbor {neighbor.address} {one}" for one in words]


class Frr(unnumbered_routers.Frr):
    """A running FRR, zebra and bgpd."""

    def neighbor(self, neighbor: Neighbor) -> Any:
        return self.show(f"bgp neighbors {neighbor.address}")[neighbor.address]

    def session(self, neighbor: Neighbor) -> Session:
        shown = self.neighbor(neighbor)
        if shown.get("bgpState") != "Established":
            return Session()
        theirs = shown.get("neighborCapabilities", {})
        host = theirs.get("hostName", {}).get("rcvHostName")
        return Session(
            established=True,
            asn=shown["remoteAs"],
            hold_time=shown["bgpTimerHoldTimeMsecs"] // 1000,
            keepalives=shown["messageStats"]["keepalivesRecv"],
            capabilities=frozenset(
                known for name, known in _CAPABILITIES.items() if "eceived" in str(theirs.get(name, ""))
            ),
            host_name=host,
            own_role=shown.get("localRole"),
        )

    def learnt(self, neighbor: Neighbor, prefix: str) -> Learnt | None:
        path = self.path("ipv6" if ":" in prefix else "ipv4", prefix)
        if not path or path["peer"]["peerId"] != neighbor.address:
            return None
        bandwidths = re.findall(r"LB:(\d+):(\d+)", path.get("extendedCommunity", {}).get("string", ""))
        return Learnt(
            next_hops=tuple(hop["ip"] for hop in path["nexthops"]),
            as_path=tuple(int(asn) for asn in path["aspath"]["string"].split() if asn != "Local"),
            origin=path["origin"].lower(),
            local_pref=path.get("locPrf"),
            communities=tuple(_NUMBERS.get(one, one) for one in path.get("community", {}).get("list", ())),
            large_communities=tuple(path.get("largeCommunity", {}).get("string", "").split()),
            bandwidths=tuple((int(asn), float(octets)) for asn, octets in bandwidths),
            only_to_customer=path.get("otc"),
            extended_communities=frozenset(_extended(path.get("extendedCommunity", {}).get("string", ""))),
        )

    def has_communities(self, neighbor: Neighbor, prefix: str, count: int) -> bool:
        found = self.learnt(neighbor, prefix)
        return found is not None and len(found.communities) == count

    def ask_refresh(self, neighbor: Neighbor) -> None:
        self.vtysh(f"clear bgp {neighbor.address} soft in")

    def updates(self, neighbor: Neighbor) -> int:
        return int(self.neighbor(neighbor)["messageStats"]["updatesRecv"])

    def refreshes(self, neighbor: Neighbor) -> int:
        heard = rf"\] {re.escape(neighbor.address)}\S* rcvd route-refresh \((\w+)\)"
        marks = re.findall(heard, self.log("bgpd"))
        return min(marks.count("BoRR"), marks.count("EoRR"))


def _extended(shown: str) -> Iterator[str]:
    """`RT:65000:100 SoO:65000:7 UNK:67, 12 LB:65000:125000000 (1.000 Gbps)`, but for the last kind."""
    yield from (f"{name.lower()}:{value}" for name, value in re.findall(r"(RT|SoO):(\S+)", shown))
    yield from re.findall(r"UNK:\d+, \d+", shown)


@contextmanager
def frr(host: str, config: str) -> Iterator[Frr]:
    with daemons(host, "frr") as there:
        router = Frr(there)
        router.start(config)
        yield router
