"""What a speaker tells the others, and what it makes of what they tell."""

from collections.abc import Iterator
from ipaddress import ip_address

import pytest

from herald.announcement.told import compose, decode, encode
from herald.cluster.meta import NodeName
from herald.config.collect import collect
from herald.engine.link import Tell
from herald.engine.membership import Notes
from herald.speaker.decider import Decider, Options
from herald.speaker.keeping import CALM_S, START_S
from herald.speaker.telling import RETURN_S, Telling
from herald.store.store import Changed, Event, Synced

ADDRESS = "10.0.0.1"  # MetalLB's order is node-b, node-a, node-c
A, B, C = (NodeName(f"node-{letter}") for letter in "abc")
ETH0 = frozenset({"eth0"})
MANIFESTS = """
{apiVersion: v1, kind: Node, metadata: {name: node-a}}
--- {apiVersion: v1, kind: Node, metadata: {name: node-b}}
--- {apiVersion: v1, kind: Node, metadata: {name: node-c}}
---
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: p, namespace: metallb-system}
spec: {addresses: [10.0.0.1/32]}
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: {name: l, namespace: metallb-system}
spec: {SPEC}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec: {type: LoadBalancer, externalTrafficPolicy: POLICY, ports: [{port: 80}]}
status: {loadBalancer: {ingress: [{ip: 10.0.0.1}]}}
"""
SLICE = """
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, namespace: default, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
endpoints: [ENDPOINTS]
"""


