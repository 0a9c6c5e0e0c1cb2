"""A second, naive reading of the specification: manifests in, plan out, with nothing of Herald's in between.

Slow and literal on purpose. What it leaves open (wording, warnings, order of rows) the comparison leaves open too.
Input is a list of manifests as dicts; `plan` returns plain lists that compare with the JSON of `herald plan`.
"""

import base64
import hashlib
import ipaddress
import re
from dataclasses import dataclass, field
from typing import Any

from clusters import Circumstances
from manifests import Manifest

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Who = tuple[str, str, str]  # kind, namespace, name

EXCLUDE = "node.kubernetes.io/exclude-from-external-load-balancers"
CUSTOM = ("IPAddressPool", "L2Advertisement", "BGPAdvertisement", "BGPPeer", "Community", "BFDProfile")


class InvalidError(Exception):
    """The object at hand is left out."""


# ---------------------------------------------------------------------------------------------------- small readings


def parse_ip(text: str) -> Address:
    """An address literal; an IPv4-mapped one is the IPv4 address it maps."""
    if "%" in text or "/" in text:
        raise ValueError(text)
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address


def family_of(addresses: list[str]) -> str | None:
    """'v4', 'v6', 'dual', or None where the family cannot be told."""
    try:
        versions = [parse_ip(text).version for text in addresses]
    except ValueError:
        return None
    if len(versions) == 1:
        return f"v{versions[0]}"
    return "dual" if sorted(versions) == [4, 6] else None


def spec_of(manifest: Manifest) -> dict[str, Any]:
    return manifest.get("spec") or {}


def name_of(manifest: Manifest) -> str:
    return str(manifest["metadata"]["name"])


def age_of(manifest: Manifest) -> tuple[bool, str]:
    """Sorts the oldest first; an object without creationTimestamp is the youngest."""
    created = manifest["metadata"].get("creationTimestamp") or ""
    return (not created, created)


def annotation(service: Manifest, suffix: str) -> str:
    notes = service["metadata"].get("annotations") or {}
    for prefix in ("metallb.io/", "metallb.universe.tf/"):
        if prefix + suffix in notes:
            return str(notes[prefix + suffix])
    return ""


# --------------------------------------------------------------------------------------------------------- selectors

NAME = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)$")


def check_key(key: str) -> None:
    prefix, slash, name = key.rpartition("/")
    if not NAME.match(name) or len(name) > 63 or (slash and not prefix):
        raise InvalidError(f"label key {key!r}")


def check_value(value: str) -> None:
    if value and (not NAME.match(value) or len(value) > 63):
        raise InvalidError(f"label value {value!r}")


def check_selector(selector: dict[str, Any]) -> None:
    for key, value in (selector.get("matchLabels") or {}).items():
        check_key(key)
        check_value(value)
    seen = []
    for expression in selector.get("matchExpressions") or []:
        values = expression.get("values") or []
        check_key(expression["key"])
        if expression["operator"] not in ("In", "NotIn", "Exists", "DoesNotExist"):
            raise InvalidError("operator")
        if (expression["operator"] in ("In", "NotIn")) != bool(values):
            raise InvalidError("values")
        for value in values:
            check_value(value)
        seen.append((expression["key"], expression["operator"], tuple(sorted(values))))


def canonical(selector: dict[str, Any]) -> tuple[Any, ...]:
    labels = tuple(sorted((selector.get("matchLabels") or {}).items()))
    expressions = tuple(
        (e["key"], e["operator"], tuple(sorted(e.get("values") or []))) for e in selector.get("matchExpressions") or []
    )
    return labels, expressions


def check_selectors(selectors: list[dict[str, Any]] | None) -> None:
    """Malformed, or a selector, an expression or a value given twice."""
    texts = []
    for selector in selectors or []:
        check_selector(selector)
        labels, expressions = canonical(selector)
        refuse_twice(list(expressions))
        for expression in expressions:
            refuse_twice(list(expression[2]))
        texts.append((labels, expressions))
    refuse_twice(texts)


def refuse_twice(entries: list[Any] | None) -> None:
    entries = entries or []
    if len(set(entries)) != len(entries):
        raise InvalidError("given twice")


