"""Several speakers under `failback`, `flapDamping` and `spread`: whatever happens, one of them answers in the end.

Each speaker decides by what it has heard of the others, which is up to a third of a second old and of another age for
each pair. Nothing is shared but what they tell each other.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address

import pytest

from herald.announcement.election import Electorate
from herald.announcement.told import SILENT, told_by
from herald.cluster.endpoints import EndpointSlice
from herald.cluster.meta import NodeName
from herald.cluster.service import Service
from herald.config.collect import collect
from herald.config.findings import ObjectKey
from herald.net.ip_family import IPAddress
from herald.speaker.decider import Decider, Options
from herald.speaker.telling import Telling
from herald.store.store import Changed, ClusterObject, Event, Synced

STEP_S = 0.05
OLDEST = 6
"""Steps until what one says is known to another."""
MOMENT_S = 3.0
"""Longer than anything is on its way, claims of one that has come back yield, and two own what is handed back."""
QUIET_S = 20.0
"""Longer than claims yield of who was cut off."""
AWAY_S = 1.2
"""What an engine needs to come back."""
STALLS_S = (1.0, 3.0, 10.0)
NAMES = tuple(NodeName(f"n{number}") for number in range(4))
ADDRESSES = tuple(ip_address(f"10.0.0.{number}") for number in range(1, 11))
ETH0: frozenset[str] = frozenset({"eth0"})
POLICIES = (
    "{failback: never}",
    "{failback: delay, failbackDelay: 1s}",
    "{spread: even}",
    "{spread: even, failback: never}",
    "{spread: even, failback: delay, failbackDelay: 1s, flapDamping: true}",
    "{failback: never, flapDamping: true}",
    "{failback: never, nodeSelectors: [{matchLabels: {side: left}}]}",
    "{}",
)
NODE = "{{apiVersion: v1, kind: Node, metadata: {{name: {name}, labels: {{side: {side}}}}}}}"
POOL = """
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: p, namespace: metallb-system}
spec: {addresses: [10.0.0.0/24]}
"""
ADVERTISEMENT = """
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: {{name: l, namespace: metallb-system}}
spec: {spec}
"""
SERVICE = """
apiVersion: v1
kind: Service
metadata: {{name: s{number}, namespace: default}}
spec: {{type: LoadBalancer, externalTrafficPolicy: {policy}, ports: [{{port: 80}}]}}
status: {{loadBalancer: {{ingress: [{{ip: {ip}}}]}}}}
"""
SLICE = """
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: s{number}-x, namespace: default, labels: {{kubernetes.io/service-name: s{number}}}}}
addressType: IPv4
endpoints: [{endpoints}]
"""


class Silent:
    """A publisher of which only events are wanted, and those are nothing to it."""

    def tell(self, event: Event) -> None:
        """Forget it."""


@dataclass
class Cluster:
    """What the store has: the same for all, and at once."""

    policy: str = POLICIES[0]
    services: dict[int, tuple[int, str, frozenset[NodeName]]] = field(default_factory=dict)
    """Of each service the index of its address, its traffic policy, and the nodes with endpoints."""

    def service(self, number: int) -> tuple[Service, EndpointSlice]:
        at, policy, nodes = self.services[number]
        endpoints = ", ".join(
            f"{{addresses: [10.1.1.1], conditions: {{ready: true}}, nodeName: {one}}}" for one in nodes
        )
        text = SERVICE.format(number=number, policy=policy, ip=ADDRESSES[at])
        found = collect([("all", f"{text}---{SLICE.format(number=number, endpoints=endpoints)}")]).resources
        return found.services[0], found.endpoint_slices[0]

    def everything(self) -> Synced:
        """What a watch begins with, configuration first."""
        sides = {name: "left" if name < "n2" else "right" for name in NAMES}
        texts = [NODE.format(name=name, side=side) for name, side in sides.items()]
        texts += [POOL, ADVERTISEMENT.format(spec=self.policy)]
        found = collect([("all", "\n---\n".join(texts))]).resources
        fixed: tuple[ClusterObject, ...] = (*found.nodes, *found.ip_address_pools, *found.l2_advertisements)
        return Synced((*fixed, *(one for number in self.services for one in self.service(number))))


@dataclass
class Said:
    """What one node tells of itself at a moment."""

    note: bytes = b""
    usable: frozenset[str] = ETH0


class Speaker:
    """The deciding half of one node."""

    def __init__(self, name: NodeName, cluster: Cluster, said: Said) -> None:
        self.name = name
        self.said = said
        self.start(cluster)

    def start(self, cluster: Cluster) -> None:
        """Begin anew, with what the engine still tells."""
        self.decider = Decider(Options(node=self.name))
        self.telling = Telling(self.decider, Silent())  # type: ignore[arg-type]  # only `tell` is used
        self.decider.take(cluster.everything())
        self._seen: object = None
        self._due: float | None = None

    def see(self, heard: Mapping[NodeName, Said], now: float) -> None:
        """The engine hears these of the others."""
        whole = {**heard, self.name: self.said}
        seen = {node: (one.usable, one.note) for node, one in whole.items()}
        if seen != self._seen:
            self._seen = seen
            self.telling.see({node: one.usable for node, one in whole.items()}, _notes(whole), now)
        elif self._due is not None and now >= self._due:
            self.telling.look_again(now)
        self.settle(now)

    def settle(self, now: float) -> None:
        while True:
            while self.decider.has_work:
                self.telling.note(self.decider.step())
            wish = self.telling.wish(now)
            if wish is not None:
                self.said = Said(wish.note, self.said.usable)
            elif not self.decider.has_work:
                break
        self._due = self.telling.deadline(now)

    def held(self) -> frozenset[IPAddress]:
        """What it answers for."""
        return (
            frozenset(one.address for one in self.decider.desired().holdings) if self.decider.is_ready else frozenset()
        )


def _notes(whole: Mapping[NodeName, Said]) -> dict[str, bytes | None]:
    return {str(node): one.note for node, one in whole.items()}


class Group:
    """All speakers, on one clock."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)
        self.cluster = Cluster()
        self.now = 0.0
        self._happened_at = 0.0
        self.alive = {name: Speaker(name, self.cluster, Said()) for name in NAMES}
        self.usable = dict.fromkeys(NAMES, ETH0)
        self.side = dict.fromkeys(NAMES, 0)
        self.stalled: dict[NodeName, float] = {}
        """The controls that do nothing, and until when."""
        self._past: list[dict[NodeName, Said]] = []
        self._sides: list[dict[NodeName, int]] = []
        self._ages = {(one, other): self._rng.randrange(OLDEST) for one in NAMES for other in NAMES}

    @property
    def has_been_calm(self) -> bool:
        """Whether all hear each other, and nothing happened for a moment."""
        since = max(self._happened_at, *self.stalled.values(), 0.0)
        return len(set(self.side.values())) == 1 and self.now >= since + MOMENT_S - STEP_S

    def run(self, seconds: float) -> None:
        """So much time passes."""
        for _ in range(round(seconds / STEP_S)):
            self.now += STEP_S
            self._past = [{name: one.said for name, one in self.alive.items()}, *self._past[:OLDEST]]
            self._sides = [dict(self.side), *self._sides[:OLDEST]]
            for name, speaker in self.alive.items():
                if self.now >= self.stalled.get(name, 0.0):
                    speaker.see(self._heard(name), self.now)

    def _heard(self, name: NodeName) -> dict[NodeName, Said]:
        found = {}
        for other in NAMES:
            age = min(self._ages[name, other], len(self._past) - 1)
            said = self._past[age].get(other)
            if other != name and said is not None and self._sides[age][name] == self._sides[age][other]:
                found[other] = said
        return found

    def tell(self, changed: Changed) -> None:
        """The store tells all."""
        for speaker in self.alive.values():
            speaker.decider.take(changed)
            speaker.settle(self.now)

    def restart(self, name: NodeName) -> None:
        self.alive[name] = Speaker(name, self.cluster, Said(usable=self.usable[name]))

    def replace_engine(self, name: NodeName) -> None:
        """Its engine dies and another one starts: the others hear that it answers for nothing yet, then that it does.

        Meanwhile control goes by what it saw last.
        """
        speaker = self.alive[name]
        self.stalled[name] = self.now + AWAY_S
        speaker.said = Said(b"", frozenset())
        self.run(AWAY_S)
        speaker.said = Said(b"", self.usable[name])
        speaker.telling.engine_is_new(self.now)

    def owners(self) -> dict[IPAddress, list[NodeName]]:
        return {ip: [name for name, one in self.alive.items() if ip in one.held()] for ip in ADDRESSES}

    def perform(self, deed: str, number: int, nodes: frozenset[NodeName]) -> None:
        """One thing that happens; where it cannot, nothing does."""
        name, self._happened_at = NAMES[number % len(NAMES)], self.now
        match deed:
            case "kill":
                self.alive.pop(name, None)
            case "return" if name not in self.alive:
                self.alive[name] = Speaker(name, self.cluster, Said(usable=self.usable[name]))
            case "interface":
                self.usable[name] = self.usable[name] ^ ETH0
                if name in self.alive:
                    self.alive[name].said = Said(self.alive[name].said.note, self.usable[name])
            case "cut":
                self.side = {one: int(one in nodes) for one in NAMES}
            case "heal":
                self.side = dict.fromkeys(NAMES, 0)
            case "control" if name in self.alive:
                self.alive[name].start(self.cluster)
            case "froze" if name in self.alive:
                self.alive[name].telling.froze(self.now)
            case "stall":
                self.stalled[name] = self.now + STALLS_S[number % len(STALLS_S)]
            case "engine" if name in self.alive:
                self.replace_engine(name)
            case "service":
                policy = "Local" if number % 3 == 0 else "Cluster"
                at = number % len(ADDRESSES)  # one of two that are its alone
                self.cluster.services[number % 5] = at, policy, nodes
                self.tell(Changed(self.cluster.service(number % 5)))
            case "endpoints" if number % 5 in self.cluster.services:
                self.cluster.services[number % 5] = (*self.cluster.services[number % 5][:2], nodes)
                self.tell(Changed(self.cluster.service(number % 5)[1:]))
            case "delete" if self.cluster.services.pop(number % 5, None):
                keys = (
                    ObjectKey("Service", "default", f"s{number % 5}"),
                    ObjectKey("EndpointSlice", "default", f"s{number % 5}-x"),
                )
                self.tell(Changed(deleted=keys))
            case "policy":
                self.cluster.policy = POLICIES[number % len(POLICIES)]
                self.tell(Changed(self.cluster.everything().objects[: len(NAMES) + 2]))

    def able(self) -> dict[IPAddress, frozenset[NodeName]]:
        """Who may answer for each address."""
        left = "side: left" in self.cluster.policy
        able = frozenset(one for one in self.alive if self.usable[one] and (not left or one < "n2"))
        found = dict.fromkeys(ADDRESSES, frozenset[NodeName]())
        for at, policy, nodes in self.cluster.services.values():
            found[ADDRESSES[at]] = able & nodes if policy == "Local" else able if nodes else frozenset()
        return found

    def check(self) -> None:
        """One owner for each address that somebody may answer for, and it is one of those."""
        owners, able = self.owners(), self.able()
        assert {ip: len(found) for ip, found in owners.items()} == {ip: int(bool(able[ip])) for ip in ADDRESSES}, owners
        assert all(able[ip].issuperset(found) for ip, found in owners.items())


