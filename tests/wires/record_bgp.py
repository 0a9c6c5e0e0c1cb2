"""Whole sessions of FRR, BIRD, GoBGP and ExaBGP with a speaker that says little and hears all."""

import contextlib
import socket
import time
from collections.abc import Callable
from ipaddress import IPv4Address

from frr_router import HERALD, ROUTER, ROUTER6, eventually, frr_beside_herald, run
from matrix_bird import bird
from segment import inside
from tap import Packets
from unnumbered_routers import daemons

from herald.bgp import message
from herald.bgp.capability import (
    EnhancedRouteRefresh,
    ExtendedMessage,
    ExtendedNextHop,
    FourOctetAs,
    GracefulRestart,
    Multiprotocol,
    RestartFamily,
    RouteRefresh,
)
from herald.bgp.family import Family
from herald.bgp.message import Framer, Keepalive, MessageType, Open
from herald.bgp.path_attribute import WireContext

OURS = (
    *(Multiprotocol(family) for family in Family),
    RouteRefresh(),
    EnhancedRouteRefresh(),
    ExtendedMessage(),
    ExtendedNextHop((Family.IPV4_UNICAST,)),
    GracefulRestart(120, tuple(RestartFamily(family, True) for family in Family), notification=True),
    FourOctetAs(64500),
)


class Speaker:
    """Speaks just enough BGP to be told everything, and keeps what it is told."""

    def __init__(self, namespace: str) -> None:
        self._socket = inside(namespace, self._connected)
        self._framer = Framer()
        self.heard: list[tuple[MessageType, bytes]] = []
        self.say(Open(64500, 90, IPv4Address(HERALD), OURS))

    @staticmethod
    def _connected() -> socket.socket:
        for _ in range(200):
            with contextlib.suppress(OSError):
                return socket.create_connection((ROUTER, 179), 5)
            time.sleep(0.05)
        raise AssertionError("nobody listens")

    def say(self, said: message.Message) -> None:
        self._socket.sendall(message.encode(said, WireContext()))

    def listen(self, quiet: float = 1.5) -> None:
        """Until nothing has come for so long, or the connection ends."""
        self._socket.settimeout(quiet)
        with contextlib.suppress(TimeoutError, ConnectionResetError):
            while data := self._socket.recv(65536):
                for kind, body in self._framer.feed(data):
                    self.heard.append((kind, body))
                    if kind is MessageType.OPEN:
                        self.say(Keepalive())

    def recorded(self) -> Packets:
        """Each different message once, in the order in which they came."""
        found: dict[bytes, str] = {}
        for kind, body in self.heard:
            wire = message.frame(kind, body)
            found.setdefault(wire, f"{len(found) + 1:02}-{kind.name.lower().replace('_', '-')}")
        return {name: wire for wire, name in found.items()}


def conversation(namespace: str, *steps: Callable[[], object]) -> Packets:
    """All that is heard: at the start, after a request for all routes again, and after each step."""
    speaker = Speaker(namespace)
    speaker.listen()
    for family in Family:
        speaker.say(message.RouteRefresh(*family.value))
    speaker.listen()
    for step in steps:
        step()
        speaker.listen(5.0 if step is steps[-1] else 1.5)
    return speaker.recorded()


FRR_BGP = f"""
hostname router
bgp large-community-list standard none permit 0:0:0
ip prefix-list coloured permit 10.0.0.0/8
route-map colour permit 10
 match ip address prefix-list coloured
 set community 64501:7 no-export
 set large-community 4200000001:1:2
 set extcommunity rt 64501:99
 set metric 50
 set as-path prepend 64999 64998
route-map colour permit 20
router bgp 4200000001
 bgp router-id {ROUTER}
 no bgp ebgp-requires-policy
 no bgp network import-check
 neighbor {HERALD} remote-as 64500
 neighbor {HERALD} passive
 neighbor {HERALD} capability extended-nexthop
 bgp graceful-restart
 address-family ipv4 unicast
  network 10.0.0.0/8
  network 198.51.100.7/32
  network 203.0.113.0/25
  aggregate-address 203.0.113.0/24
  neighbor {HERALD} route-map colour out
  neighbor {HERALD} soft-reconfiguration inbound
 exit-address-family
 address-family ipv6 unicast
  network 2001:db8:1::/48
  network 2001:db8::1/128
  neighbor {HERALD} activate
 exit-address-family
"""


def bgp_frr() -> Packets:
    with frr_beside_herald() as router:
        router.start(FRR_BGP)
        terminal = ("configure terminal", "router bgp 4200000001")
        return conversation(
            router.namespace.replace("hbr", "hbh"),
            lambda: router.vtysh(
                *terminal, "address-family ipv4 unicast", f"no neighbor {HERALD} soft-reconfiguration inbound"
            ),
            lambda: router.vtysh(f"clear bgp {HERALD} soft in"),
            lambda: router.vtysh(*terminal, "address-family ipv4 unicast", "no network 198.51.100.7/32"),
            lambda: router.vtysh(*terminal, "address-family ipv6 unicast", "no network 2001:db8::1/128"),
            lambda: router.vtysh(*terminal, f"neighbor {HERALD} shutdown message cable work"),
        )