def matches(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    for expression in selector.get("matchExpressions") or []:
        key, values = expression["key"], expression.get("values") or []
        holds = {
            "In": key in labels and labels[key] in values,
            "NotIn": key not in labels or labels[key] not in values,
            "Exists": key in labels,
            "DoesNotExist": key not in labels,
        }[expression["operator"]]
        if not holds:
            return False
    return True


def any_matches(selectors: list[dict[str, Any]] | None, labels: dict[str, str]) -> bool:
    return any(matches(selector, labels) for selector in selectors or [])


def open_or_matches(selectors: list[dict[str, Any]] | None, labels: dict[str, str]) -> bool:
    return not selectors or any_matches(selectors, labels)


def labels_of(manifest: Manifest) -> dict[str, str]:
    return manifest["metadata"].get("labels") or {}


# ------------------------------------------------------------------------------------------------------------- pools


def parse_entry(text: str) -> list[Network]:
    if "-" in text:
        first, _, last = text.partition("-")
        try:
            start, end = parse_ip(first.strip(" ")), parse_ip(last.strip(" "))
        except ValueError as error:
            raise InvalidError(str(error)) from error
        if start.version != end.version or int(start) > int(end):
            raise InvalidError("range")
        return list(ipaddress.summarize_address_range(start, end))
    if not re.fullmatch(r"[0-9a-fA-F.:]+/(0|[1-9][0-9]*)", text):
        raise InvalidError("CIDR")
    try:
        return [ipaddress.ip_network(text, strict=False)]
    except ValueError as error:
        raise InvalidError(str(error)) from error


@dataclass
class Pool:
    manifest: Manifest
    networks: list[Network]
    namespaces: set[str]

    @property
    def name(self) -> str:
        return name_of(self.manifest)

    @property
    def spec(self) -> dict[str, Any]:
        return spec_of(self.manifest)

    @property
    def pinned(self) -> bool:
        return self.spec.get("serviceAllocation") is not None

    @property
    def service_selectors(self) -> list[dict[str, Any]]:
        allocation = self.spec.get("serviceAllocation")
        if allocation is None:
            return []
        lists = ("namespaces", "namespaceSelectors", "serviceSelectors")
        if not any(allocation.get(name) for name in lists):
            return [{}]
        return list(allocation.get("serviceSelectors") or [])

    def usable(self, address: Address) -> bool:
        buggy = address.version == 4 and int(address) & 255 in (0, 255)
        inside = any(address.version == n.version and address in n for n in self.networks)
        return inside and not (buggy and self.spec.get("avoidBuggyIPs"))

    def compatible(self, service: Manifest) -> bool:
        allocation = self.spec.get("serviceAllocation") or {}
        # Pinned to namespaces that do not exist (yet) is pinned to nobody, not to everybody.
        restricted = allocation.get("namespaces") or allocation.get("namespaceSelectors")
        if restricted and service["metadata"]["namespace"] not in self.namespaces:
            return False
        return open_or_matches(self.service_selectors, labels_of(service))


def read_pool(manifest: Manifest, namespaces: list[Manifest]) -> Pool:
    spec = spec_of(manifest)
    if not all(isinstance(spec.get(flag, True), bool) for flag in ("autoAssign", "avoidBuggyIPs")):
        raise InvalidError("not a boolean")
    if not spec.get("addresses"):
        raise InvalidError("no addresses")
    networks: list[Network] = []
    for entry in spec["addresses"]:
        for network in parse_entry(entry):
            if any(overlap(network, other) for other in networks):
                raise InvalidError("overlaps itself")
            networks.append(network)
    allocation = spec.get("serviceAllocation") or {}
    refuse_twice(allocation.get("namespaces"))
    check_selectors(allocation.get("namespaceSelectors"))
    check_selectors(allocation.get("serviceSelectors"))
    pinned = set(allocation.get("namespaces") or [])
    pinned |= {name_of(n) for n in namespaces if any_matches(allocation.get("namespaceSelectors"), labels_of(n))}
    return Pool(manifest, networks, pinned)


def overlap(one: Network, other: Network) -> bool:
    return one.version == other.version and one.overlaps(other)


# --------------------------------------------------------------------------------------- everything but services


@dataclass
class Config:
    pools: list[Pool] = field(default_factory=list)
    l2: list[Manifest] = field(default_factory=list)
    bgp: list[Manifest] = field(default_factory=list)
    peers: list[Manifest] = field(default_factory=list)
    aliases: dict[str, str] = field(default_factory=dict)
    bfd: set[str] = field(default_factory=lambda: {"default"})
    errors: set[Who] = field(default_factory=set)


def parse_community(text: str) -> tuple[tuple[int, int, int], str]:
    """Sort key and printed form."""
    parts = text.split(":")
    if len(parts) == 2 and all(re.fullmatch(r"[0-9]+", p) and int(p) < 65536 for p in parts):
        return (int(parts[0]) << 16 | int(parts[1]), 0, 0), text
    if (
        len(parts) == 4
        and parts[0] == "large"
        and all(re.fullmatch(r"[0-9]+", p) and int(p) < 2**32 for p in parts[1:])
    ):
        return (int(parts[1]), int(parts[2]), int(parts[3])), ":".join(parts[1:])
    raise InvalidError(f"community {text}")


def seconds(text: str) -> float:
    units = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600}
    if text == "0":
        return 0
    if not re.fullmatch(r"([0-9]+(\.[0-9]*)?(ns|us|ms|s|m|h))+", text):
        raise InvalidError(f"duration {text}")
    return sum(float(n) * units[u] for n, _, u in re.findall(r"([0-9]+(\.[0-9]*)?)(ns|us|ms|s|m|h)", text))


