"""Every reason for silence has a small cluster that shows it: `explain` names the reason, and the object to look at."""

from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

import pytest
from report_manifests import bgp, l2, peer, planned, pool, service

from herald.announcement.claims import claims_of
from herald.announcement.election import Electorate
from herald.announcement.incremental import Upkeep
from herald.announcement.reason import Code, Protocol
from herald.announcement.told import Told
from herald.announcement.view import View
from herald.cluster.meta import NamespacedName, NodeName
from herald.config.collect import collect
from herald.config.compile import compile_config
from herald.report.explain import Explanation, State
from herald.report.explain_config import explain_node
from herald.report.explain_service import explain_service
from herald.report.plan import Plan, plan
from herald.report.study import Alive

WEB = NamespacedName("default", "web")
P = pool("main", "10.0.0.0/24")
READY = service("web", "node-1")
EXCLUDE = "node.kubernetes.io/exclude-from-external-load-balancers"
DRAIN = "herald.metallb.io/drain"
LOCAL = "externalTrafficPolicy: Local"
CUT_OFF = "{conditions: [{type: NetworkUnavailable, status: 'True'}]}"


def only(name: str, labels: str = "", status: str = "{}", notes: str = "") -> str:
    metadata = f"{{name: {name}, labels: {{{labels}}}, annotations: {{{notes}}}}}"
    return f"{{apiVersion: v1, kind: Node, metadata: {metadata}, status: {status}}}"


# Why nobody announces the Service: the manifests, the options, and what the verdict names besides the reason.
SILENT: dict[Code, tuple[tuple[str, ...], dict[str, Any], str]] = {
    Code.OTHER_CLASS: ((P, service("web", "node-1", spec="loadBalancerClass: x.io/y"), l2("l")), {}, "x.io/y"),
    Code.NO_ADDRESS: ((pool("main", "10.0.0.0/24", "autoAssign: false"), READY, l2("l")), {}, "main: skipped"),
    Code.NO_ADVERTISEMENT_FOR_POOL: ((P, READY), {}, "pool main"),
    Code.ADVERTISEMENT_SELECTS_OTHER_SERVICES: (
        (P, READY, l2("gold", "serviceSelectors: [{matchLabels: {tier: gold}}]")),
        {},
        "L2Advertisement gold",
    ),
    Code.ADVERTISEMENT_SELECTS_OTHER_NODES: (
        (P, READY, l2("rack", "nodeSelectors: [{matchLabels: {rack: r9}}]")),
        {},
        "L2Advertisement rack",
    ),
    Code.SHARED_IP_WITH_SERVICE_SELECTOR: (
        (
            P,
            service("web", "node-1", labels="tier: gold", annotations="metallb.io/allow-shared-ip: k"),
            l2("gold", "serviceSelectors: [{matchLabels: {tier: gold}}]"),
        ),
        {},
        "L2Advertisement gold",
    ),
    Code.NO_READY_ENDPOINT: ((P, service("web"), l2("l")), {}, "no EndpointSlice"),
    Code.NO_ENDPOINT_ON_NODE: (
        (P, service("web", "elsewhere", spec=LOCAL), l2("l")),
        {},
        "node-1, node-2, node-3",
    ),
    Code.NODE_EXCLUDED_BY_LABEL: ((P, READY, l2("l")), {"cluster": only("cp-1", f'{EXCLUDE}: ""')}, "cp-1"),
    Code.NODE_DRAINED: ((P, READY, l2("l")), {"cluster": only("w-1", notes=f'{DRAIN}: ""')}, "w-1"),
    Code.NETWORK_UNAVAILABLE: ((P, READY, l2("l")), {"cluster": only("w-1", status=CUT_OFF)}, "w-1"),
    Code.SPEAKER_NOT_LIVE: ((P, READY, l2("l")), {"members": ""}, "node-1, node-2, node-3"),
    Code.NO_CANDIDATE: (
        (P, service("web", "node-3", spec=LOCAL), l2("edge", "nodeSelectors: [{matchLabels: {node-role: edge}}]")),
        {},
        "node-1, node-2 NoEndpointOnNode; node-3 AdvertisementSelectsOtherNodes",
    ),
    Code.NO_PEER_ON_NODE: ((P, READY, bgp("b")), {}, "node-1, node-2, node-3"),
    Code.NO_PEER_FOR_ADVERTISEMENT: (
        (P, READY, bgp("b", "peers: [ruoter]"), peer("router", "10.9.0.1")),
        {},
        "BGPAdvertisement b",
    ),
    Code.NO_PEER_OF_FAMILY: ((P, READY, bgp("b"), peer("six", "fd00::1")), {}, "IPv4"),
}
# Why one session cannot be opened, or one node is silent while another is not.
IN_PART: dict[Code, tuple[tuple[str, ...], Callable[[Plan], Explanation], str]] = {
    Code.NOT_LOAD_BALANCER: (
        (P, READY.replace("LoadBalancer", "NodePort")),
        lambda plan: explain_service(plan, WEB),
        "of type NodePort, not LoadBalancer",
    ),
    Code.NOT_ELECTED: (
        (P, READY, l2("l")),
        lambda plan: explain_node(plan, NodeName("node-2")),
        "elected for no address",
    ),
}