class Recorder:
    """A publisher that keeps the events; the rest is nothing to it."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def tell(self, event: Event) -> None:
        self.events.append(event)

    def __getattr__(self, name: str) -> object:
        raise AssertionError(f"{name} is not to be called")


class Node:
    """The deciding half of one speaker, with the others given in."""

    def __init__(self, name: NodeName, spec: str, policy: str = "Cluster") -> None:
        self.name = name
        self.decider = Decider(Options(node=name, assume_ready=True))
        self.publisher = Recorder()
        self.telling = Telling(self.decider, self.publisher)  # type: ignore[arg-type]  # only `tell` is used
        found = collect([("all", MANIFESTS.replace("SPEC", spec).replace("POLICY", policy))]).resources
        parts = (found.nodes, found.ip_address_pools, found.l2_advertisements, found.services)
        self.decider.take(Synced(tuple(each for part in parts for each in part)))
        self.told = b""

    def endpoints(self, *nodes: NodeName) -> None:
        """The service has a ready endpoint on each of these."""
        text = ", ".join(f"{{addresses: [10.1.1.1], conditions: {{ready: true}}, nodeName: {one}}}" for one in nodes)
        found = collect([("slice", SLICE.replace("ENDPOINTS", text))]).resources
        self.decider.take(Changed(found.endpoint_slices))

    def see(self, others: Notes, now: float) -> bytes:
        """The engine sees these and this node; gives what is told to all after that."""
        members = {NodeName(node): ETH0 for node in (*others, self.name)}
        self.telling.see(members, {**others, self.name: self.told}, now)
        for message in self.settle(now):
            self.told = message.note
        return self.told

    def settle(self, now: float) -> Iterator[Tell]:
        while True:
            while self.decider.has_work:
                self.telling.note(self.decider.step())
            wish = self.telling.wish(now)
            if wish is not None:
                yield wish
            elif not self.decider.has_work:
                return

    @property
    def owns(self) -> bool:
        return bool(self.decider.desired().holdings)


HELD = encode(compose([ip_address(ADDRESS)], (), 100))
YIELDED = encode(compose([ip_address(ADDRESS)], (), 100, yields=True))
NEVER = "failback: never"


def test_who_takes_an_address_claims_it_as_soon_as_all_are_there() -> None:
    one = Node(B, NEVER)
    assert one.see({A: b"", C: b""}, 0.0) == HELD
    assert one.owns


def test_who_starts_learns_the_claims_before_it_takes_anything() -> None:
    one = Node(B, NEVER)
    assert one.see({A: HELD, C: b""}, 0.0) == b""
    assert not one.owns
    assert one.see({C: b""}, 1.0) == HELD, "it is its turn when the holder is gone"
    assert one.owns


def test_without_the_others_it_waits_with_its_claims_and_not_with_its_answers() -> None:
    one = Node(B, NEVER)
    assert one.see({}, 0.0) == b""
    assert one.owns
    assert one.telling.deadline(0.0) == START_S
    assert [message.note for message in one.settle(START_S)] == [HELD]


def test_a_control_that_finds_claims_of_its_node_goes_on_with_them() -> None:
    one = Node(A, NEVER)
    one.told = HELD
    assert one.see({B: b""}, 0.0) == HELD, "C is missing, and yet this is not the start"
    assert one.owns


def test_a_delay_ends_with_a_claim_that_is_let_go_and_with_answers_a_moment_later() -> None:
    one = Node(A, "failback: delay, failbackDelay: 10s")
    one.see({C: b""}, 0.0)
    assert [message.note for message in one.settle(START_S)] == [HELD]
    one.see({B: b"", C: b""}, 100.0)
    assert one.owns
    at = one.telling.deadline(105.0)
    assert at == 110.0
    assert [message.note for message in one.settle(at)] == [b""]
    assert one.owns, "until the other one answers"
    after = one.telling.deadline(at)
    assert after is not None
    one.telling.look_again(after)
    assert not list(one.settle(after))
    assert not one.owns


def test_a_delay_begins_when_the_other_one_has_an_endpoint_not_when_it_was_there_first() -> None:
    one = Node(A, "failback: delay, failbackDelay: 10s", policy="Local")
    one.endpoints(A)
    one.see({B: b"", C: b""}, 0.0)
    assert one.owns
    one.endpoints(A, B)
    list(one.settle(50.0))
    assert one.telling.deadline(50.0) == 60.0, "it is B's turn"
    one.endpoints(A)
    list(one.settle(55.0))
    one.endpoints(A, B)
    list(one.settle(58.0))
    assert one.telling.deadline(58.0) == 68.0, "a break, so it waits anew"


def test_claims_that_do_not_fit_beside_the_names_of_interfaces_are_said_and_said_to_fit_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "herald.speaker")
    one, many = Node(B, NEVER), ETH0 | {f"interface-{number:05}" for number in range(444)}
    for names, told in ((ETH0, HELD), (many, b""), (many, b""), (ETH0, HELD)):
        members = {A: ETH0, B: names, C: ETH0}
        one.telling.see(members, {A: b"", B: one.told, C: b""}, 0.0)
        for message in one.settle(0.0):
            one.told = message.note
        assert one.told == told
        assert one.owns
    events = [getattr(record, "event", None) for record in caplog.records]
    assert [event for event in events if event in ("claimsVague", "claimsExact")] == ["claimsVague", "claimsExact"]


def test_claims_of_one_that_has_just_come_back_yield_until_it_has_had_time_to_say_so_itself() -> None:
    one = Node(A, NEVER)
    one.see({B: HELD, C: b""}, 0.0)
    assert not one.owns
    assert one.see({C: b""}, 10.0) == HELD
    one.see({B: HELD, C: b""}, 20.0)
    assert one.owns
    assert one.telling.deadline(20.0) == 20.0 + RETURN_S
    one.see({B: YIELDED, C: b""}, 20.5)
    one.see({B: YIELDED, C: b""}, 30.0)
    assert one.owns


def test_who_stood_still_says_that_it_yields_and_lets_go() -> None:
    one = Node(B, NEVER)
    one.see({A: b"", C: b""}, 0.0)
    one.telling.froze(50.0)
    assert one.see({A: HELD, C: b""}, 50.0) == b""
    assert not one.owns
    alone = Node(B, NEVER)
    alone.see({A: b"", C: b""}, 0.0)
    alone.telling.froze(50.0)
    assert alone.see({A: b"", C: b""}, 50.0) == YIELDED
    assert [message.note for message in alone.settle(50.0 + CALM_S)] == [HELD]


def test_without_failback_and_damping_nothing_is_told_and_what_others_tell_is_nothing() -> None:
    one = Node(B, "")
    assert one.see({A: HELD, C: b""}, 0.0) == b""
    assert one.owns


def test_a_node_that_is_lost_twice_is_named_to_all_and_where_people_look() -> None:
    one = Node(A, "flapDamping: true")
    said = encode(compose((), [B], 100))
    for now in (0.0, 2.0):
        one.see({B: b"", C: b""}, now)
        one.see({C: b""}, now + 1.0)
    assert one.see({B: b"", C: b""}, 4.0) == said
    assert not one.owns, "two others have to say so, and only one does"
    assert one.see({B: b"", C: said}, 5.0) == said
    assert one.owns
    (event,) = one.publisher.events
    assert (event.reason, event.about.kind, event.about.name) == ("NodeDamped", "L2Advertisement", "l")
    assert event.message == "node-b was lost 2 times and stands for no election for 58 s (flapDamping)"
    assert decode(said).damped
    one.see({B: b"", C: b""}, 70.0)
    assert [each.reason for each in one.publisher.events] == ["NodeDamped", "NodeSteady"]


def test_when_the_engine_is_another_one_the_claims_yield_and_at_the_first_one_they_do_not() -> None:
    one = Node(B, NEVER)
    one.telling.engine_is_new(0.0)
    assert one.see({A: b"", C: b""}, 0.0) == HELD
    one.telling.engine_is_new(100.0)
    assert one.see({A: b"", C: b""}, 100.0) == YIELDED
    assert one.owns, "nobody else claims it"
    one.see({A: HELD, C: b""}, 100.1)
    assert not one.owns


def test_a_new_control_yields_what_its_engine_still_claims_if_others_could_not_count_on_it() -> None:
    one = Node(B, NEVER)
    one.told = HELD
    one.telling.absent(99.0)
    assert one.see({A: b"", C: b""}, 100.0) == YIELDED
    one.see({A: HELD, C: b""}, 100.1)
    assert not one.owns
    other = Node(B, NEVER)
    other.told = HELD
    other.telling.absent(None)
    assert other.see({A: b"", C: b""}, 100.0) == HELD


def test_on_another_connection_it_is_told_too_that_there_is_nothing_to_tell() -> None:
    one = Node(B, NEVER)
    one.see({A: b"", C: b""}, 0.0)
    one.see({A: HELD, C: b""}, 0.1)
    one.telling.engine_is_new(100.0)
    one.telling.see({A: ETH0, B: ETH0, C: ETH0}, {A: HELD, B: HELD, C: b""}, 100.1)
    told = list(one.settle(100.1))
    assert not one.owns
    assert told == [Tell(b"")]
