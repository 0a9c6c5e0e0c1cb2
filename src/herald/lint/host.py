"""What about a host keeps its addresses from working: facts of the host in, findings with their fixes out. No I/O.

`herald doctor` reads the facts (`herald.cli.host_facts`) and prints the findings; each check is one function, and
`CHECKS` names them all. Severities are those of lint: an error keeps addresses from working, a warning does in some
networks, or will.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import Final

from herald.config.problem import Severity

NOBODY: Final = "another process"
GOSSIP_PORT: Final = 7946
BGP_PORT: Final = 179
BFD_PORT: Final = 3784
LOCAL_ANNOUNCERS: Final[Mapping[str, str]] = {
    "keepalived": "keepalived",
    "ucarp": "ucarp",
    "vrrpd": "vrrpd",
    "kube-vip": "kube-vip",
    "metallb-speaker": "MetalLB's speaker",
}


@dataclass(frozen=True, slots=True)
class Nic:
    """An interface on which Herald answers. Switches are of IPv4; `rp_filter` 0 to 2, `arp_ignore` 0 to 8."""

    name: str
    proxy_arp: bool = False
    rp_filter: int = 0
    arp_ignore: int = 0
    arp_announce: int = 0
    is_wireless: bool = False
    has_default_route: bool = False


@dataclass(frozen=True, slots=True)
class Port:
    """A port that somebody listens on; `holder` is the name of the process, None if it may not be known."""

    protocol: str
    number: int
    holder: str | None = None


@dataclass(frozen=True, slots=True)
class HostFacts:
    """What was read. `nics` are those that may answer, each with the values that are in force there.

    `ipvs` whether kube-proxy's interface kube-ipvs0 is there; `own_addresses` are IPv4 addresses with a prefix of 32 on
    interfaces that do not answer, by interface; `missing_right` is what `herald.engine.rights.missing` says.
    """

    nics: tuple[Nic, ...] = ()
    ipvs: bool = False
    own_addresses: Mapping[str, tuple[IPv4Address, ...]] = field(default_factory=dict)
    ports: tuple[Port, ...] = ()
    processes: frozenset[str] = frozenset()
    missing_right: str | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong, with what, and what to do about it."""

    check: str
    severity: Severity
    subject: str
    problem: str
    fix: str


def findings(facts: HostFacts) -> tuple[Finding, ...]:
    """Everything that is wrong, errors first, otherwise in the order of `CHECKS`."""
    found = [finding for check in CHECKS.values() for finding in check(facts)]
    return tuple(sorted(found, key=lambda one: one.severity is not Severity.ERROR))


def _rights(facts: HostFacts) -> Iterator[Finding]:
    if facts.missing_right is not None:
        fix = "run it as root, or give it CAP_NET_RAW (securityContext.capabilities.add: [NET_RAW] in a pod)"
        yield Finding("capabilities", Severity.ERROR, "this process", facts.missing_right, fix)


def _no_nic(facts: HostFacts) -> Iterator[Finding]:
    if not facts.nics:
        words = (
            "no interface of this host can answer ARP: each is down, excluded by name, part of a bridge, or no Ethernet"
        )
        fix = "switch one on (`ip link set eth0 up`), or change announcedInterfacesToExclude"
        yield Finding("interfaces", Severity.ERROR, "this host", words, fix)


def _ipvs(facts: HostFacts) -> Iterator[Finding]:
    loose = [nic.name for nic in facts.nics if nic.arp_ignore == 0]
    if facts.ipvs and loose:
        words = (
            "kube-proxy runs in IPVS mode without strictARP: the kernel of every node answers ARP on "
            f"{', '.join(loose)} for every address of every Service"
        )
        fix = (
            "set ipvs.strictARP: true in the ConfigMap kube-system/kube-proxy and restart kube-proxy, which sets "
            "net.ipv4.conf.all.arp_ignore=1 and arp_announce=2"
        )
        yield Finding("strictARP", Severity.ERROR, "kube-proxy", words, fix)


def _arp_ignore(facts: HostFacts) -> Iterator[Finding]:
    answering = [nic.name for nic in facts.nics if nic.arp_ignore == 0]
    for interface, addresses in facts.own_addresses.items():
        listed = ", ".join(map(str, addresses))
        if answering and not facts.ipvs:
            words = (
                f"has {listed}, and arp_ignore is 0: the kernel itself answers ARP for it on {', '.join(answering)}, "
                "elected or not"
            )
            fix = "sysctl -w net.ipv4.conf.all.arp_ignore=1, and a line in /etc/sysctl.d/ to keep it"
            yield Finding("arp_ignore", Severity.WARNING, interface, words, fix)


def _arp_announce(facts: HostFacts) -> Iterator[Finding]:
    speaking = [nic.name for nic in facts.nics if nic.arp_announce < 2]
    for interface, addresses in facts.own_addresses.items():
        listed = ", ".join(map(str, addresses))
        if speaking and not facts.ipvs:
            words = f"has {listed}, and the kernel may ask from it: on {', '.join(speaking)} arp_announce is below 2"
            fix = "sysctl -w net.ipv4.conf.all.arp_announce=2, and a line in /etc/sysctl.d/ to keep it"
            yield Finding("arp_announce", Severity.WARNING, interface, words, fix)