@pytest.mark.parametrize("code", SILENT, ids=lambda code: code.value)
def test_a_silent_service_is_explained_by_its_reason_and_the_object_to_look_at(code: Code) -> None:
    texts, options, named = SILENT[code]
    found = explain_service(planned(*texts, **options), WEB)
    assert found.verdict.state is State.NOT_ANNOUNCED
    assert found.verdict.message.startswith(f"{code.value}: ")
    assert named in found.verdict.message


@pytest.mark.parametrize("code", IN_PART, ids=lambda code: code.value)
def test_what_is_not_a_silent_service_is_explained_where_it_belongs(code: Code) -> None:
    texts, explained, named = IN_PART[code]
    found = explained(planned(*texts))
    assert found.verdict.state is State.NOT_ANNOUNCED
    assert named in found.verdict.message


# What only a running speaker meets: the plan gives every Service an address that fits.
STATUS = "\nstatus: {loadBalancer: {ingress: [%s]}}\n---"
HELD = READY.replace("\n---", STATUS % "{ip: 10.0.0.9}")
HELD_BY_SIX = READY.replace("\n---", STATUS % "{ip: 'fd00::9'}")
ANOTHER = service("other", "node-1").replace("\n---", STATUS % "{ip: 10.0.0.4}")
NODE_2 = f"---\n{only('node-2')}\n"
HELD_CLAIM = claims_of([ip_address("10.0.0.9")], 100)


def speaker(*texts: str, interfaces: frozenset[str] | None = None, told: Told | None = None) -> Upkeep:
    """The upkeep of node-1, having looked at everything."""
    resources = collect([("all", "".join((f"{only('node-1')}\n", *texts)))]).resources
    known = {} if interfaces is None else {NodeName("node-1"): interfaces}
    upkeep = Upkeep(NodeName("node-1"))
    upkeep.fill(resources.services, resources.endpoint_slices)
    assert list(upkeep.look_again(View(compile_config(resources).config, interfaces=known, told=told)))
    return upkeep


MET_BY_SPEAKERS: dict[Code, tuple[Callable[[], Upkeep], str]] = {
    Code.SERVICE_DELETED: (lambda: speaker(P, l2("l")), "the Service is gone"),
    Code.INVALID_ADDRESS: (
        lambda: speaker(P, l2("l"), READY.replace("\n---", STATUS % "{hostname: lb.example.com}")),
        "'lb.example.com'",
    ),
    Code.ADDRESS_IN_NO_POOL: (lambda: speaker(pool("main", "10.5.0.0/24"), l2("l"), HELD), "10.0.0.9"),
    Code.INTERFACE_MISSING: (
        lambda: speaker(P, l2("l", "interfaces: [eth7]"), HELD, interfaces=frozenset({"eth0"})),
        "eth7",
    ),
    Code.FAMILY_MISSING: (
        lambda: speaker(pool("six", "fd00::/64"), l2("l"), HELD_BY_SIX, interfaces=frozenset({"eth0/4"})),
        "answers for IPv6",
    ),
    Code.KEPT: (
        lambda: speaker(P, NODE_2, l2("l", "failback: never"), HELD, told=Told({NodeName("node-2"): HELD_CLAIM})),
        "node-2 keeps it: failback is never, and node-1 came back later",
    ),
    Code.SPREAD: (
        lambda: speaker(P, NODE_2, l2("l", "spread: even"), HELD, ANOTHER),
        "node-2 has it: with spread even node-1 has its share without it",
    ),
    Code.NODE_DAMPED: (
        lambda: speaker(
            P,
            NODE_2,
            l2("l", "flapDamping: true"),
            HELD,
            told=Told(damped=frozenset({NodeName("node-1")})),
        ),
        "node-1 was lost too often lately",
    ),
}