DEEDS = ("kill", "return", "return", "interface", "cut", "heal", "control", "froze", "stall", "engine")
WISHES = ("service", "service", "endpoints", "delete", "policy")


@pytest.mark.parametrize("seed", [*range(12), 59, 394])  # the last two: who lingers and yields, with a stalled one
def test_a_moment_after_whatever_happened_each_address_has_one_owner(seed: int) -> None:
    rng = random.Random(seed)
    group = Group(seed)
    group.perform("policy", seed, frozenset())
    for number in range(5):
        group.perform("service", number, frozenset(NAMES))
    group.run(1.0)
    for _ in range(25):
        nodes = frozenset(rng.sample(NAMES, rng.randrange(len(NAMES) + 1)))
        group.perform(rng.choice(rng.choice((DEEDS, WISHES))), rng.randrange(1000), nodes)
        group.run(rng.choice((0.0, 0.1, 0.4, MOMENT_S)))
        if group.has_been_calm:
            group.check()
    group.perform("heal", 0, frozenset())
    group.stalled.clear()
    group.run(QUIET_S)
    for _ in range(10):
        group.run(0.5)
        group.check()


@pytest.mark.parametrize("seed", range(4))
def test_a_node_whose_clock_stood_still_too_is_told_by_its_engine_and_takes_nothing_back_with_never(seed: int) -> None:
    group = Group(seed)
    group.perform("policy", 0, frozenset())
    for number in range(5):
        group.perform("service", number, frozenset(NAMES))
    group.run(40.0)
    (victim, *_), *_ = (found for found in group.owners().values() if found)
    its_own = [address for address, found in group.owners().items() if found == [victim]]
    paused = group.alive.pop(victim)
    group.run(MOMENT_S)
    group.alive[victim] = paused
    paused.telling.absent(group.now)
    group.run(QUIET_S)
    group.check()
    assert not any(victim in group.owners()[address] for address in its_own)