def between(value: Any, low: int, high: int) -> None:
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high):
        raise InvalidError(f"{value} is not in {low}..{high}")


def check_peer(peer: Manifest, config: Config, secrets: dict[str, Manifest]) -> None:
    spec = spec_of(peer)
    between(spec.get("myASN"), 1, 2**32 - 1)
    between(spec.get("peerASN"), 0, 2**32 - 1)
    between(spec.get("localASN"), 1, 2**32 - 1)
    between(spec.get("peerPort"), 1, 16384)
    if "myASN" not in spec or bool(spec.get("peerASN")) == bool(spec.get("dynamicASN")):
        raise InvalidError("ASN")
    if spec.get("dynamicASN") not in (None, "", "internal", "external"):
        raise InvalidError("dynamicASN")
    if spec.get("peerASN") == spec["myASN"] and spec.get("ebgpMultiHop"):
        raise InvalidError("multihop")
    if bool(spec.get("peerAddress")) == bool(spec.get("interface")):
        raise InvalidError("address or interface")
    for name in ("peerAddress", "routerID", "sourceAddress"):
        if spec.get(name):
            try:
                parse_ip(spec[name])
            except ValueError as error:
                raise InvalidError(name) from error
    check_timers(spec)
    check_selectors(spec.get("nodeSelectors"))
    check_password(spec, secrets)
    if spec.get("bfdProfile") and spec["bfdProfile"] not in config.bfd:
        raise InvalidError("bfdProfile")
    restart = spec.get("gracefulRestart") or {}
    if "restartTime" in restart:
        seconds(restart["restartTime"])


def check_timers(spec: dict[str, Any]) -> None:
    hold = seconds(spec["holdTime"]) if "holdTime" in spec else None
    keepalive = seconds(spec["keepaliveTime"]) if "keepaliveTime" in spec else None
    if hold is None and keepalive is not None:
        hold = keepalive * 3
    if keepalive is None and hold is not None:
        keepalive = hold / 3
    if hold is not None and int(hold) != 0 and int(hold) < 3:
        raise InvalidError("hold time")
    if hold is not None and keepalive is not None and keepalive > hold:
        raise InvalidError("keepalive")
    if "connectTime" in spec:
        connect = seconds(spec["connectTime"])
        if not 1 <= connect <= 65535 or connect != int(connect):
            raise InvalidError("connectTime")


def check_password(spec: dict[str, Any], secrets: dict[str, Manifest]) -> None:
    name = (spec.get("passwordSecret") or {}).get("name")
    if not name:
        return
    if spec.get("password"):
        raise InvalidError("two passwords")
    secret = secrets.get(name)
    if secret is None or secret.get("type") != "kubernetes.io/basic-auth":
        raise InvalidError("secret")
    data = {key: base64.b64decode(value) for key, value in (secret.get("data") or {}).items()}
    data |= {key: value.encode() for key, value in (secret.get("stringData") or {}).items()}
    if not data.get("password"):
        raise InvalidError("no password")


def check_l2(manifest: Manifest) -> None:
    spec = spec_of(manifest)
    refuse_twice(spec.get("ipAddressPools"))
    for name in ("ipAddressPoolSelectors", "nodeSelectors", "serviceSelectors"):
        check_selectors(spec.get(name))
    for preferred in spec.get("preferredNodeSelectors") or []:
        if "weight" not in preferred or "preference" not in preferred:
            raise InvalidError("preference")
        between(preferred["weight"], 1, 100)
        check_selector(preferred["preference"])