BIRD_BGP = f"""
router id {ROUTER};
protocol device {{ }}
protocol static four {{ ipv4; route 10.0.0.0/8 blackhole; route 198.51.100.7/32 blackhole; }}
protocol static six {{ ipv6; route 2001:db8:1::/48 blackhole; }}
filter colour {{
  bgp_community.add((64501, 7)); bgp_large_community.add((4200000001, 1, 2)); bgp_ext_community.add((rt, 64501, 99));
  bgp_med = 50; bgp_path.prepend(64999); accept;
}}
protocol bgp herald {{
  local {ROUTER} as 4200000001; neighbor {HERALD} as 64500; passive on; enable extended messages on;
  graceful restart on; long lived graceful restart on;
  ipv4 {{ import all; export filter colour; extended next hop on; }};
  ipv6 {{ import all; export all; next hop self; }};
}}
"""


def bgp_bird() -> Packets:
    with frr_beside_herald() as place, bird(place.namespace, BIRD_BGP) as router:
        control = ("birdc", "-s", str(router._control))
        return conversation(
            place.herald_namespace,
            lambda: run(*control, "reload", "in", "herald"),
            lambda: run(*control, "disable", "four"),
            lambda: run(*control, "disable", "herald", '"cable work"'),
        )


GOBGP = f"""
[global.config]
  as = 4200000001
  router-id = "{ROUTER}"
[[neighbors]]
  [neighbors.config]
    neighbor-address = "{HERALD}"
    peer-as = 64500
  [neighbors.transport.config]
    passive-mode = true
  [neighbors.graceful-restart.config]
    enabled = true
    restart-time = 60
    notification-enabled = true
  [[neighbors.afi-safis]]
    [neighbors.afi-safis.config]
      afi-safi-name = "ipv4-unicast"
    [neighbors.afi-safis.mp-graceful-restart.config]
      enabled = true
  [[neighbors.afi-safis]]
    [neighbors.afi-safis.config]
      afi-safi-name = "ipv6-unicast"
    [neighbors.afi-safis.mp-graceful-restart.config]
      enabled = true
"""


def bgp_gobgp() -> Packets:
    with frr_beside_herald() as place, daemons(place.namespace) as there:
        daemon = f"hostname router; exec gobgpd -f {there.write('gobgp.toml', GOBGP)} --log-plain"
        there.start("unshare", "--uts", "sh", "-c", daemon, name="gobgpd")

        def gobgp(*words: str) -> str:
            return run("ip", "netns", "exec", place.namespace, "gobgp", *words)

        eventually(lambda: _succeeds(lambda: gobgp("neighbor")), "gobgpd answers")
        colours = ["community", "64501:7,no-export", "large-community", "4200000001:1:2", "med", "50"]
        gobgp("global", "rib", "add", "10.0.0.0/8", *colours, "aspath", "64999,64998", "origin", "igp")
        gobgp("global", "rib", "add", "198.51.100.7/32")
        gobgp("global", "rib", "add", "-a", "ipv6", "2001:db8:1::/48")
        return conversation(
            place.herald_namespace,
            lambda: gobgp("neighbor", HERALD, "softresetin"),
            lambda: gobgp("global", "rib", "del", "198.51.100.7/32"),
            lambda: gobgp("global", "rib", "del", "-a", "ipv6", "2001:db8:1::/48"),
            lambda: gobgp("neighbor", HERALD, "shutdown", "cable work"),
        )


EXABGP_ATTRIBUTES = (
    "community [ 64501:7 no-export ] large-community [ 4200000001:1:2 ] extended-community [ target:64501:99 ]"
    f" med 50 as-path [ 64999 64998 ] atomic-aggregate aggregator ( 64501:{ROUTER} )"
)
EXABGP = f"""
neighbor {HERALD} {{
  router-id {ROUTER}; local-address {ROUTER}; local-as 4200000001; peer-as 64500; passive; host-name router;
  family {{ ipv4 unicast; ipv6 unicast; }}
  capability {{ graceful-restart 60; route-refresh enable; add-path disable; asn4 enable; extended-message enable; }}
  static {{
    route 10.0.0.0/8 next-hop {ROUTER} {EXABGP_ATTRIBUTES};
    route 198.51.100.7/32 next-hop {ROUTER};
    route 2001:db8:1::/48 next-hop {ROUTER6};
  }}
}}
"""


def bgp_exabgp() -> Packets:
    with frr_beside_herald() as place, daemons(place.namespace) as there:
        settings = ["exabgp.daemon.user=root", "exabgp.api.cli=false", f"exabgp.tcp.bind={ROUTER}"]
        words = ["env", *settings, "exabgp.tcp.port=179", "exabgp", str(there.write("exa.conf", EXABGP))]
        process = there.start(*words, name="exabgp")
        return conversation(place.herald_namespace, process.terminate)


def _succeeds(work: Callable[[], object]) -> bool:
    with contextlib.suppress(AssertionError):
        work()
        return True
    return False
