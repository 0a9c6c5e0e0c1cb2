"""BIRD 2: its configuration, and what `birdc` tells. It has no JSON."""

import re
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from frr_router import ROUTER
from matrix_neighbor import ROUTER_AS, Capability, Learnt, Neighbor, Session
from unnumbered_routers import Daemons, daemons, run, until

HEAD = f"""
router id {ROUTER};
log stderr all;
protocol device {{ }}
"""
ADVERTISER = 'protocol radv { interface "eth0" { max ra interval 10; min ra interval 3; default lifetime 0; }; }\n'
"""Router advertisements, by which an unnumbered peer finds its router."""

_CAPABILITIES = {
    "4-octet AS numbers": Capability.FOUR_OCTET_AS,
    "Route refresh": Capability.ROUTE_REFRESH,
    "Enhanced refresh": Capability.ENHANCED_REFRESH,
    "Extended message": Capability.EXTENDED_MESSAGE,
    "Extended next hop": Capability.EXTENDED_NEXT_HOP,
    "Graceful restart": Capability.GRACEFUL_RESTART,
}


def version() -> str:
    done = subprocess.run(["bird", "--version"], capture_output=True, text=True, check=True)
    return (done.stdout + done.stderr).split()[-1]


def block(neighbor: Neighbor, *more: str) -> str:
    """The `protocol bgp` of a neighbor; `more` are further statements of it."""
    asn = "external" if neighbor.two_octets else f"as {neighbor.asn}"
    if neighbor.interface is None:
        who = [f"local {neighbor.local} as {ROUTER_AS}", f"neighbor {neighbor.address} {asn}"]
        who += ["connect delay time 1", "connect retry time 2"] if neighbor.dials else ["passive on"]
    else:
        who = [f"local as {ROUTER_AS}", f'neighbor range fe80::/64 {asn}; interface "{neighbor.interface}"', "passive"]
        who += [f'dynamic name "{neighbor.name}"']
    statements = [*who, f"hold time {neighbor.hold_time}", "debug { packets }", *more]
    statements += [f'password "{neighbor.password}"'] if neighbor.password else []
    statements += ["ttl security on"] if neighbor.ttl_security else []
    statements += ["multihop 5"] if neighbor.multihop else []
    statements += ["enable as4 off"] if neighbor.two_octets else []
    statements += ["enable extended messages on"] if neighbor.extended_message else []
    statements += [f"local role {neighbor.role}"] if neighbor.role else []
    extended = "extended next hop on; " if neighbor.extended_next_hop else ""
    channels = [f"ipv4 {{ import all; export none; {extended}}}"]
    channels += ["ipv6 { import all; export none; }"] if neighbor.ipv6 else []
    lines = "".join(f"  {statement};\n" for statement in (*statements, *channels))
    return f"protocol bgp {neighbor.name} {{\n{lines}}}\n"


def config(*neighbors: Neighbor) -> str:
    return HEAD + "".join(block(neighbor) for neighbor in neighbors)


class Bird:
    """A running BIRD."""

    def __init__(self, daemons: Daemons, config: str) -> None:
        self._daemons = daemons
        self._control = daemons.directory / "bird.ctl"
        files = ["-c", str(daemons.write("bird.conf", config)), "-s", str(self._control)]
        self.process = daemons.start("bird", "-f", *files, "-P", str(daemons.directory / "bird.pid"), name="bird")
        until(self._control.exists, "BIRD opens its control socket")

    def birdc(self, *words: str) -> str:
        return run("birdc", "-s", str(self._control), *words)

    def show(self, what: str) -> str:
        return self.birdc("show", *what.split())

    def session(self, neighbor: Neighbor) -> Session:
        shown = self.show(f"protocols all {neighbor.name}")
        if "BGP state:          Established" not in shown:
            return Session()
        theirs = shown[shown.index("Neighbor capabilities") : shown.index("    Session:")]
        timer = re.search(r"Hold timer: +\S+/(\d+)", shown)
        named = re.search(r"Hostname: (.*)", theirs)
        role = re.search(r"Role: (\w+)", shown[: shown.index("Neighbor capabilities")])
        return Session(
            established=True,
            asn=int(re.findall(r"Neighbor AS: +(\d+)", shown)[0]),
            hold_time=int(timer[1]) if timer else 0,
            capabilities=frozenset(known for words, known in _CAPABILITIES.items() if f"      {words}\n" in theirs),
            host_name=named[1] if named else None,
            own_role=role[1] if role else None,
        )

    def learnt(self, neighbor: Neighbor, prefix: str) -> Learnt | None:
        shown = self._routes("all", prefix, "protocol", neighbor.name)
        said = dict(re.findall(r"BGP\.(\w+): (.*)", shown))
        if not said:
            return None
        bandwidths = re.findall(r"\(unknown 0x4004, (\d+), (\d+)\)", said.get("ext_community", ""))
        return Learnt(
            next_hops=tuple(said["next_hop"].split()),
            as_path=tuple(map(int, said["as_path"].split())),
            origin=said["origin"].lower(),
            local_pref=int(said["local_pref"]),
            communities=_listed(said.get("community", "")),
            large_communities=_listed(said.get("large_community", "")),
            bandwidths=tuple((int(asn), struct.unpack("!f", int(bits).to_bytes(4))[0]) for asn, bits in bandwidths),
            extended_communities=frozenset(_extended(said.get("ext_community", ""))),
            only_to_customer=int(said["otc"]) if "otc" in said else None,
        )

    def has_communities(self, neighbor: Neighbor, prefix: str, count: int) -> bool:
        counted = ("where", "bgp_community.len", "=", str(count))
        return prefix in self._routes(prefix, "protocol", neighbor.name, *counted)

    def ask_refresh(self, neighbor: Neighbor) -> None:
        self.birdc("reload", "in", neighbor.name)

    def updates(self, neighbor: Neighbor) -> int:
        counted = re.findall(r"Import updates: +(\d+)", self.show(f"protocols all {neighbor.name}"))
        return sum(map(int, counted))

    def refreshes(self, neighbor: Neighbor) -> int:
        log = self._daemons.log("bird")
        return min(log.count(f"{neighbor.name}: Got {mark}-OF-RR") for mark in ("BEGIN", "END"))

    def _routes(self, *words: str) -> str:
        """Routes of its tables; birdc calls it a failure if there is none."""
        command = ["birdc", "-s", str(self._control), "show", "route", *words]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def _listed(shown: str) -> tuple[str, ...]:
    """`(64500,10) (64500, 1, 2)` as `64500:10`, `64500:1:2`."""
    return tuple(":".join(re.findall(r"\d+", one)) for one in re.findall(r"\(.*?\)", shown))


def _extended(shown: str) -> Iterator[str]:
    """`(rt, 65000, 100) (ro, 65000, 7) (generic, 0x430c0000, 0x1) (unknown 0x4004, …)`, but for the last."""
    for name, who, value in re.findall(r"\((rt|ro|generic), (\S+), (\S+)\)", shown):
        yield f"{'soo' if name == 'ro' else name}:{who}:{value}"


@contextmanager
def bird(host: str, config: str) -> Iterator[Bird]:
    with daemons(host) as there:
        yield Bird(there, config)