def check_bgp(manifest: Manifest, config: Config) -> None:
    spec = spec_of(manifest)
    for name in ("ipAddressPools", "peers", "communities"):
        refuse_twice(spec.get(name))
    for name in ("ipAddressPoolSelectors", "nodeSelectors", "serviceSelectors"):
        check_selectors(spec.get(name))
    between(spec.get("aggregationLength"), 1, 32)
    between(spec.get("aggregationLengthV6"), 0, 128)
    between(spec.get("localPref"), 0, 2**31 - 1)
    if spec.get("serviceSelectors") and (length_of(spec, 4) != 32 or length_of(spec, 6) != 128):
        raise InvalidError("mutually exclusive")
    for text in spec.get("communities") or []:
        parse_community(config.aliases.get(text, text))
    prepend = spec.get("asPrepend")
    if prepend is not None:
        if "count" not in prepend:
            raise InvalidError("count")
        between(prepend["count"], 1, 10)
        between(prepend.get("asn"), 1, 2**32 - 1)


def length_of(spec: dict[str, Any], version: int) -> int:
    name, default = ("aggregationLength", 32) if version == 4 else ("aggregationLengthV6", 128)
    value = spec.get(name)
    return default if value is None else int(value)


def check_bfd(manifest: Manifest) -> None:
    spec = spec_of(manifest)
    for name in ("receiveInterval", "transmitInterval", "echoInterval"):
        between(spec.get(name), 10, 60000)
    between(spec.get("detectMultiplier"), 2, 255)
    between(spec.get("minimumTtl"), 1, 254)


def check_community(manifest: Manifest, config: Config) -> None:
    found: dict[str, str] = {}
    for entry in spec_of(manifest).get("communities") or []:
        alias = entry.get("name", "")
        parse_community(entry.get("value", ""))
        if alias in found or alias in config.aliases:
            raise InvalidError("alias twice")
        found[alias] = entry["value"]
    config.aliases |= found


def compile_config(objects: list[Manifest], home: str) -> Config:
    config = Config()
    by_kind: dict[str, list[Manifest]] = {kind: [] for kind in CUSTOM}
    for manifest in objects:
        kind = manifest["kind"]
        if kind not in CUSTOM:
            continue
        if manifest["metadata"].get("namespace") == home:
            by_kind[kind].append(manifest)
        else:
            config.errors.add(who(manifest))
    secrets = {name_of(m): m for m in objects if m["kind"] == "Secret" and m["metadata"].get("namespace") == home}
    namespaces = [m for m in objects if m["kind"] == "Namespace"]

    def each(kind: str) -> list[Manifest]:
        """Of two objects that exclude each other the older stays; without ages, the first by name."""
        return sorted(by_kind[kind], key=lambda m: (age_of(m), name_of(m)))

    def guarded(manifest: Manifest, check: Any, *args: Any) -> bool:
        try:
            check(manifest, *args)
        except InvalidError:
            config.errors.add(who(manifest))
            return False
        return True

    for manifest in each("BFDProfile"):
        if guarded(manifest, check_bfd):
            config.bfd.add(name_of(manifest))
    config.peers = [m for m in each("BGPPeer") if guarded(m, check_peer, config, secrets)]
    for manifest in each("Community"):
        guarded(manifest, check_community, config)
    for manifest in each("IPAddressPool"):
        try:
            found = read_pool(manifest, namespaces)
        except InvalidError:
            config.errors.add(who(manifest))
            continue
        if any(overlap(a, b) for a in found.networks for pool in config.pools for b in pool.networks):
            config.errors.add(who(manifest))
        else:
            config.pools.append(found)
    config.pools.sort(key=lambda pool: pool.name)
    config.l2 = [m for m in each("L2Advertisement") if guarded(m, check_l2)]
    config.bgp = [m for m in each("BGPAdvertisement") if guarded(m, check_bgp, config)]
    return config


def who(manifest: Manifest) -> Who:
    return manifest["kind"], manifest["metadata"].get("namespace") or "", name_of(manifest)


# -------------------------------------------------------------------------------------------------------- allocation


@dataclass
class Held:
    pool: Pool
    ips: list[Address]


