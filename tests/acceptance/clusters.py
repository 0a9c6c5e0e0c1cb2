"""Small random clusters: every field is used now and then, and sometimes one object is wrong."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from manifests import NAMESPACE, Manifest, bfd, bgp, community, l2, namespace, node, peer, pool, secret, service

T = TypeVar("T")
EXCLUDE = "node.kubernetes.io/exclude-from-external-load-balancers"
NODES = ["node-a", "node-b", "worker-1", "edge"]
LABELS = {"tier": ["gold", "silver"], "rack": ["r1", "r2"], "edge": ["", "true"]}
SPACES = ["default", "team-a", "team-b"]
V4 = [
    ["10.0.0.0/30", "10.0.0.0-10.0.0.3", "10.0.0.2/32", "10.0.0.0/29"],
    ["10.0.0.254-10.0.1.2", "10.0.1.0/31", "10.0.0.255-10.0.1.0"],
    ["10.0.2.5 - 10.0.2.7", "10.0.2.6-10.0.2.6"],
    ["10.0.3.7/29", "10.0.4.255/32"],
]
V6 = [
    ["fd00::/126", "fd00::2-fd00::5"],
    ["FD00:0:0:1::/64", "fd00:0:0:1::-fd00:0:0:1::9"],
    ["fd00:2::7/128", "2001:db8::fffe-2001:db8::1:1"],
]
"""Entries of one list have addresses in common, or nearly so."""
WISHES4 = ["10.0.0.0", "10.0.0.1", "10.0.0.2", "10.0.1.0", "10.0.0.255", "10.0.2.6", "10.9.9.9"]
WISHES6 = ["fd00::1", "FD00::2", "fd00:0:0:0:0:0:0:3", "fd00:0:0:1::", "2001:db8::ffff", "fd09::9"]
AGES = [None, None, "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z", "2025-12-31T23:59:59Z"]
POOLS = ["main", "dual", "extra", "vip"]
PEERS = ["tor-1", "tor-2", "edge-router"]
ALIASES: dict[str, Any] = {"blackhole": "65535:666", "no-export": "65535:65281"}


class Dice:
    def __init__(self, source: random.Random) -> None:
        self.random = source

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def one(self, choices: Sequence[T]) -> T:
        return self.random.choice(choices)

    def some(self, choices: Sequence[T], low: int = 0, high: int | None = None) -> list[T]:
        most = len(choices) if high is None else min(high, len(choices))
        return self.random.sample(choices, self.random.randint(min(low, most), most))

    def labels(self) -> dict[str, str]:
        return {key: self.one(LABELS[key]) for key in self.some(list(LABELS))}

    def selector(self) -> dict[str, Any]:
        key = self.one(list(LABELS))
        operator = self.one(["In", "NotIn", "Exists", "DoesNotExist"])
        expression: dict[str, Any] = {"key": key, "operator": operator}
        if operator in ("In", "NotIn"):
            expression["values"] = self.some(LABELS[key], 1)
        match self.random.randint(0, 9):
            case 0:
                return {}
            case 1 | 2 | 3:
                return {"matchExpressions": [expression]}
            case 4:
                return {"matchLabels": {"kubernetes.io/hostname": self.one(NODES)}}
            case 5:
                return {"matchLabels": {"tier": self.one(LABELS["tier"])}, "matchExpressions": [expression]}
            case _:
                return {"matchLabels": {key: self.one(LABELS[key])}}

    def selectors(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for _ in range(self.one([1, 1, 2])):
            new = self.selector()
            if all(not _same(new, old) for old in found):
                found.append(new)
        return found

    def optional(self, share: float, key: str, make: Callable[[], Any]) -> dict[str, Any]:
        return {key: make()} if self.chance(share) else {}

    def meta(self) -> dict[str, Any]:
        made: dict[str, Any] = {"labels": self.labels()}
        if age := self.one(AGES):
            made["creationTimestamp"] = age
        return made


def _same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    def plain(selector: dict[str, Any]) -> Any:
        expressions = selector.get("matchExpressions") or []
        return selector.get("matchLabels"), [
            (e["key"], e["operator"], sorted(e.get("values") or [])) for e in expressions
        ]

    return bool(plain(one) == plain(other))


def cluster(source: random.Random) -> list[Manifest]:
    dice = Dice(source)
    objects = [*_nodes(dice), *_namespaces(dice), *_pools(dice), *_helpers(dice)]
    objects += _l2(dice) + _peers(dice) + _bgp(dice)
    for name in [f"svc-{letter}" for letter in "abcdefgh"[: source.randint(2, 8)]]:
        objects += _service(dice, name)
    if dice.chance(0.3):
        objects.append(dice.one(BROKEN)(dice))
    source.shuffle(objects)
    return objects


@dataclass(frozen=True)
class Circumstances:
    """How Herald was started: its namespace, the live speakers (None: all nodes), its class, whether labels count."""

    home: str = NAMESPACE
    members: tuple[str, ...] | None = None
    lb_class: str | None = None
    ignore_exclude: bool = False


def circumstances(source: random.Random) -> Circumstances:
    dice = Dice(source)
    return Circumstances(
        "default" if dice.chance(0.02) else NAMESPACE,
        tuple(dice.some([*NODES, "gone"])) if dice.chance(0.15) else None,
        "other.io/lb" if dice.chance(0.05) else None,
        dice.chance(0.1),
    )


def _nodes(dice: Dice) -> list[Manifest]:
    made = []
    for name in dice.some(NODES, 1):
        labels = dice.labels()
        if dice.chance(0.1):
            labels[EXCLUDE] = dice.one(["", "true", "false"])
        conditions = [("NetworkUnavailable", "True"), ("NetworkUnavailable", "False"), ("Ready", "False")]
        made.append(node(name, dice.one(conditions) if dice.chance(0.2) else None, **labels))
    return made


def _namespaces(dice: Dice) -> list[Manifest]:
    return [namespace(name, **dice.labels()) for name in dice.some(SPACES)]


def _allocation(dice: Dice) -> dict[str, Any]:
    return {
        **dice.optional(0.7, "priority", lambda: dice.one([0, 1, 5, 10])),
        **dice.optional(0.5, "namespaces", lambda: dice.some(SPACES, 1, 3)),
        **dice.optional(0.3, "namespaceSelectors", dice.selectors),
        **dice.optional(0.4, "serviceSelectors", dice.selectors),
    }


def _pools(dice: Dice) -> list[Manifest]:
    made = []
    names = dice.some(POOLS, 0 if dice.chance(0.05) else 1, 3)
    apart = dice.chance(0.85)
    v4, v6 = (dice.random.sample(entries, len(entries)) for entries in (V4, V6))
    for name in names:
        take4, take6 = dice.one([(1, 0), (1, 1), (2, 0), (1, 1), (0, 1)])
        if apart:
            chosen = [v4.pop() for _ in range(min(take4, len(v4)))] + [v6.pop() for _ in range(min(take6, len(v6)))]
        else:
            chosen = dice.some(V4, take4, take4) + dice.some(V6, take6, take6)
        if chosen:
            spec = {
                **dice.optional(0.2, "autoAssign", lambda: dice.chance(0.4)),
                **dice.optional(0.3, "avoidBuggyIPs", lambda: dice.chance(0.7)),
                **dice.optional(0.4, "serviceAllocation", lambda: _allocation(dice)),
            }
            made.append(pool(name, *(dice.one(entries) for entries in chosen), meta=dice.meta(), **spec))
    return made


def _helpers(dice: Dice) -> list[Manifest]:
    made = []
    if dice.chance(0.95):
        made.append(community("well-known", **ALIASES))
    if dice.chance(0.4):
        made.append(community("more", big="large:64500:1:2"))
    if dice.chance(0.95):
        made.append(bfd("fast", receiveInterval=50, transmitInterval=50, echoMode=dice.chance(0.5)))
    if dice.chance(0.95):
        made.append(secret("bgp-secret"))
    return made


def _pool_choice(dice: Dice) -> dict[str, Any]:
    return {
        **dice.optional(0.35, "ipAddressPools", lambda: dice.some([*POOLS, "nowhere"], 2, 4)),
        **dice.optional(0.15, "ipAddressPoolSelectors", dice.selectors),
        **dice.optional(0.25, "nodeSelectors", dice.selectors),
    }


def _l2(dice: Dice) -> list[Manifest]:
    def preferences() -> list[dict[str, Any]]:
        return [{"weight": dice.one([1, 50, 100]), "preference": dice.selector()} for _ in range(dice.one([1, 2]))]

    made = []
    for name in dice.some(["arp", "ndp", "lan"], 0 if dice.chance(0.1) else 1, 3):
        spec = {
            **_pool_choice(dice),
            **dice.optional(0.3, "interfaces", lambda: dice.some(["eth1", "eth0", "bond0"], 1)),
            **dice.optional(0.2, "serviceSelectors", dice.selectors),
            **dice.optional(0.3, "preferredNodeSelectors", preferences),
        }
        made.append(l2(name, **spec))
    return made


def _peers(dice: Dice) -> list[Manifest]:
    made = []
    for name in dice.some(PEERS, 0 if dice.chance(0.1) else 1, 3):
        address = dice.one(["10.9.0.1", "10.9.0.2", "10.9.0.3", "fd00:9::1"])
        spec = {
            **dice.optional(0.2, "nodeSelectors", dice.selectors),
            **dice.optional(0.2, "peerASN", lambda: 64500),
            **dice.optional(0.1, "myASN", lambda: 64999),
            **dice.optional(0.1, "holdTime", lambda: dice.one(["90s", "0s", "1m30s", "500ms"])),
            **dice.optional(0.1, "keepaliveTime", lambda: dice.one(["0s", "100ms"]) if dice.chance(0.1) else "1s"),
            **dice.optional(0.1, "passwordSecret", lambda: {"name": "bgp-secret"}),
            **dice.optional(0.1, "bfdProfile", lambda: dice.one(["default", "fast"])),
            **dice.optional(0.05, "ebgpMultiHop", lambda: True),
            **dice.optional(0.1, "routerID", lambda: "10.0.0.1"),
            **dice.optional(0.1, "peerPort", lambda: 1179),
            **dice.optional(0.3, "dualStackAddressFamily", lambda: dice.chance(0.8)),
            **dice.optional(0.1, "localASN", lambda: 64777),
            **dice.optional(0.1, "vrf", lambda: "red"),
            **dice.optional(0.1, "gracefulRestart", lambda: {"enabled": True}),
        }
        made.append(peer(name, address, meta=dice.meta(), **spec))
    return made


def _bgp(dice: Dice) -> list[Manifest]:
    def prepend() -> dict[str, int]:
        return {"count": dice.one([1, 2, 3]), **dice.optional(0.5, "asn", lambda: dice.one([64999, 65001]))}

    literals = ["64500:100", "64500:20", "large:1:2:3", "large:64500:1:2", "65535:666", "blackhole"]
    made = []
    for name in dice.some(["public", "backup", "agg"], 0 if dice.chance(0.1) else 1, 3):
        spec = {
            **_pool_choice(dice),
            **dice.optional(0.3, "peers", lambda: dice.some([*PEERS, "nobody"], 1, 3)),
            **dice.optional(0.4, "communities", lambda: dice.some(literals, 1, 3)),
            **dice.optional(0.4, "localPref", lambda: dice.one([0, 50, 100, 2147483647])),
            **dice.optional(0.3, "asPrepend", prepend),
        }
        if dice.chance(0.25):
            spec["serviceSelectors"] = dice.selectors()
            spec |= dice.optional(0.3, "aggregationLength", lambda: 32)
        else:
            spec |= dice.optional(0.4, "aggregationLength", lambda: dice.one([24, 30, 31, 32]))
            spec |= dice.optional(0.3, "aggregationLengthV6", lambda: dice.one([64, 127, 128]))
        made.append(bgp(name, **spec))
    return made


def _status(dice: Dice, cluster_ips: list[str]) -> list[dict[str, str]]:
    if len(cluster_ips) == 2 and dice.chance(0.6):
        both = [{"ip": dice.one(WISHES4[:4])}, {"ip": dice.one(WISHES6[:4])}]
        return both if dice.chance(0.5) else both[::-1]
    forms = [
        [{"ip": dice.one(WISHES4)}],
        [{"ip": dice.one(WISHES4)}],
        [{"ip": dice.one(WISHES6)}],
        [{"ip": dice.one(WISHES4)}, {"ip": dice.one(WISHES6)}],
        [{"ip": dice.one(WISHES6)}, {"ip": dice.one(WISHES4)}],
        [{"hostname": "lb.example.com"}],
        [{"hostname": "lb.example.com"}, {"ip": dice.one(WISHES4)}],
        [{"ip": dice.one(WISHES4), "hostname": "lb.example.com"}],
        [{"ip": ip} for ip in dice.some(WISHES4, 2, 3)],
        [],
    ]
    found: list[dict[str, str]] = dice.one(forms)
    return found


def _families(dice: Dice) -> dict[str, Any]:
    match dice.random.randint(0, 12):
        case 0 | 1 | 2 | 3 | 10 | 11 | 12:
            return {"cluster_ips": ["10.96.0.1"], **dice.optional(0.3, "ipFamilyPolicy", lambda: "SingleStack")}
        case 4:
            return {"cluster_ips": ["fd01::1"], "ipFamilies": ["IPv6"]}
        case 5:
            return {"cluster_ips": dice.one([["10.96.0.1"], ["fd01::1"], []]), "ipFamilyPolicy": "PreferDualStack"}
        case 6:
            return {"cluster_ips": ["10.96.0.1"], "ipFamilyPolicy": "RequireDualStack"}
        case _:
            both = dice.one([["10.96.0.1", "fd01::1"], ["fd01::1", "10.96.0.1"]])
            families = ["IPv6" if ":" in ip else "IPv4" for ip in both]
            policy = dice.one(["PreferDualStack", "PreferDualStack", "RequireDualStack", "SingleStack"])
            return {"cluster_ips": both, "ipFamilies": families, "ipFamilyPolicy": policy}


def _service(dice: Dice, name: str) -> list[Manifest]:
    notes: dict[str, str] = {}
    prefix = "metallb.universe.tf/" if dice.chance(0.1) else "metallb.io/"
    spec = _families(dice)
    if dice.chance(0.3):
        wishes = [
            dice.one(WISHES4),
            dice.one(WISHES4),
            dice.one(WISHES6),
            f"{dice.one(WISHES4)},{dice.one(WISHES6)}",
            f" {dice.one(WISHES6)} , {dice.one(WISHES4)} ",
            f"{dice.one(WISHES4)},{dice.one(WISHES4)}",
            "nonsense",
            "",
        ]
        notes[prefix + "loadBalancerIPs"] = dice.one(wishes)
    if dice.chance(0.1):
        spec["loadBalancerIP"] = dice.one([*WISHES4, *WISHES6, "nonsense"])
    if dice.chance(0.2):
        notes[prefix + "address-pool"] = dice.one([*POOLS, "nowhere", ""])
    if dice.chance(0.45):
        notes[prefix + "allow-shared-ip"] = dice.one(["key", "key", "key", "other", ""])
    ports = [(dice.one(["TCP", "TCP", "UDP"]), dice.one([80, 81, 443, 53])) for _ in range(dice.one([1, 1, 2]))]
    spec |= dice.optional(0.3, "externalTrafficPolicy", lambda: dice.one(["Local", "Local", "Cluster"]))
    spec |= dice.optional(0.4, "selector", lambda: dice.one([{}, {"app": "same"}]))
    spec |= dice.optional(0.05, "loadBalancerClass", lambda: "other.io/lb")
    spec |= dice.optional(0.05, "type", lambda: dice.one(["NodePort", "ClusterIP"]))
    space = dice.one(SPACES)
    made = service(
        name,
        ns=space,
        status=_status(dice, spec["cluster_ips"]) if dice.chance(0.4) else None,
        labels=dice.labels(),
        annotations=notes,
        ports=sorted(set(ports)),
        created=dice.one(AGES),
        **spec,
    )
    return [made, *(_slice(dice, name, space, number) for number in range(dice.one([0, 1, 1, 1, 1, 1, 1, 2])))]


def _slice(dice: Dice, name: str, space: str, number: int) -> Manifest:
    endpoints = []
    for last in range(dice.one([0, 1, 2, 2, 3, 3])):
        entry: dict[str, Any] = {"addresses": [f"10.244.{number}.{last}"] if dice.chance(0.85) else []}
        if dice.chance(0.9):
            entry["conditions"] = {
                **dice.optional(0.8, "ready", lambda: dice.chance(0.75)),
                **dice.optional(0.4, "serving", lambda: dice.chance(0.6)),
                **dice.optional(0.2, "terminating", lambda: dice.chance(0.5)),
            }
        entry |= dice.optional(0.9, "nodeName", lambda: dice.one([*NODES, "gone"]))
        endpoints.append(entry)
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{name}-{number}",
            "namespace": space,
            "labels": {"kubernetes.io/service-name": name},
        },
        "addressType": "IPv4",
        "endpoints": endpoints,
    }


TWICE = [{"matchLabels": {"a": "b"}}, {"matchLabels": {"a": "b"}}]
BAD_SELECTORS: list[list[dict[str, Any]]] = [
    TWICE,
    [{"matchExpressions": [{"key": "a", "operator": "Oops"}]}],
    [{"matchExpressions": [{"key": "a", "operator": "In"}]}],
    [{"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["x"]}]}],
    [{"matchExpressions": [{"key": "a", "operator": "In", "values": ["x", "x"]}]}],
    [{"matchLabels": {"-a": "b"}}],
    [{"matchLabels": {"a": "b c"}}],
]
BAD_ADDRESSES = [
    "10.1.0.1",
    " 10.1.0.0/24",
    "10.1.0.0/33",
    "10.1.0.0/255.255.255.0",
    "10.1.0.9-10.1.0.1",
    "10.1.0.1-fd00::1",
    "fd00::1%eth0/64",
    "10.1.0.01/24",
    "",
    "10.1.0.1-",
    "10.1.0.1-10.1.0.2-10.1.0.3",
]


def _bad_pool(dice: Dice) -> Manifest:
    name = dice.one(["aaa", "zzz"])
    lists = ["namespaceSelectors", "serviceSelectors"]
    return dice.one(
        [
            pool(name, dice.one(BAD_ADDRESSES)),
            pool(name, "10.0.3.0/24", dice.one(BAD_ADDRESSES)),
            pool(name),
            pool(name, "10.1.0.0/24", "10.1.0.7-10.1.0.8"),
            pool(name, "10.0.0.0/16"),
            pool(name, "10.1.0.0/24", serviceAllocation={"namespaces": ["a", "a"]}),
            pool(name, "10.1.0.0/24", serviceAllocation={dice.one(lists): dice.one(BAD_SELECTORS)}),
            pool(name, "10.1.0.0/24", meta={"namespace": "default"}),
            pool(name, "10.1.0.0/24", autoAssign="yes"),
        ]
    )


def _bad_advertisement(dice: Dice) -> Manifest:
    make = dice.one([l2, bgp])
    lists = ["ipAddressPoolSelectors", "nodeSelectors", "serviceSelectors"]
    selectors: dict[str, Any] = {dice.one(lists): dice.one(BAD_SELECTORS)}
    return dice.one(
        [
            make("bad", ipAddressPools=["main", "main"]),
            make("bad", **selectors),
            l2("bad", preferredNodeSelectors=[{"weight": dice.one([0, 101]), "preference": {}}]),
            l2("bad", preferredNodeSelectors=[{"weight": 1, "preference": dice.one(BAD_SELECTORS[1:4])[0]}]),
            bgp("bad", peers=["tor-1", "tor-1"]),
            bgp(
                "bad", communities=dice.one([["1:1", "1:1"], ["70000:1"], ["larg:1:2:3"], ["nope"], ["1:2:3"], ["a:b"]])
            ),
            bgp("bad", aggregationLength=dice.one([0, 33])),
            bgp("bad", aggregationLengthV6=129),
            bgp("bad", serviceSelectors=[{}], aggregationLength=31),
            bgp("bad", serviceSelectors=[{}], aggregationLengthV6=64),
            bgp("bad", asPrepend=dice.one([{"count": 0}, {"count": 11}, {"count": 1, "asn": 0}])),
            bgp("bad", localPref=-1),
            make("bad", meta={"namespace": "default"}),
        ]
    )


def _bad_peer(dice: Dice) -> Manifest:
    choices: list[dict[str, Any]] = [
        {"myASN": 0},
        {"peerASN": None},
        {"peerASN": 2**32},
        {"dynamicASN": "external"},
        {"peerASN": None, "dynamicASN": "both"},
        {"peerASN": 64500, "ebgpMultiHop": True},
        {"interface": "eth0"},
        {"peerAddress": "10.8.0"},
        {"holdTime": "2s"},
        {"holdTime": "2.9s"},
        {"keepaliveTime": "900ms"},
        {"holdTime": "30s", "keepaliveTime": "31s"},
        {"holdTime": "soon"},
        {"connectTime": "1500ms"},
        {"connectTime": "0s"},
        {"routerID": "x"},
        {"sourceAddress": "x"},
        {"peerPort": 0},
        {"peerPort": 16385},
        {"bfdProfile": "nope"},
        {"passwordSecret": {"name": "nope"}},
        {"password": "x", "passwordSecret": {"name": "bgp-secret"}},
        {"localASN": 0},
        {"nodeSelectors": dice.one(BAD_SELECTORS)},
    ]
    wrong = dice.one(choices)
    return peer("bad", **{"address": "10.8.0.1", **wrong}) if "peerAddress" not in wrong else peer("bad", None, **wrong)


def _bad_helper(dice: Dice) -> Manifest:
    return dice.one(
        [
            bfd("bad", detectMultiplier=1),
            bfd("bad", receiveInterval=9),
            bfd("bad", minimumTtl=255),
            bfd("fast-bad", echoInterval=60001),
            community("zzz", blackhole="65535:666"),
            community("aaa", blackhole="nope"),
            community("aaa", blackhole="70000:1"),
            community("aaa", blackhole="1:2:3"),
        ]
    )


BROKEN = [_bad_pool, _bad_advertisement, _bad_peer, _bad_helper]