@pytest.mark.parametrize("seed", range(4))
def test_what_others_took_over_when_an_engine_died_alone_stays_theirs_with_never(seed: int) -> None:
    group = Group(seed)
    group.perform("policy", 0, frozenset())
    for number in range(5):
        group.perform("service", number, frozenset(NAMES))
    group.run(40.0)
    group.check()
    (victim, *_), *_ = (found for found in group.owners().values() if found)
    its_own = [address for address, found in group.owners().items() if found == [victim]]
    group.replace_engine(victim)
    group.run(QUIET_S)
    group.check()
    assert not any(victim in group.owners()[address] for address in its_own)


@pytest.mark.parametrize("spec", ["{}", "{failback: never}", "{spread: even}"])
@pytest.mark.parametrize("trouble", ["none", "drained", "no interface"])
def test_beside_speakers_of_metallb_each_address_has_one_owner_whatever_ails_a_node_of_ours(
    spec: str, trouble: str
) -> None:
    ours, ill, wanted = frozenset(NAMES[2:]), NAMES[2], [ip_address(f"10.0.0.{number}") for number in range(1, 60)]
    notes = {ill: 'herald.metallb.io/drain: ""'} if trouble == "drained" else {}
    metadata = (f"{{name: {one}, annotations: {{{notes.get(one, '')}}}}}" for one in NAMES)
    texts = [f"{{apiVersion: v1, kind: Node, metadata: {each}}}" for each in metadata]
    texts += [POOL, ADVERTISEMENT.format(spec=spec)]
    for number, ip in enumerate(wanted):
        texts.append(SERVICE.format(number=number, policy="Cluster", ip=ip))
        texts.append(SLICE.format(number=number, endpoints="{addresses: [10.1.1.1], nodeName: n0}"))
    found = collect([("all", "\n---\n".join(texts))]).resources
    fixed: tuple[ClusterObject, ...] = (*found.nodes, *found.ip_address_pools, *found.l2_advertisements)
    objects = (*fixed, *found.services, *found.endpoint_slices)
    usable = {one: None if one not in ours else ETH0 for one in NAMES}
    usable[ill] = frozenset() if trouble == "no interface" else ETH0
    held: dict[NodeName, set[IPAddress]] = {}
    for one in ours:
        decider = Decider(Options(node=one))
        decider.take(Synced(objects))
        decider.see(usable, told_by({name: SILENT if name in ours else None for name in NAMES}))
        while decider.has_work:
            decider.step()
        held[one] = {holding.address for holding in decider.desired().holdings}
    metallb = Electorate(NAMES, {})
    held |= {one: {ip for ip in wanted if metallb.owner(ip) == one} for one in NAMES if one not in ours}
    assert [ip for ip in wanted if sum(ip in addresses for addresses in held.values()) != 1] == []
    assert trouble == "none" or not held[ill]
    assert all(held[one] for one in NAMES if one != ill)


def test_a_node_that_changes_from_metallb_to_herald_is_looked_at_again_without_any_terms() -> None:
    decider = Decider(Options(node=NAMES[0]))
    decider.take(Cluster("{}").everything())
    members = dict.fromkeys(NAMES)
    decider.see(members, told_by(dict.fromkeys(NAMES, SILENT)))
    while decider.has_work:
        decider.step()
    decider.see(members, told_by({**dict.fromkeys(NAMES, SILENT), NAMES[1]: None}))
    assert decider.has_work