class Allocator:
    """Holders register first; then come wishes for addresses, then the rest. By entries in the status, then by age."""

    def __init__(self, config: Config, services: list[Manifest]) -> None:
        self.pools = config.pools
        self.services = {key_of(s): s for s in services}
        self.held: dict[str, Held] = {}

    def run(self) -> None:
        def standing(service: Manifest) -> Any:
            return (-len(ingress_of(service)), age_of(service), service["metadata"]["namespace"], name_of(service))

        order = sorted(self.services.values(), key=standing)
        wanting = [service for service in order if self.revalidate(service)]
        for service in [s for s in wanting if has_wish(s)]:
            self.allocate(service)
        for service in order:
            self.add_second(service)
            if service in wanting and not has_wish(service):
                self.allocate(service)

    # -- section 3, steps 1 to 13; True if an address is to be found

    def revalidate(self, service: Manifest) -> bool:
        spec, key = spec_of(service), key_of(service)
        cluster, policy = cluster_ips(service), spec.get("ipFamilyPolicy")
        if not self.pools or not cluster:
            return False
        if policy == "RequireDualStack" and len(cluster) < 2:
            return False
        current = [entry["ip"] for entry in ingress_of(service) if entry.get("ip")]
        had_one = bool(current)
        needed = family_of(cluster)
        if not current:
            return True
        family = family_of(current)
        if needed is None:
            if family is not None:  # Nothing is cleared, so nobody else may have it.
                self.register(service, [parse_ip(text) for text in current])
            return False
        if family is None or (family != needed and not (needed == "dual" and policy == "PreferDualStack")):
            current = []
        addresses = [parse_ip(text) for text in current]
        had_one = bool(addresses)
        if addresses:
            pool = self.register(service, addresses)
            wanted_pool = annotation(service, "address-pool")
            if pool is None or (wanted_pool and wanted_pool != pool.name):
                self.held.pop(key, None)
                addresses = []
        if had_one:
            try:
                wish = wish_of(service)
            except InvalidError:
                return False
            if wish and set(wish) != set(addresses):
                self.held.pop(key, None)
        return key not in self.held

    # -- section 6.3

    def add_second(self, service: Manifest) -> None:
        held = self.held.get(key_of(service))
        policy = spec_of(service).get("ipFamilyPolicy")
        if held is None or len(held.ips) != 1 or policy != "PreferDualStack":
            return
        if family_of(cluster_ips(service)) != "dual" or not self.asks_for_nothing(service):
            return
        more = self.offer(held.pool, service).get(10 - held.ips[0].version)
        if more is not None:
            held.ips.append(more)

    @staticmethod
    def asks_for_nothing(service: Manifest) -> bool:
        """A malformed wish stops convergence at step 12. A wish for one address is not stretched to two."""
        try:
            return not wish_of(service)
        except InvalidError:
            return False

    # -- section 4

    def allocate(self, service: Manifest) -> None:
        needed = family_of(cluster_ips(service))
        if needed is None:
            return
        try:
            wish = wish_of(service)
        except InvalidError:
            return
        wanted_pool = annotation(service, "address-pool")
        if wish:
            self.allocate_wish(service, wish, needed, wanted_pool)
        elif wanted_pool:
            named = [pool for pool in self.pools if pool.name == wanted_pool and pool.compatible(service)]
            self.pick(service, named, needed)
        else:
            for group in self.groups(service):
                if self.pick(service, group, needed):
                    return

    def allocate_wish(self, service: Manifest, wish: list[Address], needed: str, wanted_pool: str) -> None:
        if family_of([str(ip) for ip in wish]) != needed:
            return
        pool = self.register(service, wish)
        if pool is not None and wanted_pool and pool.name != wanted_pool:
            del self.held[key_of(service)]

    def groups(self, service: Manifest) -> list[list[Pool]]:
        automatic = [pool for pool in self.pools if pool.spec.get("autoAssign", True)]
        namespace = service["metadata"]["namespace"]
        pinned = [
            pool
            for pool in automatic
            if pool.pinned and (namespace in pool.namespaces or pool.service_selectors) and pool.compatible(service)
        ]

        def rank(pool: Pool) -> tuple[float, str]:
            priority = pool.spec["serviceAllocation"].get("priority") or 0
            return (priority if priority > 0 else float("inf"), pool.name)

        return [sorted(pinned, key=rank), [pool for pool in automatic if not pool.pinned]]

    def pick(self, service: Manifest, pools: list[Pool], needed: str) -> bool:
        offers = [(pool, self.offer(pool, service)) for pool in pools]
        for wanted in self.wanted_versions(service, needed):
            for pool, offer in offers:
                if all(version in offer for version in wanted):
                    self.held[key_of(service)] = Held(pool, [offer[version] for version in wanted])
                    return True
        return False

    @staticmethod
    def wanted_versions(service: Manifest, needed: str) -> list[tuple[int, ...]]:
        spec = spec_of(service)
        if needed != "dual":
            return [(4,)] if needed == "v4" else [(6,)]
        if spec.get("ipFamilyPolicy") == "RequireDualStack":
            return [(4, 6)]
        if spec.get("ipFamilyPolicy") == "PreferDualStack":
            six_first = (spec.get("ipFamilies") or ["IPv4"])[0] == "IPv6"
            return [(4, 6), (6,), (4,)] if six_first else [(4, 6), (4,), (6,)]
        return []

    def offer(self, pool: Pool, service: Manifest) -> dict[int, Address]:
        """Section 4.3: the lowest address of each family that the service may have."""
        found: dict[int, Address] = {}
        for network in pool.networks:
            if network.version in found:
                continue
            for address in network:
                if pool.usable(address) and self.may_use(service, address):
                    found[network.version] = address
                    break
        return found

    # -- section 5

    def register(self, service: Manifest, ips: list[Address]) -> Pool | None:
        owner = next((pool for pool in self.pools if all(pool.usable(ip) for ip in ips)), None)
        if owner is None or not owner.compatible(service):
            return None
        if len(ips) > 2 or len({ip.version for ip in ips}) != len(ips):
            return None
        if not all(self.may_use(service, ip) for ip in ips):
            return None
        self.held[key_of(service)] = Held(owner, list(ips))
        return owner

    def may_use(self, service: Manifest, address: Address) -> bool:
        others = [self.services[k] for k, h in self.held.items() if address in h.ips and k != key_of(service)]
        for other in others:
            mine, theirs = annotation(service, "allow-shared-ip"), annotation(other, "allow-shared-ip")
            if not mine or mine != theirs or backend(service) != backend(other):
                return False
            if ports_of(service) & ports_of(other):
                return False
        return True