@pytest.mark.parametrize("code", MET_BY_SPEAKERS, ids=lambda code: code.value)
def test_a_speaker_gives_its_reason_with_what_to_look_at(code: Code) -> None:
    made, named = MET_BY_SPEAKERS[code]
    reason = made().why_not(WEB, Protocol.LAYER2)
    assert reason is not None
    assert (reason.code, named in reason.words) == (code, True), reason


def test_a_speaker_tells_an_address_that_changed_from_the_old_one_to_the_new_one() -> None:
    upkeep = speaker(P, l2("l"), HELD)
    moved = READY.replace("\n---", STATUS % "{ip: 10.0.0.7}")
    (service_now,) = collect([("moved", moved)]).resources.services
    reasons = [verdict.reason for verdict in upkeep.put_service(service_now).verdicts if verdict.reason is not None]
    assert [(reason.code, reason.words) for reason in reasons] == [
        (Code.ADDRESS_CHANGED, "the address changed from 10.0.0.9 to 10.0.0.7")
    ]


def test_no_reason_is_missing_here() -> None:
    # No manifest leads to SESSION_NOT_POSSIBLE: compiling refuses or replaces what would (tests of sessions make it).
    elsewhere = {Code.ADDRESS_CHANGED, Code.SESSION_NOT_POSSIBLE, Code.METALLB_WAITS}
    assert {*SILENT, *IN_PART, *MET_BY_SPEAKERS, *elsewhere} == set(Code)


def test_explain_and_plan_know_who_keeps_an_address_if_they_know_what_speakers_tell() -> None:
    nodes = f"{only('node-1')}\n{NODE_2}"
    told = Told({NodeName("node-2"): HELD_CLAIM})
    alive = Alive(frozenset(map(NodeName, ("node-1", "node-2"))), {}, told)
    found = plan(collect([("all", "".join((nodes, P, l2("l", "failback: never"), HELD)))]).resources, alive=alive)
    (row,) = found.layer2
    assert (row.node, row.to_json()["instead"]) == (
        "node-2",
        "KeptByOwner: node-2 keeps it: failback is never, and node-1 came back later",
    )
    explained = explain_service(found, WEB)
    lines = [line for section in explained.sections for line in section.lines]
    assert f"not node-1, the winner of MetalLB's election. {row.to_json()['instead']}" in lines
    assert explained.facts["layer2"]["instead"]["code"] == "KeptByOwner"
    offline = plan(found.study.resources)
    assert [(each.node, "instead" in each.to_json()) for each in offline.layer2] == [("node-1", False)]


def test_explain_names_the_speakers_of_metallb_and_what_they_wait_for() -> None:
    """node-1 would have it by MetalLB's election; it is drained, and node-2, which is MetalLB's, does not know."""
    one, two, three = members = tuple(map(NodeName, ("node-1", "node-2", "node-3")))
    address = next(ip for n in range(1, 99) if Electorate(members, {}).owner(ip := ip_address(f"10.0.0.{n}")) == one)
    drained = only("node-1", notes=f'{DRAIN}: ""')
    web = READY.replace("\n---", STATUS % f"{{ip: {address}}}")
    texts = "".join((f"{drained}\n{NODE_2}---\n{only('node-3')}\n", P, l2("l", "failback: never"), web))

    def lines(*foreign: NodeName) -> str:
        alive = Alive(frozenset(members), {}, Told(foreign=frozenset(foreign)))
        found = explain_service(plan(collect([("all", texts)]).resources, alive=alive), WEB)
        return "\n".join(next(section.lines for section in found.sections if section.title == "L2"))

    beside = lines(two)
    assert beside.startswith("node-3 answers on all interfaces")
    assert "MetalLB's speakers run on node-2: what their own election gives them is theirs" in beside
    assert "not node-1, the winner of MetalLB's election. NodeDrained: node-1: drained" in beside
    alone = lines(two, three)
    assert alone.startswith("nobody answers. NoCandidate: no node is eligible: ")
    assert "not node-2, node-3. MetalLBElectsAnother: node-2, node-3: the speaker there is MetalLB's" in alone
