"""Herald's BGP against a real BIRD: the second opinion on what Herald writes."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path

import pytest
from frr_router import HERALD, ROUTER, FrrRouter, NamespaceLoop, eventually, frr_beside_herald, run
from peering_in_namespace import started

from herald.bgp.community import Community, LargeCommunity
from herald.bgp.route import Route
from herald.bgp.session import Password, PeerParameters

pytestmark = [pytest.mark.netns, pytest.mark.interop]

CONFIG = f"""
router id {ROUTER};
protocol device {{ }}
protocol bgp herald {{
  local {ROUTER} as 64501; neighbor {HERALD} as 4200000001; passive on; hold time 9; password "secret123";
  ipv4 {{ import all; export none; }};
  ipv6 {{ import all; export none; }};
}}
"""
ROUTES = (
    Route(
        IPv4Network("192.168.1.201/32"),
        communities=(Community(64500 << 16 | 10), Community(64500 << 16 | 20)),
        large_communities=(LargeCommunity(64500, 1, 4294967295),),
        prepend=(4200000001,),
    ),
    Route(IPv6Network("2001:db8:cafe::/64")),
)


class Bird:
    def __init__(self, router: FrrRouter, directory: Path) -> None:
        self.control = directory / "bird.ctl"
        (directory / "bird.conf").write_text(CONFIG)
        here = str(directory)
        files = ["-c", f"{here}/bird.conf", "-s", str(self.control), "-P", f"{here}/bird.pid"]
        self.process = subprocess.Popen(["ip", "netns", "exec", router.namespace, "bird", "-f", *files])
        eventually(self.control.exists, "BIRD opens its control socket")

    def show(self, what: str) -> str:
        return run("birdc", "-s", str(self.control), "show", *what.split())

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)


@pytest.fixture
def there() -> Iterator[tuple[Bird, NamespaceLoop]]:
    with frr_beside_herald() as router:
        directory = Path(tempfile.mkdtemp(prefix="herald-bird-", dir="/tmp"))
        bird = Bird(router, directory)
        loop = NamespaceLoop(router.herald_namespace)
        try:
            yield bird, loop
        finally:
            loop.close()
            bird.stop()
            shutil.rmtree(directory)


def test_bird_learns_what_was_wished_for_and_forgets_it(there: tuple[Bird, NamespaceLoop]) -> None:
    bird, loop = there
    parameters = PeerParameters(
        name="bird",
        peer_address=ip_address(ROUTER),
        local_asn=4200000001,
        peer_asn=64501,
        password=Password("secret123"),
    )

    with started(loop, parameters, *ROUTES) as here:
        eventually(lambda: here.established, "the session is up")
        eventually(lambda: "2001:db8:cafe::/64" in bird.show("route table master6"), "BIRD has the IPv6 route")
        shown = bird.show("route all 192.168.1.201/32")
        for line in (
            "BGP.origin: IGP",
            "BGP.as_path: 4200000001 4200000001",
            f"BGP.next_hop: {HERALD}",
            "BGP.community: (64500,10) (64500,20)",
            "BGP.large_community: (64500, 1, 4294967295)",
        ):
            assert line in shown
        loop.do(lambda: here.peering.apply_routes((), tuple(route.prefix for route in ROUTES)))
        eventually(lambda: "192.168.1.201" not in bird.show("route"), "the route is withdrawn")
        eventually(lambda: "2001:db8:cafe" not in bird.show("route"), "the IPv6 route is withdrawn")
    assert "Received: Administrative shutdown" in bird.show("protocols all herald")