def key_of(service: Manifest) -> str:
    return f"{service['metadata']['namespace']}/{name_of(service)}"


def ingress_of(service: Manifest) -> list[dict[str, str]]:
    return ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []


def cluster_ips(service: Manifest) -> list[str]:
    spec = spec_of(service)
    if "clusterIPs" not in spec and "clusterIP" not in spec:
        families = spec.get("ipFamilies")
        dual = spec.get("ipFamilyPolicy") in ("RequireDualStack", "PreferDualStack")
        if families is None:
            return ["10.96.0.1", "fd00::1"] if dual else ["10.96.0.1"]
        return ["10.96.0.1" if family == "IPv4" else "fd00::1" for family in families]
    if spec.get("clusterIPs"):
        return list(spec["clusterIPs"])
    return [spec["clusterIP"]] if spec.get("clusterIP") else []


def wish_of(service: Manifest) -> list[Address]:
    listed, single = annotation(service, "loadBalancerIPs"), spec_of(service).get("loadBalancerIP") or ""
    if listed and single:
        raise InvalidError("both")
    if not listed and not single:
        return []
    texts = [text.strip(" ") for text in listed.split(",")] if listed else [single]
    if family_of(texts) is None:
        raise InvalidError("unusable")
    return [parse_ip(text) for text in texts]


def has_wish(service: Manifest) -> bool:
    try:
        return bool(wish_of(service))
    except InvalidError:
        return False


def backend(service: Manifest) -> str:
    spec = spec_of(service)
    if spec.get("externalTrafficPolicy") != "Local":
        return ""
    return ",".join(f"{key}={value}" for key, value in sorted((spec.get("selector") or {}).items()))


def ports_of(service: Manifest) -> set[tuple[str, int]]:
    return {(port.get("protocol", "TCP"), port["port"]) for port in spec_of(service).get("ports") or []}


# ----------------------------------------------------------------------------------------------------- announcements