def _proxy_arp(facts: HostFacts) -> Iterator[Finding]:
    for nic in facts.nics:
        if nic.proxy_arp:
            words = "proxy_arp is on: the kernel answers for what it would route elsewhere, other nodes' addresses too"
            fix = f"sysctl -w net.ipv4.conf.all.proxy_arp=0 net.ipv4.conf.{nic.name}.proxy_arp=0"
            yield Finding("proxy_arp", Severity.ERROR, nic.name, words, fix)


def _rp_filter(facts: HostFacts) -> Iterator[Finding]:
    ways_out, beside = _ways(facts)
    for nic in beside:
        if nic.rp_filter == 1:
            words = (
                f"rp_filter is strict, and the way to other networks is {', '.join(ways_out)}: what their clients send "
                "to an address announced here is dropped without a word"
            )
            fix = (
                f"sysctl -w net.ipv4.conf.all.rp_filter=2 net.ipv4.conf.{nic.name}.rp_filter=2, or name the other "
                "interface in `interfaces` of the L2Advertisement"
            )
            yield Finding("rp_filter", Severity.ERROR, nic.name, words, fix)


def _return_path(facts: HostFacts) -> Iterator[Finding]:
    ways_out, beside = _ways(facts)
    for nic in beside:
        if nic.rp_filter != 1:
            words = (
                f"replies to clients of other networks leave by {', '.join(ways_out)}, not by {nic.name}: firewalls "
                "that follow connections drop them"
            )
            fix = (
                f"a routing table for what comes from the pool: `ip rule add from POOL table 100` and `ip route add "
                f"default via GATEWAY dev {nic.name} table 100`; or name the other interface in `interfaces`"
            )
            yield Finding("return path", Severity.WARNING, nic.name, words, fix)


def _ways(facts: HostFacts) -> tuple[list[str], list[Nic]]:
    """The interfaces of default routes, and those beside them that have none."""
    ways_out = [nic.name for nic in facts.nics if nic.has_default_route]
    return ways_out, [nic for nic in facts.nics if ways_out and not nic.has_default_route]


def _wireless(facts: HostFacts) -> Iterator[Finding]:
    for nic in facts.nics:
        if nic.is_wireless:
            words = "is Wi-Fi: most access points answer ARP themselves, or let only the MAC through that logged in"
            fix = "announce on a wired interface, by `interfaces` of the L2Advertisement"
            yield Finding("Wi-Fi", Severity.WARNING, nic.name, words, fix)


def _other_announcers(facts: HostFacts) -> Iterator[Finding]:
    for process, name in LOCAL_ANNOUNCERS.items():
        if process in facts.processes:
            words = f"{name} runs here and answers for addresses too: for one that both have, both answer"
            fix = "keep its addresses out of every IPAddressPool, or stop it"
            yield Finding("other announcers", Severity.WARNING, process, words, fix)


def _ports(facts: HostFacts) -> Iterator[Finding]:
    for port in facts.ports:
        if port.holder is not None and port.holder.startswith("herald"):
            continue
        subject, holder = f"{port.protocol} {port.number}", port.holder or NOBODY
        match port.number:
            case 7946:
                words = (
                    f"{holder} has the port of gossip: this node knows of no other speaker, and owns no Layer 2 address"
                )
                fix = "stop it (MetalLB's speaker: delete its DaemonSet first), or give --ml-bindport on every node"
                yield Finding("ports", Severity.ERROR, subject, words, fix)
            case 3784:
                words = (
                    f"{holder} has the port of BFD: sessions with a bfdProfile do not come up, and fastFailover leaves "
                    "it to gossip to find out who died"
                )
                fix = (
                    "let the other one do without BFD (in FRR: bfdd=no in /etc/frr/daemons), or drop bfdProfile and "
                    "fastFailover"
                )
                yield Finding("ports", Severity.WARNING, subject, words, fix)
            case 179:
                words = f"{holder} speaks BGP from this host: a router that takes one session per host resets one"
                fix = "let Herald peer with that daemon (peerAddress: 127.0.0.1), or give it a sourceAddress of its own"
                yield Finding("ports", Severity.WARNING, subject, words, fix)


CHECKS: Final[Mapping[str, Callable[[HostFacts], Iterator[Finding]]]] = {
    "capabilities": _rights,
    "interfaces": _no_nic,
    "strictARP": _ipvs,
    "proxy_arp": _proxy_arp,
    "rp_filter": _rp_filter,
    "return path": _return_path,
    "arp_ignore": _arp_ignore,
    "arp_announce": _arp_announce,
    "Wi-Fi": _wireless,
    "other announcers": _other_announcers,
    "ports": _ports,
}
