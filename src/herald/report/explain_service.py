"""Why a service is announced or not, and by whom; and the same for an address."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from herald.allocator.allocation import Refusal
from herald.allocator.request import requested_addresses, requested_pool
from herald.announcement.decide import Decision, by_reason
from herald.announcement.reason import Code, Reason
from herald.announcement.sessions import parameters
from herald.bgp.route import Route
from herald.cluster.meta import NamespacedName, NodeName, PeerName
from herald.cluster.service import Service
from herald.config.nearest import suggestion
from herald.config.wording import counted
from herald.net.ip_family import IPAddress, family_of
from herald.report.expectation import expectations, lacking, names
from herald.report.explain import Explanation, Section, State, Verdict, unknown
from herald.report.explain_now import of_service, problems_of_running
from herald.report.explain_now import verdict as verdict_now
from herald.report.explain_related import NearMiss, near_misses, related_problems
from herald.report.plan import Plan
from herald.report.plan_table import attributes

FAULTS = frozenset({Code.SPEAKER_NOT_LIVE, Code.NETWORK_UNAVAILABLE, Code.INTERFACE_MISSING, Code.FAMILY_MISSING})
"""Reasons that nobody wishes for, unlike a label, a selector or a traffic policy."""


def explain_service(plan: Plan, key: NamespacedName) -> Explanation:
    """One Service of type LoadBalancer; any other is explained as what it is."""
    service = plan.study.services.get(key)
    if service is None:
        return _no_such_service(plan, key)
    decision = plan.study.decisions[key]
    problems, near = problems_of_running(plan, related_problems(plan, decision)), near_misses(plan, decision)
    now = of_service(plan, decision)
    sections = (
        Section("ADDRESS", tuple(_address_lines(plan, service, decision))),
        Section("ENDPOINTS", (_endpoints(plan, key),)),
        Section("L2", (*_layer2_lines(decision), *_closest(near, "L2Advertisement"))),
        Section("BGP", (*_bgp_lines(decision), *_closest(near, "BGPAdvertisement"))),
        *(now.sections() if now else ()),
    )
    verdict = verdict_now(now, decision, _verdict(plan, decision), problems)
    return Explanation("svc", str(key), _headline(service), sections, verdict, decision_json(decision), problems)


def explain_address(plan: Plan, address: IPAddress) -> Explanation:
    """One address: the pool it is in, and every service that has it."""
    holders = [decision for decision in plan.study.decisions.values() if address in decision.addresses]
    pool = plan.study.view.pool_of((address,))
    where = f"in pool {pool.name}" if pool else "in no pool"
    headline = f"Address {address}  {where}"
    facts = {"pool": None if pool is None else pool.name, "services": [str(d.service) for d in holders]}
    if not holders:
        state = "no Service has it" if pool else f"no IPAddressPool contains it{_other_pools(plan, address)}"
        return Explanation("ip", str(address), headline, (), Verdict(State.NOT_ANNOUNCED, state), facts)
    parts = [explain_service(plan, decision.service) for decision in holders]
    sections = tuple(
        replace(section, lines=(f"{part.headline}", *section.lines) if section.title == "ADDRESS" else section.lines)
        for part in parts
        for section in part.sections
    )
    problems = tuple(dict.fromkeys(problem for part in parts for problem in part.problems))
    return Explanation("ip", str(address), headline, sections, _of_several(holders, parts), facts, problems)


def _other_pools(plan: Plan, address: IPAddress) -> str:
    known = plan.study.compiled.config.pools.values()
    same = [pool.name for pool in known if family_of(address) in pool.families()]
    return f"; pools of that family: {names(same)}" if same else ""


def _of_several(holders: Iterable[Decision], parts: Iterable[Explanation]) -> Verdict:
    verdicts = {str(holder.service): part.verdict for holder, part in zip(holders, parts, strict=True)}
    if len(verdicts) == 1:
        return next(iter(verdicts.values()))
    states = {verdict.state for verdict in verdicts.values()}
    state = states.pop() if len(states) == 1 else State.DEGRADED
    return Verdict(state, "; ".join(f"{service}: {verdict.message}" for service, verdict in verdicts.items()))


def _no_such_service(plan: Plan, key: NamespacedName) -> Explanation:
    other = next((service for service in plan.study.resources.services if service.key == key), None)
    if other is not None:
        verdict = Verdict(State.NOT_ANNOUNCED, f"the Service is of type {other.spec.type}, not LoadBalancer")
        return Explanation("svc", str(key), f"Service {key}  {other.spec.type}", (), verdict)
    return unknown("svc", str(key), "Service", suggestion(str(key), map(str, plan.study.services)))


def _headline(service: Service) -> str:
    spec = service.spec
    ports = ", ".join(map(str, spec.ports)) or "none"
    policy = spec.external_traffic_policy or "Cluster"
    return (
        f"Service {service.key}  {spec.type}  class {spec.load_balancer_class or '(none)'}  "
        f"externalTrafficPolicy {policy}  ports {ports}"
    )


def _address_lines(plan: Plan, service: Service, decision: Decision) -> Iterable[str]:
    outcome = plan.study.outcome(service.key)
    if not outcome.addresses:
        refusal = outcome.refusal
        yield "none"
        if refusal is not None:
            yield f"{refusal.reason}: {refusal.message}"
            yield from (f"  {verdict}" for verdict in refusal.verdicts)
        return
    yield f"{', '.join(map(str, outcome.addresses))} from pool {outcome.pool}{_room(plan, decision)}"
    yield f"why: {_why_this_address(service, outcome.addresses)}"
    if outcome.refusal is not None:
        yield f"not what it asks for: {outcome.refusal.reason}: {outcome.refusal}"


def _room(plan: Plan, decision: Decision) -> str:
    if decision.pool is None:
        return ""
    counters = plan.study.assignments.allocator.counters(decision.pool)
    families = {address.version for address in decision.addresses}
    rooms = []
    if 4 in families:
        rooms.append(f"IPv4 {counters.assigned_ipv4} used, {counters.available_ipv4} free")
    if 6 in families:
        rooms.append(f"IPv6 {counters.assigned_ipv6} used, {counters.available_ipv6} free")
    return f" ({'; '.join(rooms)})"


def _why_this_address(service: Service, addresses: tuple[IPAddress, ...]) -> str:
    asked = requested_addresses(service)
    if not isinstance(asked, Refusal) and asked and set(asked) == set(addresses):
        return "the Service asks for it by address"
    if {str(address) for address in addresses} <= set(service.ingress_ips):
        return "the Service has it already, and keeps it"
    pool = requested_pool(service)
    if pool is not None:
        return f"the Service asks for pool {pool}; its lowest free address"
    return "the first pool, by priority, that may serve the Service; its lowest free address"


def _endpoints(plan: Plan, key: NamespacedName) -> str:
    ready = plan.study.readiness[key]
    if not ready.known:
        assumed = "assumed ready on every node" if ready.somewhere else "with --assume-ready it counts as ready"
        return f"no EndpointSlice of it is in the input: {assumed}"
    if not ready.somewhere:
        return "none is ready"
    nodes = ready.nodes or frozenset()
    without_address = "" if ready.bgp_somewhere else "; none has an address, which BGP needs"
    return (f"ready on {', '.join(sorted(nodes))}" if nodes else "ready, on no named node") + without_address


_NO_WATCHERS = "nobody, for there is no other candidate"


def _layer2_lines(decision: Decision) -> Iterable[str]:
    layer2 = decision.layer2
    if layer2.owner is None:
        yield f"nobody answers. {layer2.reason}"
    else:
        interfaces = "all interfaces" if layer2.interfaces is None else ", ".join(sorted(layer2.interfaces))
        yield f"{layer2.owner} answers on {interfaces}"
        if layer2.foreign:
            yield f"MetalLB's speakers run on {names(layer2.foreign)}: what their own election gives them is theirs"
        candidates = ", ".join(map(_scored(decision), layer2.candidates))
        yield f"candidates, in the order in which they take over: {candidates}"
        if layer2.instead is not None:
            yield f"not {layer2.passed_over}, the winner of MetalLB's election. {layer2.instead}"
        if layer2.fast_failover:
            watchers = f"{names(layer2.sentries)}, if the speakers gossip" if layer2.sentries else _NO_WATCHERS
            yield f"fast failover: {layer2.owner} is watched by {watchers}"
    said = layer2.passed_over if layer2.instead is not None else None
    left = {node: why for node, why in layer2.excluded.items() if node != said or why != layer2.instead}
    yield from excluded_lines(left, layer2.reason)


def _scored(decision: Decision) -> Callable[[NodeName], str]:
    scores = decision.layer2.scores

    def text(node: NodeName) -> str:
        return f"{node} (preference {scores[node]})" if scores.get(node) else node

    return text


def excluded_lines(excluded: Mapping[NodeName, Reason], said: Reason | None) -> Iterable[str]:
    """One line per reason: which nodes it keeps out. Nothing if all have the reason that was `said` already."""
    if said is not None and all(reason.code is said.code for reason in excluded.values()):
        return
    for nodes, reason in by_reason(excluded):
        yield f"not {names(nodes)}. {reason}"


def _bgp_lines(decision: Decision) -> Iterable[str]:
    bgp = decision.bgp
    if not bgp.announcing:
        yield f"no routes. {bgp.reason}"
    senders: dict[tuple[Route, PeerName], list[NodeName]] = {}
    closed: dict[PeerName, Reason] = {}
    for node, sessions in bgp.announcing.items():
        for session, routes in sessions:
            why = parameters(session)
            if isinstance(why, Reason):
                closed[session.name] = why
            for route in routes:
                senders.setdefault((route, session.name), []).append(node)
    for (route, peer), nodes in senders.items():
        yield f"{route.prefix} → {peer} from {', '.join(sorted(nodes))}; attributes: {attributes(route)}"
    yield from (f"{peer}: the session cannot be opened. {why}" for peer, why in sorted(closed.items()))
    if bgp.announcing or bgp.unadvertised is None:
        yield from excluded_lines(bgp.excluded, bgp.reason)


def _closest(near: Iterable[NearMiss], kind: str) -> Iterable[str]:
    for miss in near:
        if miss.kind == kind:
            yield f'closest: {kind} "{miss.name}" selects "{miss.wrong}"'


def _verdict(plan: Plan, decision: Decision) -> Verdict:
    if decision.silence is not None:
        return Verdict(State.NOT_ANNOUNCED, _silent(plan, decision, decision.silence))
    faults = list(_faults(plan, decision))
    ways = []
    if decision.layer2.owner is not None:
        ways.append(f"{decision.layer2.owner} answers in Layer 2")
    if decision.bgp.announcing:
        nodes = decision.bgp.announcing
        ways.append(f"{counted(len(nodes), 'node')} by BGP ({names(nodes)})")
    message = ", ".join(ways)
    if faults:
        return Verdict(State.DEGRADED, f"{message}; but {'; '.join(faults)}")
    return Verdict(State.ANNOUNCED, message)


def _silent(plan: Plan, decision: Decision, silence: Reason) -> str:
    """The reason; and where it follows from what the input lacks, that, and what is to be expected."""
    words = expectations(plan).get(decision.service)
    return str(silence) if words is None else f"{silence.code.value}: {lacking(plan)}; expected: {words}"


def _faults(plan: Plan, decision: Decision) -> Iterable[str]:
    """What an operator would not expect of an announced service."""
    layer2, bgp = decision.layer2, decision.bgp
    refusal = plan.study.outcome(decision.service).refusal
    if refusal is not None:
        yield f"it does not have what it asks for: {refusal.message}"
    if layer2.owner is None and layer2.unadvertised is None:
        yield f"nobody answers in Layer 2: {layer2.reason}"
    if not bgp.announcing and bgp.unadvertised is None:
        yield f"nobody announces it by BGP: {bgp.reason}"
    excluded = (*by_reason(layer2.excluded), *(by_reason(bgp.excluded) if bgp.announcing else ()))
    yield from dict.fromkeys(str(reason) for _, reason in excluded if reason.code in FAULTS)
    for address in decision.addresses if bgp.announcing else ():
        if not any(address in route.prefix for _, routes in _all_routes(decision) for route in routes):
            yield f"no session carries a route for {address}"


def _all_routes(decision: Decision) -> Iterable[tuple[PeerName, tuple[Route, ...]]]:
    for sessions in decision.bgp.announcing.values():
        yield from ((session.name, routes) for session, routes in sessions)


def decision_json(decision: Decision) -> dict[str, Any]:
    """A decision as JSON: every node with what it does, or the reason for nothing."""
    layer2, bgp = decision.layer2, decision.bgp
    return {
        "addresses": [str(address) for address in decision.addresses],
        "pool": decision.pool,
        "layer2": {
            "owner": layer2.owner,
            "candidates": list(layer2.candidates),
            "interfaces": ["*"] if layer2.interfaces is None else sorted(layer2.interfaces),
            "reason": reason_json(layer2.reason),
            "excluded": {node: reason_json(reason) for node, reason in sorted(layer2.excluded.items())},
            **({"watchedBy": list(layer2.sentries)} if layer2.fast_failover else {}),
            **({"metallb": sorted(layer2.foreign)} if layer2.foreign else {}),
            **({"instead": reason_json(layer2.instead)} if layer2.instead is not None else {}),
        },
        "bgp": {
            "nodes": {
                node: {session.name: [str(route.prefix) for route in routes] for session, routes in sessions}
                for node, sessions in sorted(bgp.announcing.items())
            },
            "reason": reason_json(bgp.reason),
            "excluded": {node: reason_json(reason) for node, reason in sorted(bgp.excluded.items())},
        },
    }


def reason_json(reason: Reason | None) -> dict[str, str] | None:
    """A reason for machines: its code, MetalLB's log word, and the words for people."""
    if reason is None:
        return None
    return {"code": reason.code.value, "logWord": reason.log_word, "message": reason.words}