class Cluster:
    def __init__(self, objects: list[Manifest], members: tuple[str, ...] | None, ignore_exclude: bool) -> None:
        self.all_nodes = {name_of(m): m for m in objects if m["kind"] == "Node"}
        self.live = [n for n in self.all_nodes if members is None or n in members]
        self.slices = [m for m in objects if m["kind"] == "EndpointSlice"]
        self.ignore_exclude = ignore_exclude

    def may_announce(self, node: str) -> bool:
        manifest = self.all_nodes[node]
        conditions = (manifest.get("status") or {}).get("conditions") or []
        if any(c["type"] == "NetworkUnavailable" and c["status"] == "True" for c in conditions):
            return False
        return self.ignore_exclude or EXCLUDE not in labels_of(manifest)

    def endpoints(self, service: Manifest, needs_address: bool) -> list[dict[str, Any]]:
        """Those that can serve."""
        found = []
        for piece in self.slices:
            if piece["metadata"].get("namespace") != service["metadata"]["namespace"]:
                continue
            if labels_of(piece).get("kubernetes.io/service-name") != name_of(service):
                continue
            for endpoint in piece.get("endpoints") or []:
                conditions = endpoint.get("conditions") or {}
                good = conditions.get("ready") in (None, True) or conditions.get("serving") is True
                if good and (endpoint.get("addresses") or not needs_address):
                    found.append(endpoint)
        return found

    def selected(self, manifest: Manifest) -> set[str]:
        selectors = spec_of(manifest).get("nodeSelectors")
        return {name for name, node in self.all_nodes.items() if open_or_matches(selectors, labels_of(node))}


def attached(advertisement: Manifest, pool: Pool) -> bool:
    spec = spec_of(advertisement)
    names, selectors = spec.get("ipAddressPools"), spec.get("ipAddressPoolSelectors")
    if not names and not selectors:
        return True
    return pool.name in (names or []) or any_matches(selectors, labels_of(pool.manifest))


def layer2_rows(config: Config, cluster: Cluster, service: Manifest, held: Held) -> list[dict[str, Any]]:
    serving = cluster.endpoints(service, needs_address=False)
    ads = [
        ad
        for ad in config.l2
        if attached(ad, held.pool) and open_or_matches(spec_of(ad).get("serviceSelectors"), labels_of(service))
    ]
    notes = service["metadata"].get("annotations") or {}
    shares = any(f"{prefix}/allow-shared-ip" in notes for prefix in ("metallb.io", "metallb.universe.tf"))
    if not serving or (shares and any(spec_of(ad).get("serviceSelectors") for ad in ads)):
        return []
    nodes_of = [cluster.selected(ad) for ad in ads]
    candidates = [n for n in cluster.live if cluster.may_announce(n) and any(n in nodes for nodes in nodes_of)]
    if spec_of(service).get("externalTrafficPolicy") == "Local":
        candidates = [n for n in candidates if n in {e.get("nodeName") for e in serving}]
    if not candidates:
        return []
    scores = dict.fromkeys(candidates, 0)
    for ad, nodes in zip(ads, nodes_of, strict=True):
        for preferred in spec_of(ad).get("preferredNodeSelectors") or []:
            for name in candidates:
                if name in nodes and matches(preferred["preference"], labels_of(cluster.all_nodes[name])):
                    scores[name] += preferred["weight"]
    first = str(held.ips[0])
    owner = min(candidates, key=lambda n: (-scores[n], hashlib.sha256(f"{n}#{first}".encode()).digest()))
    mine = [spec_of(ad).get("interfaces") or [] for ad, nodes in zip(ads, nodes_of, strict=True) if owner in nodes]
    interfaces = sorted({name for names in mine for name in names}) if all(mine) else ["*"]
    return [{"ip": str(ip), "service": key_of(service), "node": owner, "interfaces": interfaces} for ip in held.ips]


@dataclass
class Route:
    local_pref: int
    prepends: list[int] | None
    communities: set[tuple[tuple[int, int, int], str]]
    service: str


def bgp_rows(
    config: Config, cluster: Cluster, held: dict[str, Held], services: dict[str, Manifest]
) -> list[dict[str, Any]]:
    rows = []
    for node in cluster.live:
        if not cluster.may_announce(node):
            continue
        for session in sessions_of(config, cluster, node):
            table: dict[str, list[Route]] = {}
            for key, assigned in held.items():
                for prefix, route in routes_of(config, cluster, services[key], assigned, node, session):
                    table.setdefault(prefix, []).append(route)
            rows += [merged(node, name_of(session[0]), prefix, routes) for prefix, routes in table.items()]
    return rows


