"""The network that all cells of one daemon share: a router with the daemon, and a node with a peering for each session.

    node 10.50.0.2 and a further address for each session ── eth0 ── 10.50.0.1, 10.50.0.3 router
    node 10.61.0.2 ── eth1 ── a router between ── eth1 ── 10.61.0.1 router
    node 10.52.0.2 in VRF red, if the kernel has VRFs ── eth2 ── 10.52.0.1 router

IPv6 is alike on eth0: 2001:db8:50::/64 with the same last parts.
"""

import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass

import matrix_bird
import matrix_exabgp
import matrix_frr
import matrix_gobgp
import matrix_sessions
from frr_router import ROUTER, ROUTER6, NamespaceLoop, run
from matrix_neighbor import Neighbor, Router
from matrix_sessions import FAR_HERALD, FAR_ROUTER, NODE, RED_HERALD, RED_ROUTER, SECOND_ROUTER, SHARED_ADDRESSES
from peering_in_namespace import Started, started
from segment import Network, ip


@dataclass(frozen=True, slots=True)
class Matrix:
    """A daemon with its sessions, by name. `node` is the namespace of Herald."""

    daemon: str
    node: str
    router: Router
    neighbors: Mapping[str, Neighbor]
    peerings: Mapping[str, Started]


@contextmanager
def matrix(daemon: str, sessions: tuple[str, ...]) -> Iterator[Matrix]:
    """All `sessions` under way between a node and that daemon. Those in a VRF are left out if the kernel has none."""
    network = Network()
    with ExitStack() as undo:
        undo.callback(network.close)
        place = _Place(network)
        used = tuple(name for name in sessions if name != "vrf" or place.has_vrf)
        place.address(used)
        neighbors = {name: matrix_sessions.neighbor(name) for name in used}
        router = undo.enter_context(run_daemon(daemon, place.router, *neighbors.values()))
        loop = NamespaceLoop(place.node)
        undo.callback(loop.close)
        peerings = {
            name: undo.enter_context(
                started(loop, matrix_sessions.parameters(name), *matrix_sessions.routes(name), host_name=NODE)
            )
            for name in used
        }
        yield Matrix(daemon, place.node, router, neighbors, peerings)


def run_daemon(daemon: str, host: str, *neighbors: Neighbor) -> AbstractContextManager[Router]:
    """The daemon of that name with these neighbors, in a namespace."""
    match daemon:
        case "FRR":
            return matrix_frr.frr(host, matrix_frr.config(*neighbors))
        case "BIRD":
            return matrix_bird.bird(host, matrix_bird.config(*neighbors))
        case "GoBGP":
            return matrix_gobgp.gobgp(host, matrix_gobgp.config(*neighbors))
        case "ExaBGP":
            addresses = sorted({neighbor.local for neighbor in neighbors if not neighbor.dials})
            return matrix_exabgp.exabgp(host, matrix_exabgp.config(*neighbors), addresses)
    raise ValueError(daemon)


def version(daemon: str) -> str:
    """Of the daemon that is installed."""
    return _VERSIONS[daemon]()


def has_vrf(host: str) -> bool:
    """Whether the kernel has VRFs; `red` is there afterwards."""
    words = ["ip", "-n", host, "link", "add", "red", "type", "vrf", "table", "77"]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


_VERSIONS: dict[str, Callable[[], str]] = {
    "FRR": matrix_frr.version,
    "BIRD": matrix_bird.version,
    "GoBGP": matrix_gobgp.version,
    "ExaBGP": matrix_exabgp.version,
}


class _Place:
    """The namespaces, wired."""

    def __init__(self, network: Network) -> None:
        self.node, self.router, self._between = (network.host(name) for name in ("node", "router", "between"))
        for host in (self.node, self.router):
            run("ip", "netns", "exec", host, "sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0")
        run("ip", "netns", "exec", self._between, "sysctl", "-qw", "net.ipv4.ip_forward=1")
        network.wire(self.node, "eth0", self.router, "eth0")
        network.wire(self.node, "eth1", self._between, "node")
        network.wire(self.router, "eth1", self._between, "router")
        network.wire(self.node, "eth2", self.router, "eth2")
        self.has_vrf = has_vrf(self.node)
        if self.has_vrf:
            ip("-n", self.node, "link", "set", "red", "up")
            ip("-n", self.node, "link", "set", "eth2", "master", "red")

    def address(self, sessions: tuple[str, ...]) -> None:
        """Give both ends the addresses of the sessions, and the ways to those that are not on the link."""
        for address in (ROUTER, SECOND_ROUTER, ROUTER6):
            _add(self.router, address, "eth0")
        own = (matrix_sessions.herald_address(name) for name in sessions)
        on_link = [address for address in own if address not in (FAR_HERALD, RED_HERALD)]
        for address in (*SHARED_ADDRESSES, *on_link):
            _add(self.node, address, "eth0")
        _add(self.node, RED_HERALD, "eth2")
        _add(self.router, RED_ROUTER, "eth2")
        for host, port, net, near, far in (
            (self.node, "node", 62, FAR_HERALD, FAR_ROUTER),
            (self.router, "router", 63, FAR_ROUTER, FAR_HERALD),
        ):
            _add(self._between, f"10.{net}.0.1", port)
            _add(host, f"10.{net}.0.2", "eth1")
            ip("-n", host, "address", "add", f"{near}/32", "dev", "lo")
            ip("-n", host, "route", "add", far, "via", f"10.{net}.0.1", "src", near)
            ip("-n", self._between, "route", "add", near, "via", f"10.{net}.0.2")


def _add(host: str, address: str, device: str) -> None:
    more = ("/64", ["nodad"]) if ":" in address else ("/24", [])
    ip("-n", host, "address", "add", f"{address}{more[0]}", "dev", device, *more[1])