def sessions_of(config: Config, cluster: Cluster, node: str) -> list[list[Manifest]]:
    """The BGPPeers that run on the node; those that mean one session together, the oldest first."""
    found: dict[Any, list[Manifest]] = {}
    for peer in config.peers:
        if node in cluster.selected(peer):
            found.setdefault(identity(peer), []).append(peer)
    return [sorted(peers, key=lambda p: (age_of(p), name_of(p))) for peers in found.values()]


def identity(peer: Manifest) -> Any:
    spec = spec_of(peer)
    address = str(parse_ip(spec["peerAddress"])) if spec.get("peerAddress") else spec["interface"]
    return address, spec.get("peerPort", 179), spec.get("vrf") or ""


def versions_of(peer: Manifest) -> tuple[int, ...]:
    """A session carries the family of its address; both without an address or with dualStackAddressFamily."""
    spec = spec_of(peer)
    both = spec.get("dualStackAddressFamily") or not spec.get("peerAddress")
    return (4, 6) if both else (parse_ip(spec["peerAddress"]).version,)


def routes_of(
    config: Config, cluster: Cluster, service: Manifest, held: Held, node: str, session: list[Manifest]
) -> list[tuple[str, Route]]:
    healthy = cluster.endpoints(service, needs_address=True)
    if spec_of(service).get("externalTrafficPolicy") == "Local":
        healthy = [e for e in healthy if e.get("nodeName") == node]
    if not healthy:
        return []
    found = []
    for ad in config.bgp:
        spec = spec_of(ad)
        peers = spec.get("peers") or []
        if not attached(ad, held.pool) or node not in cluster.selected(ad):
            continue
        if not open_or_matches(spec.get("serviceSelectors"), labels_of(service)):
            continue
        if peers and not any(name_of(peer) in peers for peer in session):
            continue
        communities = {parse_community(config.aliases.get(text, text)) for text in spec.get("communities") or []}
        prepend = spec.get("asPrepend")
        own = spec_of(session[0]).get("localASN") or spec_of(session[0])["myASN"]
        prepends = [prepend.get("asn") or own] * prepend["count"] if prepend else []
        for ip in held.ips:
            if ip.version not in versions_of(session[0]):
                continue
            prefix = str(ipaddress.ip_network(f"{ip}/{length_of(spec, ip.version)}", strict=False))
            found.append((prefix, Route(spec.get("localPref") or 0, prepends, communities, key_of(service))))
    return found


def merged(node: str, peer: str, prefix: str, routes: list[Route]) -> dict[str, Any]:
    best = min(routes, key=lambda r: (-r.local_pref, len(r.prepends or []), r.prepends))
    return {
        "node": node,
        "peer": peer,
        "prefix": prefix,
        "localPref": best.local_pref or None,
        "communities": [text for _, text in sorted(set().union(*(r.communities for r in routes)))],
        "asPath": best.prepends,
        "services": sorted({r.service for r in routes}),
    }


# --------------------------------------------------------------------------------------------------------------- plan


def plan(objects: list[Manifest], given_by: Circumstances) -> dict[str, Any]:
    config = compile_config(objects, given_by.home)
    of_type = [m for m in objects if m["kind"] == "Service" and spec_of(m).get("type") == "LoadBalancer"]
    handled = [s for s in of_type if spec_of(s).get("loadBalancerClass") == given_by.lb_class]
    allocator = Allocator(config, handled)
    allocator.run()
    cluster = Cluster(objects, given_by.members, given_by.ignore_exclude)
    held = allocator.held
    services = {
        key_of(s): ([str(ip) for ip in held[key_of(s)].ips], held[key_of(s)].pool.name)
        if key_of(s) in held
        else ([], None)
        for s in of_type
    }
    layer2 = [
        row for key, value in held.items() for row in layer2_rows(config, cluster, allocator.services[key], value)
    ]
    return {
        "services": services,
        "layer2": sort_rows(layer2),
        "bgp": sort_rows(bgp_rows(config, cluster, held, allocator.services)),
        "errors": config.errors,
    }


def sort_rows(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: repr(sorted(row.items())))


def comparable(document: dict[str, Any]) -> dict[str, Any]:
    """The JSON of `herald plan` in the shape of `plan` above."""
    return {
        "services": {f"{s['namespace']}/{s['name']}": (s["ips"], s["pool"]) for s in document["services"]},
        "layer2": sort_rows(document["layer2"]),
        "bgp": sort_rows(document["bgp"]),
        "errors": {(p["kind"], p["namespace"], p["name"]) for p in document["problems"] if p["severity"] == "error"},
    }
